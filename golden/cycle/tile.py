"""Cycle-level golden model of a tile: joins the sections Integrate, Fire and Emit of
`docs/hardware.md`.

A method `clock` takes a unit's inputs in one clock and leaves its registers as they are in the next
clock.
"""

from typing import NamedTuple

from spikeloom.golden.cycle.emit import Emit
from spikeloom.golden.cycle.fire import IDLE, NO_SPIKES, Command, Fire, Spike
from spikeloom.golden.cycle.full_fire import FullFire
from spikeloom.golden.cycle.image_integrate import CoordinateRow, ImageIntegrate
from spikeloom.golden.cycle.integrate import ConnectionRow, Integrate
from spikeloom.golden.cycle.packing import offsets
from spikeloom.golden.cycle.plastic_fire import (
    PlasticFire,
    PlasticQuickFire,
    PlasticSelectingFire,
)
from spikeloom.golden.cycle.plastic_integrate import PlasticIntegrate
from spikeloom.golden.cycle.quick_fire import QuickFire
from spikeloom.golden.cycle.selecting_fire import SelectingFire
from spikeloom.golden.cycle.sparse_integrate import SparseIntegrate
from spikeloom.golden.spec import FabricConfig, LoadTarget


class TileShifts(NamedTuple):
    """Bit offsets in the part of the probe word that begins with a tile's `event`.

    Each is the offset of the first field of a stream or memory, or of its data; 0 if absent.
    """

    emit_event: int
    emit_host: int
    spike: int
    fetch: int
    sum: int
    sum_data: int
    state: int
    state_data: int
    current: int
    current_data: int

    @classmethod
    def of(cls, config: FabricConfig) -> "TileShifts":
        """The offsets in `config.probe`."""
        at = offsets(config.probe)
        first = at["0.event.valid"]
        names = (
            *("emit_event.valid", "emit_host.valid", "spike.valid", "fetch.valid"),
            *("sum.write", "sum.data", "state.write", "state.data"),
            *("current.write", "current.data"),
        )
        return cls(*(at.get(f"0.{name}", first) - first for name in names))


class Tile:
    """Integrate, fire and emit, joined."""

    __slots__ = (
        "current_clocks",
        "emit",
        "fire",
        "fire_lanes",
        "integrate",
        "row_layouts",
        "shifts",
        "signed",
        "spike_shifts",
        "state_bits",
        "state_width",
        "trace",
    )

    def __init__(self, config: FabricConfig, trace: bool) -> None:
        self.integrate = _integrate(config)
        self.fire = _fire(config)
        self.emit = Emit(config)
        self.fire_lanes = config.fire_lanes
        self.state_bits = config.state_bits
        self.state_width = config.state_row.width
        self.trace = trace
        self.shifts = TileShifts.of(config)
        # Clocks from a sum leaving fire's buffer until its synaptic current is written.
        self.current_clocks = 2 + config.product_clocks + config.input_gain
        self.spike_shifts = offsets(config.spike_row)
        self.signed = config.signed_spikes
        self.row_layouts = {target: memory.row for target, memory in config.memories.items()}

    def busy(self, slot: int) -> bool:
        """Whether fire or emit is not idle, or an event due in `slot` is pending."""
        return not self.fire.idle or not self.emit.idle or self.integrate.pending(slot)

    @property
    def resting(self) -> bool:
        """Whether no register changes until an event or a command arrives."""
        fire = self.fire
        at_rest = fire.state == IDLE and fire.waiting is None
        # All credits are back, and `enough` knows.
        at_rest = at_rest and fire.enough and not fire.returned
        return at_rest and self.emit.idle and self.integrate.empty

    @property
    def progress(self) -> tuple[int, ...]:
        """What changes from time to time in a run that goes on."""
        return self.integrate.synops, self.fire.spikes

    def weights(self, address: int, loaded: int) -> int:
        """A row of the weight memory in which `loaded` was loaded."""
        return loaded

    def write(self, target: LoadTarget, address: int, data: int) -> None:
        """Write a packed row to a memory of the tile."""
        if target == LoadTarget.WEIGHT:
            self.integrate.write_weights(address, data)
            return
        row = self.row_layouts[target].unpack(data)
        if target == LoadTarget.BIAS:
            self.fire.write_bias(address, **row)
        elif target == LoadTarget.POPULATION:
            self.fire.write_population(address, row)
        elif target == LoadTarget.CONNECTION:
            self.integrate.connections[address] = ConnectionRow(**row)
        elif target == LoadTarget.TARGET:
            self.emit.write_target(address, **row)
        elif target == LoadTarget.NOISE and isinstance(self.fire, FullFire):
            self.fire.noise.table[address] = row["value"]
        elif target == LoadTarget.RANDOM and isinstance(self.fire, FullFire):
            self.fire.noise.start = row["start"]
        elif isinstance(self.integrate, ImageIntegrate):
            self.integrate.coordinates[address] = CoordinateRow(**row)

    def clock(
        self,
        event: int | None,
        fetching: int,
        event_taken: bool,
        host_taken: bool,
        command: Command | None,
    ) -> int:
        """Advance by one clock.

        Parameters
        ----------
        event
            Packed event that transfers into integrate, if any.
        fetching
            Nonzero if `fetch.valid`: `fire.begun`.
        event_taken, host_taken
            Whether `emit_event` and `emit_host` transfer.
        command
            The command that is valid on `fire`, if any.

        Returns
        -------
        int
            With `trace`, the tile's part of the probe word from `event` on, with spike, fetch and
            memory writes filled in; else 0.
        """
        integrate, fire, emit = self.integrate, self.fire, self.emit
        fetch_address = fire.fetch_address
        sum_address = integrate.write_address
        states, currents = fire.pipeline[0], fire.pipeline[-self.current_clocks]

        # Each unit updates its registers once no other unit reads them any more.
        popped = not emit.idle and emit.clock(event_taken, host_taken, fire.ahead, fire.slot)
        fetched = integrate.clock(event, fetching, fetch_address)
        entry = NO_SPIKES
        if fire.state != IDLE:
            entry = fire.clock(fetched)
            if entry:
                emit.push(entry)
            if command is not None:
                fire.waiting = command
        else:
            fire.rest()
            if command is not None:
                fire.start(command)
        if popped:
            fire.returned += 1
        if not self.trace:
            return 0

        # Fields are adjacent: valid, (ready,) payload of a stream; write, address, data of memory.
        shift = self.shifts
        probe = 0
        if entry:
            probe |= (1 | self._pack_entry(entry) << 1) << shift.spike
        if fetching:
            probe |= (1 | fetch_address << 1) << shift.fetch
        if sum_address is not None:
            probe |= (1 | sum_address << 1) << shift.sum
            probe |= integrate.row(sum_address) << shift.sum_data
        for address, value, *_ in states:
            row, lane = divmod(address, self.fire_lanes)
            probe |= (1 << lane | row << self.fire_lanes) << shift.state
            state = value & emit.value_mask | fire.kept[address] << self.state_bits
            probe |= state << shift.state_data + lane * self.state_width
        for address, *_, value in currents if shift.current else ():
            row, lane = divmod(address, self.fire_lanes)
            probe |= (1 << lane | row << self.fire_lanes) << shift.current
            current = value & emit.value_mask
            probe |= current << shift.current_data + lane * self.state_bits
        return probe

    def _pack_entry(self, entry: list[Spike]) -> int:
        """An entry of the spike queue."""
        shift = self.spike_shifts
        first, mask = entry[0], self.emit.value_mask
        lanes = [spike.index % self.fire_lanes for spike in entry]
        packed = (
            first.population << shift["population"]
            | first.index - lanes[0] << shift["index"]
            | first.target_base << shift["target_base"]
            | first.fan_out << shift["fan_out"]
            | first.readout << shift["readout"]
        )
        if "currents" in shift:
            packed |= first.currents << shift["currents"]
        for lane, spike in zip(lanes, entry, strict=True):
            number = ""
            if self.fire_lanes > 1:
                number = str(lane)
                packed |= 1 << shift["sends"] + lane
            packed |= spike.spiked << shift[f"spiked{number}"]
            packed |= (spike.value & mask) << shift[f"value{number}"]
            if self.signed:
                packed |= spike.negative << shift[f"negative{number}"]
            if "currents" in shift:
                packed |= (spike.current & mask) << shift[f"current{number}"]
        return packed


def _fire(config: FabricConfig) -> Fire:
    if config.fire_lanes > 1:
        return PlasticQuickFire(config) if config.plasticity else QuickFire(config)
    if config.plasticity:
        return PlasticSelectingFire(config) if config.selection else PlasticFire(config)
    if config.selection:
        return SelectingFire(config)
    return FullFire(config) if FullFire.needed(config) else Fire(config)


def _integrate(config: FabricConfig) -> Integrate:
    if config.plasticity:
        return PlasticIntegrate(config)
    if config.sparse_words or config.one_to_one:
        return SparseIntegrate(config)
    return ImageIntegrate(config) if config.images else Integrate(config)
