"""The neuron update, as a pipeline."""

from collections.abc import Callable, Iterable

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.hdl import ShapeLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import FabricConfig, Reset
from spikeloom.hdl.common.arithmetic import add_carry, saturate
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.shapes import struct
from spikeloom.hdl.core.noise import NOISE_CLOCKS
from spikeloom.hdl.core.pipeline import Pipeline
from spikeloom.hdl.core.product import decayed, product
from spikeloom.hdl.core.switches.selection import decide, level
from spikeloom.hdl.core.switches.stage import Stage, stages


class NeuronUpdate(wiring.Component):
    """Updates one neuron per clock, with the parameters of a population's row, or its own.

        i' = sat(sign(i) * floor(|i| * retain_synaptic / 4096) + x)     x' = i' + leak
        r  = spiking and (delayed or reset is RESTORE) and v > threshold
        u  = sat(sign(v) * floor(|v| * retain / 4096) + x' - (v_reset if r and it subtracts))
        u  = v_reset if r and reset is VALUE;  u = max(u, v_min)
        s  = greatest n <= max_spikes with u > n * threshold, if spiking
        v' = v_reset, u - s * threshold, sat(u - v_reset) or u on a spike; else u
        v' = sat(u - (s - r) * v_reset)     if reset is RESTORE

    Comparisons are >= if `inclusive`. In a row with `signed` a negative u spikes like -u, and its
    spikes are added where others are subtracted. Switches that are built act in between, as
    docs/hardware.md says. Options that the configuration leaves out have no logic: the plain
    update has x' = x, r = 0 and at most one spike. With `neuron_parameters`, `retain`,
    `retain_synaptic`, `threshold` and `v_reset` are the neuron's own, and travel along with it.

    Timing: `v`, `i`, `kept` and own parameters of clock n, and `x`, `bias`, `gain` and `leak` of
    clock n + 1, give `i_next` in clock n + `current_latency`, `spiked`, `v_next` and `kept_next` in
    clock n + `latency`; `noise` is that of clock n + `NOISE_CLOCKS` - 1. One neuron per clock. The
    row must hold all the while. The comments number clocks as docs/hardware.md does: n is clock 1.

    Parameters
    ----------
    config
        Sizes of the fabric.

    Members
    -------
    row : In(config.population_row)
    v : In(signed(state_bits))
        Membrane potential before the step.
    x : In(signed(input_bits))
        Exact input, shifted and with the bias included; with `input_gain` the sum alone.
    bias, gain : In
        With `input_gain` only, shaped as in `config.bias_row`.
    i : In(signed(state_bits))
        With `synaptic_current` only: the synaptic current before the step.
    leak : In(signed(state_bits))
        With `synaptic_current` only: the leak potential, added to the synaptic current.
    retain, retain_synaptic, threshold, v_reset : In
        With `neuron_parameters` only, shaped as in `config.bias_row`: the neuron's own values;
        `retain_synaptic` with `synaptic_current` only.
    kept, kept_next : In, Out(config.kept_row)
        With switches that keep anything only: what they keep, before and after the step.
    noise : In(signed(state_bits))
        With `noise` only: the random number that is added where the neuron is compared.
    i_next : Out(signed(state_bits))
        With `synaptic_current` only: the synaptic current after the step.
    settled : In(1)
        With `selection` only, in clock n: the walk decides on candidates.
    won, is_winner, blocked : In(1)
        With `selection` only, as of `Select`; in clock n + `latency` - 1, and so the next two.
    remains : Out(1)
        With `selection` only: the neuron is a candidate, and not decided.
    potential : Out(signed(state_bits))
        With `selection` only: its potential.
    spiked : Out(config.spike_clocks)
        Spikes of the neuron in this step.
    negative : Out(1)
        With `signed_spikes` only: spikes of this neuron are negative.
    v_next : Out(signed(state_bits))
        Membrane potential after the step.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        state = signed(config.state_bits)
        kept = struct(config.kept_row)
        constants = struct(config.bias_row).members
        synaptic = {"i": In(state), "leak": In(state), "i_next": Out(state)}
        select = {
            **dict.fromkeys(("settled", "won", "is_winner", "blocked"), In(1)),
            "remains": Out(1),
            "potential": Out(state),
        }
        super().__init__(
            {
                "row": In(struct(config.population_row)),
                "v": In(state),
                "x": In(signed(self.input_bits)),
                **(
                    {name: In(constants[name]) for name in ("bias", "gain")}
                    if config.input_gain
                    else {}
                ),
                **(synaptic if config.synaptic_current else {}),
                **{name: In(shape) for name, shape in self.own.items()},
                **({"noise": In(state)} if config.noise else {}),
                **({"kept": In(kept), "kept_next": Out(kept)} if config.kept_row.fields else {}),
                **(select if config.selection else {}),
                "spiked": Out(config.spike_clocks),
                **({"negative": Out(1)} if config.signed_spikes else {}),
                "v_next": Out(state),
            }
        )

    @property
    def input_bits(self) -> int:
        """Width of `x`: that of a shifted sum plus a bias, or of a sum."""
        config = self.config
        if config.input_gain:
            return config.sum_bits
        return max(config.sum_bits + config.fraction_bits, config.bias_bits) + 1

    @property
    def own(self) -> dict[str, ShapeLike]:
        """Names and shapes of the parameters that each neuron has for itself, but for `v_init`."""
        constants = struct(self.config.bias_row).members
        elsewhere = ("bias", "gain", "leak", "v_init")
        return {name: shape for name, shape in constants.items() if name not in elsewhere}

    @property
    def latency(self) -> int:
        """Clocks from `v` to `spiked` and `v_next`."""
        return self.config.fire_clocks - 1

    @property
    def current_latency(self) -> int:
        """Clocks from `i` to `i_next`."""
        return 3 + self.config.product_clocks + self.config.input_gain

    def elaborate(self, platform: object) -> Module:
        config = self.config
        bits = config.state_bits
        row = self.row
        multiply = config.product_clocks
        m = Module()
        pipe = Pipeline(m, config, row, {name: getattr(self, name) for name in self.own})
        switches = stages(config)
        pipe.put("v", self.v)
        if config.selection:
            pipe.put("settled", self.settled)
        if config.noise:
            pipe.put("noise", self.noise, later=NOISE_CLOCKS - 1)
        for field in config.kept_row.fields:
            pipe.put(field.name, self.kept[field.name])

        def reaches(potential: Value, threshold: Value) -> Value:
            # potential - threshold - 1 + inclusive >= 0
            return ~add_carry(potential, (~threshold).as_signed(), row.inclusive)[-1]

        def decaying(value: Value, retain: str) -> tuple[Value, Value]:
            """The product of a decay, and the sign that its value had."""
            steady = not config.neuron_parameters
            retained = product(m, config, value, pipe.parameter(retain), steady)
            return retained, delayed(m, value[-1], multiply)

        # Clocks 1 and 2.
        pipe.advance()
        pipe.put("x", self.x)
        if config.input_gain:
            pipe.put("gain", self.gain)
            pipe.put("bias", self.bias)
        v = pipe.get("v")
        for name, value in zip(("product", "negative"), decaying(v, "retain"), strict=True):
            pipe.put(name, value, later=multiply)
        if config.delayed_reset:
            early = row.delayed | (row.reset == Reset.RESTORE)
            pipe.put("resets", row.spiking & early & reaches(v, pipe.parameter("threshold")))
        for switch in switches:
            switch.start(pipe)
        if config.synaptic_current:
            pipe.put("leak", self.leak)
            current = decaying(delayed(m, self.i, 1), "retain_synaptic")
            for name, value in zip(("current", "falling"), current, strict=True):
                pipe.put(name, value, later=multiply)
        pipe.advance(multiply)
        drive = pipe.get("x")
        for switch in switches:
            drive = switch.scale(pipe, drive)

        # Clocks 3 and 4, if built: the input drives the synaptic current, and that the potential.
        if config.synaptic_current:
            pipe.put("drive", drive)
            total = decayed(pipe.get("current"), pipe.get("falling"), drive)
            i = saturate(pipe.register(total), bits)
            i_next = Mux(row.synaptic, i, 0)
            if config.selection:
                i_next = Mux(pipe.get("settled"), delayed(m, self.i, pipe.clock), i_next)
            m.d.sync += self.i_next.eq(i_next)
            drive = Mux(row.synaptic, i + pipe.get("leak"), pipe.get("drive"))
            drive = pipe.register(drive)

        # Clocks 5 and 6; before them a clock for the decayed potential, if it leaks further.
        retained, negative = pipe.get("product"), pipe.get("negative")
        if config.constant_leak:
            pipe.put("drive", drive)
            for switch in switches:
                retained = switch.leak(pipe, retained, negative)
            total = retained + pipe.get("drive")
        else:
            total = decayed(retained, negative, drive)
        if config.delayed_reset:
            subtracts = pipe.get("resets") & row.reset.matches(Reset.SUBTRACT, Reset.RESTORE)
            total = total - Mux(subtracts, pipe.parameter("v_reset"), 0)
        u = saturate(pipe.register(total), bits)
        if config.delayed_reset:
            sets = pipe.get("resets") & (row.reset == Reset.VALUE)
            u = Mux(sets, pipe.parameter("v_reset"), u)
        u = pipe.register(u)
        for switch in switches:
            u = switch.after_sum(pipe, u)

        # Clock 7, if built.
        if config.lower_clamp:
            u = pipe.register(Mux(u < row.v_min, row.v_min, u))
        for switch in switches:
            u = switch.before_comparison(pipe, u)

        self._spike(m, pipe, switches, u, reaches)
        return m

    def _spike(
        self,
        m: Module,
        pipe: Pipeline,
        switches: list[Stage],
        u: Value,
        reaches: Callable[[Value, Value], Value],
    ) -> None:
        """Compares, from clock 8 on, and resets."""
        config = self.config
        row = self.row
        pipe.put("u", u)
        if config.signed_spikes:
            negative = row.signed & u[-1]
            pipe.put("negative", negative)
            u = pipe.register(Mux(negative, -u, u))

        # Clock 8 and one more for each further bit of the spike count, the highest bit first.
        # `left` is the potential minus the shares of the bits that are already known.
        left = u
        higher: Value = Cat()
        for bit in range(config.spike_clocks - 1, 0, -1):
            share = (pipe.parameter("threshold") << bit).as_signed()
            count_bit = Signal(name=f"count_bit{bit}")
            spikes = row.spiking & ~_any(switch.bars(pipe) for switch in switches)
            m.d.comb += count_bit.eq(spikes & row.max_spikes[bit] & reaches(left, share))
            rest = Signal(left.shape(), name=f"rest{bit}")
            m.d.sync += rest.eq(Mux(count_bit, left - share, left))
            left, higher = rest, pipe.register(Cat(count_bit, higher))
        spikes = row.spiking & ~_any(switch.bars(pipe) for switch in switches)
        threshold = pipe.parameter("threshold")
        for switch in switches:
            threshold = switch.raised(pipe, threshold)
        lowest = spikes & reaches(left, threshold)
        v_reset = pipe.parameter("v_reset")
        drop = v_reset
        if config.max_spikes > 1:
            # The shares of the higher bits are already subtracted. In a row with one spike per step
            # the subtrahend may differ from the threshold.
            lowest = lowest & row.max_spikes[0]
            drop = Mux(lowest, v_reset, 0)
        spiked = Signal.like(self.spiked, name="would_spike") if config.selection else self.spiked
        m.d.sync += spiked.eq(Cat(lowest, higher))
        less = left - drop
        added, carry = ~drop, Const(1)
        restored = None
        if config.delayed_reset:
            # RESTORE adds back what r subtracted; in rows with another reset, r leaves `less`
            # unused. At most one spike per step, so `lowest` is s.
            resets = pipe.get("resets")
            added, carry = Mux(resets, v_reset, ~drop), ~resets
            less = add_carry(left, added, carry)
            restored = delayed(m, (row.reset == Reset.RESTORE) & (lowest ^ resets), 1)
        if config.signed_spikes:
            # drop - left where negative; such rows have neither r nor RESTORE.
            turned = pipe.get("negative").as_signed()
            less = add_carry(left ^ turned, added ^ turned, carry)
        self._settle(m, pipe, switches, spiked, pipe.register(less), restored)

    def _settle(
        self,
        m: Module,
        pipe: Pipeline,
        switches: list[Stage],
        spiked: Signal,
        less: Value,
        restored: Value | None,
    ) -> None:
        """Resets, in clock 9: `less` is the potential less what a spike subtracts.

        With `delayed_reset`, `restored` says whether it is written without a spike too.
        """
        config, row = self.config, self.row
        now = spiked.any()
        v_next = self.v_next
        if config.selection:
            v_next = Signal.like(self.v_next, name="v_decided")
            decision = decide(m, pipe, now, self.won, self.is_winner, self.blocked)
            now = decision.spikes
            m.d.comb += [self.potential.eq(pipe.get("u")), self.remains.eq(decision.remains)]
            m.d.sync += self.spiked.eq(Mux(now, spiked, 0))
        kept = {n: v for switch in switches for n, v in switch.keeps(pipe, now).items()}
        if config.selection:
            for name, value in decision.kept(pipe, kept).items():
                m.d.sync += self.kept_next[name].eq(value)
        else:
            for name, value in kept.items():
                m.d.comb += self.kept_next[name].eq(value)
        if config.delayed_reset:
            now = now & ~row.delayed
        v_reset = pipe.parameter("v_reset")
        m.d.comb += v_next.eq(pipe.get("u"))
        with m.If(now & delayed(m, row.reset == Reset.VALUE, 1)):
            m.d.comb += v_next.eq(v_reset)
        changed = now & delayed(m, row.reset == Reset.SUBTRACT, 1)
        if restored is not None:
            changed = changed | restored
        with m.If(changed):
            m.d.comb += v_next.eq(saturate(less, config.state_bits))
        if config.selection:
            m.d.comb += self.v_next.eq(level(m, pipe, decision, v_next))
        if config.signed_spikes:
            m.d.comb += self.negative.eq(pipe.get("negative"))
        assert pipe.clock == self.latency


def _any(bars: Iterable[Value]) -> Value:
    """Whether a switch keeps the neuron from spiking."""
    return Cat(*bars).any()
