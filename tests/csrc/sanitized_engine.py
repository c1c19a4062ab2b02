# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The module at $VISIONBIAS_SANITIZED_ENGINE takes the place of `visionbias._C`. A plugin of pytest, or imported."""

import os
import sys
from importlib.util import module_from_spec, spec_from_file_location

_spec = spec_from_file_location("visionbias._C", os.environ["VISIONBIAS_SANITIZED_ENGINE"])
assert _spec is not None
assert _spec.loader is not None
engine = sys.modules[_spec.name] = module_from_spec(_spec)
_spec.loader.exec_module(engine)
