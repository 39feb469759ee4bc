"""The long tests on a Dask cluster: each file of tests is a job.

    python -m bench.soak --scheduler tcp://host:8786 --seed 7

The workers run in a checkout of the same version with its `test` extra, so start them there:
`PYTHONPATH=. dask worker tcp://host:8786`. Prints a line for each file as it ends, with what
`make soak` would say of its failures, and exits with status 1 if there are any.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from spikeloom.sim.jobs.run import run_jobs

MARKS = "soak or load or hypothesis"
"""Tests that are long, or draw other examples with each seed."""

NO_TESTS = 5
"""Pytest's exit status where none was selected."""


def options(seed: int) -> list[str]:
    """Pytest's options of a campaign."""
    profile = ("--hypothesis-profile", "soak", "--hypothesis-seed", str(seed))
    return ["-q", "-rf", "-m", MARKS, "-p", "no:cacheprovider", *profile]


def run_file(shared: bytes, own: bytes) -> bytes:
    """Run the tests of a file; for `spikeloom.sim.jobs`."""
    setup = json.loads(shared)
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *setup["options"], own.decode()],
        env=os.environ | setup["environment"],
        capture_output=True,
        text=True,
        check=False,
    )
    failed = done.returncode not in (0, NO_TESTS)
    lines = done.stdout.strip().splitlines()
    return json.dumps(
        {
            "failed": failed,
            "seconds": round(time.monotonic() - start),
            "said": lines if failed else lines[-1:],
        }
    ).encode()


def files(seed: int) -> list[str]:
    """The files that have such tests."""
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", *options(seed), "tests"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return sorted({line.partition("::")[0] for line in listed.splitlines() if "::" in line})


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scheduler", help="address; default: processes of this machine")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--packets", type=int, default=1_000_000, help="of the load tests")
    parser.add_argument("files", nargs="*", help="files of tests; default: all")
    arguments = parser.parse_args()
    seed = arguments.seed
    environment = {"SPIKELOOM_PACKETS": str(arguments.packets), "SPIKELOOM_SEED": str(seed)}
    shared = json.dumps({"options": options(seed), "environment": environment}).encode()
    jobs = {name: name.encode() for name in arguments.files or files(seed)}
    print(f"seed {seed}, {len(jobs)} files")
    os.environ["PYTHONPATH"] = str(Path.cwd())  # where workers on this machine find this module
    failures = 0
    for name, data in run_jobs(run_file, shared, jobs, scheduler=arguments.scheduler):
        result = json.loads(data)
        failures += result["failed"]
        print(f"{name}: {result['seconds']} s")
        print(*(f"    {line}" for line in result["said"]), sep="\n", flush=True)
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
