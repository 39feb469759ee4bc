"""The neuron update, as a pipeline."""

from collections.abc import Callable

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.hdl import ShapeLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import DECAY_BITS, FabricConfig, Reset
from spikeloom.hdl.common.arithmetic import add_carry, saturate
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.shapes import struct

_DIGIT = 3
"""Bits of a factor that a clock handles without multipliers: two additions."""


class NeuronUpdate(wiring.Component):
    """Updates one neuron per clock, with the parameters of a population's row, or its own.

        i' = sat(sign(i) * floor(|i| * retain_synaptic / 4096) + x)     x' = i' + leak
        r  = spiking and (delayed or reset is RESTORE) and v > threshold
        u  = sat(sign(v) * floor(|v| * retain / 4096) + x' - (v_reset if r and it subtracts))
        u  = v_reset if r and reset is VALUE;  u = max(u, v_min)
        s  = greatest n <= max_spikes with u > n * threshold, if spiking
        v' = v_reset, u - s * threshold, sat(u - v_reset) or u on a spike; else u
        v' = sat(u - (s - r) * v_reset)     if reset is RESTORE

    Comparisons are >= if `inclusive`. Options that the configuration leaves out have no logic: the
    plain update has x' = x, r = 0 and at most one spike. With `neuron_parameters`, `retain`,
    `retain_synaptic`, `threshold` and `v_reset` are the neuron's own, and travel along with it.

    Timing: `v`, `i` and own parameters of clock n, and `x` and `leak` of clock n + 1, give `i_next`
    in clock n + `current_latency`, `spiked` and `v_next` in clock n + `latency`; one neuron per
    clock. The row must hold all the while. The comments number clocks as docs/hardware.md does: n
    is clock 1.

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
        Exact input, shifted and with the bias included.
    i : In(signed(state_bits))
        With `synaptic_current` only: the synaptic current before the step.
    leak : In(signed(state_bits))
        With `synaptic_current` only: the leak potential, added to the synaptic current.
    retain, retain_synaptic, threshold, v_reset : In
        With `neuron_parameters` only, shaped as in `config.bias_row`: the neuron's own values;
        `retain_synaptic` with `synaptic_current` only.
    i_next : Out(signed(state_bits))
        With `synaptic_current` only: the synaptic current after the step.
    spiked : Out(config.spike_clocks)
        Spikes of the neuron in this step.
    v_next : Out(signed(state_bits))
        Membrane potential after the step.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        state = signed(config.state_bits)
        synaptic = {"i": In(state), "leak": In(state), "i_next": Out(state)}
        super().__init__(
            {
                "row": In(struct(config.population_row)),
                "v": In(state),
                "x": In(signed(self.input_bits)),
                **(synaptic if config.synaptic_current else {}),
                **{name: In(shape) for name, shape in self.own.items()},
                "spiked": Out(config.spike_clocks),
                "v_next": Out(state),
            }
        )

    @property
    def input_bits(self) -> int:
        """Width of `x`: that of a shifted sum plus a bias."""
        config = self.config
        return max(config.sum_bits + config.fraction_bits, config.bias_bits) + 1

    @property
    def own(self) -> dict[str, ShapeLike]:
        """Names and shapes of the parameters that each neuron has for itself, but for `v_init`."""
        constants = struct(self.config.bias_row).members
        elsewhere = ("bias", "leak", "v_init")
        return {name: shape for name, shape in constants.items() if name not in elsewhere}

    @property
    def latency(self) -> int:
        """Clocks from `v` to `spiked` and `v_next`."""
        return self.config.fire_clocks - 1

    @property
    def current_latency(self) -> int:
        """Clocks from `i` to `i_next`."""
        return 3 + self.config.product_clocks

    def elaborate(self, platform: object) -> Module:
        config = self.config
        bits = config.state_bits
        row = self.row
        multiply = config.product_clocks
        m = Module()
        parameter = self._parameters(m)

        def reaches(potential: Value, threshold: Value) -> Value:
            # potential - threshold - 1 + inclusive >= 0
            return ~add_carry(potential, (~threshold).as_signed(), row.inclusive)[-1]

        # Clocks 1 and 2. Operands of a product's sum are delayed as long as the product.
        v = delayed(m, self.v, 1)
        product, negative = self._product(m, v, parameter("retain", 1))
        drive = delayed(m, self.x, multiply)
        resets: Value = Const(0)
        if config.delayed_reset:
            early = row.delayed | (row.reset == Reset.RESTORE)
            before = reaches(v, parameter("threshold", 1))
            resets = delayed(m, row.spiking & early & before, multiply)

        # Clocks 3 and 4, if built: the input drives the synaptic current, and that the potential.
        clock = 1 + multiply  # since `v`
        if config.synaptic_current:
            retained = self._product(m, delayed(m, self.i, 1), parameter("retain_synaptic", 1))
            i = saturate(delayed(m, _decayed(*retained, drive), 1), bits)
            driven = Mux(
                row.synaptic, i + delayed(m, self.leak, 1 + multiply), delayed(m, drive, 1)
            )
            m.d.sync += self.i_next.eq(Mux(row.synaptic, i, 0))
            drive = delayed(m, driven, 1)
            product, negative = delayed(m, product, 2), delayed(m, negative, 2)
            resets = delayed(m, resets, 2)
            clock += 2

        # Clocks 5 and 6.
        total = _decayed(product, negative, drive)
        if config.delayed_reset:
            subtracts = row.reset.matches(Reset.SUBTRACT, Reset.RESTORE)
            total = total - Mux(resets & subtracts, parameter("v_reset", clock), 0)
        u = saturate(delayed(m, total, 1), bits)
        if config.delayed_reset:
            resets = delayed(m, resets, 1)
            u = Mux(resets & (row.reset == Reset.VALUE), parameter("v_reset", clock + 1), u)
        u = delayed(m, u, 1)
        clock += 2

        # Clock 7, if built.
        if config.lower_clamp:
            u = delayed(m, Mux(u < row.v_min, row.v_min, u), 1)
            clock += 1

        # Clock 8 and one more for each further bit of the spike count, the highest bit first.
        # `left` is the potential minus the shares of the bits that are already known.
        left = u
        higher: Value = Cat()
        for bit in range(config.spike_clocks - 1, 0, -1):
            share = (parameter("threshold", clock) << bit).as_signed()
            count_bit = Signal(name=f"count_bit{bit}")
            m.d.comb += count_bit.eq(row.spiking & row.max_spikes[bit] & reaches(left, share))
            rest = Signal(signed(bits), name=f"rest{bit}")
            m.d.sync += rest.eq(Mux(count_bit, left - share, left))
            left, u, higher = rest, delayed(m, u, 1), delayed(m, Cat(count_bit, higher), 1)
            clock += 1
        lowest = row.spiking & reaches(left, parameter("threshold", clock))
        v_reset = parameter("v_reset", clock)
        drop = v_reset
        if config.max_spikes > 1:
            # The shares of the higher bits are already subtracted. In a row with one spike per step
            # the subtrahend may differ from the threshold.
            lowest = lowest & row.max_spikes[0]
            drop = Mux(lowest, v_reset, 0)
        m.d.sync += self.spiked.eq(Cat(lowest, higher))
        less = left - drop
        if config.delayed_reset:
            # RESTORE adds back what r subtracted; in rows with another reset, r leaves `less`
            # unused. At most one spike per step, so `lowest` is s.
            resets = delayed(m, resets, config.lower_clamp + config.spike_clocks)
            less = add_carry(left, Mux(resets, v_reset, ~drop), ~resets)
            restored = delayed(m, (row.reset == Reset.RESTORE) & (lowest ^ resets), 1)
        less = delayed(m, less, 1)

        # Clock 9.
        now = self.spiked.any()
        if config.delayed_reset:
            now = now & ~row.delayed
        v_reset = parameter("v_reset", clock + 1)
        m.d.comb += self.v_next.eq(delayed(m, u, 1))
        with m.If(now & delayed(m, row.reset == Reset.VALUE, 1)):
            m.d.comb += self.v_next.eq(v_reset)
        changed = now & delayed(m, row.reset == Reset.SUBTRACT, 1)
        if config.delayed_reset:
            changed = changed | restored
        with m.If(changed):
            m.d.comb += self.v_next.eq(saturate(less, bits))
        return m

    def _parameters(self, m: Module) -> Callable[[str, int], Value]:
        """A function: the parameter of this name, of the neuron whose `v` came so many clocks ago.

        The row's is the same for all of them; a neuron's own travels through registers.
        """
        if not self.config.neuron_parameters:
            return lambda name, _: self.row[name]
        lines: dict[str, list[Value]] = {name: [getattr(self, name)] for name in self.own}

        def parameter(name: str, clocks: int) -> Value:
            line = lines[name]
            while len(line) <= clocks:
                line.append(delayed(m, line[-1], 1))
            return line[clocks]

        return parameter

    def _product(self, m: Module, value: Value, retain: Value) -> tuple[Value, Value]:
        """`value` * `retain` of `product_clocks` clocks ago, and the sign that `value` had then.

        Without multipliers, one clock multiplies by a few bits of `retain` at a time, and the next
        one adds these products up to two halves; the user of the product adds the halves. No
        register of a product has a reset, so that synthesis can use the multiplier's own.
        """
        negative = delayed(m, value[-1], self.config.product_clocks)
        if self.config.multipliers:
            return _register(m, value * retain), negative
        if not self.config.neuron_parameters:
            # A register shortens the path from the memory to so many adders; the row settles early.
            retain = delayed(m, retain, 1)
        digits = [
            _register(m, value * retain[at : at + _DIGIT]) << at
            for at in range(0, len(retain), _DIGIT)
        ]
        low, high = _register(m, sum(digits[:3], Const(0))), _register(m, sum(digits[3:], Const(0)))
        return low + high, negative


def _register(m: Module, value: Value) -> Value:
    """`value` of the clock before, without a reset."""
    register = Signal.like(value, reset_less=True)
    m.d.sync += register.eq(value)
    return register


def _decayed(product: Value, negative: Value, other: Value) -> Value:
    """The decayed value sign * floor(magnitude * retain / 4096), plus `other`.

    A shift rounds down, but a negative value must round toward zero: 4095 is added to it first.
    (The sign is not taken from the product: when Yosys packs the sum into the multiplier of an
    iCE40, it ignores that the product has another user.)
    """
    rest = negative.replicate(DECAY_BITS)
    return (product + Cat(rest, other).as_signed()) >> DECAY_BITS
