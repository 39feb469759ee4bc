"""The scoreboard: what was delivered against what was offered, without any model."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.traffic.player import Outcome
from spikeloom.sim.traffic.stimuli import Stimuli


@dataclass(frozen=True)
class Score:
    """The counts of the scoreboard.

    Parameters
    ----------
    packets, deliveries
        Packets offered; packets delivered, a multicast counted at every tile.
    stuck
        Packets that were never accepted.
    altered
        Deliveries of a packet that no source offered.
    astray
        Deliveries to a tile that is no destination of the packet.
    doubled
        Repeated deliveries of a packet to the same tile.
    lost
        Missing deliveries of accepted packets.
    disordered
        Deliveries that overtook one of the same source and tile that was accepted earlier.
    latency
        Maximum clocks from acceptance to delivery.
    """

    packets: int
    deliveries: int
    stuck: int
    altered: int
    astray: int
    doubled: int
    lost: int
    disordered: int
    latency: int

    @property
    def faults(self) -> int:
        """The number of errors of all kinds."""
        return self.stuck + self.altered + self.astray + self.doubled + self.lost + self.disordered


def numbers(stimuli: Stimuli, outcome: Outcome) -> NDArray[np.int64]:
    """For each delivery the index of its packet in `stimuli`; arbitrary for an unknown packet."""
    order = np.argsort(stimuli.packets)
    rank = np.searchsorted(stimuli.packets[order], outcome.given)
    indices: NDArray[np.int64] = order[rank.clip(max=len(order) - 1)]
    return indices


def score(stimuli: Stimuli, outcome: Outcome) -> Score:
    """Check that every packet reached its destinations once, unchanged and in order."""
    tiles = stimuli.config.tiles
    packets = stimuli.packets
    number = numbers(stimuli, outcome)
    known = packets[number] == outcome.given
    number, to, at = number[known], outcome.given_to[known], outcome.given_at[known]

    arrived = np.zeros((len(packets), tiles), np.int64)
    np.add.at(arrived, (number, to), 1)
    expected = stimuli.destinations
    sources = stimuli.sources
    position = np.arange(len(packets)) - stimuli.starts[sources].astype(np.int64)
    accepted = position < outcome.accepted[sources]

    # Deliveries grouped by source and tile, in order of arrival.
    flow = sources[number] * tiles + to.astype(np.int64)
    together = np.argsort(flow, kind="stable")
    backwards = np.diff(number[together]) < 0
    same = np.diff(flow[together]) == 0
    latency = at.astype(np.int64) - outcome.taken[number].astype(np.int64)
    return Score(
        packets=len(packets),
        deliveries=len(outcome.given),
        stuck=int((~accepted).sum()),
        altered=int((~known).sum()),
        astray=int(arrived[~expected].sum()),
        doubled=int((arrived - 1).clip(min=0)[expected].sum()),
        lost=int((expected & accepted[:, None] & (arrived == 0)).sum()),
        disordered=int((backwards & same).sum()),
        latency=int(latency.max(initial=0)),
    )


def received(stimuli: Stimuli, outcome: Outcome, target: int, since: int) -> NDArray[np.int64]:
    """For each source the packets that tile `target` received in clock `since` or later."""
    chosen = (outcome.given_to == target) & (outcome.given_at >= since)
    sources = stimuli.sources[numbers(stimuli, outcome)[chosen]]
    return np.bincount(sources, minlength=len(stimuli.starts) - 1)
