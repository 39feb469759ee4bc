"""Fire: walks the populations of a phase and updates their neurons."""

from amaranth import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.contents import NO_ROWS, Rows
from spikeloom.golden.spec import FabricConfig, LoadTarget, ReadTarget, count_bits, index_bits
from spikeloom.hdl.common.load import connect_load, load_signature
from spikeloom.hdl.common.read import connect_read, read_member
from spikeloom.hdl.common.shapes import lanes, memory, struct
from spikeloom.hdl.common.tree import delayed
from spikeloom.hdl.core.integrate import Fetch, MemoryWrite
from spikeloom.hdl.core.neuron import NeuronUpdate
from spikeloom.hdl.core.walk import ImageWalk

BIAS = 1
"""Clocks from a neuron entering the pipeline to the read of its bias."""


class State(enum.Enum, shape=unsigned(3)):
    """What the walker does."""

    IDLE = 0
    LOOKUP = 1
    SETUP = 2
    WALK = 3
    DRAIN = 4


class Command(wiring.Signature):
    """What the sequencer tells fire to do, in the clock in which it is `valid`."""

    def __init__(self, config: FabricConfig) -> None:
        super().__init__({"valid": Out(1), "p": Out(struct(config.fire))})


class Fire(wiring.Component):
    """Updates every neuron of one phase, in order, and hands on the spikes.

    Timing: a population of n neurons takes n + 4 + `config.fire_clocks` clocks if the spike queue
    never fills; one neuron per clock while it walks. A group begins only when the spike queue has
    room for a whole one's spikes, so that the pipeline never stalls.

    Parameters
    ----------
    config
        Sizes of the fabric.
    contents
        Rows that its memories start with.

    Members
    -------
    command : In(Command(config))
        Fire the next phase; comes only when idle.
    fetch : Out(Fetch(config))
        Reads and clears rows of sums.
    load : In(load_signature(config))
    read : In(read_signature(config))
        With `readable` only.
    spike_valid : Out(1), spike : Out(config.spike)
        To the spike queue, which always has room.
    popped : In(1)
        The spike queue gave up a spike.
    idle : Out(1)
    slot, ahead : Out
        Of the command being fired.
    fired : Out(config.spike_clocks)
        Spikes of a neuron in this clock.
    state_write, current_write : Out(MemoryWrite)
        What goes to the membrane potentials and, with `synaptic_current`, to the synaptic currents.
    """

    def __init__(self, config: FabricConfig, contents: Rows = NO_ROWS) -> None:
        self.config = config
        self.contents = contents
        write = Out(MemoryWrite(index_bits(config.neurons), config.state_bits))
        super().__init__(
            {
                "command": In(Command(config)),
                "fetch": Out(Fetch(config)),
                "load": In(load_signature(config)),
                **read_member(config),
                "spike_valid": Out(1),
                "spike": Out(struct(config.spike)),
                "routed": Out(1),
                "single": Out(1),
                "short": Out(1),
                "popped": In(1),
                "idle": Out(1),
                "slot": Out(config.slot_width),
                "ahead": Out(config.slot_width),
                "fired": Out(config.spike_clocks),
                "state_write": write,
                **({"current_write": write} if config.synaptic_current else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()

        m.submodules.populations = populations = memory(
            struct(config.population_row),
            1 << index_bits(config.populations),
            self.contents.get(LoadTarget.POPULATION, ()),
        )
        m.submodules.biases = biases = memory(
            struct(config.bias_row), config.neurons, self.contents.get(LoadTarget.BIAS, ())
        )
        m.submodules.states = states = memory(signed(config.state_bits), config.neurons)
        connect_load(m, self.load, LoadTarget.POPULATION, populations)
        connect_load(m, self.load, LoadTarget.BIAS, biases)
        population_read = populations.read_port()
        bias_read = biases.read_port()
        state_read = states.read_port()
        state_write = states.write_port()
        population = population_read.data

        first = Signal()
        row = Signal(index_bits(config.populations))
        state = Signal(State)
        left = Signal.like(population.neurons)
        some = Signal()  # left != 0
        count = Signal(range(config.lanes + 1))  # neurons of the next group
        entering = Signal.like(count)  # of the group begun last that have not yet entered
        begins = Signal()
        credits = Signal(count_bits(config.queue), init=config.queue)
        enough = Signal()  # credits for a group
        returned = Signal(2)
        moving = Signal()  # a neuron is in the pipeline

        m.d.comb += [
            self.idle.eq(state == State.IDLE),
            population_read.addr.eq(row),
            population_read.en.eq(state == State.LOOKUP),
            begins.eq((state == State.WALK) & some & ~entering[1:].any() & enough),
        ]
        m.d.sync += self.fetch.valid.eq(begins)
        with m.If(self.fetch.valid):
            m.d.sync += self.fetch.address.eq(self.fetch.address + config.slots)
        with m.If(begins):
            m.d.sync += [left.eq(left - count), some.eq(left != count), entering.eq(count)]
        with m.Elif(entering != 0):
            m.d.sync += entering.eq(entering - 1)
        with m.Switch(state):
            with m.Case(State.IDLE):
                with m.If(self.command.valid):
                    m.d.sync += [
                        first.eq(self.command.p.first),
                        self.ahead.eq(self.command.p.ahead),
                        self.slot.eq(self.command.p.slot),
                        state.eq(State.LOOKUP),
                    ]
                    with m.If(self.command.p.restart):
                        m.d.sync += row.eq(0)
            with m.Case(State.LOOKUP):
                # Nothing looks at the next row before the next LOOKUP.
                m.d.sync += [row.eq(row + 1), state.eq(State.SETUP)]
            with m.Case(State.SETUP):
                m.d.sync += [
                    left.eq(population.neurons),
                    some.eq(population.neurons != 0),
                    self.fetch.address.eq(population.sum_base + self.slot),
                    state.eq(State.WALK),
                ]
            with m.Case(State.WALK):
                with m.If(~some):
                    m.d.sync += state.eq(State.DRAIN)
            with m.Case(State.DRAIN):
                with m.If((entering == 0) & ~moving):
                    m.d.sync += state.eq(Mux(population.more, State.LOOKUP, State.IDLE))

        # Which neuron is in the pipeline, by the clocks since it entered.
        last = config.fire_clocks
        current = 4 + config.product_clocks  # when the synaptic current is written
        occupied: list[Value] = [entering != 0]
        for _ in range(last):
            occupied.append(delayed(m, occupied[-1], 1))
        m.d.comb += moving.eq(Cat(occupied[1:]).any())
        done = occupied[last]
        if config.images:
            # A group's place and addresses come from the walk, and go along with its neurons.
            m.submodules.walk = walk = ImageWalk(config)
            m.d.comb += [
                walk.population.eq(population),
                walk.start.eq(state == State.SETUP),
                walk.advance.eq(begins),
                count.eq(walk.neurons),
            ]
            place = {name: Signal(width) for name, width in config.position}
            address, bias, index = (
                Signal.like(walk.address),
                Signal.like(walk.bias_address),
                Signal.like(walk.index),
            )
            with m.If(begins):
                m.d.sync += [
                    address.eq(walk.address),
                    bias.eq(walk.bias_address),
                    index.eq(walk.index),
                ]
                m.d.sync += [place[name].eq(getattr(walk, name)) for name in place]
            with m.Else():
                m.d.sync += [address.eq(address + 1), bias.eq(bias + 1), index.eq(index + 1)]
            read_address = address
            bias_address = delayed(m, bias, BIAS)
            current_address = delayed(m, address, current)
            write_address = delayed(m, current_address, last - current)
            done_index = delayed(m, index, last)
            for name, register in place.items():
                m.d.comb += self.spike[name].eq(delayed(m, register, last))
        else:
            # Neurons come in order, so that each stage can count them for itself.
            with m.If(state == State.SETUP):
                m.d.sync += count.eq(
                    Mux(population.neurons < config.lanes, population.neurons, config.lanes)
                )
            with m.Elif(begins):
                m.d.sync += count.eq(
                    Mux(left >= 2 * config.lanes, config.lanes, left - config.lanes)
                )

            def counted(base: Value, stage: int) -> Value:
                counter = Signal.like(base)
                with m.If(state == State.SETUP):
                    m.d.sync += counter.eq(base)
                with m.Elif(occupied[stage]):
                    m.d.sync += counter.eq(counter + 1)
                return counter

            read_address = counted(population.neuron_base, 0)
            bias_address = delayed(m, read_address, BIAS)
            current_address = counted(population.neuron_base, current)
            write_address = counted(population.neuron_base, last)
            done_index = counted(population.index_base, last)

        # The sums wait for their neurons.
        buffer = Signal(lanes(config.lanes, config.sum_bits))
        arriving = delayed(m, self.fetch.valid, 1)
        for lane in range(config.lanes):
            above = buffer[(lane + 1) % config.lanes]
            m.d.sync += buffer[lane].eq(Mux(arriving, self.fetch.sums[lane], above))

        m.submodules.update = update = NeuronUpdate(config)
        m.d.comb += [
            state_read.addr.eq(read_address),
            bias_read.addr.eq(bias_address),
            update.row.eq(population),
            update.v.eq(Mux(first, population.v_init, state_read.data)),
            update.x.eq(buffer[0] + bias_read.data.bias),
            state_write.addr.eq(write_address),
            state_write.data.eq(update.v_next),
            state_write.en.eq(done),
            self.state_write.valid.eq(state_write.en),
            self.state_write.address.eq(state_write.addr),
            self.state_write.data.eq(state_write.data),
        ]
        if config.synaptic_current:
            m.submodules.currents = currents = memory(signed(config.state_bits), config.neurons)
            current_read = currents.read_port()
            current_write = currents.write_port()
            m.d.comb += [
                current_read.addr.eq(read_address),
                update.i.eq(Mux(first, 0, current_read.data)),
                update.leak.eq(bias_read.data.leak),
                current_write.addr.eq(current_address),
                current_write.data.eq(update.i_next),
                current_write.en.eq(occupied[current]),
                self.current_write.valid.eq(current_write.en),
                self.current_write.address.eq(current_write.addr),
                self.current_write.data.eq(current_write.data),
            ]

        # What the row says of all its neurons is there long before the first one is done.
        sends = delayed(m, population.fan_out != 0, 1)
        reads = delayed(m, population.readout & (self.ahead == 0), 1)
        short = delayed(m, population.fan_out == 1, 1)
        m.d.comb += [
            self.fired.eq(Mux(done, update.spiked, 0)),
            self.routed.eq((update.spiked != 0) & sends),
            self.short.eq(short),
            self.single.eq(~self.routed | ((update.spiked == 1) & short & ~reads)),
            self.spike_valid.eq(done & (self.routed | reads)),
            self.spike.population.eq(population.number),
            self.spike.index.eq(done_index),
            self.spike.spiked.eq(update.spiked),
            self.spike.target_base.eq(population.target_base),
            self.spike.fan_out.eq(population.fan_out),
            self.spike.readout.eq(reads),
            self.spike.value.eq(update.v_next),
        ]

        # A group borrows room for its spikes; what is not needed is given back at once.
        unused = Signal()
        m.d.comb += unused.eq(done & ~self.spike_valid)
        m.d.sync += [
            returned.eq(unused + self.popped),
            credits.eq(credits + returned - Mux(begins, count, 0)),
            enough.eq(credits >= Mux(begins, 2 * config.lanes, config.lanes)),
        ]
        if config.readable:
            readable = {
                ReadTarget.POPULATION: population_read,
                ReadTarget.BIAS: bias_read,
                ReadTarget.STATE: state_read,
            }
            if config.synaptic_current:
                readable[ReadTarget.CURRENT] = current_read
            m.d.comb += self.read.data.eq(connect_read(m, self.read, readable))
        return m
