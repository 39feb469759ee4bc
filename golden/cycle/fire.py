"""Cycle-level golden model of fire, the plain update: the section Fire of `docs/hardware.md`."""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from spikeloom.golden.spec import DECAY_BITS, FabricConfig, Reset, index_bits

IDLE, LOOKUP, SETUP, WALK, DRAIN = range(5)
"""States of fire."""

Command = tuple[int, ...]
"""Payload of `fire`: restart, first, ahead, slot and, with several fire lanes, last."""

ENTERED = 2
"""Clocks from a neuron entering the pipeline until its sum leaves the buffer."""

Result = tuple[int, int, int, "Spike | None", int]
"""A neuron at the last stage: state row, potential to write, number of spikes, spike to push (if
any), and the synaptic current written on the way."""

NO_SPIKES: list["Spike"] = []


class PopulationRow(NamedTuple):
    """Row of the population table; fields as in `FabricConfig.population_row`.

    The defaults of fields that the fabric is built without have no effect.
    """

    number: int = 0
    index_base: int = 0
    neurons: int = 0
    neuron_base: int = 0
    sum_base: int = 0
    retain: int = 0
    threshold: int = 0
    v_reset: int = 0
    v_init: int = 0
    reset: int = 0
    inclusive: int = 0
    spiking: int = 0
    readout: int = 0
    target_base: int = 0
    fan_out: int = 0
    more: int = 0
    height: int = 0
    width: int = 0
    channels: int = 0
    bias_base: int = 0
    shared: int = 0
    first_number: int = 0
    plane: int = 0
    synaptic: int = 0
    retain_synaptic: int = 0
    delayed: int = 0
    v_min: int = -1 << 24
    max_spikes: int = 1
    signed: int = 0
    fraction: int = 0
    trace: int = 0
    currents: int = 0
    repeat: int = 0
    next: int = 0


@dataclass(slots=True)
class Spike:
    """Payload of the spike queue; fields as in `FabricConfig.spike`.

    `index` also holds the position, which lies above the index in every packed word.
    """

    population: int
    index: int
    spiked: int
    target_base: int
    fan_out: int
    readout: bool
    value: int
    currents: bool = False
    current: int = 0
    negative: bool = False


class Fire:
    """Walks the rows of the population table of one phase and updates their neurons."""

    __slots__ = (
        "ahead",
        "arriving",
        "begun",
        "biases",
        "buffer",
        "counter_mask",
        "credits",
        "enough",
        "entering",
        "fetch_address",
        "fire_lanes",
        "first",
        "group_rows",
        "held",
        "index_mask",
        "kept",
        "lane_bits",
        "lanes",
        "left",
        "neuron",
        "neuron_address",
        "pipeline",
        "population",
        "populations",
        "returned",
        "row",
        "slot",
        "slots",
        "spikes",
        "state",
        "state_range",
        "states",
        "sum_sign",
        "waiting",
    )

    def __init__(self, config: FabricConfig) -> None:
        self.lanes = config.lanes
        self.fire_lanes = config.fire_lanes
        self.group_rows = config.group_rows
        self.slots = config.slots
        self.lane_bits = config.sum_bits
        self.sum_sign = 1 << (config.sum_bits - 1)
        self.state_range = -1 << (config.state_bits - 1), (1 << (config.state_bits - 1)) - 1
        self.index_mask = (1 << config.index_width) - 1
        self.counter_mask = (1 << config.counter_bits) - 1
        # `row` wraps at the end of its field, so the table has a row for each value of the field.
        empty = PopulationRow()
        self.populations = [empty] * (1 << index_bits(config.populations))
        self.population = empty  # the row read last
        self.biases = [0] * config.bias_depth
        self.states = [0] * config.neurons
        self.kept = [0] * config.neurons  # what switches keep, packed as `config.kept_row`
        self.state = IDLE
        self.waiting: Command | None = None
        self.row = 0
        self.first = self.ahead = self.slot = 0
        self.left = self.entering = self.fetch_address = 0
        self.begun = 0  # neurons of the row fetched in this clock; 0: `fetch.valid` is 0
        self.arriving = 0  # neurons of the row fetched in the previous clock
        # Index and state row of the neuron whose sum leaves the buffer next.
        self.neuron = self.neuron_address = 0
        self.buffer = self.held = 0
        self.credits = config.queue
        self.enough = True  # at the first command; a tile that rests since the reset has no clock
        self.returned = 0
        # Stages from the buffer to the last, oldest first: the neurons of a row, or none.
        self.pipeline: deque[list[Result]] = deque([[]] * (config.fire_clocks - ENTERED))
        self.spikes = 0

    def write_population(self, address: int, row: dict[str, int]) -> None:
        """Write a row of the population table."""
        self.populations[address] = PopulationRow(**row)

    def write_bias(self, address: int, bias: int) -> None:
        """Write a row of the bias memory."""
        self.biases[address] = bias

    @property
    def idle(self) -> bool:
        """`fire.idle`."""
        return self.state == IDLE

    def begins(self) -> int:
        """Number of neurons in the group that begins in this clock; 0 if none begins."""
        if self.entering > 1 or not self.enough:
            return 0
        return min(self.lanes, self.left)

    def rest(self) -> None:
        """Advance by one clock in IDLE."""
        self.enough = self.credits >= self.group_rows
        self.credits += self.returned
        self.returned = 0

    def start(self, command: Command) -> None:
        """Latch `command` in the clock in which it is valid; the state is IDLE."""
        restart, self.first, self.ahead, self.slot, *_ = command
        if restart:
            self.row = 0
        self.state = LOOKUP

    def clock(self, fetched: int) -> list[Spike]:
        """Advance by one clock in a state other than IDLE.

        Parameters
        ----------
        fetched
            Row of sums from integrate, valid if there was a fetch in the previous clock.

        Returns
        -------
        list of Spike
            The entry that is pushed to the spike queue; empty if there is none.
        """
        # A group that has begun is in one of these until its neurons are in `pipeline`.
        before = self.entering or self.begun or self.arriving or self.held
        drained = self.state == DRAIN and not before and not any(self.pipeline)
        credits = self.credits
        self.credits += self.returned
        self.returned = 0

        # The last stage.
        entry = NO_SPIKES
        row = self.pipeline.popleft()
        if row:
            entry = []
            for address, value, spiked, spike, _ in row:
                self.states[address] = value
                if spiked:
                    self.spikes = self.spikes + spiked & self.counter_mask
                if spike is not None:
                    entry.append(spike)
            if not entry:
                self.returned = 1

        # The buffer.
        row = []
        while self.held and len(row) < self.fire_lanes:
            row.append(self.update())
            self.buffer >>= self.lane_bits
            self.held -= 1
            self.neuron += 1
            self.neuron_address += 1
        self.pipeline.append(row)
        if self.arriving:
            self.buffer = fetched
            self.held = self.arriving
        self.arriving = self.begun

        # The walk.
        if self.begun:
            self.fetch_address += self.slots
        self.begun = 0
        if self.state == WALK and self.left:
            self.begun = self.begins()
        self.enough = credits >= (2 * self.group_rows if self.begun else self.group_rows)
        if self.begun:
            self.left -= self.begun
            self.entering = -(-self.begun // self.fire_lanes)
            self.credits -= self.entering
        elif self.entering:
            self.entering -= 1
        if self.state == WALK:
            if not self.left and not self.begun:
                self.state = DRAIN
        elif self.state == LOOKUP:
            self.population = self.populations[self.row]
            self.state = SETUP
        elif self.state == SETUP:
            self.setup()
        elif drained:
            self.end_walk()
        return entry

    def setup(self) -> None:
        """What SETUP does with the row of the population table."""
        population = self.population
        self.left = population.neurons
        self.fetch_address = population.sum_base + self.slot
        self.neuron = 0
        self.neuron_address = population.neuron_base
        self.state = WALK

    def end_walk(self) -> None:
        """Leave DRAIN."""
        self.row = (self.row + 1) % len(self.populations)
        self.state = LOOKUP if self.population.more else IDLE

    def update(self) -> Result:
        """Update the neuron whose sum leaves the buffer; see section 'Pipeline' for the equation.

        All stages are computed at once. This is exact because the population row and the command
        hold until the pipeline is empty, and a walk updates no neuron twice.
        """
        population = self.population
        low, high = self.state_range
        address = self.neuron_address

        # m + 1.
        v = population.v_init if self.first else self.states[address]
        total = self.buffer & 2 * self.sum_sign - 1
        x = (total ^ self.sum_sign) - self.sum_sign + self.biases[address]
        # m + 2 to m + 6.
        kept = abs(v) * population.retain >> DECAY_BITS
        u = min(max((kept if v >= 0 else -kept) + x, low), high)
        # m + 8 and m + 9.
        over = u >= population.threshold if population.inclusive else u > population.threshold
        spiked = bool(population.spiking) and over
        if spiked:
            if population.reset == Reset.VALUE:
                u = population.v_reset
            elif population.reset == Reset.SUBTRACT:
                u = min(max(u - population.v_reset, low), high)
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
        return address, u, spiked, spike, 0
