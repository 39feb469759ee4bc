"""Learning synapse by synapse: plain loops over integers, from the text of `docs/hardware.md`.

It knows neurons that decay, compare and reset to a value, dense connections, and convolutions that
learn. It keeps what the page keeps: for each axon valid, stamp, before and trace, for each neuron
spiked, recent, potential and trace.
"""

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from spikeloom.golden.convolution import Convolution
from spikeloom.golden.learning import Rule, Term, When
from spikeloom.golden.network import Learnable, Network, Population
from spikeloom.golden.random_numbers import random_states
from spikeloom.golden.spec import Factor, Gate


class Learned(NamedTuple):
    """Weights of each plastic connection, by number in the network, the updates, all spikes, and
    the eligibilities of connections that have them.
    """

    weights: dict[int, list[object]]
    updates: int
    spikes: dict[str, list[list[list[bool]]]]
    planes: dict[int, list[list[int]]]


class Axon:
    def __init__(self) -> None:
        self.valid, self.stamp, self.before, self.trace = False, 0, 0, 0


class Neuron:
    def __init__(self, v: int) -> None:
        self.v = v
        self.spiked, self.recent, self.potential = 0, 0, 0


def synapses(network: Network, c: Learnable) -> list[list[tuple[int, int, int]]]:
    """For each neuron of the target its axons, each with the row and column of its weight.

    Of a kernel rows are its rows, columns and channels of the source, and columns the channels of
    the target.
    """
    if not isinstance(c, Convolution):
        return [[(i, i, j) for i in range(len(c.weights))] for j in range(network.size(c.target))]
    source, target = network.image(c.source), network.image(c.target)
    assert source
    assert target
    result = []
    for o, y, x in itertools.product(*map(range, target)):
        joined = []
        kernel = itertools.product(*map(range, (*c.weights.shape[2:], source[0])))
        for row, (k, m, d) in enumerate(kernel):
            top = y * c.stride[0] - c.padding[0][0]
            left = x * c.stride[1] - c.padding[1][0]
            if 0 <= top + k < source[1] and 0 <= left + m < source[2]:
                joined.append(((d * source[1] + top + k) * source[2] + left + m, row, o))
        result.append(joined)
    return result


class PlainRule:
    """A row of RULE, its rows of TERM, AXON and TRACE."""

    def __init__(
        self,
        network: Network,
        connection: Learnable,
        rule: Rule,
        number: int,
        index: int,
        plane: "PlainRule | None" = None,
    ) -> None:
        self.rule = rule
        self.connection, self.number, self.index, self.plane = connection, number, index, plane
        self.synapses = synapses(network, connection)
        self.shape = connection.weights.shape
        matrix = connection.weights
        if isinstance(connection, Convolution):
            matrix = matrix.transpose(2, 3, 1, 0).reshape(-1, len(matrix))
        self.weights = matrix.tolist()
        self.traces = [99] * network.size(connection.target)  # of a run before: must not be seen
        self.axons: list[Axon] = []
        self.size = network.size(connection.source)
        self.of_axon: list[list[tuple[int, int, int]]] = [[] for _ in range(self.size)]
        for j, joined in enumerate(self.synapses):
            for i, row, column in joined:
                self.of_axon[i].append((j, row, column))
        self.silent = rule.silent or plane is not None

    @property
    def learned(self) -> list[object]:
        """In the shape of the connection's."""
        if len(self.shape) == 2:
            return self.weights
        channels, sources, rows, columns = self.shape
        kernels = np.array(self.weights).reshape(rows, columns, sources, channels)
        return kernels.transpose(3, 2, 0, 1).tolist()

    def begin(self) -> None:
        self.axons = [Axon() for _ in range(self.size)]

    def note(self, i: int, t: int) -> None:
        axon, trace = self.axons[i], self.rule.pre
        if axon.valid and axon.stamp == t:
            return
        x = self.decayed(axon, t)
        axon.before = min(t - axon.stamp, 63) if axon.valid else 63
        axon.valid, axon.stamp = True, t
        axon.trace = x if trace else 0

    def decayed(self, axon: Axon, t: int) -> int:
        trace = self.rule.pre
        if trace is None or not axon.valid:
            return 0
        raised = trace.amount if trace.nearest else min(255, axon.trace + trace.amount)
        return raised * int(trace.decay[min(t - axon.stamp, 63)]) >> 8


def gate(when: When, spiked: bool, age: int) -> bool:
    if when.gate is Gate.AGE:
        return when.first <= (0 if when.now and spiked else age) <= when.last
    return {Gate.NEVER: False, Gate.ALWAYS: True, Gate.SPIKED: spiked}[when.gate]


def mixed(x: int) -> int:
    bits = (1 << 32) - 1
    x = x + (x << 7) & bits
    x ^= x >> 9
    x = x + (x << 10) & bits
    x ^= x >> 15
    x = x + (x << 5) & bits
    return x ^ x >> 8 ^ x >> 16 ^ x >> 24


def plainly(network: Network, inputs: Mapping[str, np.ndarray], first: int = 0) -> Learned:
    """Run and learn from `inputs`, (samples, steps, size)."""
    order = sorted(network.populations, key=lambda p: p.phase)
    rules: list[PlainRule] = []
    of: dict[int, PlainRule] = {}
    for number, c in enumerate(network.plastic):
        index = [id(d) for d in network.connections].index(id(c))
        assert c.plasticity is not None
        plane = None
        if (learns_plane := c.plasticity.eligibility) is not None:
            plane = PlainRule(network, c, learns_plane, 31 - number, index)
            plane.weights = [[0] * len(row) for row in plane.weights]
            rules.append(plane)
        of[id(c)] = PlainRule(network, c, c.plasticity, number, index, plane)
        rules.append(of[id(c)])
    samples, steps = next(iter(inputs.values())).shape[:2]
    states = random_states(network.seed or 0, first, samples, steps)
    spikes: dict[str, list[list[list[bool]]]] = {p.name: [] for p in order}
    updates = 0
    for sample in range(samples):
        for rule in rules:
            rule.begin()
        neurons = {p.name: [Neuron(int(p.v_init)) for _ in range(p.size)] for p in order}
        sums = {(p.name, t): [0] * p.size for p in order for t in range(steps)}
        for of_samples in spikes.values():
            of_samples.append([])
        for t in range(steps):
            for name, array in inputs.items():
                for i, count in enumerate(array[sample, t].tolist()):
                    send(network, of, sums, (name, i), int(count), t)
            for p in order:
                row = []
                for j, neuron in enumerate(neurons[p.name]):
                    row.append(fire(p, neuron, sums[p.name, t][j], j, network.state_bits))
                spikes[p.name][-1].append(row)
                for j, spiked in enumerate(row):
                    send(network, of, sums, (p.name, j), int(spiked), t)
            for rule in rules:
                ends = t == steps - 1
                updates += learn(rule, neurons, t, ends, int(states[t, sample]))
    learned = {rule.index: rule.learned for rule in of.values()}
    planes = {rule.index: rule.plane.weights for rule in of.values() if rule.plane}
    return Learned(learned, updates, spikes, planes)


def send(
    network: Network,
    plastic: Mapping[int, PlainRule],
    sums: Mapping[tuple[str, int], list[int]],
    axon: tuple[str, int],
    count: int,
    t: int,
) -> None:
    """An event of step `t` through every connection, as integrate adds it at once."""
    source, i = axon
    for c in network.connections:
        if c.source != source or not count or (c.target, t + c.delay) not in sums:
            continue
        rule = plastic.get(id(c))
        due = sums[c.target, t + c.delay]
        if rule is None:
            assert not isinstance(c, Convolution)
            for j in range(len(due)):
                due[j] += count * int(c.weights[i][j])
            continue
        for j, row, column in rule.of_axon[i]:
            due[j] += count * rule.weights[row][column]
        (rule.plane or rule).note(i, t)


def fire(p: Population, neuron: Neuron, total: int, j: int, state_bits: int) -> bool:
    most = (1 << state_bits - 1) - 1
    kept = abs(neuron.v) * (4096 - int(p.decay)) >> 12
    u = (kept if neuron.v >= 0 else -kept) + total + int(p.bias[j])
    u = min(max(u, -most - 1), most)
    s = p.spiking and u > int(p.threshold)
    neuron.recent = 62 if neuron.spiked else max(neuron.recent - 1, 0)
    neuron.spiked, neuron.potential = int(s), u
    neuron.v = int(p.v_reset) if s else u
    return bool(s)


def learn(
    plain: PlainRule, neurons: Mapping[str, list[Neuron]], t: int, ends: bool, state: int
) -> int:
    """LEARN(t) of one rule; how many synapses a term applied to."""
    rule = plain.rule
    if rule.at_end and not ends:
        return 0
    shift, (low, high) = rule.shift, rule.bounds
    updates = 0
    for j, neuron in enumerate(neurons[plain.connection.target]):
        b = 63 - neuron.recent
        y = above = 0
        if rule.post is not None:
            y = plain.traces[j] * int(rule.post.decay[b]) >> 8
            above = y
            if neuron.spiked:
                amount = rule.post.amount
                above = amount if rule.post.nearest else min(255, y + amount)
                plain.traces[j] = above
        z = 0
        if rule.third is not None:
            z = min(max(neurons[rule.third][j].potential >> rule.third_shift, -256), 255)
        for i, row, column in plain.synapses[j]:
            axon = plain.axons[i]
            if not axon.valid and not plain.silent:
                continue
            spiked = axon.valid and axon.stamp == t
            d = min(t - axon.stamp, 63) if axon.valid else 63
            a = axon.before if spiked else d
            x = axon.trace if spiked else plain.decayed(axon, t)
            w = plain.weights[row][column]
            total, applied = 0, False
            for term in rule.terms:
                trace = above if term.post.now else y
                lower, upper = term.window or (neuron.potential, neuron.potential)
                lowest, highest = term.trace_window or (trace, trace)
                if (
                    gate(term.pre, spiked, a)
                    and gate(term.post, bool(neuron.spiked), b)
                    and lower <= neuron.potential <= upper
                    and lowest <= trace <= highest
                ):
                    applied = True
                    e = plain.plane.weights[row][column] if plain.plane else 0
                    total += value(term, rule, spiked, a, x, bool(neuron.spiked), b, trace, z, w, e)
            r = 0
            if shift and rule.rounding == "nearest":
                r = 2 ** (shift - 1)
            elif shift and rule.rounding == "stochastic":
                key = (row | (column // 16) << 16 | plain.number << 26) % 2**31
                r = (mixed(state ^ key) + (column % 16) * 2 ** (shift - 4)) % 2**shift
            updates += applied
            if applied:
                plain.weights[row][column] = min(max(w + ((total + r) >> shift), low), high)
    return updates


def value(
    term: Term,
    rule: Rule,
    pre_spiked: bool,
    a: int,
    x: int,
    post_spiked: bool,
    b: int,
    trace: int,
    z: int,
    w: int,
    e: int,
) -> int:
    low, high = rule.bounds
    if rule.pre is not None and term.pre.now and pre_spiked:
        x = rule.pre.amount if rule.pre.nearest else min(255, x + rule.pre.amount)
    pre_age = 0 if term.pre.now and pre_spiked else a
    post_age = 0 if term.post.now and post_spiked else b
    product = 1
    for factor in (term.left, term.right):
        match factor:
            case Factor.ONE:
                pass
            case Factor.CONSTANT:
                product *= term.constant
            case Factor.PRE_TRACE:
                product *= x
            case Factor.PRE_CURVE:
                assert term.curve is not None
                product *= int(term.curve[pre_age])
            case Factor.POST_TRACE:
                product *= trace
            case Factor.POST_CURVE:
                assert term.curve is not None
                product *= int(term.curve[post_age])
            case Factor.THIRD:
                product *= z
            case Factor.ABOVE:
                product *= high - w
            case Factor.BELOW:
                product *= w - low
            case Factor.WEIGHT:
                product *= w
            case Factor.ELIGIBILITY:
                product *= e
            case Factor.BETWEEN:
                product *= (high - w) * (w - low) >> 8
    return -product if term.negative else product
