"""Routers that never end: nextpnr's first one rips up the same arcs again and again."""

import re
from pathlib import Path

BATCHES = 100
"""Batches of 1,000 arcs without progress after which a router is ended. Whole routes take 20."""

_BATCH = re.compile(r"\|\s*\d+\s+(\d+)\s*\|\s*\d+\s+\d+\s*\|\s*(\d+)\s*\|")
"""In a line of the log: arcs routed without ripping up others so far, and arcs that remain."""


def in_circles(log: Path) -> bool:
    """Whether the last `BATCHES` batches in nextpnr's log left as many arcs as the first of them.

    It counts batches, not seconds, so that the load of the machine changes nothing. Of a router
    that prints no such table it is False.
    """
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return False
    last = _BATCH.findall(text)[-BATCHES:]
    return len(last) == BATCHES and len(set(last)) == 1
