"""The neuron update."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import DECAY_BITS, RETAIN_BITS, FabricConfig, Reset
from hdl.arithmetic import saturate


class NeuronUpdate(wiring.Component):
    """One neuron per clock through the update of section 2 of the specification.

        u = sat(sign(v) * floor(|v| * retain / 4096) + x)
        s = spiking and (u > threshold, or u >= threshold if inclusive)
        v' = v_reset, sat(u - threshold) or u on a spike; else u

    Timing: `v` and `x` of clock n give `spiked` and `v_next` in clock n + 3; one neuron per clock.
    The parameters must hold from clock n + 1 to n + 3.

    Parameters
    ----------
    config
        Sizes of the fabric.

    Members
    -------
    v : In(signed(state_bits))
        Membrane potential before the step.
    x : In(signed(sum_bits + 1))
        Exact input, bias included.
    retain, threshold, v_reset, reset, inclusive, spiking : In
        As in `FabricConfig.population_row`.
    spiked : Out(1)
    v_next : Out(signed(state_bits))
        Membrane potential after the step.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        super().__init__(
            {
                "v": In(signed(config.state_bits)),
                "x": In(signed(config.sum_bits + 1)),
                "retain": In(RETAIN_BITS),
                "threshold": In(signed(config.state_bits)),
                "v_reset": In(signed(config.state_bits)),
                "reset": In(2),
                "inclusive": In(1),
                "spiking": In(1),
                "spiked": Out(1),
                "v_next": Out(signed(config.state_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        bits = self.config.state_bits
        m = Module()

        # The magnitude of the most negative potential needs all `bits` bits, unsigned.
        magnitude = Signal(bits)
        product = Signal(bits + RETAIN_BITS)
        negative = Signal(2)
        x = Signal(data.ArrayLayout(signed(self.config.sum_bits + 1), 2))
        u = Signal(signed(bits))
        m.d.sync += [
            magnitude.eq(Mux(self.v < 0, -self.v, self.v)),
            product.eq(magnitude * self.retain),
            negative.eq((self.v < 0) | (negative << 1)),
            x[0].eq(self.x),
            x[1].eq(x[0]),
        ]
        kept = product >> DECAY_BITS
        decayed = Mux(negative[1], -kept, kept)
        m.d.sync += u.eq(saturate(decayed + x[1], bits))

        reaches = (u > self.threshold) | (self.inclusive & (u == self.threshold))
        m.d.comb += self.spiked.eq(self.spiking & reaches)
        m.d.comb += self.v_next.eq(u)
        with m.If(self.spiked):
            with m.Switch(self.reset):
                with m.Case(Reset.VALUE):
                    m.d.comb += self.v_next.eq(self.v_reset)
                with m.Case(Reset.SUBTRACT):
                    m.d.comb += self.v_next.eq(saturate(u - self.threshold, bits))
        return m
