"""Joins contents, plots and template to one page, and writes it with its JSON file."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from bokeh.embed import components
from bokeh.model import Model
from bokeh.resources import Resources

from spikeloom.files import write_files
from spikeloom.golden.cycle.split import PARTS
from spikeloom.program import Program
from spikeloom.report import figures, provenance, tables, timing
from spikeloom.report.diagram import diagram
from spikeloom.report.packing import packed
from spikeloom.report.receptive_fields import drawn
from spikeloom.report.records import Contents

SECTIONS = {
    "overview": "Overview",
    "accuracy": "Accuracy",
    "network": "Network",
    "assumptions": "Assumptions",
    "learning": "Learning",
    "activity": "Spikes",
    "potentials": "Potentials",
    "divergence": "First divergence",
    "clocks": "Clocks",
    "mapping": "Mapping",
    "board": "Board",
    "metrics": "NeuroBench",
}
"""Sections of the page, with their names in the navigation."""

MEANINGS = {
    "integrate": "adds synapses",
    "stall": "synapses wait for neurons that are read",
    "fire": "updates neurons and sends spikes while no synapse is added",
    "barrier": "waits: for events, other tiles or the host",
}


def write_page(path: Path, program: Program, contents: Contents) -> Path:
    """Write the page to `path`, and its figures as JSON beside it, both or neither.

    Returns
    -------
    Path
        The JSON file: `path` with the suffix .json.

    Raises
    ------
    SpikeloomError
        They cannot be written.
    """
    beside = path.with_suffix(".json")
    text = json.dumps(summary(contents), indent=2) + "\n"
    write_files({path: page(program, contents).encode(), beside: text.encode()})
    return beside


def summary(contents: Contents) -> dict[str, Any]:
    """The figures of a page as JSON values; those of NeuroBench have its names."""
    answers = contents.answers
    metrics = dict(contents.metrics)
    if answers is not None:
        metrics["classification_accuracy"] = answers.accuracies["golden"]
    sums = contents.clocks.sum(axis=(0, 1, 2))
    return {
        "title": contents.title,
        **dataclasses.asdict(contents.verdict),
        "accuracy": None if answers is None else dict(answers.accuracies),
        "clocks_by_part": dict(zip(PARTS, map(int, sums), strict=True)),
        "neurobench": metrics,
    }


def page(program: Program, contents: Contents) -> str:
    """The page, in HTML."""
    loader = jinja2.PackageLoader("spikeloom.report")
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script, plots = components(_plots(program, contents))
    rasters = [plots[f"raster-{n}"] for n in range(len(contents.rasters))]
    values = {
        "c": contents,
        "style": loader.get_source(environment, "style.css")[0],
        "script": loader.get_source(environment, "page.js")[0],
        "bokeh": Resources("inline", components=["bokeh"]).render_js(),
        "plots_script": script,
        "rasters": list(zip(contents.rasters, rasters, strict=True)),
        "trace": plots["trace"],
        "clocks": plots["clocks"],
        "tiles": plots.get("tiles"),
        "data": packed(contents),
        "diagram": diagram(program.network),
        "parts": list(MEANINGS.items()),
        "version": version("spikeloom"),
        "shade": lambda count, row: round(100 * count / max(1, sum(row))),
        "wave": None if contents.divergence is None else timing.drawing(contents.divergence),
        "learning": [drawn(learned) for learned in contents.learning],
        "sections": _sections(contents),
        **_about(program.about),
        **tables.values(program, contents),
    }
    return environment.get_template("page.html").render(values)


def _plots(program: Program, contents: Contents) -> dict[str, Model]:
    steps = contents.rasters[0].golden.shape[1]
    plots: dict[str, Model] = {
        f"raster-{n}": plot for n, plot in enumerate(figures.rasters(contents.rasters, steps))
    }
    plots |= {"trace": figures.trace(steps), "clocks": figures.clocks(steps)}
    if program.fabric.tiles > 1:
        plots["tiles"] = figures.tiles(program.fabric, program.plan.report)
    return plots


def _sections(contents: Contents) -> Sequence[tuple[str, str]]:
    absent = {
        "accuracy": contents.answers is None,
        "divergence": contents.verdict.first is None,
        "learning": not contents.learning,
        "board": contents.build is None,
    }
    return [(id, name) for id, name in SECTIONS.items() if not absent.get(id)]


def _about(about: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "assumed": provenance.texts(about, "assumptions"),
        "warnings": provenance.texts(about, "warnings") + provenance.remarks(about, "warnings"),
        "notes": provenance.remarks(about, "notes"),
        "quantised": provenance.quantised(about),
        "quantised_headings": list(provenance.COLUMNS.values()),
    }
