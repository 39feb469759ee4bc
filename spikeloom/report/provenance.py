"""What a program's file says about how it was made. It may be anything: only text is passed on."""

from collections.abc import Mapping
from typing import Any

COLUMNS = {
    "population": "Population",
    "scale": "Scale",
    "fraction_bits": "Fraction bits",
    "threshold": "Threshold",
    "threshold_integer": "as integer",
    "decay": "Decay",
    "decay_relative_error": "its relative error",
    "weight_rms_error_lsb": "Weight error, LSB rms",
    "weight_relative_error": "relative",
    "sum_headroom_bits": "Headroom of sums, bits",
    "state_headroom_bits": "of potentials, bits",
    "saturations": "Saturated updates",
}
"""Fields of a quantisation report's populations that the page shows, with their headings."""


def texts(about: Mapping[str, Any], name: str) -> list[str]:
    """A list of lines such as "assumptions"; empty where there is none."""
    lines = about.get(name)
    return [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []


def remarks(about: Mapping[str, Any], name: str) -> list[str]:
    """The "notes" or "warnings" of the quantisation."""
    report = about.get("quantisation")
    return texts(report, name) if isinstance(report, dict) else []


def quantised(about: Mapping[str, Any]) -> list[list[str]]:
    """A row for each population, with a text for each of `COLUMNS`; empty without a report."""
    report = about.get("quantisation")
    rows = report.get("populations") if isinstance(report, dict) else None
    if not isinstance(rows, list):
        return []
    return [[_text(row.get(name)) for name in COLUMNS] for row in rows if isinstance(row, dict)]


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)
