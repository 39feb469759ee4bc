"""Where the neurons in fire's pipeline are in the memories, and their indices."""

from typing import NamedTuple

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib import data

from spikeloom.golden.spec import NUMBER_BITS, FabricConfig
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.core.banks import lane_bits
from spikeloom.hdl.core.select import Select
from spikeloom.hdl.core.walk import ImageWalk


class Walk(NamedTuple):
    """The walk over a population, group by group.

    Parameters
    ----------
    setup
        The population's row has arrived; the walk over it starts in the next clock.
    begins
        A group begins.
    count
        Neurons of the next group.
    count_rows
        Its rows.
    entering
        Rows of the group begun last that have not yet entered the pipeline.
    valid
        The lanes of the row that enters.
    left
        Neurons of groups not yet begun.
    first
        The step is the first one of a sample.
    """

    setup: Value
    begins: Signal
    count: Signal
    count_rows: Value
    entering: Signal
    valid: Value
    left: Signal
    first: Signal


class Addresses(NamedTuple):
    """Memory rows of the neurons in the pipeline, each in the stage that uses it.

    With several fire lanes they are rows of the banks.

    Parameters
    ----------
    read
        State and current to be read.
    bias
        Bias to be read.
    current, state
        Synaptic current and membrane potential to be written.
    index
        Index of the neuron, of lane 0, in the last stage.
    number
        With `noise`: the number in its population of the neuron, of lane 0, to be read.
    """

    read: Value
    bias: Value
    current: Value
    state: Value
    index: Value
    number: Value


def current_stage(config: FabricConfig) -> int:
    """Clocks from a neuron entering the pipeline to the write of its synaptic current."""
    return 4 + config.product_clocks + config.input_gain


def _bias_stage(config: FabricConfig) -> int:
    """Clocks from a neuron entering the pipeline to the read of its row of the bias memory."""
    return 0 if config.neuron_parameters else 1


def image_addresses(
    m: Module, config: FabricConfig, walk: Walk, population: data.View, select: Select | None
) -> tuple[Addresses, dict[str, Value]]:
    """With images: a group's position and addresses travel along with its neurons.

    Returns also the position in the last stage.
    """
    m.submodules.walk = images = ImageWalk(config)
    m.d.comb += [
        images.population.eq(population),
        images.start.eq(walk.setup),
        images.advance.eq(walk.begins),
        walk.count.eq(images.neurons),
    ]
    position = {name: Signal(width, name=name) for name, width in config.position}
    low = lane_bits(config)
    address = Signal.like(images.address[low:])
    bias = Signal.like(images.bias_address[low:])
    index = Signal.like(images.index)
    with m.If(walk.begins):
        m.d.sync += [
            address.eq(images.address[low:]),
            bias.eq(images.bias_address[low:]),
            index.eq(images.index),
        ]
        m.d.sync += [position[name].eq(getattr(images, name)) for name in position]
    with m.Else():
        step = config.fire_lanes
        m.d.sync += [address.eq(address + 1), bias.eq(bias + 1), index.eq(index + step)]
    number = Signal(NUMBER_BITS)
    if config.noise:
        following = number + (population.plane << low)
        m.d.sync += number.eq(Mux(walk.begins, images.number, following))
    if select is not None:
        at_origin = (images.y == 0) & (images.x == 0)
        m.d.comb += select.walked(m, at_origin, index, **position)
    current = delayed(m, address, current_stage(config))
    addresses = Addresses(
        read=address,
        bias=delayed(m, bias, _bias_stage(config)),
        current=current,
        state=delayed(m, current, config.fire_clocks - current_stage(config)),
        index=delayed(m, index, config.fire_clocks),
        number=number,
    )
    last = {name: delayed(m, at, config.fire_clocks) for name, at in position.items()}
    return addresses, last


def plain_addresses(
    m: Module,
    config: FabricConfig,
    walk: Walk,
    population: data.View,
    occupied: list[Value],
    select: Select | None,
) -> Addresses:
    """Without images neurons come in order of their rows, so each stage counts for itself."""
    size = config.lanes
    if config.fire_lanes == 1:
        with m.If(walk.setup):
            m.d.sync += walk.count.eq(Mux(population.neurons < size, population.neurons, size))
        with m.Elif(walk.begins):
            m.d.sync += walk.count.eq(Mux(walk.left >= 2 * size, size, walk.left - size))

    def counted(base: Value, stage: int, step: int = 1) -> Signal:
        counter = Signal.like(base)
        with m.If(walk.setup):
            m.d.sync += counter.eq(base)
        with m.Elif(occupied[stage]):
            m.d.sync += counter.eq(counter + step)
        return counter

    base = population.neuron_base[lane_bits(config) :]
    read = counted(base, 0)
    bias = counted(population.bias_base[lane_bits(config) :], 0) if config.bias_blocks else read
    if select is not None:
        m.d.comb += select.index.eq(counted(population.index_base, config.fire_clocks - 2))
    return Addresses(
        read,
        bias=delayed(m, bias, _bias_stage(config)),
        current=counted(base, current_stage(config)),
        state=counted(base, config.fire_clocks),
        index=counted(population.index_base, config.fire_clocks, config.fire_lanes),
        number=counted(population.index_base, 0, config.fire_lanes) if config.noise else Const(0),
    )
