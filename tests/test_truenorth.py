"""TrueNorth's cores: each reset against the equations of the neuron; the trained network."""

import dataclasses

import numpy as np
import pytest
from locking import one_at_a_time

import spikeloom
from examples.truenorth import cores, load, network, spikes, votes
from examples.truenorth.core import Core
from examples.truenorth.evaluate import program
from spikeloom.compare import compare
from spikeloom.demo import digits
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers
from spikeloom.golden.spec import Reset
from spikeloom.golden.step.run import simulate

AXONS, NEURONS, TICKS = 20, 12, 60

RESETS = [
    {"reset": Reset.VALUE, "v_reset": 3, "floor": 5},
    {"reset": Reset.VALUE, "floor": 4, "saturates": False},
    {"reset": Reset.SUBTRACT, "floor": 7},
    {"reset": Reset.NONE, "floor": 6},
    {"reset": Reset.NONE, "saturates": False},
]


def core(largest: int, threshold: int, **resets: object) -> Core:
    """Random axons, crossbar and leak."""
    rng = np.random.default_rng(threshold)
    return Core(
        rng.random((AXONS, NEURONS)) < 0.5,
        rng.integers(0, 4, AXONS),
        rng.integers(-largest, largest, (4, NEURONS), endpoint=True),
        rng.integers(-2, 2, NEURONS, endpoint=True),
        threshold,
        **resets,
    )


def ticks(core: Core, events: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Spikes of each tick, and the last potentials, neuron by neuron and branch by branch."""
    fired = np.zeros((len(events), len(core.leak)), bool)
    last = []
    for j, leak in enumerate(core.leak):
        v = 0
        for t, row in enumerate(events):
            for i in row.nonzero()[0]:
                if core.crossbar[i, j]:
                    v += core.weights[core.types[i], j]
            v += leak
            if v >= core.threshold:
                fired[t, j] = True
                if core.reset is Reset.VALUE:
                    v = core.v_reset
                elif core.reset is Reset.SUBTRACT:
                    v -= core.threshold
            elif v < -core.floor:
                if core.saturates:
                    v = -core.floor
                elif core.reset is Reset.VALUE:
                    v = -core.v_reset
        last.append(int(v))
    return fired, last


@pytest.mark.parametrize("resets", RESETS, ids=lambda r: "-".join(map(str, r.values())))
def test_resets_are_those_of_the_neuron(resets: dict[str, object]) -> None:
    """With weights of 9 bits in the integer model, and with ternary ones in the RTL too."""
    events = np.random.default_rng(7).random((1, TICKS, AXONS)) < 0.3
    fabric = program(load()).fabric
    for largest, threshold in ((255, 150), (1, 2)):
        tested = core(largest, threshold, **resets)
        fired, last = ticks(tested, events[0])
        run = simulate(tested.network(), events)
        np.testing.assert_array_equal(run.spikes["core"][0], fired)
        assert run.states["core"][0].tolist() == last
        assert 0.02 < fired.mean() < 0.98
    small = dataclasses.replace(tested.network(2), state_bits=10, sum_bits=fabric.sum_bits)
    with one_at_a_time("example-truenorth"):
        result = compare(spikeloom.compile(small, fabric), events)
    assert result.mismatches == 0, str(result.first)
    np.testing.assert_array_equal(result.rtl.spikes["core"][0], fired)


@pytest.mark.parametrize(
    "resets",
    [
        {"reset": Reset.VALUE, "v_reset": 3, "saturates": False},
        {"reset": Reset.SUBTRACT, "saturates": False},
    ],
)
def test_floors_that_no_switch_has_are_refused(resets: dict[str, object]) -> None:
    with pytest.raises(SpikeloomError, match="use saturates=True"):
        core(1, 2, **resets).network()


def test_the_trained_network_is_made_of_cores() -> None:
    """Each core, with two axons an input, spikes as its layer of the whole network does."""
    images, labels = digits(500)
    layers = load()
    events = spikes(images)
    run = simulate(network(layers), events)
    values: Integers = events[:, 0].astype(np.int64)
    for n, layer in enumerate(layers):
        assert np.abs(layer.weights).max() == 1
        outputs = layer(values)
        np.testing.assert_array_equal(run.spikes[f"layer{n}"][:, 0], outputs)
        first = layer.cores()[0]
        assert max(first.crossbar.shape) <= 256
        read = values[:20, cores()[n][0]].repeat(2, axis=1)  # an axon of each type
        alone = simulate(first.network(), read[:, np.newaxis])
        np.testing.assert_array_equal(
            alone.spikes["core"][:, 0], outputs[:20, : first.crossbar.shape[1]]
        )
        values = outputs
    assert (votes(values).argmax(axis=1) == labels).mean() >= 0.95
    with one_at_a_time("example-truenorth"):
        result = compare(program(layers), events[:2])
    assert result.mismatches == 0, str(result.first)
