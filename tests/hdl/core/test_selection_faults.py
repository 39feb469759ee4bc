"""A fault in a selection in the RTL is a difference of RTL and cycle-level model."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from amaranth import Const, Value
from side_by_side import first_difference

from spikeloom.golden.convolution import Convolution
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.spec import FabricConfig
from spikeloom.golden.switches.selection import Selection
from spikeloom.hdl.core import neuron
from spikeloom.hdl.core.select import Select
from spikeloom.program import Program

FLAT = FabricConfig(
    lanes=4,
    neurons=8,
    weight_words=16,
    axons=8,
    populations=1,
    connections=1,
    targets=2,
    queue=4,
    selection=True,
)
IMAGES = FabricConfig(
    lanes=2,
    neurons=24,
    weight_words=16,
    axons=4,
    populations=1,
    connections=1,
    targets=2,
    queue=4,
    extent=4,
    coordinates=16,
    selection=True,
)


def flat() -> int:
    """Seven neurons, of which the two best win."""
    selection = Selection(2, losers="subtract", amount=2)
    population = Population("p", 7, np.zeros(7, np.int64), threshold=8, switches=(selection,))
    weights = np.random.default_rng(3).integers(0, 9, (4, 7))
    network = Network((Input("in", 4),), (population,), (Connection("in", "p", weights),))
    return compare(network, FLAT, 4, 400)


def images(selection: Selection) -> int:
    """Two channels of 3 x 3 positions."""
    population = Population(
        "p", 18, np.zeros(18, np.int64), threshold=1, image=(2, 3, 3), switches=(selection,)
    )
    kernel = Convolution("in", "p", np.array([1, 2]).reshape(2, 1, 1, 1))
    network = Network((Input("in", 9, image=(1, 3, 3)),), (population,), (kernel,))
    return compare(network, IMAGES, 9, 500)


def compare(network: Network, config: FabricConfig, inputs: int, clocks: int) -> int:
    counts = {"in": (np.random.default_rng(4).random((1, 3, inputs)) < 0.7).astype(np.uint8)}
    return first_difference(
        Program(network, config, frozenset({"p"}), frozenset({"p"})), counts, clocks
    )


def near() -> int:
    return images(Selection(3, radius=1))


def by_position() -> int:
    return images(Selection(each="position"))


def two_by_position() -> int:
    return images(Selection(2, each="position", losers="subtract", amount=1))


@pytest.mark.parametrize("case", [flat, near, by_position, two_by_position])
def test_no_fault_is_no_difference(case: Callable[[], int]) -> None:
    assert case() == -1


JOINED, DISTANCE, PLACES = Select.joined, Select._distance, Select._places
DECIDE = neuron.decide


def _any_wins(self: Select, population: Any, update: Any, *rest: Any) -> list[Any]:
    return [*JOINED(self, population, update, *rest), update.is_winner.eq(1)]


def _first_wins(self: Select, *rest: Any) -> list[Any]:
    return [*JOINED(self, *rest), self.u.eq(0)]


def _nobody_loses(*arguments: Any) -> Any:
    return DECIDE(*arguments)._replace(loses=Const(0))


def _all_near(self: Select, m: Any, better: Value) -> tuple[Value, Value]:
    return DISTANCE(self, m, better)[0], Const(1)


def _old_places(self: Select, m: Any, *rest: Any) -> tuple[Value, Any]:
    """As if nothing were known of a position before the next channels."""
    return Const(0), PLACES(self, m, *rest)[1]


def _stale_places(self: Select, m: Any, choosing: Value, *rest: Any) -> tuple[Value, Any]:
    """As if only the first walk noted the best of a position."""
    return PLACES(self, m, choosing | self.settled, *rest)


FAULTS: dict[str, tuple[Callable[[], int], Any, str, Callable[..., Any]]] = {
    "every candidate wins": (flat, Select, "joined", _any_wins),
    "the first candidate wins": (flat, Select, "joined", _first_wins),
    "nobody loses": (flat, neuron, "decide", _nobody_loses),
    "every position is near": (near, Select, "_distance", _all_near),
    "positions are not kept apart": (by_position, Select, "_places", _old_places),
    "the next of a position are not found": (two_by_position, Select, "_places", _stale_places),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_a_difference(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case, where, name, wrong = FAULTS[fault]
    monkeypatch.setattr(where, name, wrong)
    assert case() >= 0
