"""Cycle-level golden model of the read port; see `docs/hardware.md`."""

from collections import deque

from spikeloom.golden.cycle.model import CycleModel
from spikeloom.golden.spec import ReadTarget


class ReadPort:
    """What the read port gives in each clock, while the memories stay as they are.

    Parameters
    ----------
    model
        A fabric at rest.
    """

    def __init__(self, model: CycleModel) -> None:
        self.model = model
        self.words: deque[int | None] = deque(maxlen=model.config.read_clocks + 1)

    def clock(self, word: int | None) -> int | None:
        """`data` in a clock with `word` (packed `config.read`) at the port, None if not `active`.

        Returns None where nothing is said of it: the word has not held for long enough.
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
