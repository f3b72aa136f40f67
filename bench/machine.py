"""Measures the present speed of this machine: the time of the bare loop for 1 000 requests."""

import sys
import tempfile
import time
from pathlib import Path

from bench.daemon import environment
from bench.figures import Machine
from bench.nginx import nginx
from bench.processes import cpu_seconds, running

_STARTS, _MEASURED = 2.0, 3.0  # seconds


def machine() -> Machine:
    """Run the bare loop for some seconds, with the present load."""
    with tempfile.TemporaryDirectory(prefix="gemwatch-bench-machine-") as name:
        folder = Path(name)
        with nginx(folder / "nginx") as server:
            command = [sys.executable, "-m", "bench.bare", "aiohttp", server.url]
            with running(command, folder / "bare.log", environment()) as process:
                time.sleep(_STARTS)
                start, served, cpu = time.monotonic(), server.served(), cpu_seconds(process.pid)
                time.sleep(_MEASURED)
                seconds, cpu = time.monotonic() - start, cpu_seconds(process.pid) - cpu
                thousands = (server.served() - served) / 1000
    return Machine(cpu=cpu / thousands, wall=seconds / thousands)
