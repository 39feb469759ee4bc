"""A fabric in a LiteX SoC: registers on the bus, events and packets by DMA.

`SpikeloomFabric` goes into any SoC; `Simulated` is one without a CPU, whose bus a bench masters
through UARTBone. `python spikeloom_soc.py`, in the folder with what `spikeloom verilog --axi
--driver` wrote, leaves the Verilog, the memory map (`csr.csv`) and the C headers in `build`.
"""

from contextlib import chdir
from pathlib import Path
from typing import Any

import spikeloom_axi as driver
from litex.build.generic_platform import GenericPlatform, Pins, Subsignal
from litex.build.io import CRG
from litex.gen import LiteXModule
from litex.soc.cores.dma import WishboneDMAReader, WishboneDMAWriter
from litex.soc.cores.uart import RS232PHYModel, UARTBone
from litex.soc.integration.builder import Builder
from litex.soc.integration.soc import SoCRegion
from litex.soc.integration.soc_core import SoCCore
from litex.soc.interconnect import stream, wishbone
from litex.soc.interconnect.axi import AXILiteInterface
from migen import ClockSignal, Instance, ResetSignal, Signal

BUS_BITS = 32


def bus_words(size: int) -> int:
    """Words of the bus for a payload of so many bytes."""
    return -(-8 * size // BUS_BITS)


class SpikeloomFabric(LiteXModule):
    """The fabric of `spikeloom_axi.v`. A payload takes whole words in memory, lowest first.

    `reader` sends `length` bytes from `base` on as events; `writer` puts packets into memory, and
    its `offset` says how many words there are. Both begin when `enable` becomes 1.
    """

    def __init__(self, platform: GenericPlatform, verilog: str) -> None:
        platform.add_source(verilog)
        self.bus = bus = AXILiteInterface(data_width=BUS_BITS, address_width=32)
        event_words, packet_words = map(bus_words, (driver.EVENT_BYTES, driver.PACKET_BYTES))
        options = {"endianness": "big", "with_csr": True}  # "little" swaps the bytes of a word
        self.reader = WishboneDMAReader(wishbone.Interface(BUS_BITS), **options)
        self.writer = WishboneDMAWriter(wishbone.Interface(BUS_BITS), **options)
        self.events = events = stream.Converter(BUS_BITS, BUS_BITS * event_words)
        self.packets = packets = stream.Converter(BUS_BITS * packet_words, BUS_BITS)
        # A transfer ends after its length; TLAST, which ends a step, is not passed on.
        self.comb += [
            self.reader.source.connect(events.sink, omit={"last"}),
            packets.source.connect(self.writer.sink, omit={"last"}),
        ]
        event, packet = Signal(8 * driver.EVENT_BYTES), Signal(8 * driver.PACKET_BYTES)
        self.comb += [event.eq(events.source.data), packets.sink.data.eq(packet)]
        channels = {}
        for name, payload in {
            "aw": ("addr", "prot"),
            "w": ("data", "strb"),
            "ar": ("addr", "prot"),
        }.items():
            channel = getattr(bus, name)
            channels[f"i_s_axi_{name}valid"] = channel.valid
            channels[f"o_s_axi_{name}ready"] = channel.ready
            for part in payload:
                bits = 0 if part == "prot" else getattr(channel, part)
                channels[f"i_s_axi_{name}{part}"] = bits[:12] if part == "addr" else bits
        for name, payload in {"b": ("resp",), "r": ("resp", "data")}.items():
            channel = getattr(bus, name)
            channels[f"o_s_axi_{name}valid"] = channel.valid
            channels[f"i_s_axi_{name}ready"] = channel.ready
            for part in payload:
                channels[f"o_s_axi_{name}{part}"] = getattr(channel, part)
        self.specials += Instance(
            "spikeloom_axi",
            i_aclk=ClockSignal(),
            i_aresetn=~ResetSignal(),
            i_s_axis_events_tdata=event,
            i_s_axis_events_tvalid=events.source.valid,
            o_s_axis_events_tready=events.source.ready,
            o_m_axis_packets_tdata=packet,
            o_m_axis_packets_tvalid=packets.sink.valid,
            o_m_axis_packets_tlast=Signal(),
            i_m_axis_packets_tready=packets.sink.ready,
            **channels,
        )

    def add_to(self, soc: SoCCore, name: str, origin: int) -> None:
        """Its registers at `origin`, and its two DMA masters."""
        soc.bus.add_slave(name, self.bus, SoCRegion(origin=origin, size=0x1000, cached=False))
        soc.bus.add_master(f"{name}_reader", master=self.reader.bus)
        soc.bus.add_master(f"{name}_writer", master=self.writer.bus)


class VerilogOnly(GenericPlatform):
    """A platform whose build ends with the Verilog, for a simulator that LiteX does not start."""

    def build(self, soc: SoCCore, build_dir: str, **_: Any) -> Any:
        """Write the Verilog, and the initial contents of memories that it reads."""
        self.finalize(fragment := soc.get_fragment())
        with chdir(build_dir):
            output = self.get_verilog(fragment, name="spikeloom_soc")
            output.write("spikeloom_soc.v")
        return output.ns


class Simulated(SoCCore):
    """No CPU, 64 KiB of memory; the bytes of UARTBone are a stream, without a serial line."""

    def __init__(self, verilog: str) -> None:
        serial = [f"{way}_{part}" for way in ("source", "sink") for part in ("valid", "ready")]
        io = [
            ("sys_clk", 0, Pins(1)),
            ("sys_rst", 0, Pins(1)),
            (
                *("serial", 0),
                *(Subsignal(name, Pins(1)) for name in serial),
                *(Subsignal(f"{way}_data", Pins(8)) for way in ("source", "sink")),
            ),
        ]
        platform = VerilogOnly("simulation", io)
        self.crg = CRG(platform.request("sys_clk"), platform.request("sys_rst"))
        SoCCore.__init__(
            *(self, platform, int(1e6)),
            cpu_type=None,
            with_uart=False,
            with_timer=False,
            integrated_sram_size=0,
            integrated_main_ram_size=0x10000,
        )
        phy = RS232PHYModel(platform.request("serial"))
        self.uartbone = UARTBone(phy, clk_freq=int(1e6))
        self.bus.add_master(name="uartbone", master=self.uartbone.wishbone)
        self.spikeloom = SpikeloomFabric(platform, verilog)
        self.spikeloom.add_to(self, "fabric", 0x9000_0000)


if __name__ == "__main__":
    soc = Simulated(str(Path("spikeloom_axi.v").resolve()))
    Builder(soc, output_dir="build", compile_software=False, compile_gateware=False).build()
