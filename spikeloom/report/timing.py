"""Geometry of a waveform: a lane for each signal, a clock as wide as the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from spikeloom.report.records import Divergence, Packet

CLOCK, LANE, TOP, LEFT = 20, 28, 20, 190
"""Width of a clock, height of a lane, room for clock numbers and for names, in pixels."""

SWING = 16
"""Height of a signal that is 1."""


@dataclass(frozen=True)
class Lane:
    """A signal: its name, its role in the style sheet, its upper edge and its path."""

    name: str
    role: str
    y: int
    path: str


def drawing(divergence: Divergence) -> dict[str, Any]:
    """What the template draws."""
    signals = [("both", signal.name, signal.values) for signal in divergence.signals]
    clocks = len(divergence.signals[0].values)
    for role, name, text in (
        ("golden", "packets, golden model", lambda packet: packet.golden),
        ("rtl", "packets, hardware", lambda packet: packet.rtl),
    ):
        signals.append((role, name, _present(divergence, clocks, text)))
    differing = [n for n, packet in enumerate(divergence.packets) if packet.golden != packet.rtl]
    start = divergence.start
    at = divergence.clock
    height = TOP + LANE * len(signals)
    return {
        "width": LEFT + CLOCK * clocks + 10,
        "height": height,
        "clock_width": CLOCK,
        "cursor": None if at is None else LEFT + CLOCK * (at - start),
        "ticks": [
            (LEFT + CLOCK * n, f"{start + n:,}") for n in range(clocks) if (start + n) % 5 == 0
        ],
        "lanes": [
            Lane(name, role, TOP + LANE * n, _path(values, TOP + LANE * n))
            for n, (role, name, values) in enumerate(signals)
        ],
        "packets": [
            [f"{p.clock:,}", p.golden or "none", p.rtl or "none"] for p in divergence.packets
        ],
        "marked": differing,
        "title": f"Signals from clock {start} to {start + clocks - 1}; "
        + ("no packet differs" if at is None else f"the first difference is in clock {at}"),
        "sentence": "Every packet to the host is equal: the difference lies elsewhere, such as in "
        "a counter."
        if at is None
        else f"The first packet to the host that differs is in clock {at:,}, counted from the "
        "first clock of its chunk of samples.",
    }


def _present(divergence: Divergence, clocks: int, text: Callable[[Packet], str]) -> tuple[int, ...]:
    """Whether there is a packet, in each clock."""
    present = {packet.clock for packet in divergence.packets if text(packet)}
    return tuple(int(divergence.start + n in present) for n in range(clocks))


def _path(values: Sequence[int], y: int) -> str:
    """The SVG path of a signal of one bit."""
    levels = [y + 4 + (0 if value else SWING) for value in values]
    path = f"M{LEFT} {levels[0]}"
    for n, level in enumerate(levels):
        path += f"V{level}H{LEFT + CLOCK * (n + 1)}"
    return path
