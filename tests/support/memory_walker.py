"""Reads a memory image by the rules of docs/hardware.md."""

import collections
from collections.abc import Iterator
from dataclasses import dataclass

from mesh_walker import LOCAL, WEST, walk

from spikeloom.golden.memory_image import MemoryImage, TileImage
from spikeloom.golden.spec import FabricConfig

Synapse = tuple[str, int, str, int, int, int]
"""Source and its neuron, target and its neuron, connection, delay."""


def row(word: int, fields: dict[str, int], signed: frozenset[str] = frozenset()) -> dict[str, int]:
    """The fields of a row, from their widths, lowest bits first."""
    values = {}
    for name, width in fields.items():
        value = word % 2**width
        if name in signed and value >= 2 ** (width - 1):
            value -= 2**width
        values[name] = value
        word //= 2**width
    assert word == 0
    return values


def bits(count: int) -> int:
    """Bits for numbers below `count`, at least one."""
    return max(1, len(f"{count - 1:b}"))


@dataclass(frozen=True)
class Neuron:
    """The neuron that fire updates in one lane of a fetched row."""

    group: int
    lane: int
    channel: int
    y: int
    x: int
    address: int
    bias: int


class Tile:
    """The memories of one tile, with their rows unpacked."""

    def __init__(self, config: FabricConfig, memories: TileImage) -> None:
        self.config = c = config
        self.weights = memories.weights
        images = c.extent > 1
        groups = (c.neurons + c.lanes - 1) // c.lanes
        rows, state = bits(groups * c.slots), c.state_bits
        words, axis, extent = bits(c.weight_words), bits(c.coordinates), bits(c.extent + 1)
        index = bits(max(c.axons, c.neurons))
        counted = bits(c.neurons + 1)
        of_images = {
            "height": extent,
            "width": extent,
            "channels": counted,
            "bias_base": bits(c.neurons),
            "shared": 1,
        }
        self.populations = [
            row(
                word,
                (of_images if images else {})
                | ({"synaptic": 1, "retain_synaptic": 13} if c.synaptic_current else {})
                | ({"delayed": 1} if c.delayed_reset else {})
                | ({"v_min": state} if c.lower_clamp else {})
                | ({"max_spikes": bits(c.max_spikes + 1)} if c.max_spikes > 1 else {})
                | {
                    "number": bits(c.populations * c.columns * c.rows),
                    "index_base": index,
                    "neurons": counted,
                    "neuron_base": bits(c.neurons),
                    "sum_base": rows,
                    "retain": 13,
                    "threshold": state,
                    "v_reset": state,
                    "v_init": state,
                    "reset": 2,
                    "inclusive": 1,
                    "spiking": 1,
                    "readout": 1,
                    "target_base": bits(c.targets),
                    "fan_out": bits(c.targets + 1),
                    "more": 1,
                },
                frozenset({"threshold", "v_reset", "v_init", "v_min"}),
            )
            for word in memories.populations
        ]
        of_images = {
            "image": 1,
            "grouped": 1,
            "height": extent,
            "width": extent,
            "row_coordinates": axis,
            "column_coordinates": axis,
            "channel_coordinates": axis,
            "stride": words,
            "sum_stride": rows,
            "row_weights": words,
            "column_weights": words,
            "row_sums": rows,
            "column_sums": rows,
        }
        self.connections = [
            row(
                word,
                (of_images if images else {})
                | ({"high": 1} if c.weight_pairs else {})
                | {
                    "weight_base": words,
                    "sources": bits(c.axons + 1),
                    "sum_base": rows,
                    "groups": bits(groups + 1),
                    "synapses": counted,
                },
            )
            for word in memories.connections
        ]
        self.coordinates = [
            row(
                word,
                {
                    "weight": words,
                    "sum": rows,
                    "count": bits(max(c.extent, groups) + 1),
                    "synapses": counted,
                },
            )
            for word in memories.coordinates
        ]
        self.targets = [
            row(
                word,
                {
                    "host": 1,
                    "route": bits(c.routes),
                    "connection": bits(c.connections),
                    "delay": bits(c.slots),
                },
            )
            for word in memories.targets
        ]
        self.biases = [
            row(
                word,
                {"bias": c.sum_bits} | ({"leak": state} if c.synaptic_current else {}),
                frozenset({"bias", "leak"}),
            )
            for word in memories.biases
        ]

    @property
    def phases(self) -> list[list[dict[str, int]]]:
        """The population rows of each phase that have neurons."""
        result: list[list[dict[str, int]]] = [[]]
        for entry in self.populations:
            if entry["neurons"]:
                result[-1].append(entry)
            if not entry["more"]:
                result.append([])
        assert result.pop() == []
        return result

    @property
    def entries(self) -> list[dict[str, int]]:
        """The population rows that have neurons."""
        return [entry for phase in self.phases for entry in phase]

    def fan_out(self, entry: dict[str, int]) -> list[dict[str, int]]:
        return self.targets[entry["target_base"] :][: entry["fan_out"]]

    def neurons(self, entry: dict[str, int]) -> Iterator[Neuron]:
        """The neurons of a population row, in the order in which fire visits them."""
        lanes, slots = self.config.lanes, self.config.slots
        images = self.config.extent > 1
        left, fetches, y, x, g = entry["neurons"], 0, 0, 0, 0
        if images:
            assert left == entry["channels"] * entry["height"] * entry["width"]
        while left:
            count = min(lanes, entry["channels"] - g * lanes if images else left)
            group, slot = divmod(entry["sum_base"], slots)
            # The accumulator row of slot 0 of a group is group * slots.
            assert slot == 0
            bias = entry["neuron_base"] + lanes * fetches
            if images:
                bias = entry["bias_base"] + lanes * (g if entry["shared"] else fetches)
            for lane in range(count):
                yield Neuron(
                    group + fetches,
                    lane,
                    entry["index_base"] + g * lanes + lane,
                    y,
                    x,
                    entry["neuron_base"] + lanes * fetches + lane,
                    bias + lane,
                )
            left -= count
            fetches += 1
            x += 1
            if not images or x == entry["width"]:
                x, y = 0, y + 1
            if not images or y == entry["height"]:
                y, g = 0, g + 1
        assert left == 0


class Walker:
    """Follows events through an image as the hardware does."""

    def __init__(self, image: MemoryImage) -> None:
        self.image = image
        self.config = c = image.config
        self.tiles = [Tile(c, memories) for memories in image.tiles]
        self.control = row(
            image.control, {"last_phase": bits(c.populations), "window": bits(c.slots)}
        )
        self.read: set[tuple[int, int]] = set()
        self.counted = collections.Counter[tuple[str, int, int]]()
        self.read_coordinates: set[tuple[int, int]] = set()
        # By tile, the neuron that owns the accumulators of each group and lane.
        self.owners = [
            {
                (neuron.group, neuron.lane): (entry["number"], self.numbered(entry, neuron))
                for entry in tile.entries
                for neuron in tile.neurons(entry)
            }
            for tile in self.tiles
        ]

    def numbered(self, entry: dict[str, int], neuron: Neuron) -> int:
        """The number of a neuron in its population."""
        height, width = entry.get("height", 1), entry.get("width", 1)
        return (neuron.channel * height + neuron.y) * width + neuron.x

    def reached(self, tile: int, entry: int, route: int) -> list[int]:
        """The tiles that receive a packet; a single tile has no router."""
        if len(self.tiles) == 1:
            return [0]
        shape = self.config.columns, self.config.rows
        return walk(shape, [memories.routes for memories in self.image.tiles], tile, entry, route)[
            0
        ]

    def segments(
        self, tile: int, number: int, index: int, y: int, x: int
    ) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """For each segment, its synapses and the (weight word, accumulator row) of its groups."""
        memories, slots = self.tiles[tile], self.config.slots
        entry = memories.connections[number]
        assert index < entry["sources"]
        assert entry["groups"]
        if not entry.get("image", 0):
            assert (y, x) == (0, 0)
            yield (
                entry["synapses"],
                [
                    (entry["weight_base"] + index + g * entry["sources"], g * slots)
                    for g in range(entry["groups"])
                ],
            )
            return
        assert y < entry["height"]
        assert x < entry["width"]

        def coordinates(name: str, coordinate: int) -> dict[str, int]:
            self.read_coordinates.add((tile, entry[f"{name}_coordinates"] + coordinate))
            return memories.coordinates[entry[f"{name}_coordinates"] + coordinate]

        row, column = coordinates("row", y), coordinates("column", x)
        weight = entry["weight_base"] + row["weight"] + column["weight"]
        total = row["sum"] + column["sum"]
        groups, synapses = entry["groups"], entry["synapses"]
        if entry["grouped"]:
            channel = coordinates("channel", index)
            weight += channel["weight"]
            total += channel["sum"]
            groups, synapses = channel["count"], channel["synapses"]
        else:
            weight += index
        if not groups:
            return
        for k in range(row["count"]):
            for n in range(column["count"]):
                yield (
                    synapses,
                    [
                        (
                            weight
                            + k * entry["row_weights"]
                            + n * entry["column_weights"]
                            + g * entry["stride"],
                            total
                            - k * entry["row_sums"]
                            - n * entry["column_sums"]
                            + g * entry["sum_stride"],
                        )
                        for g in range(groups)
                    ],
                )

    def added(
        self, tile: int, number: int, index: int, y: int = 0, x: int = 0
    ) -> dict[tuple[int, int], int]:
        """The weight that an event adds to each (population, neuron) of a tile, without padding."""
        memories, c = self.tiles[tile], self.config
        entry = memories.connections[number]
        high = entry.get("high", 0)
        result: dict[tuple[int, int], int] = {}
        for synapses, groups in self.segments(tile, number, index, y, x):
            real = 0
            for address, sums in groups:
                self.read.add((tile, address))
                lanes = row(
                    memories.weights[address],
                    {str(lane): c.weight_bits for lane in range(c.lanes)},
                    frozenset(map(str, range(c.lanes))),
                )
                group, slot = divmod(entry["sum_base"] + sums, c.slots)
                assert slot == 0
                for lane in range(c.lanes):
                    neuron = self.owners[tile].get((group, lane))
                    weight = lanes[str(lane)] << (c.weight_bits * high)
                    if neuron is None:
                        # Padding.
                        assert not weight
                    else:
                        assert neuron not in result
                        result[neuron] = weight
                        real += 1
            # The groups of a grouped channel may hold other channels too.
            assert real >= synapses if entry.get("grouped", 0) else real == synapses
        return result

    def synapses(self) -> dict[Synapse, list[int]]:
        """The weights of all synapses that events reach; `counted` has the numbers of real ones."""
        names = [sender.name for sender in self.image.senders]
        sizes = {entry.input: entry.image for entry in self.image.entries}
        weights: dict[Synapse, list[int]] = collections.defaultdict(list)

        def follow(
            name: str,
            neuron: int,
            position: tuple[int, int, int],
            tile: int,
            port: int,
            event: tuple[int, int, int],
        ) -> None:
            number, delay, route = event
            for arrival in self.reached(tile, port, route):
                self.counted[name, neuron, number] += sum(
                    synapses for synapses, _ in self.segments(arrival, number, *position)
                )
                for (population, target), weight in self.added(arrival, number, *position).items():
                    key = name, neuron, names[population], target, number, delay
                    weights[key].append(weight)

        for entry in self.image.entries:
            channels, height, width = sizes[entry.input] or (self.axons(entry.connection), 1, 1)
            for neuron in range(channels * height * width):
                channel, rest = divmod(neuron, height * width)
                position = channel, *divmod(rest, width)
                event = entry.connection, entry.delay, entry.route
                follow(entry.input, neuron, position, 0, WEST, event)
        for tile, memories in enumerate(self.tiles):
            for row in memories.entries:
                assert sum(target["host"] for target in memories.fan_out(row)) == row["spiking"]
                for target in memories.fan_out(row):
                    if target["host"]:
                        continue
                    event = target["connection"], target["delay"], target["route"]
                    for neuron in memories.neurons(row):
                        position = neuron.channel, neuron.y, neuron.x
                        number = self.numbered(row, neuron)
                        follow(names[row["number"]], number, position, tile, LOCAL, event)
        return weights

    def axons(self, number: int) -> int:
        """Sources of a connection."""
        return max(memories.connections[number]["sources"] for memories in self.tiles)
