"""Which populations are images, and the connections that follow from it.

A kernel joins images. A population is one image or none, and hardware joins nothing else from an
image to an image of more than one place. Where that cannot be kept, a population has no image and
all its connections are matrices.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from spikeloom.golden.convolution import ImageShape
from spikeloom.importer.float_network import AnyFloatConnection, FloatConnection, FloatConvolution
from spikeloom.importer.linear_maps import Diagonal, Kernel, Map, Matrix, add, by_channel


@dataclass(frozen=True)
class Link:
    """What one population or input sends another: a sum of maps.

    Parameters
    ----------
    source, target
        Their names.
    delay
        Steps from a spike to its arrival.
    maps
        What is added up.
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
            places = images.get(link.target, (0, 1, 1))[1:]
            native = all(_kernel(one, link, images) is not None for one in link.maps)
            if link.source in images and places != (1, 1) and not native:
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
    made: list[AnyFloatConnection] = []
    for link in links:
        rest: tuple[Map, ...] = ()
        for one in link.maps:
            kernel = _kernel(one, link, images)
            if kernel is not None:
                made.append(FloatConvolution(link.source, link.target, kernel, link.delay))
            else:
                check_size(link)
                rest = add(rest, (Matrix(one.matrix()),))
        made += [
            FloatConnection(link.source, link.target, one.matrix(), link.delay) for one in rest
        ]
    return made


def _views(links: Sequence[Link], none: set[str]) -> dict[str, set[ImageShape]]:
    """As what images the kernels between others than `none` see each node."""
    views: dict[str, set[ImageShape]] = {}
    for link in links:
        if none & {link.source, link.target}:
            continue
        for one in link.maps:
            if isinstance(one, Kernel):
                views.setdefault(link.source, set()).add(one.image)
                views.setdefault(link.target, set()).add(one.output)
    return views


def _kernel(one: Map, link: Link, images: Mapping[str, ImageShape]) -> Kernel | None:
    """A map as a kernel between the images of its ends, if it can be that."""
    source, target = images.get(link.source), images.get(link.target)
    if source is None or target is None:
        return None
    if isinstance(one, Kernel):
        return one
    if isinstance(one, Diagonal) and source == target:
        gains = by_channel(one.gains, source)
        return None if gains is None else Kernel.pointwise(source, gains)
    return None
