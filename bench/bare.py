"""The bare loop: fifty workers with one shared client send requests and ignore the answers.

python -m bench.bare aiohttp URL    httpx with the transport that the daemon uses
python -m bench.bare httpx URL      httpx on its own connection pool
"""

import asyncio
import itertools
import sys

import httpx
from httpx_aiohttp import AiohttpTransport

from bench.daemon import FIRST_JOB, KEY, TOKEN

WORKERS = 50
JOBS = 10_000


def _client(kind: str) -> httpx.AsyncClient:
    headers = {"tomtom-api-key": KEY, "Authorization": f"Bearer {TOKEN}", "Accept-Encoding": "identity"}
    # httpx's defaults (its own pool is three times slower if it keeps all 50), but connections never expire.
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=3600)
    transport = AiohttpTransport(limits=limits) if kind == "aiohttp" else httpx.AsyncHTTPTransport(limits=limits)
    return httpx.AsyncClient(transport=transport, headers=headers, timeout=60)


async def _run(kind: str, url: str) -> None:
    ids = itertools.cycle(range(FIRST_JOB, FIRST_JOB + JOBS))

    async def work() -> None:
        while True:
            (await client.get(f"{url}/jobs/{next(ids)}")).raise_for_status()

    async with _client(kind) as client, asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work())


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], sys.argv[2]))
