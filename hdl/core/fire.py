"""Fire: walks the populations of a phase and updates their neurons."""

from typing import NamedTuple

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import ReadPort
from amaranth.lib.wiring import In, Out

from spikeloom.golden.contents import NO_ROWS, Rows
from spikeloom.golden.spec import NUMBER_BITS, FabricConfig, LoadTarget, ReadTarget, index_bits
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.load import connect_load, load_signature
from spikeloom.hdl.common.read import connect_read, read_member
from spikeloom.hdl.common.shapes import memory, struct
from spikeloom.hdl.core.credits import lend
from spikeloom.hdl.core.neuron import NeuronUpdate
from spikeloom.hdl.core.noise import noise_of
from spikeloom.hdl.core.ports import Command, Fetch, MemoryWrite
from spikeloom.hdl.core.schedule import first_row
from spikeloom.hdl.core.select import Select
from spikeloom.hdl.core.sums import neuron_input
from spikeloom.hdl.core.switches.stage import begins
from spikeloom.hdl.core.walk import ImageWalk


class _Walk(NamedTuple):
    """The walk over a population, group by group.

    Parameters
    ----------
    setup
        The population's row has arrived; the walk over it starts in the next clock.
    begins
        A group begins.
    count
        Neurons of the next group.
    entering
        Neurons of the group begun last that have not yet entered the pipeline.
    left
        Neurons of groups not yet begun.
    first
        The step is the first one of a sample.
    """

    setup: Value
    begins: Signal
    count: Signal
    entering: Signal
    left: Signal
    first: Signal


class _Addresses(NamedTuple):
    """Memory rows of the neurons in the pipeline, each in the stage that uses it.

    Parameters
    ----------
    read
        State and current to be read.
    bias
        Bias to be read.
    current, state
        Synaptic current and membrane potential to be written.
    index
        Index of the neuron in the last stage.
    number
        With `noise`: the number in its population of the neuron to be read.
    """

    read: Value
    bias: Value
    current: Value
    state: Value
    index: Value
    number: Value


class Fire(wiring.Component):
    """Updates every neuron of one phase, in order, and pushes spikes to the spike queue.

    Timing: a population of n > 0 neurons takes n + `latency` clocks if the spike queue never fills,
    and an empty one 4; one neuron enters per clock. A group begins only when the spike queue has
    room for a spike of each of its neurons, so the pipeline never stalls.

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
    spike : Out(config.spike)
    routed : Out(1)
        With the spike: the neuron spiked and has a fan-out.
    single : Out(1)
        With the spike: it becomes exactly one packet.
    short : Out(1)
        With the spike: the fan-out of its population has one row.
    popped : In(1)
        The spike queue gave up a spike.
    idle : Out(1)
        No phase is being fired.
    slot, ahead : Out
        Of the command being fired.
    fired : Out(config.spike_clocks)
        Spikes of a neuron in this clock.
    state_write : Out(MemoryWrite)
        Writes to the membrane potentials and what switches keep, packed as `config.state_row`.
    current_write : Out(MemoryWrite)
        With `synaptic_current` only: writes to the synaptic currents.
    """

    def __init__(self, config: FabricConfig, contents: Rows = NO_ROWS) -> None:
        self.config = config
        self.contents = contents
        neurons = index_bits(config.neurons)
        state_write = Out(MemoryWrite(neurons, config.state_row.width))
        current_write = Out(MemoryWrite(neurons, config.current_row.width))
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
                "state_write": state_write,
                **({"current_write": current_write} if config.synaptic_current else {}),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from a command to the clock in which the phase is over, beyond one per neuron."""
        return 4 + self.config.fire_clocks

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()

        m.submodules.populations = populations = memory(
            struct(config.population_row),
            1 << index_bits(config.populations),
            self.contents.get(LoadTarget.POPULATION, ()),
        )
        m.submodules.biases = biases = memory(
            struct(config.bias_row), config.bias_depth, self.contents.get(LoadTarget.BIAS, ())
        )
        m.submodules.states = states = memory(struct(config.state_row), config.neurons)
        connect_load(m, self.load, LoadTarget.POPULATION, populations)
        connect_load(m, self.load, LoadTarget.BIAS, biases)
        population_read = populations.read_port()
        bias_read = biases.read_port()
        state_read = states.read_port()
        state_write = states.write_port()
        population = population_read.data
        readable = {
            ReadTarget.POPULATION: population_read,
            ReadTarget.BIAS: bias_read,
            ReadTarget.STATE: state_read,
        }

        moving = Signal()  # a neuron is in the pipeline
        enough = Signal()  # credits for a group
        self._select = Select(config) if config.selection else None
        walk = self._walk(m, population_read, moving, enough)

        # Whether a neuron is in the pipeline, by the clocks since it entered.
        occupied: list[Value] = [walk.entering != 0]
        for _ in range(config.fire_clocks):
            occupied.append(delayed(m, occupied[-1], 1))
        m.d.comb += moving.eq(Cat(occupied[1:]).any())
        done = occupied[config.fire_clocks]
        if config.images:
            rows = self._image_addresses(m, walk, population)
        else:
            rows = self._addresses(m, walk, population, occupied)

        m.submodules.update = update = NeuronUpdate(config)
        constants = bias_read.data
        v_init = (constants if config.initial_potentials else population).v_init
        if config.neuron_parameters:
            m.d.comb += [getattr(update, name).eq(constants[name]) for name in update.own]
            constants = data.View(constants.shape(), delayed(m, constants.as_value(), 1))
        m.d.comb += [
            state_read.addr.eq(rows.read),
            bias_read.addr.eq(rows.bias),
            update.row.eq(population),
            update.v.eq(Mux(walk.first, v_init, state_read.data.value)),
            update.x.eq(neuron_input(m, config, self.fetch, population, constants)),
            state_write.addr.eq(rows.state),
            state_write.data.value.eq(update.v_next),
            state_write.en.eq(done),
            self.state_write.valid.eq(state_write.en),
            self.state_write.address.eq(state_write.addr),
            self.state_write.data.eq(state_write.data),
        ]
        if config.input_gain:
            m.d.comb += [update.bias.eq(constants.bias), update.gain.eq(constants.gain)]
        for name in (field.name for field in config.kept_row.fields):
            before = Mux(begins(walk.first, population, name), 0, state_read.data[name])
            after = update.kept_next[name]
            m.d.comb += [update.kept[name].eq(before), state_write.data[name].eq(after)]
        if config.noise:
            noise = noise_of(m, config, self.command, self.load, population, rows.number)
            m.d.comb += update.noise.eq(noise)
        if config.synaptic_current:
            m.submodules.currents = currents = memory(signed(config.state_bits), config.neurons)
            current_read = currents.read_port()
            current_write = currents.write_port()
            m.d.comb += [
                current_read.addr.eq(rows.read),
                update.i.eq(Mux(walk.first, 0, current_read.data)),
                update.leak.eq(constants.leak),
                current_write.addr.eq(rows.current),
                current_write.data.eq(update.i_next),
                current_write.en.eq(occupied[self._current_stage]),
                self.current_write.valid.eq(current_write.en),
                self.current_write.address.eq(current_write.addr),
                self.current_write.data.eq(current_write.data),
            ]
            readable[ReadTarget.CURRENT] = current_read

        if self._select is not None:
            m.submodules.select = self._select
            started = walk.setup, walk.begins, occupied[config.fire_clocks - 1]
            m.d.comb += self._select.joined(population, update, *started)
        self._push(m, population, update, done, rows.index)
        returns = done & ~self.spike_valid
        lend(m, config, enough, walk.begins, walk.count, returns, self.popped)
        if config.readable:
            m.d.comb += self.read.data.eq(connect_read(m, self.read, readable))
        return m

    @property
    def _bias_stage(self) -> int:
        """Clocks from a neuron entering the pipeline to the read of its row of the bias memory."""
        return 0 if self.config.neuron_parameters else 1

    @property
    def _current_stage(self) -> int:
        """Clocks from a neuron entering the pipeline to the write of its synaptic current."""
        return 4 + self.config.product_clocks + self.config.input_gain

    def _walk(self, m: Module, population_read: ReadPort, moving: Signal, enough: Signal) -> _Walk:
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
        fetches = begins if self._select is None else begins & ~self._select.settled
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
                    if self._select is not None:
                        m.d.comb += self._select.ends.eq(1)
                        with m.If(self._select.again):
                            m.next = "SETUP"
        if self._select is not None:
            m.d.comb += self._select.lookup.eq(fsm.ongoing("LOOKUP"))
            first = first & ~self._select.settled
        walks = fsm.ongoing("WALK")
        m.d.comb += [
            self.idle.eq(fsm.ongoing("IDLE")),
            population_read.addr.eq(row),
            population_read.en.eq(fsm.ongoing("LOOKUP")),
            begins.eq(walks & some & ~entering[1:].any() & enough),
        ]
        return _Walk(fsm.ongoing("SETUP"), begins, count, entering, left, first)

    def _image_addresses(self, m: Module, walk: _Walk, population: data.View) -> _Addresses:
        """With images: a group's position and addresses travel along with its neurons."""
        config = self.config
        m.submodules.walk = images = ImageWalk(config)
        m.d.comb += [
            images.population.eq(population),
            images.start.eq(walk.setup),
            images.advance.eq(walk.begins),
            walk.count.eq(images.neurons),
        ]
        position = {name: Signal(width, name=name) for name, width in config.position}
        address = Signal.like(images.address)
        bias = Signal.like(images.bias_address)
        index = Signal.like(images.index)
        with m.If(walk.begins):
            m.d.sync += [
                address.eq(images.address),
                bias.eq(images.bias_address),
                index.eq(images.index),
            ]
            m.d.sync += [position[name].eq(getattr(images, name)) for name in position]
        with m.Else():
            m.d.sync += [address.eq(address + 1), bias.eq(bias + 1), index.eq(index + 1)]
        number = Signal(NUMBER_BITS)
        if config.noise:
            m.d.sync += number.eq(Mux(walk.begins, images.number, number + population.plane))
        for name, register in position.items():
            m.d.comb += self.spike[name].eq(delayed(m, register, config.fire_clocks))
        if self._select is not None:
            at_origin = (images.y == 0) & (images.x == 0)
            m.d.comb += self._select.walked(m, at_origin, index, **position)
        current = delayed(m, address, self._current_stage)
        return _Addresses(
            read=address,
            bias=delayed(m, bias, self._bias_stage),
            current=current,
            state=delayed(m, current, config.fire_clocks - self._current_stage),
            index=delayed(m, index, config.fire_clocks),
            number=number,
        )

    def _addresses(
        self, m: Module, walk: _Walk, population: data.View, occupied: list[Value]
    ) -> _Addresses:
        """Without images neurons come in order of their rows, so each stage counts for itself."""
        config = self.config
        size = config.lanes
        with m.If(walk.setup):
            m.d.sync += walk.count.eq(Mux(population.neurons < size, population.neurons, size))
        with m.Elif(walk.begins):
            m.d.sync += walk.count.eq(Mux(walk.left >= 2 * size, size, walk.left - size))

        def counted(base: Value, stage: int) -> Signal:
            counter = Signal.like(base)
            with m.If(walk.setup):
                m.d.sync += counter.eq(base)
            with m.Elif(occupied[stage]):
                m.d.sync += counter.eq(counter + 1)
            return counter

        read = counted(population.neuron_base, 0)
        bias = counted(population.bias_base, 0) if config.input_gain else read
        if self._select is not None:
            m.d.comb += self._select.index.eq(
                counted(population.index_base, config.fire_clocks - 2)
            )
        return _Addresses(
            read,
            bias=delayed(m, bias, self._bias_stage),
            current=counted(population.neuron_base, self._current_stage),
            state=counted(population.neuron_base, config.fire_clocks),
            index=counted(population.index_base, config.fire_clocks),
            number=counted(population.index_base, 0) if config.noise else Const(0),
        )

    def _push(
        self, m: Module, population: data.View, update: NeuronUpdate, done: Value, index: Value
    ) -> None:
        """Pushes the neuron in the last stage to the spike queue if it becomes a packet."""
        config = self.config
        # Fields of the row have settled long before the first neuron is done.
        sends = delayed(m, population.fan_out != 0, 1)
        reads = population.readout & (self.ahead == 0)
        if config.traces:
            reads = reads | population.trace
        if self._select is not None:
            m.d.comb += self._select.reads.eq(reads)
            reads = reads & (~population.selection | self._select.sends)
        reads = delayed(m, reads, 1)
        short = delayed(m, population.fan_out == 1, 1)
        alone: Value = ~self.routed  # with a state to read out: nothing but the state is sent
        if config.traces and config.synaptic_current:
            # A spike that is pushed and not routed has a state to read out.
            alone = ~self.routed & ~delayed(m, population.currents, 1)
            m.d.comb += [
                self.spike.currents.eq(population.currents),
                self.spike.current.eq(
                    delayed(m, update.i_next, config.fire_clocks - self._current_stage)
                ),
            ]
        sent_once = update.spiked != 0 if config.graded_bits else update.spiked == 1
        m.d.comb += [
            self.fired.eq(Mux(done, update.spiked, 0)),
            self.routed.eq((update.spiked != 0) & sends),
            self.short.eq(short),
            self.single.eq(alone | (sent_once & short & ~reads)),
            self.spike_valid.eq(done & (self.routed | reads)),
            self.spike.population.eq(population.number),
            self.spike.index.eq(index),
            self.spike.spiked.eq(update.spiked),
            self.spike.target_base.eq(population.target_base),
            self.spike.fan_out.eq(population.fan_out),
            self.spike.readout.eq(reads),
            self.spike.value.eq(update.v_next),
        ]
        if config.signed_spikes:
            m.d.comb += self.spike.negative.eq(update.negative)
