"""Which rows of the population table a step fires, where they change from step to step."""

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data

from spikeloom.hdl.common.delay import delayed


def first_row(m: Module, command: Any, population: data.View) -> Value:
    """The row with which a step begins: that of the step before, the one that follows, or 0.

    Timing: it holds in the clock of a command with `restart`; two clocks later its row is there as
    `population`.

    Parameters
    ----------
    command
        Starts a phase; comes only when idle.
    population
        The row read last.
    """
    present, following = (
        Signal.like(population.next, name=name) for name in ("present", "following")
    )
    repeats = Signal.like(population.repeat, name="repeats")
    enters = Signal()  # the step is the first one with its rows
    stays = ~command.p.first & (repeats != 0)
    row = Mux(command.p.first, 0, Mux(stays, present, following))
    with m.If(command.valid & command.p.restart):
        m.d.sync += [present.eq(row), enters.eq(~stays)]
        with m.If(stays):
            m.d.sync += repeats.eq(repeats - 1)
    in_setup = delayed(m, delayed(m, command.valid, 1), 1)
    with m.If(in_setup & enters):
        m.d.sync += [
            repeats.eq(population.repeat),
            following.eq(population.next),
            enters.eq(0),
        ]
    return row
