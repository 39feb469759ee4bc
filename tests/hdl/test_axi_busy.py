"""AXI registers: no memory is loaded between an event and the step that it is due in."""

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator
from numpy.typing import NDArray

from spikeloom.golden.host import decode_packets, host_words
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.network import Connection, Convolution, Input, Network, Population
from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.golden.step.run import check_inputs, simulate
from spikeloom.hdl.axi.axi_fabric import AxiFabric
from spikeloom.hdl.axi.buses import Response
from spikeloom.hdl.axi.registers import Register
from spikeloom.mapping.plan import map_network

CONFIG = FabricConfig(
    lanes=2,
    neurons=32,
    weight_words=32,
    slots=3,
    axons=4,
    populations=2,
    connections=2,
    targets=2,
    queue=4,
)
GROUPS = CONFIG.groups
STEP_CLOCKS = 300
"""More clocks than any step here takes."""


class Host:
    """The host of an `AxiFabric`, which it clocks."""

    def __init__(self, ctx: Any, dut: AxiFabric) -> None:
        self.ctx, self.dut, self.config = ctx, dut, dut.config
        self.heard: list[int] = []
        self.steps = 0  # STEP packets heard

    @property
    def packets(self) -> list[dict[str, int]]:
        return [self.config.host_out.unpack(packet) for packet in self.heard]

    async def tick(self, clocks: int = 1) -> None:
        ctx, dut = self.ctx, self.dut
        for _ in range(clocks):
            if ctx.get(dut.m_axis_packets.tvalid):
                self.heard.append(ctx.get(dut.m_axis_packets.tdata))
                self.steps += ctx.get(dut.m_axis_packets.tlast)
            ctx.set(dut.aclk, 1)
            await ctx.delay(1e-8)
            ctx.set(dut.aclk, 0)
            await ctx.delay(1e-8)

    async def start(self) -> None:
        ctx, dut = self.ctx, self.dut
        await self.tick()
        for ready in (dut.aresetn, dut.s_axi.bready, dut.s_axi.rready, dut.m_axis_packets.tready):
            ctx.set(ready, 1)
        await self.tick()

    async def write(self, register: int, value: int) -> int:
        ctx, bus = self.ctx, self.dut.s_axi
        values = {"awaddr": register, "awvalid": 1, "wdata": value, "wstrb": 15, "wvalid": 1}
        for name, bits in values.items():
            ctx.set(getattr(bus, name), bits)
        while ctx.get(bus.awvalid) or ctx.get(bus.wvalid):
            taken = [name for name in ("aw", "w") if ctx.get(getattr(bus, f"{name}ready"))]
            await self.tick()
            for name in taken:
                ctx.set(getattr(bus, f"{name}valid"), 0)
        while not ctx.get(bus.bvalid):
            await self.tick()
        response = ctx.get(bus.bresp)
        await self.tick()
        return int(response)

    async def read(self, register: int) -> int:
        ctx, bus = self.ctx, self.dut.s_axi
        ctx.set(bus.araddr, register)
        ctx.set(bus.arvalid, 1)
        while not ctx.get(bus.arready):
            await self.tick()
        await self.tick()
        ctx.set(bus.arvalid, 0)
        while not ctx.get(bus.rvalid):
            await self.tick()
        value = ctx.get(bus.rdata)
        await self.tick()
        return int(value)

    async def prepare(self, target: int, row: int, data: int, tile: int = 0) -> None:
        """Everything of a load word but its commit."""
        await self.write(Register.LOAD_TILE, tile)
        await self.write(Register.LOAD_TARGET, target)
        await self.write(Register.LOAD_ADDRESS, row)
        for n in range(-(-self.config.load.fields[-1].width // 32)):
            await self.write(Register.LOAD_DATA + 4 * n, data >> 32 * n & 0xFFFFFFFF)

    async def load(self, target: int, row: int, data: int, tile: int = 0) -> None:
        await self.prepare(target, row, data, tile)
        assert await self.write(Register.LOAD_COMMIT, 0) == Response.OKAY

    async def offer(self, word: int) -> None:
        """A word of `host_in`."""
        ctx, stream = self.ctx, self.dut.s_axis_events
        ctx.set(stream.tdata, word)
        ctx.set(stream.tvalid, 1)
        while not ctx.get(stream.tready):
            await self.tick()
        await self.tick()
        ctx.set(stream.tvalid, 0)

    async def send(self, **fields: int) -> None:
        """A word of `host_in`, and the clocks in which it reaches the fabric."""
        await self.offer(self.config.host_in.pack(fields))
        await self.tick(3)

    async def complete(self, steps: int) -> None:
        """Wait until so many steps are complete."""
        while self.steps < steps:
            await self.tick()

    def states(self, image: MemoryImage) -> NDArray[np.int64]:
        """Those of `b` after the last step, all steps heard being one sample."""
        packets = np.array(self.heard, np.uint64)
        clocks = np.zeros(packets.size, np.uint64)
        return decode_packets(image, clocks, packets, 1, self.steps).states["b"][0]


def play(config: FabricConfig, bench: Callable[[Host], Awaitable[None]]) -> None:
    """Run `bench` with the host of a fabric."""

    async def started(ctx: Any) -> None:
        host = Host(ctx, dut)
        await host.start()
        await bench(host)

    dut = AxiFabric(config)
    simulator = Simulator(dut)
    simulator.add_testbench(started)
    simulator.run()


@pytest.mark.parametrize("ahead", range(CONFIG.slots))
def test_no_load_between_an_event_and_its_step(ahead: int) -> None:
    """Each group of the event's synapses takes the weights loaded before it."""

    async def bench(host: Host) -> None:
        connection = {"sources": 1, "groups": GROUPS, "synapses": CONFIG.neurons}
        await host.load(LoadTarget.CONNECTION, 0, CONFIG.connection_row.pack(connection))
        population = {"neurons": CONFIG.neurons, "retain": 4096, "readout": 1}
        await host.load(LoadTarget.POPULATION, 0, CONFIG.population_row.pack(population))
        for row in range(GROUPS):
            weights = CONFIG.weight_row.pack({"lane0": 1, "lane1": 1})
            await host.load(LoadTarget.WEIGHT, row, weights)
        await host.load(LoadTarget.CONTROL, 0, CONFIG.control_row.pack({}))
        await host.prepare(LoadTarget.WEIGHT, GROUPS - 1, 0x7F7F)
        assert await host.read(Register.STATUS) & 1 == 0

        await host.send(index=0, ahead=ahead)
        for step in range(ahead + 1):
            # At once, and when the fabric has long been at rest.
            for clocks in (0, STEP_CLOCKS):
                await host.tick(clocks)
                assert await host.read(Register.STATUS) & 1 == 1
                assert await host.write(Register.LOAD_COMMIT, 0) == Response.SLVERR
            await host.send(step=1, first=step == 0, ahead=ahead - step)
        await host.tick(STEP_CLOCKS)
        *states, last = host.packets[ahead:]
        assert [packet["value"] for packet in states] == [1] * CONFIG.neurons
        assert last["kind"] == 2
        assert await host.read(Register.STATUS) & 1 == 0
        assert await host.write(Register.LOAD_COMMIT, 0) == Response.OKAY

    play(CONFIG, bench)


def test_a_reset_ends_the_wait_for_a_step() -> None:
    """The event that was waiting is gone."""

    async def bench(host: Host) -> None:
        await host.prepare(LoadTarget.WEIGHT, 0, 1)
        await host.send(index=0, ahead=2)
        assert await host.read(Register.STATUS) & 1 == 1
        for reset in (1, 0):
            assert await host.write(Register.CONTROL, reset) == Response.OKAY
        assert await host.read(Register.STATUS) & 1 == 0
        assert await host.write(Register.LOAD_COMMIT, 0) == Response.OKAY

    play(CONFIG, bench)


def test_a_nearer_event_does_not_end_the_wait_for_a_farther_one() -> None:
    async def bench(host: Host) -> None:
        await host.prepare(LoadTarget.WEIGHT, 0, 1)
        for ahead in (2, 0):
            await host.send(index=0, ahead=ahead)
        for step in range(3):
            await host.tick(STEP_CLOCKS)
            assert await host.write(Register.LOAD_COMMIT, 0) == Response.SLVERR
            await host.send(step=1, first=step == 0, ahead=2 - step)
        await host.tick(STEP_CLOCKS)
        assert await host.write(Register.LOAD_COMMIT, 0) == Response.OKAY

    play(CONFIG, bench)


def mesh(columns: int, rows: int = 1) -> FabricConfig:
    return dataclasses.replace(
        CONFIG, columns=columns, rows=rows, neurons=40, weight_words=128, queue=8, routes=4
    )


def with_images(config: FabricConfig) -> FabricConfig:
    return dataclasses.replace(config, extent=2, coordinates=16)


def two_populations(*connections: Connection) -> Network:
    populations = (
        Population("a", 4, np.zeros(4, np.int64), threshold=5),
        Population("b", 36, np.zeros(36, np.int64), decay=4096, spiking=False),
    )
    return Network((Input("in", 1),), populations, connections)


async def load(
    host: Host, image: MemoryImage
) -> dict[tuple[LoadTarget, int], list[tuple[int, int]]]:
    """Load what is not 0; returns it: row and data, by target and tile."""
    rows: dict[tuple[LoadTarget, int], list[tuple[int, int]]] = {}
    for word in image.load_words():
        fields = image.config.load.unpack(word)
        tile, target, row, data = (fields[n] for n in ("tile", "target", "address", "data"))
        if data:
            await host.load(target, row, data, tile)
            rows.setdefault((LoadTarget(target), tile), []).append((row, data))
    return rows


@pytest.mark.parametrize(
    ("columns", "tile_rows", "depth", "late"),
    [(1, 1, 0, 0), (1, 1, 0, 1), (2, 1, 1, 0), (3, 2, 2, 0)],
)
def test_no_load_under_events_that_outlive_their_step(
    columns: int, tile_rows: int, depth: int, late: int
) -> None:
    """Spikes with a delay still add weights after the STEP packet: the weights loaded before."""
    config = mesh(columns, tile_rows)
    assert config.tree_depth == depth
    network = two_populations(
        Connection("in", "a", np.full((1, 4), 9)),
        Connection("a", "b", 1 + np.arange(4 * 36).reshape(4, 36) % 7, 1),
    )
    image = map_network(network, config, frozenset(), frozenset({"b"}))
    counts = check_inputs(network, np.array([[1], [0]]))
    (words,) = host_words(image, counts)

    async def bench(host: Host) -> None:
        rows = await load(host, image)
        tile = max(tile for target, tile in rows if target == LoadTarget.WEIGHT)
        row, _ = rows[LoadTarget.WEIGHT, tile][-1]
        await host.prepare(LoadTarget.WEIGHT, row, 0x7F7F, tile)
        refused = 0
        for word in words.tolist():
            await host.offer(word)
            if word & 1:
                await host.complete(host.steps + 1)
                await host.tick(late)
                while await host.write(Register.LOAD_COMMIT, 0) != Response.OKAY:
                    refused += 1
                await host.write(Register.LOAD_ADDRESS, row)
        assert np.array_equal(host.states(image), simulate(network, counts).states["b"][0])
        assert refused

    play(config, bench)


def test_no_load_under_events_that_are_looked_up() -> None:
    """Nor while the last of them are in address generation, with nothing behind it."""
    config = with_images(mesh(1))
    shape = 2, 2, 2
    populations = (
        Population("a", 8, np.zeros(8, np.int64), threshold=5, image=shape),
        Population("b", 8, np.zeros(8, np.int64), decay=4096, spiking=False, image=shape),
    )
    connections = (
        Connection("in", "a", np.full((1, 8), 9)),
        Convolution("a", "b", np.array([1, 2]).reshape(2, 1, 1, 1), 1, groups=2),
    )
    network = Network((Input("in", 1),), populations, connections)
    image = map_network(network, config, frozenset(), frozenset({"b"}))
    counts = check_inputs(network, np.array([[1], [0]]))
    event, first, second = host_words(image, counts)[0].tolist()

    async def bench(host: Host) -> None:
        rows = await load(host, image)
        row, weight = rows[LoadTarget.WEIGHT, 0][-1]  # of the spikes that come last
        for late in range(8):
            await host.prepare(LoadTarget.WEIGHT, row, 0x7F7F)
            await host.offer(event)
            await host.offer(first)
            await host.complete(1)
            await host.tick(late)
            refused = 0
            while await host.write(Register.LOAD_COMMIT, 0) != Response.OKAY:
                refused += 1
            assert refused or late
            await host.offer(second)
            await host.complete(2)
            assert np.array_equal(host.states(image), simulate(network, counts).states["b"][0])
            await host.tick(STEP_CLOCKS)
            host.heard, host.steps = [], 0
            await host.load(LoadTarget.WEIGHT, row, weight)

    play(config, bench)


@pytest.mark.parametrize(("columns", "target"), [(1, LoadTarget.WEIGHT), (2, LoadTarget.ROUTE)])
def test_an_event_beside_a_load_word(columns: int, target: LoadTarget) -> None:
    """However close it comes, it meets the word if the bus says OKAY, else what was there."""
    config = mesh(columns)
    network = two_populations(Connection("in", "b", np.full((1, 36), 3)))
    image = map_network(network, config, frozenset(), frozenset({"b"}))
    event, mark = host_words(image, check_inputs(network, np.array([[1]])))[0].tolist()

    async def bench(host: Host) -> None:
        ctx, dut = host.ctx, host.dut
        # The first row that the event meets in tile 0: as it is in the image, or 0.
        row, data = (await load(host, image))[target, 0][0]
        is_right, answers = True, set()
        for clock in range(8):
            await host.prepare(target, row, 0 if is_right else data)
            for name in ("awvalid", "wvalid"):
                ctx.set(getattr(dut.s_axi, name), 1)
            ctx.set(dut.s_axi.awaddr, Register.LOAD_COMMIT)
            ctx.set(dut.s_axis_events.tdata, event)
            for now in range(12):
                ctx.set(dut.s_axis_events.tvalid, now == clock)
                if ctx.get(dut.s_axi.bvalid):
                    answers.add(ctx.get(dut.s_axi.bresp))
                    is_right ^= ctx.get(dut.s_axi.bresp) == Response.OKAY
                await host.tick()
                for name in ("awvalid", "wvalid"):
                    ctx.set(getattr(dut.s_axi, name), 0)
            await host.offer(mark)
            await host.complete(1)
            assert min(host.states(image)) == 3 * is_right
            host.heard, host.steps = [], 0
        assert answers == {Response.OKAY, Response.SLVERR}

    play(config, bench)


@pytest.mark.parametrize(
    ("target", "tile"),
    [
        (LoadTarget.ROUTE, 0),
        (LoadTarget.CONNECTION, 5),
        (LoadTarget.WEIGHT, 5),
    ],
)
def test_a_commit_as_soon_as_one_is_answered_in_a_deep_mesh(target: LoadTarget, tile: int) -> None:
    """Around an event, two commits, the second one beside BVALID of the first.

    Each that is answered OKAY is met by the event, at whatever depth, and no other one is.
    """
    config = dataclasses.replace(mesh(3, 2), neurons=8, axons=48)
    assert config.tree_depth == 2
    # A part of b in each tile; the event goes from tile 0 to all of them.
    neurons = config.tiles * config.neurons
    populations = (
        Population("b", neurons, np.zeros(neurons, np.int64), decay=4096, spiking=False),
    )
    network = Network(
        (Input("in", 1),), populations, (Connection("in", "b", np.full((1, neurons), 3)),)
    )
    image = map_network(network, config, frozenset(), frozenset({"b"}))
    event, mark = host_words(image, check_inputs(network, np.array([[1]])))[0].tolist()

    async def bench(host: Host) -> None:
        ctx, dut = host.ctx, host.dut
        bus = dut.s_axi
        loaded = await load(host, image)
        assert {tile for kind, tile in loaded if kind == LoadTarget.WEIGHT} == set(range(6))
        # The first row that the event meets in this tile, and the next, which it meets or not.
        rows = loaded[target, tile][:2]
        total = 3 * neurons
        seen = set()
        for clock in range(6):
            for row, data in rows:
                await host.load(target, row, data, tile)
            await host.prepare(target, rows[0][0], 0, tile)
            ctx.set(bus.awaddr, Register.LOAD_COMMIT)
            ctx.set(dut.s_axis_events.tdata, event)
            presented, answers, late = 0, [], False
            for now in range(16):
                ctx.set(dut.s_axis_events.tvalid, now == clock)
                if ctx.get(bus.bvalid):
                    late |= now <= clock and len(answers) == 1
                    answers.append(ctx.get(bus.bresp))
                present = presented == len(answers) < 2
                presented += present
                for name in ("awvalid", "wvalid"):
                    assert not present or ctx.get(getattr(bus, name.replace("valid", "ready")))
                    ctx.set(getattr(bus, name), present)
                await host.tick()
            zeroed = [answer == Response.OKAY for answer in answers]
            assert zeroed == [True, True] or not late
            seen.add(tuple(zeroed))
            await host.offer(mark)
            await host.complete(1)
            cost = {
                LoadTarget.ROUTE: total * zeroed[0],
                LoadTarget.CONNECTION: 3 * config.neurons * zeroed[0],
                LoadTarget.WEIGHT: config.lanes * 3 * sum(zeroed),
            }
            assert sum(host.states(image)) == total - cost[target], (clock, zeroed)
            host.heard, host.steps = [], 0
        assert seen == {(False, False), (True, False), (True, True)}

    play(config, bench)
