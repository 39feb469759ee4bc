"""Positions travel from the host through a convolution, back in at once, and to the host."""

from typing import Any

import pytest
from amaranth.sim import Simulator

from spikeloom.golden.memory_image import MemoryImage, TileImage
from spikeloom.golden.spec import DECAY_ONE, FabricConfig, PacketKind
from spikeloom.hdl.fabric import Fabric

SIZE, SLOTS = 3, 2
POSITIONS = [(1, 0, 2), (0, 2, 1), (1, 1, 1), (0, 0, 0)]
FEATURES = {"synaptic_current": True, "lower_clamp": True, "delayed_reset": True, "max_spikes": 3}


def image(config: FabricConfig) -> MemoryImage:
    """Two populations on tile 0, each 2 channels at 3 x 3 positions, joined by 1 x 1 kernels.

    A channel goes to its like. The second population spikes twice for a spike of the first.
    """
    rows_of_axis = [{"sum": y * SIZE * SLOTS, "count": 1} for y in range(SIZE)]
    columns_of_axis = [{"sum": x * SLOTS, "count": 1} for x in range(SIZE)]
    rows = SIZE * SIZE
    shape = {"height": SIZE, "width": SIZE}
    convolution = {**shape, "image": 1, "column_coordinates": SIZE, "sources": 2, "groups": 1}
    population = {**shape, "channels": 2, "neurons": 2 * rows, "shared": 1, "spiking": 1}
    if config.max_spikes > 1:
        population |= {"max_spikes": 3, "v_min": -9}
    retain = {"retain": DECAY_ONE}
    tile = TileImage(
        weights=tuple(
            config.weight_row.pack({f"lane{source}": weight})
            for weight in (2, 3)
            for source in range(2)
        ),
        biases=(0,) * config.neurons,
        populations=(
            config.population_row.pack({**population, **retain, "threshold": 1, "fan_out": 1}),
            config.population_row.pack(
                {
                    **population,
                    "number": 1,
                    "neuron_base": 2 * rows,
                    "sum_base": rows * SLOTS,
                    "threshold": 1,
                    "target_base": 1,
                    "fan_out": 1,
                }
            ),
        ),
        connections=(
            config.connection_row.pack(convolution),
            config.connection_row.pack({**convolution, "weight_base": 2, "sum_base": rows * SLOTS}),
        ),
        targets=(config.target_row.pack({"connection": 1}), config.target_row.pack({"host": 1})),
        routes=(config.route_row.pack({"local": 1}),),
        coordinates=tuple(
            config.coordinate_row.pack(row) for row in (*rows_of_axis, *columns_of_axis)
        ),
    )
    empty = TileImage((), (), (), (), (), ())
    control = config.control_row.pack({"last_phase": 1, "window": SLOTS - 1})
    return MemoryImage(config, (tile, *[empty] * (config.tiles - 1)), control, (), ())


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("features", [{}, FEATURES])
def test_positions(columns: int, features: dict[str, Any]) -> None:
    config = FabricConfig(
        columns=columns,
        lanes=2,
        neurons=4 * SIZE * SIZE,
        weight_words=4,
        slots=SLOTS,
        axons=2,
        populations=2,
        connections=2,
        targets=2,
        queue=8,
        routes=1,
        extent=SIZE,
        coordinates=2 * SIZE,
        **features,
    )
    dut = Fabric(config, probe=True)
    words = [config.host_in.pack({"index": index, "y": y, "x": x}) for index, y, x in POSITIONS] + [
        config.host_in.pack({"step": 1, "first": 1})
    ]
    packets = []

    async def bench(ctx: Any) -> None:
        ctx.set(dut.load.valid, 1)
        for word in image(config).load_words():
            ctx.set(dut.load.p.as_value(), word)
            await ctx.tick()
        ctx.set(dut.load.valid, 0)
        ctx.set(dut.host_out.ready, 1)
        left = list(words)
        for _ in range(1000):
            ctx.set(dut.host_in.valid, bool(left))
            ctx.set(dut.host_in.p.as_value(), left[0] if left else 0)
            taken = left and ctx.get(dut.host_in.ready)
            if ctx.get(dut.host_out.valid):
                packets.append(config.host_out.unpack(ctx.get(dut.host_out.p.as_value())))
                if packets[-1]["kind"] == PacketKind.STEP:
                    break
            await ctx.tick()
            if taken:
                left.pop(0)
        # The first population's spikes add 2 > 1; those of the second 3, so 2 spikes of 1.
        await ctx.tick()
        counters = config.counters.unpack(ctx.get(dut.counters.as_value()))
        assert counters["errors.0"] == 0
        assert counters["spikes.0"] == len(POSITIONS) * (1 + len(packets) // len(POSITIONS))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert packets.pop()["kind"] == PacketKind.STEP
    # In the order of the walk: the channels are lanes of one group.
    several = 2 if features else 1
    expected = sorted(POSITIONS, key=lambda p: (p[1], p[2], p[0]))
    seen = [(packet["index"], packet["y"], packet["x"]) for packet in packets]
    assert seen == [position for position in expected for _ in range(several)]
    assert {packet["population"] for packet in packets} == {1}
