"""Drivers of a fabric with AXI, written for one configuration: a C header, a Python class."""

import dataclasses
from typing import Any

import jinja2

from spikeloom.golden.errors import SpikeloomError
from spikeloom.golden.spec import FabricConfig, Layout, LoadTarget, PacketKind
from spikeloom.hdl.axi.buses import stream_bits
from spikeloom.hdl.axi.register_map import places
from spikeloom.hdl.axi.registers import IDENTIFIER, VERSION, configuration_hash
from spikeloom.sim.verilog import AXI_TOP

MAX_EVENT_BITS = 64
"""Bits of an event that a driver handles, as an integer of that width."""


def c_header(config: FabricConfig, name: str = AXI_TOP) -> str:
    """A header in C99, also for C++, of the fabric that `emit_axi` writes; see `_written`."""
    return _written("axi.h.jinja", config, name)


def python_driver(config: FabricConfig, name: str = AXI_TOP) -> str:
    """A Python module, without imports, of the fabric that `emit_axi` writes; see `_written`."""
    return _written("axi.py.jinja", config, name)


def _written(template: str, config: FabricConfig, name: str) -> str:
    """The driver of a fabric whose names begin with `name`.

    Raises `SpikeloomError` if an event has more than `MAX_EVENT_BITS` bits.
    """
    if config.host_in.width > MAX_EVENT_BITS:
        raise SpikeloomError(
            f"FabricConfig: an event (host_in) has {config.host_in.width} bits, and a driver "
            f"handles {MAX_EVENT_BITS}: reduce routes, connections, axons or extent"
        )
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("spikeloom.sim.drivers"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # the texts are programs, of names and numbers of our own
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sizes = {field: int(value) for field, value in dataclasses.asdict(config).items()}
    return environment.get_template(template).render(
        name=name,
        configuration=config.to_json(),
        hash=configuration_hash(config),
        identifier=IDENTIFIER,
        version=VERSION,
        places=places(config),
        layouts={kind: fields(getattr(config, kind)) for kind in ("host_in", "host_out", "load")},
        widths={kind: getattr(config, kind).width for kind in ("host_in", "host_out", "load")},
        event_bytes=stream_bits(config.host_in.width) // 8,
        packet_bytes=stream_bits(config.host_out.width) // 8,
        load_words=-(-config.load.width // 32),
        kinds={kind.name: int(kind) for kind in PacketKind},
        targets={target.name: int(target) for target in LoadTarget},
        sizes=sizes,
    )


def fields(layout: Layout) -> list[dict[str, Any]]:
    """The fields of a payload with the lowest bit of each."""
    low = 0
    rows = []
    for field in layout.fields:
        rows.append({"name": field.name, "low": low, "width": field.width, "signed": field.signed})
        low += field.width
    return rows
