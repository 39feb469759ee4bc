"""Where a program lies: the tiles, what they use, and the packets between them."""

from spikeloom.golden.spec import FabricConfig
from spikeloom.mapping.plan import Report
from spikeloom.plots.axes import COLOURS, Axes, axes_of

_DIRECTIONS = {"east": (1, 0), "west": (-1, 0), "south": (0, 1), "north": (0, -1)}


def mapping(config: FabricConfig, report: Report, ax: Axes | None = None) -> Axes:
    """The memories of a single tile as bars; of several, a map with the traffic between them."""
    return _bars(report, ax) if config.tiles == 1 else _map(config, report, ax)


def _bars(report: Report, ax: Axes | None) -> Axes:
    (used,) = report.used
    names = list(used)
    axes = axes_of(ax, height=0.6 + 0.35 * len(names))
    shares = [used[name] / report.available[name] for name in names]
    axes.barh([name.replace("_", " ") for name in names], shares, color=COLOURS[0])
    for n, name in enumerate(names):
        axes.text(shares[n] + 0.01, n, f"{used[name]:,} of {report.available[name]:,}", va="center")
    axes.set_xlim(0, 1.25)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    axes.invert_yaxis()
    axes.set_title("Rows used of each memory", loc="left")
    return axes


def _map(config: FabricConfig, report: Report, ax: Axes | None) -> Axes:
    axes = axes_of(ax, 1.6 * config.columns + 0.4, 1.6 * config.rows + 0.6)
    for tile, used in enumerate(report.used):
        shares = {name: used[name] / report.available[name] for name in used}
        fullest = max(shares, key=lambda name: shares[name])
        row, column = divmod(tile, config.columns)
        box = (column - 0.33, row - 0.33, 0.66, 0.66)
        inset = axes.inset_axes(box, transform=axes.transData)
        inset.set_xticks([])
        inset.set_yticks([])
        inset.patch.set_facecolor(COLOURS[0])
        inset.patch.set_alpha(0.15 + 0.6 * shares[fullest])
        text = f"tile {tile}\n{shares[fullest]:.0%}\n{fullest.replace('_', ' ')}"
        inset.text(0.5, 0.5, text, ha="center", va="center", fontsize=9)
    busiest = max(link.packets for link in report.links) or 1
    for link in report.links:
        row, column = divmod(link.tile, config.columns)
        across, down = _DIRECTIONS[link.port]
        x, y = column + 0.34 * across - 0.08 * down, row + 0.34 * down + 0.08 * across
        width = 0.5 + 4 * link.packets / busiest
        arrow = {"arrowstyle": "-|>", "linewidth": width, "color": COLOURS[1], "shrinkA": 0}
        if link.packets:
            tip = (x + 0.32 * across, y + 0.32 * down)
            axes.annotate("", tip, (x, y), arrowprops=arrow)
    axes.set_xlim(-0.5, config.columns - 0.5)
    axes.set_ylim(config.rows - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_title("Tiles, and packets between them", loc="left")
    return axes
