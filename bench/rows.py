"""The results beside those of others, as README and docs/performance.md show them.

A value in braces is a figure of `bench/record.json`. What others state was read in the source that
the row links to; where it follows from that by arithmetic, the row says so.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One result.

    Parameters
    ----------
    what, value
        The quantity, and a template of its value.
    other
        The best open alternative that was found, with its source.
    alike
        How far the two can be compared.
    """

    what: str
    value: str
    other: str
    alike: str


PERSFI = "[riscv-snn-accelerator](https://github.com/persfi/riscv-snn-accelerator)"
SYNTZULU = "[SYNtzulu](https://github.com/gianlucaleone/SYNtzulu)"
SNN_FPGA = "[snn-fpga](https://arxiv.org/abs/2507.07284)"
FENN = "[FeNN-DMA](https://arxiv.org/abs/2511.00732)"
KWS = "[KWSonSNN](https://github.com/KWSonSNN/NeuromorphicProcessor)"
BOOKSIM = "[BookSim 2.0](https://github.com/booksim/booksim2)"

ROWS = (
    Row(
        "MNIST, 784-128-10: accuracy of the integers",
        "{counted.mnist.accuracy:.1%} of 1,000 images; {mnist.accuracy:.2%} of the 10,000 of the "
        "test set, in RTL",
        f"97.6 %, {PERSFI}",
        "same layers; theirs is the float network's, their RTL ran 10 images",
    ),
    Row(
        "the same: clocks an image",
        "{counted.mnist.clocks_per_sample:,.0f}, one tile of 8 lanes",
        f"75,510, {PERSFI}",
        "no: 4 steps here, 20 there, and 4 lanes; simulated RTL in both",
    ),
    Row(
        "the same: spikes, final states, clocks of 10,000 images in RTL that differ from golden",
        "{mnist.mismatches:.0f}",
        f"0 of 60,861 values of 10 images, {PERSFI}",
        "like",
    ),
    Row(
        "synaptic operations a clock and 8-bit weight of the port, all overheads in",
        "{counted.mnist.synops_per_clock_and_lane:.3f} (MNIST), "
        "{counted.nmnist.synops_per_clock_and_lane:.3f} (N-MNIST), "
        "{counted.braille.synops_per_clock_and_lane:.3f} (Braille)",
        f"1 while it streams, {SYNTZULU}",
        "no: here only events that came count; there slots, silent ones too, without overheads",
    ),
    Row(
        "N-MNIST, convolutional: accuracy; clocks a recording",
        "{counted.nmnist.accuracy:.1%}; {counted.nmnist.clocks_per_sample:,.0f}",
        f"98.5 %, {FENN}",
        "no: 200 recordings held out of 1,000 here, the data set there; a larger FPGA",
    ),
    Row(
        "Braille letters, recurrent: accuracy; clocks a recording",
        "{counted.braille.accuracy:.1%}; {counted.braille.clocks_per_sample:,.0f}",
        "none found with 27 letters",
        "",
    ),
    Row(
        "clock on iCE40 UP5K: fabric of one tile, best placement",
        "{core.up5k.fabric.fmax_best:.1f} MHz; boards are built for 36",
        f"24 MHz, {SYNTZULU}",
        "partly: theirs is the clock that the whole chip runs at on a board",
    ),
    Row(
        "logic cells on UP5K: a tile of 8 lanes, 256 neurons",
        "{counted.cells.up5k.tile.icestorm_lc:,.0f}; whole designs are in the table of boards",
        f"3,473, {SYNTZULU}",
        "no: theirs is the whole design with a RISC-V core, up to 4 layers of 256 neurons",
    ),
    Row(
        "clock on ECP5, speed grade 6: fabric of one tile",
        "{core.ecp5_6.fabric.fmax_best:.1f} MHz",
        "none found",
        "",
    ),
    Row(
        "4x4 mesh, uniform traffic: packets a clock and tile at saturation",
        "{mesh.uniform.saturation:.3f}",
        f"0.615, {BOOKSIM}, same routing and buffers",
        "like: RTL here, a simulator's router there",
    ),
    Row(
        "a network that grows with the tiles: 16 tiles, of 16 times one tile's rate",
        "{counted.mesh.scaling.efficiency.16:.3f}",
        "no curve published",
        "",
    ),
    Row(
        "barrier, clocks a step: 1, 4, 16 tiles",
        "{counted.mesh.barrier.1:.0f}, {counted.mesh.barrier.4:.0f}, {counted.mesh.barrier.16:.0f}",
        "none published",
        "",
    ),
    Row(
        "cocotb bench: clocks a second, all state compared on each",
        "{cosim.clocks_per_second:,.0f}",
        f"9,800, {KWS}",
        "roughly: other machine, other design; nothing compared there",
    ),
    Row(
        "golden model on one thread, of snnTorch's speed",
        "{golden.speed_over_snntorch:.2f}",
        "snnTorch is the reference",
        "like: same network, batch and machine",
    ),
)
