"""Cycle-level golden model of the next group of a rule: Learning in `docs/hardware.md`."""

from spikeloom.golden.cycle.learning_rows import RuleRow


class Group:
    """A group of neurons of a rule; at first its first one.

    `g` is its number, `c` that of its group of channels, which are the same without `kernel`.
    `word` and `plane_word` are the words of weights, and of the plane, of its source 0. With
    `kernel`, its position is `y`, `x`, where the kernel begins in row `top` and column `left` of
    the source.
    """

    __slots__ = ("c", "g", "left", "plane_word", "row", "top", "word", "x", "y")

    def __init__(self, row: RuleRow) -> None:
        self.row = row
        self.g = self.c = self.y = self.x = 0
        self.word, self.plane_word = row.weight_base, row.plane_base
        self.top, self.left = -row.row_padding, -row.column_padding

    def advance(self) -> None:
        """Go on to the next group."""
        row = self.row
        self.g += 1
        if row.kernel:
            self.x += 1
            self.left += row.column_stride
            if self.x != row.target_width:
                return
            self.x, self.left = 0, -row.column_padding
            self.y += 1
            self.top += row.row_stride
            if self.y != row.target_height:
                return
            self.y, self.top = 0, -row.row_padding
        self.c += 1
        self.word += row.sources
        self.plane_word += row.sources
