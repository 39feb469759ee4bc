"""Emit: sends each spike along its fan-out."""

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.contents import NO_ROWS, Rows
from spikeloom.golden.spec import (
    FabricConfig,
    LoadTarget,
    PacketKind,
    ReadTarget,
    index_bits,
    layout,
)
from spikeloom.hdl.common.arithmetic import add_modulo
from spikeloom.hdl.common.load import connect_load, load_signature
from spikeloom.hdl.common.queue import Queue
from spikeloom.hdl.common.read import connect_read, read_member
from spikeloom.hdl.common.shapes import memory, struct
from spikeloom.hdl.core.spike_rows import SpikeRows, entry


class Emit(wiring.Component):
    """Turns spikes into packets: one per row of the fan-out, and one for a state that is read out.

    The fan-out is walked once for each of the neuron's spikes in the step, or once for all of them
    in a fabric with `graded_bits`. With `traces` and
    `synaptic_current`, a packet with the synaptic current can precede that with the state.

    Timing: a spike pushed in clock n has its first packet on an output in clock n + `latency` if
    nothing is ahead of it; one packet per clock.

    Parameters
    ----------
    config
        Sizes of the fabric.
    contents
        Initial rows of its memories.

    Members
    -------
    spike_valid : In(1)
        Pushes `spike` to the spike queue; fire's credits guarantee that there is room.
    spike : In(config.spike_row)
    routed : In(fire_lanes)
        With the spike: the neuron of each lane spiked and has a fan-out.
    single : In(fire_lanes)
        With the spike: it becomes exactly one packet.
    short : In(1)
        With the spike: its fan-out has one row.
    popped : Out(1)
        The spike queue gave up an entry.
    slot, ahead : In
        Of the command being fired.
    load : In(load_signature(config))
    read : In(read_signature(config))
        With `readable` only.
    event : Out(stream.Signature(config.event))
        Packets to tiles.
    host : Out(stream.Signature(config.host_out))
        Packets to the host.
    idle : Out(1)
        Emit holds neither a spike nor a packet.
    """

    def __init__(self, config: FabricConfig, contents: Rows = NO_ROWS) -> None:
        self.config = config
        self.contents = contents
        super().__init__(
            {
                "spike_valid": In(1),
                "spike": In(struct(config.spike_row)),
                "routed": In(config.fire_lanes),
                "single": In(config.fire_lanes),
                "short": In(1),
                "popped": Out(1),
                "slot": In(config.slot_width),
                "ahead": In(config.slot_width),
                "load": In(load_signature(config)),
                **read_member(config),
                "event": Out(stream.Signature(struct(config.event))),
                "host": Out(stream.Signature(struct(config.host_out))),
                "idle": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from the push of a spike into an empty queue to its first packet."""
        return 4

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()

        queue: Queue | SpikeRows
        queue = Queue(entry(config), config.queue) if config.fire_lanes == 1 else SpikeRows(config)
        m.submodules.queue = queue
        m.submodules.targets = targets = memory(
            struct(config.target_row),
            1 << index_bits(config.targets),
            self.contents.get(LoadTarget.TARGET, ()),
        )
        connect_load(m, self.load, LoadTarget.TARGET, targets)
        target_read = targets.read_port()
        target = target_read.data

        # Stage A: presents the next row of the target table, one per beat.
        head = queue.head.spike
        beat = Signal.like(head.fan_out)
        second = Signal.like(beat, init=2 % (1 << len(beat)))  # beat + 2
        walked = Signal()  # the fan-out: only what is read out remains
        begun = Signal()  # the head has had its first beat
        ends = Signal()  # if so: this beat is the last
        row_ends = Signal()  # this beat is the last row of the fan-out
        row_ended = Signal()  # row_ends, if the head has had its first beat
        routed = Signal()
        last = Signal()
        again = Signal()  # the fan-out is walked again, for another spike of the neuron
        step = Signal()
        b_free = Signal()
        popped = step & last
        if isinstance(queue, SpikeRows):
            popped &= queue.last
        m.d.comb += [
            queue.item.spike.eq(self.spike),
            queue.item.routed.eq(self.routed),
            queue.item.single.eq(self.single),
            queue.item.short.eq(self.short),
            queue.push.eq(self.spike_valid),
            row_ends.eq(Mux(begun, row_ended, queue.head.short)),
            routed.eq(queue.head.routed & ~walked),
            last.eq(Mux(begun, ends, queue.head.single)),
            step.eq(queue.valid & b_free),
            self.popped.eq(popped),
            queue.pop.eq(b_free & last),
            target_read.addr.eq(head.target_base + beat),
            target_read.en.eq(b_free),
        ]
        row_follows = Mux(row_ends, queue.head.short, second == head.fan_out)
        again_follows: Value = Const(0)
        if config.max_spikes > 1 and not config.graded_bits:
            rounds = Signal.like(head.spiked)  # spikes of the neuron already sent
            m.d.comb += again.eq(rounds + 1 < head.spiked)
            again_follows = rounds + row_ends + 1 < head.spiked
            with m.If(step & routed & row_ends):
                m.d.sync += rounds.eq(Mux(again, rounds + 1, 0))
        with m.If(step):
            m.d.sync += [
                begun.eq(~last),
                ends.eq((row_ends & ~again) | (row_follows & ~again_follows & ~head.readout)),
                row_ended.eq(row_follows),
                beat.eq(beat + 1),
                second.eq(second + 1),
                walked.eq(routed & row_ends & head.readout & ~again),
            ]
            with m.If(row_ends | ~routed):
                m.d.sync += [beat.eq(0), second.eq(second.init)]

        kind, value = Mux(routed, PacketKind.SPIKE, PacketKind.STATE), head.value
        counted = self._counted(head)
        if config.traces and config.synaptic_current:
            current = Signal()  # this beat is the synaptic current
            current_sent = Signal()  # the synaptic current: only the state remains
            m.d.comb += current.eq(~routed & head.currents & ~current_sent)
            with m.If(step):
                m.d.sync += current_sent.eq(current)
                with m.If(current):
                    m.d.sync += [walked.eq(1), ends.eq(1)]
                with m.Elif(head.readout & head.currents):
                    m.d.sync += ends.eq(0)
            kind = Mux(current, PacketKind.CURRENT, kind)
            value = Mux(current, head.current, value)

        # Stage B: the target row has arrived and says where the packet goes.
        b_valid = Signal()
        b_state = Signal()
        b_packet = Signal(struct(config.host_out))
        late = Signal()
        c_free = Signal()
        m.d.comb += [
            late.eq(~b_state & ~target.host & (target.delay > self.ahead)),
            b_free.eq(~b_valid | c_free),
        ]
        with m.If(b_free):
            m.d.sync += [
                b_valid.eq(queue.valid),
                b_state.eq(~routed),
                b_packet.kind.eq(kind),
                b_packet.population.eq(head.population),
                b_packet.index.eq(head.index),
                b_packet.value.eq(Mux(routed, counted, value)),
            ]
            for name, _ in config.position:
                m.d.sync += b_packet[name].eq(head[name])
        amount = Signal(struct(layout(*config.amount)), name="b_amount")
        with m.If(b_free):
            if config.signed_spikes:
                m.d.sync += amount.negative.eq(head.negative)
            if config.graded_bits:
                m.d.sync += amount.magnitude.eq(head.spiked)

        c_valid = self._output(m, b_valid & ~late, b_state, b_packet, amount, target, c_free)
        m.d.comb += self.idle.eq(queue.empty & ~b_valid & ~c_valid)
        if config.readable:
            readable = {ReadTarget.TARGET: target_read}
            m.d.comb += self.read.data.eq(connect_read(m, self.read, readable))
        return m

    def _counted(self, head: data.View) -> Value:
        """What a packet to the host counts, its value; 0 where each counts 1."""
        config = self.config
        if not config.amount:
            return Const(0)
        counted: Value = head.spiked if config.graded_bits else Const(1)
        return Mux(head.negative, -counted, counted) if config.signed_spikes else counted

    def _output(
        self,
        m: Module,
        valid: Value,
        state: Value,
        packet: data.View,
        amount: data.View,
        target: data.View,
        c_free: Signal,
    ) -> Signal:
        """Stage C: registered outputs, which keep the paths into the fabric short.

        Takes a `packet` that is `valid` where `c_free`; a `state` goes to the host, a spike where
        the `target` row says, as an event that counts `amount`. Returns whether a packet waits to
        be accepted.
        """
        config = self.config
        c_valid = Signal()
        c_host = Signal()
        c_packet = Signal(struct(config.host_out))
        c_event = Signal(struct(config.event))
        m.d.comb += c_free.eq(~c_valid | Mux(c_host, self.host.ready, self.event.ready))
        with m.If(c_free):
            m.d.sync += c_valid.eq(valid)
            m.d.sync += [
                c_host.eq(state | target.host),
                c_packet.eq(packet),
                c_event.route.eq(target.route),
                c_event.connection.eq(target.connection),
                c_event.index.eq(packet.index),
                c_event.slot.eq(add_modulo(self.slot, target.delay, config.slots)),
            ]
            for name, _ in config.position:
                m.d.sync += c_event[name].eq(packet[name])
            for name, _ in config.amount:
                m.d.sync += c_event[name].eq(amount[name])
        m.d.comb += [
            self.event.valid.eq(c_valid & ~c_host),
            self.event.p.eq(c_event),
            self.host.valid.eq(c_valid & c_host),
            self.host.p.eq(c_packet),
        ]
        return c_valid
