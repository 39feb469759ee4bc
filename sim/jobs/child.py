"""The process of a local worker: does jobs that come on standard input until that ends.

A message is a length, eight bytes, lowest first, and that many bytes. The first two messages are
the name of the function and the shared bytes; then each message is a job, and answered by its
status, one byte, and a message.
"""

import os
import sys
from typing import IO

from spikeloom.sim.jobs.work import do


def send(stream: IO[bytes], data: bytes) -> None:
    """Write a message."""
    stream.write(len(data).to_bytes(8, "little"))
    stream.write(data)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes | None:
    """Read a message; None at the end of the stream."""
    head = stream.read(8)
    size = int.from_bytes(head, "little")
    data = stream.read(size) if len(head) == 8 else b""
    return data if len(head) == 8 and len(data) == size else None


def main() -> None:
    """Serve the process that started this one."""
    jobs = sys.stdin.buffer
    # Whatever a job prints must not get into the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    name, shared = receive(jobs), receive(jobs)
    if name is None or shared is None:
        return
    while (own := receive(jobs)) is not None:
        status, data = do(name.decode(), shared, own)
        answers.write(bytes([status]))
        send(answers, data)


if __name__ == "__main__":
    main()
