"""Credits: room in the spike queue, lent to each group before its neurons enter the pipeline."""

from amaranth import Module, Mux, Signal, Value

from spikeloom.golden.spec import FabricConfig, count_bits


def lend(
    m: Module,
    config: FabricConfig,
    enough: Signal,
    begins: Value,
    count: Value,
    returns: Value,
    popped: Value,
) -> tuple[Signal, Signal]:
    """Lend each group a credit per row of neurons; a row that pushes nothing returns its own.

    Parameters
    ----------
    enough
        Gets whether there are credits for a group.
    begins, count
        A group of `count` rows begins.
    returns
        A row leaves the pipeline and pushes nothing.
    popped
        The spike queue gave up an entry.

    Returns
    -------
    The credits, and those that were given back in the clock before.
    """
    credits = Signal(count_bits(config.queue), init=config.queue)
    returned = Signal(2)
    unused = Signal()
    m.d.comb += unused.eq(returns)
    m.d.sync += [
        returned.eq(unused + popped),
        credits.eq(credits + returned - Mux(begins, count, 0)),
        enough.eq(credits >= Mux(begins, 2 * config.group_rows, config.group_rows)),
    ]
    return credits, returned
