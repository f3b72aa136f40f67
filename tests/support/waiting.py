"""Waiting for a condition instead of for a time."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

PATIENCE = 60.0  # seconds: when a test gives up, not how long anything should take


def wait_until(condition: Callable[[], Any], what: str = "the condition", *, patience: float = PATIENCE) -> None:
    """Return once the condition holds; fail, naming it, when patience runs out."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"gave up waiting for {what}"
        time.sleep(0.01)


async def until(condition: Callable[[], Any], what: str = "the condition") -> None:
    """The same without blocking the loop."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"gave up waiting for {what}"
        await asyncio.sleep(0.005)
