"""Memory images written by hand, and the probe of every clock of the model that runs them."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.memory_image import MemoryImage, TileImage
from spikeloom.golden.spec import DECAY_ONE, FabricConfig

Row = Mapping[str, int]
Probe = dict[str, int]

SMALL = FabricConfig(
    lanes=4,
    neurons=8,
    weight_words=16,
    slots=3,
    axons=4,
    populations=4,
    connections=4,
    targets=4,
    queue=4,
)
PLAIN = {"retain": DECAY_ONE, "spiking": 1, "fan_out": 1}
TO_HOST = {"host": 1}


def tile_image(
    config: FabricConfig,
    *,
    weights: Sequence[Sequence[int] | Row] = (),
    biases: Sequence[int | Row] = (),
    populations: Sequence[Row] = (),
    connections: Sequence[Row] = (),
    targets: Sequence[Row] = (),
    routes: Sequence[Row] = (),
    coordinates: Sequence[Row] = (),
    random: Sequence[int] = (),
    rules: Sequence[Row] = (),
    terms: Sequence[Row] = (),
    curves: Sequence[Row] = (),
    learn: Sequence[int] = (),
) -> TileImage:
    """Pack the memories of a tile; weights may be lists of lanes, and biases integers."""
    rows = ({"bias": row} if isinstance(row, int) else row for row in biases)
    lanes = (
        row if isinstance(row, Mapping) else {f"lane{n}": weight for n, weight in enumerate(row)}
        for row in weights
    )
    return TileImage(
        tuple(config.weight_row.pack(row) for row in lanes),
        tuple(config.bias_row.pack(row) for row in rows),
        tuple(config.population_row.pack(row) for row in populations),
        tuple(config.connection_row.pack(row) for row in connections),
        tuple(config.target_row.pack(row) for row in targets),
        tuple(config.route_row.pack(row) for row in routes),
        tuple(config.coordinate_row.pack(row) for row in coordinates),
        random=tuple(random),
        rules=tuple(config.rule_row.pack(row) for row in rules),
        terms=tuple(config.term_row.pack(row) for row in terms),
        curves=tuple(config.curve_row.pack(row) for row in curves),
        learn=tuple(learn),
    )


def fabric_image(
    config: FabricConfig, *tiles: TileImage, last_phase: int = 0, window: int = 0
) -> MemoryImage:
    control = config.control_row.pack({"last_phase": last_phase, "window": window})
    return MemoryImage(config, tiles, control, (), ())


def image(
    config: FabricConfig, *, last_phase: int = 0, window: int = 0, **rows: Sequence[Any]
) -> MemoryImage:
    """The image of a single tile; `rows` as in `tile_image`."""
    tile = tile_image(config, **rows)
    return fabric_image(config, tile, last_phase=last_phase, window=window)


def event(
    config: FabricConfig,
    connection: int = 0,
    index: int = 0,
    ahead: int = 0,
    route: int = 0,
    **position: int,
) -> int:
    fields = {"connection": connection, "index": index, "ahead": ahead, "route": route}
    return config.host_in.pack(fields | position)


def mark(config: FabricConfig, first: int = 0, ahead: int = 0) -> int:
    return config.host_in.pack({"step": 1, "first": first, "ahead": ahead})


def play(
    loaded: MemoryImage,
    words: Iterable[int],
    clocks: int,
    ready: Iterable[bool] = itertools.repeat(True),
    gaps: Iterable[bool] = itertools.repeat(False),
    packets: int | None = None,
) -> list[Probe]:
    """The probe of every clock while `words` are offered in turn, each after its gap.

    The run ends after `clocks`, or after `packets` packets to the host.
    """
    model = CycleModel(loaded.config, trace=True)
    model.load(loaded)
    layout = loaded.config.probe
    waiting = list(words)
    probes = []
    offered = False
    for host_ready, gap in itertools.islice(zip(ready, gaps, strict=False), clocks):
        # An offered word holds until it is taken.
        offered = bool(waiting) and (offered or not gap)
        probe = layout.unpack(model.clock(waiting[0] if offered else None, host_ready))
        probes.append(probe)
        assert model.host_in_taken == bool(probe["host_in.valid"] and probe["host_in.ready"])
        out = probe["host_out.valid"] and probe["host_out.ready"]
        assert model.host_out == (probe["host_out.payload"] if out else None)
        if packets is not None and out:
            packets -= 1
            if packets == 0:
                break
        if model.host_in_taken:
            del waiting[0]
            offered = False
    return probes


def clocks_of(probes: Sequence[Probe], name: str) -> list[int]:
    """The clocks in which `name` is 1."""
    return [clock for clock, probe in enumerate(probes) if probe[name]]


def transfers(probes: Sequence[Probe], stream: str) -> list[int]:
    """The payloads of all transfers of a stream."""
    return [
        probe[f"{stream}.payload"]
        for probe in probes
        if probe[f"{stream}.valid"] and probe[f"{stream}.ready"]
    ]


def sums(config: FabricConfig, probe: Probe, tile: int = 0) -> list[int]:
    """The lanes written to the accumulators of a tile in a clock."""
    return list(config.sum_row.unpack(probe[f"{tile}.sum.data"]).values())


def packets(loaded: MemoryImage, words: Sequence[int]) -> list[dict[str, int]]:
    """The packets of a run, without clocks."""
    model = CycleModel(loaded.config)
    model.load(loaded)
    return [loaded.config.host_out.unpack(packet) for _, packet in model.run(words)]
