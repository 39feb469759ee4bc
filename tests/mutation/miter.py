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
from amaranth import (
    Cat,
    ClockSignal,
    Const,
    DomainRenamer,
    Elaboratable,
    Module,
    Mux,
    Signal,
    Value,
)
from amaranth.hdl import Assert, Assume
from amaranth.lib.wiring import Out

if __name__ == "__main__":
    mutants.install()

from specs import tiny

from spikeloom.golden.link import LinkConfig
from spikeloom.golden.spec import SWITCHES, Port
from spikeloom.hdl.axi.axi_fabric import AxiFabric
from spikeloom.hdl.common.queue import Queue
from spikeloom.hdl.core import fire
from spikeloom.hdl.core.address_generation import AddressGeneration
from spikeloom.hdl.core.emit import Emit
from spikeloom.hdl.core.fire import Fire
from spikeloom.hdl.core.integrate import Integrate
from spikeloom.hdl.core.learning.axons import Axons
from spikeloom.hdl.core.learning.kernel_walk import KernelWalk
from spikeloom.hdl.core.learning.learn import Learn
from spikeloom.hdl.core.learning.synapses import Synapses
from spikeloom.hdl.core.neuron import NeuronUpdate
from spikeloom.hdl.core.noise import NoiseSource
from spikeloom.hdl.core.select import Select
from spikeloom.hdl.core.spike_rows import SpikeRows
from spikeloom.hdl.core.walk import ImageWalk
from spikeloom.hdl.link.answers import Answers
from spikeloom.hdl.link.checksum import Checksum
from spikeloom.hdl.link.cobs_decoder import CobsDecoder
from spikeloom.hdl.link.event_codes import EventCodes
from spikeloom.hdl.link.executor import Executor
from spikeloom.hdl.link.frame_reader import FrameReader
from spikeloom.hdl.link.frame_receiver import FrameReceiver
from spikeloom.hdl.link.frame_sender import FrameEncoder, FrameSender
from spikeloom.hdl.link.loader import Loader
from spikeloom.hdl.link.packet_distance import PacketDistance
from spikeloom.hdl.link.reader import Reader
from spikeloom.hdl.link.replies import Replies
from spikeloom.hdl.link.result_codes import ResultCodes
from spikeloom.hdl.link.uart import Receiver, Transmitter
from spikeloom.hdl.mesh.router import RouterInput
from spikeloom.hdl.sequencer import Sequencer
from spikeloom.sim import formal
from spikeloom.sim.formal import MERGED, Mode, free, verify

LINK = LinkConfig("test", 12_000_000, 4)
RING = 8
"""Bytes of a receive buffer; a real one is larger, which changes nothing but the widths."""

_any: list[Value] = []
"""What the outputs of each `AnyUpdate` are, the same for both."""


class AnyUpdate(NeuronUpdate):
    """Replaces the neuron update in fire: any neuron may spike."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if _any:
            _any.append(bits := _any.pop(0))  # the next one is of the next fire lane
            m.d.comb += self.outputs.eq(bits)
        return m

    @property
    def outputs(self) -> Value:
        """All of them."""
        flat = self.signature.flatten(self)
        return Cat(Value.cast(value) for _, member, value in flat if member.flow is Out)


IMAGES = {"lanes": 2, "neurons": 4, "queue": 4, "extent": 2, "coordinates": 2}
PLASTIC = {"plasticity": True, "rules": 1, "rule_terms": 1, "plastic_axons": 2}
LANES = {"lanes": 2, "fire_lanes": 2, "neurons": 4, "queue": 4}

COMPONENTS: dict[str, Any] = {
    "address_generation": lambda: AddressGeneration(
        tiny(readable=True, sparse_words=2, coordinates=2)
    ),
    "emit": lambda: Emit(tiny(queue=2, targets=2, readable=True)),
    "fire": lambda: Fire(tiny(lanes=2, neurons=4, queue=4)),
    "fire_lanes": lambda: Fire(tiny(**LANES, schedules=True, populations=2)),
    "fire_images": lambda: Fire(tiny(**IMAGES)),
    "schedule": lambda: Fire(tiny(populations=2, schedules=True)),
    "integrate": lambda: Integrate(tiny(lanes=2, neurons=4, connections=2, queue=2, readable=True)),
    "amount": lambda: Integrate(
        tiny(lanes=2, neurons=4, connections=2, queue=2, graded_bits=2, signed_spikes=True)
    ),
    "neuron": lambda: NeuronUpdate(tiny(multipliers=False, lower_clamp=True, requantise=True)),
    "selecting": lambda: NeuronUpdate(tiny(multipliers=False, selection=True)),
    "switches": lambda: NeuronUpdate(
        tiny(multipliers=False, **dict.fromkeys(SWITCHES, True), delayed_reset=True)
    ),
    "signed": lambda: NeuronUpdate(tiny(signed_spikes=True, max_spikes=3, delayed_reset=True)),
    "plastic": lambda: NeuronUpdate(tiny(**PLASTIC, multipliers=False)),
    "noise": lambda: NoiseSource(tiny(noise=True)),
    "select": lambda: Select(tiny(selection=True, neurons=4)),
    "select_images": lambda: Select(tiny(selection=True, **IMAGES)),
    "axons": lambda: Axons(tiny(**PLASTIC)),
    "learn": lambda: Learn(tiny(**PLASTIC | {"rules": 2}, stamp_bits=8)),
    "kernel_walk": lambda: KernelWalk(
        tiny(**PLASTIC, extent=2, coordinates=2, plastic_kernels=True)
    ),
    "synapses": lambda: Synapses(tiny(**PLASTIC)),
    "spike_rows": lambda: SpikeRows(tiny(**LANES)),
    "walk": lambda: ImageWalk(tiny(lanes=2, neurons=4, queue=2, extent=2, coordinates=2)),
    "queue": lambda: Queue(2, 3),
    "router": lambda: RouterInput(tiny(columns=2), (Port.EAST, Port.LOCAL)),
    "sequencer": lambda: Sequencer(tiny(columns=2, slots=3)),
    "quick_sequencer": lambda: Sequencer(tiny(**LANES, columns=2, slots=3)),
    "axi_fabric": lambda: AxiFabric(tiny()),
    "answers": lambda: Answers(tiny(), LINK),
    "checksum": Checksum,
    "cobs_decoder": CobsDecoder,
    "event_codes": lambda: EventCodes(tiny(extent=2, coordinates=2)),
    "executor": lambda: Executor(tiny(readable=True), LINK),
    "frame_encoder": FrameEncoder,
    "frame_reader": lambda: FrameReader(RING),
    "frame_receiver": lambda: FrameReceiver(RING),
    "frame_sender": FrameSender,
    "loader": lambda: Loader(tiny()),
    "packet_distance": lambda: PacketDistance(tiny(extent=2, coordinates=2)),
    "reader": lambda: Reader(tiny(readable=True)),
    "replies": Replies,
    "result_codes": lambda: ResultCodes(tiny(neurons=300, traces=True, synaptic_current=True)),
    "uart_receiver": lambda: Receiver(4),
    "uart_transmitter": lambda: Transmitter(4),
}


APART = {CobsDecoder: 2, FrameReceiver: 12}
"""Clocks from a byte of the line to the next one, at least."""


def assume(m: Module, component: Any) -> None:
    """What is around a component keeps to its contract."""
    if type(component).__module__.startswith("spikeloom.hdl.link."):
        _assume_bytes(m, component)
        return
    if isinstance(component, NeuronUpdate) and component.config.selection:
        # A competition has a winner only in walks that decide on candidates.
        clocks = Signal(range(component.latency + 1))  # of such a walk
        decides = component.settled & component.row.selection
        m.d.sync += clocks.eq(Mux(decides, Mux(clocks < component.latency, clocks + 1, clocks), 0))
        m.d.comb += Assume(~component.won | (decides & (clocks == component.latency)))
    if isinstance(component, NeuronUpdate) and component.config.plasticity:
        # A row keeps its bit while its neurons are in the pipeline, and what it wrote.
        on, kept = component.row.plasticity, component.kept
        before = Signal(init=1)
        m.d.sync += before.eq(0)
        was_on = Signal()
        m.d.sync += was_on.eq(on)
        m.d.comb += [
            Assume(before | (on == was_on)),
            Assume(on | ((kept.plasticity_recent == 0) & ~kept.plasticity_spiked)),
        ]
    if isinstance(component, KernelWalk):
        m.d.comb += Assume(component.go | ~component.start)  # no scan waits before it begins
    if isinstance(component, Axons):
        # A note is written of an axon that has not spiked in this step, and outside of scans, where
        # nothing waits.
        before, known = Signal(), Signal(init=1)
        m.d.sync += [before.eq(component.scans), known.eq(component.known)]
        m.d.comb += [
            Assume(component.go | component.scans),
            Assume(~component.noted | ~(component.scans | before | known)),
        ]
    quick = isinstance(component, Fire) and component.config.fire_lanes > 1
    if quick:
        # The sequencer goes on to another slot when the phase is over.
        slot = Signal.like(component.command.p.slot)
        with m.If(component.command.valid):
            m.d.sync += slot.eq(component.command.p.slot)
        m.d.comb += Assume(component.idle | (component.command.p.slot == slot))
    reads = component.read.active if hasattr(component, "read") else Const(0)
    if hasattr(component, "load"):
        m.d.comb += Assume(~(component.load.valid & reads))
    if hasattr(component, "idle") or hasattr(component, "occupied"):
        works = ~component.idle if hasattr(component, "idle") else component.occupied
        if quick:  # the last neurons may still be in the pipeline
            clocks = component.config.fire_clocks
            rested = Signal(range(clocks + 1), init=clocks)
            m.d.sync += rested.eq(Mux(works, 0, Mux(rested < clocks, rested + 1, rested)))
            works = works | (rested < clocks)
        m.d.comb += Assume(~works | ~(component.load.valid | reads))
    if hasattr(component, "command"):
        m.d.comb += Assume(~component.command.valid | (component.idle & ~component.load.valid))


def _assume_bytes(m: Module, component: Any) -> None:
    """Bytes come no faster than they can."""
    if isinstance(component, Checksum):
        m.d.comb += Assume(component.idle | ~component.valid)
    if type(component) in APART:
        wait = Signal(range(APART[type(component)]))
        m.d.comb += Assume((wait == 0) | ~component.valid)
        with m.If(component.valid):
            m.d.sync += wait.eq(APART[type(component)] - 1)
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)


class Miter(Elaboratable):
    """A component, and the same with one mutant."""

    def __init__(self, component: str, number: int) -> None:
        self.pair = COMPONENTS[component](), COMPONENTS[component]()
        self.number = number

    def elaborate(self, platform: object) -> Module:
        m = Module()
        written, mutant = self.pair
        if isinstance(written, Fire):
            bits = len(AnyUpdate(written.config).outputs)
            lanes = range(written.config.fire_lanes)
            _any[:] = [free(m, bits, f"any_update{lane}") for lane in lanes]
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
                equal = equal | ~valid[1].any()
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
