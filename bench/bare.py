"""The bare loop: fifty workers with one shared client send requests and ignore the answers.

python -m bench.bare aiohttp URL    httpx with the transport that the daemon uses
python -m bench.bare httpx URL      httpx on its own connection pool

With a further argument, that many requests a second: those of a tenth of a second together, as the daemon sends them.
"""

import asyncio
import itertools
import sys

import httpx
from httpx_aiohttp import AiohttpTransport

from bench.daemon import FIRST_JOB, KEY, TOKEN

WORKERS = 50
STEP = 0.1  # seconds
JOBS = 10_000


def _client(kind: str) -> httpx.AsyncClient:
    headers = {"tomtom-api-key": KEY, "Authorization": f"Bearer {TOKEN}", "Accept-Encoding": "identity"}
    # httpx's defaults (its own pool is three times slower if it keeps all 50), but connections never expire.
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=3600)
    transport = AiohttpTransport(limits=limits) if kind == "aiohttp" else httpx.AsyncHTTPTransport(limits=limits)
    return httpx.AsyncClient(transport=transport, headers=headers, timeout=60)


async def _run(kind: str, url: str, rate: float | None) -> None:
    ids = itertools.cycle(range(FIRST_JOB, FIRST_JOB + JOBS))
    due = asyncio.Semaphore(0)

    async def work() -> None:
        while True:
            if rate is not None:
                await due.acquire()
            (await client.get(f"{url}/jobs/{next(ids)}")).raise_for_status()

    async with _client(kind) as client, asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work())
        if rate is not None:
            await _allow(due, rate)


async def _allow(due: asyncio.Semaphore, rate: float) -> None:
    """What was not sent during a pause of the process is not sent later."""
    clock, allowed = asyncio.get_running_loop().time, 0.0
    at = clock()
    while True:
        allowed += rate * STEP
        for _ in range(int(allowed)):
            due.release()
        allowed %= 1
        at = max(at + STEP, clock() - STEP)
        await asyncio.sleep(at - clock())


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], sys.argv[2], float(sys.argv[3]) if sys.argv[3:] else None))
