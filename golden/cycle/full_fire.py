"""Cycle-level golden model of fire, images and options: section Fire of `docs/hardware.md`."""

from collections import deque
from typing import NamedTuple

from spikeloom.golden.cycle.fire import Command, Fire, PopulationRow, Result, Spike
from spikeloom.golden.cycle.packing import offsets
from spikeloom.golden.cycle.random_numbers import Noise
from spikeloom.golden.cycle.switches.stage import Stage, stages
from spikeloom.golden.spec import DECAY_BITS, FabricConfig, Reset


class Parameters(NamedTuple):
    """What the bias row of a neuron holds besides biases.

    All but the gain are there with `neuron_parameters`, and are as in `PopulationRow`.
    """

    retain: int = 0
    threshold: int = 0
    v_reset: int = 0
    v_init: int = 0
    retain_synaptic: int = 0
    gain: int = 0


class FullFire(Fire):
    """Fire of a fabric with images or options of the neuron update.

    Without images, a row of the population table is walked as a 1 x 1 image whose channels are its
    neurons. The group that begins next is (`group`, `y`, `x`), number `fetches` of its population.
    `origins` holds the groups that have begun and are not yet in the buffer.
    """

    __slots__ = (
        "active",
        "bias_address",
        "channels",
        "config",
        "currents",
        "enters",
        "fetches",
        "group",
        "height",
        "images",
        "leaks",
        "neuron_parameters",
        "next_row",
        "noise",
        "number",
        "origins",
        "parameters",
        "position",
        "position_shifts",
        "repeats",
        "schedules",
        "set_row",
        "spike_clocks",
        "switches",
        "touched",
        "width",
        "x",
        "y",
    )

    def __init__(self, config: FabricConfig) -> None:
        super().__init__(config)
        self.images = config.images
        # Relative to the index.
        at = offsets(config.spike)
        self.position_shifts = (
            (at["y"] - at["index"], at["x"] - at["index"]) if config.images else (0, 0)
        )
        self.spike_clocks = config.spike_clocks
        self.leaks = [0] * config.bias_depth
        self.neuron_parameters = config.neuron_parameters
        self.parameters = [Parameters()] * config.bias_depth
        self.currents = [0] * config.neurons
        self.config = config
        # The switches that are on in each row of the population table.
        self.switches: list[list[Stage]] = [[] for _ in self.populations]
        self.active: list[Stage] = []  # in the row read last
        self.touched = 0  # a bit for each group of neurons, with `plasticity`
        self.noise = Noise(config)
        self.schedules = config.schedules
        # The first row of the present step, and where that comes from.
        self.set_row = self.next_row = self.repeats = 0
        self.enters = False
        self.height = self.width = self.channels = 0
        self.group = self.y = self.x = self.fetches = 0
        self.origins: deque[tuple[int, int, int, int]] = deque()
        self.position = self.bias_address = self.number = 0

    @staticmethod
    def needed(config: FabricConfig) -> bool:
        """Whether the fabric has images or options that `Fire` does not model."""
        return (
            config.images
            or config.synaptic_current
            or config.delayed_reset
            or config.lower_clamp
            or config.max_spikes > 1
            or config.signed_spikes
            or config.fraction_bits > 0
            or config.neuron_parameters
            or config.traces
            or config.doubling
            or config.schedules
            or bool(config.switches)
        )

    def write_population(self, address: int, row: dict[str, int]) -> None:
        """Write a row of the population table."""
        self.switches[address] = stages(self.config, row)
        own = {name: value for name, value in row.items() if name in PopulationRow._fields}
        super().write_population(address, own)

    def write_bias(self, address: int, bias: int, leak: int = 0, **parameters: int) -> None:
        """Write a row of the bias memory."""
        super().write_bias(address, bias)
        self.leaks[address] = leak
        self.parameters[address] = Parameters(**parameters)

    def begins(self) -> int:
        """Number of neurons in the group that begins in this clock; 0 if none begins."""
        if not super().begins():
            return 0
        return min(self.lanes, self.channels - self.group * self.lanes)

    def start(self, command: Command) -> None:
        """Latch `command`; with `schedules` a step begins at the row that its steps have."""
        super().start(command)
        restart, first, *_ = command
        if restart:
            self.noise.command(first)
        if not (self.schedules and restart):
            return
        if first:
            self.row, self.enters = 0, True
        elif self.repeats:
            self.row = self.set_row
            self.repeats -= 1
        else:
            self.row, self.enters = self.next_row, True
        self.set_row = self.row

    def clock(self, fetched: int) -> list[Spike]:
        """Advance by one clock in a state other than IDLE, as in `Fire.clock`."""
        arriving = self.arriving
        entry = super().clock(fetched)
        if arriving:
            self._arrive()
        if self.begun:
            self._step()
        return entry

    def setup(self) -> None:
        """What SETUP does with the row of the population table, as in `Fire.setup`."""
        super().setup()
        population = self.population
        self.active = self.switches[self.row]
        if self.enters:
            self.repeats, self.next_row = population.repeat, population.next
            self.enters = False
        if self.images:
            self.height, self.width = population.height, population.width
            self.channels = population.channels
        else:
            self.height = self.width = 1
            self.channels = population.neurons
        self.group = self.y = self.x = self.fetches = 0

    def _arrive(self) -> None:
        """Set index, rows and position of the group that enters the buffer."""
        population = self.population
        group, y, x, fetches = self.origins.popleft()
        y_shift, x_shift = self.position_shifts
        self.position = y << y_shift | x << x_shift
        self.neuron = group * self.lanes
        self.neuron_address = population.neuron_base + fetches * self.lanes
        self.number = population.index_base + self.neuron
        if self.images:
            before = self.neuron * population.plane + y * population.width + x
            self.number = population.first_number + before
        if not (self.images or self.config.bias_blocks):
            self.bias_address = self.neuron_address
        elif population.shared:
            self.bias_address = population.bias_base + group * self.lanes
        else:
            self.bias_address = population.bias_base + fetches * self.lanes

    def _step(self) -> None:
        """Record the group that begins and advance to the next one."""
        self.origins.append((self.group, self.y, self.x, self.fetches))
        self.fetches += 1
        self.x += 1
        if self.x == self.width:
            self.x = 0
            self.y += 1
            if self.y == self.height:
                self.y = 0
                self.group += 1

    def update(self) -> Result:
        """Update the neuron whose sum leaves the buffer, as in `Fire.update`.

        The comments name the clocks of a fabric with every option. Synaptic currents, and what
        switches keep, are written at once, because nothing reads them before the walk ends.
        """
        population, address = self.population, self.neuron_address
        low, high = self.state_range
        restores = population.reset == Reset.RESTORE
        subtracts = restores or population.reset == Reset.SUBTRACT
        constants = self.parameters[self.bias_address]
        parameters = constants if self.neuron_parameters else population
        threshold = parameters.threshold

        # m + 1.
        v = self._initial(parameters) if self.first else self.states[address]
        i = 0 if self.first else self.currents[address]
        switches = self.active
        kept = self._kept(address)
        total = ((self.buffer & 2 * self.sum_sign - 1) ^ self.sum_sign) - self.sum_sign
        # m + 2.
        total, bias = total << population.fraction, self.biases[self.bias_address]
        x = total + bias
        for switch in switches:
            x = switch.scale(x, total, bias, constants)
        late = population.spiking and (population.delayed or restores)
        resets = bool(late) and self._over(v, threshold)
        # m + 3 and m + 4.
        current = 0
        if population.synaptic:
            retained = abs(i) * parameters.retain_synaptic >> DECAY_BITS
            current = min(max((retained if i >= 0 else -retained) + x, low), high)
            x = current + self.leaks[self.bias_address]
        # m + 5 and m + 6.
        retained = abs(v) * parameters.retain >> DECAY_BITS
        decayed = retained if v >= 0 else -retained
        for switch in switches:
            decayed = switch.leak(decayed)
        drop = parameters.v_reset if resets and subtracts else 0
        u = min(max(decayed + x - drop, low), high)
        if resets and population.reset == Reset.VALUE:
            u = parameters.v_reset
        self.currents[address] = current
        for switch in switches:
            u = switch.after_sum(u, v, parameters.v_reset, kept)
        # m + 7.
        u = max(u, population.v_min)
        for switch in switches:
            u = switch.before_comparison(u, parameters.v_reset)
        # From m + 8 on.
        bars = any(switch.bars(kept) for switch in switches)
        raised = sum(switch.raised(kept) - switch.lowered(self._draw) for switch in switches)
        negative = self._is_negative(u)
        potential = -u if negative else u
        spiked, w = (0, potential) if bars else self._count(potential, threshold, raised)
        held = self._holds(address, u, spiked, kept)
        if held:
            spiked = 0
        if not held:
            self._keep(address, bool(spiked), kept, u)
        u = self._after_spikes(u, w, spiked, resets, parameters)
        return self._result(address, u, spiked, current, negative)

    def _is_negative(self, u: int) -> bool:
        """Whether a potential spikes with negative spikes."""
        return bool(self.population.signed) and u < 0

    def _holds(self, address: int, u: int, spiked: int, kept: dict[str, int]) -> bool:
        """Whether a later walk decides if a neuron may spike."""
        return False

    def _after_spikes(
        self,
        u: int,
        w: int,
        spiked: int,
        resets: bool,
        parameters: PopulationRow | Parameters,
    ) -> int:
        """The potential to be written; `resets` is r, `w` as `_count` returns it."""
        population = self.population
        low, high = self.state_range
        if population.reset == Reset.RESTORE:
            return min(max(u - (spiked - resets) * parameters.v_reset, low), high)
        if not spiked or population.delayed:
            return u
        if population.reset == Reset.VALUE:
            return parameters.v_reset
        if population.reset == Reset.SUBTRACT:
            w -= parameters.v_reset if spiked & 1 else 0
            return min(max(-w if self._is_negative(u) else w, low), high)
        return u

    def _kept(self, address: int) -> dict[str, int]:
        """What switches kept of a neuron."""
        kept = self.config.kept_row.unpack(self.kept[address])
        if not self.first:
            return kept
        carried = [switch.carries(kept) for switch in self.active]
        return dict.fromkeys(kept, 0) | {
            name: value for fields in carried for name, value in fields.items()
        }

    def _keep(self, address: int, spiked: bool, kept: dict[str, int], u: int) -> None:
        """Write what switches keep of a neuron; `kept` is what they kept before."""
        after = [switch.keeps(spiked, kept, u) for switch in self.active]
        self.kept[address] = self.config.kept_row.pack(
            {name: value for fields in after for name, value in fields.items()}
        )

    def _result(self, address: int, u: int, spiked: int, current: int, negative: bool) -> Result:
        """What the last stage does with the neuron, which leaves the buffer."""
        population = self.population
        readout = self._reads()
        spike = None
        if (spiked and population.fan_out) or readout:
            spike = Spike(
                population=population.number,
                index=population.index_base + self.neuron & self.index_mask | self.position,
                spiked=spiked,
                target_base=population.target_base,
                fan_out=population.fan_out,
                readout=readout,
                value=u,
                currents=bool(population.currents),
                current=current,
                negative=negative,
            )
        self.bias_address += 1
        self.number += population.plane if self.images else 1
        return address, u, spiked, spike, current

    def _reads(self) -> bool:
        """Whether potentials are read out in this walk."""
        return bool(self.population.trace or (self.population.readout and self.ahead == 0))

    def _initial(self, parameters: PopulationRow | Parameters) -> int:
        """The potential before the first step."""
        own = self.config.initial_potentials
        return (parameters if own else self.population).v_init

    def _draw(self, table: int) -> int:
        """N of the neuron whose sum leaves the buffer."""
        return self.noise.drawn(self.population.number, self.number, table)

    def _count(self, u: int, threshold: int, raised: int) -> tuple[int, int]:
        """How often a neuron spikes, and `u` less the shares of all bits of that but the lowest."""
        population = self.population
        spiked = 0
        for bit in reversed(range(self.spike_clocks if population.spiking else 0)):
            if population.max_spikes >> bit & 1 and self._over(u, (threshold << bit) + raised):
                spiked |= 1 << bit
                if bit:
                    u -= threshold << bit
        return spiked, u

    def _over(self, potential: int, threshold: int) -> bool:
        """Whether a potential is above (`inclusive`: at or above) a threshold."""
        return potential >= threshold if self.population.inclusive else potential > threshold
