"""Cycle-level golden model: what every port of a fabric does in every clock.

Written from `docs/hardware.md`, to be read beside it: a class is a section of the page, an
attribute is a register or memory, with the same name. A method called `clock` takes what a unit's
inputs are in a clock, and leaves its registers as they are in the next one.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from golden.image import Image
from golden.spec import (
    DECAY_BITS,
    FabricConfig,
    Layout,
    LoadTarget,
    PacketKind,
    Reset,
    index_bits,
)

WATCHDOG = 1 << 18
"""Clocks in which `CycleModel.run` must see some progress. The longest legal silence, one event or
one population of the largest tile, is about 2**16 clocks."""

STEP_PACKET = int(PacketKind.STEP)
"""The STEP packet: its other fields are 0."""

IDLE, LOOKUP, SETUP, WALK, DRAIN = range(5)
"""States of fire."""

WAIT, START, BUSY, DONE = range(4)
"""States of the sequencer's fire side."""

Event = tuple[int, int, int]
"""Payload of an event stream: connection, index, slot."""

Command = tuple[int, int, int, int]
"""Payload of the fire stream: restart, first, ahead, slot."""

Target = tuple[int, int, int]
"""Row of the target table: host, connection, delay."""

Beat = tuple[int, int, int, Target | None]
"""What stage B holds: index, population, value, and the target row, or None for a state beat."""

Result = tuple[int, int, bool, "Spike | None"]
"""What a neuron brings to stage 4: state row, value to write, spiked, and what to push if any."""


class PopulationRow(NamedTuple):
    """Row of the population table; fields as in `FabricConfig.population_row`."""

    neurons: int
    neuron_base: int
    sum_base: int
    retain: int
    threshold: int
    v_reset: int
    v_init: int
    reset: int
    inclusive: int
    spiking: int
    readout: int
    target_base: int
    fan_out: int
    more: int


class ConnectionRow(NamedTuple):
    """Row of the connection table; fields as in `FabricConfig.connection_row`."""

    weight_base: int
    sources: int
    sum_base: int
    groups: int
    synapses: int


@dataclass(slots=True)
class Spike:
    """Payload of the spike queue; fields as in `FabricConfig.spike`."""

    population: int
    index: int
    spiked: bool
    target_base: int
    fan_out: int
    readout: bool
    value: int


def shifts(layout: Layout) -> list[int]:
    """Position of the least significant bit of every field."""
    positions, shift = [], 0
    for field in layout.fields:
        positions.append(shift)
        shift += field.width
    return positions


def masks(layout: Layout) -> list[int]:
    """For every field, ones in its width (not shifted)."""
    return [(1 << field.width) - 1 for field in layout.fields]


class Integrate:
    """Adds the weights of events to the accumulators.

    A row of sums is one integer, its lanes packed in two's complement as in the memory. All lanes
    are added at once: their lower bits in one addition, which cannot carry from a lane into the
    next because the sign bits are left out; then the sign bit, the sum of two bits and a carry,
    by exclusive or. That wraps in every lane, as the hardware does. Weight rows are kept sign
    extended to lanes of sums, split into (lower bits, sign bits).
    """

    __slots__ = (
        "connection",
        "connections",
        "counter_mask",
        "d_index",
        "d_slot",
        "d_valid",
        "e_address",
        "e_weights",
        "errors",
        "lower",
        "row_bits",
        "signs",
        "slots",
        "stalls",
        "sums",
        "synops",
        "weights",
        "x_groups",
        "x_slot",
        "x_stride",
        "x_sum_address",
        "x_valid",
        "x_weight_address",
    )

    def __init__(self, config: FabricConfig) -> None:
        ones = sum(1 << lane * config.sum_bits for lane in range(config.lanes))
        self.signs = ones << (config.sum_bits - 1)
        self.lower = self.signs - ones
        self.row_bits = config.lanes, config.weight_bits, config.sum_bits
        self.slots = config.slots
        self.counter_mask = (1 << config.counter_bits) - 1
        self.sums = [0] * config.sum_words
        self.weights = [(0, 0)] * config.weight_words
        # Rows beyond the table read as unused, so that no event can leave it.
        unused = ConnectionRow(0, 0, 0, 0, 0)
        self.connections = [unused] * (1 << index_bits(config.connections))
        self.connection = unused  # the row read last
        self.d_valid = False
        self.d_index = self.d_slot = 0
        self.x_valid = False
        self.x_slot = self.x_weight_address = self.x_sum_address = self.x_stride = self.x_groups = 0
        # Stage E: accumulator row of the operation issued in the clock before, and the weights to
        # add to it (None: a fetch).
        self.e_address: int | None = None
        self.e_weights: tuple[int, int] | None = None
        self.synops = self.stalls = self.errors = 0

    def write_weights(self, address: int, word: int) -> None:
        """Write a packed word of weights."""
        lanes, weight_bits, sum_bits = self.row_bits
        sign = 1 << (weight_bits - 1)
        row = 0
        for lane in range(lanes):
            weight = word >> lane * weight_bits & (2 * sign - 1)
            row |= ((weight ^ sign) - sign & (1 << sum_bits) - 1) << lane * sum_bits
        self.weights[address] = row & self.lower, row & self.signs

    def pending(self, slot: int) -> bool:
        """Whether an event for `slot` has groups that are not yet issued."""
        return (self.d_valid and self.d_slot == slot) or (self.x_valid and self.x_slot == slot)

    def ready(self, fetching: int) -> bool:
        """`event.ready`: stage D is empty, or goes to X, which is empty or issues its last group.

        `fetching`: nonzero if fire fetches in this clock.
        """
        return not self.d_valid or not self.x_valid or (self.x_groups == 1 and not fetching)

    def clock(self, event: Event | None, fetching: int, fetch_address: int) -> int:
        """One clock in which `event` (if any) transfers; returns the row `fetched` (if any)."""
        # Stage E. Every operation reads and writes in one go here, in order: that is what
        # forwarding makes of the memory.
        fetched = 0
        address = self.e_address
        if address is not None:
            row = self.sums[address]
            if self.e_weights is None:
                fetched = row
                self.sums[address] = 0
            else:
                lower, signs = self.e_weights
                self.sums[address] = (row & self.lower) + lower ^ row & self.signs ^ signs

        # Stage X.
        x_free = not self.x_valid
        if fetching:
            self.e_address, self.e_weights = fetch_address, None
            if self.x_valid:
                self.stalls = self.stalls + 1 & self.counter_mask
        elif self.x_valid:
            self.e_address = self.x_sum_address
            self.e_weights = self.weights[self.x_weight_address]
            if self.x_groups == 1:
                self.x_valid = False
                x_free = True
            else:
                self.x_weight_address += self.x_stride
                self.x_sum_address += self.slots
                self.x_groups -= 1
        else:
            self.e_address = None

        # Stage D.
        if self.d_valid and x_free:
            self.d_valid = False
            described = self.connection
            if self.d_index >= described.sources or described.groups == 0:
                self.errors = self.errors + 1 & self.counter_mask
            else:
                self.x_valid = True
                self.x_slot = self.d_slot
                self.x_weight_address = described.weight_base + self.d_index
                self.x_sum_address = described.sum_base + self.d_slot
                self.x_stride = described.sources
                self.x_groups = described.groups
                self.synops = self.synops + described.synapses & self.counter_mask
        if event is not None:
            self.d_valid = True
            connection, self.d_index, self.d_slot = event
            self.connection = self.connections[connection]
        return fetched


class Fire:
    """Walks the rows of the population table of one phase and updates their neurons."""

    __slots__ = (
        "ahead",
        "arriving",
        "biases",
        "buffer",
        "counter_mask",
        "credits",
        "fetch_address",
        "first",
        "held",
        "lane_bits",
        "lanes",
        "left",
        "neuron",
        "neuron_address",
        "pipeline",
        "population",
        "populations",
        "row",
        "slot",
        "slots",
        "spikes",
        "state",
        "state_range",
        "states",
        "sum_sign",
        "wait",
    )

    def __init__(self, config: FabricConfig) -> None:
        self.lanes = config.lanes
        self.slots = config.slots
        self.lane_bits = config.sum_bits
        self.sum_sign = 1 << (config.sum_bits - 1)
        self.state_range = -1 << (config.state_bits - 1), (1 << (config.state_bits - 1)) - 1
        self.counter_mask = (1 << config.counter_bits) - 1
        # `row` wraps at the end of its field, so the table has a row for each of its values.
        empty = PopulationRow(*(0,) * len(PopulationRow._fields))
        self.populations = [empty] * (1 << index_bits(config.populations))
        self.population = empty  # the row read last
        self.biases = [0] * config.neurons
        self.states = [0] * config.neurons
        self.state = IDLE
        self.row = 0
        self.first = self.ahead = self.slot = 0
        self.left = self.wait = self.fetch_address = 0
        self.arriving = 0  # neurons of the row fetched in the clock before
        self.neuron = self.neuron_address = 0
        self.buffer = self.held = 0
        self.credits = config.queue
        # Stages 1 to 4, the oldest first.
        self.pipeline: deque[Result | None] = deque([None] * 4)
        self.spikes = 0

    def fetching(self) -> int:
        """`fetch.valid`, as the number of neurons fetched in this clock, or 0."""
        if self.state != WALK or self.wait:
            return 0
        count = min(self.lanes, self.left)
        return count if self.credits >= count else 0

    def start(self, command: Command) -> None:
        """The clock in which `command` transfers: the state is IDLE, so nothing else happens."""
        restart, self.first, self.ahead, self.slot = command
        if restart:
            self.row = 0
        self.state = LOOKUP

    def clock(self, fetching: int, fetched: int) -> Spike | None:
        """One clock in a state other than IDLE; returns what is pushed to the spike queue.

        `fetched`: the row of sums that integrate gives, if there was a fetch in the clock before.
        """
        # No row fetched can be on its way in DRAIN: the last fetch is two clocks before it.
        drained = not self.held and not any(self.pipeline)

        # Stage 4.
        spike = None
        result = self.pipeline.popleft()
        if result is not None:
            address, value, spiked, spike = result
            self.states[address] = value
            if spiked:
                self.spikes = self.spikes + 1 & self.counter_mask
            if spike is None:
                self.credits += 1

        # Stage 0, and the buffer.
        if self.held:
            self.pipeline.append(self._update())
            self.buffer >>= self.lane_bits
            self.held -= 1
            self.neuron += 1
            self.neuron_address += 1
        else:
            self.pipeline.append(None)
        if self.arriving:
            self.buffer = fetched
            self.held = self.arriving
        self.arriving = fetching

        # The walk.
        if self.state == WALK:
            if not self.left:
                self.state = DRAIN
            elif fetching:
                self.left -= fetching
                self.fetch_address += self.slots
                self.credits -= fetching
                self.wait = fetching - 1
            elif self.wait:
                self.wait -= 1
        elif self.state == LOOKUP:
            self.population = self.populations[self.row]
            self.state = SETUP
        elif self.state == SETUP:
            population = self.population
            self.left = population.neurons
            self.fetch_address = population.sum_base + self.slot
            self.neuron = 0
            self.neuron_address = population.neuron_base
            self.wait = 0
            self.state = WALK
        elif drained:
            self.row = (self.row + 1) % len(self.populations)
            self.state = LOOKUP if self.population.more else IDLE
        return spike

    def _update(self) -> Result:
        """The neuron that leaves the buffer: what it brings to stage 4.

        All is computed at stage 0, when its rows are read: the population row and the command hold
        until the pipeline is empty, and no neuron is updated twice in a walk.
        """
        population = self.population
        low, high = self.state_range
        address = self.neuron_address

        # Stage 1.
        v = population.v_init if self.first else self.states[address]
        total = self.buffer & 2 * self.sum_sign - 1
        x = (total ^ self.sum_sign) - self.sum_sign + self.biases[address]
        # Stages 2 and 3.
        kept = abs(v) * population.retain >> DECAY_BITS
        u = min(max((kept if v >= 0 else -kept) + x, low), high)
        # Stage 4.
        over = u >= population.threshold if population.inclusive else u > population.threshold
        spiked = bool(population.spiking) and over
        if spiked:
            if population.reset == Reset.VALUE:
                u = population.v_reset
            elif population.reset == Reset.SUBTRACT:
                u = min(max(u - population.threshold, low), high)
        readout = bool(population.readout) and self.ahead == 0
        spike = None
        if (spiked and population.fan_out) or readout:
            spike = Spike(
                population=self.row,
                index=self.neuron,
                spiked=spiked,
                target_base=population.target_base,
                fan_out=population.fan_out,
                readout=readout,
                value=u,
            )
        return address, u, spiked, spike


class Emit:
    """Sends every spike along its population's fan-out, to the loop or to the host."""

    __slots__ = (
        "b",
        "beat",
        "c_event",
        "c_packet",
        "head",
        "memory",
        "packet_shifts",
        "slots",
        "targets",
        "value_mask",
    )

    def __init__(self, config: FabricConfig) -> None:
        self.slots = config.slots
        self.packet_shifts = shifts(config.host_out)
        self.value_mask = (1 << config.state_bits) - 1
        self.targets: list[Target] = [(0, 0, 0)] * config.targets
        # The spike queue; credits see to it that it never overflows.
        self.memory: deque[Spike] = deque()
        self.head: Spike | None = None
        self.beat = 0
        self.b: Beat | None = None
        # Stage C holds an event or a packed packet to the host, never both.
        self.c_event: Event | None = None
        self.c_packet: int | None = None

    @property
    def idle(self) -> bool:
        """`emit.idle`: nothing in the spike queue, in B or in C."""
        return (
            self.head is None
            and not self.memory
            and self.b is None
            and self.c_event is None
            and self.c_packet is None
        )

    def clock(self, event_ready: bool, host_ready: bool, ahead: int, slot: int) -> bool:
        """One clock with what the streams' sinks answer and the command being fired.

        Returns whether a spike was popped. One pushed in this clock is to be appended afterwards.
        """
        # Stage C.
        if event_ready:
            self.c_event = None
        if host_ready:
            self.c_packet = None
        c_free = self.c_event is None and self.c_packet is None

        # Stage B.
        if self.b is not None:
            index, population, value, target = self.b
            late = target is not None and not target[0] and target[2] > ahead
            if late or c_free:
                self.b = None
                if not late:
                    if target is None:
                        self.c_packet = self._packet(PacketKind.STATE, population, index, value)
                    elif target[0]:
                        self.c_packet = self._packet(PacketKind.SPIKE, population, index, 0)
                    else:
                        self.c_event = target[1], index, (slot + target[2]) % self.slots

        # Stage A.
        popped = False
        head = self.head
        if head is not None and self.b is None:
            routed = head.fan_out if head.spiked else 0
            target = self.targets[head.target_base + self.beat] if self.beat < routed else None
            self.b = head.index, head.population, head.value, target
            self.beat += 1
            if self.beat == routed + head.readout:
                popped = True
                self.head = None
                self.beat = 0

        # The spike queue.
        if self.head is None and self.memory:
            self.head = self.memory.popleft()
        return popped

    def _packet(self, kind: int, population: int, index: int, value: int) -> int:
        """A packed packet to the host."""
        _, population_shift, index_shift, value_shift = self.packet_shifts
        return (
            kind
            | population << population_shift
            | index << index_shift
            | (value & self.value_mask) << value_shift
        )


class Sequencer:
    """Turns host words into events and steps, and fires the phases of every step."""

    __slots__ = (
        "command",
        "commands",
        "emit",
        "field_masks",
        "field_shifts",
        "fire",
        "fire_slot",
        "in_slot",
        "integrate",
        "last_phase",
        "lead",
        "phase",
        "slots",
        "state",
        "window",
    )

    def __init__(self, config: FabricConfig, integrate: Integrate, fire: Fire, emit: Emit) -> None:
        self.integrate, self.fire, self.emit = integrate, fire, emit
        self.slots = config.slots
        self.field_shifts = shifts(config.host_in)
        self.field_masks = masks(config.host_in)
        self.last_phase = self.window = 0
        self.in_slot = self.fire_slot = self.lead = self.phase = 0
        self.commands = [(0, 0)] * config.slots  # first, ahead
        self.command = 0, 0  # the row read last
        self.state = WAIT

    def event(self, word: int) -> Event:
        """The event that an event word of the host stands for."""
        _, _, ahead, connection, index = self.field_shifts
        _, _, ahead_mask, connection_mask, index_mask = self.field_masks
        return (
            word >> connection & connection_mask,
            word >> index & index_mask,
            (self.in_slot + (word >> ahead & ahead_mask)) % self.slots,
        )

    def mark(self, word: int) -> None:
        """The clock in which a step mark transfers; goes after `clock`."""
        _, first, ahead, _, _ = self.field_shifts
        self.commands[self.in_slot] = word >> first & 1, word >> ahead & self.field_masks[2]
        self.in_slot = (self.in_slot + 1) % self.slots
        self.lead += 1

    def clock(self, host_ready: bool) -> Command | None:
        """One clock of the fire side; returns the command that is valid in it (if any).

        It looks at registers of the other units, so it goes before their `clock`.
        """
        command = None
        state = self.state
        if state == WAIT:
            if self.lead and not self.integrate.pending(self.fire_slot):
                self.state = START
        elif state == BUSY:
            if (
                self.fire.state == IDLE
                and self.emit.idle
                and not self.integrate.pending(self.fire_slot)
            ):
                if self.phase == self.last_phase:
                    self.state = DONE
                else:
                    self.state = START
                    self.phase += 1
        elif state == START:
            first, ahead = self.command
            command = int(self.phase == 0), first, ahead, self.fire_slot
            if self.fire.state == IDLE:
                self.state = BUSY
        self.command = self.commands[self.fire_slot]
        if state == DONE and host_ready:
            self.fire_slot = (self.fire_slot + 1) % self.slots
            self.lead -= 1
            self.phase = 0
            self.state = WAIT
        return command


class ProbeShifts(NamedTuple):
    """Positions in the probe word: of the first field of a stream or memory, and of data."""

    host_in: int
    host_out: int
    fire: int
    event: int
    emit_event: int
    emit_host: int
    spike: int
    fetch: int
    sum: int
    sum_data: int
    state: int
    state_data: int
    counters: int

    @classmethod
    def of(cls, probe: Layout) -> "ProbeShifts":
        """The positions in a `config.probe`."""
        names = [field.name for field in probe.fields]
        at = dict(zip(names, shifts(probe), strict=True))
        streams = ("host_in", "host_out", "fire", "event", "emit_event", "emit_host")
        return cls(
            **{name: at[f"{name}.valid"] for name in (*streams, "spike", "fetch")},
            sum=at["sum.write"],
            sum_data=at["sum.data"],
            state=at["state.write"],
            state_data=at["state.data"],
            counters=at["counters.cycles"],
        )


class CycleModel:
    """A 1x1 fabric, clock by clock.

    Parameters
    ----------
    config
        The sizes of the fabric.
    trace
        Make `clock` return the probe word, which takes longer.

    Attributes
    ----------
    host_in_taken
        Whether the host word offered in the last clock was accepted in it.
    host_out
        The packed packet that was transferred in the last clock, or None.
    cycles
        Clocks since reset, wrapped at `counter_bits`.
    """

    __slots__ = (
        "command_shifts",
        "config",
        "counter_mask",
        "cycles",
        "emit",
        "event_shifts",
        "fire",
        "host_in_taken",
        "host_out",
        "integrate",
        "load_masks",
        "load_shifts",
        "probe_shifts",
        "row_layouts",
        "sequencer",
        "spike_shifts",
        "trace",
    )

    def __init__(self, config: FabricConfig, trace: bool = False) -> None:
        self.config = config
        self.trace = trace
        self.integrate = Integrate(config)
        self.fire = Fire(config)
        self.emit = Emit(config)
        self.sequencer = Sequencer(config, self.integrate, self.fire, self.emit)
        self.host_in_taken = False
        self.host_out: int | None = None
        self.cycles = 0
        self.counter_mask = (1 << config.counter_bits) - 1
        self.load_shifts = shifts(config.load)
        self.load_masks = masks(config.load)
        self.row_layouts = {int(target): layout for target, layout in config.memories.items()}
        self.event_shifts = shifts(config.event)
        self.command_shifts = shifts(config.fire)
        self.spike_shifts = shifts(config.spike)
        self.probe_shifts = ProbeShifts.of(config.probe)

    @property
    def counters(self) -> dict[str, int]:
        """The counters by name, as they are after the last clock."""
        return {
            "cycles": self.cycles,
            "synops": self.integrate.synops,
            "spikes": self.fire.spikes,
            "stalls": self.integrate.stalls,
            "errors": self.integrate.errors,
        }

    def load(self, image: Image) -> None:
        """Write all rows of `image`, in no time."""
        for word in image.load_words():
            self._write(word)

    def run(self, words: Sequence[int]) -> list[tuple[int, int]]:
        """Offer `words` back to back, to a host that is always ready to take packets.

        Runs until every word was taken and as many STEP packets came out as step marks went in.

        Returns
        -------
        list of (clock, packet)
            Every packet with the number of the clock in which it was transferred; 0 is the first
            clock of this call.

        Raises
        ------
        RuntimeError
            The fabric made no progress for `WATCHDOG` clocks.
        """
        packets: list[tuple[int, int]] = []
        steps = sum(word & 1 for word in words)
        taken = clocks = 0
        progress: tuple[int, ...] = ()
        while taken < len(words) or steps > 0:
            self.clock(words[taken] if taken < len(words) else None)
            if self.host_in_taken:
                taken += 1
            if self.host_out is not None:
                packets.append((clocks, self.host_out))
                if self.host_out == STEP_PACKET:
                    steps -= 1
            clocks += 1
            if clocks % WATCHDOG == 0:
                now = taken, len(packets), self.integrate.synops, self.fire.spikes
                if now == progress:
                    raise RuntimeError(
                        f"no progress in {WATCHDOG} clocks: {taken} of {len(words)} words taken, "
                        f"{steps} steps not complete; does the image fit the host's words?"
                    )
                progress = now
        return packets

    def clock(
        self, host_in: int | None = None, host_out_ready: bool = True, load: int | None = None
    ) -> int:
        """Advance by one clock.

        Parameters
        ----------
        host_in
            Packed `config.host_in` payload that is offered in this clock, if any.
        host_out_ready
            Whether the host takes a packet in this clock.
        load
            Packed `config.load` payload that is transferred in this clock, if any.

        Returns
        -------
        int
            With `trace`, the packed `config.probe` word of this clock, else 0.
        """
        integrate, fire, emit, sequencer = self.integrate, self.fire, self.emit, self.sequencer

        # Signals that registers decide.
        fetching = fire.fetching()
        fetch_address = fire.fetch_address
        event_ready = integrate.ready(fetching)
        fire_ready = fire.state == IDLE
        emit_event = emit.c_event
        emit_host = emit.c_packet
        emit_host_ready = host_out_ready and sequencer.state != DONE
        host_out = STEP_PACKET if sequencer.state == DONE else emit_host
        sum_address = integrate.e_address
        result = fire.pipeline[0]
        counters = self._pack_counters() if self.trace else 0

        # Arbiter, and the sequencer's input side. The step mark is the lowest bit of a host word.
        event = emit_event
        mark = None
        taken = False
        if host_in is not None and sequencer.lead <= sequencer.window:
            if host_in & 1:
                mark = host_in
                taken = True
            elif emit_event is None:
                event = sequencer.event(host_in)
                taken = event_ready
        emit_event_ready = emit_event is not None and event_ready

        # The edge. Each unit changes its registers when no other will look at them any more.
        command = sequencer.clock(host_out_ready)
        if mark is not None:
            sequencer.mark(mark)
        popped = emit.clock(emit_event_ready, emit_host_ready, fire.ahead, fire.slot)
        fetched = integrate.clock(event if event_ready else None, fetching, fetch_address)
        spike = None
        if not fire_ready:
            spike = fire.clock(fetching, fetched)
            if spike is not None:
                emit.memory.append(spike)
        elif command is not None:
            fire.start(command)
        if popped:
            fire.credits += 1
        self.cycles = self.cycles + 1 & self.counter_mask
        if load is not None:
            self._write(load)

        self.host_in_taken = taken
        self.host_out = host_out if host_out_ready else None
        if not self.trace:
            return 0

        # The probe. The three fields of a stream are adjacent: valid, ready, payload; so are those
        # of a memory: write, address, data.
        shift = self.probe_shifts
        probe = (
            counters
            | emit_host_ready << shift.emit_host + 1
            | emit_event_ready << shift.emit_event + 1
            | event_ready << shift.event + 1
            | fire_ready << shift.fire + 1
            | host_out_ready << shift.host_out + 1
            | taken << shift.host_in + 1
        )
        if host_in is not None:
            probe |= (1 | host_in << 2) << shift.host_in
        if host_out is not None:
            probe |= (1 | host_out << 2) << shift.host_out
        if command is not None:
            probe |= (1 | self._pack_command(command) << 2) << shift.fire
        if event is not None:
            payload = self._pack_event(event)
            probe |= (1 | payload << 2) << shift.event
            if emit_event is not None:
                probe |= (1 | payload << 2) << shift.emit_event
        if emit_host is not None:
            probe |= (1 | emit_host << 2) << shift.emit_host
        if spike is not None:
            probe |= (1 | self._pack_spike(spike) << 1) << shift.spike
        if fetching:
            probe |= (1 | fetch_address << 1) << shift.fetch
        if sum_address is not None:
            probe |= (1 | sum_address << 1) << shift.sum
            probe |= integrate.sums[sum_address] << shift.sum_data
        if result is not None:
            state_address, value = result[:2]
            probe |= (1 | state_address << 1) << shift.state
            probe |= (value & emit.value_mask) << shift.state_data
        return probe

    def _pack_counters(self) -> int:
        """The counters at their place in the probe word."""
        shift, bits = self.probe_shifts.counters, self.config.counter_bits
        return (
            self.cycles
            | self.integrate.synops << bits
            | self.fire.spikes << 2 * bits
            | self.integrate.stalls << 3 * bits
            | self.integrate.errors << 4 * bits
        ) << shift

    def _pack_event(self, event: Event) -> int:
        connection, index, slot = self.event_shifts
        return event[0] << connection | event[1] << index | event[2] << slot

    def _pack_command(self, command: Command) -> int:
        restart, first, ahead, slot = self.command_shifts
        return (
            command[0] << restart | command[1] << first | command[2] << ahead | command[3] << slot
        )

    def _pack_spike(self, spike: Spike) -> int:
        population, index, spiked, target_base, fan_out, readout, value = self.spike_shifts
        return (
            spike.population << population
            | spike.index << index
            | spike.spiked << spiked
            | spike.target_base << target_base
            | spike.fan_out << fan_out
            | spike.readout << readout
            | (spike.value & self.emit.value_mask) << value
        )

    def _write(self, word: int) -> None:
        """Write the row of a `config.load` word to its memory."""
        target, address, data = (
            word >> shift & mask
            for shift, mask in zip(self.load_shifts, self.load_masks, strict=True)
        )
        layout = self.row_layouts.get(target)
        if layout is None:
            return
        data &= (1 << layout.width) - 1
        if target == LoadTarget.WEIGHT:
            self.integrate.write_weights(address, data)
            return
        row = layout.unpack(data)
        if target == LoadTarget.BIAS:
            self.fire.biases[address] = row["bias"]
        elif target == LoadTarget.POPULATION:
            self.fire.populations[address] = PopulationRow(**row)
        elif target == LoadTarget.CONNECTION:
            self.integrate.connections[address] = ConnectionRow(**row)
        elif target == LoadTarget.TARGET:
            self.emit.targets[address] = row["host"], row["connection"], row["delay"]
        else:
            self.sequencer.last_phase, self.sequencer.window = row["last_phase"], row["window"]
