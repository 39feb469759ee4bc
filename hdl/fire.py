"""Fire: walks the populations of a phase and updates their neurons."""

from amaranth import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import FabricConfig, LoadTarget, count_bits, index_bits
from hdl.integrate import Fetch, MemoryWrite
from hdl.load import connect_load, load_signature
from hdl.neuron import NeuronUpdate
from hdl.shapes import lanes, memory, struct
from hdl.walk import ImageWalk

CURRENT = 4
"""Clocks from a neuron leaving the buffer to the write of its synaptic state."""


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

    Timing: a population of n neurons takes n + 5 + `config.fire_clocks` clocks if the spike queue
    never fills; one neuron per clock while it walks. Groups are fetched only when the spike queue
    has room for all their spikes, so that the pipeline never stalls.

    Parameters
    ----------
    config
        Sizes of the fabric.

    Members
    -------
    command : In(Command(config))
        Fire the next phase; comes only when idle.
    fetch : Out(Fetch(config))
        Reads and clears rows of sums.
    load : In(load_signature(config))
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
        What goes to the membrane potentials and, with `synaptic_state`, to the synaptic states.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        write = Out(MemoryWrite(index_bits(config.neurons), config.state_bits))
        super().__init__(
            {
                "command": In(Command(config)),
                "fetch": Out(Fetch(config)),
                "load": In(load_signature(config)),
                "spike_valid": Out(1),
                "spike": Out(struct(config.spike)),
                "popped": In(1),
                "idle": Out(1),
                "slot": Out(config.slot_width),
                "ahead": Out(config.slot_width),
                "fired": Out(config.spike_clocks),
                "state_write": write,
                **({"current_write": write} if config.synaptic_state else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()

        m.submodules.populations = populations = memory(
            struct(config.population_row), 1 << index_bits(config.populations)
        )
        m.submodules.biases = biases = memory(struct(config.bias_row), config.neurons)
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
        wait = Signal(range(config.lanes + 1))
        fetch_address = Signal.like(self.fetch.address)
        # Neurons in this fetch, and in the one that arrives in this clock.
        fetching = Signal(range(config.lanes + 1))
        arriving = Signal.like(fetching)
        credits = Signal(count_bits(config.queue), init=config.queue)
        moving = Signal()  # a neuron is in the buffer or the pipeline

        m.d.comb += [
            self.idle.eq(state == State.IDLE),
            population_read.addr.eq(row),
            population_read.en.eq(state == State.LOOKUP),
            self.fetch.valid.eq(
                (state == State.WALK) & (left != 0) & (wait == 0) & (credits >= fetching)
            ),
            self.fetch.address.eq(fetch_address),
        ]
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
                m.d.sync += state.eq(State.SETUP)
            with m.Case(State.SETUP):
                m.d.sync += [
                    left.eq(population.neurons),
                    fetch_address.eq(population.sum_base + self.slot),
                    wait.eq(0),
                    state.eq(State.WALK),
                ]
            with m.Case(State.WALK):
                with m.If(self.fetch.valid):
                    m.d.sync += [
                        left.eq(left - fetching),
                        fetch_address.eq(fetch_address + config.slots),
                        wait.eq(fetching - 1),
                    ]
                with m.Elif(wait != 0):
                    m.d.sync += wait.eq(wait - 1)
                with m.If(left == 0):
                    m.d.sync += state.eq(State.DRAIN)
            with m.Case(State.DRAIN):
                with m.If(~moving):
                    m.d.sync += [
                        row.eq(row + 1),
                        state.eq(Mux(population.more, State.LOOKUP, State.IDLE)),
                    ]

        # Stage 0: a fetched group leaves the buffer, one neuron per clock.
        buffer = Signal(lanes(config.lanes, config.sum_bits))
        held = Signal.like(fetching)
        neuron = Signal(
            data.StructLayout(
                {
                    "index": config.index_width,
                    **dict(config.place),
                    "address": index_bits(config.neurons),
                }
            )
        )
        m.d.sync += arriving.eq(Mux(self.fetch.valid, fetching, 0))
        with m.If(held != 0):
            m.d.sync += [
                held.eq(held - 1),
                neuron.index.eq(neuron.index + 1),
                neuron.address.eq(neuron.address + 1),
            ]
            for lane in range(config.lanes - 1):
                m.d.sync += buffer[lane].eq(buffer[lane + 1])
        with m.If(arriving != 0):
            m.d.sync += [held.eq(arriving), buffer.eq(self.fetch.sums)]
        bias_address = neuron.address
        if config.images:
            # The walk goes on when a row arrives, a clock after its fetch. That is early enough for
            # the next fetch: only a full group is followed by one of another size, and after that
            # the next fetch waits.
            bias_address = Signal.like(neuron.address)
            m.submodules.walk = walk = ImageWalk(config)
            m.d.comb += [
                walk.population.eq(population),
                walk.start.eq(state == State.SETUP),
                walk.advance.eq(arriving != 0),
                fetching.eq(walk.neurons),
            ]
            with m.If(held != 0):
                m.d.sync += bias_address.eq(bias_address + 1)
            with m.If(arriving != 0):
                m.d.sync += [
                    neuron.index.eq(walk.index),
                    neuron.y.eq(walk.y),
                    neuron.x.eq(walk.x),
                    neuron.address.eq(walk.address),
                    bias_address.eq(walk.bias_address),
                ]
        else:
            m.d.comb += fetching.eq(Mux(left < config.lanes, left, config.lanes))
            with m.If(state == State.SETUP):
                m.d.sync += [
                    neuron.index.eq(population.index_base),
                    neuron.address.eq(population.neuron_base),
                ]
        m.d.comb += [
            state_read.addr.eq(neuron.address),
            state_read.en.eq(held != 0),
            bias_read.addr.eq(bias_address),
            bias_read.en.eq(held != 0),
        ]

        # Stages from 1 on: the update, and beside it who is being updated.
        updating = data.StructLayout({"valid": 1, "neuron": neuron.shape()})
        stages = Signal(data.ArrayLayout(updating, config.fire_clocks))
        m.d.sync += [stages[0].valid.eq(held != 0), stages[0].neuron.eq(neuron)]
        for stage in range(1, config.fire_clocks):
            m.d.sync += stages[stage].eq(stages[stage - 1])
        done = stages[config.fire_clocks - 1]
        occupied = held != 0
        for stage in range(config.fire_clocks):
            occupied |= stages[stage].valid
        m.d.comb += moving.eq(occupied)

        sum_of_neuron = Signal(signed(config.sum_bits))
        m.d.sync += sum_of_neuron.eq(buffer[0])
        m.submodules.update = update = NeuronUpdate(config)
        m.d.comb += [
            update.row.eq(population),
            update.v.eq(Mux(first, population.v_init, state_read.data)),
            update.x.eq(sum_of_neuron + bias_read.data.bias),
            state_write.addr.eq(done.neuron.address),
            state_write.data.eq(update.v_next),
            state_write.en.eq(done.valid),
            self.state_write.valid.eq(state_write.en),
            self.state_write.address.eq(state_write.addr),
            self.state_write.data.eq(state_write.data),
        ]
        if config.synaptic_state:
            m.submodules.currents = currents = memory(signed(config.state_bits), config.neurons)
            current_read = currents.read_port()
            current_write = currents.write_port()
            m.d.comb += [
                current_read.addr.eq(neuron.address),
                current_read.en.eq(held != 0),
                update.i.eq(Mux(first, 0, current_read.data)),
                update.leak.eq(bias_read.data.leak),
                current_write.addr.eq(stages[CURRENT - 1].neuron.address),
                current_write.data.eq(update.i_next),
                current_write.en.eq(stages[CURRENT - 1].valid),
                self.current_write.valid.eq(current_write.en),
                self.current_write.address.eq(current_write.addr),
                self.current_write.data.eq(current_write.data),
            ]

        routed = Signal()
        readout = Signal()
        m.d.comb += [
            self.fired.eq(Mux(done.valid, update.spiked, 0)),
            routed.eq((update.spiked != 0) & (population.fan_out != 0)),
            readout.eq(population.readout & (self.ahead == 0)),
            self.spike_valid.eq(done.valid & (routed | readout)),
            self.spike.population.eq(population.number),
            self.spike.index.eq(done.neuron.index),
            self.spike.spiked.eq(update.spiked),
            self.spike.target_base.eq(population.target_base),
            self.spike.fan_out.eq(population.fan_out),
            self.spike.readout.eq(readout),
            self.spike.value.eq(update.v_next),
        ]
        for name, _ in config.place:
            m.d.comb += self.spike[name].eq(done.neuron[name])

        # A fetch borrows room for its spikes; a neuron that sends none gives it back at once.
        unused = Signal()
        m.d.comb += unused.eq(done.valid & ~self.spike_valid)
        m.d.sync += credits.eq(credits + unused + self.popped - Mux(self.fetch.valid, fetching, 0))
        return m
