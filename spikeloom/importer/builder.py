"""A network built in Python, with the names that users of PyNN and Brian2 know."""

import dataclasses
from collections.abc import Collection
from typing import Any

import numpy as np

from spikeloom.golden.checks import MAX_SIZE, check_integer
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import SWITCHES, Reset
from spikeloom.importer.dialect import NIR, frozen
from spikeloom.importer.float_network import (
    FloatConnection,
    FloatInput,
    FloatNetwork,
    FloatPopulation,
    PerNeuron,
)
from spikeloom.importer.linear_maps import Floats
from spikeloom.importer.switches.refractory import FloatRefractory
from spikeloom.importer.switches.switch import FloatSwitch, float_switch

DEFAULTS: dict[str, float] = {
    "v_rest": -65.0,
    "cm": 1.0,
    "tau_m": 20.0,
    "tau_refrac": 0.1,
    "tau_syn_E": 5.0,
    "i_offset": 0.0,
    "v_reset": -65.0,
    "v_thresh": -50.0,
}
"""Parameters of `IF_curr_exp` and their values in PyNN: mV, nF, ms, nA."""

MODELS = ("IF_curr_exp", "IF_curr_delta")


class NetworkBuilder:
    """Collects inputs, populations and projections, and makes a `FloatNetwork` of them.

    The network is the one that `load_nir` would give, so `compile`, `simulate_float` and every
    switch take it. Units are those of PyNN: ms, mV, nA, nF.

        IF_curr_exp      tau_m dv/dt = v_rest - v + tau_m / cm * (i + i_offset),
                         tau_syn_E di/dt = -i, and a spike that arrives adds its weight to i
        IF_curr_delta    the same without i: a spike that arrives adds its weight to v

    A step of `dt` solves these equations exactly for an i that the spikes of this step have joined
    and that then decays; the potential after the step is compared.

    Parameters
    ----------
    dt
        Time step in ms.
    seed
        Of the random numbers that noise draws, 0..2**32-1; noise needs one.
    """

    def __init__(self, dt: float = 1.0, seed: int | None = None) -> None:
        if not _is_number(dt) or not 0 < dt < np.inf:
            raise SpikeloomError(f"NetworkBuilder: dt must be a positive time in ms, not {dt!r}")
        self.dt = dt
        self._dialect = dataclasses.replace(NIR, dt=dt / 1e3, seed=seed)
        self._inputs: list[FloatInput] = []
        self._populations: dict[str, FloatPopulation] = {}
        self._gains: dict[str, PerNeuron] = {}
        self._connections: list[FloatConnection] = []

    def source(self, name: str, size: int) -> str:
        """Add axons that the host drives; returns the name."""
        self._check_new("source", name, size)
        self._inputs.append(FloatInput(name, size))
        return name

    def population(self, name: str, size: int, model: str = "IF_curr_exp", **values: Any) -> str:
        """Add neurons; returns the name.

        Parameters
        ----------
        model
            "IF_curr_exp" or "IF_curr_delta".
        values
            Any of `DEFAULTS`, as a number or an array of shape (size,); `v_init`, which is `v_rest`
            where it is left out; an infinite `v_thresh` for neurons that never spike and are read
            out; and switches by name, with the values that `load_nir` takes, in ms and mV. A
            `constant_leak` moves towards `v_rest`; `floor_reset` is a potential like `v_thresh`.

        Raises
        ------
        SpikeloomError
            A name or value has no meaning.
        """
        where = f"population {name!r}"
        self._check_new("population", name, size)
        if model not in MODELS:
            raise SpikeloomError(f"{where}: model must be {' or '.join(MODELS)}, not {model!r}")
        known = [key for key in DEFAULTS if key != "tau_syn_E" or model == "IF_curr_exp"]
        stated = {key: values.pop(key) for key in list(values) if key in SWITCHES}
        v_init = values.pop("v_init", None)
        given = {key: self._number(f"{where}: {key}", v, size) for key, v in values.items()}
        if unknown := [key for key in given if key not in known]:
            names = ", ".join((*known, "v_init", *SWITCHES))
            raise SpikeloomError(f"{where}: there is no {unknown[0]}; there are {names}")
        own: dict[str, Any] = DEFAULTS | given
        for key in ("cm", "tau_m", "tau_syn_E"):
            if np.min(own[key]) <= 0:
                raise SpikeloomError(f"{where}: {key} must be positive, not {np.min(own[key]):g}")
        for key, value in given.items():
            if key != "v_thresh" and np.isinf(value).any():
                raise SpikeloomError(f"{where}: {key} must be finite, not {np.max(value):g}")
        try:
            switches: list[FloatSwitch] = [
                float_switch(key).stated(frozen(value), self.dt) for key, value in stated.items()
            ]
        except SpikeloomError as error:
            raise SpikeloomError(f"{where}: {error}") from None
        rest, spiking = own["v_rest"], bool(np.min(own["v_thresh"]) < np.inf)
        switches = [_from_rest(where, switch, rest) for switch in switches]
        steps = self._refractory(where, own["tau_refrac"])
        if spiking and steps and "refractory" not in stated:
            switches.append(FloatRefractory(steps, "clamp"))
        decays = -np.expm1(-self.dt / np.asarray(own["tau_m"]))
        drive = decays * own["tau_m"] / own["cm"] * own["i_offset"] * np.ones(size)
        fields: dict[str, Any] = {"bias": drive}
        self._gains[name] = 1.0
        if model == "IF_curr_exp":
            fields = {"bias": np.zeros(size), "leak": drive}
            synaptic = np.asarray(own["tau_syn_E"])
            fields["synaptic_decay"] = _plain(-np.expm1(-self.dt / synaptic))
            self._gains[name] = self._current_gain(own["tau_m"], synaptic) / own["cm"]
        start = rest if v_init is None else self._number(f"{where}: v_init", v_init, size)
        self._populations[name] = FloatPopulation(
            name,
            size,
            decay=_plain(decays),
            threshold=_plain(own["v_thresh"] - rest) if spiking else 0.0,
            spiking=spiking,
            reset=Reset.VALUE,
            v_reset=_plain(own["v_reset"] - rest),
            v_init=_plain(start - rest),
            switches=tuple(switches),
            **fields,
        )
        return name

    def projection(
        self,
        pre: str,
        post: str,
        weights: Any,
        delay: Any = 0.0,
        *,
        one_to_one: bool = False,
        i: Any = None,
        j: Any = None,
    ) -> None:
        """Add synapses from `pre` to `post`.

        Parameters
        ----------
        weights
            In nA, of an `IF_curr_delta` in mV; negative ones inhibit. A number for all to all, an
            array or a SciPy sparse matrix of shape (size of pre, size of post), or a list of tuples
            (neuron of pre, neuron of post, weight) or (..., weight, delay).
        delay
            In ms, whole steps: a spike of step t acts in step t + delay / dt. 0 is for projections
            that close no loop. With `i` and `j` also an array, of a delay for each synapse.
        one_to_one
            Neuron n of `pre` reaches neuron n of `post` alone; `weights` is a number or an array.
        i, j
            As Brian2's `Synapses` have them: synapse n leads from neuron i[n] of `pre` to neuron
            j[n] of `post`. `weights` is a number, or an array with one for each synapse.
        """
        where = f"projection {pre!r} -> {post!r}"
        sizes = self._sizes
        for name, known in ((pre, sizes), (post, self._populations)):
            if not isinstance(name, str) or name not in known:
                raise SpikeloomError(f"{where}: add a population {name!r} before")
        shape = sizes[pre], sizes[post]
        if i is not None or j is not None:
            if one_to_one:
                raise SpikeloomError(f"{where}: leave out one_to_one, or i and j")
            synapses = _synapses(where, i, j, weights, delay)
            self._connect(pre, post, self._listed(where, synapses, shape, 0))
            return
        steps = self._steps(f"{where}: delay", delay)
        listed = isinstance(weights, (list, tuple)) and isinstance([*weights, 0][0], tuple)
        if listed and not one_to_one:
            parts = self._listed(where, weights, shape, steps)
        else:
            parts = {steps: _matrix(where, weights, shape, one_to_one)}
        self._connect(pre, post, parts)

    def _connect(self, pre: str, post: str, parts: dict[int, Floats]) -> None:
        """Add a connection for each delay."""
        for steps, matrix in parts.items():
            scaled = matrix * self._gains[post]
            self._connections.append(FloatConnection(pre, post, scaled, steps))

    def network(self, outputs: Collection[str] | None = None) -> FloatNetwork:
        """The network; `outputs` are populations, by default those that project to no other."""
        if outputs is None:
            busy = {c.source for c in self._connections if c.source != c.target}
            outputs = [name for name in self._populations if name not in busy]
            outputs = outputs or list(self._populations)
        if isinstance(outputs, str) or not isinstance(outputs, Collection):
            raise SpikeloomError(f"outputs must be a list of names of populations, not {outputs!r}")
        for name in outputs:
            if name not in self._populations:
                raise SpikeloomError(f"outputs: there is no population {name!r}")
        return FloatNetwork(
            tuple(self._inputs),
            tuple(self._populations.values()),
            tuple(self._connections),
            tuple((name, name) for name in outputs),
            self._dialect,
        )

    @property
    def _sizes(self) -> dict[str, int]:
        """Of every input and population."""
        sizes = {node.name: node.size for node in self._inputs}
        return sizes | {node.name: node.size for node in self._populations.values()}

    def _check_new(self, kind: str, name: str, size: int) -> None:
        """Refuse a name that is none or taken, and a size that hardware cannot address."""
        if not isinstance(name, str) or not name:
            raise SpikeloomError(f"{kind}: its name must be a string, not {name!r}")
        if name in self._sizes:
            raise SpikeloomError(f"{kind} {name!r}: another node has this name; rename one")
        check_integer(f"{kind} {name!r}: size", size, 1, MAX_SIZE)

    def _current_gain(self, tau_m: Any, tau_syn: Any) -> Any:
        """What a current of 1 nA, which decays, adds to the potential in a step, times cm."""
        dt = self.dt
        equal = np.isclose(tau_m, tau_syn, rtol=1e-9)
        apart = np.where(equal, 1.0, tau_syn - tau_m)
        falls = np.exp(-dt / tau_syn) - np.exp(-dt / tau_m)
        return np.where(equal, dt * np.exp(-dt / tau_m), tau_m * tau_syn / apart * falls)

    def _steps(self, where: str, time: Any) -> int:
        """Steps in a time in ms, which must be whole."""
        steps = round(time / self.dt) if _is_number(time) and np.isfinite(time) else -1
        if steps < 0 or abs(time / self.dt - steps) > 1e-6 * max(1, steps):
            raise SpikeloomError(
                f"{where} must be whole steps of dt={self.dt:g} ms, not {_short(time)}"
            )
        return steps

    def _refractory(self, where: str, time: Any) -> int:
        """Steps in a refractory period, which is none where it is less than half a step."""
        if np.ndim(time):
            raise SpikeloomError(f"{where}: tau_refrac must be one time for all, not an array")
        return 0 if 0 <= time < self.dt / 2 else self._steps(f"{where}: tau_refrac", time)

    def _listed(
        self, where: str, synapses: Any, shape: tuple[int, int], steps: int
    ) -> dict[int, Floats]:
        """A matrix for each delay in steps; weights of the same two neurons add up."""
        parts: dict[int, Floats] = {}
        for synapse in synapses:
            whole = isinstance(synapse, tuple) and len(synapse) in (3, 4)
            if not whole or not (
                all(
                    _is_number(n) and 0 <= n < size and n == int(n)
                    for n, size in zip(synapse, shape, strict=False)
                )
                and _is_number(synapse[2])
            ):
                raise SpikeloomError(
                    f"{where}: {_short(synapse)} is no synapse (neuron of {shape[0]}, neuron of "
                    f"{shape[1]}, weight, or weight and delay)"
                )
            source, target, weight, *late = synapse
            late_steps = self._steps(f"{where}: delay", late[0]) if late else steps
            parts.setdefault(late_steps, np.zeros(shape))[int(source), int(target)] += weight
        return parts

    @staticmethod
    def _number(where: str, value: Any, size: int) -> Any:
        number = _floats(where, value)
        if number is None:
            raise SpikeloomError(f"{where} must be a number or an array, not {_short(value)}")
        if number.shape not in ((), (size,)) or np.isnan(number).any():
            raise SpikeloomError(
                f"{where} must be a number or have shape ({size},), not {number.shape}"
            )
        return number if number.ndim else float(number)


def _from_rest(where: str, switch: FloatSwitch, rest: PerNeuron) -> FloatSwitch:
    """The switch where potentials are counted from that of rest."""
    counted = switch.from_rest(float(np.min(rest)))
    if counted != switch.from_rest(float(np.max(rest))):
        raise SpikeloomError(
            f"{where}: {switch.name} is one potential for all neurons, counted from their v_rest; "
            "give them the same v_rest"
        )
    return counted


def _plain(value: Any) -> PerNeuron:
    """A float, or an array of several."""
    array: Floats = np.asarray(value, np.float64)
    return array if array.ndim else float(array)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _floats(where: str, value: Any) -> Floats | None:
    """An array of numbers; None if there is something else in it."""
    if not getattr(value, "is_dimensionless", True):  # a quantity of Brian2
        raise SpikeloomError(f"{where}: {_short(value)} has a unit; divide by it, as in x / mV")
    try:
        array = np.asarray(value)
    except ValueError:
        return None
    return array.astype(np.float64) if array.dtype.kind in "biuf" else None


def _short(value: Any) -> str:
    """What a message shows of a value, in one line."""
    return " ".join(repr(value).split())[:60]


def _matrix(where: str, weights: Any, shape: tuple[int, int], one_to_one: bool) -> Floats:
    weights = weights.toarray() if hasattr(weights, "toarray") else weights
    array = _floats(f"{where}: weights", weights)
    if array is None:
        raise SpikeloomError(f"{where}: weights must be numbers, not {_short(weights)}")
    if one_to_one:
        if shape[0] != shape[1] or array.shape not in ((), shape[:1]):
            raise SpikeloomError(
                f"{where}: one to one needs as many neurons on both sides, and a weight for each; "
                f"there are {shape[0]} and {shape[1]}, and weights of shape {array.shape}"
            )
        return np.diag(np.broadcast_to(array, shape[:1]))
    if array.shape not in ((), shape):
        raise SpikeloomError(f"{where}: weights must have shape {shape}, not {array.shape}")
    return np.broadcast_to(array, shape).copy()


def _synapses(where: str, i: Any, j: Any, weights: Any, delay: Any) -> list[tuple[Any, ...]]:
    """Synapses given by arrays, as tuples."""
    given = {"i": i, "j": j, "weights": weights, "delay": delay}
    arrays = {}
    for name, value in given.items():
        array = None if value is None else _floats(f"{where}: {name}", value)
        if array is None:
            raise SpikeloomError(f"{where}: {name} must be numbers, not {_short(value)}")
        arrays[name] = array
    count = arrays["i"].shape
    for name, array in arrays.items():
        shapes = (count, ()) if name in ("weights", "delay") else (count,)
        if len(count) != 1 or array.shape not in shapes:
            raise SpikeloomError(
                f"{where}: i, j, weights and delay have a value for each synapse, the last two "
                f"or one for all; i has shape {count}, {name} {array.shape}"
            )
    columns = (np.broadcast_to(array, count).tolist() for array in arrays.values())
    return list(zip(*columns, strict=True))
