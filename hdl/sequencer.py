"""Sequencer: admits input, starts each phase, and waits until the fabric is quiescent."""

from amaranth import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import FabricConfig, LoadTarget, PacketKind, count_bits
from spikeloom.hdl.common.arithmetic import add_modulo
from spikeloom.hdl.common.load import load_signature, loads
from spikeloom.hdl.common.shapes import memory, struct
from spikeloom.hdl.core.ports import Command, LearnCommand


class Sequencer(wiring.Component):
    """Runs steps; input may run up to `window` steps ahead of the step being fired.

    Timing, with D = `config.tree_depth`: a phase starts with one clock of START and ends D + 2
    clocks after its last event is added; a step adds WAIT (2 D + 2 clocks) and DONE. With several
    fire lanes there is no START, and no DONE while the host is ready, but after LEARN. While the
    fabric learns, a step waits for events of later ones too, and adds LEARN and at least 2 D + 2
    clocks.

    Parameters
    ----------
    config
        Sizes of the fabric.
    control
        Reset value of the control register, packed.

    Members
    -------
    host_in : In(stream.Signature(config.host_in))
        Events and step marks. They wait for load words on their way to the tiles: `ready` is 0 in
        the D clocks after each.
    event : Out(stream.Signature(config.event))
        The events, with the slot in which they are due.
    fire : Out(Command(config))
        Starts a phase.
    done : Out(stream.Signature(config.host_out))
        STEP packets.
    slot : Out
        Slot of the step being fired.
    busy : In(1)
        D clocks ago a tile was firing or emitting, or an event due in its slot was pending.
    collecting : In(1)
        D clocks ago a packet was on its way to the host.
    load : In(load_signature(config))
    learn : Out(LearnCommand())
        With `plasticity` only: a step is over.
    occupied : In(1)
        With `plasticity` only: D clocks ago an event, whenever it is due, was on its way.
    """

    def __init__(self, config: FabricConfig, control: int = 0) -> None:
        self.config = config
        self.control = control
        super().__init__(
            {
                "host_in": In(stream.Signature(struct(config.host_in))),
                "event": Out(stream.Signature(struct(config.event))),
                "fire": Out(Command(config)),
                "done": Out(stream.Signature(struct(config.host_out))),
                "slot": Out(config.slot_width),
                "busy": In(1),
                "collecting": In(1),
                "load": In(load_signature(config)),
                **({"learn": Out(LearnCommand()), "occupied": In(1)} if config.plasticity else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()

        layout = struct(config.control_row)
        control = Signal(layout, init=layout.from_bits(self.control))
        with m.If(self.load.valid & (self.load.word.target == LoadTarget.CONTROL)):
            m.d.sync += control.eq(self.load.word.data)

        # The commands of the steps whose input is complete, one per slot.
        m.submodules.commands = commands = memory(unsigned(1 + config.slot_width), config.slots)
        command_write = commands.write_port()
        command_read = commands.read_port()
        lead = Signal(count_bits(config.slots + 1))
        in_slot = Signal(config.slot_width)
        phase = Signal.like(control.last_phase)

        is_open = Signal(init=1)
        marked = Signal()
        finished = Signal()
        word = self.host_in.p
        m.d.comb += [
            self.event.valid.eq(self.host_in.valid & ~word.step & is_open),
            self.event.p.route.eq(word.route),
            self.event.p.connection.eq(word.connection),
            self.event.p.index.eq(word.index),
            self.event.p.slot.eq(add_modulo(in_slot, word.ahead, config.slots)),
            self.host_in.ready.eq(self.host_in.valid & is_open & (word.step | self.event.ready)),
            marked.eq(self.host_in.valid & word.step & is_open),
            command_write.addr.eq(in_slot),
            command_write.data.eq(word.first | (word.ahead << 1)),
            command_write.en.eq(marked),
            command_read.addr.eq(self.slot),
        ]
        for name, _ in (*config.position, *config.amount):
            m.d.comb += self.event.p[name].eq(word[name])
        with m.If(marked):
            m.d.sync += in_slot.eq(add_modulo(in_slot, 1, config.slots))
        admits = Mux(marked, lead < control.window, lead <= control.window)
        if config.tree_depth:
            admits &= ~self._loading(m)
        m.d.sync += [lead.eq(lead + marked - finished), is_open.eq(admits)]

        # Clocks until `busy` answers for the present slot and command: there and back.
        settling = 2 * config.tree_depth + 1
        settle = Signal(count_bits(settling))
        busy = Signal()
        quiet = Signal()
        m.d.sync += busy.eq(self.busy)
        m.d.comb += quiet.eq((settle == 0) & ~busy)
        with m.If(settle != 0):
            m.d.sync += settle.eq(settle - 1)
        quick = config.fire_lanes > 1
        last = phase == control.last_phase
        advance = [self.slot.eq(add_modulo(self.slot, 1, config.slots)), phase.eq(0)]
        if config.plasticity:
            learning, occupied = self._learning(m)
        with m.FSM() as fsm:
            with m.State("WAIT"):
                with m.If(lead == 0):
                    m.d.sync += settle.eq(settling)
                with m.Elif(quiet):
                    if quick:
                        m.d.comb += self.fire.valid.eq(1)
                    m.next = "BUSY" if quick else "START"
            if not quick:
                with m.State("START"):
                    m.d.sync += settle.eq(settling)
                    m.next = "BUSY"
            with m.State("BUSY"):
                with m.If(quiet):
                    with m.If(last):
                        m.next = "DONE"
                        if config.plasticity:
                            with m.If(learning):
                                m.next = "LEARN"
                            with m.If(learning & occupied):
                                m.next = "BUSY"
                    with m.Else():
                        m.d.sync += phase.eq(phase + 1)
                        if quick:
                            m.d.comb += self.fire.valid.eq(1)
                        else:
                            m.next = "START"
                if quick:
                    with m.If(finished):
                        m.d.sync += [settle.eq(settling), *advance]
                        m.next = "WAIT"
            if config.plasticity:
                self._learn(m, quiet, settle, settling)
            with m.State("DONE"):
                with m.If(finished):
                    m.d.sync += [settle.eq(settling), *advance]
                    m.next = "WAIT"
        complete = fsm.ongoing("DONE")
        if quick:
            with m.If(self.fire.valid):
                m.d.sync += settle.eq(settling)
            waits = fsm.ongoing("WAIT")
            ends = fsm.ongoing("BUSY") & quiet & last
            complete |= ends & ~learning if config.plasticity else ends
            m.d.comb += [
                self.fire.p.restart.eq(waits),
                self.fire.p.last.eq(phase + ~waits == control.last_phase),
            ]
        else:
            m.d.comb += [
                self.fire.valid.eq(fsm.ongoing("START")),
                self.fire.p.restart.eq(phase == 0),
            ]
        m.d.comb += [
            self.fire.p.first.eq(command_read.data[0]),
            self.fire.p.ahead.eq(command_read.data[1:]),
            self.fire.p.slot.eq(self.slot),
            self.done.valid.eq(complete & ~self.collecting),
            self.done.p.kind.eq(PacketKind.STEP),
            finished.eq(self.done.valid & self.done.ready),
        ]
        return m

    def _learning(self, m: Module) -> tuple[Signal, Signal]:
        """Whether the fabric learns, and whether an event was anywhere D + 1 clocks ago."""
        learning = Signal()
        occupied = Signal()
        m.d.sync += occupied.eq(self.occupied)
        m.d.comb += self.learn.ends.eq(self.fire.p.ahead == 0)
        with m.If(loads(self.load, LoadTarget.LEARN)):
            m.d.sync += learning.eq(self.load.word.data[0])
        return learning, occupied

    def _learn(self, m: Module, quiet: Signal, settle: Signal, settling: int) -> None:
        """The states between the last phase and DONE."""
        with m.State("LEARN"):
            m.d.comb += self.learn.valid.eq(1)
            m.d.sync += settle.eq(settling)
            m.next = "LEARNING"
        with m.State("LEARNING"):
            with m.If(quiet):
                m.next = "DONE"

    def _loading(self, m: Module) -> Value:
        """Whether a load word is on its way to the tiles in the next clock."""
        valid: list[Value] = [self.load.valid]
        for clocks in range(1, self.config.tree_depth):
            earlier = Signal(name=f"load_valid_{clocks}")
            m.d.sync += earlier.eq(valid[-1])
            valid.append(earlier)
        return Cat(*valid).any()
