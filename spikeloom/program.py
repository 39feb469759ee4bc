"""Programs: an integer network and the fabric it is compiled for, in one file of plain data."""

import copy
import dataclasses
import functools
import hashlib
import json
import operator
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.bounded import read_arrays
from spikeloom.files import write_arrays
from spikeloom.golden.checks import check_integer
from spikeloom.golden.convolution import Convolution
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.fixed import Integers
from spikeloom.golden.memory_image import MemoryImage
from spikeloom.golden.network import (
    AnyConnection,
    Connection,
    Input,
    Learnable,
    Network,
    Parameter,
    Population,
)
from spikeloom.golden.population_check import PARAMETERS
from spikeloom.golden.schedule import Variant
from spikeloom.golden.sparse import OneToOne, SparseConnection
from spikeloom.golden.spec import FabricConfig, Reset
from spikeloom.golden.step.run import MAX_FIRST
from spikeloom.golden.summary import Summarised, Summary
from spikeloom.golden.switches.records import record
from spikeloom.golden.switches.switch import Switch
from spikeloom.mapping.plan import Plan, plan
from spikeloom.mapping.weights import with_weights
from spikeloom.plots.axes import Axes
from spikeloom.plots.tiles import mapping
from spikeloom.saved_rules import restored_rule, saved_rule

FORMAT = "spikeloom program"
VERSION = 5
"""Version of the file; it changes with every field."""

MAX_HEADER = 1 << 23
"""Maximum size of a file's header in bytes; as Python objects it takes up to 25 times that."""

MAX_DEPTH = 64
"""Maximum nesting depth of `about` in a file, because code that reads it may be recursive."""


@dataclass(frozen=True, repr=False)
class Program(Summarised):
    """A network mapped onto a fabric.

    Parameters
    ----------
    network
        The network.
    fabric
        Sizes and options of the hardware.
    record
        Populations whose spikes are sent to the host.
    readout
        Populations whose membrane potentials are sent after the last step of a sample.
    about
        How it was made (dialect, quantisation report, ...), for human readers; JSON values.
    learned
        Number of samples from which its weights were learned on the chip. Those that follow are
        numbered on from it, and so are their random numbers.

    Raises
    ------
    SpikeloomError
        The network does not fit the fabric, `record` or `readout` has a name that is no population,
        or `learned` is negative.
    """

    network: Network
    fabric: FabricConfig
    record: frozenset[str]
    readout: frozenset[str]
    about: dict[str, Any] = field(default_factory=dict)
    learned: int = 0

    def __post_init__(self) -> None:
        populations = {population.name for population in self.network.populations}
        for option, names in (("record", self.record), ("readout", self.readout)):
            if unknown := sorted(names - populations):
                listed = ", ".join(name if name.isprintable() else repr(name) for name in unknown)
                raise SpikeloomError(f"{option}: no population is called {listed}")
        check_integer("learned", self.learned, 0, MAX_FIRST)
        self.image  # noqa: B018 - maps the network, which raises if it does not fit

    @functools.cached_property
    def plan(self) -> Plan:
        """The memory image, and a report of the resources that it uses."""
        return plan(self.network, self.fabric, self.record, self.readout)

    def summary(self) -> Summary:
        """See `Summarised`; the rows are those of the memories."""
        report, fabric = self.plan.report, self.fabric
        tiles = f"{fabric.columns} x {fabric.rows} tiles of {fabric.lanes} lanes"
        sent = f"records {self._named(self.record)}, reads out {self._named(self.readout)}"
        rows = [
            (name.replace("_", " "), max(used[name] for used in report.used), rows)
            for name, rows in report.available.items()
        ]
        line = f"{self.network.summary().line}; {tiles}; {sent}"
        return Summary(line, ("memory", "rows used, fullest tile", "available"), rows)

    def _named(self, names: frozenset[str]) -> str:
        return ", ".join(p.name for p in self.network.populations if p.name in names) or "nothing"

    def plot_mapping(self, ax: Axes | None = None) -> Axes:
        """Draw what the tiles use; see `spikeloom.plots.tiles.mapping`."""
        return mapping(self.fabric, self.plan.report, ax)

    @property
    def image(self) -> MemoryImage:
        """The contents of the fabric's memories."""
        return self.plan.image

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of everything that determines the program's results."""
        header, arrays = self._contents()
        return _digest(header, arrays)

    def with_weights(self, weights: Mapping[int, Integers], learned: int = 0) -> "Program":
        """The same program with other weights in the connections of these numbers.

        It is not mapped again: its memory image differs from this one in those weights alone.

        Parameters
        ----------
        learned
            Number of samples more from which they were learned.

        Raises
        ------
        SpikeloomError
            The weights have a wrong shape or type, are out of range, or could overflow a sum.
        """
        check_integer("learned", learned, 0, MAX_FIRST - self.learned)
        connections = list(self.network.connections)
        for number, array in weights.items():
            check_integer("number of a connection", number, 0, len(connections) - 1)
            connections[number] = dataclasses.replace(connections[number], weights=array)
        network = dataclasses.replace(self.network, connections=tuple(connections))
        program = copy.copy(self)
        # Made anew it would be mapped, which depends on everything but the weights.
        vars(program).pop("digest", None)
        vars(program).update(
            network=network,
            plan=with_weights(self.network, self.plan, network),
            learned=self.learned + learned,
        )
        return program

    def with_threshold(self, name: str, threshold: Parameter) -> "Program":
        """The same program with another threshold of population `name`, but not of its variants.

        Raises
        ------
        SpikeloomError
            There is no such population, or the threshold does not fit it or the fabric.
        """
        populations = self.network.populations
        if all(population.name != name for population in populations):
            names = ", ".join(population.name for population in populations)
            raise SpikeloomError(f"threshold: there is no population {name!r}; there are {names}")
        replaced = (
            dataclasses.replace(p, threshold=threshold) if p.name == name else p
            for p in populations
        )
        network = dataclasses.replace(self.network, populations=tuple(replaced))
        return dataclasses.replace(self, network=network)

    def check_same(self, other: "Program") -> None:
        """Check that another Program differs from this one in weights at most.

        Raises
        ------
        SpikeloomError
            It differs in something else, or is no Program.
        """
        if not isinstance(other, Program):
            raise SpikeloomError(
                f"weights of a Program, such as Program.load('learned.loom'), not {other!r}"
            )
        (ours, arrays), (theirs, others) = self._contents(), other._contents()
        different = [name for name in ours if name != "learned" and ours[name] != theirs[name]]
        nothing = np.zeros(0, np.int64)
        for name in sorted(arrays.keys() | others.keys()):
            own, given = arrays.get(name, nothing), others.get(name, nothing)
            same = own.shape == given.shape
            if not (same and (name.startswith("weights") or np.array_equal(own, given))):
                different.append(name)
        if different:
            raise SpikeloomError(
                f"weights of another Program, which differs in {', '.join(different)}: open a "
                "device for that Program, or take weights that were learned from this one"
            )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the program atomically.

        Raises `SpikeloomError` if the file cannot be written.
        """
        header, arrays = self._contents()
        header |= {"about": self.about, "digest": self.digest}
        text = json.dumps(header, default=operator.index).encode()
        write_arrays(path, {"header": np.frombuffer(text, np.uint8), **arrays})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Program":
        """Read a program. The file is pure data: nothing in it is executed.

        Raises `SpikeloomError` if the file is missing, truncated, altered, or no program.
        """
        try:
            return _parse(path)
        except SpikeloomError:
            raise
        except Exception:
            # On arbitrary bytes the readers of zip, NumPy arrays and JSON raise almost anything:
            # zlib.error, struct.error, NotImplementedError, MemoryError, RecursionError.
            if _is_hdf5(path):
                raise SpikeloomError(
                    f"{path} is a NIR file, not a program: give what `spikeloom compile` made of it"
                ) from None
            raise SpikeloomError(
                f"{path} is not a complete Spikeloom program; compile it again"
            ) from None

    def _contents(self) -> tuple[dict[str, Any], dict[str, NDArray[np.int64]]]:
        """Everything that determines the program's results: plain values, and arrays."""
        network = self.network
        header = {
            "format": FORMAT,
            "version": VERSION,
            "fabric": dataclasses.asdict(self.fabric),
            "record": sorted(self.record),
            "readout": sorted(self.readout),
            "weight_bits": network.weight_bits,
            "state_bits": network.state_bits,
            "sum_bits": network.sum_bits,
            "inputs": [dataclasses.asdict(node) for node in network.inputs],
            "populations": [
                _without(p, "switches", "variants", *_arrays(p))
                | {
                    "switches": _named(p.switches),
                    "variants": [v.fields | _switches_of(v) for v in p.variants],
                }
                for p in network.populations
            ],
            "schedule": network.schedule,
            "seed": network.seed,
            "connections": [_connection_values(c) for c in network.connections],
            "learned": self.learned,
        }
        arrays = {
            f"{name}{n}": array
            for nodes in (network.populations, network.connections)
            for n, node in enumerate(nodes)
            for name, array in _arrays(node).items()
        }
        return header, arrays


KINDS: dict[str, type[AnyConnection]] = {
    "dense": Connection,
    "convolution": Convolution,
    "sparse": SparseConnection,
    "one to one": OneToOne,
}
"""Kinds of connections, by their names in the file and in reports."""


def kind_of(connection: AnyConnection) -> str:
    """The name of a connection's kind."""
    return next(name for name, kind in KINDS.items() if type(connection) is kind)


ARRAYS = ("bias", "leak", *PARAMETERS), ("weights", "targets", "starts")
"""Fields of populations, and of connections, that can be arrays; those of number n are called
`<field><n>`."""


def _arrays(node: Population | AnyConnection) -> dict[str, NDArray[np.int64]]:
    values = {name: getattr(node, name, None) for names in ARRAYS for name in names}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def _connection_values(connection: AnyConnection) -> dict[str, Any]:
    """A connection without its arrays, as JSON has it."""
    values = {"kind": kind_of(connection), **_without(connection, *_arrays(connection))}
    if isinstance(connection, Learnable):
        values["plasticity"] = saved_rule(connection.plasticity)
    return values


def _connection(values: dict[str, Any], arrays: dict[str, Any]) -> AnyConnection:
    """The connection that `_connection_values` made JSON of."""
    fields = _with_tuples(values)
    kind = KINDS[fields.pop("kind")]
    if "plasticity" in values:  # convolutions had none in earlier files
        fields["plasticity"] = restored_rule(values["plasticity"])
    return kind(**fields, **arrays)


def _without(node: Population | AnyConnection, *arrays: str) -> dict[str, Any]:
    fields = (item.name for item in dataclasses.fields(node))
    return {name: getattr(node, name) for name in fields if name not in arrays}


def _digest(header: dict[str, Any], arrays: dict[str, NDArray[np.int64]]) -> str:
    total = hashlib.sha256(json.dumps(header, sort_keys=True, default=operator.index).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name], "<i8")
        total.update(f"{name}{array.shape}".encode())
        total.update(array.reshape(-1).data)
    return total.hexdigest()


def _is_hdf5(path: str | os.PathLike[str]) -> bool:
    with Path(path).open("rb") as file:
        return file.read(8) == b"\x89HDF\r\n\x1a\n"


def _parse(path: str | os.PathLike[str]) -> Program:
    """The program in a file; may raise any exception if there is none."""
    arrays = read_arrays(path)
    if not isinstance(arrays, dict):
        raise TypeError("a single array")
    text = arrays.pop("header").tobytes()
    if len(text) > MAX_HEADER:
        raise SpikeloomError(f"{path} has a header of more than {MAX_HEADER} bytes")
    if any(array.dtype != np.dtype("<i8") for array in arrays.values()):
        raise TypeError("another dtype, which would take more memory than it declares")
    header = json.loads(text)
    if header["format"] != FORMAT:
        raise ValueError("another format")
    if header["version"] != VERSION:
        raise SpikeloomError(
            f"{path} has version {header['version']!r}, this Spikeloom reads {VERSION}; "
            "compile it again"
        )
    about, digest = header.pop("about"), header.pop("digest")
    if not isinstance(about, dict):
        raise TypeError("about is no object")
    if not _shallow(about, MAX_DEPTH):
        raise ValueError("about is nested too deeply")
    if digest != _digest(header, arrays):
        raise SpikeloomError(f"{path} was altered after it was written; compile it again")
    return _rebuild(header, arrays, about)


def _shallow(value: Any, depth: int) -> bool:
    """Whether a JSON value is nested at most `depth` deep."""
    if not isinstance(value, (dict, list)):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_shallow(item, depth - 1) for item in inner)


def _rebuild(
    header: dict[str, Any], arrays: dict[str, NDArray[np.int64]], about: dict[str, Any]
) -> Program:
    return Program(
        Network(
            tuple(Input(**_with_tuples(node)) for node in header["inputs"]),
            tuple(
                _population(node, _arrays_of(n, ARRAYS[0], arrays))
                for n, node in enumerate(header["populations"])
            ),
            tuple(
                _connection(node, _arrays_of(n, ARRAYS[1], arrays))
                for n, node in enumerate(header["connections"])
            ),
            header["weight_bits"],
            header["state_bits"],
            header["sum_bits"],
            tuple(header.get("schedule", ())),
            header.get("seed"),
        ),
        FabricConfig(**header["fabric"]),
        frozenset(header["record"]),
        frozenset(header["readout"]),
        about,
        header["learned"],
    )


def _population(node: dict[str, Any], arrays: dict[str, Any]) -> Population:
    # Files of the first versions have neither switches nor variants.
    variants = tuple(Variant(**_update(variant)) for variant in node.get("variants", ()))
    return Population(**{"switches": (), **_update(node), "variants": variants}, **arrays)


def _update(node: dict[str, Any]) -> dict[str, Any]:
    """Fields of a population, or of a variant, with the types that JSON does not have."""
    fields = _with_tuples(node)
    if "reset" in node:
        fields["reset"] = Reset(node["reset"])
    if "switches" in node:
        fields["switches"] = tuple(
            record(switch["name"])(**_with_tuples(_without_key(switch, "name")))
            for switch in node["switches"]
        )
    return fields


def _named(switches: Iterable[Switch]) -> list[dict[str, Any]]:
    """Switches as JSON has them."""
    return [{"name": switch.name, **dataclasses.asdict(switch)} for switch in switches]


def _switches_of(variant: Variant) -> dict[str, Any]:
    return {} if variant.switches is None else {"switches": _named(variant.switches)}


def _arrays_of(
    number: int, names: tuple[str, ...], arrays: dict[str, NDArray[np.int64]]
) -> dict[str, Any]:
    keys = {name: f"{name}{number}" for name in names}
    return {name: arrays[key] for name, key in keys.items() if key in arrays}


def _without_key(node: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in node.items() if name != key}


def _with_tuples(node: dict[str, Any]) -> dict[str, Any]:
    """A node with its tuples restored, which JSON has as lists."""

    def restored(value: Any) -> Any:
        return tuple(map(restored, value)) if isinstance(value, list) else value

    return {name: restored(value) for name, value in node.items()}
