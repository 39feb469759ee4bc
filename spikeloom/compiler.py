"""From a network to a Program: choose widths, quantise, choose the fabric, map."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from numpy.typing import ArrayLike

from spikeloom.boards.registry import board
from spikeloom.golden.errors import SpikeloomError, meant
from spikeloom.golden.network import Network
from spikeloom.golden.plain import plain
from spikeloom.golden.progress import task
from spikeloom.golden.spec import MAX_FRACTION_BITS, WEIGHT_BITS, FabricConfig
from spikeloom.golden.spec.sizes import wholes
from spikeloom.importer.float_network import FloatNetwork
from spikeloom.mapping.sizes import Shortage, choose_fabric
from spikeloom.mapping.storage import stored
from spikeloom.program import Program
from spikeloom.quantise.integers import Schedule
from spikeloom.quantise.quantise import check_weight_bits, quantise
from spikeloom.quantise.records import QuantisationReport
from spikeloom.quantise.wide import with_widths


def compile(
    net: FloatNetwork | Network,
    fabric: FabricConfig | Mapping[str, Any] | str | None = None,
    *,
    weight_bits: int | None = None,
    state_bits: int | None = None,
    sum_bits: int | None = None,
    schedule: Schedule = "layered",
    max_count: int = 1,
    scales: Mapping[str, float | Fraction] | None = None,
    calibration: Mapping[str, ArrayLike] | ArrayLike | None = None,
    record: Iterable[str] | None = None,
    readout: Iterable[str] | None = None,
) -> Program:
    """Quantise `net` and map it onto a fabric.

    Parameters
    ----------
    net
        The result of `load_nir`; or an integer network, which is mapped as it is. Its weights may
        have up to 16 bits: those wider than the fabric's are split into pairs.
    fabric
        The hardware: a `FabricConfig`, or the name of a board for its own. "auto", the default,
        chooses the smallest that the network fits. A mapping gives some fields, which bring along
        what they need, and leaves the others to this choice or, with "board", to a board's.
    weight_bits, state_bits
        Widths to quantise to: 2, 4, 8 or 16; 8..24. They default to those of the fabric, or 8 and
        16, or as many more for states as weights and slow leaks need. A weight of twice the
        fabric's width, such as 16, is a pair of weights: two synaptic operations.
    sum_bits
        Width of sums, 8..32. Defaults to that of the fabric, or the narrowest that cannot overflow.
    schedule
        "layered" (each layer its own phase, no skew between them) or "pipelined" (one phase, each
        layer a step later than the one before).
    max_count, scales, calibration
        As for `spikeloom.quantise.quantise`.
    record, readout
        Populations whose spikes are sent to the host, and whose membrane potentials are sent after
        each sample; by default all.

    Raises
    ------
    SpikeloomError
        The network cannot be quantised, its sums could overflow, or it does not fit: names
        everything that is short, with the option for it.
    """
    weight_bits, state_bits, sum_bits = plain((weight_bits, state_bits, sum_bits))
    if weight_bits is not None:
        check_weight_bits(weight_bits)
    pinned = _pinned(fabric, weight_bits, state_bits, sum_bits)
    about: dict[str, Any] = {}
    if isinstance(net, Network):
        _check_integer_options(schedule, max_count, scales, calibration)
        network = _with_widths_of(net, weight_bits, pinned)
    elif isinstance(net, FloatNetwork):
        widths = FabricConfig(**pinned)
        with task("quantising"):
            network, report = quantise(
                net,
                weight_bits=widths.weight_bits,
                state_bits=pinned.get("state_bits"),
                sum_bits=pinned.get("sum_bits"),
                schedule=schedule,
                max_count=max_count,
                weight_pairs=weight_bits == 2 * widths.weight_bits,
                max_fraction_bits=pinned.get("fraction_bits", MAX_FRACTION_BITS),
                neuron_parameters=pinned.get("neuron_parameters", True),
                scales=scales,
                calibration=calibration,
            )
        about = _about(net, schedule, report)
    else:
        raise SpikeloomError(f"net must be a result of load_nir or a Network, not {net!r}")
    everyone = [population.name for population in network.populations]
    recorded = frozenset(everyone if record is None else _names("record", record))
    read = frozenset(everyone if readout is None else _names("readout", readout))
    try:
        return Program(*_fabric_for(network, pinned, recorded), recorded, read, about)
    except Shortage as short:
        raise _in_terms_of(fabric, short) from None


def _fabric_for(
    network: Network, pinned: Mapping[str, Any], record: frozenset[str]
) -> tuple[Network, FabricConfig]:
    """The network as a fabric stores it, and the smallest one that it fits."""
    network = stored(network, pinned)
    return network, choose_fabric(network, pinned, record)


def _with_widths_of(net: Network, weight_bits: int | None, pinned: Mapping[str, Any]) -> Network:
    """An integer network with the weights that the fabric has."""
    if weight_bits == 16 and net.weight_bits <= WEIGHT_BITS[-1]:
        raise SpikeloomError(
            f"weight_bits: the network has weights of {net.weight_bits} bits, which need no "
            "pairs; leave it out"
        )
    bits = pinned.get("weight_bits", _hardware_bits(net.weight_bits))
    return with_widths(net, bits, pinned.get("sum_bits"))


def _in_terms_of(
    fabric: FabricConfig | Mapping[str, Any] | str | None, short: Shortage
) -> Shortage:
    """The shortage with a remedy that changes what was given as the fabric."""
    if isinstance(fabric, FabricConfig):
        return short
    fields = _fields(fabric) | short.fields
    return Shortage(short.problem, short.fields, f"use fabric={fields}")


def _about(net: FloatNetwork, schedule: Schedule, report: QuantisationReport) -> dict[str, Any]:
    """How the program was made, as JSON values."""
    return {
        "schedule": schedule,
        "dialect": dataclasses.asdict(net.dialect),
        "assumptions": [str(assumption) for assumption in net.assumptions],
        "warnings": list(net.warnings),
        "outputs": [list(output) for output in net.outputs],
        "quantisation": json.loads(report.to_json()),
    }


def _hardware_bits(weight_bits: int) -> int:
    """The width of hardware for weights of `weight_bits`: pairs where there is none as wide."""
    return next((bits for bits in WEIGHT_BITS if bits >= weight_bits), WEIGHT_BITS[-1])


def _pinned(
    fabric: FabricConfig | Mapping[str, Any] | str | None,
    weight_bits: int | None,
    state_bits: int | None,
    sum_bits: int | None,
) -> dict[str, Any]:
    """The fields of the fabric that are not left to choice."""
    fields = _fields(fabric)
    fields |= wholes(fields)
    asked = {"weight_bits": weight_bits, "state_bits": state_bits, "sum_bits": sum_bits}
    if "board" in fields:
        # Other widths than those of a board are a choice, and others than those given a mistake.
        given = {name for name in fields if name != "board"}
        named = board(fields.pop("board"))
        fields = dataclasses.asdict(named.fabric) | fields
        named.check_ports(bool(fields["two_ports"]))
        for kind in ("state_bits", "sum_bits"):
            if kind not in given and asked[kind] is not None:
                fields[kind] = asked[kind]
    known = {field.name for field in dataclasses.fields(FabricConfig)}
    if unknown := sorted(map(str, set(fields) - known)):
        raise SpikeloomError(
            f"fabric: FabricConfig has no {', '.join(unknown)}{meant(unknown[0], known)}; "
            f"it has {', '.join(sorted(known))}"
        )
    for name, width in asked.items():
        if width is None:
            continue
        pair = name == "weight_bits" and width == 2 * fields.get(name, 8)
        if name not in fields:
            fields[name] = width // 2 if pair else width
        elif fields[name] != width and not pair:
            raise SpikeloomError(
                f"{name}: {width} was asked for, the fabric has {fields[name]}; "
                "leave it out, or use a fabric that has it"
            )
    return fields


def _fields(fabric: FabricConfig | Mapping[str, Any] | str | None) -> dict[str, Any]:
    """The fields of a fabric, as a mapping gives them."""
    if fabric is None or fabric == "auto":
        return {}
    if isinstance(fabric, str):
        return {"board": fabric}
    if isinstance(fabric, FabricConfig):
        return dataclasses.asdict(fabric)
    if isinstance(fabric, Mapping):
        return dict(fabric)
    raise SpikeloomError(
        f'fabric must be a FabricConfig, some of its fields, a board or "auto", not {fabric!r}'
    )


def _check_integer_options(
    schedule: Schedule,
    max_count: int,
    scales: Mapping[str, float | Fraction] | None,
    calibration: Mapping[str, ArrayLike] | ArrayLike | None,
) -> None:
    """Refuse options that quantise: integers are mapped as they are."""
    given = {
        "schedule": schedule != "layered",
        "max_count": max_count != 1,
        "scales": scales is not None,
        "calibration": calibration is not None,
    }
    if names := [name for name, is_given in given.items() if is_given]:
        raise SpikeloomError(
            f"{', '.join(names)}: an integer network is mapped as it is; leave out what quantises "
            "it, and state phases, delays and max_count in the network"
        )


def _names(option: str, given: Iterable[str]) -> list[str]:
    names = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else None
    if names is None or not all(isinstance(name, str) for name in names):
        raise SpikeloomError(
            f"{option} must be names of populations, such as ['output'], not {given!r}"
        )
    return names
