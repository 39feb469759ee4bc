"""Random traffic through the RTL of a mesh of routers alone, and what has to be true of it.

The stimuli are drawn beforehand: what each source offers and when, and in which clocks each sink
listens. The compiled model plays them millions of clocks a minute; the cycle-level golden model
plays the same, and every signal of every link is compared in every clock. Beside that, a scoreboard
looks at nothing but what went in and what came out.
"""

import ctypes
import itertools
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from amaranth import Cat, ClockDomain, Module, Mux, Signal
from numpy.typing import NDArray

from spikeloom.golden.cycle.mesh import MeshModel, mesh_probe
from spikeloom.golden.spec import FACING, TURNS, FabricConfig, LoadTarget, Port
from spikeloom.hdl.mesh.mesh import Mesh
from spikeloom.sim import verilog
from spikeloom.sim.verilator import build_library

Words = NDArray[np.uint64]

TOP = "spikeloom_mesh"
"""Name of the top module."""

_TITLE = "Spikeloom mesh of routers with lanes for a bench"
_DRIVERS = [Path(__file__).with_name(name) for name in ("load.cpp", "traffic.cpp")]
_LANE = 64
_VALID, _GIVEN, _TAKEN = 63, 63, 62
_BLOCK = 1 << 12
"""Clocks of one call into the model."""
_DRAIN = 64
"""Clocks that a packet needs at most through an empty mesh of 8x8, and some more."""


@dataclass(frozen=True, eq=False)
class Stimuli:
    """What is offered and when, and who listens.

    A source offers its packets in order, each from its birth on or as soon as the one before it is
    accepted, until it is accepted. The sources are the tiles, then the host.

    Parameters
    ----------
    config
        Sizes of the fabric; two tiles or more.
    routes
        For each route the tiles that it leads to.
    tables
        For each tile the rows of its route table that do so.
    packets
        The packets of all sources, one source after another; no two are equal.
    births
        Of each packet the first clock in which it is offered if nothing is before it.
    starts
        Where the packets of each source begin, and at last where all end.
    listening
        For each clock a bit for each tile that takes a packet in it. It begins again at its end.
    """

    config: FabricConfig
    routes: Sequence[frozenset[int]]
    tables: Sequence[Sequence[int]]
    packets: Words
    births: Words
    starts: Words
    listening: Words

    @property
    def patience(self) -> int:
        """Clocks from the one in which a tile could take a packet to that in which it does."""
        tiles = np.arange(self.config.tiles, dtype=np.uint64)
        open_ = (self.listening[:, None] >> tiles & np.uint64(1)).astype(bool)
        longest = 0
        for times in (np.flatnonzero(column) for column in open_.T):
            if not len(times):
                raise ValueError("a tile never listens")
            around = np.append(times, times[0] + len(open_))
            longest = max(longest, int(np.diff(around).max()))
        return longest

    @property
    def sources(self) -> NDArray[np.int64]:
        """The source of each packet."""
        return np.searchsorted(self.starts, np.arange(len(self.packets)), side="right") - 1

    @property
    def destinations(self) -> NDArray[np.bool_]:
        """The tiles that each packet has to reach, of shape (packets, tiles)."""
        reached = np.zeros((len(self.routes), self.config.tiles), np.bool_)
        for route, tiles in enumerate(self.routes):
            reached[route, sorted(tiles)] = True
        width = self.config.event.fields[0].width
        mask = np.uint64((1 << width) - 1)
        return reached[(self.packets & mask).astype(np.int64)]


def draw(
    config: FabricConfig,
    routes: Sequence[frozenset[int]],
    tables: Sequence[Sequence[int]],
    choices: Sequence[Sequence[int]],
    *,
    packets: int,
    load: float,
    listening: float,
    seed: int,
) -> Stimuli:
    """Bernoulli traffic.

    Parameters
    ----------
    config, routes, tables
        See `Stimuli`.
    choices
        For each source the routes of its packets, each as likely as the others; none for a source
        that is silent.
    packets
        Packets of each source that is not.
    load
        Probability that a packet is born in a clock, 0..1, 0 left out.
    listening
        Probability that a tile takes a packet in a clock, 0..1, 0 left out.
    seed
        The same numbers give the same stimuli.
    """
    rng = np.random.default_rng(seed)
    route_bits = config.event.fields[0].width
    counts = [packets if routes_ else 0 for routes_ in choices]
    # What is no route is a number that no other packet has.
    unique = rng.choice(1 << (config.event.width - route_bits), sum(counts), replace=False)
    words = unique.astype(np.uint64) << np.uint64(route_bits)
    starts = np.append(0, np.cumsum(counts))
    births = np.zeros(len(words), np.uint64)
    for chosen, start, stop in zip(choices, starts, starts[1:], strict=False):
        if stop > start:
            words[start:stop] |= rng.choice(chosen, stop - start).astype(np.uint64)
            births[start:stop] = rng.geometric(load, stop - start).cumsum() - 1
    bits = rng.random((_BLOCK, config.tiles)) < listening
    bits[0] = True
    weights = np.uint64(1) << np.arange(config.tiles, dtype=np.uint64)
    return Stimuli(config, routes, tables, words, births, starts.astype(np.uint64), bits @ weights)


# The RTL.


def emit(config: FabricConfig) -> str:
    """The Verilog of a mesh with the ports that `traffic.cpp` drives; kept in the cache."""
    return verilog.cached(_TITLE, config, lambda: generate(config))


def generate(config: FabricConfig) -> str:
    """`emit`, from the classes as they are now.

    Ports: `clk`; `offers`, a lane of 64 bits for each source with its packet, bit 63 that it is
    valid; `listening`, a bit for each tile; `load__valid` and `load__payload`; `results`, a
    lane for each source with the packet delivered to the tile, bit 63 that there is one, bit 62
    that what it offers is accepted; `probe`, see `mesh_probe`, of this very clock.
    """
    tiles = range(config.tiles)
    width = config.event.width
    m = Module()
    m.domains.sync = domain = ClockDomain(reset_less=True)
    m.submodules.mesh = mesh = Mesh(config)
    offers = Signal(_LANE * (config.tiles + 1))
    listening = Signal(config.tiles)
    load_valid = Signal(name="load__valid")
    load_payload = Signal(config.load.width, name="load__payload")
    results = Signal(_LANE * (config.tiles + 1))
    probe = Signal(mesh_probe(config).width)

    sources = [*mesh.inject, mesh.host]
    for number, source in enumerate(sources):
        offer = offers.word_select(number, _LANE)
        m.d.comb += [source.valid.eq(offer[_VALID]), source.payload.as_value().eq(offer[:width])]
        result = results.word_select(number, _LANE)
        m.d.comb += result[_TAKEN].eq(source.valid & source.ready)
    for tile in tiles:
        sink = mesh.deliver[tile]
        result = results.word_select(tile, _LANE)
        m.d.comb += [
            sink.ready.eq(listening[tile]),
            result[_GIVEN].eq(sink.valid & sink.ready),
            result[:width].eq(sink.payload),
            mesh.loads[tile].word.as_value().eq(load_payload),
            mesh.loads[tile].valid.eq(load_valid & (mesh.loads[tile].word.tile == tile)),
        ]

    parts: list[Any] = []
    for tile in tiles:
        streams = [mesh.links[tile, port] for port in config.links(tile)]
        for stream in (*streams, mesh.deliver[tile], mesh.inject[tile]):
            payload = Cat(stream.payload)
            parts += [stream.valid, stream.ready, Mux(stream.valid, payload, 0)[:width]]
    for tile in tiles:
        dropped = Signal(config.counter_bits, name=f"dropped{tile}")
        m.d.sync += dropped.eq(dropped + mesh.dropped[tile])
        parts.append(dropped)
    m.d.comb += probe.eq(Cat(*parts))
    ports = [domain.clk, offers, listening, load_valid, load_payload, results, probe]
    return verilog.generate(_TITLE, config, m, TOP, ports)


class _Traffic(ctypes.Structure):
    """`Traffic` in `traffic.cpp`."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("packets", "births", "ends", "listening")),
        *((name, ctypes.c_uint64) for name in ("period", "patience", "stop")),
        *((name, ctypes.c_void_p) for name in ("trace", "next", "taken", "given")),
        *((name, ctypes.c_void_p) for name in ("clocks", "tiles")),
        *((name, ctypes.c_uint64) for name in ("room", "count", "clock", "idle")),
    ]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of stimuli.

    Parameters
    ----------
    clocks
        Clocks played.
    accepted
        Packets of each source that were accepted.
    taken
        Of each packet the clock in which it was.
    given, given_at, given_to
        The packets delivered, in order; the clock and the tile of each.
    """

    clocks: int
    accepted: NDArray[np.int64]
    taken: Words
    given: Words
    given_at: Words
    given_to: Words


class Player:
    """A mesh, fresh from reset, to which stimuli are played.

    Parameters
    ----------
    stimuli
        What is played.
    text
        Verilog where that is not what `emit` writes, such as a mutated text.

    Attributes
    ----------
    over
        Everything was offered, and nothing moves any more.

    Raises
    ------
    SpikeloomError
        The model cannot be built.
    """

    def __init__(self, stimuli: Stimuli, text: str | None = None) -> None:
        self.stimuli = stimuli
        config = stimuli.config
        driver = "".join(file.read_text(encoding="utf-8") for file in _DRIVERS)
        path = build_library(emit(config) if text is None else text, TOP, driver)
        self._library = library = ctypes.CDLL(str(path))
        library.spikeloom_create.restype = ctypes.c_void_p
        library.spikeloom_destroy.argtypes = [ctypes.c_void_p]
        library.spikeloom_load.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64]
        library.spikeloom_traffic.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Traffic)]
        self._model = library.spikeloom_create()
        weakref.finalize(self, library.spikeloom_destroy, self._model)
        self._load()

        count = len(stimuli.packets)
        room = int(stimuli.destinations.sum()) + count  # for what should not come, too
        arrays = {
            "packets": stimuli.packets,
            "births": stimuli.births,
            "ends": stimuli.starts[1:],
            "listening": stimuli.listening,
            "next": stimuli.starts[:-1],
            "taken": np.zeros(count, np.uint64),
            **{name: np.zeros(room, np.uint64) for name in ("given", "clocks", "tiles")},
        }
        self._arrays = {name: np.array(array, np.uint64) for name, array in arrays.items()}
        self._state = _Traffic(
            period=len(stimuli.listening),
            patience=stimuli.patience + _DRAIN,
            room=room,
            **{name: array.ctypes.data for name, array in self._arrays.items()},
        )
        self.over = False

    def play(self, clocks: int, *, trace: bool = False) -> NDArray[np.uint32]:
        """Go on, for at most `clocks`.

        Returns
        -------
        With `trace` the probe word of each clock as 32-bit words, lowest first.
        """
        size = -(-mesh_probe(self.stimuli.config).width // 32)
        rows = np.zeros((clocks if trace else 0, size), "<u4")
        start = self._state.clock
        self._state.stop = start + clocks
        self._state.trace = rows.ctypes.data if trace else None
        self.over = bool(self._library.spikeloom_traffic(self._model, ctypes.byref(self._state)))
        return rows[: self._state.clock - start]

    def outcome(self) -> Outcome:
        """What happened up to now."""
        state, arrays = self._state, self._arrays
        accepted = arrays["next"] - self.stimuli.starts[:-1]
        given, clocks, tiles = (
            arrays[name][: min(state.count, state.room)] for name in ("given", "clocks", "tiles")
        )
        return Outcome(
            state.clock, accepted.astype(np.int64), arrays["taken"], given, clocks, tiles
        )

    def _load(self) -> None:
        """Write the route tables, a row every clock."""
        layout = self.stimuli.config.load
        size = -(-layout.width // 32)
        data = b"".join(
            layout.pack(
                {"tile": tile, "target": LoadTarget.ROUTE, "address": route, "data": row}
            ).to_bytes(4 * size, "little")
            for tile, rows in enumerate(self.stimuli.tables)
            for route, row in enumerate(rows)
        )
        words = np.frombuffer(data, "<u4")
        self._library.spikeloom_load(self._model, words.ctypes.data, len(words) // size)


def play(stimuli: Stimuli, clocks: int | None = None, *, text: str | None = None) -> Outcome:
    """Play `stimuli` to the RTL, to their end or for `clocks`; `text` as for `Player`."""
    player = Player(stimuli, text)
    if clocks is not None:
        player.play(clocks)
    while clocks is None and not player.over:
        player.play(_BLOCK)
    return player.outcome()


# Clock by clock against the golden model.


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
        By the golden model; by the RTL.
    """

    clock: int
    signal: str
    expected: int
    got: int

    def __str__(self) -> str:
        return f"clock {self.clock}: {self.signal} is {self.got:#x}, expected {self.expected:#x}"


def golden_probes(stimuli: Stimuli) -> Iterator[int]:
    """The probe word of each clock by the golden model, without end."""
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
        *offers, host = (
            packets[n] if n != stop and births[n] <= clock else None
            for n, stop in zip(following, ends, strict=True)
        )
        yield model.clock(offers, listening[clock % len(listening)], host)
        for source, taken in enumerate((*model.taken, model.host_taken)):
            following[source] += taken


def check(stimuli: Stimuli, *, text: str | None = None) -> tuple[Outcome, Difference | None]:
    """Play `stimuli` to RTL and golden model, up to the first clock in which they differ.

    Every `mesh_probe` word is compared: `valid`, `ready` and `payload` of every link, from and to
    the tiles and the host, and the counters of dropped packets. `text` as for `Player`.
    """
    player = Player(stimuli, text)
    expected = golden_probes(stimuli)
    clock = 0
    while not player.over:
        for row in player.play(_BLOCK, trace=True):
            probe = next(expected)
            if row.tobytes() != probe.to_bytes(row.nbytes, "little"):
                got = int.from_bytes(row.tobytes(), "little")
                return player.outcome(), _difference(stimuli.config, clock, probe, got)
            clock += 1
    return player.outcome(), None


def _difference(config: FabricConfig, clock: int, expected: int, got: int) -> Difference:
    layout = mesh_probe(config)
    theirs, ours = layout.unpack(expected), layout.unpack(got)
    signal = next(name for name in theirs if theirs[name] != ours[name])
    return Difference(clock, signal, theirs[signal], ours[signal])


# What went in and what came out.


@dataclass(frozen=True)
class Score:
    """What the scoreboard counted.

    Parameters
    ----------
    packets, deliveries
        Packets offered; packets delivered, those of a multicast at every tile.
    stuck
        Packets that were never accepted.
    altered
        Deliveries of what no source offered.
    astray
        Deliveries to a tile to which the packet does not go.
    doubled
        Deliveries to a tile that had the packet already.
    lost
        Deliveries that are missing, of packets that were accepted.
    disordered
        Deliveries that came before one of the same source and tile that was accepted earlier.
    latency
        Most clocks from acceptance to delivery.
    """

    packets: int
    deliveries: int
    stuck: int
    altered: int
    astray: int
    doubled: int
    lost: int
    disordered: int
    latency: int

    @property
    def faults(self) -> int:
        """How many things are wrong."""
        return self.stuck + self.altered + self.astray + self.doubled + self.lost + self.disordered


def numbers(stimuli: Stimuli, outcome: Outcome) -> NDArray[np.int64]:
    """Which of the packets of `stimuli` each delivery is; any, if it is none of them."""
    order = np.argsort(stimuli.packets)
    place = np.searchsorted(stimuli.packets[order], outcome.given)
    found: NDArray[np.int64] = order[place.clip(max=len(order) - 1)]
    return found


def score(stimuli: Stimuli, outcome: Outcome) -> Score:
    """Look whether every packet went where it should, once, unchanged and in order."""
    tiles = stimuli.config.tiles
    packets = stimuli.packets
    number = numbers(stimuli, outcome)
    known = packets[number] == outcome.given
    number, to, at = number[known], outcome.given_to[known], outcome.given_at[known]

    arrived = np.zeros((len(packets), tiles), np.int64)
    np.add.at(arrived, (number, to), 1)
    expected = stimuli.destinations
    sources = stimuli.sources
    position = np.arange(len(packets)) - stimuli.starts[sources].astype(np.int64)
    accepted = position < outcome.accepted[sources]

    # Deliveries of one source to one tile together, in the order in which they came.
    flow = sources[number] * tiles + to.astype(np.int64)
    together = np.argsort(flow, kind="stable")
    backwards = np.diff(number[together]) < 0
    same = np.diff(flow[together]) == 0
    latency = at.astype(np.int64) - outcome.taken[number].astype(np.int64)
    return Score(
        packets=len(packets),
        deliveries=len(outcome.given),
        stuck=int((~accepted).sum()),
        altered=int((~known).sum()),
        astray=int(arrived[~expected].sum()),
        doubled=int((arrived - 1).clip(min=0)[expected].sum()),
        lost=int((expected & accepted[:, None] & (arrived == 0)).sum()),
        disordered=int((backwards & same).sum()),
        latency=int(latency.max(initial=0)),
    )


def latency_bound(config: FabricConfig, patience: int = 1) -> int:
    """Most clocks from the acceptance of a packet to its delivery, whatever the traffic.

    Let h(o) be the most clocks from the grant of a packet by output o to its transfer, and w(i) the
    most clocks for which a packet is the head of input i. A sink takes a packet `patience` clocks
    after its grant at the latest, so h(L) = `patience`. An output that is requested grants whenever
    it is free, at most h(o) clocks after the grant before, and grants to others before input i at
    most as often as the inputs of o other than i have sources together; that and 1 for its own is
    n(i, o). Branches wait at the same time. So

        w(i) = max n(i, o) * h(o) over the outputs o that input i leads to.

    An output into a router transfers when there is room in input i of that. If there is none the
    queue of i has a head, which leaves within w(i) clocks: h(o) = w(i).

    A packet that is accepted has at most `buffer` - 1 packets before it in its input, so it is
    granted at most `buffer` * w(i) clocks later, and transfers h(o) clocks after that. The bound is
    the sum over the routers of the longest way. It follows the order of links in which nothing
    can be locked, so it is finite. It grows geometrically with the way, because it takes the worst
    of every head in every router, and not all of them can be the last to have their turn.

    Parameters
    ----------
    config
        Sizes of the fabric.
    patience
        Clocks after the grant in which a sink takes a packet at the latest.
    """
    entries = {tile: (*config.links(tile), Port.LOCAL) for tile in range(config.tiles)}

    def exits(tile: int, entry: Port) -> list[Port]:
        return [
            port
            for port in TURNS[entry]
            if port is Port.LOCAL or config.neighbour(tile, port) is not None
        ]

    def held(tile: int, port: Port) -> int:  # h
        following = config.neighbour(tile, port)
        return patience if following is None else head(following, FACING[port])

    def grants(tile: int, entry: Port, port: Port) -> int:  # n
        others = (other for other in entries[tile] if other is not entry)
        return 1 + sum(
            config.sources(tile, other) for other in others if port in exits(tile, other)
        )

    def head(tile: int, entry: Port) -> int:  # w
        return max(grants(tile, entry, port) * held(tile, port) for port in exits(tile, entry))

    def rest(tile: int, entry: Port) -> int:
        """Clocks from acceptance by this router to the delivery farthest away."""
        longest = 0
        for port in exits(tile, entry):
            following = config.neighbour(tile, port)
            further = 0 if following is None else rest(following, FACING[port])
            longest = max(longest, held(tile, port) + further)
        return config.buffer * head(tile, entry) + longest

    return max(rest(tile, entry) for tile in entries for entry in entries[tile])


def received(stimuli: Stimuli, outcome: Outcome, target: int, since: int) -> NDArray[np.int64]:
    """For each source how many of its packets tile `target` took in clock `since` or later."""
    chosen = (outcome.given_to == target) & (outcome.given_at >= since)
    sources = stimuli.sources[numbers(stimuli, outcome)[chosen]]
    return np.bincount(sources, minlength=len(stimuli.starts) - 1)
