"""A fabric with its link: two pins to a host."""

from amaranth import Module, Signal
from amaranth.hdl import ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from golden.link import LinkConfig
from golden.spec import FabricConfig
from hdl.executor import Executor
from hdl.fabric import Fabric
from hdl.frame_receiver import FrameReceiver
from hdl.frame_sender import FrameSender
from hdl.replies import Replies
from hdl.result_codes import ResultCodes
from hdl.uart import Receiver, Transmitter


class LinkedFabric(wiring.Component):
    """A fabric that is loaded and run over a serial line. See docs/link.md.

    Parameters
    ----------
    config
        Sizes of the fabric.
    link
        What the link is built with.

    Members
    -------
    rx : In(1, init=1)
        The pin from the host; it may change at any time.
    tx : Out(1, init=1)
        The pin to the host.
    """

    rx: In(1, init=1)
    tx: Out(1, init=1)

    def __init__(self, config: FabricConfig, link: LinkConfig) -> None:
        self.config = config
        self.link = link
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        config, link = self.config, self.link
        m = Module()
        m.submodules.receiver = receiver = Receiver(link.clocks_per_bit)
        m.submodules.frames_in = frames_in = FrameReceiver(link.buffer)
        m.submodules.frames_out = frames_out = FrameSender()
        m.submodules.transmitter = transmitter = Transmitter(link.clocks_per_bit)

        # A session begins with all of these as they are after a reset.
        begins = frames_in.reset
        begun = Signal()
        fabric = Fabric(config)
        executor = Executor(config, link)
        results = ResultCodes(config)
        replies = Replies()
        m.submodules.fabric = ResetInserter(begins)(fabric)
        m.submodules.executor = ResetInserter(begins)(executor)
        m.submodules.results = ResetInserter(begins)(results)
        m.submodules.replies = ResetInserter(begins)(replies)
        m.d.sync += begun.eq(begins)

        connect(m, frames_in.body, executor.body)
        connect(m, executor.host_in, fabric.host_in)
        connect(m, executor.load, fabric.load)
        connect(m, fabric.host_out, results.packets)
        connect(m, executor.answer, replies.answer)
        connect(m, results.codes, replies.codes)
        connect(m, replies.content, frames_out.content)
        connect(m, frames_out.bytes, transmitter.bytes)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            frames_in.valid.eq(receiver.valid),
            frames_in.data.eq(receiver.data),
            executor.counters.eq(fabric.counters),
            results.clock.eq(fabric.counters.cycles),
            replies.full.eq(frames_out.full),
            replies.free.eq(frames_out.free),
            replies.session.eq(frames_in.session),
            replies.expected.eq(frames_in.expected),
            replies.before.eq(frames_in.before),
            replies.executed.eq(executor.executed),
            replies.begun.eq(begun),
            replies.refused.eq(frames_in.refused),
            replies.reason.eq(frames_in.reason),
            replies.repeated.eq(frames_in.repeated),
            replies.fault.eq(executor.fault),
            replies.is_identity.eq(executor.is_identity),
            replies.quiet.eq(results.idle),
            frames_out.discard.eq(begins),
            self.tx.eq(transmitter.tx),
        ]
        return m
