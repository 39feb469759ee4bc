"""From a float network to a Program."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from golden.errors import SpikeloomError
from golden.spec import FabricConfig
from spikeloom.features import with_features
from spikeloom.float_network import FloatNetwork
from spikeloom.program import Program
from spikeloom.quantise import Schedule, quantise


def compile(
    net: FloatNetwork,
    fabric: FabricConfig | Mapping[str, int] | None = None,
    *,
    weight_bits: int | None = None,
    state_bits: int | None = None,
    schedule: Schedule = "layered",
    max_count: int = 1,
    record: Iterable[str] | None = None,
    readout: Iterable[str] | None = None,
) -> Program:
    """Quantise `net` and map it onto a fabric.

    Parameters
    ----------
    net
        What `load_nir` gave.
    fabric
        The hardware. Of a mapping (or nothing), the fields of `FabricConfig` that differ from its
        defaults; what else the network needs hardware to be built for is added to these, such as
        images or synaptic states, but sizes are not.
    weight_bits, state_bits
        Widths to quantise to: 2, 4 or 8; 8..24. They are properties of the fabric, so one that is
        given must have them; by default they are 8 and 16.
    schedule
        "layered" (each layer its own phase, no skew between them) or "pipelined" (one phase, each
        layer a step later than the one before).
    max_count
        Most events that an input axon can have in one step.
    record
        Populations whose spikes are sent to the host; all if not given.
    readout
        Populations whose membrane potentials are sent after each sample; all if not given.

    Raises
    ------
    SpikeloomError
        The network cannot be quantised, its sums could overflow, or it does not fit.
    """
    widths = {"weight_bits": weight_bits, "state_bits": state_bits}
    wanted = {name: width for name, width in widths.items() if width is not None}
    named: Mapping[str, Any] | None = None
    if fabric is None or isinstance(fabric, Mapping):
        named = {**wanted, **(fabric or {})}
        fabric = _fabric(named)
    if not isinstance(fabric, FabricConfig):
        raise SpikeloomError(f"fabric must be a FabricConfig, not {fabric!r}")
    for name, width in wanted.items():
        if getattr(fabric, name) != width:
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
    )
    if named is not None:
        fabric = _fabric({**dataclasses.asdict(with_features(network, fabric)), **named})
    everyone = [population.name for population in network.populations]
    return Program(
        network,
        fabric,
        frozenset(everyone if record is None else record),
        frozenset(everyone if readout is None else readout),
        {
            "schedule": schedule,
            "dialect": dataclasses.asdict(net.dialect),
            "outputs": [list(output) for output in net.outputs],
            "quantisation": json.loads(report.to_json()),
        },
    )


def _fabric(fields: Mapping[str, Any]) -> FabricConfig:
    known = {field.name for field in dataclasses.fields(FabricConfig)}
    if unknown := set(fields) - known:
        raise SpikeloomError(
            f"fabric: FabricConfig has no {', '.join(sorted(map(str, unknown)))}; "
            f"it has {', '.join(sorted(known))}"
        )
    return FabricConfig(**fields)
