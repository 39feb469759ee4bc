"""Training with a device in the loop: it computes the forward pass, PyTorch the backward pass.

    with spikeloom.open(program, "verilator") as device:
        network = InTheLoop(device)
        optimiser = torch.optim.Adam(network.parameters(), lr=0.5)
        for events, labels in batches:
            outcome = network(events)
            loss = cross_entropy(outcome.potentials["classes"].amax(1), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

A gradient needs to be right only approximately, where the activity is right exactly: so the device
may be rounded, saturated, and an instance that differs from its design in ways nobody has measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from spikeloom.devices.device import Device, Events, Run
from spikeloom.devices.weights import Matrix, matrices
from spikeloom.events import event_counts
from spikeloom.golden.checks import check_integer
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.network import Connection, Network, Parameter, Population
from spikeloom.golden.sparse import OneToOne
from spikeloom.golden.spec import DECAY_ONE, Reset
from spikeloom.mismatch import Gains, amplified

try:
    import torch
    from torch import Tensor, nn
except ImportError:
    raise SpikeloomError(
        "spikeloom.training needs PyTorch, which is not installed: "
        "pip install 'spikeloom[training]'"
    ) from None

BETA = 10.0
"""Steepness of the surrogate, in units of 1 / threshold."""


@dataclass(frozen=True)
class Outcome:
    """What a device did with a batch, as tensors with gradients.

    Parameters
    ----------
    spikes
        For each spiking population, 0 or 1, float (samples, steps, size): those of the device.
    potentials
        For each population, its membrane potentials after every step, float (samples, steps, size):
        those of the device where its fabric has traces or at least the last ones are read out, else
        those of the float equations.
    run
        The run of the device itself.
    """

    spikes: dict[str, Tensor]
    potentials: dict[str, Tensor]
    run: Run


class InTheLoop(nn.Module):
    """A network whose forward pass is a device's and whose backward pass is a surrogate gradient's.

    The parameters are the weights, as floats in the unit of the integers. In a forward pass they
    are clipped to -`limit`..`limit`, rounded, and written to the device, which runs the events. The
    values of the result are the device's; its gradients are those of the float equations

        i = i * (1 - k_syn / 4096) + x          with a synaptic current; else i = x
        u = v * (1 - k_mem / 4096) + i + b_mem
        v = u, or what the reset makes of it    where the device spiked

    in which the device's spikes, potentials and currents take the place of computed ones after each
    step, and in which a spike has the derivative (SuperSpike, Zenke and Ganguli, 2018)

        ds/du = 1 / threshold / (1 + beta * abs(u - threshold) / threshold)**2

    Roundings have derivative 1, and resets none.

    Parameters
    ----------
    device
        An open device of any backend, whose program records every spiking population. Potentials
        of each step need a fabric with `traces`.
    design
        What the host takes the device's network for, and where the weights start; by default the
        device's own network. If the device is an instance that differs from its design (see
        `spikeloom.mismatch.Mismatch`), the float equations are those of the design.
    gains
        What the instance multiplies weights by, for each population: the device then holds
        round(gain * weight). The float equations do not know them.
    limit
        Maximum weight, such as 31 for weights of 6 bits; by default, that of the device.
    beta
        Steepness of the surrogate.

    Raises
    ------
    SpikeloomError
        The network has something that the float equations have not (convolutions and sparse
        matrices, several or signed spikes, delayed or restoring resets, switches, schedules); a
        population is not recorded; or `design`, `gains`, `limit` or `beta` have no meaning, or do
        not fit the device.
    """

    def __init__(
        self,
        device: Device,
        design: Network | None = None,
        *,
        gains: Gains | None = None,
        limit: int | None = None,
        beta: float = BETA,
    ) -> None:
        super().__init__()
        if not hasattr(device, "program"):
            raise SpikeloomError(
                f"device must be an open one, such as spikeloom.open(program), not {device!r:.60}"
            )
        network = device.program.network
        if not isinstance(design, Network | None):
            raise SpikeloomError(
                f"design must be a network of integers, such as program.network, not {design!r:.60}"
            )
        number = isinstance(beta, (int, float)) and not isinstance(beta, bool)
        if not number or not 0 < beta < 1e30:
            raise SpikeloomError(f"beta must be a positive number, such as {BETA:g}, not {beta!r}")
        self.device = device
        self.design = network if design is None else design
        self.beta = beta
        self._matrices = matrices(self.design)
        _check_design(self.design)
        _check_same(self.design, network)
        unrecorded = {p.name for p in network.populations if p.spiking} - device.program.record
        if unrecorded:
            raise SpikeloomError(
                f"training needs the spikes of {', '.join(sorted(unrecorded))}: name it in the "
                "record of compile, or leave record out"
            )
        self._gains = {} if gains is None else _checked_gains(gains, network)
        self._limits = {
            key: min(-matrix.limits[0], matrix.limits[1])
            for key, matrix in matrices(network).items()
        }
        if limit is not None:
            check_integer("limit", limit, 1, min(self._limits.values()))
            self._limits = dict.fromkeys(self._limits, limit)
        # A ParameterDict refuses the dots that names of populations may have.
        self._parameters_in_order = nn.ParameterList(
            torch.tensor(matrix.sum([c.weights for c in matrix.connections]), dtype=torch.float32)
            for matrix in self._matrices.values()
        )

    @property
    def weights(self) -> dict[str, nn.Parameter]:
        """The parameters by connection, such as `weights["in->hidden"]`.

        They have the keys and shapes of `device.weights`.
        """
        return dict(zip(self._matrices, self._parameters_in_order, strict=True))

    def load(self) -> None:
        """Clip the weights, and write them to the device, rounded and with its gains.

        Raises `SpikeloomError` if they are no numbers, or could overflow a sum.
        """
        for key, parameter in self.weights.items():
            limit = self._limits[key]
            with torch.no_grad():
                parameter.clamp_(-limit, limit)
            if parameter.isnan().any():
                raise SpikeloomError(
                    f"weights of {key!r} are not numbers any more: the training diverged; lower "
                    "the learning rate"
                )
            weights = parameter.detach().round().to(torch.int64).numpy()
            target = self._matrices[key].connections[0].target
            if target in self._gains:
                limits = matrices(self.device.program.network)[key].limits
                weights = amplified(weights, self._gains[target], limits)
            self.device.weights[key] = weights

    def forward(self, events: Events) -> Outcome:
        """Run a batch of events on the device, from initial states.

        Parameters
        ----------
        events
            As for `Device.run`.
        """
        self.load()
        program = self.device.program
        counts = event_counts(program.network, events)
        names = [population.name for population in self.design.populations]
        run = self.device.run(counts, traces=names if program.fabric.traces else None)
        return _Equations(self, run, counts).outcome()


class _Replaced(torch.autograd.Function):
    """The value of the second tensor with the gradient of the first."""

    @staticmethod
    def forward(_: Any, exact: Tensor, value: Tensor) -> Tensor:
        return value.expand_as(exact).clone()

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


class _Equations:
    """The float equations of a run, whose values are replaced by the device's."""

    def __init__(
        self, loop: InTheLoop, run: Run, counts: Mapping[str, np.ndarray[Any, Any]]
    ) -> None:
        self.design, self.beta, self.run = loop.design, loop.beta, run
        self.samples, self.steps = next(iter(counts.values())).shape[:2]
        self.matrices: list[tuple[Matrix, Tensor]] = [
            (matrix, _Replaced.apply(parameter, parameter.round()))
            for matrix, parameter in zip(
                matrices(loop.design).values(), loop.weights.values(), strict=True
            )
        ]
        self.events: dict[str, list[Tensor]] = {
            name: list(_tensor(values).unbind(1)) for name, values in counts.items()
        }
        self.spikes = {name: _tensor(values) for name, values in run.spikes.items()}
        self.traces = {name: _tensor(values) for name, values in run.traces.items()}
        self.currents = {name: _tensor(values) for name, values in run.current_traces.items()}
        self.potentials: dict[str, list[Tensor]] = {p.name: [] for p in self.design.populations}
        self.current: dict[str, Tensor] = {}

    def outcome(self) -> Outcome:
        """Step through the run."""
        self.events |= {p.name: [] for p in self.design.populations if p.spiking}
        order = sorted(self.design.populations, key=lambda population: population.phase)
        for step in range(self.steps):
            for population in order:
                self._update(population, step)
        return Outcome(
            {p.name: torch.stack(self.events[p.name], 1) for p in order if p.spiking},
            {name: torch.stack(values, 1) for name, values in self.potentials.items()},
            self.run,
        )

    def _update(self, population: Population, step: int) -> None:
        """One step of a population."""
        name = population.name
        shape = self.samples, population.size
        past = self.potentials[name]
        v = past[-1] if past else _tensor(population.v_init).expand(shape)
        drive = self._input(population, step)
        if population.synaptic_decay is not None:
            i = self.current.get(name, torch.zeros(shape))
            drive = i * _kept(population.synaptic_decay) + drive
            if name in self.currents:
                drive = _Replaced.apply(drive, self.currents[name][:, step])
            self.current[name] = drive
            if population.leak is not None:
                drive = drive + _tensor(population.leak)
        u = v * _kept(population.decay) + drive
        if population.v_min is not None:
            u = u.clamp(min=population.v_min)
        if population.spiking:
            spikes = self.spikes[name][:, step]
            threshold = _tensor(population.threshold)
            unit = threshold.abs().clamp(min=1)
            distance = self.beta * (u - threshold) / unit
            # Its derivative is the surrogate's.
            soft = distance / (1 + distance.abs()) / self.beta
            self.events[name].append(_Replaced.apply(soft, spikes))
            if population.reset is Reset.VALUE:
                u = u + spikes * (_tensor(population.v_reset) - u)
            elif population.reset is Reset.SUBTRACT:
                u = u - spikes * _tensor(population.subtracted)
        if name in self.traces:
            u = _Replaced.apply(u, self.traces[name][:, step])
        elif name in self.run.states and step == self.steps - 1:
            u = _Replaced.apply(u, _tensor(self.run.states[name]))
        past.append(u)

    def _input(self, population: Population, step: int) -> Tensor:
        """The exact input of a step: bias and weights of the events that arrive."""
        total = torch.zeros(self.samples, population.size)
        for matrix, weights in self.matrices:
            connection = matrix.connections[0]
            if connection.target == population.name and step >= connection.delay:
                arriving = self.events[connection.source][step - connection.delay]
                one_to_one = isinstance(connection, OneToOne)
                total = total + (arriving * weights if one_to_one else arriving @ weights)
        return total * 2**population.fraction_bits + _tensor(population.bias)


def _tensor(values: ArrayLike) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32))


def _kept(decay: Parameter) -> Tensor:
    return 1 - _tensor(decay) / DECAY_ONE


def _check_design(network: Network) -> None:
    """Refuse what the float equations have not."""
    for population in network.populations:
        lacking = {
            "switches": bool(population.switches),
            "variants": bool(population.variants),
            "several spikes a step": population.max_spikes > 1,
            "signed spikes": population.signed,
            "a delayed reset": population.delayed_reset,
            "a restoring reset": population.reset is Reset.RESTORE,
        }
        if names := [name for name, has in lacking.items() if has]:
            raise SpikeloomError(
                f"training: population {population.name!r} has {', '.join(names)}, whose gradient "
                "is not implemented; train it without, or in its framework"
            )
    for connection in network.connections:
        if not isinstance(connection, (Connection, OneToOne)):
            raise SpikeloomError(
                f"training: connection {connection.source!r} -> {connection.target!r} must be "
                f"dense or one to one, not {type(connection).__name__}; a sparse matrix is dense "
                'on a fabric={"sparse_words": 0}'
            )


def _check_same(design: Network, network: Network) -> None:
    """Refuse a design that is of another network than the device's."""
    mine, its = (
        {
            "inputs": [(node.name, node.size) for node in each.inputs],
            "populations": [(node.name, node.size) for node in each.populations],
            "connections": [
                (key, matrix.connections[0].weights.shape) for key, matrix in matrices(each).items()
            ],
        }
        for each in (design, network)
    )
    for kind, nodes in mine.items():
        if nodes != its[kind]:
            raise SpikeloomError(
                f"design: its {kind} are {nodes}, those of the device {its[kind]}; they may differ "
                "in parameters only"
            )


def _checked_gains(gains: Gains, network: Network) -> dict[str, Any]:
    sizes = {population.name: population.size for population in network.populations}
    if not isinstance(gains, Mapping):
        raise SpikeloomError(
            f"gains must be a dict of a population's gains, such as Mismatch(...).gains(network), "
            f"not {gains!r:.60}"
        )
    checked = {}
    for name, values in gains.items():
        if name not in sizes:
            raise SpikeloomError(f"gains: no population is called {name!r}; use {', '.join(sizes)}")
        array = np.asarray(values)
        if array.shape != (sizes[name],) or array.dtype.kind not in "iuf":
            raise SpikeloomError(
                f"gains of {name!r} must be {sizes[name]} numbers, not of shape {array.shape} and "
                f"type {array.dtype}"
            )
        if not (np.isfinite(array) & (array >= 0)).all():
            raise SpikeloomError(f"gains of {name!r} must be finite, and not below 0")
        checked[name] = array.astype(np.float64)
    return checked
