"""Learning rules: their enumerations, and the rows of the memories that hold them."""

import enum

from spikeloom.golden.spec.numbers import (
    AGE_BITS,
    AXON_SHIFT_BITS,
    FACTOR_BITS,
    RULE_NUMBER_BITS,
    TRACE_BITS,
)
from spikeloom.golden.spec.topology import Topology
from spikeloom.golden.spec.words import Layout, count_bits, index_bits, layout

_KERNEL_FIELDS = (
    "kernel_columns",
    "row_stride",
    "column_stride",
    "row_padding",
    "column_padding",
    "source_height",
    "source_width",
    "target_height",
    "target_width",
)


class Gate(enum.IntEnum):
    """When a term of a learning rule applies to a synapse, by the spikes of one of its ends."""

    NEVER = 0
    ALWAYS = 1
    SPIKED = 2
    """In the present step."""
    AGE = 3
    """If the age of its last spike lies in a range."""


class Factor(enum.IntEnum):
    """The factors of a term of a learning rule, of which it multiplies two."""

    ONE = 0
    CONSTANT = 1
    PRE_TRACE = 2
    PRE_CURVE = 3
    POST_TRACE = 4
    POST_CURVE = 5
    THIRD = 6
    """The potential of a neuron of another population."""
    ABOVE = 7
    """Upper bound less weight."""
    BELOW = 8
    """Weight less lower bound."""
    WEIGHT = 9
    BETWEEN = 10
    """ABOVE times BELOW, / 256."""
    ELIGIBILITY = 11
    """The weight of the same synapse in the rule's plane."""


class Rounding(enum.IntEnum):
    """What is added to the sum of a learning rule before it is shifted."""

    NEAREST = 0
    FLOOR = 1
    STOCHASTIC = 2


class LearningRows(Topology):
    """Row layouts of the memories of learning; a fabric without `plasticity` has none of them."""

    @property
    def axon_shifts(self) -> list[tuple[str, int]]:
        """The fields that say how far apart the axons of the rows and columns of an image lie."""
        return [("axon_row", AXON_SHIFT_BITS), ("axon_column", AXON_SHIFT_BITS)]

    @property
    def rule_row(self) -> Layout:
        """One row of the table of learning rules, one for each plastic connection of the tile.

        It is a dense matrix of `sources` axons, from row `axon_base` on, and `neurons` targets in
        `groups` groups: neurons `index_base` and following of their population, whose rows of the
        state memory begin at `neuron_base`. Weight words as in `connection_row`, from `weight_base`
        on. With `groups` 0 the row is unused. `number` is the connection's among those of the
        network that learn; it keys random numbers.

        `at_end`: the rule acts after the last step of a sample only. `silent`: axons that have not
        spiked in the sample learn too. `traces`: it writes the traces of its targets. `third`: a
        term has the factor THIRD, the potential of the neuron at `third_base` and following,
        shifted right by `third_shift`. `nearest_pre`, `nearest_post`: a spike sets a trace to
        `pre_amount` or `post_amount`, in place of adding it. A sum is rounded as `rounding` says
        and shifted by `RULE_SHIFTS[shift]`; weights stay in `lowest`..`highest`.

        With `eligibility`: `plane` says that a term has the factor ELIGIBILITY; the plane's words
        are those from `plane_base` on, in the order of the weights. Another rule, in a row before,
        learns them.

        With `plastic_kernels`: `kernel` says that the connection is a convolution. Then `sources`
        are the weight words of a group of channels: for each row of the kernel, each of its
        `kernel_columns` columns and each of the source's `channels`, in this order. Targets are
        `neurons` channels, from `index_base` on, at each position of `target_height` x
        `target_width`; `groups` are those of neurons, the groups of channels times the positions.
        The kernel of position (y, x) begins in row y * `row_stride` - `row_padding` and column x *
        `column_stride` - `column_padding` of the source, of `source_height` x `source_width`. Axons
        lie as the fields of the same name in `connection_row` say.
        """
        plane = [("plane", 1), ("plane_base", index_bits(self.weight_words))]
        extent = count_bits(self.extent)
        kernel = [
            ("kernel", 1),
            ("channels", count_bits(self.axons)),
            *((name, extent) for name in _KERNEL_FIELDS),
            *self.axon_shifts,
        ]
        return layout(
            ("weight_base", index_bits(self.weight_words)),
            ("sources", count_bits(self.weight_words if self.plastic_kernels else self.axons)),
            ("axon_base", index_bits(self.plastic_axons)),
            ("groups", count_bits(self.groups)),
            ("neurons", count_bits(self.neurons)),
            ("neuron_base", index_bits(self.neurons)),
            ("index_base", self.index_width),
            ("number", RULE_NUMBER_BITS),
            ("at_end", 1),
            ("silent", 1),
            ("traces", 1),
            ("third", 1),
            ("third_base", index_bits(self.neurons)),
            ("third_shift", 4),
            ("nearest_pre", 1),
            ("nearest_post", 1),
            ("pre_amount", TRACE_BITS),
            ("post_amount", TRACE_BITS),
            ("shift", 2),
            ("rounding", 2),
            ("lowest", self.weight_bits, True),
            ("highest", self.weight_bits, True),
            *(plane if self.eligibility else []),
            *(kernel if self.plastic_kernels else []),
        )

    @property
    def term_row(self) -> Layout:
        """One term of a rule; those of rule r are in rows r * `rule_terms` and following.

        `pre_gate` and `post_gate` are a `Gate`, with AGE for ages `first`..`last`; `now`: ages,
        traces and curves include the spike of the present step. The target's potential must lie in
        `lower`..`upper`, and its trace in `trace_lowest`..`trace_highest`. The term is `left` times
        `right`, a `Factor` each, or less than that if `negative`. Its value of CONSTANT is
        `constant`.
        """
        gates = [
            field
            for end in ("pre", "post")
            for field in (
                (f"{end}_gate", 2),
                (f"{end}_now", 1),
                (f"{end}_first", AGE_BITS),
                (f"{end}_last", AGE_BITS),
            )
        ]
        return layout(
            *gates,
            ("lower", self.state_bits, True),
            ("upper", self.state_bits, True),
            ("trace_lowest", TRACE_BITS),
            ("trace_highest", TRACE_BITS),
            ("left", 4),
            ("right", 4),
            ("negative", 1),
            ("constant", FACTOR_BITS, True),
        )

    @property
    def curve_row(self) -> Layout:
        """What a rule makes of an age: row rule * (`MAX_AGE` + 1) + age.

        What is left of a trace of either end, in 1/256, 0..256, and a curve for each term.
        """
        curves = ((f"curve{k}", FACTOR_BITS, True) for k in range(self.rule_terms))
        return layout(("pre_decay", TRACE_BITS + 1), ("post_decay", TRACE_BITS + 1), *curves)

    @property
    def axon_row(self) -> Layout:
        """What is known of a plastic axon: if `valid`, its last spike, in step `stamp`.

        `before`: the age that the spike before it had then. `trace`: the trace then, without it.
        """
        return layout(
            ("valid", 1), ("stamp", self.stamp_bits), ("before", AGE_BITS), ("trace", TRACE_BITS)
        )

    @property
    def learn_row(self) -> Layout:
        """The register that says whether the fabric learns."""
        return layout(("learning", 1))
