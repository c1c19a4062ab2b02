# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How the numbers were made, and what failed."""

import json
from collections.abc import Mapping
from typing import Any

from visionbias.decode.drift import Drift
from visionbias.report.blocks import Block, Cell, Facts, Section, Table
from visionbias.report.contents import Contents


def provenance_section(contents: Contents) -> Section:
    """Versions, data, models and sessions from the manifest, and everything that was left out."""
    manifest = contents.manifest
    study, sessions = manifest["study"], manifest["sessions"]
    last: Mapping[str, Any] = sessions[-1] if sessions else {}
    done, total = contents.progress
    versions = last.get("versions") or study.get("versions", {})
    facts = [
        ("run folder", str(contents.folder)),
        ("forward passes", f"{done:,} of {total:,}"),
        ("seed", str(study.get("seed"))),
        ("device", str(last.get("device", study.get("device")))),
        ("platform", str(last.get("platform", "not known"))),
        ("git revision", str(last.get("git_revision") or "none")),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
        ("backends", "; ".join(f"{op}: {', '.join(names)}" for op, names in last.get("backends", {}).items())),
        *((f"probe {probe['probe']}", _options(probe)) for probe in study["probes"]),
    ]
    blocks: list[Block] = [
        Facts([(name, value) for name, value in facts if value]),
        *_faults(contents),
        _data(manifest),
        _models(contents),
        _sessions(sessions),
    ]
    lead = "How the numbers were made, from the run's manifest."
    return Section("provenance", "Provenance and failures", lead, blocks)


def _faults(contents: Contents) -> list[Table]:
    """Models that failed, and images that were left out."""
    sets = contents.manifest["data_sets"].items()
    bad = [[data, sample["id"], sample["reason"]] for data, described in sets for sample in described["bad_samples"]]
    tables = []
    if contents.failures:
        rows = [[model, reason] for model, reason in contents.failures.items()]
        tables.append(Table("Models that failed", ["model", "reason"], rows))
    if bad:
        tables.append(Table("Images that were left out", ["data set", "image", "reason"], bad))
    return tables


def _data(manifest: Mapping[str, Any]) -> Table:
    rows = []
    for name, described in manifest["data_sets"].items():
        listed = manifest["study"]["data"][name]
        views = listed["models"].values()
        rows.append(
            [
                name,
                str(listed.get("kind", "")),
                _count(described["n"]),
                _count(len(described["bad_samples"])),
                _count(len(described["classes"])),
                _count(len(described["conditions"])),
                "; ".join(dict.fromkeys(_preprocessing(view["preprocessing"]) for view in views)),
                ", ".join(dict.fromkeys(str(view.get("decoder", "")) for view in views)) + _drift(described),
                ", ".join(str(digest)[:12] for digest in listed.get("content_sha256", [])),
            ]
        )
    columns = ["data set", "kind", "images", "left out", "classes", "conditions", "preprocessing", "decoder", "sha256"]
    return Table("Data sets", columns, rows)


def _models(contents: Contents) -> Table:
    described = contents.manifest["study"]["models"]
    rows = [
        [
            model,
            str(described[model].get("source", "")),
            contents.categories.get(model, ""),
            str(described[model]["precision"]) + (", compiled" if described[model]["compiled"] else ""),
            str(described[model].get("weights_sha256") or "")[:12],
        ]
        for model in contents.models
    ]
    return Table("Models", ["model", "source", "category", "precision", "sha256 of the weights"], rows)


def _sessions(sessions: list[dict[str, Any]]) -> Table:
    rows: list[list[Cell | str]] = []
    for session in sessions:
        index, parts = session.get("shard", (0, 1))
        rows.append(
            [
                str(session.get("started", "")),
                f"{index}/{parts}",
                _seconds(session.get("prepare_s")),
                _seconds(session.get("run_s")),
                _count(session.get("forwards", 0)),
                _count(round(session["images_per_s"])),
                ", ".join(session["failures"]) or "none",
            ]
        )
    columns = ["started", "shard", "prepare s", "run s", "forward passes", "images/s", "failed models"]
    return Table("Sessions", columns, rows)


def _options(probe: Mapping[str, Any]) -> str:
    options = {key: json.dumps(value, ensure_ascii=False) for key, value in probe.items() if key != "probe"}
    return ", ".join(f"{key} = {value}" for key, value in options.items())


def _drift(described: Mapping[str, Any]) -> str:
    """How far the decoder's crops are from Pillow's, where that was measured."""
    return f": {Drift(**described['drift'])}" if "drift" in described else ""


def _preprocessing(rule: Mapping[str, Any]) -> str:
    resize = rule.get("resize")
    return f"{'no resize' if resize is None else f'resize {resize}'}, crop {rule['crop']}, {rule.get('interpolation')}"


def _count(value: int) -> Cell:
    return Cell(f"{value:,}", value=float(value))


def _seconds(value: float | None) -> Cell:
    return Cell("–") if value is None else Cell(f"{value:,.1f}", value=value)
