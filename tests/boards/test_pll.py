"""Settings of PLLs against the arithmetic of their registers, and against the vendors' limits."""

import math
from fractions import Fraction

import pytest

from spikeloom.boards.pll import MHZ, Setting, setting
from spikeloom.boards.registry import boards
from spikeloom.golden.errors import SpikeloomError

SOURCES = {"ice40": (12, 16, 48), "ecp5": (12, 25, 48), "gowin": (27,)}


def by_registers(family: str, source: float, chosen: Setting) -> float:
    """The output frequency by the data sheet's formula, from the register values."""
    if family == "ice40":
        divr, divf, divq = chosen.reference - 1, chosen.feedback - 1, math.log2(chosen.output)
        return source * (divf + 1) / (2**divq * (divr + 1))
    return source * chosen.feedback / chosen.reference


@pytest.mark.parametrize("family", SOURCES)
def test_the_formula_of_the_data_sheet_gives_the_frequency(family: str) -> None:
    for source in SOURCES[family]:
        for wanted in (17, 20, 24, 36, 50, 61.5, 75, 100):
            chosen = setting(family, source * MHZ, round(wanted * MHZ))
            assert math.isclose(by_registers(family, source, chosen), chosen.frequency / MHZ)
            assert chosen.frequency <= wanted * MHZ
            assert chosen.detector == Fraction(source * MHZ, chosen.reference)
            assert chosen.oscillator == chosen.frequency * chosen.output


@pytest.mark.parametrize(
    ("family", "source", "wanted", "registers"),
    [
        # Each is the setting that the tool of the open tool chain gives for these frequencies.
        ("ice40", 12, 36, (0, 47, 4)),
        ("ice40", 12, 60, (0, 79, 4)),
        ("ice40", 12, 16.5, (0, 87, 6)),
    ],
)
def test_settings_of_the_field(
    family: str, source: int, wanted: float, registers: tuple[int, int, int]
) -> None:
    chosen = setting(family, source * MHZ, round(wanted * MHZ))
    divq = chosen.output.bit_length() - 1
    assert (chosen.reference - 1, chosen.feedback - 1, divq) == registers


def test_nothing_better_was_missed() -> None:
    """An independent search over the registers of ECP5, in floating point."""
    for wanted in (33.3, 62.5, 77.7, 101):
        best = max(
            25 / i * f
            for i in range(1, 129)
            for f in range(1, 129)
            for o in range(1, 129)
            if 25 / i >= 10 and 400 <= 25 / i * f * o <= 800 and 25 / i * f <= wanted + 1e-9
        )
        assert math.isclose(best, setting("ecp5", 25 * MHZ, round(wanted * MHZ)).frequency / MHZ)


def test_a_clock_that_is_too_slow_is_refused_with_one_that_is_not() -> None:
    with pytest.raises(
        SpikeloomError, match=r"make 5 MHz .* from 12 MHz: ask for 16\.125 MHz or more"
    ):
        setting("ice40", 12 * MHZ, 5 * MHZ)


def test_every_board_has_its_clock_exactly() -> None:
    oscillators = {"orangecrab": 48, "tang_nano_9k": 27} | dict.fromkeys(
        ("colorlight_5a75b", "ulx3s_12f", "ulx3s_85f"), 25
    )
    for board in boards().values():
        source = oscillators.get(board.name, 12)
        chosen = setting(board.family.name, source * MHZ, round(board.clock_mhz * MHZ))
        assert chosen.frequency == board.clock_mhz * MHZ
