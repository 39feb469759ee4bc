"""Cycle-level golden model of one tile: integrate, fire and emit.

Written from `docs/hardware.md`, to be read beside it: a class is a section of the page, an
attribute is a register or memory, with the same name. A method called `clock` takes what a unit's
inputs are in a clock, and leaves its registers as they are in the next one.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from golden.packing import masks, positions, shifts
from golden.spec import (
    DECAY_BITS,
    FabricConfig,
    LoadTarget,
    PacketKind,
    Reset,
    index_bits,
)

IDLE, LOOKUP, SETUP, WALK, DRAIN = range(5)
"""States of fire."""

Command = tuple[int, int, int, int]
"""Payload of `fire`: restart, first, ahead, slot."""

Target = tuple[int, int, int]
"""Row of the target table: host, delay, and a packed event with its route and connection."""

Beat = tuple[int, int, int, Target | None]
"""What stage B holds: index, population, value, and the target row, or None for a state beat."""

Result = tuple[int, int, bool, "Spike | None"]
"""What a neuron brings to stage 4: state row, value to write, spiked, and what to push if any."""


class PopulationRow(NamedTuple):
    """Row of the population table; fields as in `FabricConfig.population_row`."""

    number: int
    index_base: int
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
        "event_masks",
        "event_shifts",
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
        self.event_shifts = shifts(config.event)[1:]
        self.event_masks = masks(config.event)[1:]
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

    @property
    def empty(self) -> bool:
        """Whether nothing is in any stage."""
        return not self.d_valid and not self.x_valid and self.e_address is None

    def clock(self, event: int | None, fetching: int, fetch_address: int) -> int:
        """One clock in which `event` (if any) transfers; returns the row `fetched` (if any).

        `event`: packed, as in `FabricConfig.event`.
        """
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
            connection, index, slot = self.event_shifts
            connection_mask, index_mask, slot_mask = self.event_masks
            self.connection = self.connections[event >> connection & connection_mask]
            self.d_index = event >> index & index_mask
            self.d_slot = event >> slot & slot_mask
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
        "index_mask",
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
        self.index_mask = (1 << config.index_width) - 1
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
        """The clock in which `command` is valid: the state is IDLE, so nothing else happens."""
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
                population=population.number,
                index=population.index_base + self.neuron & self.index_mask,
                spiked=spiked,
                target_base=population.target_base,
                fan_out=population.fan_out,
                readout=readout,
                value=u,
            )
        return address, u, spiked, spike


class Emit:
    """Sends every spike along its population's fan-out, to tiles or to the host.

    `idle` is `emit.idle`: nothing in the spike queue, in B or in C.
    """

    __slots__ = (
        "b",
        "beat",
        "c_event",
        "c_packet",
        "event_shifts",
        "head",
        "idle",
        "memory",
        "packet_shifts",
        "slots",
        "targets",
        "value_mask",
    )

    def __init__(self, config: FabricConfig) -> None:
        self.slots = config.slots
        self.event_shifts = shifts(config.event)
        self.packet_shifts = shifts(config.host_out)
        self.value_mask = (1 << config.state_bits) - 1
        self.targets: list[Target] = [(0, 0, 0)] * config.targets
        # The spike queue; credits see to it that it never overflows.
        self.memory: deque[Spike] = deque()
        self.head: Spike | None = None
        self.beat = 0
        self.b: Beat | None = None
        # Stage C holds a packed event or a packed packet to the host, never both.
        self.c_event: int | None = None
        self.c_packet: int | None = None
        self.idle = True

    def write_target(
        self, address: int, host: int, route: int, connection: int, delay: int
    ) -> None:
        """Write a row of the target table."""
        route_shift, connection_shift, _, _ = self.event_shifts
        event = route << route_shift | connection << connection_shift
        self.targets[address] = host, delay, event

    def push(self, spike: Spike) -> None:
        """Put `spike` into the queue; after the `clock` of the same clock."""
        self.memory.append(spike)
        self.idle = False

    def clock(self, event_taken: bool, host_taken: bool, ahead: int, slot: int) -> bool:
        """One clock with what transfers from C in it, and the command being fired.

        Returns whether a spike was popped.
        """
        # Stage C.
        if event_taken:
            self.c_event = None
        if host_taken:
            self.c_packet = None
        c_free = self.c_event is None and self.c_packet is None

        # Stage B.
        if self.b is not None:
            index, population, value, target = self.b
            late = target is not None and not target[0] and target[1] > ahead
            if late or c_free:
                self.b = None
                if not late:
                    if target is None:
                        self.c_packet = self._packet(PacketKind.STATE, population, index, value)
                    elif target[0]:
                        self.c_packet = self._packet(PacketKind.SPIKE, population, index, 0)
                    else:
                        _, delay, event = target
                        _, _, index_shift, slot_shift = self.event_shifts
                        due = (slot + delay) % self.slots
                        self.c_event = event | index << index_shift | due << slot_shift

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
        self.idle = (
            self.head is None
            and self.b is None
            and self.c_event is None
            and self.c_packet is None
            and not self.memory
        )
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


class TileShifts(NamedTuple):
    """Positions in the part of the probe word that begins with a tile's `event`.

    They are those of the first field of a stream or memory, and of data.
    """

    emit_event: int
    emit_host: int
    spike: int
    fetch: int
    sum: int
    sum_data: int
    state: int
    state_data: int

    @classmethod
    def of(cls, config: FabricConfig) -> "TileShifts":
        """The positions in a `config.probe`."""
        at = positions(config.probe)
        first = at["0.event.valid"]
        names = (
            *("emit_event.valid", "emit_host.valid", "spike.valid", "fetch.valid"),
            *("sum.write", "sum.data", "state.write", "state.data"),
        )
        return cls(*(at[f"0.{name}"] - first for name in names))


class Tile:
    """Integrate, fire and emit, joined."""

    __slots__ = (
        "emit",
        "fire",
        "integrate",
        "row_layouts",
        "shifts",
        "spike_shifts",
        "trace",
    )

    def __init__(self, config: FabricConfig, trace: bool) -> None:
        self.integrate = Integrate(config)
        self.fire = Fire(config)
        self.emit = Emit(config)
        self.trace = trace
        self.shifts = TileShifts.of(config)
        self.spike_shifts = shifts(config.spike)
        self.row_layouts = config.memories

    def busy(self, slot: int) -> bool:
        """Whether fire or emit is not idle, or an event due in `slot` is pending."""
        return self.fire.state != IDLE or not self.emit.idle or self.integrate.pending(slot)

    @property
    def resting(self) -> bool:
        """Whether clocks change nothing until an event or a command comes."""
        return self.fire.state == IDLE and self.emit.idle and self.integrate.empty

    def write(self, target: LoadTarget, address: int, data: int) -> None:
        """Write a packed row to one of the tile's memories."""
        if target == LoadTarget.WEIGHT:
            self.integrate.write_weights(address, data)
            return
        row = self.row_layouts[target].unpack(data)
        if target == LoadTarget.BIAS:
            self.fire.biases[address] = row["bias"]
        elif target == LoadTarget.POPULATION:
            self.fire.populations[address] = PopulationRow(**row)
        elif target == LoadTarget.CONNECTION:
            self.integrate.connections[address] = ConnectionRow(**row)
        elif target == LoadTarget.TARGET:
            self.emit.write_target(address, **row)

    def clock(
        self,
        event: int | None,
        fetching: int,
        event_taken: bool,
        host_taken: bool,
        command: Command | None,
    ) -> int:
        """One clock in which `event` (if any) transfers into integrate.

        Parameters
        ----------
        fetching
            What `fire.fetching` gives in this clock.
        event_taken, host_taken
            Whether `emit_event` and `emit_host` transfer.
        command
            What is valid on `fire`, if anything.

        Returns
        -------
        int
            With `trace`, spike, fetch, sum and state at their places in the probe word, from the
            tile's `event` on; else 0.
        """
        integrate, fire, emit = self.integrate, self.fire, self.emit
        fetch_address = fire.fetch_address
        sum_address = integrate.e_address
        result = fire.pipeline[0]

        # Each unit changes its registers when no other will look at them any more.
        popped = not emit.idle and emit.clock(event_taken, host_taken, fire.ahead, fire.slot)
        fetched = integrate.clock(event, fetching, fetch_address)
        spike = None
        if fire.state != IDLE:
            spike = fire.clock(fetching, fetched)
            if spike is not None:
                emit.push(spike)
        elif command is not None:
            fire.start(command)
        if popped:
            fire.credits += 1
        if not self.trace:
            return 0

        # The fields of a stream are adjacent: valid, (ready,) payload; so are those of a memory:
        # write, address, data.
        shift = self.shifts
        probe = 0
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
