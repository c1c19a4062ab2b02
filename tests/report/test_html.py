# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The page without a browser: sections, numbers, and names that are not markup."""

import base64
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from plotly import graph_objects
from report_models import CLASSES, EVIL, network
from run_folders import change_manifest

import visionbias as vb

EVERY_SECTION = [
    "summary",
    "spectral",
    "channel",
    "shape",
    "scatter",
    "correlations",
    "verdict",
    "worst",
    "stimuli",
    "provenance",
]


class Page(HTMLParser):
    """Section ids, rows of tables by caption, pictures, and the text of the page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.sections: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.images: dict[str, str] = {}  # alt -> source
        self.scripts: list[str] = []
        self.policy = ""
        self.text = ""
        self._row: list[str] | None = None
        self._caption = ""
        self._inside = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._inside = tag
        if tag == "section":
            self.sections.append(given["id"] or "")
        elif tag == "img":
            self.images[given["alt"] or ""] = given["src"] or ""
        elif tag == "meta" and given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"] or ""
        elif tag == "caption":
            self._caption = ""
        elif tag == "tr":
            self._row = []
        elif tag in ("td", "th") and self._row is not None:
            self._row.append(given.get("data-value") or "")
        elif tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
            return
        self.text += data
        if self._inside == "caption":
            self._caption += data.strip()
        elif self._inside in ("td", "th", "button") and self._row and not self._row[-1]:
            self._row[-1] = data.strip()

    def handle_endtag(self, tag: str) -> None:
        if tag == "tr" and self._row is not None:
            self.tables.setdefault(self._caption, []).append(self._row)
            self._row = None
        self._inside = ""

    @property
    def specs(self) -> dict[str, Any]:
        """What the script draws."""
        return json.loads(self.scripts[0])


@pytest.fixture(scope="module")
def parsed(page: Path) -> Page:
    return Page(page)


def test_every_section_is_there(parsed: Page) -> None:
    assert parsed.sections == EVERY_SECTION
    assert list(parsed.specs) == ["spectral", "channel", "shape", "scatter", "correlations"]


def test_the_table_has_the_numbers_of_the_summary(parsed: Page, summary: pd.DataFrame) -> None:
    head, *rows = parsed.tables["All models"][: len(summary) + 1]
    assert [row[0] for row in rows] == summary["model"].tolist()
    assert {"top1", "spectral_bias", "shape_bias", "color_reliance", "peak_noise_sensitivity"} <= set(head)
    for column, name in list(enumerate(head))[2:]:
        shown = [np.nan if row[column] == "–" else float(row[column]) for row in rows]
        np.testing.assert_array_equal(shown, summary[name])


def test_figures_have_the_numbers_of_the_summary(parsed: Page, rich: vb.Run, summary: pd.DataFrame) -> None:
    first = summary[summary["model"] == "first"].iloc[0]
    traces = {
        trace["xaxis"]: trace for trace in parsed.specs["spectral"]["views"][""]["data"] if trace["name"] == "first"
    }
    assert traces["x"]["x"] == [0.1, 0.5, 0.9]
    for axis, side in (("x", "lfc"), ("x2", "hfc")):
        relative = [first[f"{side}_{cutoff}"] for cutoff in (0.1, 0.5, 0.9)]
        np.testing.assert_allclose(np.array(traces[axis]["y"]) / first["top1"], relative, rtol=1e-12)

    records = rich.records().to_table().to_pandas().query("model == 'first'")
    accuracy = (records["label"] == records["pred"]).groupby(records["condition"]).mean()
    assert traces["x"]["y"][1] == accuracy["lowpass-0.5"]
    assert traces["x2"]["y"][2] == accuracy["highpass-0.9"]

    heat = parsed.specs["channel"]["views"]["first"]["data"][0]
    assert np.shape(heat["z"]) == (3, 3)
    np.testing.assert_array_equal(heat["z"][0], first["low_contrast_accuracy"])
    assert heat["z"][2][0] == accuracy["noise-0.2-band-4"]

    shape = next(trace for trace in parsed.specs["shape"]["views"][""]["data"] if trace.get("name") == "first")
    shares = [1 - first[f"shape_bias[{category}]"] for category in shape["y"]]
    np.testing.assert_allclose(np.array(shape["x"], dtype=float), shares, rtol=1e-12)
    assert sorted(shape["y"]) == sorted(CLASSES)

    axes = parsed.specs["scatter"]["axes"]
    assert axes["x"]["names"] == list(rich.biases)
    np.testing.assert_array_equal(np.array(axes["columns"]["shape_bias"], dtype=float), summary["shape_bias"])
    found = vb.correlate(summary, ["shape_bias"], ["top1"], methods=["spearman"]).iloc[0]
    assert axes["titles"]["top1"]["shape_bias"].startswith(f"ρ = {found['rho']:.2f}".replace("-", "−"))


def test_figures_are_what_plotly_knows(parsed: Page) -> None:
    for spec in parsed.specs.values():
        for view in spec["views"].values():
            for extra in ({}, spec["narrow"]):
                figure = graph_objects.Figure(view["data"], {**spec["layout"], **view.get("layout", {})})
                figure.update_layout(extra)


def test_the_gallery_shows_every_condition(parsed: Page, rich: vb.Run) -> None:
    conditions = {name for described in rich.manifest["data_sets"].values() for name in described["conditions"]}
    shown = {alt.split(", ")[-1] for alt in parsed.images}
    assert conditions <= shown
    assert all(source.startswith("data:image/jpeg;base64,/9j/") for source in parsed.images.values())


def test_the_gallery_names_the_model_that_attacked_images_are_made_for(
    make_study: Callable[..., vb.Study], tmp_path: Path
) -> None:
    study = make_study(models=[(EVIL, network(0)), ("other", network(1))], probes=[vb.PGD(steps=1)])
    parsed = Page(study.run(tmp_path / "run", progress=False).report(tmp_path / "report.html"))
    (condition,) = study.conditions
    assert f"{condition}, made for {EVIL}" in parsed.text
    assert len([alt for alt in parsed.images if alt.endswith(f", {condition}")]) == 3


def test_worst_slices_show_their_images(parsed: Page, rich: vb.Run) -> None:
    worst = vb.analysis.failures(rich.folder, against="others")
    worst = worst[worst["kind"] != "condition"].iloc[0]
    samples = vb.analysis.slice_samples(rich.folder, worst)
    lost = samples.loc[~samples["correct"], "path"]
    assert set(lost) & set(parsed.images)
    assert "Worst conditions of each model" in parsed.tables


def test_the_provenance_names_what_was_left_out(parsed: Page, rich: vb.Run) -> None:
    assert parsed.tables["Images that were left out"][1][:2] == ["photos", "photos/ape/broken.png"]
    assert f"torch {torch.__version__.split('+')[0]}" in parsed.text
    assert str(rich.folder) in parsed.text
    head, *rows = parsed.tables["Models"]
    assert [row[head.index("precision")] for row in rows] == ["float32"] * 6
    assert all(Path(described["root"]).is_absolute() for described in rich.manifest["data_sets"].values())


def test_names_are_no_markup(page: Path, parsed: Page) -> None:
    text = page.read_text(encoding="utf-8")
    assert EVIL not in text
    assert "<img src=x" not in text
    assert "<i>left" not in text
    assert EVIL in parsed.text
    assert EVIL in parsed.specs["channel"]["views"]
    names = [trace["name"] for trace in parsed.specs["spectral"]["views"][""]["data"]]
    assert not any("<" in name for name in names)  # Plotly would read it as a tag


def test_only_the_scripts_of_the_page_may_run(page: Path, parsed: Page) -> None:
    assert "default-src 'none'" in parsed.policy
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=[\"']?(https?:)?//", text)
    data, *scripts = parsed.scripts
    assert len(scripts) == 2
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in parsed.policy
    assert EVIL.split(">")[0] not in data


def test_one_model_and_one_probe(make_study: Callable[..., vb.Study], tmp_path: Path) -> None:
    study = make_study(models=[("only", network(0))], probes=[vb.Accuracy()])
    parsed = Page(study.run(tmp_path / "run", progress=False).report(tmp_path / "page/report.html"))
    assert parsed.sections == ["summary", "generalization", "worst", "stimuli", "provenance"]
    assert "needs a probe of a bias, two models with numbers" in parsed.text
    assert parsed.specs == {}


def test_one_model_under_every_probe(make_study: Callable[..., vb.Study], tmp_path: Path) -> None:
    study = make_study(models=[("only", network(0))])
    parsed = Page(study.run(tmp_path / "run", progress=False).report(tmp_path / "report.html"))
    assert [name for name in EVERY_SECTION if name in parsed.sections] == [
        name for name in EVERY_SECTION if name not in ("scatter", "correlations", "verdict")
    ]
    assert list(parsed.specs["channel"]["views"]) == ["only"]
    assert parsed.tables["Worst conditions of each model"][1][0] == "only"


def test_forty_eight_models(make_study: Callable[..., vb.Study], tmp_path: Path) -> None:
    models = [(f"m{i:02d}", network(i)) for i in range(48)]
    study = make_study(models=models, probes=[vb.Accuracy(), vb.SpectralBias(cutoffs=(0.1, 0.5))])
    kinds = pd.DataFrame({"model": [name for name, _ in models], "category": ["even", "odd"] * 24})
    parsed = Page(study.run(tmp_path / "run", progress=False).report(tmp_path / "report.html", columns=kinds))
    traces = parsed.specs["spectral"]["views"][""]["data"]
    looks = {(trace["marker"]["color"], trace["marker"]["symbol"]) for trace in traces}
    assert len(looks) == 48
    assert [trace["name"] for trace in parsed.specs["scatter"]["views"][""]["data"]] == ["even", "odd"]
    assert "too few" not in parsed.text


def test_a_sign_that_one_category_makes_is_told(make_study: Callable[..., vb.Study], tmp_path: Path) -> None:
    models = [(f"m{i:02d}", network(i)) for i in range(24)]
    run = make_study(models=models, probes=[vb.Accuracy(), vb.SpectralBias(cutoffs=(0.1, 0.5))])
    run = run.run(tmp_path / "run", progress=False)
    rank = run.summary()["lpp"].rank(method="first")
    most = rank > 12  # the models with the most bias have the most clicks; among the others it is the other way
    own = pd.DataFrame({"model": run.model_ids, "category": most.map({True: "most", False: "least"})})
    own["clicks"] = np.where(most, rank, -rank)
    parsed = Page(run.report(tmp_path / "report.html", columns=own))
    assert "but the other way without most" in parsed.text


def test_columns_of_ones_own_are_benchmarks(rich: vb.Run, tmp_path: Path) -> None:
    table = pd.DataFrame({"model": rich.model_ids, "clicks": range(6), "clicks_low": -1.0, "clicks_high": 9.0})
    table.to_csv(tmp_path / "kpi.csv", index=False)
    parsed = Page(rich.report(tmp_path / "report.html", columns=tmp_path / "kpi.csv"))
    assert parsed.specs["scatter"]["axes"]["y"]["names"] == ["top1", "clicks"]
    assert parsed.specs["scatter"]["axes"]["low"]["clicks"] == [-1.0] * 6
    head, *rows = parsed.tables["All models"][:7]
    assert [float(row[head.index("clicks")]) for row in rows] == [0, 1, 2, 3, 4, 5]
    assert re.search(r"The groups are .*own: clicks", parsed.text)
    with pytest.raises(vb.DataError, match="not in the table"):
        rich.report(tmp_path / "other.html", columns=table.assign(model=list("abcdef")))
    assert not (tmp_path / "other.html").exists()


def test_columns_of_ones_own_are_biases_where_named(rich: vb.Run, summary: pd.DataFrame, tmp_path: Path) -> None:
    own = pd.DataFrame({"model": rich.model_ids, "clicks": range(6), "price": [4, 2, 9, 1, 8, 3]})
    parsed = Page(rich.report(tmp_path / "report.html", columns=own, features=["price"]))
    axes, heat = parsed.specs["scatter"]["axes"], parsed.specs["correlations"]["views"][""]["data"][0]
    assert axes["x"]["names"] == heat["y"] == [*rich.biases, "price"]
    assert axes["y"]["names"] == heat["x"] == ["top1", "clicks"]
    assert axes["columns"]["price"] == own["price"].tolist()
    table = summary.merge(own, on="model")
    found = vb.correlate(table, ["price"], ["top1", "clicks"], methods=["spearman"])
    np.testing.assert_allclose(heat["z"][-1], found["rho"], rtol=1e-12)
    head, *rows = parsed.tables["Correlations over models"]
    assert {row[head.index("bias")] for row in rows} == {*rich.biases, "price"}
    everything = Page(rich.report(tmp_path / "all.html", columns=own, features=("clicks", "price")))
    assert everything.specs["scatter"]["axes"]["y"]["names"] == ["top1"]


def test_features_are_columns_of_ones_own(rich: vb.Run, summary: pd.DataFrame, tmp_path: Path) -> None:
    own = pd.DataFrame({"model": rich.model_ids, "clicks": range(6), "price": range(6), "category": list("aabbcc")})
    for columns, features, message in (
        (own, ["cost", "price"], "numbers in columns=, got cost; there are clicks, price"),
        (own, ["category"], "got category; there are clicks, price"),
        (own, ["shape_bias"], "got shape_bias; there are clicks, price"),
        (own, "price", "features must be a list of names, got 'price'"),
        (own, 5, "features must be a list of names, got 5"),
        (None, ["price"], "got price; there are none"),
    ):
        for write in (rich.report, rich.figures):
            with pytest.raises(vb.DataError, match=message):
                write(tmp_path / "new", columns=columns, features=features, summary=summary)  # type: ignore[operator]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("place", ["", ".", "/", "{}"])
def test_a_page_needs_the_name_of_a_file(partial_run: vb.Run, tmp_path: Path, place: str) -> None:
    with pytest.raises(
        vb.RunError, match=r"cannot write the report .*; wanted the name of a file, such as report.html"
    ):
        partial_run.report(place.format(tmp_path))


def test_sets_that_are_partial_are_named_in_captions_and_figures(partial_run: vb.Run, tmp_path: Path) -> None:
    parsed = Page(partial_run.report(tmp_path / "report.html"))
    own = "partial: ImageNet-V2 matched-frequency (10 of 10,000 images)"
    sketch = "partial: ImageNet-Sketch (10 of 50,889 images)"
    corrupted = "partial: ImageNet-C (475 of 4,750,000 images)"
    everything = f"{own}; {sketch}; {corrupted}"
    assert {
        f"All models; {everything}",
        f"Accuracy on clean and on filtered images; {own}",
        f"Accuracy by noise and band; {own}",
        f"Biases and benchmarks; {own}; {corrupted}; {sketch}",
        f"Correlations over models; {own}; {corrupted}; {sketch}",
    } <= set(parsed.tables)
    assert any(caption.startswith("Worst conditions of each model; partial: ") for caption in parsed.tables)
    for name in ("spectral", "channel"):
        assert parsed.specs[name]["layout"]["title"]["text"].count("partial: ") == 1
        assert own in parsed.specs[name]["layout"]["title"]["text"]
    assert parsed.specs["correlations"]["layout"]["title"]["text"].count("partial: ") == 3
    stamps = parsed.specs["scatter"]["axes"]["stamps"]
    assert sketch in stamps["sketch[partial]"]
    assert corrupted in stamps["imagenet_c_19[partial]"]
    assert own in stamps["top1"]
    assert own in stamps["spectral_bias"]


def test_figures_of_a_part_of_the_published_cue_conflict_set_are_stamped(
    make_study: Callable[..., vb.Study], images: Any, tmp_path: Path
) -> None:
    """Which is behind the shape bias alone."""
    cues = vb.CueConflictFolder(images.cues, official=True, allow_partial=True)
    study = make_study(probes=[vb.Accuracy(), vb.SpectralBias(cutoffs=(0.1, 0.5)), vb.ShapeBias(cues)])
    parsed = Page(study.run(tmp_path / "run", progress=False).report(tmp_path / "report.html"))
    stamp = "partial: cues (12 of 1,280 images)"
    assert f"Shape bias by category of the shape; {stamp}" in parsed.tables
    assert "Accuracy on clean and on filtered images" in parsed.tables
    for name in ("shape", "correlations"):
        assert stamp in parsed.specs[name]["layout"]["title"]["text"]
    assert "title" not in parsed.specs["spectral"]["layout"]
    assert [name for name, text in parsed.specs["scatter"]["axes"]["stamps"].items() if stamp in text] == ["shape_bias"]


def test_whole_sets_have_no_stamp(parsed: Page) -> None:
    assert "partial:" not in parsed.text
    assert all("title" not in spec["layout"] for spec in parsed.specs.values())
    assert parsed.specs["scatter"]["axes"]["stamps"] == {}


def test_the_page_says_that_a_lower_mce_is_better(partial_run: vb.Run, rich: vb.Run, tmp_path: Path) -> None:
    parsed = Page(partial_run.report(tmp_path / "report.html"))
    assert "Of imagenet_c_mce[partial] lower is better." in parsed.text
    errors = pd.DataFrame({"model": rich.model_ids, "imagenet_c_mce": range(6)})
    parsed = Page(rich.report(tmp_path / "report.html", columns=errors))
    assert parsed.text.count("Of imagenet_c_mce lower is better: a positive ρ is worse generalization.") == 3


@pytest.mark.parametrize("n", [2, 4])
def test_few_models_are_told(make_study: Callable[..., vb.Study], tmp_path: Path, n: int) -> None:
    study = make_study(models=[(f"m{i}", network(i)) for i in range(n)], probes=[vb.Accuracy(), vb.SpectralBias()])
    parsed = Page(study.run(tmp_path / "run", progress=False).report(tmp_path / "report.html"))
    reason = f"n = {n}; p and interval need 5 models"
    assert any(reason in title for title in parsed.specs["scatter"]["axes"]["titles"]["top1"].values())
    assert "at least 5 models wanted for" in parsed.text
    assert f"cannot be said: too few models, {n} of at least 5." in parsed.text
    assert "p = " not in "".join(parsed.specs["scatter"]["axes"]["titles"]["top1"].values())


def test_constant_and_missing_columns_are_told(rich: vb.Run, tmp_path: Path) -> None:
    own = pd.DataFrame({"model": rich.model_ids, "flat": [3] * 6, "gaps": [1, 2, np.nan, np.nan, 5, np.nan]})
    parsed = Page(rich.report(tmp_path / "report.html", columns=own))
    titles = parsed.specs["scatter"]["axes"]["titles"]
    assert titles["flat"]["shape_bias"] == "no ρ: a column is constant"
    assert "(n = 3; p and interval need 5 models), n = 3" in titles["gaps"]["shape_bias"]
    assert "too little differs between models for" in parsed.text
    assert "–" in parsed.specs["correlations"]["views"][""]["data"][0]["text"][0]


def test_an_unfinished_run(make_study: Callable[..., vb.Study], tmp_path: Path) -> None:
    models = [("first", network(0)), ("second", network(1))]
    run = make_study(models=models).run(tmp_path / "run", shard=(0, 2), progress=False)
    parsed = Page(run.report(tmp_path / "report.html"))
    done, total = run.progress()
    assert f"{done:,} of {total:,} forward passes are done" in parsed.text
    assert parsed.sections == EVERY_SECTION
    head, *rows = parsed.tables["All models"][:3]
    assert [row[head.index("status")] for row in rows] == ["incomplete"] * 2
    assert [float(row[head.index("top1")]) for row in rows] == run.summary()["top1"].tolist()
    assert "There is nothing to compare" in parsed.text


def test_a_run_that_has_just_begun(rich: vb.Run, tmp_path: Path) -> None:
    folder = shutil.copytree(rich.folder, tmp_path / "run")
    shutil.rmtree(folder / "records")
    shutil.rmtree(folder / "gallery")
    parsed = Page(vb.open_run(folder).report(tmp_path / "report.html"))
    assert "0 of" in parsed.text
    assert "This run has kept no pictures of its stimuli." in parsed.text
    assert parsed.specs == {}


def test_models_that_fail_are_told(make_study: Callable[..., vb.Study], tmp_path: Path) -> None:
    def broken(x: torch.Tensor) -> torch.Tensor:
        if float(x.abs().max()) < 3:  # normalized pixels, not the noise that it is tried on
            raise ValueError("it <b>broke</b>")
        return torch.zeros(len(x), 3)

    study = make_study(models=[("broken", broken), ("whole", network(0))], probes=[vb.Accuracy()])
    with pytest.raises(vb.RunError, match="1 of 2 models failed"):
        study.run(tmp_path / "run", progress=False)
    page = vb.open_run(tmp_path / "run").report(tmp_path / "report.html")
    parsed = Page(page)
    assert parsed.tables["Models that failed"][1][0] == "broken"
    assert "it <b>broke</b>" in parsed.text
    assert "<b>broke" not in page.read_text(encoding="utf-8")
    assert [row[0] for row in parsed.tables["All models"][1:]] == ["broken", "whole"]


def test_images_that_are_gone_are_named(rich: vb.Run, tmp_path: Path) -> None:
    folder = shutil.copytree(rich.folder, tmp_path / "run")

    def move(manifest: dict[str, Any]) -> None:
        for described in manifest["data_sets"].values():
            described["root"] = str(tmp_path / "gone")

    change_manifest(folder, move)
    parsed = Page(vb.open_run(folder).report(tmp_path / "report.html"))
    assert "Unchanged images of the worst" in parsed.text
    assert not any(alt.endswith(".png") for alt in parsed.images)
    assert re.search(r"photos/\w+/\d+\.png, photos/", parsed.text)


def test_a_pipe_in_the_place_of_an_image_holds_nothing_up(rich: vb.Run, tmp_path: Path) -> None:
    folder = shutil.copytree(rich.folder, tmp_path / "run")
    worst = vb.analysis.failures(folder, against="others").query("kind != 'condition'").iloc[0]
    path = str(vb.analysis.slice_samples(folder, worst).query("~correct")["path"].iloc[0])
    images = shutil.copytree(rich.manifest["data_sets"][worst["data"]]["root"], tmp_path / "images")
    change_manifest(folder, lambda manifest: manifest["data_sets"][worst["data"]].update(root=str(images)))
    (images / path).unlink()
    os.mkfifo(images / path)
    assert path not in Page(vb.open_run(folder).report(tmp_path / "report.html")).images


def test_a_damaged_gallery_is_an_error_with_a_fix(rich: vb.Run, tmp_path: Path) -> None:
    folder = shutil.copytree(rich.folder, tmp_path / "run")
    (folder / "gallery/photos.parquet").write_bytes(b"PAR1")
    with pytest.raises(vb.RunError, match="delete it, the run does not need it"):
        vb.open_run(folder).report(tmp_path / "report.html")


def test_a_summary_must_be_of_this_run(rich: vb.Run, summary: pd.DataFrame, tmp_path: Path) -> None:
    for other in (summary.iloc[:2], summary.set_index("model"), pd.DataFrame(), 5):
        with pytest.raises(vb.RunError, match=r"summary: wanted what run.summary\(\) of"):
            rich.report(tmp_path / "report.html", summary=other)  # type: ignore[arg-type]


def test_a_page_that_cannot_be_written(rich: vb.Run, tmp_path: Path) -> None:
    with pytest.raises(vb.RunError, match=r"wanted the name of a file, such as report\.html"):
        rich.report(tmp_path)


def test_numbers_of_ones_own_stand_beside_ones_own_sets(
    make_study: Callable[..., vb.Study], images: Any, tmp_path: Path
) -> None:
    night = vb.CsvManifest(images.data.root / "photos.csv", name="night")
    probes = [vb.Accuracy(), vb.SpectralBias(), vb.Generalization(own=[night])]
    run = make_study(probes=probes, max_bad=2).run(tmp_path / "run", progress=False)
    names = run.summary()["model"]
    kpi = pd.DataFrame({"model": names, "clicks": [*map(float, range(len(names) - 1)), pd.NA]})
    parsed = Page(run.report(tmp_path / "report.html", columns=kpi))
    head, *rows = parsed.tables["Correlations over models"]
    judged = {row[head.index("benchmark")] for row in rows}
    assert {"night", "clicks"} <= judged
    with pytest.raises(vb.DataError, match="owner"):
        run.report(tmp_path / "text.html", columns=kpi.drop(columns="clicks").assign(owner="me"))


def test_a_set_cannot_take_the_name_of_a_number(summary: pd.DataFrame, images: Any) -> None:
    def is_taken(name: str) -> bool:
        try:
            vb.Generalization(own=[vb.CsvManifest(images.data.root / "photos.csv", name=name)])
        except vb.RunError as error:
            return "is taken" in str(error)
        return False

    names = [name for name in summary.columns if "[" not in name and not name.endswith(("_low", "_high", "_n"))]
    assert len(names) > 20
    assert [name for name in names if not is_taken(name)] == []
