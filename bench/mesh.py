"""The mesh: traffic through its RTL alone, and what it costs and brings a network.

Router: five flows cross in a router in the middle, each with a port of its own to come and to go;
the minimum over flows, in packets per clock, in the RTL.

Uniform traffic: on 4x4 with the default buffer, every tile offers packets in a Bernoulli process,
each to one of the 16 tiles, itself included, all alike. Load and throughput are in packets per
clock and tile; latency is in clocks from the birth of a packet, so that it holds the wait before
the mesh, and from its acceptance. At saturation every tile always offers. Points and plot go to
`build/mesh-latency.json` and `.svg`.

Its reference. No publication was found that gives the saturation of dimension-order routing on a
4x4 mesh for single-flit packets and queues this short without virtual channels. So the reference is
what BookSim 2.0 (Jiang et al., A Detailed and Flexible Cycle-Accurate Network-on-Chip Simulator,
ISPASS 2013), the simulator that belongs to the book of Dally and Towles, gives for that: topology =
mesh, k = 4, n = 2, routing_function = dor, num_vcs = 1, packet_size = 1, traffic = uniform,
injection_rate = 0.99, sim_type = throughput, with the fastest router that it has: routing_delay =
0, speculative = 1, credit_delay = 0. It accepts 0.514 flits per clock and node with vc_buf_size =
4, 0.615 with 5, 0.682 with 8, 0.721 with 16. Its credits take 5 clocks around, so 4 entries leave
its links idle at times. Here a hop holds `buffer` = 4 packets and one in the output register, so
the reference is 0.615. The bound by the bisection is 1.0: of 8 tiles half the packets cross
4 links.

Fairness: all 16 tiles send to tile 0 without a pause. The slowest source's throughput,
relative to a sixteenth of all that arrives.

Weak scaling: a network that grows with the tiles: 784 inputs, a layer of 128 neurons per tile,
and 8 neurons per tile that are read out. Both layers are dense, so every packet is for all tiles.
The figure is synaptic operations per clock, divided by the tiles and by the rate of one tile. The
run is compared with the golden model: spikes, states, clocks. An input event is one host word
however many neurons it reaches; with a population per tile it would be one per tile, and the host
would not scale.

Barrier: steps without any event, 16 neurons in each tile. Firing itself is 9 clocks and one for
each neuron of a tile: LOOKUP, SETUP, the fetch and its row, a clock each; after the last neuron has
left the buffer the four stages behind it, and a clock in which DRAIN sees that none is left. What
a step takes beyond that is the barrier: all tiles are seen to be idle, the step is reported, and
the next command reaches all tiles.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure as Plot

from bench.figure import Figure
from spikeloom.compare import compare
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping.routing import route_rows
from spikeloom.program import Program
from spikeloom.sim.traffic.player import Outcome, play
from spikeloom.sim.traffic.score import numbers, received
from spikeloom.sim.traffic.stimuli import Stimuli, draw

BOOKSIM = 0.615
"""Flits per clock and node; see above."""

_OUTPUT = Path("build")
_LOADS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.62, 0.64, 0.7, 0.8, 0.9, 1.0)
_WARM, _CLOCKS = 1900, 7900
"""Clocks before measuring, and clocks in all."""
GRID = {1: (1, 1), 4: (2, 2), 16: (4, 4)}
_INPUTS, _HIDDEN, _OUTPUTS = 784, 128, 8
_ACTIVE = 124 / _INPUTS
"""Input events of an axon and step: as with MNIST."""
_NEURONS = 16
"""Of each tile, where the barrier is measured."""
_FIRING = 9 + _NEURONS
"""Clocks in which fire is at work; see above."""
_STEPS = 50


def measure(_data: Path) -> Iterator[Figure]:
    """Measure; needs no data."""
    config = FabricConfig(columns=4, rows=4)
    yield Figure("mesh.router.packets_per_clock_and_port", _crossing(config), "", 1.0)

    points = [_uniform(config, load) for load in _LOADS]
    _write(points)
    saturation = points[-1]["throughput"]
    yield Figure("mesh.uniform.latency_at_0.05", points[0]["latency"], "clocks")
    yield Figure("mesh.uniform.saturation", saturation, "packets per clock and tile")
    yield Figure(
        "mesh.uniform.saturation_over_booksim",
        saturation / BOOKSIM,
        "",
        0.9,
        reference="BookSim 2.0, dor, 1 VC, 5 flits",
        reference_value=BOOKSIM,
    )

    counts = _all_to_one(config, 0)
    slowest = float(counts.min() / counts.mean())
    yield Figure("mesh.all_to_one.slowest_of_equal_share", slowest, "", 0.8)

    rates = {}
    for tiles in GRID:
        result = compare(*scaled(tiles))
        assert result.rtl.cycles is not None
        rates[tiles] = result.rtl.synops / int(result.rtl.cycles.sum()) / tiles
        yield Figure(
            f"mesh.scaling.mismatches.{tiles}", result.mismatches, "spikes, states, clocks", 0, True
        )
        yield Figure(f"mesh.scaling.synops_per_clock.{tiles}", rates[tiles] * tiles, "")
    for tiles in (4, 16):
        yield Figure(
            f"mesh.scaling.efficiency.{tiles}",
            rates[tiles] / rates[1],
            "of one tile's, per tile",
            0.90,
            reference="one tile, synops per clock",
            reference_value=rates[1],
        )
    for tiles in GRID:
        result = compare(*silent(tiles))
        assert result.mismatches == 0
        assert result.rtl.cycles is not None
        yield Figure(f"mesh.barrier.{tiles}", barrier(result.rtl.cycles), "clocks per step")


# Traffic.


def _stimuli(config: FabricConfig, choices: list[list[int]], load: float, packets: int) -> Stimuli:
    """Unicast; for each tile the tiles that it sends to. Every sink always listens."""
    routes = [frozenset({tile}) for tile in range(config.tiles)]
    rows = route_rows(config, routes)
    return draw(
        config, routes, rows, [*choices, []], packets=packets, load=load, listening=1.0, seed=1
    )


def _crossing(config: FabricConfig) -> float:
    """Packets per clock of the slowest of the flows through router 5: E-W, W-E, N-S, S-N, L-L."""
    flows = {4: 6, 6: 4, 1: 9, 9: 1, 5: 5}
    choices = [[flows[tile]] if tile in flows else [] for tile in range(config.tiles)]
    stimuli = _stimuli(config, choices, 1.0, _CLOCKS)
    outcome = play(stimuli, _CLOCKS)
    clocks = _CLOCKS - _WARM
    return min(
        int(received(stimuli, outcome, to, _WARM)[tile]) / clocks for tile, to in flows.items()
    )


def _uniform(config: FabricConfig, load: float) -> dict[str, float]:
    """One point of the curve."""
    tiles = config.tiles
    # A little more than will be born in all clocks.
    packets = min(_CLOCKS, int(_CLOCKS * load * 1.1) + 100)
    stimuli = _stimuli(config, [list(range(tiles))] * tiles, load, packets)
    outcome = play(stimuli, _CLOCKS)
    measured = outcome.given_at >= _WARM
    number = numbers(stimuli, outcome)[measured]
    return {
        "load": load,
        "throughput": int(measured.sum()) / (_CLOCKS - _WARM) / tiles,
        "latency": _mean(outcome, measured, stimuli.births[number]),
        "latency_from_acceptance": _mean(outcome, measured, outcome.taken[number]),
    }


def _mean(outcome: Outcome, measured: np.ndarray, since: np.ndarray) -> float:
    return float((outcome.given_at[measured] - since).mean())


def _all_to_one(config: FabricConfig, target: int) -> np.ndarray:
    """Packets of each tile that `target` took."""
    stimuli = _stimuli(config, [[target]] * config.tiles, 1.0, _CLOCKS)
    return received(stimuli, play(stimuli, _CLOCKS), target, _WARM)[: config.tiles]


def _write(points: list[dict[str, float]]) -> None:
    """The curve as numbers and as a plot."""
    _OUTPUT.mkdir(exist_ok=True)
    (_OUTPUT / "mesh-latency.json").write_text(json.dumps(points, indent=2) + "\n")
    plot = Plot(figsize=(6, 4), layout="constrained")
    axes = plot.subplots()
    throughput = [point["throughput"] for point in points]
    for name, label in (
        ("latency", "from birth"),
        ("latency_from_acceptance", "from acceptance"),
    ):
        axes.plot([p["load"] for p in points], [p[name] for p in points], "o-", label=label)
    axes.axvline(throughput[-1], color="grey", linestyle=":", label="saturation")
    axes.set(
        xlabel="offered load (packets per clock and tile)",
        ylabel="mean latency (clocks)",
        title="Uniform unicast on 4x4",
        ylim=(0, 100),
    )
    axes.legend()
    plot.savefig(_OUTPUT / "mesh-latency.svg")


# Networks.


def _fabric(tiles: int) -> FabricConfig:
    """So many tiles, and room for the axons of the widest layer."""
    columns, rows = GRID[tiles]
    return FabricConfig(columns=columns, rows=rows, axons=_HIDDEN * max(GRID))


def scaled(tiles: int) -> tuple[Program, np.ndarray]:
    """The network for so many tiles, and its events."""
    config = _fabric(tiles)
    rng = np.random.default_rng(0)
    hidden, outputs = _HIDDEN * tiles, _OUTPUTS * tiles
    network = _network(
        config,
        _INPUTS,
        [
            Population("hidden", hidden, np.zeros(hidden, np.int64), 0, threshold=300),
            Population("out", outputs, np.zeros(outputs, np.int64), 1, spiking=False),
        ],
        [
            Connection("in", "hidden", rng.integers(-32, 33, (_INPUTS, hidden))),
            Connection("hidden", "out", rng.integers(-8, 9, (hidden, outputs))),
        ],
    )
    program = Program(network, config, frozenset(), frozenset({"out"}))
    return program, np.random.default_rng(1).random((4, 5, _INPUTS)) < _ACTIVE


def silent(tiles: int) -> tuple[Program, np.ndarray]:
    """A population in so many tiles, and steps without events."""
    config = _fabric(tiles)
    size = _NEURONS * tiles
    population = Population("p", size, np.zeros(size, np.int64), 0, threshold=1)
    connection = Connection("in", "p", np.ones((1, size), np.int64))
    network = _network(config, 1, [population], [connection])
    program = Program(network, config, frozenset(), frozenset())
    return program, np.zeros((3, _STEPS, 1), np.bool_)


def barrier(clocks: np.ndarray) -> float:
    """Clocks per step beyond firing, from those of the samples of a silent network."""
    return int(clocks[1]) / _STEPS - _FIRING  # the first sample holds the start of the run


def _network(
    config: FabricConfig, inputs: int, populations: list[Population], connections: list[Connection]
) -> Network:
    return Network(
        (Input("in", inputs),),
        tuple(populations),
        tuple(connections),
        config.weight_bits,
        config.state_bits,
        config.sum_bits,
    )
