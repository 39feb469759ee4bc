"""Link: from the pins of a serial line to the ports of a fabric."""

from amaranth import Module
from amaranth.hdl import ResetInserter
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from spikeloom.golden.link import LinkConfig
from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.common.read import read_signature
from spikeloom.hdl.common.register_slice import RegisterSlice
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.link.executor import Executor
from spikeloom.hdl.link.frame_receiver import FrameReceiver
from spikeloom.hdl.link.frame_sender import FrameSender
from spikeloom.hdl.link.ports import BODY, CONTENT
from spikeloom.hdl.link.replies import Replies
from spikeloom.hdl.link.result_codes import ResultCodes
from spikeloom.hdl.link.uart import Receiver, Transmitter


class Link(wiring.Component):
    """The board's end of the link; see docs/link.md.

    Parameters
    ----------
    config
        Sizes of the fabric.
    link
        Settings of the link.

    Members
    -------
    rx : In(1, init=1)
        The pin from the host; asynchronous.
    tx : Out(1, init=1)
        The pin to the host.
    begins : Out(1)
        For one clock: a session begins, and the fabric has to be reset.
    host_in : Out(stream.Signature(config.host_in))
        Events and step marks for the fabric.
    host_out : In(stream.Signature(config.host_out))
        Packets of the fabric.
    load : Out(stream.Signature(config.load))
        Words for the memories of the fabric.
    read : Out(read_signature(config))
        With `readable` only: reads the memories of the fabric.
    counters : In(config.counters)
        Counters of the fabric.
    """

    def __init__(self, config: FabricConfig, link: LinkConfig) -> None:
        self.config = config
        self.link = link
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "begins": Out(1),
                "host_in": Out(stream.Signature(struct(config.host_in))),
                "host_out": In(stream.Signature(struct(config.host_out))),
                "load": Out(stream.Signature(struct(config.load))),
                **({"read": Out(read_signature(config))} if config.readable else {}),
                "counters": In(struct(config.counters)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = Receiver(self.link.clocks_per_bit)
        m.submodules.frames_in = frames_in = FrameReceiver(self.link.buffer)
        m.submodules.frames_out = frames_out = FrameSender()
        m.submodules.transmitter = transmitter = Transmitter(self.link.clocks_per_bit)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            frames_in.valid.eq(receiver.valid),
            frames_in.data.eq(receiver.data),
            self.begins.eq(frames_in.reset),
            frames_out.discard.eq(self.begins),
            self.tx.eq(transmitter.tx),
        ]
        connect(m, frames_out.bytes, transmitter.bytes)

        # These are reset when a session begins.
        executor = Executor(self.config, self.link)
        results = ResultCodes(self.config)
        replies = Replies()
        events = RegisterSlice(self.host_in.p.shape())
        answer = RegisterSlice(BODY)
        codes = RegisterSlice(8)
        content = RegisterSlice(CONTENT)
        m.submodules.executor = ResetInserter(self.begins)(executor)
        m.submodules.results = ResetInserter(self.begins)(results)
        m.submodules.replies = ResetInserter(self.begins)(replies)
        m.submodules.events = ResetInserter(self.begins)(events)
        m.submodules.answer = ResetInserter(self.begins)(answer)
        m.submodules.codes = ResetInserter(self.begins)(codes)
        m.submodules.content = ResetInserter(self.begins)(content)
        connect(m, frames_in.body, executor.body)
        connect(m, executor.host_in, events.before)
        connect(m, events.after, flipped(self.host_in))
        connect(m, executor.load, flipped(self.load))
        if self.config.readable:
            connect(m, executor.read, flipped(self.read))
        connect(m, flipped(self.host_out), results.packets)
        connect(m, executor.answer, answer.before)
        connect(m, answer.after, replies.answer)
        connect(m, results.codes, codes.before)
        connect(m, codes.after, replies.codes)
        connect(m, replies.content, content.before)
        connect(m, content.after, frames_out.content)
        m.d.sync += [replies.begun.eq(self.begins), replies.full.eq(frames_out.full)]
        m.d.comb += [
            executor.counters.eq(self.counters),
            results.clock.eq(self.counters.cycles),
            replies.free.eq(frames_out.free),
            replies.session.eq(frames_in.session),
            replies.expected.eq(frames_in.expected),
            replies.before.eq(frames_in.before),
            replies.executed.eq(executor.executed),
            replies.refused.eq(frames_in.refused),
            replies.reason.eq(frames_in.reason),
            replies.repeated.eq(frames_in.repeated),
            replies.fault.eq(executor.fault),
            replies.answers.eq(executor.answers),
            replies.quiet.eq(results.idle & codes.before.ready),
        ]
        return m
