"""Which connections close a cycle, and so take a step.

In a cycle without delay it is each connection whose target lies no further from the inputs than its
source, counted in neuron nodes, so the order of nodes and edges never matters.
"""

from collections import deque
from collections.abc import Iterable, Sequence

from spikeloom.importer.images import Link


def closing(links: Sequence[Link], inputs: Iterable[str]) -> list[bool]:
    """For each link whether it closes a cycle that has no delay.

    `inputs` are the names of the network's inputs.
    """
    every: dict[str, list[str]] = {}
    undelayed: dict[str, list[str]] = {}
    for link in links:
        every.setdefault(link.source, []).append(link.target)
        if link.delay == 0:
            undelayed.setdefault(link.source, []).append(link.target)
    distance = _distances(inputs, every)
    far = len(links) + 1

    def closes(link: Link) -> bool:
        if link.delay or distance.get(link.target, far) > distance.get(link.source, far):
            return False
        return link.source in _distances([link.target], undelayed)

    return [closes(link) for link in links]


def _distances(starts: Iterable[str], onward: dict[str, list[str]]) -> dict[str, int]:
    """Every reachable name, with the number of links on the shortest path to it."""
    distances = dict.fromkeys(starts, 0)
    queue = deque(distances)
    while queue:
        name = queue.popleft()
        for target in onward.get(name, ()):
            if target not in distances:
                distances[target] = distances[name] + 1
                queue.append(target)
    return distances
