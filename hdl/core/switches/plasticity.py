"""What learning knows of a neuron."""

from amaranth import Mux, Value
from amaranth.lib import data

from spikeloom.golden.spec import AGE_BITS, MAX_AGE
from spikeloom.hdl.core.pipeline import Pipeline
from spikeloom.hdl.core.switches.stage import Stage


class Plasticity(Stage):
    """The spike, the potential before its reset, and a counter that falls from spike to spike.

    Counter and spike bit are one step apart, so that the age of the spike before is known, too.
    """

    def start(self, pipe: Pipeline) -> None:
        recent = pipe.get("plasticity_recent")
        fallen = Mux(recent == 0, 0, recent - 1)[:AGE_BITS]
        pipe.put("plasticity_falls", Mux(pipe.get("plasticity_spiked"), MAX_AGE - 1, fallen))

    def keeps(self, pipe: Pipeline, spiked: Value) -> dict[str, Value]:
        on = pipe.row.plasticity
        return {
            "plasticity_spiked": on & spiked,
            "plasticity_recent": Mux(on, pipe.get("plasticity_falls"), 0),
            "plasticity_potential": Mux(on, pipe.get("u"), 0),
        }


def touches(population: data.View, kept: data.View) -> Value:
    """Whether a neuron whose `kept` fields are written makes its group learn."""
    # `at_age` is 0 where no age counts, which none is: `recent` is `MAX_AGE` - 1 at most.
    by_age = (population.plasticity_at_age == ~kept.plasticity_recent) & ~kept.plasticity_spiked
    by_spike = population.plasticity_on_spike & kept.plasticity_spiked
    return population.plasticity & (population.plasticity_always | by_spike | by_age)


STAGE = Plasticity
