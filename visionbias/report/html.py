# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A run as one page that needs nothing else: no network, no other file."""

import base64
import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Any

import visionbias
from visionbias.errors import RunError
from visionbias.report.blocks import Figure, Section
from visionbias.report.contents import Contents
from visionbias.report.sections.biases_and_benchmarks import BiasesAndBenchmarks
from visionbias.report.sections.channel import channel_section
from visionbias.report.sections.gallery import gallery_section
from visionbias.report.sections.provenance import provenance_section
from visionbias.report.sections.shape import shape_section
from visionbias.report.sections.spectral import spectral_section
from visionbias.report.sections.summary import summary_section
from visionbias.report.sections.worst import worst_section
from visionbias.report.text import plain, unfinished
from visionbias.runtime.durable import write_file

_PAGE = files("visionbias.report") / "page"


def html_report(contents: Contents) -> str:
    """The page. Scripts run only if they are the page's own: the browser knows them by their sha256.

    Raises:
        RunError: records or pictures cannot be read.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode("ascii")
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    scripts = [get_plotlyjs(), _read("script.js")]
    sections = sections_of(contents)
    figures = [block for section in sections for block in section.blocks if isinstance(block, Figure)]
    done, total = contents.progress
    return environment.from_string(_read("page.html.j2")).render(
        title=contents.folder.resolve().name,
        version=visionbias.__version__,
        models=len(contents.models),
        data_sets=contents.manifest["data_sets"],
        unfinished=unfinished(done, total) if done < total else "",
        failures=contents.failures,
        sections=sections,
        specs={figure.id: plain(_spec(figure)) for figure in figures},
        style=Markup(_read("style.css")),
        scripts=[Markup(script) for script in scripts],
        hashes=[_sha256(script) for script in scripts],
    )


def write_report(contents: Contents, path: Path) -> Path:
    """Write the page; its folder is made.

    Raises:
        RunError: it cannot be written, or records or pictures cannot be read.
    """
    page = html_report(contents).encode("utf-8", "backslashreplace")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, page)
    except (OSError, ValueError) as error:  # the latter of "" and "."
        reason = (error.strerror or error) if isinstance(error, OSError) else "that is no file name"
        raise RunError(
            f"cannot write the report {path}: {reason}; wanted the name of a file, such as "
            "report.html, in a folder that can be written"
        ) from error
    return path


def sections_of(contents: Contents) -> list[Section]:
    """The sections of the page that the run has something to say in, in order."""
    of_records = (worst_section, gallery_section, provenance_section) if contents.manifest["data_sets"] else ()
    shown = [
        summary_section(contents),
        *(make(contents) for make in (spectral_section, channel_section, shape_section)),
        *BiasesAndBenchmarks(contents).sections(),
        *(make(contents) for make in of_records),
    ]
    return [section for section in shown if section is not None]


def _spec(figure: Figure) -> dict[str, Any]:
    """What script.js reads of a figure."""
    return {key: getattr(figure, key) for key in ("views", "layout", "narrow", "axes")}


def _read(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")


def _sha256(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
