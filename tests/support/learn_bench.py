"""Learn alone in Amaranth's simulator, between memories of weights and states in Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from amaranth.sim import Simulator

from spikeloom.golden.spec import FabricConfig, Factor, Gate, LoadTarget, Rounding
from spikeloom.hdl.core.learning.learn import Learn

Row = Mapping[str, int]
Notes = Sequence[tuple[int, int]]

CONFIG = FabricConfig(
    lanes=4,
    neurons=16,
    weight_words=64,
    axons=32,
    queue=8,
    plasticity=True,
    rules=2,
    plastic_axons=40,
    stamp_bits=8,
    quadratic_bounds=True,
)
RULE = {"groups": 1, "sources": 20, "neurons": 4, "lowest": -128, "highest": 127}
RULE |= {"rounding": Rounding.FLOOR}
TERM = {"pre_gate": Gate.ALWAYS, "post_gate": Gate.ALWAYS, "lower": -32768, "upper": 32767}
TERM |= {"trace_highest": 255, "left": Factor.CONSTANT, "constant": 1}


@dataclass
class Bench:
    """What is done to learn, and what it does.

    Parameters
    ----------
    config
        Sizes.
    rows
        Rows that are loaded, by target and address.
    states
        Rows of the state memory, unpacked.
    weights
        Words of weights: a list of lanes each.
    random_state
        The random state of the step.

    Attributes
    ----------
    reads, writes
        Clocks since the last command, and addresses, of reads and writes of weights.
    axons, traces
        Address and data of each write to AXON that is not 0, and to TRACE.
    idle_after
        Clocks from the last command until learn was idle.
    updates
        Of all clocks.
    notes_taken
        Clock of each note, counted from the first one.
    cleared
        Rows of AXON that became 0.
    late
        A note that comes with each command.
    """

    config: FabricConfig = CONFIG
    rows: dict[tuple[LoadTarget, int], Row] = field(default_factory=dict)
    states: dict[int, Row] = field(default_factory=dict)
    weights: list[list[int]] = field(default_factory=list)
    random_state: int = 0
    reads: list[tuple[int, int]] = field(default_factory=list)
    writes: list[tuple[int, int]] = field(default_factory=list)
    axons: list[tuple[int, int]] = field(default_factory=list)
    axon_clocks: list[int] = field(default_factory=list)
    traces: list[tuple[int, int]] = field(default_factory=list)
    trace_clocks: list[int] = field(default_factory=list)
    idle_after: int = 0
    updates: int = 0
    notes_taken: list[int] = field(default_factory=list)
    cleared: list[int] = field(default_factory=list)
    late: tuple[int, int] | None = None

    def rule(self, at: int = 0, *terms: Row, **fields: int) -> None:
        """Load a rule and its terms; one that is not given is closed."""
        self.rows[LoadTarget.RULE, at] = {**RULE, **fields}
        for k in range(self.config.rule_terms):
            term = {**TERM, **terms[k]} if k < len(terms) else {} if k else TERM
            self.rows[LoadTarget.TERM, at * self.config.rule_terms + k] = term

    def curve(self, rows: Mapping[int, Row]) -> None:
        """Load what rule 0 makes of some ages."""
        for age, fields in rows.items():
            self.rows[LoadTarget.CURVE, age] = fields

    def run(self, *steps: Notes, ends: bool = False, groups: Sequence[int] = (0,)) -> None:
        """Learn from steps, each with its notes (rule, axon); `groups` are touched in each.

        With `ends` the last one is the last one of its sample.
        """
        run_all([self], *steps, ends=ends, groups=groups)

    async def play(
        self, ctx: Any, dut: Learn, steps: Sequence[Notes], ends: bool, groups: Sequence[int]
    ) -> None:
        """Drive learn, as `run` says."""
        await self._load(ctx, dut)
        for number, notes in enumerate(steps):
            await self._note(ctx, dut, notes)
            for group in groups:
                ctx.set(dut.touches, 1)
                ctx.set(dut.written, group * self.config.lanes)
                await self._clock(ctx, dut)
            ctx.set(dut.touches, 0)
            await self._learn(ctx, dut, ends and number == len(steps) - 1)

    async def _load(self, ctx: Any, dut: Learn) -> None:
        """After a group was touched, which LEARN forgets; LEARN again while it clears; then a word
        that is not valid.
        """
        layout = self.config.load
        ctx.set(dut.touches, 1)
        await self._clock(ctx, dut)
        ctx.set(dut.touches, 0)
        ctx.set(dut.random_state, self.random_state)
        learn = {(LoadTarget.LEARN, 0): {"learning": 1}}
        for (target, address), fields in (self.rows | learn).items():
            data = self.config.memories[target].row.pack(fields)
            word = {"target": target, "address": address, "data": data}
            ctx.set(dut.load.word.as_value(), layout.pack(word))
            ctx.set(dut.load.valid, 1)
            await self._clock(ctx, dut)
        for again in (0, 0, 0, 1):
            ctx.set(dut.load.valid, again)
            await self._clock(ctx, dut)
        ctx.set(dut.load.valid, 0)
        word = {"target": LoadTarget.CURVE, "address": 1, "data": (1 << 24) - 1}
        ctx.set(dut.load.word.as_value(), layout.pack(word))
        for _ in range(self.config.plastic_axons):
            await self._clock(ctx, dut)

    async def _note(self, ctx: Any, dut: Learn, notes: Sequence[tuple[int, int]]) -> None:
        """As integrate does: a note in every clock in which there is room."""
        waiting = list(notes)
        self._since = 0
        self.notes_taken.clear()
        self.axon_clocks.clear()
        while waiting:
            assert ctx.get(dut.notes.learning)
            taken = not ctx.get(dut.notes.full)
            ctx.set(dut.notes.valid, taken)
            ctx.set(dut.notes.p.rule, waiting[0][0])
            ctx.set(dut.notes.p.axon, waiting[0][1])
            if taken:
                self.notes_taken.append(self._since)
                waiting.pop(0)
            await self._clock(ctx, dut)
        ctx.set(dut.notes.valid, 0)
        self._still = 0

    async def _learn(self, ctx: Any, dut: Learn, ends: bool) -> None:
        while not self._quiet:
            await self._clock(ctx, dut)
        assert ctx.get(dut.idle)
        self.reads.clear()
        self.writes.clear()
        self.traces.clear()
        self.trace_clocks.clear()
        self._since = 0
        ctx.set(dut.command.valid, 1)
        ctx.set(dut.command.ends, ends)
        if self.late is not None:
            ctx.set(dut.notes.valid, 1)
            ctx.set(dut.notes.p.rule, self.late[0])
            ctx.set(dut.notes.p.axon, self.late[1])
        await self._clock(ctx, dut)
        ctx.set(dut.command.valid, 0)
        ctx.set(dut.notes.valid, 0)
        while not ctx.get(dut.idle):
            await self._clock(ctx, dut)
        self.idle_after = self._since
        if ends:
            for _ in range(self.config.plastic_axons):
                await self._clock(ctx, dut)

    _since = 0
    _still = 0

    @property
    def _quiet(self) -> bool:
        """Nothing has been written for longer than notes take."""
        return self._still > 10

    async def _clock(self, ctx: Any, dut: Learn) -> None:
        """Look at a clock, let it pass, and answer what was asked in it."""
        port = dut.weights
        address, state = ctx.get(port.address), ctx.get(dut.states.address)
        word = self.weights[address] if address < len(self.weights) else [0] * self.config.lanes
        to_write = ctx.get(port.write_address) if self.config.two_ports else address
        if ctx.get(dut.weight_read) and ctx.get(port.write):
            assert self.config.two_ports
            assert to_write != address
        if ctx.get(dut.weight_read):
            assert ctx.get(port.active)
            self.reads.append((self._since, address))
        written = None
        if ctx.get(port.write):
            assert ctx.get(port.active)
            self.writes.append((self._since, to_write))
            written = [ctx.get(port.data[lane]) for lane in range(self.config.lanes)]
        self._still += 1
        for write, memory, clocks in (
            (dut.axon_write, self.axons, self.axon_clocks),
            (dut.trace_write, self.traces, self.trace_clocks),
        ):
            if ctx.get(write.valid):
                self._still = 0
                if memory is self.traces or ctx.get(write.data):
                    memory.append((ctx.get(write.address), ctx.get(write.data)))
                    clocks.append(self._since)
        if ctx.get(dut.axon_write.valid) and not ctx.get(dut.axon_write.data):
            self.cleared.append(ctx.get(dut.axon_write.address))
        self.updates += ctx.get(dut.updates)
        await ctx.tick()
        self._since += 1
        if written is not None:
            self.weights[to_write] = written
        for lane, weight in enumerate(word):
            ctx.set(port.weights[lane], weight)
        row = self.config.state_row.pack(self.states.get(state, {}))
        ctx.set(dut.states.row.as_value(), row)


def run_all(
    benches: Sequence[Bench], *steps: Notes, ends: bool = False, groups: Sequence[int] = (0,)
) -> None:
    """Play the same to one learn with several rules, one after the other."""
    dut = Learn(benches[0].config)
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)

    async def drive(ctx: Any) -> None:
        for bench in benches:
            await bench.play(ctx, dut, steps, ends, groups)

    simulator.add_testbench(drive)
    simulator.run()
