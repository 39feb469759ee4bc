"""A serial line straight to the pins of a simulated board, whose host takes no time."""

from spikeloom.sim.virtual_board import Pins

_PATIENCE = 200
"""Calls into the model without a byte, after which a read times out."""


class PinsLine:
    """Stands for `serial.Serial`. Clocks pass only while the host waits for bytes."""

    def __init__(self, pins: Pins) -> None:
        self.pins = pins
        self._to_board = self._to_host = b""

    @property
    def in_waiting(self) -> int:
        return len(self._to_host)

    def write(self, data: bytes) -> int:
        self._to_board += data
        return len(data)

    def read(self, size: int = 1) -> bytes:
        for _ in range(_PATIENCE):
            if self._to_host:
                break
            self._to_host += self.pins.play(self._to_board)
            self._to_board = b""
        data, self._to_host = self._to_host[:size], self._to_host[size:]
        return data

    def close(self) -> None:
        self.pins.close()
