# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The page in headless Chromium: what people see and can do."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from report_models import EVIL, NAMES

import visionbias as vb

FIGURES = {  # and what is read where the mouse is on one of their marks
    "spectral": "low-pass 0.1: ",
    "channel": "band 5, noise 0.05: ",
    "shape": "shape bias ",
    "scatter": "top1: ",
    "correlations": ", top1: ρ = ",
}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on the PATH")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])  # root has no other way
        yield browser
        browser.close()


class Opened:
    """A page, and what it complained of or asked for."""

    def __init__(self, browser: Browser, path: Path, **options: object) -> None:
        self.page: Page = browser.new_page(**options)  # type: ignore[arg-type]
        self.page.set_default_timeout(120_000)  # ms; the machine may be busy
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("body[data-drawn]")


@pytest.fixture(scope="module")
def desktop(browser: Browser, page: Path) -> Iterator[Opened]:
    opened = Opened(browser, page, viewport={"width": 1280, "height": 900})
    yield opened
    assert opened.complaints == []
    assert [url for url in opened.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    opened.page.close()


def test_the_keyboard_reaches_the_summary_first(desktop: Opened) -> None:
    """Before another test has moved the focus."""
    desktop.page.keyboard.press("Tab")
    assert desktop.page.evaluate("document.activeElement.className") == "skip"
    desktop.page.keyboard.press("Enter")
    assert desktop.page.evaluate("document.activeElement.id") == "summary"


def test_every_figure_is_drawn(desktop: Opened) -> None:
    plots = desktop.page.locator(".plot")
    assert [plots.nth(i).get_attribute("data-figure") for i in range(plots.count())] == list(FIGURES)
    for name in FIGURES:
        drawn = desktop.page.locator(f'.plot[data-figure="{name}"]')
        assert drawn.locator("svg.main-svg").first.bounding_box()["height"] > 200  # type: ignore[index]
        marks = drawn.locator(".scatterlayer .point, .heatmaplayer image")
        assert marks.count() > 0, name


def test_every_section_has_something_to_see(desktop: Opened, tmp_path: Path) -> None:
    sections = desktop.page.locator("main > section")
    for i in range(sections.count()):
        path = tmp_path / f"{sections.nth(i).get_attribute('id')}.png"
        sections.nth(i).screenshot(path=path)
        with Image.open(path) as shot:
            assert len(shot.convert("RGB").getcolors(2**24)) > 20, path.name


def test_names_of_models_are_text_in_a_figure(desktop: Opened) -> None:
    names = desktop.page.locator('.plot[data-figure="scatter"] .textpoint').all_text_contents()
    assert EVIL in names  # as text, not as tags


@pytest.mark.parametrize(("name", "words"), FIGURES.items())
def test_hovering_a_mark_tells_what_it_is(desktop: Opened, name: str, words: str) -> None:
    figure = desktop.page.locator(f'.plot[data-figure="{name}"]')
    figure.locator(".scatterlayer .point, .heatmaplayer image").first.hover(force=True)
    label = figure.locator(".hoverlayer .hovertext").first
    label.wait_for()
    assert words in label.text_content()  # type: ignore[operator]


def test_another_model_is_chosen_by_keyboard(desktop: Opened, rich: vb.Run) -> None:
    """Also where names are whole numbers, which JavaScript puts first."""
    shown = """document.querySelector('.plot[data-figure="channel"]').data[0].z"""
    specs = json.loads(desktop.page.locator("#specs").text_content() or "")
    select = desktop.page.locator('select[data-figure="channel"]')
    select.focus()
    for model in rich.model_ids:
        assert select.input_value() == model
        assert desktop.page.evaluate(shown) == specs["channel"]["views"][model]["data"][0]["z"]
        desktop.page.keyboard.press("ArrowDown")


def test_another_pair_is_chosen(desktop: Opened, summary: pd.DataFrame) -> None:
    desktop.page.select_option('select[data-axis="x"]', "shape_bias")
    plot = """document.querySelector('.plot[data-figure="scatter"]')"""
    assert desktop.page.evaluate(f"{plot}.layout.xaxis.title.text") == "shape_bias"
    assert desktop.page.evaluate(f"{plot}.data[0].x") == summary["shape_bias"].tolist()
    assert "n = 6" in desktop.page.evaluate(f"{plot}.layout.title.text")


def test_an_end_of_an_interval_that_is_missing_is_not_zero(browser: Browser, rich: vb.Run, tmp_path: Path) -> None:
    own = pd.DataFrame({"model": rich.model_ids, "clicks": 5.0, "clicks_low": [None, *[4.0] * 5], "clicks_high": 7.0})
    opened = Opened(browser, rich.report(tmp_path / "report.html", columns=own), viewport=PHONE)
    opened.page.select_option('select[data-axis="y"]', "clicks")
    plot = """document.querySelector('.plot[data-figure="scatter"]')"""
    bars = opened.page.evaluate(f"{plot}.data.map((trace) => [trace.meta, trace.error_y])")
    lengths = {row: minus for rows, bar in bars for row, minus in zip(rows, bar["arrayminus"], strict=True)}
    assert lengths == {0: None} | dict.fromkeys(range(1, 6), 1.0)
    opened.page.close()


def test_headings_sort(desktop: Opened, summary: pd.DataFrame) -> None:
    table = desktop.page.locator("#summary .screen table.sortable")
    heading = table.get_by_role("button", name="top1", exact=True)
    for rising, order in ((True, "ascending"), (False, "descending")):
        heading.click()
        assert table.locator("[aria-sort]").get_attribute("aria-sort") == order
        column = [float(row.split(" ")[0]) for row in table.locator("tbody tr td:nth-child(3)").all_text_contents()]
        assert column == [round(value, 3) for value in sorted(summary["top1"], reverse=not rising)]


def test_figures_of_partial_sets_are_stamped(browser: Browser, partial_run: vb.Run, tmp_path: Path) -> None:
    """On screens of any width and on paper, within the figure."""
    page = partial_run.report(tmp_path / "report.html")
    for viewport in ({"width": 1280, "height": 900}, PHONE):
        opened = Opened(browser, page, viewport=viewport)
        for medium in ("screen", "print"):
            opened.page.emulate_media(media=medium)  # type: ignore[arg-type]
            for name, words in {
                "spectral": ["ImageNet-V2 matched-frequency (10 of 10,000 images)"],
                "channel": ["ImageNet-V2 matched-frequency (10 of 10,000 images)"],
                "correlations": ["ImageNet-V2 matched-frequency (10 of 10,000 images)", "ImageNet-C (475 of 4,750,000"],
            }.items():
                title = opened.page.locator(f'.plot[data-figure="{name}"] .gtitle')
                for word in words:
                    assert f"partial: {word}" in title.text_content(), (name, medium)  # type: ignore[operator]
                box, plot = title.bounding_box(), opened.page.locator(f'.plot[data-figure="{name}"]').bounding_box()
                assert box is not None
                assert plot is not None
                assert plot["x"] <= box["x"]
                assert box["x"] + box["width"] <= plot["x"] + plot["width"]
                assert plot["y"] <= box["y"]
        opened.page.emulate_media(media="screen")
        title = opened.page.locator('.plot[data-figure="scatter"] .gtitle')
        opened.page.select_option('select[data-axis="y"]', "sketch[partial]")
        assert "partial: ImageNet-Sketch (10 of 50,889 images)" in title.text_content()  # type: ignore[operator]
        opened.page.select_option('select[data-axis="y"]', "imagenet_c_19[partial]")
        assert "partial: ImageNet-C (475" in title.text_content()  # type: ignore[operator]
        assert "Sketch" not in title.text_content()  # type: ignore[operator]
        opened.page.screenshot(path=tmp_path / "stamps.png", full_page=True)
        assert opened.complaints == []
        opened.page.close()


def test_names_and_numbers_stand_in_figures_where_there_is_room(browser: Browser, page: Path, desktop: Opened) -> None:
    traces = """(name) => document.querySelector(`.plot[data-figure="${name}"]`).data"""
    shown = f"(name) => ({traces})(name).map((trace) => trace.texttemplate ?? trace.mode)"
    assert set(desktop.page.evaluate(shown, "scatter")) == {"markers+text"}
    assert desktop.page.evaluate(shown, "correlations") == ["%{text}"]
    opened = Opened(browser, page, viewport=PHONE)
    assert set(opened.page.evaluate(shown, "scatter")) == {"markers"}
    columns = opened.page.evaluate(f"({traces})('correlations')[0].x.length")
    assert opened.page.evaluate(shown, "correlations") == ["" if columns > 8 else "%{text}"]
    opened.page.close()


def test_names_are_no_code(desktop: Opened) -> None:
    assert "visionbias" in desktop.page.title()
    assert desktop.page.locator('img[src="x"], main b, main i').count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_need_not_scroll_sideways(browser: Browser, page: Path, tmp_path: Path, scheme: str) -> None:
    opened = Opened(browser, page, viewport=PHONE, color_scheme=scheme)
    assert opened.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    for name in FIGURES:
        box = opened.page.locator(f'.plot[data-figure="{name}"] svg.main-svg').first.bounding_box()
        assert box is not None
        assert 300 < box["width"] <= PHONE["width"]
    ink = opened.page.evaluate("""document.querySelector('.plot').layout.font.color""")
    assert (ink == "#e6e9ec") == (scheme == "dark")
    opened.page.screenshot(path=tmp_path / "phone.png", full_page=True)
    assert opened.complaints == []
    opened.page.close()


def test_print_has_figures_of_the_width_of_the_page(browser: Browser, page: Path, tmp_path: Path) -> None:
    opened = Opened(browser, page, viewport={"width": 1280, "height": 900}, color_scheme="dark")
    opened.page.evaluate(
        """addEventListener("beforeprint", () => {
          document.body.dataset.widths = [...document.querySelectorAll(".plot")].map((plot) => plot.layout.width);
          document.body.dataset.ink = document.querySelector(".plot").layout.font.color;
        })"""
    )
    path = tmp_path / "report.pdf"
    opened.page.pdf(path=path, format="A4", print_background=True)
    assert path.read_bytes().startswith(b"%PDF")
    assert opened.page.evaluate("document.body.dataset.widths") == ",".join(["660"] * len(FIGURES))
    assert opened.page.evaluate("document.body.dataset.ink") == "#1b1f24"  # paper is white
    assert opened.complaints == []
    opened.page.close()
