"""Building blocks of the specifications: sizes, faults, claims about streams and arbiters."""

import inspect
import sys
from collections.abc import Sequence
from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.hdl import Assert, Assume, Cover
from amaranth.lib import stream, wiring

from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.core.neuron import NeuronUpdate
from spikeloom.sim.formal import fixed, free


def tiny(**sizes: int) -> FabricConfig:
    """The smallest fabric; packet contents beyond route and slot do not steer packets."""
    return FabricConfig(
        **{
            "lanes": 1,
            "weight_bits": 2,
            "state_bits": 8,
            "sum_bits": 8,
            "neurons": 2,
            "weight_words": 2,
            "slots": 2,
            "axons": 2,
            "populations": 1,
            "connections": 1,
            "targets": 1,
            "queue": 1,
            "counter_bits": 16,
            "routes": 2,
            "buffer": 3,
            **sizes,
        }
    )


def broken(component: type, right: str, wrong: str, **names: Any) -> Any:
    """`component` with one fault: `wrong` instead of `right`, once, in the text of its module.

    `names` replaces global names of that module, too.
    """
    module = sys.modules[component.__module__]
    text = inspect.getsource(module)
    if text.count(right) != 1:
        raise ValueError(f"{right!r} is {text.count(right)} times in {component.__module__}")
    return _variant(component, text.replace(right, wrong), names)


def using(component: type, **names: Any) -> Any:
    """`component` with global names of its module replaced."""
    return _variant(component, inspect.getsource(sys.modules[component.__module__]), names)


def _variant(component: type, text: str, names: dict[str, Any]) -> Any:
    scope = {"__name__": component.__module__}
    exec(compile(text, f"<variant of {component.__module__}>", "exec"), scope)
    if unknown := names.keys() - scope.keys():
        raise ValueError(f"no {', '.join(sorted(unknown))} in {component.__module__}")
    scope.update(names)
    return scope[component.__name__]


class AnyUpdate(NeuronUpdate):
    """Replaces the neuron update: any neuron of a population that spikes may spike."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self.spiked.eq(Mux(self.row.spiking, free(m, self.spiked.shape(), "any_spike"), 0)),
            self.v_next.eq(free(m, self.v_next.shape(), "any_state")),
        ]
        if self.config.synaptic_current:
            m.d.comb += self.i_next.eq(free(m, self.i_next.shape(), "any_current"))
        if self.config.kept_row.fields:
            m.d.comb += self.kept_next.eq(free(m, self.kept_next.shape(), "any_kept"))
        if self.config.selection:
            m.d.comb += [
                self.remains.eq(free(m, 1, "any_candidate")),
                self.potential.eq(free(m, self.potential.shape(), "any_potential")),
            ]
        return m


def transfer(port: stream.Interface) -> Any:
    """A transfer in this clock."""
    return port.valid & port.ready


def holds(m: Module, port: stream.Interface) -> Any:
    """Valid and payload are stable since the previous clock, unless it had a transfer."""
    waiting = Signal()
    before = Signal(len(port.p.as_value()))
    m.d.sync += [waiting.eq(port.valid & ~port.ready), before.eq(port.p)]
    return ~waiting | (port.valid & (port.p.as_value() == before))


def beside_fire(m: Module, dut: Any, config: FabricConfig) -> Signal:
    """Give `Fire` any commands, sums and load words, and a queue; returns the entries in it."""
    inside = Signal(range(config.queue + 2))
    popped = Signal()
    m.d.comb += [
        popped.eq(free(m, 1, "pop") & (inside != 0)),
        dut.popped.eq(popped),
        dut.command.valid.eq(free(m, 1, "start") & dut.idle),
        dut.command.p.eq(free(m, struct(config.fire), "command")),
        dut.fetch.sums.eq(free(m, config.lanes * config.sum_bits, "sums")),
        dut.load.valid.eq(free(m, 1, "load_valid")),
        dut.load.word.eq(free(m, struct(config.load), "load")),
    ]
    m.d.sync += inside.eq(inside + dut.spike_valid - popped)
    return inside


def in_turn(m: Module, requests: Value, grant: Value, weights: Sequence[int]) -> None:
    """Claims that grants rotate and that every turn is as long as its weight.

    Follows an arbitrary request. `waited` counts the grants to others while it requests. `run`
    counts its own consecutive grants while it requests, since the last grant to another, where a
    turn begins.
    """
    count = len(weights)
    chosen = fixed(m, range(count), "chosen")
    total = sum(weights)
    waited = Signal(range(total + 2))
    run = Signal(range(max(weights) + 1))
    other = Signal()  # the last grant was to another
    m.d.comb += Assume(chosen < count)
    with m.Switch(chosen):
        for number, weight in enumerate(weights):
            with m.Case(number):
                asks, served = requests[number], grant[number]
                limit = total - weight
                with m.If(served | ~asks):
                    m.d.sync += waited.eq(0)
                with m.Elif(grant.any()):
                    m.d.sync += waited.eq(Mux(waited > limit, waited, waited + 1))
                with m.If(grant.any()):
                    m.d.sync += other.eq(~served)
                began = (run != 0) & (run < weight)
                with m.If(served):
                    m.d.sync += run.eq(Mux(began, run + 1, other | (run == weight)))
                with m.Elif(grant.any() | ~asks):
                    m.d.sync += run.eq(0)
                m.d.comb += [
                    Assert(waited <= limit, "others have no more than their weights before it"),
                    Assert(~(began & asks & grant.any()) | served, "its turn lasts"),
                    Cover(served & (waited == limit), f"{number} waits as long as it may"),
                ]


class ConstantTable(wiring.Component):
    """Replaces a router's table by a constant one with arbitrary contents.

    The data of the load word holds the whole table, row 0 in the lowest bits.
    """

    def __init__(self, shape: Any, depth: int, contents: Sequence[int]) -> None:
        assert not contents
        self.shape = shape
        self.depth = depth
        address = (depth - 1).bit_length()
        self._read = wiring.Signature(
            {"addr": wiring.Out(address), "en": wiring.Out(1), "data": wiring.In(shape)}
        ).create()
        rows = depth * shape.size
        self._write = wiring.Signature(
            {"addr": wiring.Out(address), "en": wiring.Out(1), "data": wiring.Out(rows)}
        ).create()
        super().__init__({})

    def read_port(self) -> Any:
        return self._read

    def write_port(self) -> Any:
        return self._write

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.If(self._read.en):
            row = self._write.data.word_select(self._read.addr, self.shape.size)
            m.d.sync += self._read.data.eq(row)
        return m


def altered(function: Any, plain: str, hooked: str) -> Any:
    """`function` of a module whose text is replaced."""
    text = inspect.getsource(sys.modules[function.__module__])
    if text.count(plain) != 1:
        raise ValueError(f"{plain!r} is {text.count(plain)} times in {function.__module__}")
    namespace: dict[str, Any] = {"__name__": function.__module__}
    exec(compile(text.replace(plain, hooked), "altered", "exec"), namespace)
    return namespace[function.__name__]


def opened(component: type, hooks: dict[str, str], **names: Any) -> Any:
    """`component` with internals visible to a proof: elaborated on creation, with text replaced."""
    text = inspect.getsource(sys.modules[component.__module__])
    for plain, hooked in hooks.items():
        if text.count(plain) != 1:
            raise ValueError(f"{plain!r} is {text.count(plain)} times in {component.__module__}")
        text = text.replace(plain, hooked)
    base = _variant(component, text, names)

    class Opened(base):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self._module = super().elaborate(None)

        def elaborate(self, platform: object) -> Module:
            return self._module

    return Opened
