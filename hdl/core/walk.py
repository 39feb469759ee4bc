"""The order in which the neurons of an image are updated."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import NUMBER_BITS, FabricConfig, index_bits
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.shapes import struct


class ImageWalk(wiring.Component):
    """Walks the rows of sums of an image: channel group by channel group, in each all positions.

    A row holds the sums of a group's channels, `lanes` of them or the rest, at one position.

    Timing: the outputs describe the first row from the clock after `start` on, and the next one
    from the clock after each `advance` on.

    Parameters
    ----------
    config
        Sizes of the fabric, with images.

    Members
    -------
    population : In(config.population_row)
        Must hold from `start` on.
    start, advance : In(1)
    neurons : Out
        Neurons of the row.
    index, address, bias_address : Out
        Of the row's first neuron; the others follow in steps of 1.
    number : Out(16)
        With `noise` only: that of the row's first neuron in its population; the others follow in
        steps of `plane` of the population's row.
    y, x : Out
        Position of all of them.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        super().__init__(
            {
                "population": In(struct(config.population_row)),
                "start": In(1),
                "advance": In(1),
                "neurons": Out(range(config.lanes + 1)),
                "index": Out(config.index_width),
                "address": Out(index_bits(config.neurons)),
                "bias_address": Out(index_bits(config.bias_depth)),
                **({"number": Out(NUMBER_BITS)} if config.noise else {}),
                **{name: Out(width) for name, width in config.position},
            }
        )

    def elaborate(self, platform: object) -> Module:
        lanes = self.config.lanes
        population = self.population
        m = Module()
        channels = Signal.like(population.channels)  # of this group and all that follow
        x_ends = Signal()
        y_ends = Signal()
        m.d.comb += [
            self.neurons.eq(Mux(channels < lanes, channels, lanes)),
            x_ends.eq(self.x + 1 == population.width),
            y_ends.eq(self.y + 1 == population.height),
        ]
        with m.If(self.advance):
            m.d.sync += [self.address.eq(self.address + lanes), self.x.eq(self.x + 1)]
            with m.If(x_ends):
                m.d.sync += [self.x.eq(0), self.y.eq(self.y + 1)]
            with m.If(x_ends & y_ends):
                m.d.sync += [
                    self.y.eq(0),
                    self.index.eq(self.index + lanes),
                    channels.eq(channels - lanes),
                ]
            with m.If(~population.shared | (x_ends & y_ends)):
                m.d.sync += self.bias_address.eq(self.bias_address + lanes)
        with m.If(self.start):
            m.d.sync += [
                self.address.eq(population.neuron_base),
                self.bias_address.eq(population.bias_base),
                self.index.eq(population.index_base),
                channels.eq(population.channels),
                self.x.eq(0),
                self.y.eq(0),
            ]
        if self.config.noise:
            # From the last position of a group to the first one of the next.
            rest = delayed(m, population.plane * lanes - population.plane, 1)
            with m.If(self.advance):
                m.d.sync += self.number.eq(self.number + 1 + Mux(x_ends & y_ends, rest, 0))
            with m.If(self.start):
                m.d.sync += self.number.eq(population.first_number)
        return m
