"""Fire: walks the populations of a phase and updates their neurons."""

from functools import reduce
from operator import add, or_
from typing import NamedTuple

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import ReadPort, WritePort
from amaranth.lib.wiring import In, Out, connect, flipped

from spikeloom.golden.contents import NO_ROWS, Rows
from spikeloom.golden.spec import (
    RANDOM_BITS,
    FabricConfig,
    LoadTarget,
    ReadTarget,
    count_bits,
    index_bits,
)
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.load import connect_load, load_signature
from spikeloom.hdl.common.read import SplitRow, connect_read, read_member
from spikeloom.hdl.common.shapes import memory, struct
from spikeloom.hdl.core.addresses import (
    Addresses,
    Walk,
    current_stage,
    image_addresses,
    plain_addresses,
)
from spikeloom.hdl.core.banks import Banks
from spikeloom.hdl.core.credits import lend
from spikeloom.hdl.core.neuron import NeuronUpdate
from spikeloom.hdl.core.noise import noise_of
from spikeloom.hdl.core.ports import Command, Fetch, MemoryWrite, StatePort
from spikeloom.hdl.core.quick_walk import quick_walk
from spikeloom.hdl.core.random_numbers import StepState
from spikeloom.hdl.core.schedule import first_row
from spikeloom.hdl.core.select import Select
from spikeloom.hdl.core.sums import neuron_input, shifting
from spikeloom.hdl.core.switches.plasticity import touches
from spikeloom.hdl.core.switches.stage import begins


class _NeuronMemories(NamedTuple):
    """The memories with a row for each neuron; `currents` with `synaptic_current` only."""

    biases: Banks
    states: Banks
    currents: Banks | None

    def readable(self, read: wiring.PureInterface) -> dict[ReadTarget, ReadPort | SplitRow]:
        """What the read port reads of them."""
        named = {
            ReadTarget.BIAS: self.biases,
            ReadTarget.STATE: self.states,
            ReadTarget.CURRENT: self.currents,
        }
        return {target: banks.readable(read) for target, banks in named.items() if banks}


class Fire(wiring.Component):
    """Updates every neuron of one phase, in order, and pushes spikes to the spike queue.

    Timing: a population of n > 0 rows of `fire_lanes` neurons takes n + `latency` clocks if the
    spike queue never fills; one row enters per clock. A group begins only when the spike queue has
    room for each of its rows, so the pipeline never stalls.

    Parameters
    ----------
    config
        Sizes of the fabric.
    contents
        Initial rows of its memories.

    Members
    -------
    command : In(Command(config))
        Fire the next phase; comes only when idle.
    fetch : Out(Fetch(config))
        Reads and clears rows of accumulators.
    load : In(load_signature(config))
    read : In(read_signature(config))
        With `readable` only.
    spike_valid : Out(1)
        Pushes `spike` to the spike queue, which always has room.
    spike : Out(config.spike_row)
    routed : Out(fire_lanes)
        With the spike: the neuron of each lane spiked and has a fan-out.
    single : Out(fire_lanes)
        With the spike: it becomes exactly one packet.
    short : Out(1)
        With the spike: the fan-out of its population has one row.
    popped : In(1)
        The spike queue gave up an entry.
    idle : Out(1)
        No phase is being fired.
    slot, ahead : Out
        Of the command being fired.
    fired : Out
        Spikes of neurons in this clock.
    state_write : Out(MemoryWrite)
        Writes to the membrane potentials and what switches keep, packed as `config.state_row`.
    current_write : Out(MemoryWrite)
        With `synaptic_current` only: writes to the synaptic currents.
    states : In(StatePort(config))
        With `plasticity` only: learn reads the state memory.
    touches : Out(1)
        With `plasticity` only: a neuron of `state_write` makes its group learn.
    random_state : Out(32)
        With `plasticity` only: what the random numbers of the step are made of.
    """

    def __init__(self, config: FabricConfig, contents: Rows = NO_ROWS) -> None:
        self.config = config
        self.contents = contents
        fire_lanes, banks = config.fire_lanes, index_bits(config.bank_rows)
        state_write = Out(MemoryWrite(banks, config.state_row.width, fire_lanes))
        current_write = Out(MemoryWrite(banks, config.current_row.width, fire_lanes))
        plastic = {
            "states": In(StatePort(config)),
            "touches": Out(1),
            "random_state": Out(RANDOM_BITS),
        }
        super().__init__(
            {
                "command": In(Command(config)),
                "fetch": Out(Fetch(config)),
                "load": In(load_signature(config)),
                **read_member(config),
                "spike_valid": Out(1),
                "spike": Out(struct(config.spike_row)),
                "routed": Out(fire_lanes),
                "single": Out(fire_lanes),
                "short": Out(1),
                "popped": In(1),
                "idle": Out(1),
                "slot": Out(config.slot_width),
                "ahead": Out(config.slot_width),
                "fired": Out(count_bits(fire_lanes * config.max_spikes)),
                "state_write": state_write,
                **({"current_write": current_write} if config.synaptic_current else {}),
                **(plastic if config.plasticity else {}),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from a command to the clock in which the phase is over, beyond one per row."""
        config = self.config
        return config.fire_clocks + (4 if config.fire_lanes == 1 else config.images)

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()

        m.submodules.populations = populations = memory(
            struct(config.population_row),
            1 << index_bits(config.populations),
            self.contents.get(LoadTarget.POPULATION, ()),
        )
        memories = _NeuronMemories(
            Banks(
                m,
                "biases",
                struct(config.bias_row),
                config,
                config.bias_depth,
                self.contents.get(LoadTarget.BIAS),
            ),
            Banks(m, "states", struct(config.state_row), config, config.neurons),
            Banks(m, "currents", signed(config.state_bits), config, config.neurons)
            if config.synaptic_current
            else None,
        )
        connect_load(m, self.load, LoadTarget.POPULATION, populations)
        memories.biases.load(self.load, LoadTarget.BIAS)
        population_read = populations.read_port()
        population = population_read.data

        moving = Signal()  # a neuron is in the pipeline
        enough = Signal()  # credits for a group
        select = Select(config) if config.selection else None
        if config.fire_lanes == 1:
            walk = self._walk(m, population_read, moving, enough, select)
        else:
            walk = quick_walk(m, config, self, population_read, moving, enough)

        # The lanes of the row in each stage of the pipeline, by the clocks since it entered.
        occupied: list[Value] = [walk.valid]
        for _ in range(config.fire_clocks):
            occupied.append(delayed(m, occupied[-1], 1))
        stages = occupied[1:] if config.fire_lanes == 1 else occupied[1:-1]
        m.d.comb += moving.eq(Cat(stages).any())
        done = occupied[config.fire_clocks]
        if config.images:
            rows, position = image_addresses(m, config, walk, population, select)
            m.d.comb += [self.spike[name].eq(value) for name, value in position.items()]
        else:
            rows = plain_addresses(m, config, walk, population, occupied, select)

        sums = shifting(m, config, self.fetch)
        updates = [
            self._update(m, lane, population, memories, rows, walk.first, sums[lane], occupied)
            for lane in range(config.fire_lanes)
        ]
        state = self._random_state(m) if config.noise or config.plasticity else Const(0)
        if config.noise:
            noises = noise_of(m, config, state, self.load, population, rows.number)
            m.d.comb += [update.noise.eq(n) for update, n in zip(updates, noises, strict=True)]
        if config.plasticity:
            m.d.comb += self.random_state.eq(state)
            self._learn(m, population, memories.states, updates)
        if select is not None:
            m.submodules.select = select
            started = walk.setup, walk.begins, occupied[config.fire_clocks - 1]
            m.d.comb += select.joined(population, updates[0], *started)
        self._push(m, population, updates, done, rows.index, select)
        returns = reduce(or_, list(done)) & ~self.spike_valid
        lend(m, config, enough, walk.begins, walk.count_rows, returns, self.popped)
        if config.readable:
            readable = {ReadTarget.POPULATION: population_read, **memories.readable(self.read)}
            m.d.comb += self.read.data.eq(connect_read(m, self.read, readable))
        return m

    def _update(
        self,
        m: Module,
        lane: int,
        population: data.View,
        memories: _NeuronMemories,
        rows: Addresses,
        first: Signal,
        total: Value,
        occupied: list[Value],
    ) -> NeuronUpdate:
        """The update of a fire lane, between the banks of its neurons."""
        config = self.config
        update = NeuronUpdate(config)
        m.submodules["update" if config.fire_lanes == 1 else f"update{lane}"] = update
        bias_read, state_read = memories.biases.reads[lane], memories.states.reads[lane]
        state_write = memories.states.write_port(lane)
        constants = bias_read.data
        v_init = (constants if config.initial_potentials else population).v_init
        if config.neuron_parameters:
            m.d.comb += [getattr(update, name).eq(constants[name]) for name in update.own]
            constants = data.View(constants.shape(), delayed(m, constants.as_value(), 1))
        m.d.comb += [
            state_read.addr.eq(rows.read),
            bias_read.addr.eq(rows.bias),
            update.row.eq(population),
            update.v.eq(Mux(first, v_init, state_read.data.value)),
            update.x.eq(neuron_input(m, config, total, population, constants)),
            state_write.addr.eq(rows.state),
            state_write.data.value.eq(update.v_next),
            state_write.en.eq(occupied[config.fire_clocks][lane]),
        ]
        if config.input_gain:
            m.d.comb += [update.bias.eq(constants.bias), update.gain.eq(constants.gain)]
        self._observe(m, self.state_write, lane, state_write)
        for name in (field.name for field in config.kept_row.fields):
            before = Mux(begins(first, population, name), 0, state_read.data[name])
            after = update.kept_next[name]
            m.d.comb += [update.kept[name].eq(before), state_write.data[name].eq(after)]
        if memories.currents:
            current_read = memories.currents.reads[lane]
            current_write = memories.currents.write_port(lane)
            m.d.comb += [
                current_read.addr.eq(rows.read),
                update.i.eq(Mux(first, 0, current_read.data)),
                update.leak.eq(constants.leak),
                current_write.addr.eq(rows.current),
                current_write.data.eq(update.i_next),
                current_write.en.eq(occupied[current_stage(self.config)][lane]),
            ]
            self._observe(m, self.current_write, lane, current_write)
        return update

    def _random_state(self, m: Module) -> Value:
        """What the random numbers of the step are made of."""
        m.submodules.random = random = StepState(self.config)
        connect(m, flipped(self.command), random.command)
        connect(m, flipped(self.load), random.load)
        return random.state

    def _learn(
        self, m: Module, population: data.View, states: Banks, updates: list[NeuronUpdate]
    ) -> None:
        """Says which neurons make their group learn, and lends the port of the states."""
        written = self.state_write.valid
        m.d.comb += [
            self.touches.eq(
                Cat(
                    written[lane] & touches(population, update.kept_next)
                    for lane, update in enumerate(updates)
                ).any()
            ),
            self.states.row.eq(states.row(self.states.address)),
        ]
        with m.If(self.states.active):
            m.d.comb += states.look_up(self.states.address)

    def _observe(
        self, m: Module, observed: wiring.PureInterface, lane: int, write: WritePort
    ) -> None:
        """Show a lane's write to a bench."""
        data_bits = len(Value.cast(write.data))
        m.d.comb += [
            observed.valid[lane].eq(write.en),
            observed.address.eq(write.addr),
            observed.data.word_select(lane, data_bits).eq(write.data),
        ]

    def _walk(
        self,
        m: Module,
        population_read: ReadPort,
        moving: Signal,
        enough: Signal,
        select: Select | None,
    ) -> Walk:
        """Reads the phase's populations one after the other and fetches their sums by group."""
        config = self.config
        population = population_read.data
        first = Signal()
        row = Signal(population_read.addr.shape())
        left = Signal.like(population.neurons)
        some = Signal()  # left != 0
        count = Signal(range(config.lanes + 1))
        entering = Signal.like(count)
        begins = Signal()
        begin = first_row(m, self.command, population) if config.schedules else Const(0)
        fetches = begins if select is None else begins & ~select.settled
        m.d.sync += self.fetch.valid.eq(fetches)
        with m.If(self.fetch.valid):
            m.d.sync += self.fetch.address.eq(self.fetch.address + config.slots)
        with m.If(begins):
            m.d.sync += [left.eq(left - count), some.eq(left != count), entering.eq(count)]
        with m.Elif(entering != 0):
            m.d.sync += entering.eq(entering - 1)
        with m.FSM() as fsm:
            with m.State("IDLE"):
                with m.If(self.command.valid):
                    m.d.sync += [
                        first.eq(self.command.p.first),
                        self.ahead.eq(self.command.p.ahead),
                        self.slot.eq(self.command.p.slot),
                    ]
                    with m.If(self.command.p.restart):
                        m.d.sync += row.eq(begin)
                    m.next = "LOOKUP"
            with m.State("LOOKUP"):
                m.d.sync += row.eq(row + 1)  # unused before the next LOOKUP
                m.next = "SETUP"
            with m.State("SETUP"):
                m.d.sync += [
                    left.eq(population.neurons),
                    some.eq(population.neurons != 0),
                    self.fetch.address.eq(population.sum_base + self.slot),
                ]
                m.next = "WALK"
            with m.State("WALK"):
                with m.If(~some):
                    m.next = "DRAIN"
            with m.State("DRAIN"):
                with m.If((entering == 0) & ~moving):
                    with m.If(population.more):
                        m.next = "LOOKUP"
                    with m.Else():
                        m.next = "IDLE"
                    if select is not None:
                        m.d.comb += select.ends.eq(1)
                        with m.If(select.again):
                            m.next = "SETUP"
        if select is not None:
            first = first & ~select.settled
        walks = fsm.ongoing("WALK")
        m.d.comb += [
            self.idle.eq(fsm.ongoing("IDLE")),
            population_read.addr.eq(row),
            population_read.en.eq(fsm.ongoing("LOOKUP")),
            begins.eq(walks & some & ~entering[1:].any() & enough),
        ]
        setup = fsm.ongoing("SETUP")
        return Walk(setup, begins, count, count, entering, entering != 0, left, first)

    def _push(
        self,
        m: Module,
        population: data.View,
        updates: list[NeuronUpdate],
        done: Value,
        index: Value,
        select: Select | None,
    ) -> None:
        """Pushes the row in the last stage to the spike queue if a neuron becomes a packet."""
        config = self.config
        # Fields of the row have settled long before the first neuron is done.
        sends = delayed(m, population.fan_out != 0, 1)
        reads = population.readout & (self.ahead == 0)
        if config.traces:
            reads = reads | population.trace
        if select is not None:
            m.d.comb += select.reads.eq(reads)
            reads = reads & (~population.selection | select.sends)
        reads = delayed(m, reads, 1)
        short = delayed(m, population.fan_out == 1, 1)
        traced = config.traces and config.synaptic_current
        if traced:
            # A spike that is pushed and not routed has a state to read out.
            several = delayed(m, population.currents, 1)
            m.d.comb += self.spike.currents.eq(population.currents)
        pushed: list[Value] = []
        for lane, update in enumerate(updates):
            number = "" if config.fire_lanes == 1 else str(lane)
            routed = self.routed[lane]
            # With a state to read out: nothing but the state is sent.
            alone = ~routed & ~several if traced else ~routed
            sent_once = update.spiked != 0 if config.graded_bits else update.spiked == 1
            pushed.append(done[lane] & (routed | reads))
            m.d.comb += [
                routed.eq((update.spiked != 0) & sends),
                self.single[lane].eq(alone | (sent_once & short & ~reads)),
                self.spike[f"spiked{number}"].eq(update.spiked),
                self.spike[f"value{number}"].eq(update.v_next),
            ]
            if config.signed_spikes:
                m.d.comb += self.spike[f"negative{number}"].eq(update.negative)
            if traced:
                current = delayed(m, update.i_next, config.fire_clocks - current_stage(self.config))
                m.d.comb += self.spike[f"current{number}"].eq(current)
        if config.fire_lanes > 1:
            m.d.comb += self.spike.sends.eq(Cat(pushed))
        fired = (Mux(done[lane], update.spiked, 0) for lane, update in enumerate(updates))
        m.d.comb += [
            self.fired.eq(reduce(add, fired)),
            self.short.eq(short),
            self.spike_valid.eq(reduce(or_, pushed)),
            self.spike.population.eq(population.number),
            self.spike.index.eq(index),
            self.spike.target_base.eq(population.target_base),
            self.spike.fan_out.eq(population.fan_out),
            self.spike.readout.eq(reads),
        ]
