"""A whole board at its pins: sessions, commands, refusals, faults, and networks that run."""

import dataclasses
import functools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from link_board import (
    Board,
    Listener,
    Reply,
    codes_of_words,
    entry_code,
    event_codes,
    frame,
    mark_code,
    serial,
)
from random_networks import IMAGES, events, image_programs, programs

from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.host import decode_packets, host_words
from spikeloom.golden.link import Command, Fault, Kind, LinkConfig, Refusal, identity
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.spec import FabricConfig, LoadTarget, PacketKind
from spikeloom.golden.step.run import simulate
from spikeloom.program import Program

SMALL = FabricConfig(
    lanes=3,
    weight_bits=8,
    state_bits=18,
    sum_bits=19,
    neurons=13,
    weight_words=150,
    slots=3,
    axons=9,
    populations=5,
    connections=13,
    targets=19,
    queue=5,
    counter_bits=36,
)
FABRICS = {
    "one lane": dataclasses.replace(SMALL, lanes=1, slots=1, state_bits=8, counter_bits=16),
    "small": SMALL,
    "images": dataclasses.replace(IMAGES, lanes=8, max_spikes=3, lower_clamp=True),
    "two tiles": dataclasses.replace(SMALL, columns=2),
}
LINK = LinkConfig("test", 12_000_000, 8, 1024, "0123456789abcdef" * 2)
BIT = LINK.clocks_per_bit


def board(name: str = "small") -> Board:
    return Board(FABRICS[name], LINK)


def load_frames(image: MemoryImage) -> list[bytes]:
    """Bodies of LOAD that write an image."""
    config = image.config
    bodies: list[bytes] = []
    last: tuple[int, int, int] | None = None
    for word in image.load_words():
        fields = config.load.unpack(word)
        target, tile, address = fields["target"], fields["tile"], fields["address"]
        size = -(-config.memories[LoadTarget(target)].row.width // 8)
        row = fields["data"].to_bytes(size, "little")
        if last != (target, tile, address - 1) or len(bodies[-1]) + size > 247:
            bodies.append(bytes([target, tile]) + address.to_bytes(3, "little"))
        bodies[-1] += row
        last = target, tile, address
    return bodies


def play(under_test: Board, bodies: list[tuple[int, bytes]]) -> list[Reply]:
    """Send commands as fast as the board executes them; all that came until it was done."""
    replies = under_test.replies()
    open_frames: list[tuple[int, int]] = []  # number, room
    for command, body in bodies:
        room = len(body) + 8
        while sum(size for _, size in open_frames) + room > under_test.link.buffer:
            replies += under_test.until(lambda _: True)
            done = replies[-1].executed
            open_frames = [pair for pair in open_frames if (pair[0] - done) % 256 < 128]
        open_frames.append((under_test.sequence, room))
        under_test.send(under_test.frame(command, body))
        replies += under_test.replies()
    if not (replies and replies[-1].executed == under_test.sequence):
        replies += under_test.until(lambda some: some[-1].executed == under_test.sequence)
    assert {reply.kind for reply in replies} <= {Kind.STATUS, Kind.RESULTS}
    return replies


def chunks(codes: bytes) -> list[tuple[int, bytes]]:
    return [(Command.EVENTS, codes[n : n + 247]) for n in range(0, len(codes), 247)]


def results(under_test: Board, replies: list[Reply], steps: int) -> list[dict[str, int]]:
    """The packets of RESULTS until so many steps are complete; no frame is missing."""
    listener = under_test.listener
    listener.packets = []
    numbers = []

    def heard(more: list[Reply]) -> None:
        for reply in more:
            numbers.append(reply.sequence)
            if reply.kind == Kind.RESULTS:
                listener.decode_packets(reply.body)

    def done() -> int:
        return sum(packet["kind"] == PacketKind.STEP for packet in listener.packets)

    heard(replies)
    while done() < steps:
        heard(under_test.until(lambda _: True))
    assert done() == steps
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert listener.rest == b""
    return listener.packets


def clear(under_test: Board, image: MemoryImage) -> None:
    """Load CONTROL and empty the accumulators, as every session has to."""
    config = under_test.config
    control = image.control.to_bytes(-(-config.control_row.width // 8), "little")
    marks = mark_code(1, 0) * config.slots
    replies = play(
        under_test,
        [(Command.LOAD, bytes([LoadTarget.CONTROL, 0, 0, 0, 0]) + control), *chunks(marks)],
    )
    results(under_test, replies, config.slots)


def image_sizes(image: MemoryImage) -> dict[tuple[int, int, int], tuple[int, int]]:
    return {
        (entry.route, entry.connection, entry.delay): (entry.image or (0, 1, 1))[1:]
        for entry in image.entries
    }


def run(under_test: Board, image: MemoryImage, words: np.ndarray) -> list[int]:
    """The packets of `words`, without clocks."""
    config = image.config
    steps = sum(config.host_in.unpack(int(word))["step"] for word in words)
    codes = codes_of_words(config, words.tolist(), image_sizes(image))
    packets = results(under_test, play(under_test, chunks(codes)), steps)
    listener = Listener(config)
    listener.packets = packets
    return listener.words()[0]


def masked(config: FabricConfig, packets: list[int]) -> list[object]:
    """Packets in order, but that those of spikes that follow each other may change places."""
    found: list[object] = []
    spikes: list[int] = []
    for packet in [*packets, None]:
        if packet is not None and config.host_out.unpack(packet)["kind"] == PacketKind.SPIKE:
            spikes.append(packet)
            continue
        found += [sorted(spikes), packet]
        spikes.clear()
    return found


# Sessions.


def test_nothing_is_said_unasked() -> None:
    quiet = board()
    quiet.idle(3000 * BIT)
    assert quiet.bytes == []


def test_a_session() -> None:
    asked = board()
    assert asked.begin(9).body == b"\0"
    (answer,) = asked.ask(Command.IDENTIFY)
    assert (answer.kind, answer.executed, answer.expected) == (Kind.IDENTITY, 2, 2)
    assert answer.body == identity(LINK, SMALL)
    (answer,) = asked.ask(Command.POLL)
    assert (answer.kind, answer.sequence, answer.executed) == (Kind.STATUS, 2, 3)
    (answer,) = asked.ask(Command.COUNTERS, b"\0")
    assert answer.kind == Kind.COUNTERS
    assert len(answer.body) == 1 + 5 * 5
    cycles = int.from_bytes(answer.body[1:6], "little")
    assert 0 < cycles < asked.clock
    assert answer.body[6:] == bytes(20)
    assert asked.begin(200).body == b"\x09"
    assert asked.quiet() == []
    # The fabric was reset, too.
    (answer,) = asked.ask(Command.COUNTERS, b"\0")
    assert int.from_bytes(answer.body[1:6], "little") < cycles


def test_a_reset_discards_what_is_not_sent() -> None:
    """The frame that is being sent ends, the next one, which waits, is never sent."""
    asked = board()
    asked.begin(3)
    asked.send(b"".join(asked.frame(Command.IDENTIFY) for _ in range(4)) + bytes(2))
    asked.session, asked.sequence = 4, 0
    asked.send(asked.frame(Command.RESET))
    assert [(reply.session, reply.kind) for reply in asked.quiet()] == [
        (3, Kind.IDENTITY),
        (4, Kind.READY),
    ]


def test_frames_are_numbered_with_two_bytes() -> None:
    asked = board()
    asked.begin(1)
    for number in range(1, 300):
        (answer,) = asked.ask(Command.POLL)
        assert answer.sequence == number
        assert answer.executed == answer.expected == (number + 1) % 256


def test_refused_once_and_repeated() -> None:
    asked = board()
    asked.begin(7)
    for content, reason in (
        (bytes([8, 1, 5]), Refusal.SESSION),
        (bytes([7, 9, 5]), Refusal.MISSING),
    ):
        asked.send(frame(content))
        asked.send(frame(content))
        (answer,) = asked.quiet()
        assert (answer.kind, answer.session) == (Kind.REFUSED, 7)
        assert answer.body == bytes([reason])
        assert answer.expected == asked.sequence
        (answer,) = asked.ask(Command.POLL)
        assert answer.kind == Kind.STATUS
    asked.send(b"\x02\x01\0")
    (answer,) = asked.quiet()
    assert (answer.kind, answer.body) == (Kind.REFUSED, bytes([Refusal.CORRUPT]))
    (answer,) = asked.ask(Command.POLL)
    # It comes again, as if its STATUS had been lost.
    asked.send(frame(bytes([7, 3, 5])))
    (answer,) = asked.quiet()
    assert (answer.kind, answer.executed, answer.expected) == (Kind.STATUS, 4, 4)


def test_what_has_no_room_is_refused() -> None:
    """Steps take longer than their marks: a host that does not look overruns the board."""
    program, _, _ = example()
    full = ready("small", program.image)
    for _ in range(8):
        full.send(full.frame(Command.EVENTS, mark_code(1, 0) * 247))
    refusals = [reply for reply in full.quiet() if reply.kind == Kind.REFUSED]
    assert [reply.body for reply in refusals] == [bytes([Refusal.ROOM])]
    assert full.begin(6).body == b"\5"


@pytest.mark.parametrize(
    ("command", "body", "reason"),
    [
        (7, b"", Fault.COMMAND),
        (0xFF, b"abc", Fault.COMMAND),
        (Command.LOAD, bytes([8, 0, 0, 0, 0, 1]), Fault.COMMAND),
        (Command.LOAD, b"", Fault.LENGTH),
        (Command.LOAD, bytes(4), Fault.LENGTH),
        (Command.LOAD, bytes(5 + 4), Fault.LENGTH),
        (Command.COUNTERS, b"", Fault.LENGTH),
        *((Command.EVENTS, bytes([code]), Fault.CODE) for code in (0, 1, 5, 31)),
    ],
)
def test_faults(command: int, body: bytes, reason: int) -> None:
    """The board says it once, and executes nothing more until RESET."""
    faulty = board()
    faulty.begin(3)
    faulty.ask(Command.POLL)
    faulty.send(faulty.frame(command, body) + faulty.frame(Command.POLL))
    (answer,) = faulty.quiet()
    assert (answer.kind, answer.body) == (Kind.FAULT, bytes([reason]))
    assert (answer.executed, answer.expected) in ((2, 3), (2, 4))
    faulty.send(faulty.frame(Command.IDENTIFY))
    assert faulty.quiet() == []
    assert faulty.begin(4).body == b"\3"
    assert faulty.ask(Command.IDENTIFY)[0].kind == Kind.IDENTITY


def test_bodies_may_be_longer_and_loads_empty() -> None:
    asked = board()
    asked.begin(3)
    assert asked.ask(Command.POLL, b"more")[0].kind == Kind.STATUS
    assert asked.ask(Command.IDENTIFY, b"more")[0].body == identity(LINK, SMALL)
    assert asked.ask(Command.COUNTERS, b"\0more")[0].kind == Kind.COUNTERS
    assert asked.ask(Command.LOAD, bytes(5))[0].kind == Kind.STATUS
    assert asked.ask(Command.EVENTS)[0].kind == Kind.STATUS


# Networks.


@functools.cache
def example() -> tuple[Program, np.ndarray, list[int]]:
    """A random network for `SMALL`, words of a few samples, and what they give."""
    found: list[tuple[Program, np.ndarray, list[int]]] = []

    @given(data=st.data(), program=programs(SMALL))
    @settings(
        derandomize=True,
        deadline=None,
        max_examples=60,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    def draw(data: st.DataObject, program: Program) -> None:
        counts = data.draw(events(program.network, 8))
        words = np.concatenate(host_words(program.image, counts))
        found.append((program, words, expected(program.image, words)))

    draw()
    return max(found, key=lambda item: len(item[2]))


def expected(image: MemoryImage, words: np.ndarray) -> list[int]:
    model = CycleModel(image.config)
    model.load(image)
    return [packet for _, packet in model.run(words.tolist())]


def ready(name: str, image: MemoryImage, link: LinkConfig = LINK) -> Board:
    """Loaded, in session 5."""
    under_test = Board(FABRICS[name], link)
    under_test.begin(5)
    play(under_test, [(Command.LOAD, body) for body in load_frames(image)])
    clear(under_test, image)
    return under_test


@pytest.mark.parametrize("name", FABRICS)
def test_networks_run(name: str) -> None:
    """Spikes and states of random networks are those of the golden models."""
    config = FABRICS[name]
    draws = {"images": image_programs, "two tiles": None}.get(name, programs)
    if draws is None:
        pytest.skip("the strategies map to one tile")
    compared: list[int] = []

    @given(data=st.data(), program=draws(config))
    @settings(
        derandomize=True,
        deadline=None,
        max_examples=6 if config.images else 15,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        database=None,
    )
    def check(data: st.DataObject, program: Program) -> None:
        counts = data.draw(events(program.network, 5))
        image = program.image
        words = np.concatenate(host_words(image, counts))
        under_test = ready(name, image)
        packets = run(under_test, image, words)
        assert masked(config, packets) == masked(config, expected(image, words))
        samples, steps = next(iter(counts.values())).shape[:2]
        heard = decode_packets(
            image, np.zeros(len(packets), np.uint64), np.array(packets, np.uint64), samples, steps
        )
        wanted = simulate(program.network, counts)
        for population, spikes in heard.spikes.items():
            np.testing.assert_array_equal(spikes, wanted.spikes[population])
        for population, states in heard.states.items():
            np.testing.assert_array_equal(states, wanted.states[population])
        compared.append(len(packets))

    check()
    print(compared)
    assert sum(compared) > 100


def test_a_reset_in_the_middle_of_everything() -> None:
    """Wherever it comes, the next session gives right results; memories keep what they hold."""
    program, words, packets = example()
    image = program.image
    under_test = ready("small", image)
    codes = codes_of_words(SMALL, words.tolist())
    rng = np.random.default_rng(1)
    for session in range(6, 20):
        whole = b"".join(
            under_test.frame(command, body)
            for command, body in [*chunks(codes), (Command.IDENTIFY, b""), *chunks(codes)]
        )
        levels = serial(whole, BIT)
        under_test.play(levels[: int(rng.integers(len(levels)))])
        before = under_test.session
        answer = under_test.begin(session)
        assert answer.body == bytes([before])
        clear(under_test, image)
        assert masked(SMALL, run(under_test, image, words)) == masked(SMALL, packets)


def test_lines_cut_while_loading() -> None:
    """A host that dies in the middle of LOAD, and comes again."""
    program, words, packets = example()
    image = program.image
    rng = np.random.default_rng(2)
    under_test = board()
    for session in range(1, 6):
        under_test.begin(session)
        levels = serial(
            b"".join(under_test.frame(Command.LOAD, body) for body in load_frames(image)[:2]), BIT
        )
        under_test.play(levels[: int(rng.integers(len(levels)))])
    under_test.begin(99)
    play(under_test, [(Command.LOAD, body) for body in load_frames(image)])
    clear(under_test, image)
    assert masked(SMALL, run(under_test, image, words)) == masked(SMALL, packets)


def test_noise_then_a_session() -> None:
    """Levels of any kind: afterwards a delimiter and RESET work, and nothing was executed."""
    rng = np.random.default_rng(3)
    under_test = board()
    under_test.begin(50)
    for session in range(51, 70):
        width = int(rng.choice([1, 3, BIT, 3 * BIT, 40 * BIT]))
        noise = rng.integers(0, 2, 4000 * BIT // width, np.uint8).repeat(width)
        under_test.play(noise)
        under_test.send(b"\0\0")
        for reply in under_test.quiet():
            assert reply.kind == Kind.REFUSED
            assert (reply.executed, reply.expected) == (1, 1)
        assert under_test.begin(session).body == bytes([session - 1])


# The wire is the limit.


@pytest.mark.parametrize("clocks_per_bit", [8, 16])
@pytest.mark.parametrize("command", [Command.EVENTS, Command.LOAD])
def test_the_line_rate_to_the_board(command: Command, clocks_per_bit: int) -> None:
    """Frames without a pause are executed as they come: none has to wait for room."""
    under_test = Board(SMALL, dataclasses.replace(LINK, clocks_per_bit=clocks_per_bit, buffer=512))
    under_test.begin(1)
    if command is Command.EVENTS:
        codes = (entry_code(0, 0, 0) + event_codes([1, 2, 4, 5, 8])) * 250
        bodies = [codes[n : n + 247] for n in range(0, len(codes), 247)]
    else:
        bodies = [bytes(5 + 240)] * 8
    data = b"".join(under_test.frame(command, body) for body in bodies)
    begin = under_test.clock
    under_test.send(data)
    replies = under_test.until(lambda some: some[-1].executed == under_test.sequence)
    assert {reply.kind for reply in replies} == {Kind.STATUS}
    rate = 10 * clocks_per_bit * len(data) / (under_test.clock - begin)
    print(rate)
    assert rate > 0.9


@pytest.mark.parametrize("clocks_per_bit", [8, 16])
def test_the_line_rate_to_the_host(clocks_per_bit: int) -> None:
    """While there is something to say, its bytes follow each other without a pause."""
    program, words, _ = example()
    link = dataclasses.replace(LINK, clocks_per_bit=clocks_per_bit, buffer=512)
    under_test = ready("small", program.image, link)
    codes = codes_of_words(SMALL, words.tolist()) * 4
    marks = sum(SMALL.host_in.unpack(int(word))["step"] for word in words) * 4
    start = len(under_test.bytes)
    results(under_test, play(under_test, chunks(codes + mark_code(1, 0) * 150)), marks + 150)
    clocks = np.array([clock for clock, _ in under_test.bytes[start:]])
    # The middle half, when results wait all the time.
    middle = clocks[len(clocks) // 4 : 3 * len(clocks) // 4]
    rate = 10 * clocks_per_bit * (len(middle) - 1) / (middle[-1] - middle[0])
    print(len(middle), rate)
    assert rate > 0.9
