"""The RTL of a mesh of routers with the ports of a bench."""

from typing import Any

from amaranth import Cat, ClockDomain, Module, Mux, Signal

from spikeloom.golden.cycle.mesh import mesh_probe
from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.mesh.mesh import Mesh
from spikeloom.sim import verilog

TOP = "spikeloom_mesh"
"""Name of the top module."""

_TITLE = "Spikeloom mesh of routers with lanes for a bench"
_LANE = 64
_VALID, _GIVEN, _TAKEN = 63, 63, 62


def emit(config: FabricConfig) -> str:
    """The Verilog of a mesh with the ports that `traffic.cpp` drives; kept in the cache."""
    return verilog.cached(_TITLE, config, lambda: generate(config))


def generate(config: FabricConfig) -> str:
    """As `emit`, without the cache."""
    m, ports = bench(config)
    return verilog.generate(_TITLE, config, m, TOP, ports)


def bench(config: FabricConfig) -> tuple[Module, list[Signal]]:
    """A mesh with its ports.

    Ports: `clk`; `offers`, a lane of 64 bits for each source with its packet, bit 63 that it is
    valid; `listening`, a bit for each tile; `load__valid` and `load__payload`; `results`, a
    lane for each source with the packet delivered to the tile, bit 63 that there is one, bit 62
    that its offer is accepted; `probe`, see `mesh_probe`, of the same clock.
    """
    tiles = range(config.tiles)
    width = config.event.width
    m = Module()
    m.domains.sync = domain = ClockDomain(reset_less=True)
    m.submodules.mesh = mesh = Mesh(config)
    offers = Signal(_LANE * (config.tiles + 1))
    listening = Signal(config.tiles)
    load_valid = Signal(name="load__valid")
    load_payload = Signal(config.load.width, name="load__payload")
    results = Signal(_LANE * (config.tiles + 1))
    probe = Signal(mesh_probe(config).width)

    sources = [*mesh.inject, mesh.host]
    for number, source in enumerate(sources):
        offer = offers.word_select(number, _LANE)
        m.d.comb += [source.valid.eq(offer[_VALID]), source.payload.as_value().eq(offer[:width])]
        result = results.word_select(number, _LANE)
        m.d.comb += result[_TAKEN].eq(source.valid & source.ready)
    for tile in tiles:
        sink = mesh.deliver[tile]
        result = results.word_select(tile, _LANE)
        m.d.comb += [
            sink.ready.eq(listening[tile]),
            result[_GIVEN].eq(sink.valid & sink.ready),
            result[:width].eq(sink.payload),
            mesh.loads[tile].word.as_value().eq(load_payload),
            mesh.loads[tile].valid.eq(load_valid & (mesh.loads[tile].word.tile == tile)),
        ]

    parts: list[Any] = []
    for tile in tiles:
        streams = [mesh.links[tile, port] for port in config.links(tile)]
        for stream in (*streams, mesh.deliver[tile], mesh.inject[tile]):
            payload = Cat(stream.payload)
            parts += [stream.valid, stream.ready, Mux(stream.valid, payload, 0)[:width]]
    for tile in tiles:
        dropped = Signal(config.counter_bits, name=f"dropped{tile}")
        m.d.sync += dropped.eq(dropped + mesh.dropped[tile])
        parts.append(dropped)
    m.d.comb += probe.eq(Cat(*parts))
    return m, [domain.clk, offers, listening, load_valid, load_payload, results, probe]
