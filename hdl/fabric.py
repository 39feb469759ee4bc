"""Fabric: a tile, the sequencer and the ports of the host."""

from amaranth import Cat, Module, Mux, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from golden.spec import FabricConfig
from hdl.sequencer import Sequencer
from hdl.shapes import struct
from hdl.tile import Tile


class Fabric(wiring.Component):
    """One tile whose spikes loop back. See docs/hardware.md.

    Parameters
    ----------
    config
        Sizes of the fabric.
    probe
        Add the output `probe`, with which a bench sees every stream, memory write and counter.

    Members
    -------
    host_in : In(stream.Signature(config.host_in))
        Events and step marks.
    host_out : Out(stream.Signature(config.host_out))
        Spikes, states, completed steps.
    load : In(stream.Signature(config.load, always_ready=True))
        Writes the memories; meant for a fabric at rest.
    counters : Out(config.counters)
    probe : Out(config.probe.width)
        With `probe` only: what happened in the clock before.
    """

    def __init__(self, config: FabricConfig, probe: bool = False) -> None:
        self.config = config
        self.has_probe = probe
        members = {
            "host_in": In(stream.Signature(struct(config.host_in))),
            "host_out": Out(stream.Signature(struct(config.host_out))),
            "load": In(stream.Signature(struct(config.load))),
            "counters": Out(struct(config.counters)),
        }
        if probe:
            members["probe"] = Out(config.probe.width)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.sequencer = sequencer = Sequencer(self.config)
        m.submodules.tile = tile = Tile(self.config)

        connect(m, flipped(self.host_in), sequencer.host_in)
        connect(m, sequencer.fire, tile.fire)
        m.d.comb += [
            sequencer.quiet.eq(tile.quiet),
            tile.slot.eq(sequencer.slot),
            sequencer.pending.eq(tile.pending),
            self.load.ready.eq(1),
        ]
        for load in (sequencer.load, tile.load):
            m.d.comb += [load.valid.eq(self.load.valid), load.word.eq(self.load.p)]

        # Spikes that loop back go first: the step waits for them.
        m.d.comb += [
            tile.event.valid.eq(tile.emit_event.valid | sequencer.event.valid),
            tile.event.p.eq(Mux(tile.emit_event.valid, tile.emit_event.p, sequencer.event.p)),
            tile.emit_event.ready.eq(tile.event.ready & tile.emit_event.valid),
            sequencer.event.ready.eq(tile.event.ready & ~tile.emit_event.valid),
        ]
        # The sequencer is done only when the tile is quiet, so the two never meet.
        m.d.comb += [
            self.host_out.valid.eq(tile.emit_host.valid | sequencer.done.valid),
            self.host_out.p.eq(Mux(sequencer.done.valid, sequencer.done.p, tile.emit_host.p)),
            tile.emit_host.ready.eq(self.host_out.ready & ~sequencer.done.valid),
            sequencer.done.ready.eq(self.host_out.ready),
        ]
        m.d.sync += [
            self.counters.cycles.eq(self.counters.cycles + 1),
            self.counters.synops.eq(self.counters.synops + tile.synapses),
            self.counters.spikes.eq(self.counters.spikes + tile.fired),
            self.counters.stalls.eq(self.counters.stalls + tile.stalled),
            self.counters.errors.eq(self.counters.errors + tile.error),
        ]
        if self.has_probe:
            m.d.sync += self.probe.eq(self._probe(tile))
        return m

    def _probe(self, tile: Tile) -> Value:
        """Everything a bench compares, as one word; what is not valid reads as 0."""
        parts = []
        for port in (
            self.host_in,
            self.host_out,
            tile.fire,
            tile.event,
            tile.emit_event,
            tile.emit_host,
        ):
            parts += [port.valid, port.ready, _only_if(port.valid, port.p)]
        parts += [tile.spike_valid, _only_if(tile.spike_valid, tile.spike)]
        parts += [tile.fetch_valid, _only_if(tile.fetch_valid, tile.fetch_address)]
        for write in (tile.sum_write, tile.state_write):
            parts += [
                write.valid,
                _only_if(write.valid, write.address),
                _only_if(write.valid, write.data),
            ]
        parts += [self.counters.as_value()]
        word = Cat(*parts)
        if len(word) != self.config.probe.width:
            raise ValueError(f"the probe has {len(word)} bits, not {self.config.probe.width}")
        return word


def _only_if(valid: Value, value: object) -> Value:
    """`value` as plain bits, 0 where not `valid`."""
    bits = Cat(value)
    return Mux(valid, bits, 0)[: len(bits)]
