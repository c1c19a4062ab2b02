# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Untrained networks of timm, from a seed."""

import timm
import torch
from torch import nn

ARCHITECTURES = {"test_resnet": {}, "test_vit": {"img_size": 32}, "test_convnext": {}, "test_efficientnet": {}}


def build(arch: str, seed: int = 0) -> nn.Module:
    """An untrained network whose batch norms have statistics of their own."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = timm.create_model(arch, num_classes=5, **ARCHITECTURES.get(arch, {})).eval()
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_(std=0.1)
                layer.running_var.uniform_(0.5, 2.0)
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.normal_(layer.bias, std=0.1)
    return module
