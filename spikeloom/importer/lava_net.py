"""Networks of lava-dl (`.net`, HDF5) as integer networks: Loihi's fixed-point numbers as they are.

Per layer and step, with the units of `lava.proc.lif` (weights and biases are shifted left by 6):

    u = decay(u, iDecay) + (sum of weights << 6)
    v = decay(v, vDecay) + u + (bias << 6)
    spike where v > vThMant << 6, and v = 0

Every connection takes one step, as a Dense or Conv of Lava does. Weights that are all even are
halved and shifted by one more, so Loihi's even 9-bit weights need 8 bits. Sources: `netx/hdf5.py`
and `slayer/block/base.py` of lava-dl, `proc/lif/models.py` of Lava.
"""

import dataclasses
import math
import os
from dataclasses import dataclass

import numpy as np

from spikeloom.golden.checks import MAX_SIZE
from spikeloom.golden.convolution import Convolution, ImageShape
from spikeloom.golden.fixed import Integers
from spikeloom.golden.network import (
    MAX_DELAY,
    AnyConnection,
    Connection,
    Input,
    Network,
    Population,
)
from spikeloom.golden.spec import DECAY_ONE, Reset
from spikeloom.importer.hdf5 import Group, opened

SHIFT = 6
"""Bits by which weights, biases and thresholds are shifted left."""
MAX_SHIFT = 12
STATE_BITS = 24
WEIGHTS = -256, 255
"""Range of Loihi's weights."""
NEURONS = ("CUBA", "LOIHI")


@dataclass(frozen=True)
class _Layer:
    """A population, and the weights into it without their common shift."""

    population: Population
    connections: tuple[AnyConnection, ...]
    shape: tuple[int, ...]


def load_lava_net(
    path: "str | os.PathLike[str]",
    *,
    skip_layers: int = 0,
    num_layers: int | None = None,
    input_shape: tuple[int, ...] | None = None,
    max_count: int = 1,
) -> Network:
    """Load a network that a lava-dl model exported with `export_hdf5`.

    Layers "input", "dense", "dense_rec", "conv" and "flatten" with CUBA (LOIHI) neurons are read;
    populations are called "layer0", "layer1" and so on, the input "input". Images are (channels,
    rows, columns). Loading follows no link and never executes anything in the file.

    Parameters
    ----------
    path
        The `.net` file.
    skip_layers, num_layers
        Layers to leave out at the start; the number of layers of the file to read, all if None.
    input_shape
        Shape of the input where the first layer that is read does not state it.
    max_count
        Maximum events of an input axon per step, 1..255.

    Raises
    ------
    SpikeloomError
        The file cannot be read, or a layer has no equivalent. The message names the layer.
    """
    with opened(path) as root:
        layers = root.group("layer")
        count = len(layers)
        stop = count if num_layers is None else min(count, num_layers)
        groups = [(n, layers.group(str(n))) for n in range(stop)]
        shape = tuple(input_shape) if input_shape is not None else None
        for _, group in groups[:skip_layers]:
            if "shape" in group:
                shape = _shape(group)
        source, populated = "input", []
        first: tuple[int, ...] | None = None
        for n, group in groups[skip_layers:]:
            kind = group.text("type")
            if kind == "flatten":
                shape = None if shape is None else (math.prod(shape),)
                continue
            if kind == "input":
                shape = _shape(group)
                if "neuron" not in group:
                    continue
            shape = _input_of(group, kind) if shape is None else shape
            first = shape if first is None else first
            layer = _layer(group, f"layer{n}", kind, source, shape)
            populated.append(layer)
            source, shape = layer.population.name, layer.shape
        if not populated or first is None:
            layers.refuse("no layer of neurons is left; check skip_layers and num_layers")
        return _network(root, populated, first, max_count)


def _network(root: Group, layers: list[_Layer], shape: tuple[int, ...], max_count: int) -> Network:
    axons = math.prod(shape)
    if not 1 <= axons <= MAX_SIZE:
        root.refuse(f"its input has {axons} axons, outside 1..{MAX_SIZE}; pass skip_layers")
    connections = [c for layer in layers for c in layer.connections]
    # What is an image at one end of a convolution is one; elsewhere the image plays no part.
    images = {c.source for c in connections if isinstance(c, Convolution)}
    image = _image(shape) if "input" in images else None
    largest = max(int(np.abs(c.weights).max(initial=0)) for c in connections)
    bits = next(b for b in (2, 4, 8, 16) if largest < 1 << (b - 1))
    counts = {"input": max_count}
    bounds = {layer.population.name: 0 for layer in layers}
    for connection in connections:
        per_target = np.abs(connection.weights).reshape(len(connection.weights), -1)
        dense = isinstance(connection, Connection)
        sums = per_target.sum(axis=0 if dense else 1)
        bound = int(sums.max(initial=0)) * counts.get(connection.source, 1)
        bounds[connection.target] += bound
    return Network(
        (Input("input", axons, max_count, image),),
        tuple(layer.population for layer in layers),
        tuple(connections),
        weight_bits=bits,
        state_bits=STATE_BITS,
        sum_bits=min(32, max(8, max(bounds.values()).bit_length() + 1)),
    )


def _input_of(group: Group, kind: str) -> tuple[int, ...]:
    """Shape of the input of the first layer where no layer states it."""
    if kind == "conv":
        group.refuse("the shape of its input is unspecified; pass input_shape=(channels, ...)")
    return (_weights(group, "weight", _size(group)).shape[1],)


def _layer(group: Group, name: str, kind: str, source: str, shape: tuple[int, ...]) -> _Layer:
    own = _shape(group)
    connections: tuple[AnyConnection, ...]
    match kind:
        case "input":
            gain = int(_whole(group, "weight").item()) if "weight" in group else 64
            image = _image(shape)
            kernel = np.full((image[0], 1, 1, 1), gain, np.int64)
            connections = (Convolution(source, name, kernel, groups=image[0]),)
        case "dense" | "dense_rec":
            own = (math.prod(own),)
            connections = _dense(group, name, kind, source, math.prod(shape))
        case "conv":
            connections = (_convolution(group, name, source, shape, own),)
        case _:
            group.refuse(
                f"a layer of type {kind!r} has no equivalent; leave it out with num_layers"
            )
    shift = 0
    while SHIFT + shift < MAX_SHIFT and not any((c.weights & 1).any() for c in connections):
        if not any(c.weights.any() for c in connections):
            break
        connections = tuple(dataclasses.replace(c, weights=c.weights >> 1) for c in connections)
        shift += 1
    population = _population(group, name, math.prod(own), own, SHIFT + shift)
    if kind in ("input", "conv"):
        population = dataclasses.replace(population, image=_image(own))
    return _Layer(population, connections, own)


def _population(group: Group, name: str, size: int, own: tuple[int, ...], shift: int) -> Population:
    if not 1 <= size <= MAX_SIZE:
        group.refuse(f"it has {size} neurons, outside 1..{MAX_SIZE}; pass skip_layers")
    neuron = group.group("neuron")
    if (kind := neuron.text("type")) not in NEURONS:
        neuron.refuse(f"neurons of type {kind!r} have no equivalent; use CUBA")
    current, voltage = (_decay(neuron, key, size) for key in ("iDecay", "vDecay"))
    threshold = _whole(neuron, "vThMant") << SHIFT
    bias = np.zeros(size, np.int64)
    if "bias" in group:
        each = _whole(group, "bias").reshape(-1) << SHIFT
        if each.size not in (1, own[0], size):
            group.refuse(f"bias has {each.size} elements for a layer of shape {own}")
        bias = np.repeat(each, size // each.size)
    forgets = bool(np.all(current == DECAY_ONE))
    population = Population(
        name,
        size,
        bias if forgets else np.zeros(size, np.int64),
        phase=0,
        decay=voltage,
        threshold=_shared(threshold, size),
        reset=Reset.VALUE,
        fraction_bits=shift,
    )
    if forgets:
        return population
    return dataclasses.replace(population, synaptic_decay=current, leak=bias)


def _dense(
    group: Group, name: str, kind: str, source: str, inputs: int
) -> tuple[AnyConnection, ...]:
    size = _size(group)
    weights = _weights(group, "weight", size)
    if weights.shape[1] != inputs:
        group.refuse(f"weight has {weights.shape[1]} inputs, but the layer before has {inputs}")
    delays: Integers = np.zeros((size, 1), np.int64)
    if "delay" in group:
        delays = _whole(group, "delay")
        if delays.size == weights.size:
            delays = delays.reshape(weights.shape)
        elif delays.size in (1, size):
            delays = delays.reshape(-1, 1)
        elif delays.size == inputs:
            delays = delays.reshape(1, -1)
        else:
            group.refuse(f"delay has {delays.size} elements, weight has shape {weights.shape}")
    if not 0 <= delays.min() <= delays.max() < MAX_DELAY:
        group.refuse(f"delays must be 0..{MAX_DELAY - 1}, and are up to {delays.max()}")
    each = np.broadcast_to(delays, weights.shape)
    connections: list[AnyConnection] = [
        Connection(source, name, np.where(each == delay, weights, 0).T, 1 + int(delay))
        for delay in np.unique(each)
    ]
    if kind == "dense_rec":
        recurrent = _weights(group, "weight_rec", size)
        if recurrent.shape != (size, size):
            group.refuse(f"weight_rec must have shape {(size, size)}, not {recurrent.shape}")
        connections.append(Connection(name, name, recurrent.T, 1))
    return tuple(connections)


def _convolution(
    group: Group, name: str, source: str, shape: tuple[int, ...], own: tuple[int, ...]
) -> Convolution:
    if "delay" in group:
        group.refuse("a convolution with delays has no equivalent; train it without")
    weights = _in_range(group, "weight", _whole(group, "weight"))
    if weights.ndim == 5 and weights.shape[4] == 1:
        weights = weights[..., 0]
    if weights.ndim != 4:
        group.refuse(f"weight must have 4 dimensions (out, in, rows, columns), not {weights.shape}")
    stride, padding, dilation = (_pair(group, key) for key in ("stride", "padding", "dilation"))
    rows, columns = padding
    connection = Convolution(
        source,
        name,
        weights,
        1,
        stride=stride,
        padding=((rows, rows), (columns, columns)),
        dilation=dilation,
        groups=int(_whole(group, "groups").item()),
    )
    if connection.output(_image(shape)) != _image(own):
        group.refuse(f"it makes {connection.output(_image(shape))} of {shape}, not {own}")
    return connection


# Parameters.


def _whole(group: Group, name: str) -> Integers:
    values = group.array(name)
    if (values % 1).any() or np.abs(values).max(initial=0) >= 1 << 31:
        group.refuse(f"{name} must be integers of at most 32 bits; export the file again")
    return values.astype(np.int64)


def _in_range(group: Group, name: str, weights: Integers) -> Integers:
    low, high = int(weights.min(initial=0)), int(weights.max(initial=0))
    if not WEIGHTS[0] <= low <= high <= WEIGHTS[1]:
        group.refuse(f"{name} must be {WEIGHTS[0]}..{WEIGHTS[1]}, and is {low}..{high}")
    return weights


def _weights(group: Group, name: str, size: int) -> Integers:
    """Weights (out, in)."""
    weights = _in_range(group, name, _whole(group, name))
    if not weights.size or weights.size % size:
        group.refuse(f"{name} has {weights.size} elements for {size} neurons")
    return weights.reshape(size, -1)


def _decay(group: Group, name: str, size: int) -> int | Integers:
    values = _whole(group, name)
    if values.min(initial=0) < 0 or values.max(initial=0) > DECAY_ONE:
        group.refuse(f"{name} must be 0..{DECAY_ONE}")
    if values.size not in (1, size):
        group.refuse(f"{name} has {values.size} elements for {size} neurons")
    return _shared(values, size)


def _shared(values: Integers, size: int) -> int | Integers:
    """One number for all neurons, or one for each."""
    flat = values.reshape(-1)
    return int(flat[0]) if (flat == flat[0]).all() else np.broadcast_to(flat, size).copy()


def _shape(group: Group) -> tuple[int, ...]:
    """Shape of a layer, (channels, rows, columns) or (neurons,)."""
    sizes = _whole(group, "shape").reshape(-1)
    if not 1 <= sizes.size <= 3 or sizes.min() < 1 or sizes.max() > MAX_SIZE:
        group.refuse(f"shape must be 1 to 3 positive integers, not {sizes.tolist()[:4]}")
    return tuple(int(size) for size in sizes)


def _size(group: Group) -> int:
    size = math.prod(_shape(group))
    if size > MAX_SIZE:
        group.refuse(f"it has {size} neurons, more than {MAX_SIZE}")
    return size


def _image(shape: tuple[int, ...]) -> ImageShape:
    channels, rows, columns = (*shape, 1, 1)[:3]
    return channels, rows, columns


def _pair(group: Group, name: str) -> tuple[int, int]:
    values = _whole(group, name).reshape(-1)
    if values.size not in (1, 2) or values.min() < 0:
        group.refuse(f"{name} must be one or two numbers >= 0")
    rows, columns = (int(value) for value in np.broadcast_to(values, 2))
    return rows, columns
