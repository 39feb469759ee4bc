"""The page in a browser: it draws itself, answers to choices, and needs nothing but itself."""

import dataclasses
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import browser, emulate
from mesh_program import mesh_program
from numpy.typing import NDArray

from spikeloom.compare import Comparison, Mismatch
from spikeloom.devices.device import Run
from spikeloom.devices.simulated import GoldenDevice
from spikeloom.program import Program
from spikeloom.report.gather import gather
from spikeloom.report.page import write_page
from spikeloom.scores import Question

HOSTILE = "</script><script>alert(1)</script>"
"""A name that anybody can give a population."""

MISSING, EXTRA = 4, 5
"""Neurons of `hidden` that spike in step 2 of sample 1 in the golden model, and in the hardware."""

BUILD: dict[str, Any] = {
    "board": "icebreaker",
    "clock_mhz": 36.0,
    "fmax_mhz": {"best": 41.78680419921875, "median": 41.78680419921875, "seeds": {"1": 41.7868}},
    "critical_path": [
        {"kind": "clk-to-q", "delay_ns": 1.39, "to": "replies.kind_SB_DFFESR_Q_1_D_SB_LUT4_O_LC"},
        {"kind": "routing", "delay_ns": 1.761, "to": "link.full_SB_LUT4_I2_I3_SB_LUT4_O_LC"},
    ],
    "pins": {"clk12_0__io": "35", "uart_0__rx__io": "6"},
    "resources": {"lut": {"used": 2703}, "logic_cells": {"available": 5280, "used": 3529}},
    "tools": {"yosys": "0.66"},
}
"""Parts of the report of a build."""

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page about a mesh, in whose sample 1 the hardware spiked once too often and once not."""
    program = mesh_program()
    about = {"assumptions": [HOSTILE], "warnings": ["a loss"], "outputs": [["x", "out"]]}
    program = dataclasses.replace(program, about=about)
    rng = np.random.default_rng(5)
    events = (rng.random((4, 12, 8)) < 0.4).astype(np.uint8)
    golden = GoldenDevice(program).run(events, traces=["hidden"])
    comparison = differing(golden)
    contents = gather(
        program,
        events,
        comparison,
        title="mesh.loom",
        question=Question(np.array([0, 1, 2, 3])),
        traces=["hidden"],
        build=BUILD,
    )
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_page(path, program, contents)
    return path


def differing(golden: Run) -> Comparison:
    """A comparison whose hardware gave something else in sample 1, step 2."""
    spikes = {name: array.copy() for name, array in golden.spikes.items()}
    traces = {name: array.copy() for name, array in golden.traces.items()}
    spikes["hidden"][1, 2] ^= np.isin(np.arange(24), (MISSING, EXTRA))
    traces["hidden"][1, 2, EXTRA] += 7
    rtl = dataclasses.replace(golden, spikes=spikes, traces=traces)
    assert golden.spikes["hidden"][1, 2, [MISSING, EXTRA]].tolist() == [True, False]
    first = Mismatch(1, 2, "spike", f"hidden[{MISSING}]", 1, 0)
    return Comparison(4, 48, 0, 3, first, None, golden, rtl)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def opened(shared: Any, page: Path) -> Any:
    """The page, drawn."""
    emulate(shared, 1280, 900, dark=False)
    shared.get("data:,")
    for log in ("browser", "performance"):
        shared.get_log(log)
    shared.get(page.as_uri())
    wait(shared, "return document.documentElement.dataset.sample === '1'")
    return shared


def wait(driver: Any, condition: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait  # noqa: PLC0415 - may be absent

    WebDriverWait(driver, 60).until(lambda d: d.execute_script(condition))


def text(driver: Any, name: str) -> str:
    return str(
        driver.execute_script("return document.getElementById(arguments[0]).textContent", name)
    )


def column(driver: Any, source: str, name: str) -> list[Any]:
    """A column of what a plot shows."""
    script = (
        "return Array.from(Bokeh.documents[0].get_model_by_name(arguments[0]).data[arguments[1]])"
    )
    return list(driver.execute_script(script, source, name))


def choose(driver: Any, select: str, value: str) -> None:
    driver.execute_script(
        "const s = document.getElementById(arguments[0]); s.value = arguments[1];"
        "s.dispatchEvent(new Event('change'))",
        select,
        value,
    )


def test_it_loads_nothing_and_says_nothing(opened: Any, page: Path) -> None:
    assert [entry for entry in opened.get_log("browser") if entry["level"] != "INFO"] == []
    messages = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    requested = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert requested
    assert [url for url in requested if url != page.as_uri() and not url.startswith("data:")] == []
    policy = "document.querySelector('meta[http-equiv]').content.startsWith(\"default-src 'none'\")"
    assert opened.execute_script(f"return {policy}")
    assert page.stat().st_size < 2_000_000


def test_a_name_is_text(opened: Any) -> None:
    assert HOSTILE in opened.execute_script("return document.body.textContent")
    assert "alert(1)</script>" not in re.sub(r"&lt;.*?&gt;", "", opened.page_source)


def test_a_plot_has_pixels(opened: Any) -> None:
    """Canvases lie in shadow roots."""
    drawn = opened.execute_script("""
        const canvases = [];
        const visit = (root) => root.querySelectorAll("*").forEach((element) => {
            if (element.tagName === "CANVAS") canvases.push(element);
            if (element.shadowRoot) visit(element.shadowRoot);
        });
        document.querySelectorAll(".plot").forEach(visit);
        return canvases.filter((canvas) => canvas.width && new Set(canvas.getContext("2d")
            .getImageData(0, 0, canvas.width, canvas.height).data).size > 8).length;
    """)
    assert drawn >= 6  # three rasters, trace, clocks, tiles


def test_choosing_a_sample_shows_its_differences(opened: Any, page: Path) -> None:
    # That with a difference is chosen first.
    assert column(opened, "raster-1-golden", "neuron") == [MISSING]
    assert column(opened, "raster-1-rtl", "neuron") == [EXTRA]
    assert column(opened, "raster-1-rtl", "step") == [2]
    assert "2 differ" in text(opened, "activity-summary")
    opened.find_element("id", "next").click()
    wait(opened, "return document.documentElement.dataset.sample === '2'")
    assert column(opened, "raster-1-rtl", "neuron") == []


def test_it_opens_on_the_neuron_that_differs_first(opened: Any) -> None:
    assert f"hidden[{MISSING}], sample 1" in text(opened, "trace-summary")


def test_the_board_has_its_resources_clock_and_pins(opened: Any) -> None:
    rows = """
        return [...document.querySelectorAll("section[aria-labelledby=board] tbody tr")]
            .map((row) => [...row.cells].map((cell) => cell.textContent))"""
    assert opened.execute_script(rows) == [
        ["lut", "2,703", "-", "-"],
        ["logic cells", "3,529", "5,280", "67%"],
        ["1", "41.79"],
        ["clk12_0__io", "35"],
        ["uart_0__rx__io", "6"],
        ["clk-to-q", "1.39", BUILD["critical_path"][0]["to"]],
        ["routing", "1.76", BUILD["critical_path"][1]["to"]],
        ["yosys", "0.66"],
    ]
    section = "document.querySelector('section[aria-labelledby=board]').innerText"
    assert "36.00 MHz" in opened.execute_script(f"return {section}.replace(/\\s+/g, ' ')")
    folded = opened.find_element("css selector", "section[aria-labelledby=board] details")
    to = BUILD["critical_path"][0]["to"]
    assert to not in opened.execute_script(f"return {section}")
    folded.find_element("css selector", "summary").click()
    assert to in opened.execute_script(f"return {section}")


def test_choosing_a_neuron_shows_its_potential(opened: Any) -> None:
    choose(opened, "neuron", str(EXTRA))
    golden, rtl = (column(opened, f"trace-{role}", "potential") for role in ("golden", "rtl"))
    assert [a - b for a, b in zip(rtl, golden, strict=True)] == [0, 0, 7, *[0] * 9]
    assert f"hidden[{EXTRA}], sample 1" in text(opened, "trace-summary")
    assert "differs in 1 steps" in text(opened, "trace-summary")
    marked = "return document.querySelector('#trace-table .marked').cells[0].textContent"
    assert opened.execute_script(marked) == "2"
    choose(opened, "population", "out")
    assert column(opened, "trace-rtl", "potential") == []
    assert "only the golden model" in text(opened, "trace-summary")


def test_a_spike_that_is_chosen_chooses_its_neuron(opened: Any) -> None:
    neurons = column(opened, "raster-1-both", "neuron")
    assert f"hidden[{neurons[-1]}]" not in text(opened, "trace-summary")
    selected = "Bokeh.documents[0].get_model_by_name('raster-1-both').selected"
    opened.execute_script(f"{selected}.indices = [arguments[0]]", len(neurons) - 1)
    assert f"hidden[{neurons[-1]}]" in text(opened, "trace-summary")


def test_hovering_over_a_spike_names_it(opened: Any) -> None:
    plot = opened.find_element("id", "plot-1")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
    step, neuron = (column(opened, "raster-1-both", name)[0] for name in ("step", "neuron"))
    x, y = opened.execute_script(
        """
        const view = [...Bokeh.index].find((view) => view.model.name === "raster-1");
        const {left, top} = view.el.getBoundingClientRect();
        const {x_scale, y_scale} = view.frame;
        return [left + x_scale.compute(arguments[0]), top + y_scale.compute(arguments[1])];
        """,
        step,
        neuron,
    )
    for offset in (5, 0):
        move = {"type": "mouseMoved", "x": x + offset, "y": y}
        opened.execute_cdp_cmd("Input.dispatchMouseEvent", move)
    shown = """
        let found = "";
        const visit = (root) => root.querySelectorAll("*").forEach((element) => {
            if (element.classList.contains("bk-Tooltip")) found += element.shadowRoot.textContent;
            if (element.shadowRoot) visit(element.shadowRoot);
        });
        visit(document);
        return found"""
    wait(opened, f"return (() => {{ {shown} }})().includes('neuron')")
    assert f"neuron:{neuron}" in opened.execute_script(shown).replace(" ", "").replace("\n", "")


def test_landmarks_headings_and_names(opened: Any) -> None:
    count = "return document.querySelectorAll(arguments[0]).length"
    for landmark in ("header", "nav[aria-label]", "main", "footer", "h1", "html[lang]"):
        assert opened.execute_script(count, landmark) == 1, landmark
    levels = opened.execute_script(
        "return [...document.querySelectorAll('h1,h2,h3')].map((h) => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    nameless = opened.execute_script("""
        return [...document.querySelectorAll("[role=img], [role=region], svg:not([aria-hidden])")]
            .filter((e) => !e.ariaLabel)
            .filter((e) => !document.getElementById(e.getAttribute("aria-labelledby"))).length""")
    assert nameless == 0
    assert opened.execute_script(count, "section:not([aria-labelledby])") == 0
    assert opened.execute_script(count, "table:not(:has(caption))") == 0
    for select in ("sample", "population", "neuron", "clock-sample", "clock-tile"):
        assert opened.execute_script(count, f"label[for={select}]") == 1
    broken = opened.execute_script("""
        return [...document.querySelectorAll("nav a")]
            .filter((a) => !document.querySelector(a.getAttribute("href"))).length""")
    assert broken == 0


def test_the_keyboard_reaches_controls_in_the_order_of_the_page(opened: Any) -> None:
    from selenium.webdriver.common.keys import Keys  # noqa: PLC0415

    opened.execute_script("document.activeElement.blur(); window.scrollTo(0, 0)")
    reached: list[str] = []
    places: list[float] = []
    for _ in range(60):
        opened.switch_to.active_element.send_keys(Keys.TAB)
        name, place = opened.execute_script("""
            const e = document.activeElement, b = e.getBoundingClientRect();
            return [e.id || e.ariaLabel || e.textContent, b.top + window.scrollY]""")
        reached.append(name)
        places.append(place)
        if name == "clock-tile":
            break
    assert reached[0] == "Skip to the results"
    controls = ["sample", "next", "population", "neuron", "clock-sample", "clock-tile"]
    assert [name for name in reached if name in controls] == controls
    inside = places[reached.index("sample") :]
    assert inside == sorted(inside)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_has_contrast_and_nothing_overflows_a_phone(opened: Any, dark: bool) -> None:
    emulate(opened, 390, 844, dark=dark)
    wait(opened, "return document.documentElement.scrollWidth === 390")  # plots resize themselves
    ratios = opened.execute_script("""
        const channel = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        const shares = [0.2126, 0.7152, 0.0722];
        const light = (rgb) => rgb.reduce((sum, c, n) => sum + shares[n] * channel(c), 0);
        const parse = (css) => {
            const [r, g, b, a = 1] = css.match(/[\\d.]+/g).map(Number);
            return css.startsWith("color(") ? [[r, g, b], a] : [[r / 255, g / 255, b / 255], a];
        };
        const behind = (element) => {
            for (let e = element; e; e = e.parentElement) {
                const [rgb, alpha] = parse(getComputedStyle(e).backgroundColor);
                if (alpha === 1) return rgb;
            }
            return [1, 1, 1];
        };
        return [...document.querySelectorAll("body *")]
            .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())
                && !e.closest("svg, script, style, .plot, [disabled]") && e.offsetWidth)
            .map((e) => {
                const [a, b] = [parse(getComputedStyle(e).color)[0], behind(e)].map(light);
                const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
                return [ratio, e.textContent.slice(0, 40)];
            });
    """)
    assert len(ratios) > 100
    assert [(round(ratio, 2), what) for ratio, what in ratios if ratio < 4.5] == []


def test_plots_take_the_colours_of_the_scheme(opened: Any) -> None:
    script = """
        const root = Bokeh.documents[0].get_model_by_name("trace-plot");
        return [root.below[0].major_label_text_color,
            getComputedStyle(document.documentElement).getPropertyValue("--quiet").trim()]"""
    light, wanted = opened.execute_script(script)
    assert light == wanted
    emulate(opened, 1280, 900, dark=True)
    wait(opened, f"return (() => {{ {script} }})()[0] !== '{light}'")
    dark, wanted = opened.execute_script(script)
    assert dark == wanted != light


def test_the_json_beside_it_has_the_figures(page: Path) -> None:
    values = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    assert values["mismatches"] == 3
    assert set(values["neurobench"]) >= {"footprint", "connection_sparsity", "activation_sparsity"}
    assert values["neurobench"]["synaptic_operations"]["Effective_ACs"] > 0


def test_a_hundred_samples_stay_below_five_megabytes(tmp_path: Path) -> None:
    """Even of random bits, which do not compress; samples that do not fit are left out and said."""
    program: Program = mesh_program()
    rng = np.random.default_rng(2)
    events: NDArray[np.uint8] = (rng.random((101, 100, 8)) < 0.5).astype(np.uint8)
    path = tmp_path / "long.html"
    write_page(path, program, gather(program, events))
    written = path.read_text(encoding="utf-8")
    assert len(written) < 5_000_000
    assert "100 of 101 samples are here" in written
