"""Small NIR graphs."""

import itertools
from typing import Any

import nir
import numpy as np

Shape = int | tuple[int, ...]

DEFAULTS: dict[type, dict[str, float]] = {
    nir.LIF: {"tau": 4.0, "r": 4.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0},
    nir.LI: {"tau": 4.0, "r": 4.0, "v_leak": 0.0},
    nir.IF: {"r": 1.0, "v_threshold": 1.0, "v_reset": 0.0},
    nir.I: {"r": 1.0},
    nir.CubaLIF: {
        "tau_syn": 2.0, "tau_mem": 4.0, "r": 4.0, "v_leak": 0.0, "v_threshold": 1.0,
        "v_reset": 0.0, "w_in": 2.0,
    },
    nir.CubaLI: {"tau_syn": 2.0, "tau_mem": 4.0, "r": 4.0, "v_leak": 0.0, "w_in": 2.0},
    nir.Threshold: {"threshold": 0.5},
    nir.Delay: {"delay": 2.0},
}  # fmt: skip


def make(kind: type, size: Shape = 1, **changed: Any) -> Any:
    """A node of this kind; with dt 1 and unchanged parameters its gains are 1."""
    values = DEFAULTS[kind] | changed
    return kind(**{k: np.broadcast_to(np.float64(v), size).copy() for k, v in values.items()})


def conv2d(weight: Any, bias: Any = None, **changed: Any) -> nir.Conv2d:
    weight = np.asarray(weight, np.float64)
    values = {
        "input_shape": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1,
        "bias": np.zeros(len(weight)) if bias is None else np.asarray(bias, np.float64),
    }  # fmt: skip
    return nir.Conv2d(weight=weight, **values | changed)


def conv1d(weight: Any, bias: Any = None, **changed: Any) -> nir.Conv1d:
    weight = np.asarray(weight, np.float64)
    values = {
        "input_shape": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1,
        "bias": np.zeros(len(weight)) if bias is None else np.asarray(bias, np.float64),
    }  # fmt: skip
    return nir.Conv1d(weight=weight, **values | changed)


def pool(kind: type, size: Any, stride: Any = None, padding: Any = (0, 0)) -> Any:
    steps = size if stride is None else stride
    return kind(*(np.array(values) for values in (size, steps, padding)))


def graph(nodes: Any, edges: Any) -> nir.NIRGraph:
    """A graph as given: with type checks nir would add inputs and outputs to loose ends."""
    return nir.NIRGraph(dict(nodes), list(edges), type_check=False)


def chain(*nodes: Any, size: Shape = 1, out: Shape = 1) -> nir.NIRGraph:
    """input -> n0 -> n1 ... -> output."""
    named = {f"n{i}": node for i, node in enumerate(nodes)}
    names = ["input", *named, "output"]
    ends = {"input": nir.Input(np.atleast_1d(size)), "output": nir.Output(np.atleast_1d(out))}
    return graph(ends | named, itertools.pairwise(names))
