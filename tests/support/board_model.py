"""A board in software, written from docs/link.md alone; its fabric is the cycle-level model.

It executes each frame as soon as it arrives: a peer for the host's software, not a timing model.
"""

import zlib
from collections import deque
from collections.abc import Iterator

from spikeloom.golden.contents import NOTHING, Contents
from spikeloom.golden.cycle.learning_tile import LearningTile
from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.link import LinkConfig, identity
from spikeloom.golden.spec import FabricConfig, LoadTarget, PacketKind, ReadTarget

FREE = 40
"""Clocks of the fabric between polls of the line."""


class Fault(Exception):
    pass


def pack(data: bytes) -> bytes:
    """Consistent overhead byte stuffing, with the terminating 0."""
    out = bytearray()
    for block in data.split(b"\0"):
        assert len(block) < 255
        out += bytes([len(block) + 1]) + block
    return bytes(out) + b"\0"


def unpack(frame: bytes) -> bytes | None:
    out = bytearray()
    at = 0
    while at < len(frame):
        code = frame[at]
        block = frame[at + 1 : at + code]
        if len(block) != code - 1:
            return None
        out += block
        at += code
        if at < len(frame):
            out += b"\0"
    return bytes(out)


class BoardModel:
    """`play` takes the host's bytes and returns the board's.

    Parameters
    ----------
    config, link
        Configuration of the fabric and of the link.
    contents
        Initial contents of the memories.
    checked
        False ignores a wrong CRC: a bug that fault injection must find.
    """

    def __init__(
        self,
        config: FabricConfig,
        link: LinkConfig,
        contents: Contents = NOTHING,
        checked: bool = True,
    ) -> None:
        self.config, self.checked, self.contents = config, checked, contents
        self.built_with, self.link = link, link.with_contents(contents, config)
        self.load_layout, self.word_layout = config.load, config.host_in
        self.packet_layout = config.host_out
        self.memory: dict[tuple[int, int, int], int] = {}
        self.at_rest = True
        self.executed_total = self.loads = 0
        self.power_cycle()

    def close(self) -> None:
        pass

    def power_cycle(self) -> None:
        self.memory.clear()
        self.still_baked = True
        for tile, tables in enumerate(self.contents.tiles):
            for target, rows in tables.items():
                for address, row in enumerate(rows):
                    self.memory[target, tile, address] = self._load_word(target, tile, address, row)
        self.fabric = CycleModel(self.config)
        for word in self.memory.values():
            self.fabric.clock(load=word)
        self.session = 0
        self.partial = b""
        self._reset_registers()

    def _reset_registers(self) -> None:
        self.executed = self.expected = 1
        self.sequence = 0
        self.complained = self.faulty = False
        self.accepted: deque[tuple[int, bytes]] = deque()
        self.waiting_codes: Iterator[None] | None = None
        before = self.fabric.tiles
        self.fabric = CycleModel(self.config)
        for tile, old in zip(self.fabric.tiles, before, strict=True):
            tile.integrate.sums = old.integrate.sums
            tile.fire.states, tile.fire.kept = old.fire.states, old.fire.kept
        for word in self.memory.values():
            self.fabric.clock(load=word)
        for tile, old in zip(self.fabric.tiles, before, strict=True):
            if isinstance(tile, LearningTile) and isinstance(old, LearningTile):
                tile.learn.weights[:] = old.learn.weights  # learned ones, too
        self.fabric.clock(load=self._load_word(LoadTarget.CONTROL, 0, 0, self.contents.control))
        self.answers: list[bytes] = []
        self.results = bytearray()
        self.reported = (1, 1)
        # The codes of both directions.
        self.partial_code = b""
        self.route = self.connection = self.ahead = 0
        self.height = self.width = 1
        self.amount: dict[str, int] = {}
        self.cursor = 0
        self.population = self.position = self.result_cursor = 0
        self.words: deque[int] = deque()
        self.owing = 0

    # Frames.

    def play(self, data: bytes) -> bytes:
        frames = (self.partial + data).split(b"\0")
        self.partial = frames.pop()
        out = bytearray()
        for frame in frames:
            if frame:
                self._receive(frame)
                out += b"".join(self.answers)
                self.answers.clear()
        self._execute()
        out += b"".join(self.answers)
        self.answers.clear()
        self.at_rest = not (self.accepted or self.words or self.owing)
        return bytes(out)

    def _send(self, kind: int, body: bytes = b"") -> None:
        header = bytes([self.session, self.sequence % 256, kind, self.executed, self.expected])
        content = header + body
        check = zlib.crc32(content) ^ self.sequence >> 8
        self.sequence = (self.sequence + 1) % 65536
        self.reported = self.executed, self.expected
        self.answers.append(pack(content + check.to_bytes(4, "little")))

    def _refuse(self, reason: int) -> None:
        if not self.complained:
            self.complained = True
            self._send(5, bytes([reason]))

    def _receive(self, frame: bytes) -> None:
        data = unpack(frame)
        if data is None or not 7 <= len(data) <= 254:
            return self._refuse(1)
        content = data[:-4]
        if self.checked and zlib.crc32(content) != int.from_bytes(data[-4:], "little"):
            return self._refuse(1)
        session, sequence, command = content[:3]
        if command == 0:
            before, self.session = self.session, session
            self._reset_registers()
            self._send(1, bytes([before]))
            return None
        if session != self.session:
            return self._refuse(2)
        if sequence == self.expected:
            used = sum(cost for cost, _ in self.accepted)
            if used + len(data) + 1 > self.link.buffer:
                return self._refuse(3)
            self.accepted.append((len(data) + 1, content[2:]))
            self.expected = (self.expected + 1) % 256
            self.complained = False
            return None
        if 1 <= (self.expected - sequence) % 256 <= 128:
            return self._send(0)
        return self._refuse(4)

    # Execution.

    def _execute(self) -> None:
        for _ in range(FREE):
            self._clock()
            if not self.words and self.accepted and not self.faulty:
                _, content = self.accepted[0]
                try:
                    self._command(content[0], content[1:])
                except Fault as fault:
                    self.faulty = True
                    self._send(6, bytes([fault.args[0]]))
                    return
                if not self.words:
                    self._done()
        if self.results:
            while self.results:
                self._send(4, bytes(self.results[:245]))
                del self.results[:245]
        elif self.reported[0] != self.executed:
            self._send(0)

    def _done(self) -> None:
        self.accepted.popleft()
        self.executed = (self.executed + 1) % 256
        self.executed_total += 1

    def _clock(self) -> None:
        offered = self.words[0] if self.words else None
        self.fabric.clock(offered)
        if offered is not None and self.fabric.host_in_taken:
            self.owing += offered & 1
            self.words.popleft()
            if not self.words:
                self._done()
        if self.fabric.host_out is not None:
            self._result(self.fabric.host_out)

    def _command(self, command: int, body: bytes) -> None:
        match command:
            case 1:
                link = self.link if self.still_baked else self.built_with
                self._send(2, identity(link, self.config))
            case 2:
                self._load(body)
            case 3:
                self._events(body)
            case 4:
                if not body:
                    raise Fault(3)
                self._send(3, self._counters(body[0]))
            case 5:
                self._send(0)
            case 6 if self.config.readable:
                self._send(7, self._read(body))
            case _:
                raise Fault(1)

    def _counters(self, tile: int) -> bytes:
        size = (self.config.counter_bits + 7) // 8
        counters = self.fabric.counters
        values = [
            counters["cycles"],
            *(counters[f"{name}.{tile}"] for name in self.config.tile_counters),
        ]
        return bytes([tile]) + b"".join(value.to_bytes(size, "little") for value in values)

    def _load(self, body: bytes) -> None:
        if len(body) < 5:
            raise Fault(3)
        target, tile, address = body[0], body[1], int.from_bytes(body[2:5], "little")
        if target not in list(LoadTarget):
            raise Fault(1)
        size = (self.config.memories[LoadTarget(target)].row.width + 7) // 8
        for at in range(5, len(body), size):
            if at + size > len(body):
                raise Fault(3)
            row = int.from_bytes(body[at : at + size], "little")
            self._write(target, tile, address, row)
            address += 1

    def _read(self, body: bytes) -> bytes:
        if body and body[0] not in list(self.config.readable_memories):
            raise Fault(1)
        if len(body) < 6 or not 1 <= body[5] <= 245:
            raise Fault(3)
        target, tile, address = ReadTarget(body[0]), body[1], int.from_bytes(body[2:5], "little")
        size = (self.config.readable_memories[target][0].width + 7) // 8
        out = b""
        while len(out) < body[5]:
            out += self.fabric.row(target, tile, address).to_bytes(size, "little")
            address += 1
        return out[: body[5]]

    def _load_word(self, target: int, tile: int, address: int, row: int) -> int:
        widths = {field.name: field.width for field in self.load_layout.fields}
        values = {"target": target, "tile": tile, "address": address, "data": row}
        cut = {name: value & ((1 << widths[name]) - 1) for name, value in values.items()}
        return self.load_layout.pack(cut)

    def _write(self, target: int, tile: int, address: int, row: int) -> None:
        word = self._load_word(target, tile, address, row)
        self.loads += 1
        if target not in (LoadTarget.CONTROL, LoadTarget.RANDOM, LoadTarget.LEARN):
            fields = self.load_layout.unpack(word)
            self.memory[target, fields["tile"], fields["address"]] = word
            self.still_baked &= target not in self.link.baked
        self.fabric.clock(load=word)

    def _events(self, body: bytes) -> None:
        """Turn codes into words of `host_in`."""
        data = self.partial_code + body
        amounts = [name for name in ("negative", "magnitude") if name in self._event_fields()]
        lengths = {2: 2, 3: (8 if self.config.images else 6) + len(amounts), 4: 1}
        at = 0
        while at < len(data):
            code = data[at]
            length = 1 if code & 0xE0 else lengths.get(code, 0)
            if not length:
                raise Fault(2)
            if at + length > len(data):
                break
            fields = data[at + 1 : at + length]
            at += length
            if code & 0x80:
                for bit in range(7):
                    if code >> bit & 1:
                        self._event(self.cursor + bit)
                self.cursor += 7
            elif code & 0x40:
                self.cursor += code & 0x3F
                self._event(self.cursor)
                self.cursor += 1
            elif code & 0x20:
                self._word(step=1, first=code >> 4 & 1, ahead=code & 15)
            elif code == 2:
                self.cursor += fields[0] + 1
            elif code == 3:
                self.route, self.connection = fields[0] | fields[1] << 8, fields[2] | fields[3] << 8
                self.ahead = fields[4]
                rest = fields[5 : len(fields) - len(amounts)]
                self.height, self.width = (n + 1 for n in (*rest, 0, 0)[:2])
                self.amount = dict(zip(amounts, fields[len(fields) - len(amounts) :], strict=True))
                self.cursor = 0
            else:
                self.cursor = 0
        self.partial_code = data[at:]

    def _event(self, position: int) -> None:
        rest, x = divmod(position, self.width)
        index, y = divmod(rest, self.height)
        coordinates = {"y": y, "x": x} if self.config.images else {}
        self._word(
            index=index,
            **coordinates,
            route=self.route,
            connection=self.connection,
            ahead=self.ahead,
            **self.amount,
        )

    def _event_fields(self) -> list[str]:
        return [field.name for field in self.word_layout.fields]

    def _word(self, **values: int) -> None:
        layout = self.word_layout
        cut = {f.name: values.get(f.name, 0) & ((1 << f.width) - 1) for f in layout.fields}
        self.words.append(layout.pack(cut))

    def _result(self, packet: int) -> None:
        """Encode a packet, always with single positions."""
        fields = self.packet_layout.unpack(packet)
        if fields["kind"] == PacketKind.STEP:
            self.owing -= 1
            clock = (self.fabric.cycles - 1) % (1 << min(32, self.config.counter_bits))
            self.results += b"\x01" + clock.to_bytes(4, "little")
            return
        index, position = fields["index"], (fields.get("y", 0), fields.get("x", 0))
        if fields["population"] != self.population or index < self.result_cursor:
            self.results += b"\x03" + fields["population"].to_bytes(2, "little")
            self.population, self.position, self.result_cursor = fields["population"], (0, 0), 0
        if position != (self.position or (0, 0)):
            self.results += b"\x04" + bytes(position)
            self.position, self.result_cursor = position, 0
        is_spike = fields["kind"] == PacketKind.SPIKE
        is_position = is_spike and fields["value"] in (0, 1)
        while index - self.result_cursor > (63 if is_position else 0):
            skip = min(256, index - self.result_cursor)
            self.results += bytes([2, skip - 1])
            self.result_cursor += skip
        if is_position:
            self.results.append(0x40 | index - self.result_cursor)
        elif is_spike:
            self.results += b"\x07" + fields["value"].to_bytes(1, "little", signed=True)
        else:
            size = (self.config.state_bits + 7) // 8
            current = fields["kind"] == PacketKind.CURRENT
            self.results += b"\x06" if current else b"\x05"
            self.results += fields["value"].to_bytes(size, "little", signed=True)
            if current:
                return
        self.result_cursor = index + 1
