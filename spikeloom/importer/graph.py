"""Reading a NIR graph: its nodes and the sources of each by name, nested graphs flattened."""

import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nir

from spikeloom.bounded import check_hdf5
from spikeloom.golden.errors import SpikeloomError

MAX_DEPTH = 32
"""Maximum nesting depth of graphs."""

NODES = (
    nir.Input,
    nir.Output,
    nir.Affine,
    nir.Linear,
    nir.Scale,
    nir.Flatten,
    nir.Conv1d,
    nir.Conv2d,
    nir.SumPool2d,
    nir.AvgPool2d,
    nir.Delay,
    nir.Threshold,
    nir.I,
    nir.IF,
    nir.LI,
    nir.LIF,
    nir.CubaLI,
    nir.CubaLIF,
)
"""Every kind of node but NIRGraph."""

NEURON_NODES = (nir.IF, nir.LIF, nir.CubaLIF)
"""Kinds that spike and reset."""

SILENT_NODES = (nir.LI, nir.I, nir.CubaLI)
"""Kinds that never spike."""


@dataclass(frozen=True)
class Port:
    """The Input ("input") or Output ("output") of a nested graph, which passes its signal on."""

    node: Any
    end: str


@dataclass(frozen=True)
class Wiring:
    """A flat graph.

    Parameters
    ----------
    nodes
        By name; those of a nested graph as "graph.node". The Inputs and Outputs among them are
        those of the whole; others are `Port`.
    sources
        For each node the names of those that feed it, sorted.
    thresholds
        By name of a neuron node that never spikes the Threshold behind it, which is not in `nodes`.
    used, warnings
        Options of the dialect that mattered, and remarks on edges that are hardly meant.
    """

    nodes: dict[str, Any]
    sources: dict[str, list[str]]
    thresholds: dict[str, tuple[str, nir.Threshold]] = field(default_factory=dict)
    used: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read(source: "str | os.PathLike[str] | nir.NIRGraph") -> nir.NIRGraph:
    """The graph in a file, or the one given. Reading never executes anything in a file."""
    if isinstance(source, nir.NIRGraph):
        return source
    if not isinstance(source, (str, os.PathLike)):
        raise SpikeloomError(f"load_nir takes a path or a nir.NIRGraph, not {brief(source)}")
    where = f"file {os.fspath(source)!r}"
    try:
        path = Path(source)
        if path.is_dir():
            raise SpikeloomError(f"{where} is a directory; name the .nir file in it")
        if not path.exists():
            raise SpikeloomError(f"{where} does not exist; check the path")
        check_hdf5(path)
        # Without type checks: those add an Input or Output to whatever hangs loose.
        graph = nir.read(path, type_check=False)
    except SpikeloomError:
        raise
    except Exception as error:  # whatever h5py and nir stumble over
        if zipfile.is_zipfile(path):
            raise SpikeloomError(
                f"{where} is an archive, such as a compiled program; give the .nir file"
            ) from None
        cause = " ".join(str(error).split()) or type(error).__name__
        raise SpikeloomError(
            f"{where} is not a valid NIR graph ({cause}); export it again"
        ) from error
    if not isinstance(graph, nir.NIRGraph):
        raise SpikeloomError(f"{where} holds a single {type(graph).__name__}, no graph")
    return graph


def wiring(graph: nir.NIRGraph, past_loop: bool = False) -> Wiring:
    """A graph as one flat graph whose edges all make sense.

    With `past_loop` the input of a nested graph that leads only to the weight of a loop around a
    neuron node goes past that weight, to the neuron node (`loop_entry` of a dialect).
    """
    flat = _flatten(graph, "", (), _Flat())
    sources: dict[str, list[str]] = {name: [] for name in sorted(flat.nodes)}
    for source, target in flat.edges:
        if source in sources[target]:
            raise SpikeloomError(f"edge {source!r} -> {target!r} is there twice; remove one")
        sources[target].append(source)
    used, warnings = [], []
    for port, weight, neuron in _loop_entries(flat.nodes, sources):
        used.append("loop_entry")
        if past_loop:
            sources[weight].remove(port)
            sources[neuron].append(port)
        else:
            warnings.append(
                f"node {weight!r}: the weight of the loop around {neuron!r} is the only way into "
                'it; for a file of Spyx pass dialect="spyx", which reads the edge past that weight'
            )
    _check_ends(flat.nodes, sources)
    thresholds = _take_thresholds(flat.nodes, sources)
    ordered = {name: sorted(feeding) for name, feeding in sources.items()}
    return Wiring(flat.nodes, ordered, thresholds, tuple(used), tuple(warnings))


def _take_thresholds(
    nodes: dict[str, Any], sources: dict[str, list[str]]
) -> dict[str, tuple[str, nir.Threshold]]:
    """Take out each Threshold that alone follows an LI, I or CubaLI: together they spike.

    The edges from it become edges from the node before it.
    """
    thresholds = {}
    for name in sorted(nodes):
        if not isinstance(nodes[name], nir.Threshold) or len(sources[name]) != 1:
            continue
        [before] = sources[name]
        alone = [feeds for feeds in sources.values() if before in feeds] == [sources[name]]
        if alone and isinstance(nodes[before], SILENT_NODES):
            thresholds[before] = name, nodes.pop(name)
            del sources[name]
            for feeds in sources.values():
                feeds[:] = [before if source == name else source for source in feeds]
    return thresholds


def _loop_entries(
    nodes: dict[str, Any], sources: dict[str, list[str]]
) -> list[tuple[str, str, str]]:
    """Inputs of nested graphs that lead to the weight of a loop only, with weight and neuron."""
    entries = []
    for weight, feeding in sources.items():
        if not isinstance(nodes[weight], (nir.Linear, nir.Affine)) or len(feeding) != 2:
            continue
        for port, neuron in (feeding, feeding[::-1]):
            leads_to = [name for name, feeds in sources.items() if port in feeds]
            if (
                isinstance(nodes[port], Port)
                and nodes[port].end == "input"
                and leads_to == [weight]
                and isinstance(nodes[neuron], NEURON_NODES)
                and sources[neuron] == [weight]
            ):
                entries.append((port, weight, neuron))
    return entries


def names(listed: list[str]) -> str:
    """Names in an error message."""
    return ", ".join(repr(name) for name in listed)


def brief(value: object) -> str:
    """A value in an error message: one short line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


@dataclass
class _Flat:
    nodes: dict[str, Any] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)


def _flatten(graph: nir.NIRGraph, prefix: str, path: tuple[int, ...], flat: _Flat) -> _Flat:
    """Add the nodes and edges of `graph` to `flat`; `path` holds the graphs around it."""
    within = f"graph {prefix[:-1]!r}" if prefix else "graph"
    if not isinstance(graph.nodes, dict) or not all(isinstance(name, str) for name in graph.nodes):
        raise SpikeloomError(f"{within}: its nodes must be a dict with strings as keys")
    if id(graph) in path or len(path) > MAX_DEPTH:
        raise SpikeloomError(f"{within}: it contains itself; take it out")
    nested = {}
    for name in sorted(graph.nodes):
        node, full = graph.nodes[name], prefix + name
        if isinstance(node, nir.NIRGraph):
            nested[name] = _ports(full, node)
            _flatten(node, f"{full}.", (*path, id(graph)), flat)
            continue
        if node is None:
            raise SpikeloomError(
                f"node {full!r}: the exporter left this layer out, because NIR or the exporter has "
                "no node for it (such as MaxPool2d, BatchNorm2d or Dropout); fold a BatchNorm into "
                "the weights before it, replace a MaxPool of spikes by a SumPool2d and a Threshold "
                "of 0.5, remove a Dropout, and export again"
            )
        if type(node) not in NODES:
            known = ", ".join(kind.__name__ for kind in NODES)
            raise SpikeloomError(
                f"node {full!r}: {type(node).__name__} is not supported; use only {known}, NIRGraph"
            )
        if full in flat.nodes:
            raise SpikeloomError(f"node {full!r}: two nodes have this name; rename one")
        ports = {nir.Input: "input", nir.Output: "output"} if prefix else {}
        flat.nodes[full] = Port(node, ports[type(node)]) if type(node) in ports else node
    for source, target in _edges(within, graph):
        for name in (source, target):
            if name not in graph.nodes:
                raise SpikeloomError(
                    f"edge {source!r} -> {target!r}: the {within} has no node {name!r}; "
                    "add it or remove the edge"
                )
        first = nested[source][1] if source in nested else prefix + source
        last = nested[target][0] if target in nested else prefix + target
        flat.edges.append((first, last))
    return flat


def _ports(name: str, graph: nir.NIRGraph) -> tuple[str, str]:
    """Full names of the one Input and the one Output of a nested graph."""
    ports = []
    nodes = graph.nodes if isinstance(graph.nodes, dict) else {}
    for kind in (nir.Input, nir.Output):
        ends = sorted(str(end) for end, node in nodes.items() if isinstance(node, kind))
        if len(ends) != 1:
            raise SpikeloomError(
                f"node {name!r} (NIRGraph): it has {len(ends)} {kind.__name__} nodes, and an edge "
                "cannot say which; give it one"
            )
        ports.append(f"{name}.{ends[0]}")
    return ports[0], ports[1]


def _edges(within: str, graph: nir.NIRGraph) -> list[tuple[str, str]]:
    try:
        edges = [(source, target) for source, target in graph.edges]
    except (TypeError, ValueError):
        edges = [(None, None)]
    if not all(isinstance(name, str) for edge in edges for name in edge):
        raise SpikeloomError(f"{within}: its edges must be pairs of node names; export it again")
    return edges


def _check_ends(nodes: dict[str, Any], sources: dict[str, list[str]]) -> None:
    """Inputs, and only they, start; outputs, and only they, end."""
    feeding = {source for feeds in sources.values() for source in feeds}
    for kind in (nir.Input, nir.Output):
        if not any(isinstance(node, kind) for node in nodes.values()):
            raise SpikeloomError(f"graph: it has no {kind.__name__} node; add one")
    for name, feeds in sources.items():
        node = nodes[name].node if isinstance(nodes[name], Port) else nodes[name]
        where = f"node {name!r} ({type(node).__name__})"
        if isinstance(nodes[name], nir.Input) == bool(feeds):
            raise SpikeloomError(
                f"{where}: {names(feeds)} has an edge to it; remove the edge"
                if feeds
                else f"{where}: it has no source; connect it to an Input or remove it"
            )
        if isinstance(nodes[name], nir.Output) == (name in feeding):
            raise SpikeloomError(
                f"{where}: it has a target; remove the edge"
                if name in feeding
                else f"{where}: it has no target; connect it to an Output or remove it"
            )
