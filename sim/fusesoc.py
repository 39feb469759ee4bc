"""Describes emitted Verilog as a FuseSoC core."""

import importlib.metadata
import json


def fusesoc_core(file: str, top: str) -> str:
    """The text of a `.core` file (CAPI2); its values are JSON, a subset of YAML.

    Targets: `default`, for designs that depend on the core, and `lint`, with Verilator.

    Parameters
    ----------
    file
        Name of the Verilog file, in the folder of the core file.
    top
        Name of its top module, and of the core: `spikeloom:fabric:<top>`.
    """
    version = importlib.metadata.version("spikeloom")
    default = {"filesets": ["rtl"], "toplevel": top}
    lint = {"tool": "verilator", "verilator_options": ["-Wall"]}
    core = {
        "name": f"spikeloom:fabric:{top}:{version}",
        "description": "Spiking neural network fabric, loaded at run time",
        "filesets": {"rtl": {"files": [file], "file_type": "verilogSource"}},
        "targets": {"default": default, "lint": {**default, "flow": "lint", "flow_options": lint}},
    }
    lines = [f"{name}: {json.dumps(value)}\n" for name, value in core.items()]
    return "".join(["CAPI=2:\n", *lines])
