"""The mesh in RTL and the cycle-level golden model, compared in every clock."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from spikeloom.golden.cycle.mesh import MeshModel, mesh_probe
from spikeloom.golden.spec import FabricConfig
from spikeloom.sim.traffic.player import BLOCK, Outcome, Player
from spikeloom.sim.traffic.stimuli import Stimuli


@dataclass(frozen=True)
class Difference:
    """The first signal that differs.

    Parameters
    ----------
    clock
        Clock 0 is the first after the route tables were loaded.
    signal
        Its name in `golden.cycle.mesh.mesh_probe`.
    expected, got
        Its value in the golden model, and in the RTL.
    """

    clock: int
    signal: str
    expected: int
    got: int

    def __str__(self) -> str:
        return f"clock {self.clock}: {self.signal} is {self.got:#x}, expected {self.expected:#x}"


def golden_clocks(stimuli: Stimuli) -> Iterator[tuple[list[int | None], list[bool], int]]:
    """What the golden model is given and does, clock by clock, endlessly.

    The packets that the sources offer, which sinks are ready, and the probe word.
    """
    config = stimuli.config
    model = MeshModel(config, trace=True)
    for tile, rows in enumerate(stimuli.tables):
        for route, row in enumerate(rows):
            model.write(tile, route, row)
    births, packets = stimuli.births.tolist(), stimuli.packets.tolist()
    *following, end = stimuli.starts.tolist()
    ends = [*following[1:], end]
    listening = [
        [bool(bits >> tile & 1) for tile in range(config.tiles)]
        for bits in stimuli.listening.tolist()
    ]
    for clock in itertools.count():
        offers = [
            packets[n] if n != stop and births[n] <= clock else None
            for n, stop in zip(following, ends, strict=True)
        ]
        ready = listening[clock % len(listening)]
        yield offers, ready, model.clock(offers[:-1], ready, offers[-1])
        for source, taken in enumerate((*model.taken, model.host_taken)):
            following[source] += taken


def check(stimuli: Stimuli, *, text: str | None = None) -> tuple[Outcome, Difference | None]:
    """Play `stimuli` to RTL and golden model, up to the first clock on which they differ.

    Every `mesh_probe` word is compared: `valid`, `ready` and `payload` of every link, from and to
    the tiles and the host, and the counters of dropped packets. `text` as for `Player`.
    """
    player = Player(stimuli, text)
    expected = golden_clocks(stimuli)
    clock = 0
    while not player.over:
        for row in player.play(BLOCK, trace=True):
            *_, probe = next(expected)
            if row.tobytes() != probe.to_bytes(row.nbytes, "little"):
                got = int.from_bytes(row.tobytes(), "little")
                return player.outcome(), _difference(stimuli.config, clock, probe, got)
            clock += 1
    return player.outcome(), None


def _difference(config: FabricConfig, clock: int, expected: int, got: int) -> Difference:
    layout = mesh_probe(config)
    wanted, seen = layout.unpack(expected), layout.unpack(got)
    signal = next(name for name in wanted if wanted[name] != seen[name])
    return Difference(clock, signal, wanted[signal], seen[signal])
