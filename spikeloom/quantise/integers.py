"""The integer network: a float network times its scales, rounded.

With the scale s and the fraction bits f of a population, S = s * 2**f:

    weights    = rint(weight * s)
    bias       = rint(bias * S)            leak, v_reset, v_init, v_min likewise
    threshold  = floor(threshold * S)      where a spike needs u > threshold: for an integer u,
                                           u > x exactly if u > floor(x)
               = ceil(threshold * S)       where it needs u >= threshold, for the same reason
    subtrahend = rint(threshold * S)       the amount that a reset by subtraction takes away
    decays     = rint(4096 * decay)        for slow ones see `spikeloom.quantise.leak`

Each neuron has its own of a parameter that differs between neurons. With several spikes in a step
each subtracts the threshold that it is compared with, rint(threshold * S).

rint rounds halves to even. Thresholds and resets are computed in rational numbers, so a threshold
of a whole number of weight units stays exactly that. Only rounding is lossy. A number that does not
fit its width is refused.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Literal

import numpy as np

from spikeloom.golden.convolution import Convolution
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import (
    AnyConnection,
    Connection,
    Input,
    Network,
    Parameter,
    Population,
)
from spikeloom.golden.schedule import Variant
from spikeloom.golden.spec import Reset
from spikeloom.golden.switches.switch import Switch
from spikeloom.importer.float_network import (
    AnyFloatConnection,
    FloatConvolution,
    FloatNetwork,
    FloatPopulation,
    PerNeuron,
    levels,
)
from spikeloom.importer.switches.switch import Rounded
from spikeloom.quantise.leak import integer_decay
from spikeloom.quantise.ranges import MAX_STATE_BITS, MAX_SUM_BITS, Widths, typical_states
from spikeloom.quantise.scales import Scale

Schedule = Literal["layered", "pipelined"]

STATE_BITS = (8, MAX_STATE_BITS)
SUM_BITS = (8, MAX_SUM_BITS)
"""Minimum and maximum widths of states and sums that hardware can be built with."""


def scheduled_delays(net: FloatNetwork, schedule: Schedule) -> list[int]:
    """The delay of each connection, in steps.

    Layered schedules keep the delays. Pipelined ones add the layers that a connection crosses: the
    spikes of a population at depth l come l + 1 steps late.

    Raises
    ------
    SpikeloomError
        Pipelined layers leave no step for a connection that feeds back.
    """
    if schedule == "layered":
        return [connection.delay for connection in net.connections]
    depth = levels(net)
    delays = []
    for connection in net.connections:
        crossed = depth[connection.target] - depth.get(connection.source, -1)
        if connection.delay + crossed < 1:
            raise SpikeloomError(
                f"connection {connection.source!r} -> {connection.target!r}: it feeds back sooner "
                'than pipelined layers allow; use schedule="layered" or a longer delay'
            )
        delays.append(connection.delay + crossed)
    return delays


def to_integers(
    net: FloatNetwork,
    scales: Mapping[str, Scale],
    widths: Widths,
    schedule: Schedule = "layered",
    max_count: int = 1,
) -> Network:
    """Round `net` at these `scales`.

    Raises
    ------
    SpikeloomError
        A number does not fit its width, a sum could overflow, or an option is out of range.
    """
    depth = levels(net)
    delays = scheduled_delays(net, schedule)
    sum_bits = widths.sum_bits or MAX_SUM_BITS
    finer = any(scale.fraction_bits for scale in scales.values())
    bias_bits = max(sum_bits, widths.state_bits) if finer else sum_bits
    steps = max(map(_steps, net.populations))
    if steps > 1 and schedule == "pipelined":
        raise SpikeloomError(
            "input_gain: in a pipelined schedule a layer is in another step than its input; use "
            'schedule="layered"'
        )
    network = Network(
        tuple(Input(node.name, node.size, max_count, node.image) for node in net.inputs),
        tuple(
            _population(
                population,
                typical_states(net, population),
                scales[population.name],
                depth[population.name] if schedule == "layered" else 0,
                widths.state_bits,
                bias_bits,
                steps,
            )
            for population in net.populations
        ),
        tuple(
            part
            for connection, delay in zip(net.connections, delays, strict=True)
            for part in _connections(connection, scales[connection.target], delay, widths)
        ),
        weight_bits=widths.weight_bits,
        state_bits=widths.state_bits,
        sum_bits=sum_bits,
        schedule=tuple(range(steps)) if steps > 1 else (),
        seed=net.dialect.seed,
    )
    if widths.sum_bits is not None:
        return network
    return dataclasses.replace(network, sum_bits=narrowest_sum_bits(network))


def narrowest_sum_bits(network: Network) -> int:
    """The narrowest width of sums in which nothing can overflow."""
    needed = [SUM_BITS[0]]
    if any(connection.high for connection in network.connections):
        needed.append(2 * network.weight_bits)
    for population in network.populations:
        low, high = worst_sums(population, network)
        needed += [bits_of(low), bits_of(high)]
        bias = max(bits_of(int(population.bias.min())), bits_of(int(population.bias.max())))
        # With fraction bits a bias has at least the width of the states.
        if not network.fraction_bits or bias > network.state_bits:
            needed.append(bias)
    return max(needed)


def worst_sums(population: Population, network: Network) -> tuple[int, int]:
    """Minimum and maximum sum of weights that one step can bring to any neuron."""
    low = np.zeros(population.size, np.int64)
    high = np.zeros(population.size, np.int64)
    for connection in network.into(population.name):
        lowest, highest = network.sum_range(connection)
        low += lowest
        high += highest
    return int(low.min()), int(high.max())


def bits_of(value: int) -> int:
    """Width of the narrowest two's-complement number that holds `value`."""
    return (value if value >= 0 else ~value).bit_length() + 1


def _connections(
    trained: AnyFloatConnection, scale: Scale, delay: int, widths: Widths
) -> Iterator[AnyConnection]:
    """The integer connection, or with pairs the two of the lower and of the upper halves."""
    weights = np.rint(trained.weights * float(scale.value)).astype(np.int64)
    if not widths.weight_pairs:
        yield _connection(trained, weights, delay, high=False)
        return
    half = 1 << (widths.weight_bits - 1)
    low = (weights + half) % (2 * half) - half
    yield _connection(trained, low, delay, high=False)
    yield _connection(trained, (weights - low) // (2 * half), delay, high=True)


def _connection(
    trained: AnyFloatConnection, weights: Integers, delay: int, high: bool
) -> AnyConnection:
    if not isinstance(trained, FloatConvolution):
        return Connection(trained.source, trained.target, weights, delay, high)
    kernel = trained.kernel
    return Convolution(
        trained.source,
        trained.target,
        weights,
        delay,
        high,
        kernel.stride,
        kernel.padding,
        kernel.dilation,
        kernel.groups,
        kernel.pool,
    )


def _population(
    population: FloatPopulation,
    typical: tuple[PerNeuron, float],
    scale: Scale,
    phase: int,
    state_bits: int,
    bias_bits: int,
    steps: int,
) -> Population:
    threshold, subtrahend = _threshold(population, scale, state_bits)

    def rounded(value: float, name: str) -> int:
        integer = round(Fraction(value) * scale.state)
        _check_fits(population, name, integer, state_bits, value, scale)
        return integer

    def array(name: str, bits: int) -> Integers:
        values = getattr(population, name)
        for value in (values.min(), values.max()):
            _check_fits(population, name, round(Fraction(value) * scale.state), bits, value, scale)
        integers: Integers = np.rint(values * float(scale.state)).astype(np.int64)
        return integers

    potential, current = typical_units(typical, scale)
    synaptic = None
    if population.synaptic_decay is not None:
        synaptic = _each(integer_decay, population.synaptic_decay, current)
    return Population(
        population.name,
        population.size,
        array("bias", bias_bits),
        phase=phase,
        decay=_each(integer_decay, population.decay, potential),
        threshold=threshold,
        inclusive=population.inclusive,
        spiking=population.spiking,
        reset=population.reset,
        v_reset=_each(lambda value: rounded(value, "v_reset"), population.v_reset),
        v_init=_each(lambda value: rounded(value, "v_init"), population.v_init),
        image=population.image,
        synaptic_decay=synaptic,
        leak=None if population.leak is None else array("leak", state_bits),
        subtrahend=subtrahend,
        delayed_reset=population.delayed_reset,
        v_min=None if population.v_min is None else rounded(population.v_min, "v_min"),
        max_spikes=population.max_spikes,
        signed=population.signed,
        fraction_bits=scale.fraction_bits,
        switches=_switches(population, 0, rounded),
        variants=tuple(
            Variant(switches=_switches(population, step, rounded))
            for step in range(1, steps if _steps(population) > 1 else 1)
        ),
    )


def _steps(population: FloatPopulation) -> int:
    """Steps until its parameters no longer change."""
    return max((switch.versions for switch in population.switches), default=1)


def _switches(population: FloatPopulation, step: int, rounded: Rounded) -> tuple[Switch, ...]:
    return tuple(switch.at(step).integer(rounded) for switch in population.switches)


def typical_units(typical: tuple[PerNeuron, float], scale: Scale) -> tuple[Parameter, int]:
    """Typical states, in whole units."""
    unit = float(scale.state)
    return _each(lambda potential: round(potential * unit), typical[0]), round(typical[1] * unit)


def _each(integer: Callable[..., int], *arguments: PerNeuron | Parameter) -> Parameter:
    """The integer that each neuron gets from its `arguments`: one, where all get the same."""
    if not any(isinstance(argument, np.ndarray) for argument in arguments):
        return integer(*arguments)
    rows = zip(*(argument.tolist() for argument in np.broadcast_arrays(*arguments)), strict=True)
    known = functools.cache(integer)
    integers = np.array([known(*row) for row in rows], np.int64)
    return integers if (integers != integers[0]).any() else int(integers[0])


def _threshold(
    population: FloatPopulation, scale: Scale, state_bits: int
) -> tuple[Parameter, Parameter | None]:
    """The integer threshold, and what a reset subtracts where that is another number."""

    def compared(trained: float) -> int:
        exact = Fraction(trained) * scale.state
        rounded = scale.whole(trained)
        if rounded is None:
            rounded = math.ceil(exact) if population.inclusive else math.floor(exact)
            if population.max_spikes > 1:
                rounded = round(exact)  # also what each spike subtracts
        # With "u > threshold", a threshold at the upper end of the range could not be exceeded.
        reached = rounded if population.inclusive or not population.spiking else rounded + 1
        _check_fits(population, "threshold", reached, state_bits, trained, scale)
        return rounded

    threshold = _each(compared, population.threshold)
    if population.reset not in (Reset.SUBTRACT, Reset.RESTORE) or not population.spiking:
        return threshold, None
    nearest = _each(lambda trained: round(Fraction(trained) * scale.state), population.threshold)
    return threshold, None if np.array_equal(nearest, threshold) else nearest


def _check_fits(
    population: FloatPopulation, name: str, value: int, bits: int, trained: float, scale: Scale
) -> None:
    needed = bits_of(value)
    if needed <= bits:
        return
    width, (_, widest) = ("sum_bits", SUM_BITS) if name == "bias" else ("state_bits", STATE_BITS)
    remedy = f"use {width}={min(needed, widest)}"
    if needed > widest:
        lower = float(scale.value / (1 << needed - widest))
        remedy += f" and scales={{{population.name!r}: {lower:.4g}}}"
    raise SpikeloomError(
        f"population {population.name!r}: {name} {trained:g} needs {needed} bits at the scale of "
        f"the weights, and {width} is {bits}; {remedy}"
    )
