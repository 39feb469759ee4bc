"""A neuron that spiked does not spike for some steps."""

from amaranth import Mux, Value

from spikeloom.golden.spec import RefractoryMode
from spikeloom.hdl.core.pipeline import Pipeline
from spikeloom.hdl.core.switches.stage import Stage


class Refractory(Stage):
    """A counter beside the potential, which counts down to 0 from `steps`."""

    def start(self, pipe: Pipeline) -> None:
        count = pipe.get("refractory_count")
        bars = pipe.row.refractory & (count != 0)
        pipe.put("refractory_bars", bars)
        pipe.put("refractory_left", Mux(bars, count - 1, 0)[: len(count)])

    def after_sum(self, pipe: Pipeline, u: Value) -> Value:
        mode = pipe.row.refractory_mode
        bars = pipe.get("refractory_bars")
        u = Mux(bars & (mode == RefractoryMode.HOLD), pipe.get("v"), u)
        u = Mux(bars & (mode == RefractoryMode.CLAMP), pipe.parameter("v_reset"), u)
        return pipe.register(u)

    def bars(self, pipe: Pipeline) -> Value:
        return pipe.get("refractory_bars")

    def keeps(self, pipe: Pipeline, spiked: Value) -> dict[str, Value]:
        row = pipe.row
        starts = row.refractory & spiked
        return {"refractory_count": Mux(starts, row.refractory_steps, pipe.get("refractory_left"))}


STAGE = Refractory
