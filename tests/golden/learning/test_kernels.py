"""Kernels of convolutions learn as plain loops from the text of `docs/hardware.md` do."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from plain_learning import plainly
from random_learning import WITH_LEARNING, random_rule

from spikeloom.golden.convolution import Convolution
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers
from spikeloom.golden.learning import Rule, Term, first_spike_stdp
from spikeloom.golden.network import Connection, Input, Learnable, Network, Population
from spikeloom.golden.spec import FabricConfig, Factor
from spikeloom.golden.step import plastic
from spikeloom.golden.step.ends import Seen
from spikeloom.golden.step.learn import Block
from spikeloom.golden.step.run import simulate

FABRIC = FabricConfig(**WITH_LEARNING, state_bits=12)
SEEDS = range(5, 45)  # small networks all of them


def random_kernel(
    rng: np.random.Generator, source: str, target: str, channels: int, more: int
) -> Convolution:
    """From `channels` channels to `more`, with random strides and paddings."""
    rows, columns = (int(n) for n in rng.integers(1, 4, 2))
    stride = tuple(int(n) for n in rng.integers(1, 3, 2))
    padding = tuple(tuple(int(n) for n in rng.integers(0, 3, 2)) for _ in range(2))
    weights = rng.integers(-40, 60, (more, channels, rows, columns))
    return Convolution(source, target, weights, 0, False, stride, padding)  # type: ignore[arg-type]


def with_rule(rng: np.random.Generator, connection: Learnable) -> Any:
    rule = random_rule(rng, FABRIC, [])
    weights = connection.weights.clip(*rule.bounds)
    return dataclasses.replace(connection, weights=weights, plasticity=rule)


def learning_network(rng: np.random.Generator) -> Network:
    """An image, a population that a kernel reads, one that reads this by another kernel and by a
    matrix, and a recurrent kernel with a delay; each learns.
    """
    image = tuple(int(n) for n in rng.integers(1, 6, 3))
    channels = [int(n) for n in rng.choice([1, 2, 3, 17], 2, p=[0.3, 0.3, 0.3, 0.1])]
    images: list[Any] = [image]
    kernels = []
    for number, (source, target) in enumerate((("in", "h"), ("h", "o"))):
        while True:
            kernel = random_kernel(rng, source, target, images[-1][0], channels[number])
            output = kernel.output(images[-1])
            if min(output) > 0:
                break
        kernels.append(kernel)
        images.append(output)
    sizes = [int(np.prod(shape)) for shape in images]
    around = rng.integers(-40, 60, (channels[0], channels[0], 3, 3))
    connections: list[Learnable] = [
        kernels[0],
        dataclasses.replace(kernels[1], delay=int(rng.integers(3))),
        Convolution("h", "h", around, int(rng.integers(1, 4)), padding=((1, 1), (1, 1))),
        Connection("h", "o", rng.integers(-40, 60, (sizes[1], sizes[2])), 1),
    ]
    leaks = rng.integers(0, 1500, 2).tolist()
    network = Network(
        (Input("in", sizes[0], max_count=3, image=images[0]),),
        tuple(
            Population(name, size, rng.integers(-9, 30, size), phase, leaks[phase], 60, image=shape)
            for phase, (name, size, shape) in enumerate(
                zip("ho", sizes[1:], images[1:], strict=True)
            )
        ),
        (),
        state_bits=12,
        sum_bits=int(rng.choice([25, 26])),
        seed=int(rng.integers(1 << 32)),
    )
    for connection in connections:
        before = network.connections
        try:
            network = dataclasses.replace(
                network, connections=(*before, with_rule(rng, connection))
            )
        except SpikeloomError:  # two rules with traces of one population
            rule = dataclasses.replace(first_spike_stdp((0, 99), 0.1, 0.1), at_end=True)
            plain = dataclasses.replace(
                connection, weights=connection.weights.clip(0, 99), plasticity=rule
            )
            network = dataclasses.replace(network, connections=(*before, plain))
    return network


def compare(seed: int) -> dict[int, Integers]:
    """A random network, learning from random events, against plain loops; its weights."""
    rng = np.random.default_rng(seed)
    network = learning_network(rng)
    shape = 2, int(rng.choice([1, 5, 7])), network.size("in")
    events = rng.integers(0, 4, shape) * (rng.random(shape) < 0.3)
    expected = plainly(network, {"in": events}, first=seed)
    run = simulate(network, events, first=seed, learn=True)
    for name, spikes in run.spikes.items():
        assert np.array_equal(spikes, expected.spikes[name])
    assert run.updates == expected.updates
    assert {number: w.tolist() for number, w in run.weights.items()} == expected.weights
    changed = (run.weights[n] != c.weights for n, c in enumerate(network.connections))
    return {number: run.weights[number] for number, any_ in enumerate(changed) if any_.any()}


def test_kernels_are_those_of_plain_loops() -> None:
    learned = [compare(seed) for seed in SEEDS]
    for connection in range(4):
        assert sum(connection in weights for weights in learned) > 10


@pytest.mark.parametrize("fault", ["order", "outside", "silent", "channel"])
def test_a_planted_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taps, change = plastic._taps, plastic.KernelUpdate._change

    def other(*arguments: Any) -> Any:
        axons, inside = taps(*arguments)
        if fault == "order":
            return axons[::-1], inside[::-1]
        return axons, np.ones_like(inside)

    def backwards(update: plastic.KernelUpdate, block: Block, *arguments: Any) -> None:
        change(update, block._replace(columns=block.columns[::-1]), *arguments)

    monkeypatch.setattr(plastic, "_taps", other if fault in ("order", "outside") else taps)
    if fault == "silent":
        monkeypatch.setattr(Seen, "heard", property(lambda seen: np.ones_like(seen.spiked)))
    if fault == "channel":
        monkeypatch.setattr(plastic.KernelUpdate, "_change", backwards)
    with pytest.raises(AssertionError):
        tuple(map(compare, SEEDS))


PLAIN = Rule((Term(Factor.CONSTANT, constant=3),), (-100, 100))


def plain_network(rule: Any = PLAIN, channels: int = 1, **changed: Any) -> Network:
    """An image of 4 x 4 and a population of 2 x 2 that a kernel joins."""
    fields = {"stride": (2, 2), **changed}
    kernel = Convolution("in", "p", np.full((2, 2 // channels, 2, 2), 7), plasticity=rule, **fields)
    target = kernel.output((2, 4, 4))
    size = int(np.prod(target))
    return Network(
        (Input("in", 32, image=(2, 4, 4)),),
        (Population("p", size, np.zeros(size, int), image=target),),
        (kernel,),
    )


def test_a_kernel_with_a_rule_is_plastic() -> None:
    network = plain_network()
    assert network.plastic == network.connections
    run = simulate(network, np.ones((1, 1, 32), np.bool_), learn=True)
    # 4 positions each of 4 * 2 * 2 synapses, of a constant that rounds to 0.
    assert run.updates == 4 * 16
    assert np.array_equal(run.weights[0], network.connections[0].weights)


def test_sums_hold_the_bounds() -> None:
    wide = dataclasses.replace(PLAIN, bounds=(0, 127))
    network = plain_network(wide)
    assert network.sum_range(network.connections[0])[1].tolist() == [8 * 127] * 8


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda: plain_network(groups=2, channels=2), "of 2 groups cannot learn; use groups=1"),
        (lambda: plain_network(dilation=(1, 2)), r"dilation \(1, 2\) .*; use dilation=\(1, 1\)"),
        (lambda: plain_network(pool=(2, 2)), r"a pool of \(2, 2\) cannot learn; use pool=\(1, 1"),
        (lambda: plain_network(high=True), "weights of a high connection cannot learn"),
        (
            lambda: plain_network(
                dataclasses.replace(PLAIN, terms=(Term(Factor.THIRD),), third="p")
            ),
            "the rule of a kernel has no third factor; leave out third='p'",
        ),
        (
            lambda: plain_network(
                dataclasses.replace(PLAIN, terms=(Term(Factor.ELIGIBILITY),), eligibility=PLAIN)
            ),
            "the rule of a kernel has no eligibility; leave that out",
        ),
        (lambda: plain_network("STDP"), "plasticity must be a Rule or None, not 'STDP'"),
        (
            lambda: plain_network(dataclasses.replace(PLAIN, bounds=(0, 5))),
            "the weights are 7..7, outside bounds 0..5; clip them",
        ),
        (
            lambda: plain_network(dataclasses.replace(PLAIN, terms=(Term(Factor.PRE_TRACE),))),
            "the rule has no pre trace",
        ),
    ],
)
def test_a_rule_that_a_kernel_cannot_have_is_refused(network: Any, message: str) -> None:
    with pytest.raises(SpikeloomError, match=f"'in' -> 'p': .*{message}"):
        network()


def test_a_kernel_has_65536_taps_at_most() -> None:
    kernel = Convolution("in", "p", np.ones((1, 4, 128, 129), np.int64), plasticity=PLAIN)
    with pytest.raises(SpikeloomError, match="66048 weights of a channel learn, 65536 at most"):
        kernel.check("connection", (4, 128, 129), (1, 1, 1), (-128, 127))
