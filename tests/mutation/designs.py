"""Hardware with its mutants, behind one word of inputs and one of outputs.

As a program it writes the Verilog: mutants are planted while `spikeloom.hdl` is imported, so that
needs a process of its own.
"""

import dataclasses
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mutants
from amaranth import Cat, ClockDomain, Module, Signal, Value

if __name__ == "__main__":
    mutants.install()

from locking import one_at_a_time

from spikeloom.golden.link import LinkConfig
from spikeloom.golden.spec import FabricConfig, LoadTarget
from spikeloom.hdl.axi.axi_fabric import AxiFabric
from spikeloom.hdl.axi.registers import FabricRegisters
from spikeloom.hdl.core.emit import Emit
from spikeloom.hdl.core.learning.learn import Learn
from spikeloom.hdl.core.neuron import NeuronUpdate
from spikeloom.hdl.fabric import Fabric
from spikeloom.hdl.fabric_with_link import FabricWithLink
from spikeloom.hdl.link.event_codes import EventCodes
from spikeloom.hdl.link.executor import Executor
from spikeloom.hdl.link.frame_receiver import FrameReceiver
from spikeloom.hdl.link.frame_sender import FrameSender
from spikeloom.hdl.link.replies import Replies
from spikeloom.hdl.link.result_codes import ResultCodes
from spikeloom.hdl.link.uart import Receiver, Transmitter
from spikeloom.sim import cache, toolchain, verilog
from spikeloom.sim.traffic import rtl
from spikeloom.sim.verilator import build_library

HERE = Path(__file__).parent
TOP = "mutated"
LINK = LinkConfig("test", 12_000_000, 8, 1024, "0123456789abcdef" * 2)
"""That of the link's own tests."""
BAKED = dataclasses.replace(
    LINK,
    baked=(LoadTarget.WEIGHT, LoadTarget.POPULATION, LoadTarget.CONTROL),
    contents="89abcdef" * 4,
)
"""That of a board whose memories hold something from the start."""
RING = 512
"""Bytes of the receive buffer in the tests of frames."""

Port = tuple[str, int]
"""Name and width."""


@dataclass(frozen=True)
class Design:
    """A component with its mutants, compiled.

    Parameters
    ----------
    shared_library
        Path of the shared library with `replay.cpp`.
    inputs, outputs
        The ports in the words of inputs and outputs, the lowest bits first.
    mutants
        The number of each mutant, by its name.
    """

    shared_library: Path
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    mutants: dict[str, int]


def build(
    kind: str,
    config: FabricConfig,
    modules: tuple[str, ...] = ("",),
    dead: Sequence[str] = (),
) -> Design:
    """The component of a kind with the mutants of some modules, cached.

    The names of those modules begin with one of `modules`. Of the mutants, `dead` are not planted.
    """
    choice = json.dumps([modules, sorted(dead)])
    sources = [path.read_text(encoding="utf-8") for path in (HERE / "mutants.py", Path(__file__))]

    def make(directory: Path) -> None:
        (directory / "choice.json").write_text(choice, encoding="utf-8")
        command = [sys.executable, str(HERE / "designs.py"), kind, config.to_json(), str(directory)]
        toolchain.run(
            command,
            {
                "PYTHONPATH": os.pathsep.join(sys.path),
                "PYTHONSAFEPATH": "",
            },
        )

    key = cache.digest(kind, config.to_json(), choice, *sources, *verilog._sources())
    directory = cache.cached("mutants", key, make)
    ports = json.loads((directory / "ports.json").read_text(encoding="utf-8"))
    driver = (HERE / "replay.cpp").read_text(encoding="utf-8")
    text = (directory / "mutated.v").read_text(encoding="utf-8")
    with one_at_a_time(key):
        library = build_library(text, TOP, driver, waivers=("-Wno-lint",))
    return Design(
        library,
        *(tuple(map(tuple, ports[name])) for name in ("inputs", "outputs")),
        ports["mutants"],
    )


AXI = AxiFabric | FabricRegisters
Ports = list[tuple[str, Value]]


def separator(design: Any) -> str:
    """What joins the parts of a path to the name of a port."""
    return "_" if isinstance(design, AXI) else "__"


def _component(design: Any) -> tuple[Module, Value, Ports, Ports]:
    """A component: the module around it, its clock, inputs and outputs."""
    m = Module()
    m.submodules.design = design
    domain = ClockDomain("sync")
    inputs: Ports = []
    outputs: Ports = []
    if not isinstance(design, AxiFabric):  # it has a domain of its own
        m.domains.sync = domain
        inputs.append(("rst", domain.rst))
    for path, member, value in design.signature.flatten(design):
        name = separator(design).join(path)
        if name == "aclk":
            m.d.comb += value.eq(domain.clk)
        else:
            (inputs if member.flow.name == "In" else outputs).append((name, Value.cast(value)))
    return m, domain.clk, inputs, outputs


def _mesh(config: FabricConfig) -> tuple[Module, Value, Ports, Ports]:
    m, (clk, *inputs, _, probe) = rtl.bench(config)
    return m, clk, [(signal.name, signal) for signal in inputs], [("probe", probe)]


KINDS: dict[str, Callable[[FabricConfig], tuple[Module, Value, Ports, Ports]]] = {
    "fabric": lambda config: _component(Fabric(config, probe=True)),
    "status": lambda config: _component(Fabric(config, status=True)),
    "mesh": _mesh,
    "link": lambda config: _component(FabricWithLink(config, LINK)),
    "axi": lambda config: _component(AxiFabric(config)),
    "emit": lambda config: _component(Emit(config)),
    "learn": lambda config: _component(Learn(config)),
    "neuron": lambda config: _component(NeuronUpdate(config)),
    "registers": lambda config: _component(FabricRegisters(config)),
    "uart receiver": lambda config: _component(Receiver(LINK.clocks_per_bit)),
    "uart transmitter": lambda config: _component(Transmitter(LINK.clocks_per_bit)),
    "frame receiver": lambda config: _component(FrameReceiver(RING)),
    "frame sender": lambda config: _component(FrameSender()),
    "event codes": lambda config: _component(EventCodes(config)),
    "result codes": lambda config: _component(ResultCodes(config)),
    "executor": lambda config: _component(Executor(config, LINK)),
    "executor, baked": lambda config: _component(Executor(config, BAKED)),
    "replies": lambda config: _component(Replies()),
}
"""What can be built, by name."""


def main() -> None:
    """Write the Verilog of a component, its ports and its mutants into a directory."""
    kind, sizes, directory = sys.argv[1:]
    config = FabricConfig.from_json(sizes)
    choice = json.loads(Path(directory, "choice.json").read_text(encoding="utf-8"))
    mutants.modules, mutants.dead = tuple(choice[0]), frozenset(choice[1])
    m, clk, *sides = KINDS[kind](config)
    signals, about = [clk], {}
    for name, ports in zip(("inputs", "outputs"), sides, strict=True):
        about[name] = [(port, len(value)) for port, value in ports]
        word = Signal(sum(len(value) for _, value in ports), name=name)
        values = Cat(value for _, value in ports)
        m.d.comb += values.eq(word) if name == "inputs" else word.eq(values)
        signals.append(word)
    # The mutant is in a register of its own clock. If it came from an input, Verilator would
    # evaluate everything that depends on it, which is all, twice as often.
    chosen = Signal(mutants.SELECT_BITS, name="select")
    m.domains.choice = choice = ClockDomain("choice", reset_less=True)
    m.d.choice += mutants.SELECT.eq(chosen)
    text = verilog.generate("mutants", config, m, TOP, [*signals, chosen, choice.clk])
    # A process that reads nothing would never run.
    text = re.sub(r"always @\*\n(?=\s+\S+ = \d+'h\w+;\n)", "initial\n", text)
    Path(directory, "mutated.v").write_text(text, encoding="utf-8")
    about["mutants"] = mutants.numbers
    Path(directory, "ports.json").write_text(json.dumps(about), encoding="utf-8")


if __name__ == "__main__":
    main()
