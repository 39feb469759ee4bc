"""Cycle-level golden model of a tile: joins the sections Integrate, Fire and Emit of
`docs/hardware.md`.

A method `clock` takes a unit's inputs in one clock and leaves its registers as they are in the next
clock.
"""

from typing import NamedTuple

from spikeloom.golden.cycle.emit import Emit
from spikeloom.golden.cycle.fire import IDLE, Command, Fire, Spike
from spikeloom.golden.cycle.full_fire import FullFire
from spikeloom.golden.cycle.image_integrate import CoordinateRow, ImageIntegrate
from spikeloom.golden.cycle.integrate import ConnectionRow, Integrate
from spikeloom.golden.cycle.packing import offsets
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
        "integrate",
        "row_layouts",
        "shifts",
        "spike_shifts",
        "state_bits",
        "trace",
    )

    def __init__(self, config: FabricConfig, trace: bool) -> None:
        self.integrate = _integrate(config)
        self.fire = _fire(config)
        self.emit = Emit(config)
        self.state_bits = config.state_bits
        self.trace = trace
        self.shifts = TileShifts.of(config)
        # Clocks from a sum leaving fire's buffer until its synaptic current is written.
        self.current_clocks = 2 + config.product_clocks + config.input_gain
        self.spike_shifts = offsets(config.spike)
        self.row_layouts = {target: memory.row for target, memory in config.memories.items()}

    def busy(self, slot: int) -> bool:
        """Whether fire or emit is not idle, or an event due in `slot` is pending."""
        return self.fire.state != IDLE or not self.emit.idle or self.integrate.pending(slot)

    @property
    def resting(self) -> bool:
        """Whether no register changes until an event or a command arrives."""
        return self.fire.state == IDLE and self.emit.idle and self.integrate.empty

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
        result, current = fire.pipeline[0], fire.pipeline[-self.current_clocks]

        # Each unit updates its registers once no other unit reads them any more.
        popped = not emit.idle and emit.clock(event_taken, host_taken, fire.ahead, fire.slot)
        fetched = integrate.clock(event, fetching, fetch_address)
        spike = None
        if fire.state != IDLE:
            spike = fire.clock(fetched)
            if spike is not None:
                emit.push(spike)
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
        if spike is not None:
            probe |= (1 | self._pack_spike(spike) << 1) << shift.spike
        if fetching:
            probe |= (1 | fetch_address << 1) << shift.fetch
        if sum_address is not None:
            probe |= (1 | sum_address << 1) << shift.sum
            probe |= integrate.row(sum_address) << shift.sum_data
        if result is not None:
            state_address, value, *_ = result
            probe |= (1 | state_address << 1) << shift.state
            state = value & emit.value_mask | fire.kept[state_address] << self.state_bits
            probe |= state << shift.state_data
        if shift.current and current is not None:
            current_address, *_, value = current
            probe |= (1 | current_address << 1) << shift.current
            probe |= (value & emit.value_mask) << shift.current_data
        return probe

    def _pack_spike(self, spike: Spike) -> int:
        shift = self.spike_shifts
        return (
            spike.population << shift["population"]
            | spike.index << shift["index"]
            | spike.spiked << shift["spiked"]
            | spike.negative << shift.get("negative", 0)
            | spike.target_base << shift["target_base"]
            | spike.fan_out << shift["fan_out"]
            | spike.readout << shift["readout"]
            | (spike.value & self.emit.value_mask) << shift["value"]
            | self._pack_current(spike)
        )

    def _pack_current(self, spike: Spike) -> int:
        """The fields of a spike that are about synaptic currents, if the fabric has them."""
        shift = self.spike_shifts
        if "current" not in shift:
            return 0
        current = spike.current & self.emit.value_mask
        return spike.currents << shift["currents"] | current << shift["current"]


def _fire(config: FabricConfig) -> Fire:
    if config.selection:
        return SelectingFire(config)
    return FullFire(config) if FullFire.needed(config) else Fire(config)


def _integrate(config: FabricConfig) -> Integrate:
    if config.sparse_words or config.one_to_one:
        return SparseIntegrate(config)
    return ImageIntegrate(config) if config.images else Integrate(config)
