# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Images for the tests of spectrum_mix."""

from collections.abc import Callable
from typing import Any

import pytest
from tolerances import phases_are_known
from torch import Tensor


@pytest.fixture
def make_images(make_images: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """As everywhere, but float32 knows the phases."""

    def make(*arguments: Any, **options: Any) -> Tensor:
        while not phases_are_known(images := make_images(*arguments, **options)):
            pass
        return images

    return make
