"""Selection: of the neurons of a competition that would spike, only the best do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.golden.checks import check_integer, check_word
from spikeloom.golden.convolution import ImageShape
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers, Signed, saturate, signed_range
from spikeloom.golden.spec import Reset, Status, Then
from spikeloom.golden.switches.switch import Neurons, Switch

THENS = {then.name.lower(): then for then in Then}
LOSERS = ("keep", "subtract", "reset")
COMPETITIONS = ("population", "position")

COMPETES, LOST, FREE = int(Status.COMPETES), int(Status.LOST), int(Status.FREE)
"""As plain numbers, which NumPy compares several times as fast, in their order: who competes can
lose, and who is free cannot."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Selection(Switch):
    """Winner takes all, or the best few: the others of a competition do not spike.

    Neurons compete until they have won or lost. Those that compete and would spike are candidates;
    the best one wins, which is the one with the highest potential and, among equal ones, the lowest
    index. Then the others lose if the competition has all its `winners`, and so do those that the
    winner blocks; and the best of the candidates that are left wins next, if there is one. In each
    step a neuron loses once at most.

    It is pointwise inhibition and the choice of k winners of Mozafari et al., arXiv:1903.02440, or
    the lateral inhibition of Gupta et al., arXiv:2010.01200.

    Parameters
    ----------
    winners
        1..15 of each competition, in each step, or in a sample where `then` is not "again".
    each
        What competes: the "population", or the channels at each "position" of its image.
    radius
        A winner blocks its own channel and, within so many rows and columns, every channel, 0..15;
        0 is its channel alone. For a population with an image; None blocks nobody.
    losers
        Their potentials: "keep", "subtract" `amount` (with saturation), or "reset" to v_reset.
    amount
        0 to the maximum of a potential; only where `losers` is "subtract".
    then
        "again": the next step is a new competition. "silence": a neuron that has lost does not
        spike in the sample, and winners go on as they like. "free": once the competition has all
        its winners, everyone goes on as without a selection.
    """

    winners: int = 1
    each: str = "population"
    radius: int | None = None
    losers: str = "keep"
    amount: int = 0
    then: str = "again"

    name = "selection"
    title = "a selection of winners"
    hides_spikes = True
    stays = True

    def check(self, where: str, neurons: Neurons, state_bits: int) -> None:
        check_integer(f"{where}: winners", self.winners, 1, 15)
        check_integer(f"{where}: amount", self.amount, 0, signed_range(state_bits)[1])
        for name, words in (("each", COMPETITIONS), ("losers", LOSERS), ("then", THENS)):
            check_word(f"{where}: {name}", getattr(self, name), words)
        if self.radius is not None:
            check_integer(f"{where}: radius", self.radius, 0, 15)
        if self.at_positions and neurons.image is None:
            what = "each='position'" if self.radius is None else f"radius={self.radius}"
            raise SpikeloomError(
                f"{where}: {what} is for an image; give the population its image=(channels, "
                "height, width)"
            )
        if self.each == "position" and self.radius is not None:
            raise SpikeloomError(
                f"{where}: winners of a position block nobody at another one; leave out radius, or "
                "each='position'"
            )
        if self.radius is not None and self.then == "free":
            raise SpikeloomError(
                f"{where}: whom a winner blocks is not free; use then='silence' or then='again'"
            )
        if self.amount and self.losers != "subtract":
            raise SpikeloomError(f"{where}: amount is subtracted; use losers='subtract'")
        if self.losers == "reset" and neurons.reset is Reset.SUBTRACT:
            raise SpikeloomError(
                f"{where}: losers='reset' sets them to v_reset, which a reset that subtracts does "
                "not have; use losers='subtract', or Reset.VALUE"
            )
        if neurons.signed:
            raise SpikeloomError(f"{where}: it is not for signed spikes; leave out one of them")
        if neurons.max_spikes > 1:
            raise SpikeloomError(f"{where}: a winner spikes once in a step; use max_spikes=1")

    @property
    def at_positions(self) -> bool:
        """Whether it is about positions of an image."""
        return self.each == "position" or self.radius is not None

    def fields(self) -> dict[str, int]:
        return {
            "by_position": self.each == "position",
            "winners": self.winners,
            "blocks": self.radius is not None,
            "radius": self.radius or 0,
            "resets": self.losers == "reset",
            "amount": self.amount,
            "then": THENS[self.then],
        }

    def eligible(self, kept: Mapping[str, Signed]) -> Flags | None:
        return None if self.then == "again" else kept["status"] != LOST

    def select(
        self,
        spikes: Flags,
        u: Signed,
        neurons: Neurons,
        kept: Mapping[str, Signed],
        state_bits: int,
    ) -> tuple[Flags, Signed, Mapping[str, Signed]]:
        if self.then == "again":
            kept = {name: np.zeros_like(values) for name, values in kept.items()}
        if not np.count_nonzero(spikes):
            return spikes, u, kept
        competes = kept["status"] == COMPETES
        candidates = spikes & competes
        if not np.count_nonzero(candidates):
            return spikes, u, kept
        status, count = kept["status"].copy(), kept["count"].copy()
        if self.each == "position":
            assert neurons.image is not None
            shape = len(u), neurons.image[0], -1
            levels = np.where(candidates, u, lowest := signed_range(state_bits)[0] - 1)
            by_place = levels.reshape(shape), status.reshape(shape), count.reshape(shape)
            _choose_by_position(*by_place, lowest, self.winners)
        else:
            samples = candidates.any(axis=1).nonzero()[0] if len(candidates) > 1 else (0,)
            for n in samples:
                best_first = _best_first(candidates[n], u[n])
                _choose(best_first, status[n], count[n], self.winners, self.radius, neurons.image)
        if self.losers != "keep":
            level: Any = neurons.v_reset
            if self.losers == "subtract":
                level = saturate(u - u.dtype.type(self.amount), state_bits)
            u = np.where(competes & (status == LOST), np.asarray(level, u.dtype), u)
        spikes = spikes & (status == FREE)
        if self.then == "free":
            np.copyto(status, FREE, where=status == LOST)
        return spikes, u, {"status": status, "count": count}

    def after(
        self, spikes: Flags, kept: Mapping[str, Signed], state_bits: int
    ) -> dict[str, Signed]:
        return dict(kept)


def _choose_by_position(
    levels: Signed, status: Signed, count: Signed, lowest: int, winners: int
) -> None:
    """Choose up to so many winners of each position; arrays are (samples, channels, positions).

    Parameters
    ----------
    levels
        The potentials of candidates; of others `lowest`, which is below all of them.
    status
        Of all neurons: winners become `FREE`, and whom they make lose `LOST`.
    count
        How many have won in each competition, at each of its neurons: it is written.
    """
    candidates = levels > lowest
    while (some := candidates.any(axis=1, keepdims=True)).any():
        best = np.zeros_like(candidates)
        np.put_along_axis(best, levels.argmax(axis=1, keepdims=True), some, axis=1)
        status[best] = FREE
        count += some
        full = some & (count >= winners)
        np.maximum(status, LOST, out=status, where=full)
        candidates &= ~(best | full)
        levels[~candidates] = lowest


def _best_first(candidates: Flags, u: Signed) -> Integers:
    """The numbers of the candidates, by their potentials; of equal ones the first is the best."""
    numbers = candidates.nonzero()[0]
    order = (-u.take(numbers)).argsort(kind="stable")
    best_first: Integers = numbers.take(order)
    return best_first


def _choose(
    left: Integers,
    status: Signed,
    count: Signed,
    winners: int,
    radius: int | None,
    image: ImageShape | None,
) -> None:
    """Choose up to so many winners, each of whom blocks those within `radius`.

    Parameters
    ----------
    left
        The candidates, the best one first.
    status, count
        As above, (neurons,).
    """
    while left.size:
        best, left = int(left[0]), left[1:]
        status[best] = FREE
        count += 1
        if count[0] >= winners:
            np.maximum(status, LOST, out=status)
            return
        if radius is not None:
            assert image is not None
            _, height, width = image
            channel, place = divmod(best, height * width)
            y, x = divmod(place, width)
            of_channels = status.reshape(image)
            np.maximum(of_channels[channel], LOST, out=of_channels[channel])
            if radius:
                near = np.zeros((height, width), status.dtype)
                rows, columns = (slice(max(n - radius, 0), n + radius + 1) for n in (y, x))
                near[rows, columns] = LOST
                np.maximum(of_channels, near, out=of_channels)
            left = left[status.take(left) == COMPETES]


SWITCH = Selection
