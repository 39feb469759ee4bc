"""Shape of an Input: without a batch dimension, and with the order of an image's axes."""

import math

import nir

from spikeloom.golden.checks import MAX_SIZE
from spikeloom.importer.assumptions import Assumption
from spikeloom.importer.neurons import own_shape
from spikeloom.importer.node import Node, Shape

DIMENSIONS = {nir.Conv1d: 2, nir.Conv2d: 3, nir.SumPool2d: 3, nir.AvgPool2d: 3}
"""Dimensions of the signal that a node takes."""


def input_dimensions(node: Node) -> int | None:
    """Dimensions of the signal that a node takes; None for any."""
    if isinstance(node.node, (nir.Linear, nir.Affine)):
        return max(1, node.array("weight").ndim - 1)
    dimensions = DIMENSIONS.get(type(node.node))
    shape = own_shape(node)
    return dimensions or (len(shape) if shape else None)


def input_shape(node: Node, dimensions: int | None) -> tuple[Shape, list[Assumption]]:
    """The shape of an Input whose signal goes to nodes that take so many dimensions.

    Leading dimensions of 1 that are too many, or that stand before a single number, are the batch
    of the sample data with which a network was exported.
    """
    shape = node.declared_shape("input")
    if shape is None:
        node.refuse("it states no shape; export the network with one")
    if math.prod(shape) > MAX_SIZE:
        node.refuse(f"it has {math.prod(shape)} elements, more than {MAX_SIZE}; split it")
    notes = []
    batch = 0
    while dimensions is not None and len(shape) > dimensions and shape[0] == 1:
        shape, batch = shape[1:], batch + 1
    if batch:
        meaning = "leading dimensions of 1 are taken for the batch"
        change = "setting the shape of the node"
        notes.append(Assumption(f"shape of {node.name!r}", shape, meaning, change, change))
    if len(shape) == 3:
        meaning = "an Input of 3 dimensions is (channels, rows, columns)"
        change = "reordering the events"
        notes.append(Assumption(f"axes of {node.name!r}", shape, meaning, change, change))
    return shape, notes
