"""The weights of a device's connections: read back, and replaced between runs."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers, signed_range
from spikeloom.golden.network import AnyConnection, Learnable, Network
from spikeloom.golden.sparse import SparseConnection
from spikeloom.mapping.weights import filled, places, unpacked_words
from spikeloom.program import Program


@dataclass(frozen=True)
class Matrix:
    """Connections that add up: of the same source, target, delay and geometry.

    The halves of weight pairs are such connections. `numbers` are theirs in the network, `bits` is
    the width of a weight.
    """

    numbers: tuple[int, ...]
    connections: tuple[AnyConnection, ...]
    bits: int

    def sum(self, weights: Sequence[Integers]) -> Integers:
        """The weights of the matrix from those of its connections."""
        total = np.zeros_like(weights[0])
        for connection, array in zip(self.connections, weights, strict=True):
            total += array << self.bits * connection.high
        total.setflags(write=False)
        return total

    @property
    def limits(self) -> tuple[int, int]:
        """The lowest and the highest weight."""
        highs = sum(connection.high for connection in self.connections)
        lows = len(self.connections) - highs
        # Beside upper halves one lower half is enough.
        times = (highs << self.bits) + (min(lows, 1) if highs else lows)
        low, high = signed_range(self.bits)
        return low * times, high * times

    def split(self, weights: Integers) -> list[Integers]:
        """The weights of each connection, of which these are the sum."""
        low, high = signed_range(self.bits)
        upper = any(connection.high for connection in self.connections)
        lower = not all(connection.high for connection in self.connections)
        remaining = {False: weights, True: np.zeros_like(weights)}
        if upper:
            rest = (weights - low) % (1 << self.bits) + low if lower else np.zeros_like(weights)
            remaining = {False: rest, True: weights - rest >> self.bits}
        parts = []
        for connection in self.connections:
            part = remaining[connection.high].clip(low, high)
            remaining[connection.high] = remaining[connection.high] - part
            parts.append(part)
        return parts

    def replaced(self, weights: Integers) -> dict[int, Integers]:
        """The new weights of each connection, by number, unchanged where the sum is."""
        old = [connection.weights for connection in self.connections]
        same = self.sum(old) == weights
        return {
            number: np.where(same, before, after)
            for number, before, after in zip(self.numbers, old, self.split(weights), strict=True)
        }


class Weighted(Protocol):
    """What holds a Program whose weights can be read and replaced."""

    program: Program

    def hold(self, program: Program) -> None:
        """Hold `program`, which differs from the present one in weights alone."""

    def connection_weights(self, number: int) -> Integers:
        """The weights of connection `number` of the program's network, read back."""


class Weights(Mapping[str, Integers]):
    """The weights that a device holds now, by connection.

    A key is "source->target". Where several connections join these two, the delay follows, as in
    "source->target@2"; where they have the same delay and other geometries, also their number in
    the network, as in "source->target@2#5". Connections that differ in weights alone are one, whose
    weights are their sum: the halves of weight pairs, for instance.

    Reading gives int64, of shape (sources, targets), that of the kernel, or (synapses,) of a sparse
    matrix, which cannot be written to. To replace weights assign a whole array.
    """

    def __init__(self, device: Weighted) -> None:
        self._device = device

    def __getitem__(self, key: str) -> Integers:
        """Read the weights of a connection.

        Raises
        ------
        SpikeloomError
            There is no such connection, or the memories of the device cannot be read.
        """
        matrix = self._matrix(key)
        return matrix.sum([self._device.connection_weights(n) for n in matrix.numbers])

    def __setitem__(self, key: str, weights: ArrayLike) -> None:
        """Replace the weights of a connection; only words that change are written.

        Afterwards the device's `program` has them, too.

        Raises
        ------
        SpikeloomError
            There is no such connection; the weights have another shape, are no integers, are out of
            range, or could overflow a sum; or the device is gone. Nothing has changed then.
        """
        matrix = self._matrix(key)
        program = self._device.program
        new = program.with_weights(matrix.replaced(_checked(key, matrix, weights)))
        self._device.hold(new)

    def __iter__(self) -> Iterator[str]:
        return iter(matrices(self._device.program.network))

    def __len__(self) -> int:
        return len(matrices(self._device.program.network))

    def __contains__(self, key: object) -> bool:
        return key in matrices(self._device.program.network)

    def __repr__(self) -> str:
        shapes = (
            f"{key!r}: {matrix.connections[0].weights.shape}"
            for key, matrix in matrices(self._device.program.network).items()
        )
        return f"Weights({', '.join(shapes)})"

    def _matrix(self, key: str) -> Matrix:
        known = matrices(self._device.program.network)
        if key not in known:
            raise SpikeloomError(f"weights: there is no {key!r}; there are {', '.join(known)}")
        return known[key]


def memory_weights(
    program: Program, number: int, read: Callable[[int, int, int], Sequence[int]]
) -> Integers:
    """The weights of connection `number` in the memories of the tiles.

    `read` returns rows of a tile's weight memory: tile, first row, number of rows.
    """
    contents = [
        (
            place,
            unpacked_words(read(place.tile, place.address, len(place.synapses)), program.fabric),
        )
        for place in places(program.network, program.plan, number)
    ]
    return filled(program.network.connections[number], contents)


def matrices(network: Network) -> dict[str, Matrix]:
    """The matrices of a network by key, in the order of their first connections."""
    groups: dict[object, list[int]] = {}
    for number, connection in enumerate(network.connections):
        groups.setdefault(_placement(number, connection), []).append(number)
    grouped = [
        Matrix(tuple(group), tuple(network.connections[n] for n in group), network.weight_bits)
        for group in groups.values()
    ]
    keys = [f"{c.source}->{c.target}" for c in (matrix.connections[0] for matrix in grouped)]
    keys = _distinct(keys, lambda n: f"@{grouped[n].connections[0].delay}")
    keys = _distinct(keys, lambda n: f"#{grouped[n].numbers[0]}")
    return dict(zip(keys, grouped, strict=True))


def _placement(number: int, connection: AnyConnection) -> object:
    """Everything about a connection but its weights and their scale."""
    if isinstance(connection, Learnable) and connection.plasticity is not None:
        return number  # what learns is a matrix of its own
    fields = {
        field.name: getattr(connection, field.name) for field in dataclasses.fields(connection)
    }
    shape = fields.pop("weights").shape
    del fields["high"]
    values = (v.tobytes() if isinstance(v, np.ndarray) else v for v in fields.values())
    return type(connection), shape, tuple(values)


def _distinct(keys: list[str], suffix: Callable[[int], str]) -> list[str]:
    """The keys, those that are there more than once with a suffix for their place in the list."""
    return [key + suffix(n) if keys.count(key) > 1 else key for n, key in enumerate(keys)]


def _checked(key: str, matrix: Matrix, weights: ArrayLike) -> Integers:
    """The weights as a new array of int64."""
    shape = matrix.connections[0].weights.shape
    try:
        array = np.asarray(weights)
    except ValueError:
        array = np.array(None)
    if array.dtype.kind not in "iu":
        raise SpikeloomError(
            f"weights of {key!r} must be integers, not {array.dtype}; round floats as the network "
            "was quantised, then astype(int)"
        )
    if array.shape != shape:
        sparse = isinstance(matrix.connections[0], SparseConnection)
        hint = ', one for each synapse: they are stored sparse; compile with {"sparse_words": 0}'
        raise SpikeloomError(
            f"weights of {key!r} must have shape {shape}, not {array.shape}{hint if sparse else ''}"
        )
    low, high = matrix.limits
    if array.size and (int(array.min()) < low or int(array.max()) > high):
        raise SpikeloomError(
            f"weights of {key!r} must be {low}..{high}, not {array.min()}..{array.max()}"
        )
    integers = array.astype(np.int64)
    if all(connection.high for connection in matrix.connections):
        unit = 1 << matrix.bits
        if (integers % unit).any():
            raise SpikeloomError(f"weights of {key!r} are upper halves: use multiples of {unit}")
    return integers
