"""The records of a report on a quantisation: per connection, per population, for the network."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikeloom.golden.summary import Summarised, Summary, counted
from spikeloom.importer.linear_maps import Floats
from spikeloom.quantise.integers import Schedule
from spikeloom.quantise.scales import Origin


@dataclass(frozen=True)
class WeightError:
    """The rounding errors of some weights: integer weight / scale - weight.

    Parameters
    ----------
    max_error, rms_error
        Largest and root-mean-square error, in the unit of the weights.
    max_error_lsb, rms_error_lsb
        The same in steps of the integer weights (rounding alone gives up to 0.5).
    relative_error
        Root-mean-square error over root-mean-square weight; 0 where all weights are 0.
    """

    max_error: float
    rms_error: float
    max_error_lsb: float
    rms_error_lsb: float
    relative_error: float


@dataclass(frozen=True)
class ConnectionReport:
    """How one connection was quantised.

    Parameters
    ----------
    source, target, synapses, delay
        Of the integer connection; zero weights count.
    weight
        Errors of its weights.
    """

    source: str
    target: str
    synapses: int
    delay: int
    weight: WeightError


@dataclass(frozen=True)
class PopulationReport:
    """How one population was quantised.

    Where parameters differ between neurons, a decay is that of the neuron whose leak changes most,
    and the threshold is the lowest.

    Parameters
    ----------
    population, size, phase, spiking
        Of the integer population.
    scale, scale_origin
        s: integer weight = s * weight; the rule that chose it: "given", "grid", "range",
        "states" or "calibration".
    grid
        The grid on which the weights lie and stay exact, such as "1/8"; None without one.
    exact
        Weights, biases, thresholds and resets are all exact, because they lie on a grid; decays
        are multiples of 1/4096, and truncate, all the same.
    fraction_bits
        f: integer potential = s * 2**f * potential.
    per_neuron
        Parameters whose integers differ between neurons; others are shared.
    gains
        Gain of each neuron's potential that makes thresholds uniform; None where none was needed.
        Potentials and weights in this report include it.
    weight
        Errors of all weights into it.
    bias_max_error
        Largest error of a bias, in the unit of the potential.
    decay, decay_integer, decay_relative_error
        Fraction of the potential lost per step; k in 1/4096; k / 4096 / decay - 1 (0 for an IF).
    tau, effective_tau
        Steps in which a potential falls to 1/e of it: as trained; from the integer threshold (of a
        population that does not spike: from a typical weight), truncation included. None where
        nothing or everything is lost in a step.
    threshold, threshold_integer, threshold_error
        As trained; in integer units; integer / scale - trained. It changes no comparison, only a
        reset by subtraction.
    sum_headroom_bits
        Bits of `sum_bits` beyond those that the worst input needs.
    state_headroom_bits
        Bits of `state_bits` beyond those that the threshold (of a spiking population), reset and
        initial potential need with the worst input of one step on top; where it is negative, one
        step can saturate the potential.
    reach_bits
        Width of states that holds what thresholds, weights and biases are likely to bring; with
        calibration, its peaks.
    drift_bits
        Width of states that holds the potential to which a mean input of 1/16 event an axon and
        step takes it where that is far below 0, with the fraction bits that its leak needs.
    synaptic_decay, synaptic_decay_integer, synaptic_tau, effective_synaptic_tau
        Likewise for the synaptic current, from a typical weight; None without one.
    weight_limit
        Fraction of their range that the weights use.
    saturations
        Updates that saturated on the calibration events; None without calibration.
    """

    population: str
    size: int
    phase: int
    spiking: bool
    scale: float
    scale_origin: Origin
    grid: str | None
    exact: bool
    fraction_bits: int
    per_neuron: tuple[str, ...]
    gains: tuple[float, ...] | None
    weight: WeightError
    bias_max_error: float
    decay: float
    decay_integer: int
    decay_relative_error: float
    tau: float | None
    effective_tau: float | None
    threshold: float
    threshold_integer: int
    threshold_error: float
    sum_headroom_bits: int
    state_headroom_bits: int
    reach_bits: int
    drift_bits: int
    synaptic_decay: float | None
    synaptic_decay_integer: int | None
    synaptic_tau: float | None
    effective_synaptic_tau: float | None
    weight_limit: float
    saturations: int | None

    @property
    def state_scale(self) -> float:
        """Integer potential / float potential, without `gains`."""
        return self.scale * (1 << self.fraction_bits)

    @property
    def unit(self) -> float | Floats:
        """Integer units of the potential in one unit of the float network's, with `gains`."""
        return self.state_scale if self.gains is None else self.state_scale * np.array(self.gains)


@dataclass(frozen=True, repr=False)
class QuantisationReport(Summarised):
    """How a network was quantised.

    Parameters
    ----------
    weight_bits, weight_pairs, state_bits, sum_bits, schedule
        Widths and schedule of the integer network.
    populations, connections
        In the order of the network.
    notes
        Choices worth knowing, such as a grid on which a population is exact; one line each.
    warnings
        Losses that are hardly intended, each with its remedy; one line each.
    """

    weight_bits: int
    weight_pairs: bool
    state_bits: int
    sum_bits: int
    schedule: Schedule
    populations: tuple[PopulationReport, ...]
    connections: tuple[ConnectionReport, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    def summary(self) -> Summary:
        """See `Summarised`."""
        rows = [
            (
                row.population,
                f"{row.scale:.4g}",
                "yes" if row.exact else "no",
                f"{row.threshold:.4g} = {row.threshold_integer}",
                f"{row.weight.relative_error:.2%}",
                f"{row.decay_relative_error:.2%}",
                row.state_headroom_bits,
            )
            for row in self.populations
        ]
        headings = "population", "scale", "exact", "threshold", "weight error", "decay error"
        losses = counted(len(self.warnings), "warning")
        line = f"{self.weight_bits}-bit weights, {self.state_bits}-bit potentials, {losses}"
        notes = (*(f"warning: {text}" for text in self.warnings), *self.notes)
        return Summary(line, (*headings, "headroom, bits"), rows, notes)

    def rows(self) -> list[dict[str, Any]]:
        """A flat dict for each population, with keys in a fixed order."""
        return [_flat(population) for population in self.populations]

    def connection_rows(self) -> list[dict[str, Any]]:
        """A flat dict for each connection, with keys in a fixed order."""
        return [_flat(connection) for connection in self.connections]

    def to_json(self) -> str:
        """The whole report, with the rows as lists of objects."""
        contents = {
            "weight_bits": self.weight_bits,
            "weight_pairs": self.weight_pairs,
            "state_bits": self.state_bits,
            "sum_bits": self.sum_bits,
            "schedule": self.schedule,
            "populations": self.rows(),
            "connections": self.connection_rows(),
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }
        return json.dumps(contents, indent=2)


def _flat(report: PopulationReport | ConnectionReport) -> dict[str, Any]:
    """The fields of a report, with those of its weight error as weight_max_error and so on."""
    row: dict[str, Any] = {}
    for field in dataclasses.fields(report):
        value = getattr(report, field.name)
        if isinstance(value, WeightError):
            row |= {f"weight_{key}": v for key, v in dataclasses.asdict(value).items()}
        else:
            row[field.name] = list(value) if isinstance(value, tuple) else value
    return row
