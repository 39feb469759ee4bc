"""Whether a mutant of a component can be told from the component, whatever is around it.

Run as a program, with the names of a component and of its mutants, it prints a verdict for each.

Both get the same inputs, any on every clock, but that memories are written and read, and commands
come, only at rest. Proved is that all their outputs are always equal, payloads where they are
valid; without a bound, by property-directed reachability.
"""

import json
import re
import sys
from typing import Any

import mutants
from amaranth import ClockSignal, Const, DomainRenamer, Elaboratable, Module, Value
from amaranth.hdl import Assert, Assume

if __name__ == "__main__":
    mutants.install()

from specs import tiny

from spikeloom.golden.spec import Port
from spikeloom.hdl.axi.axi_fabric import AxiFabric
from spikeloom.hdl.common.queue import Queue
from spikeloom.hdl.core import fire
from spikeloom.hdl.core.address_generation import AddressGeneration
from spikeloom.hdl.core.emit import Emit
from spikeloom.hdl.core.fire import Fire
from spikeloom.hdl.core.integrate import Integrate
from spikeloom.hdl.core.neuron import NeuronUpdate
from spikeloom.hdl.core.walk import ImageWalk
from spikeloom.hdl.mesh.router import RouterInput
from spikeloom.hdl.sequencer import Sequencer
from spikeloom.sim import formal
from spikeloom.sim.formal import MERGED, Mode, free, verify

_any: dict[str, Any] = {}
"""What `AnyUpdate` gives, the same to both."""


class AnyUpdate(NeuronUpdate):
    """Replaces the neuron update in fire: any neuron may spike."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [self.spiked.eq(_any.get("spiked", 0)), self.v_next.eq(_any.get("v_next", 0))]
        return m


COMPONENTS: dict[str, Any] = {
    "address_generation": lambda: AddressGeneration(
        tiny(readable=True, sparse_words=2, coordinates=2)
    ),
    "emit": lambda: Emit(tiny(queue=2, targets=2, readable=True)),
    "fire": lambda: Fire(tiny(lanes=2, neurons=4, queue=4)),
    "integrate": lambda: Integrate(tiny(lanes=2, neurons=4, connections=2, queue=2, readable=True)),
    "neuron": lambda: NeuronUpdate(tiny(multipliers=False, lower_clamp=True, requantise=True)),
    "walk": lambda: ImageWalk(tiny(lanes=2, neurons=4, queue=2, extent=2, coordinates=2)),
    "queue": lambda: Queue(2, 3),
    "router": lambda: RouterInput(tiny(columns=2), (Port.EAST, Port.LOCAL)),
    "sequencer": lambda: Sequencer(tiny(columns=2, slots=3)),
    "axi_fabric": lambda: AxiFabric(tiny()),
}


def assume(m: Module, component: Any) -> None:
    """What is around a component keeps to its contract."""
    reads = component.read.active if hasattr(component, "read") else Const(0)
    if hasattr(component, "load"):
        m.d.comb += Assume(~(component.load.valid & reads))
    if hasattr(component, "idle") or hasattr(component, "occupied"):
        works = ~component.idle if hasattr(component, "idle") else component.occupied
        m.d.comb += Assume(~works | ~(component.load.valid | reads))
    if hasattr(component, "command"):
        m.d.comb += Assume(~component.command.valid | (component.idle & ~component.load.valid))


class Miter(Elaboratable):
    """A component, and the same with one mutant."""

    def __init__(self, component: str, number: int) -> None:
        self.pair = COMPONENTS[component](), COMPONENTS[component]()
        self.number = number

    def elaborate(self, platform: object) -> Module:
        m = Module()
        written, mutant = self.pair
        _any["spiked"] = free(m, 1, "any_spike")
        _any["v_next"] = free(m, 8, "any_state")
        sides = mutants.elaborated(written, 0), mutants.elaborated(mutant, self.number)
        if isinstance(written, AxiFabric):  # it has a domain of its own
            sides = DomainRenamer("axi")(sides[0]), DomainRenamer("axi")(sides[1])
        m.submodules.written, m.submodules.mutant = sides
        ports = [
            {path: (member.flow.name, Value.cast(value)) for path, member, value in members}
            for members in (design.signature.flatten(design) for design in self.pair)
        ]
        for path, (flow, value) in ports[0].items():
            other = ports[1][path][1]
            if path == ("aclk",):
                m.d.comb += [value.eq(ClockSignal()), other.eq(ClockSignal())]
                continue
            if flow == "In":
                both = free(m, len(value), "_".join(map(str, path)))
                m.d.comb += [value.eq(both), other.eq(both)]
                continue
            valid = ports[0].get((*path[:-1], "valid"), ("In", None))
            equal = value == other
            if valid[0] == "Out" and path[-1] not in ("valid", "ready"):
                equal = equal | ~valid[1]
            m.d.comb += Assert(equal, "_".join(map(str, path)))
        assume(m, written)
        return m


def _netlist(spec: Any) -> str:
    """As `formal.netlist`; what memories read before the first clock is 0, not anything."""
    return re.sub(
        r"(?<=parameter \\INIT_VALUE )(\d+)'x+", lambda x: f"{x[1]}'{'0' * int(x[1])}", plain(spec)
    )


plain = formal.netlist


def main() -> None:
    """Print a verdict for each mutant."""
    formal.netlist = _netlist
    fire.NeuronUpdate = AnyUpdate
    component, *names = sys.argv[1:]
    mutants.elaborated(COMPONENTS[component](), 0)
    for name in names:
        number = mutants.numbers.get(name)
        verdict = "absent"
        if number is not None:
            verdict = verify(Miter(component, number), Mode.PROVE, engine=MERGED).status
        print(json.dumps([name, verdict]), flush=True)


if __name__ == "__main__":
    main()
