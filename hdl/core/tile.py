"""Tile: a neuron core made of integrate, fire and emit, and of learn where it can."""

from typing import Any

from amaranth import Module, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from spikeloom.golden.contents import NO_ROWS, Rows
from spikeloom.golden.spec import TRACE_BITS, FabricConfig, count_bits, index_bits
from spikeloom.hdl.common.load import load_signature
from spikeloom.hdl.common.read import ask, read_member
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.core.banks import lane_bits
from spikeloom.hdl.core.emit import Emit
from spikeloom.hdl.core.fire import Fire
from spikeloom.hdl.core.integrate import Integrate
from spikeloom.hdl.core.learning.learn import Learn
from spikeloom.hdl.core.ports import Command, LearnCommand, MemoryWrite


class Tile(wiring.Component):
    """A neuron core: integrate, fire and emit work at the same time; learn after them.

    Parameters
    ----------
    config
        Sizes of the fabric.
    contents
        Initial rows of its memories.

    Members
    -------
    event : In(stream.Signature(config.event))
        Packets for this tile.
    emit_event : Out(stream.Signature(config.event))
        Packets of its neurons to tiles.
    emit_host : Out(stream.Signature(config.host_out))
        Packets of its neurons to the host.
    fire : In(Command(config))
        Commands of the sequencer.
    learn : In(LearnCommand())
        With `plasticity` only: a step is over.
    slot : In
        The step being fired.
    busy : Out(1)
        Fire, emit or learn is not idle, or an event due in `slot` has groups not yet issued.
    occupied : Out(1)
        An event, whenever it is due, has groups not yet issued.
    load : In(load_signature(config))
    read : In(read_signature(config))
        With `readable` only.
    synapses, fired, stalled, error, updates : Out
        Increments of the counters in this clock; `updates` with `plasticity` only.
    fetch_valid, fetch_address, spike_valid, spike, sum_write, state_write, current_write : Out
        Internal ports, for a bench to observe; `current_write` with `synaptic_current` only.
    weight_read, weight_write, axon_write, trace_write : Out
        Those of learn, with `plasticity` only.
    weight_read_address : Out
        The word that is read by `weight_read`.
    """

    def __init__(self, config: FabricConfig, contents: Rows = NO_ROWS) -> None:
        self.config = config
        self.contents = contents
        fire_lanes, banks = config.fire_lanes, index_bits(config.bank_rows)
        sum_address = config.sum_banks * index_bits(config.sum_words)
        sum_write = Out(MemoryWrite(sum_address, config.sum_row.width))
        state_write = Out(MemoryWrite(banks, config.state_row.width, fire_lanes))
        current_write = Out(MemoryWrite(banks, config.current_row.width, fire_lanes))
        super().__init__(
            {
                "event": In(stream.Signature(struct(config.event))),
                "emit_event": Out(stream.Signature(struct(config.event))),
                "emit_host": Out(stream.Signature(struct(config.host_out))),
                "fire": In(Command(config)),
                "slot": In(config.slot_width),
                "busy": Out(1),
                "occupied": Out(1),
                "load": In(load_signature(config)),
                **read_member(config),
                "synapses": Out(config.connection_row.fields[-1].width),
                "fired": Out(count_bits(fire_lanes * config.max_spikes)),
                "stalled": Out(1),
                "error": Out(1),
                "fetch_valid": Out(1),
                "fetch_address": Out(index_bits(config.sum_words)),
                "spike_valid": Out(1),
                "spike": Out(struct(config.spike_row)),
                "sum_write": sum_write,
                "state_write": state_write,
                **({"current_write": current_write} if config.synaptic_current else {}),
                **(self._plastic if config.plasticity else {}),
            }
        )

    @property
    def _plastic(self) -> dict[str, Any]:
        """Members of a tile that learns."""
        config = self.config
        word, neuron = index_bits(config.weight_words), index_bits(config.neurons)
        axon = index_bits(config.plastic_axons)
        return {
            "learn": In(LearnCommand()),
            "updates": Out(count_bits(config.lanes)),
            "weight_read": Out(1),
            "weight_read_address": Out(word),
            "weight_write": Out(MemoryWrite(word, config.lanes * config.weight_bits)),
            "axon_write": Out(MemoryWrite(axon, config.axon_row.width)),
            "trace_write": Out(MemoryWrite(neuron, TRACE_BITS)),
        }

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.integrate = integrate = Integrate(self.config, self.contents)
        m.submodules.fire = fire = Fire(self.config, self.contents)
        m.submodules.emit = emit = Emit(self.config, self.contents)

        connect(m, flipped(self.event), integrate.event)
        connect(m, flipped(self.fire), fire.command)
        connect(m, fire.fetch, integrate.fetch)
        connect(m, emit.event, flipped(self.emit_event))
        connect(m, emit.host, flipped(self.emit_host))
        connect(m, integrate.sum_write, flipped(self.sum_write))
        connect(m, fire.state_write, flipped(self.state_write))
        if self.config.synaptic_current:
            connect(m, fire.current_write, flipped(self.current_write))
        for block in (integrate, fire, emit):
            connect(m, flipped(self.load), block.load)
        if self.config.readable:
            blocks = [integrate.read, fire.read, emit.read]
            m.d.comb += self.read.data.eq(ask(m, blocks, self.read.active, self.read.word))
        busy = ~fire.idle | ~emit.idle | integrate.pending
        if self.config.plasticity:
            busy |= ~self._learn(m, integrate, fire)
        m.d.comb += [
            emit.spike_valid.eq(fire.spike_valid),
            emit.spike.eq(fire.spike),
            emit.routed.eq(fire.routed),
            emit.single.eq(fire.single),
            emit.short.eq(fire.short),
            emit.slot.eq(fire.slot),
            emit.ahead.eq(fire.ahead),
            fire.popped.eq(emit.popped),
            integrate.slot.eq(self.slot),
            self.busy.eq(busy),
            self.occupied.eq(integrate.occupied),
            self.synapses.eq(integrate.synapses),
            self.fired.eq(fire.fired),
            self.stalled.eq(integrate.stalled),
            self.error.eq(integrate.error),
            self.fetch_valid.eq(fire.fetch.valid),
            self.fetch_address.eq(fire.fetch.address),
            self.spike_valid.eq(fire.spike_valid),
            self.spike.eq(fire.spike),
        ]
        return m

    def _learn(self, m: Module, integrate: Integrate, fire: Fire) -> Value:
        """Learn takes notes of events and spikes, and borrows the ports of weights and states.

        Returns whether it is idle.
        """
        m.submodules.learn = learn = Learn(self.config)
        port, two_ports = learn.weights, self.config.two_ports
        connect(m, flipped(self.learn), learn.command)
        connect(m, flipped(self.load), learn.load)
        connect(m, integrate.notes, learn.notes)
        connect(m, learn.states, fire.states)
        connect(m, learn.weights, integrate.learn)
        connect(m, learn.axon_write, flipped(self.axon_write))
        connect(m, learn.trace_write, flipped(self.trace_write))
        m.d.comb += [
            learn.touches.eq(fire.touches),
            learn.written.eq(fire.state_write.address << lane_bits(self.config)),
            learn.random_state.eq(fire.random_state),
            self.updates.eq(learn.updates),
            self.weight_read.eq(learn.weight_read),
            self.weight_read_address.eq(port.address),
            self.weight_write.valid.eq(port.write),
            self.weight_write.address.eq(port.write_address if two_ports else port.address),
            self.weight_write.data.eq(port.data),
        ]
        return learn.idle
