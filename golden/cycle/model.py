"""Cycle-level golden model: what every port of a fabric does in every clock.

Written from `docs/hardware.md`, to be read beside it: each class is a section of the page, each
attribute a register or memory of the same name. This file joins the blocks and models the sections
Load port, Arbiter, Counters and Probe.
"""

from collections.abc import Sequence

from spikeloom.golden.cycle.fire import Command
from spikeloom.golden.cycle.full_fire import FullFire
from spikeloom.golden.cycle.interconnect import Interconnect, through
from spikeloom.golden.cycle.learning_sequencer import LearningSequencer
from spikeloom.golden.cycle.learning_tile import LearningTile
from spikeloom.golden.cycle.learning_wires import LearningWires
from spikeloom.golden.cycle.packing import masks, offsets, shifts
from spikeloom.golden.cycle.sequencer import Sequencer
from spikeloom.golden.cycle.tile import Tile, TileShifts
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.spec import FabricConfig, LoadTarget, PacketKind, Port, ReadTarget

WATCHDOG = 1 << 18
"""Clocks within which `CycleModel.run` must see progress. The longest legal silence, one event or
one population of the largest tile, is about 2**16 clocks."""

STEP_PACKET = int(PacketKind.STEP)
"""The STEP packet; all its other fields are 0."""


class ProbeShifts:
    """Bit offsets in the probe word of the first field of each stream and of the first counter.

    `tiles` has two offsets for each tile: its first stream and `event`.
    """

    __slots__ = ("counters", "fire", "host_in", "host_out", "tiles")

    def __init__(self, config: FabricConfig) -> None:
        at = offsets(config.probe)
        self.host_in = at["host_in.valid"]
        self.host_out = at["host_out.valid"]
        self.fire = at["fire.valid"]
        self.counters = at["counters.cycles"]
        self.tiles = []
        for tile in range(config.tiles):
            names = [*(port.name.lower() for port in config.links(tile)), "event"]
            self.tiles.append((at[f"{tile}.{names[0]}.valid"], at[f"{tile}.event.valid"]))


class CycleModel:
    """A fabric, clock by clock.

    Parameters
    ----------
    config
        Sizes and options of the fabric.
    trace
        Make `clock` return the probe word, which is slower.

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
        "host_in_taken",
        "host_out",
        "interconnect",
        "learning",
        "load_masks",
        "load_shifts",
        "loaded",
        "probe_shifts",
        "row_layouts",
        "sequencer",
        "tile_shifts",
        "tiles",
        "trace",
    )

    def __init__(self, config: FabricConfig, trace: bool = False) -> None:
        self.config = config
        self.trace = trace
        self.tiles: Sequence[Tile]
        self.sequencer: Sequencer
        self.interconnect = Interconnect(config, trace) if config.tiles > 1 else None
        self.learning: LearningWires | None = None
        if config.plasticity:
            tiles = [LearningTile(config, trace) for _ in range(config.tiles)]
            sequencer = LearningSequencer(config)
            self.learning = LearningWires(config, sequencer, tiles, self.interconnect)
            self.tiles, self.sequencer = tiles, sequencer
        else:
            self.tiles = [Tile(config, trace) for _ in range(config.tiles)]
            self.sequencer = Sequencer(config)
        self.host_in_taken = False
        self.host_out: int | None = None
        self.cycles = 0
        self.counter_mask = (1 << config.counter_bits) - 1
        self.load_shifts = shifts(config.load)
        self.load_masks = masks(config.load)
        self.loaded: dict[tuple[int, int, int], int] = {}  # by tile, target and address
        self.row_layouts = {int(target): memory.row for target, memory in config.memories.items()}
        self.command_shifts = shifts(config.fire)
        self.probe_shifts = ProbeShifts(config)
        self.tile_shifts = TileShifts.of(config)

    @property
    def counters(self) -> dict[str, int]:
        """The counters by name, as they are after the last clock."""
        values = {"cycles": self.cycles}
        for tile in range(len(self.tiles)):
            counts = zip(self.config.tile_counters, self._counts(tile), strict=True)
            values |= {f"{name}.{tile}": count for name, count in counts}
        return values

    @property
    def occupied(self) -> bool:
        """Whether an event is in a router, or in W, D or X of a tile."""
        between = self.interconnect
        flying = between is not None and any(between.mesh.flying)
        return flying or any(tile.integrate.occupied for tile in self.tiles)

    def load(self, image: MemoryImage) -> None:
        """Write all rows of `image` without advancing the clock."""
        for word in image.load_words():
            self._write(word)

    def settle(self) -> None:
        """Advance until what loading began is over: CLEAR, in a fabric that can learn."""
        for _ in range(self.config.plastic_axons if self.config.plasticity else 0):
            self.clock()

    def row(self, target: ReadTarget, tile: int, address: int) -> int:
        """A row of a memory, packed as in `config.readable_memories`; the fabric is at rest."""
        fire = self.tiles[tile].fire
        loaded = self.loaded.get((tile, target, address), 0)
        if target == ReadTarget.WEIGHT:
            return self.tiles[tile].weights(address, loaded)
        if target == ReadTarget.SUM:
            return self.tiles[tile].integrate.sums[address]
        if target == ReadTarget.STATE:
            return (
                self.config.current_row.pack({"value": fire.states[address]})
                | fire.kept[address] << self.config.state_bits
            )
        if target == ReadTarget.CURRENT and isinstance(fire, FullFire):
            return self.config.state_row.pack({"value": fire.currents[address]})
        if target == ReadTarget.ROUTE:
            inputs = (*self.config.links(tile), Port.LOCAL)
            return self.config.route_copies.pack({port.name.lower(): loaded for port in inputs})
        return loaded

    def run(self, words: Sequence[int], steps: int | None = None) -> list[tuple[int, int]]:
        """Offer `words` back to back with `host_out` always ready.

        Runs until `steps` STEP packets came, or every word is taken and every step mark answered.

        Returns
        -------
        list of (clock, packet)
            Every packet with the clock in which it transferred, counted from 0 at this call.

        Raises
        ------
        RuntimeError
            The fabric made no progress for `WATCHDOG` clocks.
        """
        packets: list[tuple[int, int]] = []
        marks = sum(word & 1 for word in words)
        needed, steps = (len(words), marks) if steps is None else (0, steps)
        taken = clocks = 0
        progress: list[int] = []
        while taken < needed or steps > 0:
            self.clock(words[taken] if taken < len(words) else None)
            if self.host_in_taken:
                taken += 1
            if self.host_out is not None:
                packets.append((clocks, self.host_out))
                if self.host_out == STEP_PACKET:
                    steps -= 1
            clocks += 1
            if clocks % WATCHDOG == 0:
                now = [taken, len(packets), *(n for tile in self.tiles for n in tile.progress)]
                if now == progress:
                    raise RuntimeError(
                        f"no progress in {WATCHDOG} clocks: {taken} of {len(words)} words taken, "
                        f"{steps} steps not complete; do the words match the loaded image?"
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
            Packed `config.host_in` payload offered in this clock, if any.
        host_out_ready
            Whether the host accepts a packet in this clock.
        load
            Packed `config.load` payload transferred in this clock, if any.

        Returns
        -------
        int
            With `trace`, the packed `config.probe` word of this clock, else 0.
        """
        counters = self._pack_counters() if self.trace else 0
        occupied = self.learning is not None and self.occupied
        if self.interconnect is None:
            probe = self._clock_one(host_in, host_out_ready, load)
        else:
            probe = self._clock_mesh(self.interconnect, host_in, host_out_ready, load)
        if self.learning is not None:
            probe |= self.learning.clock(occupied)
        self.cycles = self.cycles + 1 & self.counter_mask
        return probe | counters

    def _clock_one(self, host_in: int | None, host_out_ready: bool, load: int | None) -> int:
        """Advance a single tile by one clock."""
        tile, sequencer = self.tiles[0], self.sequencer
        emit = tile.emit

        # Signals that depend on registers alone. `busy` is unused until a step's input is complete.
        busy = sequencer.lead != 0 and tile.busy(sequencer.fire_slot)
        fetching = tile.fire.begun
        event_ready = tile.integrate.w_event is None
        emit_event = emit.c_event
        emit_host = emit.c_packet
        reporting = sequencer.reports
        host_out = STEP_PACKET if reporting else emit_host

        # Arbiter and the sequencer's input side. Bit 0 of a host word marks the end of a step.
        event = emit_event
        mark = None
        taken = False
        if host_in is not None and sequencer.open:
            if host_in & 1:
                mark = host_in
                taken = True
            elif emit_event is None:
                event = sequencer.event(host_in)
                taken = event_ready

        # The edge.
        command = sequencer.clock(busy, reporting and host_out_ready)
        if mark is not None:
            sequencer.mark(mark)
        part = tile.clock(
            event if event_ready else None, fetching, event_ready, host_out_ready, command
        )
        if load is not None:
            self._write(load)

        self.host_in_taken = taken
        self.host_out = host_out if host_out_ready else None
        if not self.trace:
            return 0

        # The probe. The fields of a stream are adjacent: valid, ready, payload.
        shift = self.tile_shifts
        part |= (
            event_ready << 1
            | event_ready << shift.emit_event + 1
            | host_out_ready << shift.emit_host + 1
        )
        if event is not None:
            part |= 1 | event << 2
        if emit_event is not None:
            part |= (1 | emit_event << 2) << shift.emit_event
        if emit_host is not None:
            part |= (1 | emit_host << 2) << shift.emit_host
        _, offset = self.probe_shifts.tiles[0]
        return part << offset | self._pack_ends(host_in, taken, host_out, host_out_ready, command)

    def _clock_mesh(
        self, between: Interconnect, host_in: int | None, host_out_ready: bool, load: int | None
    ) -> int:
        """Advance a fabric of two tiles or more by one clock."""
        tiles, sequencer = self.tiles, self.sequencer
        mesh, collector = between.mesh, between.collector

        # Signals that depend on registers alone. A tile at rest is ready and offers nothing.
        slot = through(between.slots, sequencer.fire_slot)
        busy = mesh.flying[slot] != 0
        ready = [True] * len(tiles)
        offered: list[int | None] = [None] * len(tiles)
        packets: dict[int, int] = {}
        fetching = [0] * len(tiles)
        for number in between.active:
            tile = tiles[number]
            busy = busy or tile.busy(slot)
            fetching[number] = tile.fire.begun
            ready[number] = tile.integrate.w_event is None
            offered[number] = tile.emit.c_event
            if tile.emit.c_packet is not None:
                packets[number] = tile.emit.c_packet
        busy = through(between.busy, busy)
        collecting = through(between.collecting, collector.held != 0)
        reporting = sequencer.reports and not collecting
        host_out = STEP_PACKET if reporting else collector.output

        # The sequencer's input side.
        event = mark = None
        if host_in is not None and sequencer.open:
            if host_in & 1:
                mark = host_in
            else:
                event = sequencer.event(host_in)

        # The edge.
        mesh.clock(offered, ready, event)
        taken = mark is not None or mesh.host_taken
        sent = collector.clock(packets, host_out_ready)
        command = sequencer.clock(busy, reporting and host_out_ready)
        if mark is not None:
            sequencer.mark(mark)
        arriving = through(between.commands, command)
        awake = between.active.union(
            number
            for number, packet in enumerate(mesh.delivered)
            if packet is not None or arriving is not None
        )
        parts = [0] * len(tiles)
        for number in awake:
            parts[number] = tiles[number].clock(
                mesh.delivered[number],
                fetching[number],
                mesh.taken[number],
                number in sent,
                arriving,
            )
        between.active = {number for number in awake if not tiles[number].resting}
        self._load_mesh(between, load)

        self.host_in_taken = taken
        self.host_out = host_out if host_out_ready else None
        if not self.trace:
            return 0

        # The probe.
        emit_host = self.tile_shifts.emit_host
        for number, packet in packets.items():
            parts[number] |= (1 | (number in sent) << 1 | packet << 2) << emit_host
        probe = self._pack_ends(host_in, taken, host_out, host_out_ready, command)
        for (first, offset), streams, part in zip(
            self.probe_shifts.tiles, mesh.streams, parts, strict=True
        ):
            probe |= streams << first | part << offset
        return probe

    def _load_mesh(self, between: Interconnect, load: int | None) -> None:
        """Take a load word, for which the host waits: the sequencer is written at once."""
        if load is not None:
            self._write_sequencer(load)
        arriving = through(between.loads, load)
        if arriving is not None:
            self._write_tile(arriving)
        if between.loads.count(None) != len(between.loads):
            self.sequencer.close()

    def _pack_ends(
        self,
        host_in: int | None,
        taken: bool,
        host_out: int | None,
        host_out_ready: bool,
        command: Command | None,
    ) -> int:
        """The host's streams and `fire`, shifted to their offsets in the probe word."""
        shift = self.probe_shifts
        probe = taken << shift.host_in + 1 | host_out_ready << shift.host_out + 1
        if host_in is not None:
            probe |= (1 | host_in << 2) << shift.host_in
        if host_out is not None:
            probe |= (1 | host_out << 2) << shift.host_out
        if command is not None:
            fields = zip(command, self.command_shifts, strict=True)
            payload = sum(value << offset for value, offset in fields)
            probe |= (1 | payload << 1) << shift.fire
        return probe

    def _counts(self, tile: int) -> tuple[int, ...]:
        """The counters of a tile, in the order of `config.tile_counters`."""
        integrate = self.tiles[tile].integrate
        errors = integrate.errors
        if self.interconnect is not None:
            errors += self.interconnect.mesh.routers[tile].errors
        spikes = self.tiles[tile].fire.spikes
        counts = integrate.synops, spikes, integrate.stalls, errors & self.counter_mask
        return counts if self.learning is None else (*counts, self.learning.updates(tile))

    def _pack_counters(self) -> int:
        """The counters, shifted to their offset in the probe word."""
        bits = self.config.counter_bits
        word = self.cycles
        offset = bits
        for tile in range(len(self.tiles)):
            for count in self._counts(tile):
                word |= count << offset
                offset += bits
        return word << self.probe_shifts.counters

    def _unpack_load(self, word: int) -> tuple[int, int, int, int]:
        """Tile, target, address and data of a load word."""
        tile, target, address, data = (
            word >> shift & mask
            for shift, mask in zip(self.load_shifts, self.load_masks, strict=True)
        )
        return tile, target, address, data

    def _write(self, word: int) -> None:
        """Write the row of a `config.load` word to its memory."""
        self._write_sequencer(word)
        self._write_tile(word)

    def _write_sequencer(self, word: int) -> None:
        _, target, _, data = self._unpack_load(word)
        if target in (LoadTarget.CONTROL, LoadTarget.LEARN) and target in self.row_layouts:
            self.sequencer.write(LoadTarget(target), self.row_layouts[target].unpack(data))

    def _write_tile(self, word: int) -> None:
        tile, target, address, data = self._unpack_load(word)
        layout = self.row_layouts.get(target)
        if layout is None:
            return
        data &= (1 << layout.width) - 1
        self.loaded[tile, target, address] = data
        if target == LoadTarget.CONTROL or tile >= len(self.tiles):
            return
        if target != LoadTarget.ROUTE:
            self.tiles[tile].write(LoadTarget(target), address, data)
        elif self.interconnect is not None:
            self.interconnect.mesh.routers[tile].table[address] = data
        if target == LoadTarget.LEARN and self.interconnect is not None:
            self.interconnect.active.add(tile)
