"""Payloads of the byte streams between the blocks of the link."""

from amaranth import unsigned
from amaranth.lib import data

BODY = data.StructLayout({"data": unsigned(8), "last": unsigned(1)})
"""A byte of a command and its body, or of an answer's body; `last` marks the last one."""

CONTENT = data.StructLayout({"data": unsigned(8), "end": unsigned(1)})
"""A byte of a frame's content; with `end` no byte, but the end of the frame."""
