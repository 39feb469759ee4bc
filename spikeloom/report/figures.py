"""The plots of a page, by Bokeh. They start empty: the page's script fills in what is chosen.

Every text that comes from a program is written by the page, never by a plot. Colours are those of a
role, which the script takes from the style sheet: a glyph's name ends in its role.
"""

from collections.abc import Sequence
from typing import Any

from bokeh.models import (
    BasicTicker,
    BoxZoomTool,
    ColumnDataSource,
    HoverTool,
    Range1d,
    ResetTool,
    TapTool,
    WheelZoomTool,
)
from bokeh.plotting import figure

from spikeloom.golden.cycle.split import PARTS
from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping.plan import Report
from spikeloom.report.records import Raster

Plot = figure

MARKS = {"both": "square", "golden": "triangle", "rtl": "inverted_triangle"}
"""Marker of spikes of both, of the golden model alone and of the hardware alone."""

RASTER_HEIGHT = 60, 200
"""Least and greatest height of a raster in pixels, without its axis and its tools."""

FRAME_HEIGHT = 82
"""Height of axis and tools."""


def rasters(of: Sequence[Raster], steps: int) -> list[Plot]:
    """A raster for each input and spiking population, with one range of steps."""
    shared = _all(steps)
    plots = []
    for number, raster in enumerate(of):
        low, high = RASTER_HEIGHT
        height = min(high, max(low, 12 * raster.size))
        unit = "axon" if raster.is_input else "neuron"
        plot = _figure(f"raster-{number}", height + FRAME_HEIGHT, unit)
        plot.x_range = shared
        plot.y_range = _all(raster.size)
        size = max(2.5, min(9, height / raster.size, 600 / steps))
        renderers: list[Any] = []
        for role, marker in MARKS.items():
            source = ColumnDataSource(
                {"step": [], "neuron": [], "count": []}, name=f"{plot.name}-{role}"
            )
            glyph = plot.scatter(
                "step",
                "neuron",
                source=source,
                marker=marker,
                size=size if role == "both" else max(9, size + 3),
                line_width=0 if role == "both" else 1,
                name=f"{plot.name}:{role}",
            )
            # The glyph of a selected or unselected spike is the same: a choice shows in the trace.
            glyph.nonselection_glyph = glyph.selection_glyph = None
            renderers.append(glyph)
        hover = HoverTool(
            renderers=renderers,
            tooltips=[("step", "@step"), (unit, "@neuron"), ("count", "@count")],
        )
        plot.add_tools(hover, TapTool(renderers=renderers))
        plots.append(plot)
    return plots


def trace(steps: int) -> Plot:
    """Potential of one neuron over the steps, of golden model and hardware."""
    plot = _figure("trace-plot", 280, "potential")
    plot.x_range, plot.y_range = _all(steps), Range1d(start=0, end=1, name="trace-range")
    for role, dash, width in (("golden", "solid", 2), ("rtl", "dashed", 2)):
        source = ColumnDataSource({"step": [], "potential": []}, name=f"trace-{role}")
        line = plot.line(
            "step",
            "potential",
            source=source,
            line_dash=dash,
            line_width=width,
            name=f"trace:{role}",
        )
        plot.scatter("step", "potential", source=source, size=4, name=f"trace-points:{role}")
        label = "golden model" if role == "golden" else "hardware"
        hover = HoverTool(
            renderers=[line], mode="vline", tooltips=[("step", "@step"), (label, "@potential")]
        )
        plot.add_tools(hover)
    threshold = ColumnDataSource({"step": [], "potential": []}, name="trace-threshold")
    plot.line(
        "step", "potential", source=threshold, line_dash="dotted", name="trace-threshold:threshold"
    )
    spikes = ColumnDataSource({"step": [], "potential": []}, name="trace-spikes")
    plot.scatter(
        "step", "potential", source=spikes, marker="star", size=12, name="trace-spikes:both"
    )
    return plot


def clocks(steps: int) -> Plot:
    """Clocks of each step of a sample, by what they are spent on."""
    plot = _figure("clocks-plot", 260, "clocks")
    plot.x_range, plot.y_range = _all(steps), Range1d(start=0, end=1, name="clocks-range")
    source = ColumnDataSource({name: [] for name in ("step", *PARTS)}, name="clocks")
    bars = plot.vbar_stack(
        PARTS, x="step", source=source, width=0.8, name=[f"clocks:{part}" for part in PARTS]
    )
    tooltips = [("step", "@step"), *((part, f"@{part}") for part in PARTS)]
    plot.add_tools(HoverTool(renderers=[bars[0]], tooltips=tooltips))
    return plot


def tiles(config: FabricConfig, report: Report) -> Plot:
    """The tiles as a map, with the fullest memory of each, and the traffic between them."""
    plot = _figure("tiles-plot", 120 + 90 * config.rows, "")
    plot.x_range = Range1d(start=-0.6, end=config.columns - 0.4)
    plot.y_range = Range1d(start=config.rows - 0.4, end=-0.6)
    plot.axis.visible = plot.grid.visible = False
    shares = [{name: used[name] / report.available[name] for name in used} for used in report.used]
    data: dict[str, list[object]] = {
        "x": [tile % config.columns for tile in range(config.tiles)],
        "y": [tile // config.columns for tile in range(config.tiles)],
        "tile": list(range(config.tiles)),
        "share": [max(share.values()) for share in shares],
        "memory": [max(share, key=lambda name: share[name]) for share in shares],
    }
    captions = zip(data["tile"], data["share"], strict=True)
    data["label"] = [f"{tile}: {share:.0%}" for tile, share in captions]
    data |= {
        name: [f"{used[name]} of {report.available[name]}" for used in report.used]
        for name in report.available
    }
    source = ColumnDataSource(data)
    boxes = plot.rect(
        "x", "y", 0.62, 0.62, source=source, fill_alpha={"field": "share"}, name="tiles:integrate"
    )
    plot.text(
        "x",
        "y",
        "label",
        source=source,
        text_align="center",
        text_baseline="middle",
        text_font_size="13px",
        name="tiles-label:text",
    )
    tooltips = [("tile", "@tile"), *((name, f"@{name}") for name in report.available)]
    plot.add_tools(HoverTool(renderers=[boxes], tooltips=tooltips))
    _links(plot, config, report)
    return plot


_DIRECTIONS = {"east": (1, 0), "west": (-1, 0), "south": (0, 1), "north": (0, -1)}


def _links(plot: Plot, config: FabricConfig, report: Report) -> None:
    """Each link between two tiles as a bar, as wide as its traffic."""
    busiest = max((link.packets for link in report.links), default=0) or 1
    data: dict[str, list[object]] = {name: [] for name in ("x", "y", "to_x", "to_y", "width")}
    data |= {"packets": [], "from": [], "to": []}
    for link in report.links:
        across, down = _DIRECTIONS[link.port]
        x, y = link.tile % config.columns, link.tile // config.columns
        # Each direction keeps to its own side.
        side_x, side_y = -0.09 * down, 0.09 * across
        data["x"].append(x + 0.33 * across + side_x)
        data["y"].append(y + 0.33 * down + side_y)
        data["to_x"].append(x + 0.67 * across + side_x)
        data["to_y"].append(y + 0.67 * down + side_y)
        data["width"].append(1.5 + 9 * link.packets / busiest)
        data["packets"].append(link.packets)
        data["from"].append(link.tile)
        data["to"].append(link.tile + across + down * config.columns)
    source = ColumnDataSource(data)
    segments = plot.segment(
        "x", "y", "to_x", "to_y", source=source, line_width="width", name="links:fire"
    )
    tooltips = [("from tile", "@from"), ("to tile", "@to"), ("packets a step", "@packets{0.0}")]
    plot.add_tools(HoverTool(renderers=[segments], tooltips=tooltips))


def _all(count: int) -> Range1d:
    """The range of an axis with `count` integers, and no more."""
    return Range1d(start=-0.5, end=count - 0.5, bounds=(-0.5, count - 0.5))


def _figure(name: str, height: int, vertical: str) -> Plot:
    plot = figure(
        name=name,
        height=height,
        sizing_mode="stretch_width",
        tools=[BoxZoomTool(dimensions="width"), WheelZoomTool(dimensions="width"), ResetTool()],
        active_drag=None,
        active_scroll=None,
        toolbar_location="above",
        background_fill_alpha=0,
        border_fill_alpha=0,
        outline_line_color=None,
        min_border_left=56,
        x_axis_label="step",
        y_axis_label=vertical,
    )
    plot.toolbar.logo = None
    plot.axis.ticker = BasicTicker(min_interval=1)
    plot.axis.minor_tick_line_color = None
    plot.xaxis.axis_label_text_font_style = plot.yaxis.axis_label_text_font_style = "normal"
    return plot
