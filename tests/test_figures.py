"""What README and docs/performance.md state is what the record holds, and what the code counts."""

import io
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib import image
from soaked import all_but

from bench import counted, picture, table
from bench.figure import Figure


@pytest.mark.parametrize("path", table.pages(table.read()), ids=lambda path: path.name)
def test_a_page_has_the_figures_of_the_record(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert table.pages(table.read())[path] == text, "type: python -m bench.table"


@pytest.mark.parametrize("part", all_but({"mesh"}, counted.PARTS))
def test_counted_figures_are_what_the_code_counts(
    part: str, request: pytest.FixtureRequest
) -> None:
    needed = part in ("nmnist", "braille", "fire_lanes")
    data = request.getfixturevalue("shared_data") if needed else Path()
    figures = {figure.name: figure.value for figure in counted.PARTS[part](data)}
    assert figures
    record = table.read()
    recorded = {
        name: record[name]["value"] for name in record if name.startswith(f"counted.{part}.")
    }
    assert recorded == pytest.approx(figures, rel=1e-12), "type: make bench, or its part counted"


def test_every_counted_figure_belongs_to_a_part() -> None:
    names = [name for name in table.read() if name.startswith(table.COUNTED)]
    assert {name.split(".")[1] for name in names} == set(counted.PARTS)


def test_a_figure_that_was_measured_again_replaces_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = table.read()
    record = tmp_path / "record.json"
    record.write_text(table.RECORD.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(table, "RECORD", record)
    table.keep([Figure("mesh.uniform.saturation", 0.123, "", 0.2)])
    new = table.read()
    assert {name for name in old if old[name] != new[name]} == {"mesh.uniform.saturation"}
    assert "| 0.123 |" in table.results(new)
    assert ">= 0.2, missed" in table.page(new)


def test_the_picture_of_the_readme_is_what_the_code_draws() -> None:
    committed = image.imread(picture.PICTURE)
    with picture.PICTURE.open("rb") as file:
        version = f"Matplotlib version{matplotlib.__version__}".encode()
        if version not in file.read(1000):
            pytest.skip("the picture was drawn by another version of Matplotlib")
    drawn = io.BytesIO()
    picture.draw(*picture.run("golden")).savefig(drawn)
    drawn.seek(0)
    assert np.array_equal(image.imread(drawn), committed)
