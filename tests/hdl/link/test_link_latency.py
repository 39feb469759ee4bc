"""The latency that each block of the link, the mesh and the register port states is measured."""

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from amaranth import Value
from amaranth.lib import wiring
from amaranth.sim import Simulator
from cobs import cobs

from spikeloom.golden.link import Command, Kind, LinkConfig
from spikeloom.golden.spec import FabricConfig, PacketKind, Port
from spikeloom.hdl.axi.register_port import RegisterPort
from spikeloom.hdl.common.register_slice import RegisterSlice
from spikeloom.hdl.link.answers import Answers, IdentityRom
from spikeloom.hdl.link.checksum import Checksum
from spikeloom.hdl.link.cobs_decoder import CobsDecoder
from spikeloom.hdl.link.event_codes import EventCodes
from spikeloom.hdl.link.frame_reader import FrameReader
from spikeloom.hdl.link.frame_receiver import FrameReceiver
from spikeloom.hdl.link.frame_sender import FrameEncoder, FrameSender
from spikeloom.hdl.link.loader import Loader
from spikeloom.hdl.link.packet_distance import PacketDistance
from spikeloom.hdl.link.reader import Reader
from spikeloom.hdl.link.replies import Replies
from spikeloom.hdl.link.result_codes import ResultCodes
from spikeloom.hdl.link.uart import Receiver, Transmitter
from spikeloom.hdl.mesh.collector import CollectorNode
from spikeloom.hdl.mesh.router import Router, RouterInput, RouterOutput

CONFIG = FabricConfig(columns=2, rows=2, neurons=16, weight_words=64, routes=4, readable=True)
LINK = LinkConfig("latency", 12_000_000, 8)
QUIET = 3
"""Clocks before the cause."""


def measured(
    dut: wiring.Component,
    inputs: Sequence[tuple[Value, Any]],
    cause: Value,
    effect: Value,
    prepare: Callable[[Any], Any] | None = None,
) -> int:
    """Clocks from the first one in which `cause` is 1 to the first one in which `effect` is 1.

    Parameters
    ----------
    dut
        Device under test.
    inputs
        Values of inputs from clock `QUIET` on.
    cause
        Starts the measurement.
    effect
        Must be 0 up to the cause.
    prepare
        A coroutine that runs before `inputs` are set.
    """
    results = []

    async def bench(context: Any) -> None:
        if prepare:
            await prepare(context)
        for _ in range(QUIET):
            assert not context.get(effect)
            await context.tick()
        for signal, value in inputs:
            context.set(signal, value)
        start = None
        for clock in range(2000):
            if start is None and context.get(cause):
                start = clock
            if context.get(effect):
                assert start is not None
                results.append(clock - start)
                return
            await context.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    (clocks,) = results
    return clocks


def test_checksum() -> None:
    dut = Checksum()
    results = []

    async def bench(context: Any) -> None:
        context.set(dut.valid, 1)
        await context.tick()
        context.set(dut.valid, 0)
        values = []
        for _ in range(20):
            values.append(context.get(dut.crc))
            await context.tick()
        changes = [n for n in range(1, 20) if values[n] != values[n - 1]]
        results.append(1 + changes[-1])

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert results == [dut.latency]


@pytest.mark.parametrize("bit", [4, 7, 16])
def test_uart(bit: int) -> None:
    receiver = Receiver(bit)
    results = []

    async def bench(context: Any) -> None:
        await context.tick().repeat(5)
        for clock in range(12 * bit):
            context.set(receiver.rx, clock >= 9 * bit)
            if context.get(receiver.valid):
                results.append(clock)
            await context.tick()

    simulator = Simulator(receiver)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert results == [receiver.latency]
    transmitter = Transmitter(bit)
    valid = transmitter.bytes.valid
    assert transmitter.latency == measured(transmitter, [(valid, 1)], valid, ~transmitter.tx)


def test_frame_receiver() -> None:
    dut = FrameReceiver(512)
    content = bytes([0, 1, Command.POLL])
    line = cobs.encode(content + zlib.crc32(content).to_bytes(4, "little"))

    async def frame(context: Any) -> None:
        for byte in line:
            context.set(dut.valid, 1)
            context.set(dut.data, byte)
            await context.tick()
            context.set(dut.valid, 0)
            await context.tick().repeat(15)
        context.set(dut.data, 0)

    assert dut.latency == measured(dut, [(dut.valid, 1)], dut.valid, dut.body.valid, frame)


def test_frame_sender() -> None:
    dut = FrameSender()
    inputs = [(dut.content.valid, 1), (dut.content.p.end, 1)]
    assert dut.latency == measured(dut, inputs, dut.content.valid, dut.bytes.valid)


def test_register_slice() -> None:
    dut = RegisterSlice(8)
    assert dut.latency == measured(dut, [(dut.before.valid, 1)], dut.before.valid, dut.after.valid)


def test_cobs_decoder() -> None:
    dut = CobsDecoder()
    inputs = [(dut.valid, 1), (dut.data, 2)]
    assert dut.latency == measured(dut, inputs, dut.count == 0, ~dut.on_code)


def test_event_codes() -> None:
    dut = EventCodes(CONFIG)
    inputs = [(dut.codes.valid, 1), (dut.codes.payload, 0x30)]
    assert dut.latency == measured(dut, inputs, dut.codes.valid, dut.host_in.valid)


def test_frame_reader() -> None:
    dut = FrameReader(512)
    assert dut.latency == measured(dut, [(dut.start, 9)], dut.start != 0, dut.body.valid)


def test_frame_encoder() -> None:
    dut = FrameEncoder()
    inputs = [(dut.content.valid, 1), (dut.content.p.end, 1)]
    assert dut.latency == measured(dut, inputs, dut.content.valid, dut.done)


async def pause(context: Any) -> None:
    await context.tick().repeat(2)


def test_answers() -> None:
    rom = IdentityRom(CONFIG, LINK)
    zero = rom.text.index(0)
    assert rom.text[0]
    assert rom.latency == measured(
        rom, [(rom.number, zero)], rom.number == zero, rom.byte == 0, pause
    )
    dut = Answers(CONFIG, LINK)
    assert dut.latency == measured(dut, [(dut.enable, 1)], dut.enable, dut.body.valid)


def test_loader() -> None:
    dut = Loader(CONFIG)

    async def head(context: Any) -> None:
        context.set(dut.body.valid, 1)
        for _ in range(5):
            await context.tick()
        context.set(dut.body.valid, 0)

    inputs = [(dut.body.valid, 1)]
    assert dut.latency == measured(dut, inputs, dut.body.valid, dut.load.valid, head)


def test_reader() -> None:
    dut = Reader(CONFIG)

    async def head(context: Any) -> None:
        context.set(dut.body.p.data, 1)
        context.set(dut.body.valid, 1)
        for _ in range(5):
            await context.tick()
        context.set(dut.body.valid, 0)

    inputs = [(dut.body.valid, 1)]
    assert dut.latency == measured(dut, inputs, dut.accepted, dut.answer.valid, head)


def test_results() -> None:
    dut = PacketDistance(CONFIG)
    inputs = [(dut.packet.population, 1), (dut.population, 1), (dut.packet.index, 3)]
    cause = dut.population == 1

    async def other(context: Any) -> None:
        context.set(dut.population, 2)

    assert dut.latency == measured(dut, inputs, cause, dut.ahead, other)
    codes = ResultCodes(CONFIG)
    packets = codes.packets
    inputs = [(packets.valid, 1), (packets.p.kind, PacketKind.STEP)]
    assert codes.latency == measured(codes, inputs, packets.valid, codes.codes.valid)


def test_replies() -> None:
    dut = Replies()
    inputs = [(dut.answer.valid, 1), (dut.answers, Kind.IDENTITY)]
    assert dut.latency == measured(dut, inputs, dut.answer.valid, dut.content.valid)


def test_collector() -> None:
    dut = CollectorNode(CONFIG, 2)
    source = dut.inputs[1]
    assert dut.latency == measured(dut, [(source.valid, 1)], source.valid, dut.output.valid)


def loaded(dut: Any) -> Callable[[Any], Any]:
    """Writes a route to the east and to the tile."""

    async def load(context: Any) -> None:
        word = dut.load.word
        context.set(word.target, 6)
        context.set(word.data, CONFIG.route_row.pack({"local": 1, "east": 1}))
        context.set(dut.load.valid, 1)
        await context.tick()
        context.set(dut.load.valid, 0)

    return load


def test_router() -> None:
    dut = RouterInput(CONFIG, (Port.LOCAL, Port.EAST))
    valid = dut.packet.valid
    assert dut.latency == measured(dut, [(valid, 1)], valid, dut.wants.any(), loaded(dut))
    output = RouterOutput(CONFIG, [1, 2])
    inputs = [(output.wanted, 1)]
    assert output.latency == measured(output, inputs, output.granted.any(), output.packet.valid)
    router = Router(CONFIG, 0)
    for port in (Port.EAST, Port.LOCAL):
        valid = router.inputs[Port.WEST].valid
        effect = router.outputs[port].valid
        # The packet is in the next router's input in the clock in which it leaves this one.
        assert router.latency == measured(router, [(valid, 1)], valid, effect, loaded(router))


def test_register_port() -> None:
    dut = RegisterPort()
    bus = dut.bus
    inputs = [(bus.awvalid, 1), (bus.wvalid, 1), (bus.wstrb, 15)]
    accepted = bus.awvalid & bus.awready
    assert dut.latency == measured(dut, inputs, accepted, bus.bvalid)
    accepted = bus.arvalid & bus.arready
    assert dut.latency == measured(dut, [(bus.arvalid, 1)], accepted, bus.rvalid)
