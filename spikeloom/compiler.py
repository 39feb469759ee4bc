"""From a float network to a Program."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from numpy.typing import ArrayLike

from spikeloom.boards.registry import board
from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import FabricConfig
from spikeloom.importer.float_network import FloatNetwork
from spikeloom.mapping.features import with_features
from spikeloom.program import Program
from spikeloom.quantise.integers import Schedule
from spikeloom.quantise.quantise import quantise


def compile(
    net: FloatNetwork,
    fabric: FabricConfig | Mapping[str, int] | str | None = None,
    *,
    weight_bits: int | None = None,
    state_bits: int | None = None,
    schedule: Schedule = "layered",
    max_count: int = 1,
    calibration: Mapping[str, ArrayLike] | ArrayLike | None = None,
    record: Iterable[str] | None = None,
    readout: Iterable[str] | None = None,
) -> Program:
    """Quantise `net` and map it onto a fabric.

    Parameters
    ----------
    net
        What `load_nir` gave.
    fabric
        The hardware. The name of a board stands for what is built for it. Of a mapping (or
        nothing), the fields of `FabricConfig` that differ from its defaults; what else the network
        needs hardware to be built for is added to these, such as images or synaptic currents, but
        sizes are not.
    weight_bits, state_bits
        Widths to quantise to: 2, 4, 8 or 16; 8..24. They are properties of the fabric, so one that
        is given must have them; by default they are 8 and 16. Twice the width that the fabric has,
        such as 16, is made of pairs of weights: two operations for each synapse.
    schedule
        "layered" (each layer its own phase, no skew between them) or "pipelined" (one phase, each
        layer a step later than the one before).
    max_count
        Most events that an input axon can have in one step.
    calibration
        Sample events on which no state is to saturate, as for `spikeloom.quantise.quantise`.
    record
        Populations whose spikes are sent to the host; all if not given.
    readout
        Populations whose membrane potentials are sent after each sample; all if not given.

    Raises
    ------
    SpikeloomError
        The network cannot be quantised, its sums could overflow, or it does not fit.
    """
    if isinstance(fabric, str):
        fabric = board(fabric).fabric
    widths = {"weight_bits": weight_bits, "state_bits": state_bits}
    wanted = {name: width for name, width in widths.items() if width is not None}
    named: Mapping[str, Any] | None = None
    if fabric is None or isinstance(fabric, Mapping):
        built = {**wanted, "weight_bits": 8} if weight_bits == 16 else wanted
        named = {**built, **(fabric or {})}
        fabric = _fabric(named)
    if not isinstance(fabric, FabricConfig):
        raise SpikeloomError(f"fabric must be a FabricConfig, not {fabric!r}")
    pairs = weight_bits == 2 * fabric.weight_bits
    for name, width in wanted.items():
        if getattr(fabric, name) != width and not (pairs and name == "weight_bits"):
            raise SpikeloomError(
                f"{name}: {width} was asked for, the fabric has {getattr(fabric, name)}; "
                "leave it out, or use a fabric that has it"
            )
    network, report = quantise(
        net,
        weight_bits=fabric.weight_bits,
        state_bits=fabric.state_bits,
        sum_bits=fabric.sum_bits,
        schedule=schedule,
        max_count=max_count,
        weight_pairs=pairs,
        calibration=calibration,
    )
    if named is not None:
        fabric = _fabric({**dataclasses.asdict(with_features(network, fabric)), **named})
    everyone = [population.name for population in network.populations]
    return Program(
        network,
        fabric,
        frozenset(everyone if record is None else _names("record", record)),
        frozenset(everyone if readout is None else _names("readout", readout)),
        {
            "schedule": schedule,
            "dialect": dataclasses.asdict(net.dialect),
            "outputs": [list(output) for output in net.outputs],
            "quantisation": json.loads(report.to_json()),
        },
    )


def _names(option: str, given: Iterable[str]) -> list[str]:
    names = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else None
    if names is None or not all(isinstance(name, str) for name in names):
        raise SpikeloomError(
            f"{option} must be names of populations, such as ['output'], not {given!r}"
        )
    return names


def _fabric(fields: Mapping[str, Any]) -> FabricConfig:
    known = {field.name for field in dataclasses.fields(FabricConfig)}
    if unknown := set(fields) - known:
        raise SpikeloomError(
            f"fabric: FabricConfig has no {', '.join(sorted(map(str, unknown)))}; "
            f"it has {', '.join(sorted(known))}"
        )
    return FabricConfig(**fields)
