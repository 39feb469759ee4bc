"""Of the neurons of a competition that would spike, only the best do."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.switches.selection import Selection
from spikeloom.importer.linear_maps import Floats
from spikeloom.importer.switches.switch import FloatNeurons, FloatSwitch, Rounded, number

_BITS = 1000
"""As the width of a potential: one that does not saturate."""


@dataclass(frozen=True)
class FloatSelection(FloatSwitch):
    """As the integer `Selection`, with an `amount` in the unit of the potential."""

    winners: int = 1
    each: str = "population"
    radius: int | None = None
    losers: str = "keep"
    amount: float = 0.0
    then: str = "again"

    name = "selection"

    @classmethod
    def stated(cls, value: Any, dt: float | None) -> "FloatSelection":
        """From True, for one winner in each step, or pairs of a parameter and its value."""
        pairs = (("winners", 1),) if value is True else value
        known = [field.name for field in fields(cls)]
        if (
            not isinstance(pairs, tuple)
            or not pairs
            or not all(
                isinstance(pair, tuple) and len(pair) == 2 and pair[0] in known for pair in pairs
            )
        ):
            raise SpikeloomError(
                f"selection must be True, or pairs such as (('winners', 3), ('then', 'silence')) "
                f"of {', '.join(known)}, not {value!r}"
            )
        stated = dict(pairs)
        stated["amount"] = number(
            "selection", stated.get("amount", 0.0), "pairs with an amount of potential"
        )
        return cls(**stated)

    def check(self, where: str, neurons: FloatNeurons) -> None:
        whole = dataclasses.replace(self._whole, amount=math.ceil(min(self.amount, 1)))
        whole.check(f"{where}: selection", neurons, _BITS)

    def integer(self, rounded: Rounded) -> Selection:
        return Selection(**{**vars(self), "amount": rounded(self.amount, "selection")})

    @property
    def levels(self) -> tuple[float, ...]:
        return (self.amount,) if self.amount else ()

    @property
    def scales(self) -> bool:
        return False  # it compares the potentials of neurons

    def eligible(self, kept: Mapping[str, Floats]) -> Any:
        eligible = self._whole.eligible(kept)
        return True if eligible is None else eligible

    def select(
        self, spikes: Any, u: Floats, neurons: FloatNeurons, kept: Mapping[str, Floats]
    ) -> tuple[Any, Floats, Mapping[str, Floats]]:
        selected: tuple[Any, Floats, Mapping[str, Floats]] = self._whole.select(
            spikes > 0, u, neurons, kept, _BITS
        )
        return selected

    def after(self, spikes: Any, kept: Mapping[str, Floats]) -> dict[str, Floats]:
        return dict(kept)

    @property
    def _whole(self) -> Any:
        """The integer selection, which does the same to floats."""
        return Selection(**vars(self))


FLOAT = FloatSelection
