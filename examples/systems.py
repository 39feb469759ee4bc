"""Runs the systems of the papers and writes what they show to docs/systems.md: `make systems`."""

import argparse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from examples.bntt import evaluate as bntt
from examples.braille_learning import evaluate as braille_learning
from examples.federated import evaluate as federated
from examples.gupta import evaluate as gupta
from examples.hierarchical import evaluate as hierarchical
from examples.hybrid import evaluate as hybrid
from examples.interspike import evaluate as interspike
from examples.localised import evaluate as localised
from examples.loop import evaluate as loop
from examples.lowpass import evaluate as lowpass
from examples.memristors import evaluate as memristors
from examples.radix import evaluate as radix
from examples.recurrent import evaluate as recurrent
from examples.rounding import evaluate as rounding
from examples.sampler import evaluate as sampler
from examples.snn_rnn import evaluate as snn_rnn
from examples.spyketorch import evaluate as spyketorch
from examples.spyketorch_learning import evaluate as spyketorch_learning
from examples.superspike import evaluate as superspike
from examples.supervised import evaluate as supervised
from examples.truenorth import evaluate as truenorth
from examples.unsupervised import evaluate as unsupervised
from examples.winner import evaluate as winner

PAGE = Path(__file__).parents[1] / "docs" / "systems.md"

HEAD = """\
# Systems

For anyone who knows one of these papers: networks of others, rebuilt from the switches of the
neuron update. Each has a folder in [examples/](../examples/) that says what the paper did, what we
do, and where we differ. `make systems DATA=folder` runs them and writes this page; the folder has
`mnist.npz`, `nmnist_1000.npz` and `braille_1350.npz`.
"""

SYSTEMS: Mapping[tuple[str, str], Callable[[Path], Iterator[str]]] = {
    ("radix", "2105.06943"): lambda data: radix.measure(data / "mnist.npz"),
    ("truenorth", "1603.08270"): lambda data: truenorth.measure(data / "mnist.npz"),
    ("spyketorch", "1903.02440"): lambda data: spyketorch.measure(data / "mnist.npz"),
    ("recurrent", "1601.04187"): lambda _data: recurrent.measure(),
    ("memristors", "2004.14942"): lambda data: memristors.measure(data / "mnist.npz"),
    ("localised", "1905.04101"): lambda data: localised.measure(data / "mnist.npz"),
    ("lowpass", "1905.10692"): lambda _data: lowpass.measure(),
    ("loop", "2006.07239"): lambda _data: loop.measure(),
    ("interspike", "2103.14441"): lambda data: interspike.measure(data / "mnist.npz"),
    ("snn_rnn", "2005.02183"): lambda data: snn_rnn.measure(data / "nmnist_1000.npz"),
    ("bntt", "2010.01729"): lambda data: bntt.measure(data / "mnist.npz"),
    ("hybrid", "1805.11144"): lambda data: hybrid.measure_rates(data / "mnist.npz"),
    ("hybrid", "2002.03553"): lambda data: hybrid.measure_bits(data / "mnist.npz"),
    ("sampler", "1703.04145"): lambda _data: sampler.measure(),
    ("winner", "1904.12591"): lambda _data: winner.measure(),
    ("unsupervised", "10.3389/fncom.2015.00099"): lambda data: unsupervised.measure(
        data / "mnist.npz"
    ),
    ("supervised", "1612.05596"): lambda data: supervised.measure(data / "mnist.npz"),
    ("spyketorch_learning", "1903.12272"): lambda data: spyketorch_learning.measure(
        data / "mnist.npz"
    ),
    ("hierarchical", "Liu, Huo et al."): lambda data: hierarchical.measure(data / "mnist.npz"),
    ("braille_learning", "10.1038/s41467-020-17236-y"): lambda data: braille_learning.measure(
        data / "braille_1350.npz"
    ),
    ("gupta", "2010.01200"): lambda data: gupta.measure(data / "mnist.npz"),
    ("federated", "1910.09594"): lambda data: federated.measure(data / "mnist.npz"),
    ("superspike", "1705.11146"): lambda _data: superspike.measure(),
    ("rounding", "1611.01421"): lambda data: rounding.measure(data / "mnist.npz"),
}
"""What each system measures, by its folder and its paper: a number on arXiv, a DOI or authors."""

ELSEWHERE = {
    "Liu, Huo et al.": "https://www.semanticscholar.org/paper/559a6aef1f67c1c6efa42ef3d93e92ca969853f0"
}
"""Where papers are that are known by their authors."""


def link(paper: str) -> str:
    """Where the paper is."""
    if paper in ELSEWHERE:
        return ELSEWHERE[paper]
    return f"https://{'doi.org' if '/' in paper else 'arxiv.org/abs'}/{paper}"


def title(folder: str, paper: str) -> str:
    """The heading of a system's section."""
    return f"{folder}, [{paper}]({link(paper)})"


def sections() -> dict[str, str]:
    """What is below each heading of the page."""
    parts = PAGE.read_text(encoding="utf-8").rstrip().split("\n\n## ")[1:]
    return dict(part.split("\n", 1) for part in parts)


def main(data: Path, folders: list[str]) -> None:
    """Run the systems of `folders`, or all; write the section of each when it is there."""
    for (folder, paper), measure in SYSTEMS.items():
        if folders and folder not in folders:
            continue
        lines = "\n".join(f"- {line}" for line in measure(data))
        page = sections()
        page[title(folder, paper)] = (
            f"\n[examples/{folder}](../examples/{folder}/README.md)\n\n{lines}"
        )
        headings = [heading for system in SYSTEMS if (heading := title(*system)) in page]
        parts = [HEAD, *(f"## {heading}\n{page[heading]}\n" for heading in headings)]
        PAGE.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with the data sets")
    parser.add_argument("folders", nargs="*", metavar="folder", help="of the systems to run")
    arguments = parser.parse_args()
    unknown = set(arguments.folders) - {folder for folder, _ in SYSTEMS}
    if unknown:
        parser.error(f"no such system: {', '.join(sorted(unknown))}")
    main(arguments.data, arguments.folders)
