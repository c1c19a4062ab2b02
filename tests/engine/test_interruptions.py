# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What happens to a run from outside while it runs: Ctrl-C, images that change, folders that may not be touched."""

import ctypes
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hooked_network import Hooked
from PIL import Image
from torch import nn

import visionbias as vb
import visionbias.engine.prepare
from visionbias.engine.decoded import Decoded, decode_set

Make = Callable[..., vb.Study]


@pytest.fixture
def images(image_folder: Path, tmp_path: Path) -> Path:
    """A copy of the image folder, to be changed."""
    return Path(shutil.copytree(image_folder, tmp_path / "images"))


def test_an_interrupted_run_keeps_what_it_has_measured(
    make_study: Make, tiny_net: type[nn.Module], tmp_path: Path
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    def study(at: int) -> vb.Study:
        return make_study(models=[("m", Hooked(tiny_net(1), at, interrupt).eval())], probes=[vb.SpectralBias()])

    with pytest.raises(KeyboardInterrupt):
        study(at=30).run(tmp_path / "run", progress=False)
    # 29 batches of 8 went through, 23 of them whole first batches.
    (session,) = vb.open_run(tmp_path / "run").manifest["sessions"]
    assert session["forwards"] == 29 * 8
    plan = study(at=0).plan(tmp_path / "run")
    assert plan.units_done == 29 * 8
    assert plan.predicted_s > 0
    resumed = study(at=0).run(tmp_path / "run", progress=False)
    assert [s["forwards"] for s in resumed.manifest["sessions"]] == [29 * 8, 37 * 23 - 29 * 8]
    whole = study(at=0).run(tmp_path / "whole", progress=False)
    assert resumed.summary().to_csv() == whole.summary().to_csv()


def test_images_that_change_in_the_middle_of_a_run(
    make_study: Make, tiny_net: type[nn.Module], images: Path, tmp_path: Path
) -> None:
    """The run goes on with what it decoded, and is not mixed with what another start would see."""
    victim = images / "class_2" / "035.png"

    def study(hook: Callable[[], None]) -> vb.Study:
        models = [("m", Hooked(tiny_net(1), 2, hook).eval())]
        return make_study(models=models, data=images, cache=tmp_path / "cache")

    before = study(lambda: None).run(tmp_path / "before", progress=False).summary().to_csv()
    run = study(lambda: Image.new("RGB", (50, 50)).save(victim)).run(tmp_path / "run", progress=False)
    assert run.summary().to_csv() == before
    with pytest.raises(vb.RunError, match=r"data\.images\.content_sha256"):
        study(lambda: None).run(tmp_path / "run", progress=False)
    run = study(victim.unlink).run(tmp_path / "other", progress=False)
    assert set(run.summary()["status"]) == {"complete"}


def test_images_that_change_between_two_decodings(
    make_study: Make, tiny_net: type[nn.Module], images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode_and_spoil(*arguments: object, **options: object) -> Decoded:
        decoded = decode_set(*arguments, **options)  # type: ignore[arg-type]
        Image.new("RGB", (50, 50)).save(images / "class_2" / "035.png")
        return decoded

    monkeypatch.setattr(visionbias.engine.prepare, "decode_set", decode_and_spoil)
    models = []
    for side in (32, 40):
        network = tiny_net(1).eval()
        network.pretrained_cfg = {"input_size": (3, side, side), "crop_pct": 1.0}  # type: ignore[assignment]
        models.append((f"of {side}", network))
    with pytest.raises(vb.DataError, match=r"images: .*some changed while they were read; start again"):
        make_study(models=models, data=images, preprocessing="model", cache=tmp_path / "cache").run(
            tmp_path / "run", progress=False
        )
    assert not (tmp_path / "run").exists()


def as_anyone() -> None:
    """Give up root's right to pass over permissions (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH), before exec."""
    if os.geteuid() == 0:
        for capability in (1, 2):
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)


CLOSED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from kill_nursery import study
import visionbias as vb
images, out, mode = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
study(images).run(out, progress=False)
next((out / "records/model=a/condition=clean").glob("*.parquet")).unlink()
closed = out / sys.argv[5]
for path in [*closed.rglob("*"), closed] if mode else [closed]:
    path.chmod(mode)
attempts = {
    "run": lambda: study(images).run(out, progress=False),
    "plan": lambda: study(images).plan(out),
    "open_run": lambda: vb.open_run(out).summary(),
    "records": lambda: vb.open_run(out).records(),
}
for name, attempt in attempts.items():
    try:
        attempt()
        print(name, "done")
    except vb.RunError as error:
        print(name, "RunError:", error)
closed.chmod(0o755)
for path in closed.rglob("*"):
    path.chmod(0o755)
run = study(images).run(out, progress=False)
assert set(run.summary()["status"]) == {"complete"}
"""
READS = ("plan", "open_run", "records")


@pytest.mark.skipif(sys.platform != "linux", reason="root gives up its rights by a call of Linux")
@pytest.mark.parametrize(
    ("closed", "mode", "said"),
    [
        (".", 0o555, {"run": "RunError: cannot write the run folder"} | dict.fromkeys(READS, "done")),
        ("records", 0o555, {"run": "RunError: could not write .*mend the p"} | dict.fromkeys(READS, "done")),
        (".", 0o000, dict.fromkeys(("run", *READS), "RunError: cannot look into .*mend its perm")),
        ("records", 0o000, dict.fromkeys(("run", *READS), "RunError: cannot read .*mend its p")),
    ],
)
def test_folders_that_may_not_be_touched(
    image_folder: Path, tmp_path: Path, closed: str, mode: int, said: dict[str, str]
) -> None:
    arguments = [image_folder, tmp_path / "run", mode, Path(__file__).parent, closed]
    answer = subprocess.run(
        [sys.executable, "-c", CLOSED, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=as_anyone,
    )
    assert answer.returncode == 0, answer.stderr
    lines = dict(line.split(" ", 1) for line in answer.stdout.splitlines())
    for name, message in said.items():
        assert re.match(message, lines[name]), lines
