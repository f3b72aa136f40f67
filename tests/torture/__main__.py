"""`python -m torture [WHAT ...] --seed N`: the long attacks, each with a summary; exit code 1 if a promise broke."""

# ruff: noqa: T201 (a script's output)

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from torture import inputs, long_kills, long_reloads, long_replicas

_MODEL = Path(__file__).parents[1] / "model"
_PIECE = 20  # runs of the model in one process: two minutes, and on a busy machine ten


def main() -> int:
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    parser.add_argument("what", nargs="*", help="of kills, replicas, reloads, inputs, model; default: all")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--reloads", type=int, default=1000)
    parser.add_argument("--inputs", type=int, default=40_000)
    parser.add_argument("--model", type=int, default=200, help="runs of the model, of up to 25 steps each")
    given = parser.parse_args()
    attacks: dict[str, Callable[[], bool]] = {
        "kills": lambda: long_kills.run(given.seed, given.kills),
        "replicas": lambda: long_replicas.run(given.seed, given.kills),
        "reloads": lambda: long_reloads.run(given.seed, given.reloads),
        "inputs": lambda: inputs.run(given.seed, given.inputs),
        "model": lambda: _model(given.seed, given.model),
    }
    unknown = set(given.what) - set(attacks)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    print(f"seed {given.seed}", flush=True)
    kept = {name: attack() for name, attack in attacks.items() if not given.what or name in given.what}
    broken = [name for name, fine in kept.items() if not fine]
    print(f"promises broken by: {', '.join(broken)}" if broken else "every promise kept")
    return 1 if broken else 0


def _model(seed: int, runs: int) -> bool:
    """In pieces with a seed of their own: each shows its result when it ends, and can be repeated alone."""
    broken = []
    for piece, start in enumerate(range(0, runs, _PIECE)):
        examples = min(_PIECE, runs - start)
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--hypothesis-seed={seed + piece}",
            str(_MODEL),
        ]
        done = subprocess.run(command, env={**os.environ, "MODEL_EXAMPLES": str(examples)}, check=False)
        fine = done.returncode == 0
        print(f"model --seed {seed + piece} --model {examples}: {'kept' if fine else 'BROKEN'}", flush=True)
        broken += [] if fine else [seed + piece]
    print(f"model: {runs} runs: {f'BROKEN with the seeds {broken}' if broken else 'kept'}", flush=True)
    return not broken


if __name__ == "__main__":
    sys.exit(main())
