"""Selection: finds the best neuron of each competition of a population."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.golden.spec import FabricConfig
from spikeloom.hdl.common.delay import delayed
from spikeloom.hdl.common.shapes import memory, struct


class Select(wiring.Component):
    """Remembers the best candidate of a walk, or of each position, and finds it in the next walk.

    Timing: neurons pass one per clock. With F = `fire_clocks`, a neuron that enters fire's pipeline
    in clock m has its position at `y`, `x` in clock m + F - 3, its index at `index` in clock
    m + F - 2, and `remains` and `u` in clock m + F - 1, where `won`, `is_winner` and `blocked` are
    about it.

    Parameters
    ----------
    config
        Sizes of the fabric, with `selection`.

    Members
    -------
    population : In(config.population_row)
        Must hold from `setup` on.
    setup, ends, begins : In(1)
        A walk starts in the next clock; the last neuron of a walk has left the pipeline; a group
        begins.
    at_origin : In(1)
        With images: the group that begins is at position (0, 0).
    reads : In(1)
        Potentials are read out in this step.
    y, x, index : In
        With images `y` and `x`.
    remains : In(1)
        The neuron is a candidate, and not decided.
    u : In(signed(state_bits))
        Its potential.
    again : Out(1)
        With `ends`: the same row is walked again.
    settled : Out(1)
        The walk decides on candidates.
    sends : Out(1)
        The walk reads potentials out.
    won, is_winner, blocked : Out(1)
        The neuron's competition has a winner in this walk; it is that one; that one blocks it.
    """

    def __init__(self, config: FabricConfig) -> None:
        self.config = config
        super().__init__(
            {
                "population": In(struct(config.population_row)),
                "setup": In(1),
                "ends": In(1),
                "begins": In(1),
                "at_origin": In(1),
                "reads": In(1),
                **{name: In(width) for name, width in config.position},
                "index": In(config.index_width),
                "remains": In(1),
                "u": In(signed(config.state_bits)),
                "again": Out(1),
                "settled": Out(1),
                "sends": Out(1),
                "won": Out(1),
                "is_winner": Out(1),
                "blocked": Out(1),
            }
        )

    def joined(
        self, population: data.View, update: Any, setup: Value, begins: Value, present: Value
    ) -> list[Any]:
        """Joins it to the update and the walk; `present`: a neuron is in the last stage but one."""
        return [
            self.population.eq(population),
            self.setup.eq(setup),
            self.begins.eq(begins),
            self.remains.eq(update.remains & present),
            self.u.eq(update.potential),
            update.settled.eq(self.settled),
            update.won.eq(self.won),
            update.is_winner.eq(self.is_winner),
            update.blocked.eq(self.blocked),
        ]

    def walked(self, m: Module, at_origin: Value, index: Value, **position: Value) -> list[Any]:
        """Joins it to an image: whether a group at the origin begins; of neurons that enter."""
        stages = self.config.fire_clocks - 3
        return [
            self.at_origin.eq(at_origin),
            self.index.eq(delayed(m, index, stages + 1)),
            *(getattr(self, name).eq(delayed(m, v, stages)) for name, v in position.items()),
        ]

    def elaborate(self, platform: object) -> Module:
        config = self.config
        row = self.population
        m = Module()
        neuron = data.StructLayout(
            {
                "before": unsigned(config.index_width),  # index, inverted: the lower the better
                "u": signed(config.state_bits),
                "valid": unsigned(1),
            }
        )
        choosing = Signal()  # the walk has winners to let through
        seeking = Signal()  # it finds the next ones, of all positions
        by_position = Signal()
        pending = Signal()  # a candidate is left
        better = Signal()
        best = Signal(neuron)
        following = Signal(neuron)  # `best` after this neuron
        chosen = Signal(neuron)  # the one to win
        before = delayed(m, ~self.index, 1)

        # The walks over a row.
        m.d.comb += [
            self.sends.eq(self.settled & ~choosing & ~seeking),
            self.again.eq(row.selection & (pending | (self.reads & ~self.sends))),
        ]
        with m.If(self.ends):
            # A walk that lets winners of positions through does not note the best of the others.
            m.d.sync += [
                self.settled.eq(self.again),
                chosen.eq(best),
                seeking.eq(pending & by_position & choosing),
                choosing.eq(pending & ~(by_position & choosing)),
            ]

        # The best of the neuron's competition before it, and whether it is the one to win, or near.
        # What follows from `chosen`, which holds during a walk, is compared a clock before.
        known, there, near = best, chosen.valid, Const(0, 1)
        same_index = delayed(m, ~self.index == chosen.before, 1)
        is_winner: Value = same_index
        if config.images:
            single = (row.height == 1) & (row.width == 1)
            m.d.sync += by_position.eq(row.selection_by_position & ~single)  # the row has settled
            starts, noted = self._places(m, choosing, following)
            known = data.View(neuron, Mux(by_position & starts, noted, best))
            there = Mux(by_position, noted.valid, chosen.valid)
            same, near = self._distance(m, better)
            is_winner = Mux(by_position, before == noted.before, same_index & same)
        m.d.comb += [
            self.won.eq(choosing & there),
            self.is_winner.eq(is_winner),
            self.blocked.eq(row.selection_blocks & (same_index | near)),
            # One comparison: of equal potentials the lower index is better.
            better.eq(
                self.remains
                & (
                    ~known.valid
                    | (Cat(before, self.u).as_signed() > Cat(known.before, known.u).as_signed())
                )
            ),
            following.eq(known),
        ]
        with m.If(better):
            m.d.comb += [following.before.eq(before), following.u.eq(self.u)]
            m.d.comb += following.valid.eq(1)
        m.d.sync += best.eq(following)
        with m.If(self.remains):
            m.d.sync += pending.eq(1)
        with m.If(self.setup):
            m.d.sync += [pending.eq(0), best.valid.eq(0)]
        return m

    def _distance(self, m: Module, better: Value) -> tuple[Value, Value]:
        """Whether the neuron is at the position of the one to win, and whether it is in its radius,
        if there is one.
        """
        place = data.StructLayout({name: unsigned(width) for name, width in self.config.position})
        passing, best, chosen = (
            Signal(place, name=name) for name in ("passing_at", "best_at", "chosen_at")
        )
        with m.If(better):
            m.d.sync += best.eq(passing)
        with m.If(self.ends):
            m.d.sync += chosen.eq(best)
        radius = self.population.selection_radius
        positions = {name: getattr(self, name) for name in place.members}
        m.d.sync += [passing[name].eq(delayed(m, value, 1)) for name, value in positions.items()]
        distances = [delayed(m, value - chosen[name], 1) for name, value in positions.items()]
        near = Cat((d <= radius) & (-d <= radius) for d in distances).all() & (radius != 0)
        same = Cat(d == 0 for d in distances).all()
        return delayed(m, same, 1), delayed(m, near, 1)

    def _places(self, m: Module, choosing: Value, following: Signal) -> tuple[Value, data.View]:
        """A memory of the best of each position.

        Returns whether the neuron is the first of its group, and what is known of its position,
        which is nothing yet for the first channels.
        """
        config = self.config
        m.submodules.places = places = memory(following.shape(), config.groups)
        read, write = places.read_port(), places.write_port()
        number = Signal.like(read.addr)  # of the position
        opens = Signal()  # the first channels
        fresh = Signal()  # no group has begun yet
        with m.If(self.begins):
            m.d.sync += number.eq(Mux(self.at_origin, 0, number + 1))
            with m.If(self.at_origin):
                m.d.sync += [opens.eq(fresh), fresh.eq(0)]
        with m.If(self.setup):
            m.d.sync += fresh.eq(1)
        clocks = config.fire_clocks
        m.d.comb += [
            read.addr.eq(delayed(m, number, clocks - 2)),
            write.addr.eq(delayed(m, read.addr, 1)),
            write.data.eq(following),
            write.en.eq(~choosing),
        ]
        noted = Signal(following.shape())
        m.d.comb += [
            noted.eq(read.data),
            noted.valid.eq(read.data.valid & (choosing | ~delayed(m, opens, clocks - 1))),
        ]
        return delayed(m, self.begins, clocks), noted
