"""The neuron update."""

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.spec import DECAY_BITS, RETAIN_BITS, FabricConfig, Reset
from hdl.arithmetic import saturate
from hdl.shapes import struct
from hdl.tree import delayed


class NeuronUpdate(wiring.Component):
    """One neuron per clock through the update, by the parameters in a population's row.

        i' = sat(sign(i) * floor(|i| * retain_synaptic / 4096) + x)     x' = i' + leak
        r  = spiking and delayed and v > threshold
        u  = sat(sign(v) * floor(|v| * retain / 4096) + x' - (v_reset if r and it subtracts))
        u  = v_reset if r and reset is VALUE;  u = max(u, v_min)
        s  = greatest n <= max_spikes with u > n * threshold, if spiking
        v' = v_reset, u - s * threshold, sat(u - v_reset) or u on a spike; else u

    Comparisons are >= if `inclusive`. What the configuration has not is not there: the plain update
    has x' = x, r = 0 and one spike.

    Timing: inputs of clock n give `i_next` in clock n + 3, `spiked` and `v_next` in clock n +
    `config.fire_clocks` - 1; one neuron per clock. The row must hold all the while.

    Parameters
    ----------
    config
        Sizes of the fabric.

    Members
    -------
    row : In(config.population_row)
    v : In(signed(state_bits))
        Membrane potential before the step.
    x : In(signed(sum_bits + 1))
        Exact input, bias included.
    i, leak : In(signed(state_bits))
        With `synaptic_state`: the synaptic state before the step, and what is added to it.
    i_next : Out(signed(state_bits))
        With `synaptic_state`: the synaptic state after the step.
    spiked : Out(config.spike_clocks)
        How often.
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
                "x": In(signed(config.sum_bits + 1)),
                **(synaptic if config.synaptic_state else {}),
                "spiked": Out(config.spike_clocks),
                "v_next": Out(state),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self.config
        bits = config.state_bits
        row = self.row
        m = Module()

        def reaches(potential: Value, threshold: Value) -> Value:
            return (potential > threshold) | (row.inclusive & (potential == threshold))

        # Clocks 1 and 2.
        decayed = _decayed(m, self.v, row.retain)
        drive = delayed(m, self.x, 2)
        resets = Signal()
        if config.delayed_reset:
            before = row.spiking & row.delayed & reaches(self.v, row.threshold)
            m.d.comb += resets.eq(delayed(m, before, 2))

        # Clock 3, if built: the synaptic state stands between the input and the potential.
        if config.synaptic_state:
            i = saturate(_decayed(m, self.i, row.retain_synaptic) + drive, bits)
            driven = Mux(row.synaptic, i + delayed(m, self.leak, 2), drive)
            m.d.sync += self.i_next.eq(Mux(row.synaptic, i, 0))
            decayed, drive, resets = (delayed(m, each, 1) for each in (decayed, driven, resets))

        # Clock 4.
        total = decayed + drive
        if config.delayed_reset:
            total = total - Mux(resets & (row.reset == Reset.SUBTRACT), row.v_reset, 0)
        u = Signal(signed(bits))
        m.d.sync += u.eq(saturate(total, bits))
        if config.delayed_reset:
            with m.If(resets & (row.reset == Reset.VALUE)):
                m.d.sync += u.eq(row.v_reset)

        # Clock 5, if built.
        if config.lower_clamp:
            u = delayed(m, Mux(u < row.v_min, row.v_min, u), 1)

        # Clock 6 and one more for each further bit of the spike count, the highest bit first.
        # `left` is what the bits already found leave of the potential.
        left = u
        higher: Value = Cat()
        for bit in range(config.spike_clocks - 1, 0, -1):
            share = row.threshold << bit
            found = Signal(name=f"found{bit}")
            m.d.comb += found.eq(row.spiking & row.max_spikes[bit] & reaches(left, share))
            rest = Signal(signed(bits), name=f"rest{bit}")
            m.d.sync += rest.eq(Mux(found, left - share, left))
            left, u, higher = rest, delayed(m, u, 1), delayed(m, Cat(found, higher), 1)
        lowest = row.spiking & reaches(left, row.threshold)
        drop = row.v_reset
        if config.max_spikes > 1:
            # The highest bits' shares are gone already. A row with one spike may subtract something
            # else than its threshold.
            lowest = lowest & row.max_spikes[0]
            drop = Mux(lowest, row.v_reset, 0)
        now = self.spiked.any()
        if config.delayed_reset:
            now = now & ~row.delayed
        m.d.comb += [self.spiked.eq(Cat(lowest, higher)), self.v_next.eq(u)]
        with m.If(now):
            with m.Switch(row.reset):
                with m.Case(Reset.VALUE):
                    m.d.comb += self.v_next.eq(row.v_reset)
                with m.Case(Reset.SUBTRACT):
                    m.d.comb += self.v_next.eq(saturate(left - drop, bits))
        return m


def _decayed(m: Module, value: Value, retain: Value) -> Value:
    """The `value` of two clocks before, shrunk: sign * floor(magnitude * `retain` / 4096)."""
    # The magnitude of the most negative value needs all bits, unsigned.
    magnitude = Signal(len(value))
    product = Signal(len(value) + RETAIN_BITS)
    m.d.sync += [magnitude.eq(Mux(value < 0, -value, value)), product.eq(magnitude * retain)]
    negative = delayed(m, value < 0, 2)
    kept = product >> DECAY_BITS
    return Mux(negative, -kept, kept)
