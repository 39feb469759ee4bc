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

LEAST_R = 5.0
"""Below it, r is more likely a gain than what Rockpool writes for time constants of several dt."""

NEWTON_STEPS = 8


def wrote(dialect: str, node: Node, tau: str, shape: Shape, dt: float | None = None) -> bool:
    """Whether r is what this framework writes for the time constant, with its own dt or this."""
    if dialect not in GAINS or getattr(node.node, "r", None) is None:
        return False
    _, own_dt, gain = GAINS[dialect]
    r, times = (node.each(name, shape, infinite=True) for name in ("r", tau))
    finite = np.isfinite(times) & np.isfinite(r) & (times != 0)
    expected = gain(times[finite], own_dt if dt is None else dt)
    return bool(finite.any()) and same(r[finite], expected)


def require_time_step(node: Node, tau: str, shape: Shape) -> None:
    """Refuse a dialect without a time step; where r shows who wrote the file, name its dialect."""
    if node.option("dt") is None:
        for name, (framework, dt, _) in GAINS.items():
            if wrote(name, node, tau, shape):
                remedy = f'dialect="{name}"' + (f" dt={dt:g}" if name == "rockpool" else "")
                node.refuse(
                    "its meaning depends on the time step, which NIR does not store; r is what "
                    f"{framework} writes for this {tau}, so pass {remedy}"
                )
    node.time_step()


def check_origin(node: Node, tau: str, shape: Shape) -> None:
    """Warn of a file that a framework plainly wrote, read under NIR or with another dt."""
    dialect = node.dialect
    if dialect.name == "rockpool":
        _check_rockpool(node, tau, shape)
        return
    for name, (framework, dt, _) in GAINS.items():
        if not wrote(name, node, tau, shape):
            continue
        if dialect.name == "nir" and (dialect.reset == "value" or dialect.dt != dt):
            remedy = f'pass dialect="{name}" (--dialect {name})'
            remedy += f" and dt={dt:g}" if name == "rockpool" else " and no dt"
        elif dialect.name == name and dialect.dt != dt:
            remedy = "leave dt (--dt) out"
        else:
            continue
        node.warn(
            f"r is what {framework} writes for this {tau} and a dt of {dt:g}; for a file of "
            f"{framework} {remedy}"
        )
        return


def _check_rockpool(node: Node, tau: str, shape: Shape) -> None:
    """Warn of a dt that is not the one with which Rockpool wrote r, which it does not store."""
    r, times = (node.each(name, shape, infinite=True) for name in ("r", tau))
    if not (np.isfinite(r).all() and np.isfinite(times).all() and r.min() > LEAST_R):
        return
    steps = np.log1p(1 / r)  # dt / tau, the solution of steps * exp(steps) = 1 / r by Newton
    for _ in range(NEWTON_STEPS):
        grown = steps * np.exp(steps)
        steps -= (grown - 1 / r) / (np.exp(steps) + grown)
    written = times * steps
    if same(written, written[:1]) and not wrote("rockpool", node, tau, shape, node.time_step()):
        node.warn(
            f"r is what Rockpool writes for this {tau} and a dt of {written[0]:.4g}, not "
            f"{node.time_step():g}; pass dt={written[0]:.4g} (--dt {written[0]:.4g})"
        )
