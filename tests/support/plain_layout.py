"""A simple mapper of any network to one tile, independent of the compiler's.

Memories are filled in order, with one table row for each connection and population; the fabric is
as small as the network allows.
"""

import itertools
import math
from dataclasses import dataclass, field

import numpy as np

from spikeloom.golden.convolution import Convolution
from spikeloom.golden.convolution import ImageShape as Shape
from spikeloom.golden.fixed import Integers, differs
from spikeloom.golden.memory_image import Entry, MemoryImage, Sender, TileImage
from spikeloom.golden.network import Connection, Input, Network, Population
from spikeloom.golden.population_check import PARAMETERS
from spikeloom.golden.spec import DECAY_ONE, FabricConfig, Layout, Reset

Row = dict[str, int]


def packed(layout: Layout, rows: list[Row]) -> tuple[int, ...]:
    """Pack rows, leaving out fields that the fabric is built without."""
    names = {field.name for field in layout.fields}
    return tuple(layout.pack({name: row[name] for name in names & set(row)}) for row in rows)


@dataclass
class PlainLayout:
    """Tables of a network, filled by `image`.

    Parameters
    ----------
    network
        Every population is recorded, if it spikes, and read out.
    lanes, slots, queue, traces
        As in the configuration.
    """

    network: Network
    lanes: int
    slots: int
    queue: int
    traces: bool = False
    groups: int = 0
    base: dict[str, int] = field(default_factory=dict)
    weights: list[list[int]] = field(default_factory=list)
    biases: list[Row] = field(default_factory=list)
    populations: list[Row] = field(default_factory=list)
    connections: list[Row] = field(default_factory=list)
    targets: list[Row] = field(default_factory=list)
    coordinates: list[Row] = field(default_factory=list)

    @property
    def nodes(self) -> tuple[Input | Population, ...]:
        """Inputs and populations."""
        return (*self.network.inputs, *self.network.populations)

    @property
    def images(self) -> bool:
        """Whether any node has an image shape."""
        return any(node.image is not None for node in self.nodes)

    def shape(self, node: Input | Population) -> Shape:
        """The image shape of a node; without one, its elements are channels of a 1 x 1 image."""
        return node.image or (node.size, 1, 1)

    def image(self) -> MemoryImage:
        """The memory image, with its fabric."""
        network = self.network
        order = sorted(network.populations, key=lambda p: p.phase)
        for population in order:
            self._add_population(population, network.populations.index(population))
        for n, row in enumerate(self.populations[:-1]):
            row["more"] = int(order[n].phase == order[n + 1].phase)
        for connection in network.connections:
            if isinstance(connection, Convolution):
                self._add_convolution(connection)
            else:
                self._add_matrix(connection)
        config = self._config()
        entries = tuple(
            Entry(
                node.name,
                0,
                number,
                c.delay,
                node.image if self.connections[number].get("image") else None,
            )
            for node in network.inputs
            for number, c in enumerate(network.connections)
            if c.source == node.name
        )
        max_delay = max((entry.delay for entry in entries), default=0)
        control = {"last_phase": network.phases - 1, "window": self.slots - 1 - max_delay}
        lanes = ({f"lane{n}": weight for n, weight in enumerate(row)} for row in self.weights)
        tile = TileImage(
            tuple(config.weight_row.pack(row) for row in lanes),
            packed(config.bias_row, self.biases),
            packed(config.population_row, self.populations),
            packed(config.connection_row, self.connections),
            tuple(config.target_row.pack(row) for row in self.targets),
            (),
            tuple(config.coordinate_row.pack(row) for row in self.coordinates),
        )
        senders = tuple(
            Sender(p.name, p.size, p.spiking, True, p.max_spikes, p.image, currents=currents)
            for p in network.populations
            for currents in [self.traces and p.synaptic_decay is not None]
        )
        return MemoryImage(config, (tile,), config.control_row.pack(control), entries, senders)

    def _config(self) -> FabricConfig:
        network = self.network
        populations = network.populations
        extent = max(max(self.shape(node)[1:]) for node in self.nodes)
        return FabricConfig(
            lanes=self.lanes,
            weight_bits=network.weight_bits,
            state_bits=network.state_bits,
            sum_bits=network.sum_bits,
            neurons=self.groups * self.lanes,
            weight_words=max(1, len(self.weights)),
            slots=self.slots,
            axons=max(node.size for node in self.nodes),
            populations=len(populations),
            connections=max(1, len(self.connections)),
            targets=max(1, len(self.targets)),
            queue=max(self.queue, self.lanes),
            extent=max(2, extent) if self.images else 1,
            coordinates=max(1, len(self.coordinates)),
            synaptic_current=any(p.synaptic_decay is not None for p in populations),
            weight_pairs=any(c.high for c in network.connections),
            delayed_reset=any(p.delayed_reset or p.reset is Reset.RESTORE for p in populations),
            lower_clamp=any(p.v_min is not None for p in populations),
            max_spikes=max(p.max_spikes for p in populations),
            fraction_bits=max(p.fraction_bits for p in populations),
            neuron_parameters=any(differs(getattr(p, n)) for p in populations for n in PARAMETERS),
            traces=self.traces,
        )

    def _add_population(self, population: Population, number: int) -> None:
        channels, height, width = self.shape(population)
        parts = -(-channels // self.lanes)
        positions = height * width
        self.base[population.name] = self.groups
        fan_out = [
            {"connection": n, "delay": c.delay}
            for n, c in enumerate(self.network.connections)
            if c.source == population.name
        ]
        fan_out.sort(key=lambda row: row["delay"])
        if population.spiking:
            fan_out.append({"host": 1})
        columns = self._columns(population)
        values = np.stack([*columns.values()]).reshape(-1, channels, positions)
        shared = bool((values == values[:, :, :1]).all()) and self.images
        if not self.images:
            # Biases have the addresses of their neurons.
            self.biases += [{}] * (self.groups * self.lanes - len(self.biases))
        self.populations.append(
            {
                "height": height,
                "width": width,
                "channels": channels,
                "bias_base": len(self.biases),
                "shared": shared,
                "synaptic": population.synaptic_decay is not None,
                **{name: int(column[0]) for name, column in columns.items()},
                "fraction": population.fraction_bits,
                "delayed": population.delayed_reset,
                "v_min": -(1 << (self.network.state_bits - 1))
                if population.v_min is None
                else population.v_min,
                "max_spikes": population.max_spikes,
                "number": number,
                "neurons": population.size,
                "neuron_base": self.groups * self.lanes,
                "sum_base": self.groups * self.slots,
                "reset": population.reset,
                "inclusive": population.inclusive,
                "spiking": population.spiking,
                "readout": 1,
                "currents": population.synaptic_decay is not None,
                "target_base": len(self.targets) if fan_out else 0,
                "fan_out": len(fan_out),
            }
        )
        self.targets += fan_out
        if shared:
            ordered = values[:, :, 0]
        else:
            padded = np.zeros((len(columns), parts * self.lanes, positions), np.int64)
            padded[:, :channels] = values
            groups = padded.reshape(-1, parts, self.lanes, positions)
            ordered = groups.transpose(0, 1, 3, 2).reshape(len(columns), -1)
        self.biases += [dict(zip(columns, row, strict=True)) for row in ordered.T.tolist()]
        self.groups += parts * positions

    def _columns(self, population: Population) -> dict[str, Integers]:
        """What a bias row may hold, for every neuron."""
        subtracts = population.reset in (Reset.SUBTRACT, Reset.RESTORE)
        subtrahend = population.subtrahend
        if subtrahend is None:
            subtrahend = population.threshold
        synaptic_decay = population.synaptic_decay
        columns = {
            "bias": population.bias,
            "leak": 0 if population.leak is None else population.leak,
            "retain": DECAY_ONE - population.decay,
            "retain_synaptic": 0 if synaptic_decay is None else DECAY_ONE - synaptic_decay,
            "threshold": population.threshold,
            "v_reset": subtrahend if subtracts else population.v_reset,
            "v_init": population.v_init,
        }
        return {name: np.broadcast_to(v, population.size) for name, v in columns.items()}

    def _add_matrix(self, connection: Connection) -> None:
        """One segment with all groups of the target; a position in the source selects its start."""
        source = self._node(connection.source)
        target = self.network.population(connection.target)
        channels, height, width = self.shape(target)
        parts = -(-channels // self.lanes)
        positions = height * width
        padded = np.zeros((source.size, parts * self.lanes, positions), np.int64)
        padded[:, :channels] = connection.weights.reshape(source.size, channels, positions)
        lanes = padded.reshape(source.size, parts, self.lanes, positions).transpose(1, 3, 0, 2)
        row: Row = {
            "weight_base": len(self.weights),
            "sources": source.size,
            "sum_base": self.base[target.name] * self.slots,
            "groups": parts * positions,
            "synapses": target.size,
            "high": connection.high,
        }
        # Here events of inputs carry no position; those of neurons do if they have an image shape.
        if isinstance(source, Population) and source.image is not None:
            count, rows, columns = source.image
            row |= {
                "image": 1,
                "sources": count,
                "height": rows,
                "width": columns,
                "row_coordinates": len(self.coordinates),
                "column_coordinates": len(self.coordinates) + rows,
                "stride": source.size if parts * positions > 1 else 0,
                "sum_stride": self.slots if parts * positions > 1 else 0,
            }
            self.coordinates += [{"weight": y * columns * count, "count": 1} for y in range(rows)]
            self.coordinates += [{"weight": x * count, "count": 1} for x in range(columns)]
            # Words of a group: by position, then by channel.
            by_channel = lanes.reshape(parts, positions, count, rows * columns, self.lanes)
            lanes = by_channel.transpose(0, 1, 3, 2, 4)
        self.connections.append(row)
        self.weights += lanes.reshape(-1, self.lanes).tolist()

    def _node(self, name: str) -> Input | Population:
        return next(node for node in self.nodes if node.name == name)

    def _add_convolution(self, convolution: Convolution) -> None:
        """Words by kernel row, kernel column, group, channel; if grouped, by channel, group."""
        channels, height, width = self.shape(self._node(convolution.source))
        target = self.network.population(convolution.target)
        outputs, out_height, out_width = self.shape(target)
        kernel = convolution.weights
        rows, columns = kernel.shape[2:]
        parts = -(-outputs // self.lanes)
        # Weights of each source channel to each output channel, 0 without a synapse.
        full = np.zeros((channels, parts * self.lanes, rows, columns), np.int64)
        part, out_part = channels // convolution.groups, outputs // convolution.groups
        for o in range(outputs):
            first = o // out_part * part
            full[first : first + part, o] = kernel[o]
        words = full.reshape(channels, parts, self.lanes, rows, columns).transpose(3, 4, 1, 0, 2)
        grouped = convolution.groups > 1
        group_rows = out_height * out_width * self.slots  # accumulator rows of a group
        channel_rows: list[Row] = []
        if grouped:
            chosen: list[Integers] = []
            for c in range(channels):
                first = c // part * out_part
                groups = range(first // self.lanes, (first + out_part - 1) // self.lanes + 1)
                channel_rows.append(
                    {
                        "weight": sum(part_words.shape[2] for part_words in chosen),
                        "sum": groups[0] * group_rows,
                        "count": len(groups),
                        "synapses": out_part,
                    }
                )
                chosen.append(words[:, :, groups[0] : groups[-1] + 1, c])
            by_tap = np.concatenate(chosen, axis=2)
        else:
            by_tap = words.reshape(rows, columns, -1, self.lanes)
        tap = by_tap.shape[2]
        down, row_steps = self._axis(convolution, 0, height, rows, out_height)
        right, column_steps = self._axis(convolution, 1, width, columns, out_width)
        self.connections.append(
            {
                "image": 1,
                "grouped": grouped,
                "height": height,
                "width": width,
                "row_coordinates": len(self.coordinates),
                "column_coordinates": len(self.coordinates) + height,
                "channel_coordinates": len(self.coordinates) + height + width if grouped else 0,
                "stride": 1 if grouped else channels if parts > 1 else 0,
                "sum_stride": group_rows if parts > 1 else 0,
                "row_weights": row_steps[0] * columns * tap,
                "row_sums": row_steps[1] * out_width * self.slots,
                "column_weights": column_steps[0] * tap,
                "column_sums": column_steps[1] * self.slots,
                "weight_base": len(self.weights),
                "sources": channels,
                "sum_base": self.base[target.name] * self.slots,
                "groups": 1 if grouped else parts,
                "synapses": 0 if grouped else outputs,
                "high": convolution.high,
            }
        )
        self.coordinates += [
            {"weight": k * columns * tap, "sum": o * out_width * self.slots, "count": count}
            for k, o, count in down
        ]
        self.coordinates += [
            {"weight": k * tap, "sum": o * self.slots, "count": count} for k, o, count in right
        ]
        self.coordinates += channel_rows
        self.weights += by_tap.reshape(-1, self.lanes).tolist()

    def _axis(
        self, convolution: Convolution, axis: int, extent: int, kernel: int, size: int
    ) -> tuple[list[tuple[int, int, int]], tuple[int, int]]:
        """Per coordinate: first kernel row, its output row, number of overlaps; and both steps."""
        stride, dilation = convolution.stride[axis], convolution.dilation[axis]
        pool, padding = convolution.pool[axis], convolution.padding[axis][0]
        common = math.gcd(stride, dilation)
        steps = stride // common, dilation // common
        coordinates = []
        for coordinate in range(extent):
            pooled = coordinate // pool
            overlaps = [
                (k, o)
                for k in range(kernel)
                for o in range(size)
                if o * stride + k * dilation - padding == pooled and pooled < extent // pool
            ]
            for (k, o), (next_k, next_o) in itertools.pairwise(overlaps):
                assert (next_k - k, o - next_o) == steps
            coordinates.append((*overlaps[0], len(overlaps)) if overlaps else (0, 0, 0))
        # Unused steps need not fit their fields.
        return coordinates, steps if any(count > 1 for _, _, count in coordinates) else (0, 0)
