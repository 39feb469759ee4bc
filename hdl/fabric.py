"""Fabric: tiles, the network between them, the sequencer and the host's ports."""

from amaranth import Cat, Module, Mux, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from spikeloom.golden.contents import NOTHING, Contents
from spikeloom.golden.spec import FabricConfig, Port
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.read import ask, read_member
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.common.tree import any_of
from spikeloom.hdl.core.ports import written
from spikeloom.hdl.core.spike_rows import sent
from spikeloom.hdl.core.tile import Tile
from spikeloom.hdl.mesh.collector import Collector
from spikeloom.hdl.mesh.mesh import Mesh
from spikeloom.hdl.sequencer import Sequencer


class Fabric(wiring.Component):
    """A mesh of tiles, or one tile whose spikes loop back. See docs/hardware.md.

    Parameters
    ----------
    config
        Sizes of the fabric.
    probe
        Add the output `probe`, which shows every stream, memory write and counter to a bench.
    contents
        Initial contents of its memories and of the control register.
    status
        Add the output `occupied`.

    Members
    -------
    host_in : In(stream.Signature(config.host_in))
        Events and step marks.
    host_out : Out(stream.Signature(config.host_out))
        Spikes, states, completed steps.
    load : In(stream.Signature(config.load))
        Writes the memories and the control register of a fabric at rest; always ready.
    read : In(read_signature(config))
        With `readable` only: reads the memories of a fabric at rest.
    counters : Out(config.counters)
    occupied : Out(1)
        With `status` only: `tree_depth` clocks ago an event, whenever it is due, was in a router
        or had groups not yet issued.
    probe : Out(config.probe.width)
        With `probe` only: the streams, writes and counters of the clock before.
    """

    def __init__(
        self,
        config: FabricConfig,
        probe: bool = False,
        contents: Contents = NOTHING,
        status: bool = False,
    ) -> None:
        self.config = config
        self.has_probe = probe
        self.has_status = status
        self.contents = contents
        members = {
            "host_in": In(stream.Signature(struct(config.host_in))),
            "host_out": Out(stream.Signature(struct(config.host_out))),
            "load": In(stream.Signature(struct(config.load))),
            **read_member(config),
            "counters": Out(struct(config.counters)),
        }
        if status:
            members["occupied"] = Out(1)
        if probe:
            members["probe"] = Out(config.probe.width)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        config = self.config
        depth = config.tree_depth
        m = Module()
        m.submodules.sequencer = sequencer = Sequencer(config, self.contents.control)
        connect(m, flipped(self.host_in), sequencer.host_in)
        m.d.comb += self.load.ready.eq(1)
        m.d.comb += [sequencer.load.valid.eq(self.load.valid), sequencer.load.word.eq(self.load.p)]

        # Load words, commands and the slot reach all tiles `depth` clocks later.
        load_valid = delayed(m, self.load.valid, depth)
        load_word = delayed(m, self.load.p, depth)
        fire_valid = delayed(m, sequencer.fire.valid, depth)
        fire_command = delayed(m, sequencer.fire.p, depth)
        if config.plasticity:
            learn_valid = delayed(m, sequencer.learn.valid, depth)
            learn_ends = delayed(m, sequencer.learn.ends, depth)
        slot = delayed(m, sequencer.slot, depth)
        tiles = []
        for number in range(config.tiles):
            m.submodules[f"tile{number}"] = tile = Tile(config, self.contents.of(number))
            tiles.append(tile)
            m.d.comb += [
                tile.load.valid.eq(load_valid & (load_word.tile == number)),
                tile.load.word.eq(load_word),
                tile.fire.valid.eq(fire_valid),
                tile.fire.p.eq(fire_command),
                tile.slot.eq(slot),
            ]
            if config.plasticity:
                m.d.comb += [tile.learn.valid.eq(learn_valid), tile.learn.ends.eq(learn_ends)]

        # The parts of each tile whose memories can be read.
        reads = [[tile.read] for tile in tiles] if config.readable else []

        links: dict[tuple[int, Port], stream.Interface] = {}
        if config.tiles == 1:
            self._loop_back(m, sequencer, tiles[0])
            busy = [tiles[0].busy]
            occupied = [tiles[0].occupied]
            dropped: list[Value | int] = [0]
        else:
            m.submodules.mesh = mesh = Mesh(config, self.contents)
            m.submodules.collector = collector = Collector(config)
            connect(m, sequencer.event, mesh.host)
            m.d.comb += mesh.slot.eq(slot)
            for number, tile in enumerate(tiles):
                connect(m, tile.emit_event, mesh.inject[number])
                connect(m, mesh.deliver[number], tile.event)
                connect(m, tile.emit_host, collector.tiles[number])
                m.d.comb += [
                    mesh.loads[number].valid.eq(tile.load.valid),
                    mesh.loads[number].word.eq(tile.load.word),
                ]
            for number, parts in enumerate(reads):
                parts.append(mesh.reads[number])
            self._to_host(m, sequencer, collector.host)
            busy = [tile.busy | mesh.pending[number] for number, tile in enumerate(tiles)]
            occupied = [tile.occupied | mesh.occupied[number] for number, tile in enumerate(tiles)]
            dropped = list(mesh.dropped)
            m.d.comb += sequencer.collecting.eq(any_of(m, list(collector.occupied), depth))
            links = mesh.links
        m.d.comb += sequencer.busy.eq(any_of(m, busy, depth))
        if self.has_status or config.plasticity:
            earlier = any_of(m, occupied, depth)
        if self.has_status:
            m.d.comb += self.occupied.eq(earlier)
        if config.plasticity:
            m.d.comb += sequencer.occupied.eq(earlier)
        if config.readable:
            self._read(m, reads)

        counters = self.counters
        m.d.sync += counters.cycles.eq(counters.cycles + 1)
        for number, tile in enumerate(tiles):
            counted = {
                "synops": tile.synapses,
                "spikes": tile.fired,
                "stalls": tile.stalled,
                "errors": tile.error + dropped[number],
            }
            if config.plasticity:
                counted["updates"] = tile.updates
            for name, events in counted.items():
                counter = counters[f"{name}.{number}"]
                m.d.sync += counter.eq(counter + events)
        if self.has_probe:
            m.d.sync += self.probe.eq(self._probe(sequencer, tiles, links))
        return m

    def _loop_back(self, m: Module, sequencer: Sequencer, tile: Tile) -> None:
        """Merges the single tile's events and the host's into that tile."""
        # Its own events have priority, because the step waits for them.
        m.d.comb += [
            tile.event.valid.eq(tile.emit_event.valid | sequencer.event.valid),
            tile.event.p.eq(Mux(tile.emit_event.valid, tile.emit_event.p, sequencer.event.p)),
            tile.emit_event.ready.eq(tile.event.ready),
            sequencer.event.ready.eq(tile.event.ready & ~tile.emit_event.valid),
        ]
        self._to_host(m, sequencer, tile.emit_host)

    def _to_host(self, m: Module, sequencer: Sequencer, packets: stream.Interface) -> None:
        """Merges the tiles' packets and STEP packets, which come when no other is left."""
        m.d.comb += [
            self.host_out.valid.eq(packets.valid | sequencer.done.valid),
            self.host_out.p.eq(Mux(sequencer.done.valid, sequencer.done.p, packets.p)),
            packets.ready.eq(self.host_out.ready),
            sequencer.done.ready.eq(self.host_out.ready),
        ]

    def _read(self, m: Module, reads: list[list[wiring.PureInterface]]) -> None:
        """Reads a byte of a tile: the word travels like load words, the byte like `busy`."""
        depth = self.config.tree_depth
        active = delayed(m, self.read.active, depth)
        word = delayed(m, self.read.word, depth)
        tile_bytes = [
            delayed(m, ask(m, parts, active & (word.tile == number), word), 1)
            for number, parts in enumerate(reads)
        ]
        m.d.comb += self.read.data.eq(any_of(m, tile_bytes, depth))

    def _probe(
        self,
        sequencer: Sequencer,
        tiles: list[Tile],
        links: dict[tuple[int, Port], stream.Interface],
    ) -> Value:
        """All that a bench compares, as one word; payloads without `valid` read as 0."""
        parts = [*_stream(self.host_in), *_stream(self.host_out)]
        parts += _event(sequencer.fire.valid, sequencer.fire.p)
        if self.config.plasticity:
            parts += _event(sequencer.learn.valid, sequencer.learn.ends)
        for number, tile in enumerate(tiles):
            for port in self.config.links(number):
                parts += _stream(links[number, port])
            for packets in (tile.event, tile.emit_event, tile.emit_host):
                parts += _stream(packets)
            parts += _event(tile.spike_valid, sent(self.config, tile.spike))
            parts += _event(tile.fetch_valid, tile.fetch_address)
            write = tile.sum_write
            parts += _event(write.valid, write.address, write.data)
            writes = [tile.state_write]
            if self.config.synaptic_current:
                writes.append(tile.current_write)
            for write in writes:
                parts += _event(write.valid, write.address, written(write))
            if self.config.plasticity:
                parts += _event(tile.weight_read, tile.weight_read_address)
                for write in (tile.weight_write, tile.axon_write, tile.trace_write):
                    parts += _event(write.valid, write.address, write.data)
        parts += [self.counters.as_value()]
        word = Cat(*parts)
        if len(word) != self.config.probe.width:
            raise ValueError(f"the probe has {len(word)} bits, not {self.config.probe.width}")
        return word


def _stream(port: stream.Interface) -> list[Value]:
    return [port.valid, port.ready, _only_if(port.valid, port.p)]


def _event(valid: Value, *values: Value) -> list[Value]:
    return [valid, *(_only_if(valid, value) for value in values)]


def _only_if(valid: Value, value: Value) -> Value:
    """`value` as plain bits, 0 where not `valid`."""
    bits = Cat(value)
    return Mux(valid, bits, 0)[: len(bits)]
