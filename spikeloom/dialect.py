"""What a NIR file leaves open, as explicit options: one record per framework.

A NIR file carries no time step, no reset mode and no compare rule, and frameworks differ in what
they compute for the same file. A `Dialect` states each choice; `dataclasses.replace` makes a
variant, which `load_nir` takes in place of a name.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal, get_args

from golden.errors import SpikeloomError

ResetName = Literal["value", "subtract", "none"]
Compare = Literal[">", ">="]
Integrator = Literal["time", "step"]
Start = Literal["zero", "leak"]


@dataclass(frozen=True)
class Dialect:
    """How the nodes of a graph are to be understood.

    Parameters
    ----------
    name
        Name of the framework whose meaning this is.
    dt
        Time step, in the unit of the file's time constants (usually seconds), > 0; None where the
        framework does not fix one and the user has to.
    reset
        What a spike makes of the potential v: v_reset ("value"), v - v_threshold ("subtract"), or
        nothing ("none").
    compare
        A neuron spikes where v is ">" or ">=" v_threshold.
    integrator
        Gain of an IF neuron: "time" integrates dv/dt = r I, so r * dt a step; "step" adds r * I.
    start
        Potential before the first step: "zero", or "leak" for v_leak.
    fixed
        Pairs of a neuron parameter and the only value the framework gives it. Where a file has
        another, framework and file disagree, and the node is refused.
    """

    name: str
    dt: float | None = None
    reset: ResetName = "value"
    compare: Compare = ">"
    integrator: Integrator = "time"
    start: Start = "zero"
    fixed: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        options = {
            "reset": get_args(ResetName),
            "compare": get_args(Compare),
            "integrator": get_args(Integrator),
            "start": get_args(Start),
        }
        for option, choices in options.items():
            value = getattr(self, option)
            if value not in choices:
                raise SpikeloomError(f"{option} must be {_either(choices)}, not {value!r}")
        if self.dt is not None and not (
            isinstance(self.dt, (int, float))
            and not isinstance(self.dt, bool)
            and math.isfinite(self.dt)
            and self.dt > 0
        ):
            raise SpikeloomError(f"dt must be a positive number of seconds, not {self.dt!r}")


DIALECTS = {
    dialect.name: dialect
    for dialect in (
        # The equations of the NIR specification, forward Euler, at a dt the user states.
        Dialect("nir"),
        # Its importer and exporter hard-code dt; it knows neither leak nor reset potential, and
        # its IF is a Leaky of beta 1. The file does not say whether training used "subtract".
        Dialect("snntorch", 1e-4, integrator="step", fixed=(("v_leak", 0.0), ("v_reset", 0.0))),
        # The default dt of its cells and of its importer, which ignores r and v_reset; states
        # start at the leak potential; IAFCell adds its input unscaled.
        Dialect(
            "norse", 1e-3, integrator="step", start="leak", fixed=(("r", 1.0), ("v_reset", 0.0))
        ),
    )
}


def resolve(
    dialect: str | Dialect,
    dt: float | None = None,
    reset: ResetName | None = None,
    compare: Compare | None = None,
) -> Dialect:
    """The dialect called `dialect` (or given as a record), with the other arguments put in.

    Raises `SpikeloomError` where the name is unknown or an option has an impossible value.
    """
    if not isinstance(dialect, Dialect):
        if dialect not in DIALECTS:
            raise SpikeloomError(f"dialect must be {_either(tuple(DIALECTS))}, not {dialect!r}")
        dialect = DIALECTS[dialect]
    given = {"dt": dt, "reset": reset, "compare": compare}
    return dataclasses.replace(
        dialect,
        **{option: value for option, value in given.items() if value is not None},  # type: ignore[arg-type]
    )


def _either(choices: tuple[str, ...]) -> str:
    return " or ".join(repr(choice) for choice in choices)
