"""The drivers of the AXI registers: the header, compiled, and the Python module, on the RTL."""

import json
import os
import random
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from cocotb_tools.runner import get_results
from locking import one_at_a_time
from test_axi import FABRICS, addresses, mapped

from spikeloom.golden.spec import FabricConfig, PacketKind
from spikeloom.hdl.axi.register_map import places
from spikeloom.hdl.axi.registers import IDENTIFIER, VERSION, configuration_hash
from spikeloom.sim import cache
from spikeloom.sim.cosim import process
from spikeloom.sim.drivers.write import c_header, python_driver
from spikeloom.sim.verilator import build_bench
from spikeloom.sim.verilog import AXI_TOP, emit_axi

CONFIG = FABRICS["one tile"]
IMAGES = FabricConfig(extent=16, columns=2, state_bits=20)
STRICT = ("-Wall", "-Wextra", "-Werror", "-pedantic")


def compiled(folder: Path, config: FabricConfig, text: str) -> Path:
    """A shared library of C that includes the header; it compiles as C++, too."""
    (folder / "fabric.h").write_text(c_header(config), encoding="utf-8")
    (folder / "use.c").write_text(f'#include "fabric.h"\n{text}', encoding="utf-8")
    library = folder / "use.so"
    for command in (
        ["cc", "-std=c99", *STRICT, "-shared", "-fPIC", "-o", str(library), "use.c"],
        ["c++", "-x", "c++", "-std=c++11", *STRICT, "-c", "-o", os.devnull, "use.c"],
    ):
        subprocess.run(command, cwd=folder, check=True)
    return library


def test_the_map_has_the_registers_of_the_page() -> None:
    for config in FABRICS.values():
        words = [
            place.address + n for place in places(config) for n in range(0, place.bits // 8, 4)
        ]
        assert words == list(addresses(config))


@pytest.mark.parametrize("config", [CONFIG, IMAGES], ids=["plain", "images"])
def test_payloads_are_those_of_the_specification(config: FabricConfig, tmp_path: Path) -> None:
    """In C and in Python, of random fields; and the mark of a step."""
    rng = random.Random(4)
    module = runpy.run_path(_written(tmp_path / "driver.py", python_driver(config)))
    names = [field.name for field in config.host_in.fields][2:]
    checks = []
    for _ in range(50):
        event = {f.name: rng.getrandbits(f.width) for f in config.host_in.fields[2:]}
        arguments = ", ".join(str(event[name]) for name in names)
        word = config.host_in.pack(event)
        assert module["pack"]("host_in", **event) == word
        checks.append(f"spikeloom_axi_event({arguments}) == UINT64_C({word})")
        packet = rng.getrandbits(config.host_out.width)
        fields = config.host_out.unpack(packet)
        assert module["unpack"]("host_out", packet) == fields
        decoded = f"spikeloom_axi_decode(UINT64_C({packet}))"
        checks += [f"(int64_t){decoded}.{name} == {value}" for name, value in fields.items()]
    most = (1 << config.slot_width) - 1
    for first in (0, 1):
        for follow in (0, 1, most, most + 7):
            mark = config.host_in.pack({"step": 1, "first": first, "ahead": min(follow, most)})
            checks.append(f"spikeloom_axi_step({first}, {follow}) == {mark}")
    checks += [f"SPIKELOOM_AXI_{kind.name} == {kind.value}" for kind in PacketKind]
    text = "".join(f"    if (!({check})) return {n};\n" for n, check in enumerate(checks, 1))
    main = tmp_path / "main"
    compiled(tmp_path, config, f"int main(void);\nint main(void)\n{{\n{text}    return 0;\n}}\n")
    subprocess.run(["cc", "-o", str(main), "use.c"], cwd=tmp_path, check=True)
    status = subprocess.run([str(main)], check=False).returncode
    assert status == 0, checks[status - 1]


def _written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_load_word_waits_while_the_fabric_is_busy(tmp_path: Path) -> None:
    """And says whether a register refused it. The fabric is two functions."""
    text = """
static int reads, writes, refused = -1;
static uint32_t status(void *context, uint32_t address)
{
    (void)context;
    return ++reads < 5 && address == SPIKELOOM_AXI_STATUS ? SPIKELOOM_AXI_STATUS_BUSY : 0;
}
static int take(void *context, uint32_t address, uint32_t value)
{
    (void)context; (void)address; (void)value;
    return reads < 5 || writes++ == refused;
}
int main(void)
{
    const struct spikeloom_axi_bus bus = {0, status, take};
    const uint32_t word[SPIKELOOM_AXI_LOAD_WORD_WORDS] = {0};
    int count;
    if (spikeloom_axi_load(&bus, word) || reads != 5) return 1;
    count = writes;
    for (refused = 0; refused < count; refused++) {
        writes = 0;
        if (!spikeloom_axi_load(&bus, word)) return 2;
    }
    return 0;
}
"""
    compiled(tmp_path, CONFIG, text)
    subprocess.run(["cc", "-o", "main", "use.c"], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "main"], check=False).returncode == 0


def test_the_header_reads_every_register_and_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the RTL; then the registers hold the last load word and the row after it."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    image, _, _ = mapped(CONFIG)
    load = list(image.load_words())
    size = -(-CONFIG.load.width // 32)
    kept = places(CONFIG)
    reads = "".join(
        f"    values[{n}] = spikeloom_axi_read64(&bus, SPIKELOOM_AXI_{place.name});\n"
        if place.bits == 64
        else f"    values[{n}] = bus.read(0, SPIKELOOM_AXI_{place.name});\n"
        for n, place in enumerate(kept)
    )
    library = compiled(
        tmp_path,
        CONFIG,
        '#ifdef __cplusplus\nextern "C"\n#endif\n'
        "int exercise(uint32_t (*read)(void *, uint32_t), int (*write)(void *, uint32_t, uint32_t),"
        " uint64_t *values, const uint32_t *load, int rows);\n"
        "int exercise(uint32_t (*read)(void *, uint32_t), int (*write)(void *, uint32_t, uint32_t),"
        " uint64_t *values, const uint32_t *load, int rows)\n{\n"
        "    struct spikeloom_axi_bus bus;\n    int n;\n"
        "    bus.context = 0; bus.read = read; bus.write = write;\n"
        "    if (!spikeloom_axi_fits(&bus)) return 1;\n"
        "    for (n = 0; n < rows; n++)\n"
        "        if (spikeloom_axi_load(&bus, load + n * SPIKELOOM_AXI_LOAD_WORD_WORDS))\n"
        "            return 2;\n"
        f"{reads}    return 0;\n}}\n",
    )
    setup = {
        "library": str(library),
        "places": len(kept),
        "load": [word >> 32 * n & 0xFFFFFFFF for word in load for n in range(size)],
        "rows": len(load),
        "result": str(tmp_path / "result.json"),
    }
    run = tmp_path / "run"
    run.mkdir()
    (run / "setup.json").write_text(json.dumps(setup), encoding="utf-8")
    verilog = emit_axi(CONFIG)
    with one_at_a_time(cache.digest(verilog)):
        build = build_bench(verilog, AXI_TOP)
    output = process.simulate(build, run, AXI_TOP, "driver_bench")
    (results,) = run.glob("*.xml")
    assert get_results(results) == (1, 0), output
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert result["status"] == 0
    values = dict(zip((place.name for place in kept), result["values"], strict=True))
    last = CONFIG.load.unpack(load[-1])
    expected = {
        "IDENTIFIER": IDENTIFIER,
        "VERSION": VERSION,
        "CONFIGURATION": configuration_hash(CONFIG),
        "STATUS": 0,
        "CONTROL": 0,
        "LOAD_TILE": last["tile"],
        "LOAD_TARGET": last["target"],
        "LOAD_ADDRESS": last["address"] + 1,
        "LOAD_COMMIT": 0,
        **{f"SIZES_{name.upper()}": n for name, n in json.loads(CONFIG.to_json()).items()},
        **{name: 0 for name in values if name.startswith("COUNTERS")},
        **{
            f"LOAD_DATA_{n}": last["data"] >> 32 * n & 0xFFFFFFFF
            for n in range(-(-CONFIG.load.fields[-1].width // 32))
        },
    }
    assert values.pop("CYCLES") > len(load)
    assert values == expected
