"""A NIR graph computed as it stands, node by node: what an import of it has to equal.

Forward Euler with dt 1, reset to v_reset, v > threshold. A neuron sees its own spikes a step late.
"""

import math
from typing import Any

import nir
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NEURONS = nir.LIF, nir.LI, nir.IF, nir.I, nir.CubaLIF, nir.CubaLI, nir.Threshold
SILENT = nir.LI, nir.I, nir.CubaLI


class Interpreter:
    """Runs a flat graph whose only cycles are from neurons to themselves."""

    def __init__(
        self, nodes: dict[str, Any], sources: dict[str, list[str]], order: list[str]
    ) -> None:
        self.nodes, self.sources, self.order = nodes, sources, order
        self.events: dict[str, Floats] = {}
        self.spikes: dict[str, list[Floats]] = {name: [] for name in order}
        self.state: dict[str, tuple[Floats, Floats]] = {}

    def run(self, events: dict[str, Floats]) -> dict[str, Floats]:
        """Spikes (steps, size) of every neuron node, from events (steps, *shape)."""
        self.events = events
        steps = len(next(iter(events.values())))
        for t in range(steps):
            for name in self.order:
                self._fire(name, t)
        return {n: np.array([z.ravel() for z in zs]) for n, zs in self.spikes.items()}

    def _fire(self, name: str, t: int) -> None:
        node = self.nodes[name]
        x = sum(self._value(source, t, name) for source in self.sources[name])
        i, v = self.state.get(name, (np.zeros(x.shape), np.zeros(x.shape)))
        match node:
            case nir.Threshold():
                v = x
            case nir.IF() | nir.I():
                v = v + node.r * x
            case nir.LIF() | nir.LI():
                v = v + (node.v_leak - v + node.r * x) / node.tau
            case nir.CubaLIF() | nir.CubaLI():
                i = i + (node.w_in * x - i) / node.tau_syn
                v = v + (node.v_leak - v + node.r * i) / node.tau_mem
        threshold = node.threshold if isinstance(node, nir.Threshold) else 0
        if isinstance(node, nir.IF | nir.LIF | nir.CubaLIF):
            threshold = node.v_threshold
        z = np.zeros(v.shape, bool) if isinstance(node, SILENT) else v > threshold
        if isinstance(node, nir.IF | nir.LIF | nir.CubaLIF):
            v = np.where(z, node.v_reset, v)
        self.state[name] = i, v
        self.spikes[name].append(z)

    def _value(self, name: str, t: int, target: str) -> Floats:
        """What a node puts out in step t, towards a neuron node; nothing spikes before step 0."""
        node = self.nodes[name]
        if isinstance(node, nir.Input):
            events = self.events[name]
            return events[t] if t >= 0 else np.zeros(events[0].shape)
        if isinstance(node, NEURONS):
            t -= name == target
            shape = self.spikes[name][0].shape if self.spikes[name] else self._shape(name)
            return self.spikes[name][t].astype(float) if t >= 0 else np.zeros(shape)
        if isinstance(node, nir.Delay):
            t -= round(float(np.asarray(node.delay).flat[0]))
        x = sum(self._value(source, t, target) for source in self.sources[name])
        return apply(getattr(node, "node", node), x)

    def _shape(self, name: str) -> tuple[int, ...]:
        return np.shape(getattr(self.nodes[name], "v_threshold", self.nodes[name].r))


def apply(node: Any, x: Floats) -> Floats:
    """One step of a node without state."""
    match node:
        case nir.Affine():
            return node.weight @ x + node.bias
        case nir.Linear():
            return node.weight @ x
        case nir.Scale():
            return node.scale * x
        case nir.Flatten():
            end = node.end_dim % x.ndim
            return x.reshape(*x.shape[: node.start_dim], -1, *x.shape[end + 1 :])
        case nir.Conv2d():
            return _correlate(node, x, node.weight) + np.reshape(node.bias, (-1, 1, 1))
        case nir.Conv1d():
            return _correlate(node, x[:, None], node.weight[:, :, None])[:, 0] + np.reshape(
                node.bias, (-1, 1)
            )
        case nir.SumPool2d() | nir.AvgPool2d():
            pads = [(p, p) for p in _pair(node.padding)]
            size, step = _pair(node.kernel_size), _pair(node.stride)
            windows = sliding_window_view(np.pad(x, [(0, 0), *pads]), size, axis=(1, 2))
            total = windows[:, :: step[0], :: step[1]].sum(axis=(3, 4))
            return total / math.prod(size) if isinstance(node, nir.AvgPool2d) else total
    return x


def _correlate(node: Any, x: Floats, weight: Floats) -> Floats:
    flat = isinstance(node, nir.Conv1d)
    step, dilation = ((1, *_one(v)) if flat else _pair(v) for v in (node.stride, node.dilation))
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True)]
    if isinstance(node.padding, str):
        pads = [((r - 1) // 2, r - 1 - (r - 1) // 2) for r in reach]
        pads = pads if node.padding == "same" else [(0, 0), (0, 0)]
    else:
        pads = [(p, p) for p in ((0, *_one(node.padding)) if flat else _pair(node.padding))]
    windows = sliding_window_view(np.pad(x, [(0, 0), *pads]), reach, axis=(1, 2))
    windows = windows[:, :: step[0], :: step[1], :: dilation[0], :: dilation[1]]
    groups = int(np.asarray(node.groups).item())
    inner, outer = len(x) // groups, len(weight) // groups
    parts = [
        np.einsum(
            "cijkl,ockl->oij",
            windows[g * inner : (g + 1) * inner],
            weight[g * outer : (g + 1) * outer],
        )
        for g in range(groups)
    ]
    return np.concatenate(parts)


def _one(value: Any) -> tuple[int]:
    return (int(np.asarray(value).item()),)


def _pair(value: Any) -> tuple[int, int]:
    rows, columns = np.broadcast_to(np.asarray(value).ravel(), 2)
    return int(rows), int(columns)
