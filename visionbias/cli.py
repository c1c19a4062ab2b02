# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line: `visionbias demo | run | plan | report | models | selftest`."""

import sys
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

import visionbias
from visionbias.errors import VisionBiasError

if TYPE_CHECKING:
    from visionbias.demo.calibration import Check


class _Interruptible(TyperGroup):
    """The commands; Ctrl-C ends each with one line and the exit code that shells expect of it."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the command line."""
        try:
            return super().make_context(*args, **kwargs)
        except KeyboardInterrupt:
            raise _interrupted() from None

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            goes_on = ctx.invoked_subcommand in ("run", "demo", "selftest")  # selftest runs the demo
            more = "; what was finished is kept, and the same command goes on from there" if goes_on else ""
            raise _interrupted(more) from None


def _interrupted(more: str = "") -> typer.Exit:
    typer.echo(f"interrupted{more}", err=True)
    return typer.Exit(130)


app = typer.Typer(
    cls=_Interruptible,
    help="Measure what image classifiers see, how they generalize, and whether the one explains the other.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"visionbias {visionbias.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


class Format(StrEnum):
    """How a summary is printed, or a figure is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    SVG = "svg"
    PNG = "png"


StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.toml", help="Study file.")]
Progress = Annotated[bool | None, typer.Option(help="Progress bar; default: on a terminal.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, or the study's benchmark.csv.")]

_MARKS = {True: "ok  ", False: "FAIL", None: "--  "}  # of a check


@app.command()
def demo(
    out: Annotated[Path | None, typer.Option(help="Run folder; default: in the cache folder.")] = None,
    progress: Progress = None,
) -> None:
    """Train small networks with known biases and measure them: a whole study in minutes, without a download."""
    from visionbias.analysis import correlate, verdict
    from visionbias.demo import run_demo
    from visionbias.demo.calibration import check_calibration
    from visionbias.demo.legend import COLUMNS
    from visionbias.demo.recipes import RECIPES
    from visionbias.report.text import summary_table

    typer.echo(f"measuring {len(RECIPES)} small networks; those not in the cache yet are trained first", err=True)
    finished = run_demo(out, progress=progress)
    summary = finished.summary()
    typer.echo("Networks, each named by its recipe:")
    _list({recipe.name: recipe.effect for recipe in RECIPES.values()})
    typer.echo("\nWhat was measured; accuracies and biases from 0 to 1, each with its 95 % interval:\n")
    typer.echo(summary_table(summary))
    typer.echo()
    _list(COLUMNS)
    typer.echo(f"\nRun folder: {finished.folder}")
    typer.echo("What the recipes promise, and what was measured (95 % intervals must not overlap):")
    _show(check_calibration(summary))
    benchmarks = [name for names in finished.benchmarks.values() for name in names]
    typer.echo("\nWhether a bias predicts the benchmarks (Spearman, over the networks):")
    _list({group: ", ".join(names) for group, names in finished.benchmarks.items()})
    typer.echo(str(verdict(correlate(summary, finished.biases, benchmarks, methods=["spearman"]), finished.benchmarks)))
    typer.echo(f"\nReport: {finished.report(finished.folder / 'report.html', summary=summary)}")


@app.command()
def run(
    study: StudyFile,
    out: Annotated[Path, typer.Option(help="Run folder; holds a part of the same study, or is new.")],
    shard: Annotated[str, typer.Option(metavar="i/n", help="Do the i-th of n parts, 0 <= i < n.")] = "0/1",
    progress: Progress = None,
) -> None:
    """Run a study, or go on with it where it stopped."""
    from visionbias.engine.study_file import read_study

    read_study(study).run(out, shard=_parse_shard(shard), progress=progress)
    report(out)


@app.command()
def plan(
    study: StudyFile,
    out: Annotated[Path | None, typer.Option(help="Run folder, to count what is done already.")] = None,
) -> None:
    """Say how much work a study is and how long it takes here; write no record."""
    from visionbias.engine.study_file import read_study

    typer.echo(str(read_study(study).plan(out)))


@app.command()
def report(
    run: RunFolder,
    html: Annotated[Path | None, typer.Option(help="Write a page with figures instead, such as report.html.")] = None,
    format_: Annotated[
        Format | None,
        typer.Option("--format", help="The table, or all columns as CSV or JSON; of --figures SVG or PNG."),
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write each figure as a file; needs Kaleido and Chromium.")
    ] = None,
    columns: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="With --html or --figures: further columns, by the column 'model'."),
    ] = None,
    feature: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="One of --columns that is a bias, not a benchmark; may be repeated."),
    ] = None,
) -> None:
    """Show the summary of a run, finished or not, from its records alone."""
    from visionbias.engine.run import open_run
    from visionbias.engine.table_run import open_table
    from visionbias.report.text import summary_csv, summary_json, summary_table, unfinished

    if figures is not None and format_ not in (None, Format.SVG, Format.PNG):
        raise typer.BadParameter("--figures writes svg or png")
    if figures is None and format_ in (Format.SVG, Format.PNG):
        raise typer.BadParameter(f"--format {format_} goes with --figures")
    if html is not None and figures is None and format_ is not None:
        raise typer.BadParameter("--html writes a page, --format prints; give one of them")
    if html is None and figures is None and columns is not None:
        raise typer.BadParameter("--columns goes with --html or --figures")
    if columns is None and feature:
        raise typer.BadParameter("--feature goes with --columns")
    is_table = run.suffix.lower() == ".csv" or run.is_file()
    opened = open_table(run) if is_table else open_run(run)
    summary = opened.summary()
    if html is not None:
        typer.echo(f"Report: {opened.report(html, columns=columns, features=feature or (), summary=summary)}")
    if figures is not None:
        kind: Literal["svg", "png"] = "png" if format_ is Format.PNG else "svg"
        written = opened.figures(figures, format=kind, columns=columns, features=feature or (), summary=summary)
        typer.echo(f"Figures: {len(written)} in {figures}")
    if html is not None or figures is not None:
        return
    show = {Format.CSV: summary_csv, Format.JSON: summary_json}
    numbers = (*opened.biases, *opened.benchmarks) if is_table else ()  # a published table has no intervals
    table = partial(summary_table, numbers=numbers)
    typer.echo(show.get(format_ or Format.TABLE, table)(summary))
    for told in opened.remarks:
        typer.echo(told, err=format_ not in (None, Format.TABLE))
    done, total = opened.progress()
    if done < total:
        typer.echo(unfinished(done, total), err=format_ not in (None, Format.TABLE))
    failed = summary.loc[summary["status"] == "failed", "model"]
    for model, reason in ((model, opened.failures[model]) for model in failed):
        typer.echo(f"failed: {model}: {reason}", err=True)


@app.command()
def models(
    pattern: Annotated[str, typer.Argument(help="Shell pattern, such as 'timm:resnet50*'.")] = "*resnet50*",
) -> None:
    """List the model names that a study takes, and whether their weights are on this machine."""
    from visionbias.models.catalog import list_models

    found = list_models(pattern)
    for name, category, state in found:
        typer.echo(f"{name:<60} {category:<20} {state}")
    others = "" if pattern == "*" else "; '*' lists all"
    typer.echo(f"names that match {pattern!r}: {len(found)}{others}", err=True)


@app.command()
def selftest() -> None:
    """Check the kernels here against their definitions, and measurements on networks of known bias: some minutes."""
    from visionbias.selftest import run_selftest

    typer.echo("kernels first, then networks of known bias, which are trained where the cache has none", err=True)
    if not _show(run_selftest()):
        typer.echo("some checks failed")
        raise typer.Exit(1)
    typer.echo("all checks passed")


def _show(checks: "Iterable[Check]") -> bool:
    """Print checks as they come; whether none failed."""
    passed = True
    for check in checks:
        passed &= check.passed is not False
        typer.echo(f"{_MARKS[check.passed]} {check.name}: {check.detail}")
    return passed


def _list(meanings: Mapping[str, str]) -> None:
    width = max(map(len, meanings))
    for name, meaning in meanings.items():
        typer.echo(f"  {name:<{width}}  {meaning}")


def _parse_shard(text: str) -> tuple[int, int]:
    try:
        index, count = (int(part) for part in text.split("/"))
    except ValueError:
        raise typer.BadParameter(f"--shard must look like 0/4, got {text!r}") from None
    return index, count


def main() -> None:
    """Entry point: errors of our family are one message, not a traceback."""
    try:
        app()
    except (VisionBiasError, OSError) as error:  # OSError: what is printed cannot be written, as to a full disk
        sys.exit(f"{type(error).__name__}: {error}")
