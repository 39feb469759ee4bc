"""Cycle-level golden model of the read port: the section Read port of `docs/hardware.md`."""

from collections import deque

from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.spec import ReadTarget


class ReadPort:
    """Output of the read port on every clock, while the memories do not change.

    Parameters
    ----------
    model
        A fabric at rest.
    """

    def __init__(self, model: CycleModel) -> None:
        self.model = model
        self.words: deque[int | None] = deque(maxlen=model.config.read_clocks + 1)

    def clock(self, word: int | None) -> int | None:
        """Advance by one clock; returns `data` in this clock.

        Parameters
        ----------
        word
            Packed `config.read` at the port; None if not `active`.

        Returns
        -------
        int or None
            The byte, or 0 while not `active`; None where `data` is unspecified, because the port's
            inputs have not held for `read_clocks`.
        """
        self.words.append(word)
        if self.words.count(word) != self.words.maxlen:
            return None
        return 0 if word is None else self._byte(word)

    def _byte(self, word: int) -> int:
        fields = self.model.config.read.unpack(word)
        target = ReadTarget(fields["target"])
        row = self.model.row(target, fields["tile"], fields["address"])
        return row >> 8 * fields["byte"] & 0xFF
