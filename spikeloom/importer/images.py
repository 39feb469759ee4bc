"""Which populations are images, and the connections that follow from it.

A kernel connects images. A population is one image or none, and between images of more than one
position hardware has kernels only. A population for which this cannot hold has no image, and all
its connections are matrices.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from spikeloom.golden.convolution import ImageShape
from spikeloom.importer.float_network import AnyFloatConnection, FloatConnection, FloatConvolution
from spikeloom.importer.linear_maps import Diagonal, Kernel, Map, Matrix, add, by_channel


@dataclass(frozen=True)
class Link:
    """A connection from one population or input to another: a sum of maps.

    Parameters
    ----------
    source, target
        Names of the two ends.
    delay
        Steps from a spike to its arrival.
    maps
        The terms of the sum.
    """

    source: str
    target: str
    delay: int
    maps: tuple[Map, ...]


def choose_images(links: Sequence[Link]) -> dict[str, ImageShape]:
    """The image of every input and population that is one."""
    none: set[str] = set()
    while True:
        views = _views(links, none)
        images = {name: next(iter(seen)) for name, seen in views.items() if len(seen) == 1}
        refused = {name for name, seen in views.items() if len(seen) > 1}
        for link in links:
            positions = images.get(link.target, (0, 1, 1))[1:]
            native = all(_kernel(term, link, images) is not None for term in link.maps)
            if link.source in images and positions != (1, 1) and not native:
                refused.add(link.target)
        if not refused:
            return images
        none |= refused


def connections(
    links: Sequence[Link],
    images: Mapping[str, ImageShape],
    check_size: Callable[[Link], None],
) -> list[AnyFloatConnection]:
    """The connections of all links; `check_size` refuses a matrix that is too large."""
    joined: list[AnyFloatConnection] = []
    for link in links:
        matrices: tuple[Map, ...] = ()
        for term in link.maps:
            kernel = _kernel(term, link, images)
            if kernel is not None:
                joined.append(FloatConvolution(link.source, link.target, kernel, link.delay))
            else:
                check_size(link)
                matrices = add(matrices, (Matrix(term.matrix()),))
        joined += [
            FloatConnection(link.source, link.target, term.matrix(), link.delay)
            for term in matrices
        ]
    return joined


def _views(links: Sequence[Link], none: set[str]) -> dict[str, set[ImageShape]]:
    """The image shapes that kernels give each node, without links to or from those in `none`."""
    views: dict[str, set[ImageShape]] = {}
    for link in links:
        if none & {link.source, link.target}:
            continue
        for term in link.maps:
            if isinstance(term, Kernel):
                views.setdefault(link.source, set()).add(term.image)
                views.setdefault(link.target, set()).add(term.output)
    return views


def _kernel(term: Map, link: Link, images: Mapping[str, ImageShape]) -> Kernel | None:
    """A map as a kernel between the images of the link's ends, where it has that form."""
    source, target = images.get(link.source), images.get(link.target)
    if source is None or target is None:
        return None
    if isinstance(term, Kernel):
        return term
    if isinstance(term, Diagonal) and source == target:
        gains = by_channel(term.gains, source)
        return None if gains is None else Kernel.pointwise(source, gains)
    return None
