# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Where caches are kept."""

from pathlib import Path

import pytest

from visionbias.runtime.cache_folder import cache_folder


def test_the_narrowest_wish_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISIONBIAS_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path.home() / ".cache" / "visionbias"
    monkeypatch.setenv("XDG_CACHE_HOME", "caches")  # which the specification of such folders says to ignore
    assert cache_folder() == Path.home() / ".cache" / "visionbias"
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_folder() == Path("/caches/visionbias")
    monkeypatch.setenv("VISIONBIAS_CACHE", "/own")
    assert cache_folder() == Path("/own")
