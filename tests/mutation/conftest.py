"""The tests whose stimuli are recorded are imported from where they are."""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / name) for name in ("", "sim", "hdl", "hdl/core", "hdl/link")]
