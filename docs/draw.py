"""Draws docs/figures: `python docs/draw.py` (a test says when that is due).

Timing diagrams show a recording of the RTL, and the windows of learning rules what the golden model
measures. Only the blocks are placed by hand.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pywellen
from amaranth.sim import Simulator
from learning_windows import windows

import spikeloom
from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.axi.axi_fabric import AxiFabric
from spikeloom.hdl.axi.buses import Response
from spikeloom.hdl.axi.registers import Register
from spikeloom.waves import write_waves

FIGURES = Path(__file__).parent / "figures"
STYLE = """<style>
text { font: 12px monospace; fill: #222 } .name { text-anchor: end } .mid { text-anchor: middle }
.back { fill: #fff } .line { fill: none; stroke: #2456a6; stroke-width: 1.5 }
.box { fill: #e8effa; stroke: #2456a6 } .grid { stroke: #ddd }
@media (prefers-color-scheme: dark) {
text { fill: #ddd } .back { fill: #15181c } .line { stroke: #7fb0ff }
.box { fill: #24324a; stroke: #7fb0ff } .grid { stroke: #333 } }
</style>"""
CLOCK, ROW, LEFT = 46, 26, 170
NANOSECOND = 1e-9
FIRE_STATES = ("IDLE", "LOOKUP", "SETUP", "WALK", "DRAIN")
NAMES = {
    "state": FIRE_STATES.__getitem__,
    "awaddr": lambda address: Register(address).name,
    "bresp": lambda response: Response(response).name,
}
"""Names of the values of some signals."""

INTEGRATE = (
    ("event.valid", "fabric.tile0.integrate.event.valid"),
    ("event.ready", "fabric.tile0.integrate.event.ready"),
    ("d_valid", "fabric.tile0.integrate.generation.d_valid"),
    ("x_valid", "fabric.tile0.integrate.x_valid"),
    ("x_groups", "fabric.tile0.integrate.x_groups"),
    ("x_sum_address", "fabric.tile0.integrate.x_sum_address"),
    ("issue", "fabric.tile0.integrate.issue"),
    ("r_valid", "fabric.tile0.integrate.accumulate.r_valid"),
    ("a_valid", "fabric.tile0.integrate.accumulate.a_valid"),
)
FIRE = (
    ("command.valid", "fabric.tile0.fire.command.valid"),
    ("state", "fabric.tile0.fire.fsm_state"),
    ("left", "fabric.tile0.fire.left"),
    ("fetch.valid", "fabric.tile0.fire.fetch.valid"),
    ("fetch.address", "fabric.tile0.fire.fetch.address"),
    ("entering", "fabric.tile0.fire.entering"),
    ("spike_valid", "fabric.tile0.fire.spike_valid"),
    ("state_write.valid", "fabric.tile0.fire.state_write.valid"),
)
BACK_PRESSURE = (
    ("host_in.valid", "fabric.sequencer.host_in.valid"),
    ("host_in.ready", "fabric.sequencer.host_in.ready"),
    ("host_in index", "fabric.sequencer.host_in.payload.index"),
    ("host_in.step", "fabric.sequencer.host_in.payload.step"),
    ("x_valid", "fabric.tile0.integrate.x_valid"),
    ("x_groups", "fabric.tile0.integrate.x_groups"),
)


def svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    """A picture of these elements."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{title}">'
    )
    back = f'<rect class="back" width="{width}" height="{height}" rx="6"/>'
    return "\n".join((head, STYLE, back, *parts, "</svg>")) + "\n"


def one_bit(values: Sequence[int], top: int) -> list[str]:
    """The waveform of a bit."""
    points = []
    for clock, value in enumerate(values):
        y = top + (4 if value else ROW - 6)
        points += [f"{LEFT + CLOCK * clock},{y}", f"{LEFT + CLOCK * (clock + 1)},{y}"]
    return [f'<polyline class="line" points="{" ".join(points)}"/>']


def numbers(values: Sequence[Any], top: int) -> list[str]:
    """Boxes as long as a value holds."""
    parts, start = [], 0
    for clock in range(1, len(values) + 1):
        if clock < len(values) and values[clock] == values[start]:
            continue
        x, width = LEFT + CLOCK * start, CLOCK * (clock - start)
        parts += [
            f'<rect class="box" x="{x}" y="{top + 3}" width="{width}" height="{ROW - 8}"/>',
            f'<text class="mid" x="{x + width / 2:g}" y="{top + 16}">{values[start]}</text>',
        ]
        start = clock
    return parts


def timing(title: str, clocks: range, rows: Sequence[tuple[str, str]], signals: Any) -> str:
    """The timing diagram of some signals in some clocks."""
    bottom = ROW * (len(rows) + 1)
    parts = []
    for column, clock in enumerate(clocks):
        x = LEFT + CLOCK * column
        parts.append(f'<line class="grid" x1="{x}" y1="20" x2="{x}" y2="{bottom}"/>')
        parts.append(f'<text class="mid" x="{x + CLOCK / 2:g}" y="16">{clock}</text>')
    parts.append(f'<text class="name" x="{LEFT - 10}" y="16">clock</text>')
    for row, (name, path) in enumerate(rows, 1):
        top = ROW * row
        # A clock begins at twice its number, with the rising edge.
        values = [int(signals[path].signal.value_at(2 * clock + 1)) for clock in clocks]
        parts.append(f'<text class="name" x="{LEFT - 10}" y="{top + 16}">{name}</text>')
        if signals[path].length == 1:
            parts += one_bit(values, top)
        else:
            parts += numbers([NAMES.get(name, str)(value) for value in values], top)
    return svg(LEFT + CLOCK * len(clocks) + 10, bottom + 8, title, parts)


def box(x: int, y: int, width: int, lines: str, height: int = 44) -> str:
    """A block with its name, and below it what it does."""
    texts = [
        f'<text class="mid" x="{x + width / 2:g}" y="{y + 18 + 16 * n}">{line}</text>'
        for n, line in enumerate(lines.split("|"))
    ]
    frame = f'<rect class="box" x="{x}" y="{y}" width="{width}" height="{height}" rx="4"/>'
    return "\n".join((frame, *texts))


def arrow(*points: tuple[int, int], label: str = "", at: tuple[int, int] = (0, 0)) -> str:
    """A line through points, with a head at the last."""
    (x0, y0), (x1, y1) = points[-2:]
    dx, dy = np.sign(x1 - x0), np.sign(y1 - y0)
    head = [(x1, y1), (x1 - 8 * dx - 4 * dy, y1 - 8 * dy - 4 * dx)]
    head.append((x1 - 8 * dx + 4 * dy, y1 - 8 * dy + 4 * dx))
    path = " ".join(f"{x},{y}" for x, y in points)
    tip = " ".join(f"{x},{y}" for x, y in head)
    text = f'<text class="mid" x="{at[0]}" y="{at[1]}">{label}</text>' if label else ""
    return f'<polyline class="line" points="{path}"/><polygon class="box" points="{tip}"/>{text}'


def tile() -> str:
    """The blocks of a fabric of one tile."""
    parts = [
        box(110, 30, 120, "sequencer|steps, phases"),
        box(300, 30, 80, "arbiter"),
        box(450, 30, 150, "integrate|event to sums"),
        box(450, 130, 150, "fire|sums to spikes"),
        box(300, 130, 90, "emit|spike to|events", 60),
        box(110, 130, 120, "packets out"),
        box(640, 30, 150, "connection table,|weights, sums"),
        box(640, 130, 150, "population table,|bias, state"),
        arrow((20, 52), (110, 52), label="host_in", at=(62, 44)),
        arrow((230, 52), (300, 52), label="event", at=(264, 44)),
        arrow((380, 52), (450, 52), label="event", at=(414, 44)),
        arrow((560, 74), (560, 130), label="sums", at=(582, 106)),
        arrow((490, 130), (490, 74), label="fetch", at=(466, 106)),
        arrow((450, 152), (390, 152), label="spike", at=(412, 144)),
        arrow((345, 130), (345, 74), label="event", at=(370, 106)),
        arrow((300, 152), (230, 152)),
        arrow((110, 152), (20, 152), label="host_out", at=(66, 144)),
        arrow((190, 74), (190, 108), (438, 108), (438, 168), (450, 168)),
        '<text class="mid" x="262" y="100">fire</text>',
        '<polyline class="line" points="600,52 640,52"/>',
        '<polyline class="line" points="600,152 640,152"/>',
    ]
    return svg(810, 210, "Blocks of a fabric of one tile", parts)


def mesh() -> str:
    """The blocks of a mesh of 2 x 2 tiles."""
    parts = [
        box(110, 100, 110, "sequencer|tree of|registers", 60),
        box(640, 100, 100, "collector|to the host"),
        arrow((20, 130), (110, 130), label="host_in", at=(62, 122)),
        arrow((740, 122), (830, 122), label="host_out", at=(786, 114)),
    ]
    for row, y in enumerate((20, 190)):
        for column, x in enumerate((270, 460)):
            parts += [
                box(x, y, 60, "router"),
                box(x + 90, y, 60, f"tile|{2 * row + column}"),
                f'<polyline class="line" points="{x + 60},{y + 22} {x + 90},{y + 22}"/>',
            ]
        under = f"300,{y + 44} 300,{y + 56} 490,{y + 56} 490,{y + 44}"
        out = f"610,{y + 22} 690,{y + 22} 690,{144 if row else 100}"
        parts += [f'<polyline class="line" points="{points}"/>' for points in (under, out)]
    parts += [f'<polyline class="line" points="{x},64 {x},190"/>' for x in (300, 490)]
    parts.append(arrow((220, 120), (245, 120), (245, 42), (270, 42), label="event", at=(240, 30)))
    return svg(850, 260, "Blocks of a mesh of two by two tiles", parts)


def recorded(path: Path) -> dict[str, Any]:
    """The signals of a recorded run of a small network in RTL, by name."""
    rng = np.random.default_rng(7)
    network = spikeloom.Network(
        (spikeloom.Input("in", 6),),
        (spikeloom.Population("out", 6, rng.integers(-5, 6, 6), decay=600, threshold=20),),
        (spikeloom.Connection("in", "out", rng.integers(-20, 50, (6, 6))),),
    )
    events = np.array([[[1, 0, 0, 1, 0, 1], [0, 1, 1, 1, 1, 1], [0] * 6]], np.uint8)
    program = spikeloom.compile(network, {"lanes": 2})
    write_waves(program, events, path)
    return {signal.full_name: signal for signal in pywellen.Waveform(str(path)).all_vars()}


LOAD = (
    *((f"aw{name}", f"bench.top.s_axi__aw{name}") for name in ("valid", "ready", "addr")),
    *((f"w{name}", f"bench.top.s_axi__w{name}") for name in ("valid", "ready", "data")),
    *((f"b{name}", f"bench.top.s_axi__b{name}") for name in ("valid", "resp")),
    ("load.valid", "bench.top.registers.load__valid"),
    ("load address", r"bench.top.registers.\load__word.address"),
    ("tile 0 load.valid", "bench.top.fabric.tile0.load__valid"),
    ("events tvalid", "bench.top.s_axis_events__tvalid"),
    ("host_in.valid", "bench.top.fabric.host_in__valid"),
    ("host_in.ready", "bench.top.fabric.host_in__ready"),
)


@dataclass(frozen=True)
class Sampled:
    """A signal with its value in each clock, as a variable of a recording."""

    length: int
    values: Sequence[int]

    @property
    def signal(self) -> "Sampled":
        """Itself."""
        return self

    def value_at(self, time: int) -> int:
        """A clock takes two units of time."""
        return self.values[time // 2]


def loading(path: Path, clocks: int) -> dict[str, Sampled]:
    """A row is written over AXI4-Lite, and an event comes right behind; two tiles."""
    dut = AxiFabric(FabricConfig(columns=2, lanes=2, neurons=8, weight_words=16, queue=4))
    bus, events = dut.s_axi, dut.s_axis_events
    writes = [(Register.LOAD_ADDRESS, 5), (Register.LOAD_DATA, 77), (Register.LOAD_COMMIT, 0)]

    async def bench(ctx: Any) -> None:
        for signal in (dut.aresetn, bus.bready, dut.m_axis_packets.tready):
            ctx.set(signal, 1)
        ctx.set(bus.wstrb, 15)
        left = iter(writes)
        for clock in range(clocks):
            if ctx.get(bus.awready) or clock == 1:
                register, value = next(left, (None, 0))
                for valid in (bus.awvalid, bus.wvalid):
                    ctx.set(valid, register is not None)
                if register is not None:
                    ctx.set(bus.awaddr, register)
                    ctx.set(bus.wdata, value)
            ctx.set(events.tvalid, clock == 6)
            await ctx.delay(NANOSECOND)
            ctx.set(dut.aclk, 1)
            await ctx.delay(NANOSECOND)
            ctx.set(dut.aclk, 0)

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    with simulator.write_vcd(str(path)):
        simulator.run()
    # In femtoseconds; what an edge acts on is there before it.
    times = [round((2 * clock + 0.5) * NANOSECOND * 1e15) for clock in range(clocks)]
    return {
        variable.full_name: Sampled(
            variable.length, [int(variable.signal.value_at(time)) for time in times]
        )
        for variable in pywellen.Waveform(str(path)).all_vars()
        if variable.full_name in dict(LOAD).values()
    }


def draw() -> dict[str, str]:
    """Every picture, by the name of its file."""
    with tempfile.TemporaryDirectory() as folder:
        signals = recorded(Path(folder) / "run.fst")
        load = loading(Path(folder) / "load.vcd", 12)
    return {
        "tile.svg": tile(),
        "mesh.svg": mesh(),
        "integrate.svg": timing("Events through integrate", range(16), INTEGRATE, signals),
        "fire.svg": timing("A phase of fire", range(12, 31), FIRE, signals),
        "back-pressure.svg": timing("Back-pressure", range(18), BACK_PRESSURE, signals),
        "load.svg": timing("A load word over AXI4-Lite", range(1, 12), LOAD, load),
        **windows(svg),
    }


if __name__ == "__main__":
    FIGURES.mkdir(exist_ok=True)
    for name, text in draw().items():
        (FIGURES / name).write_text(text, encoding="utf-8")
