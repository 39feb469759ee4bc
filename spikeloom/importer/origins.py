"""Frameworks that wrote a file, as far as its gains show them.

Exporters derive the gain r of an input from the time constant tau and a time step of their own:

    snnTorch    r = tau / dt, with dt = 1e-4
    Spyx        r = 1 - dt / tau, which is its decay; dt = 1 by default
    Rockpool    r = tau * exp(-dt / tau) / dt; dt = 1e-3 by default
"""

from collections.abc import Callable

import numpy as np

from spikeloom.importer.linear_maps import Floats, same
from spikeloom.importer.node import Node, Shape

GAINS: dict[str, tuple[str, float, Callable[[Floats, float], Floats]]] = {
    "snntorch": ("snnTorch", 1e-4, lambda tau, dt: tau / dt),
    "spyx": ("Spyx", 1.0, lambda tau, dt: 1 - dt / tau),
    "rockpool": ("Rockpool", 1e-3, lambda tau, dt: tau * np.exp(-dt / tau) / dt),
}
"""By dialect the framework, its own time step, and r as its exporter writes it."""


def wrote(dialect: str, node: Node, tau: str, shape: Shape, dt: float | None = None) -> bool:
    """Whether r is what this framework writes for the time constant, with its own dt or this."""
    if dialect not in GAINS or getattr(node.node, "r", None) is None:
        return False
    _, own_dt, gain = GAINS[dialect]
    r, times = (node.each(name, shape, infinite=True) for name in ("r", tau))
    finite = np.isfinite(times) & np.isfinite(r) & (times != 0)
    expected = gain(times[finite], own_dt if dt is None else dt)
    return bool(finite.any()) and same(r[finite], expected)


def check_origin(node: Node, tau: str, shape: Shape) -> None:
    """Warn of a file that a framework plainly wrote, read under NIR or with another dt."""
    dialect = node.dialect
    for name, (framework, dt, _) in GAINS.items():
        if not wrote(name, node, tau, shape):
            continue
        if dialect.name == "nir" and (dialect.reset == "value" or dialect.dt != dt):
            remedy = f'pass dialect="{name}" (--dialect {name})'
            remedy += f" and dt={dt:g}" if name == "rockpool" else " and no dt"
        elif dialect.name == name and dialect.dt != dt:
            remedy = "leave dt (--dt) out" if name != "rockpool" else f"pass dt={dt:g}"
        else:
            continue
        node.warn(
            f"r is what {framework} writes for this {tau} and a dt of {dt:g}; for a file of "
            f"{framework} {remedy}"
        )
        return
