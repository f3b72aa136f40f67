"""PgBouncer in front of a database, in transaction mode: a transaction may get another connection each time."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gemwatch.core.settings import Postgresql
from gemwatch.demo.server import free_port
from support.postgresql import address_of, at_port
from support.tools import find
from support.waiting import wait_until

_SETTINGS = """
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
"""


@contextmanager
def pgbouncer(place: Postgresql) -> Iterator[Postgresql]:
    """The same database through it."""
    program = find("pgbouncer")
    assert program is not None, "apt-get install pgbouncer"
    address, listen = address_of(place), free_port()
    if isinstance(address, str):
        host, _, port = address.rpartition("/.s.PGSQL.")
        address = host, int(port)
    folder = Path(tempfile.mkdtemp(prefix="gemwatch-pgbouncer-"))
    settings = folder / "pgbouncer.ini"
    settings.write_text(_SETTINGS.format(host=address[0], port=address[1], user=place.user, listen=listen))
    command = [program, str(settings)]
    if os.geteuid() == 0:  # which it refuses
        folder.chmod(0o755)
        # A server's socket may be for its own user only.
        owner = Path(address[0]).owner() if address[0].startswith("/") else "root"
        command += ["--user", "nobody" if owner == "root" else owner]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_until(lambda: process.poll() is not None or b"process up" in log.read_bytes(), "PgBouncer")
        assert process.poll() is None, log.read_text()
        yield at_port(place, listen)
    finally:
        process.kill()  # the gentler signals wait for its clients, or are ignored below a shell's background job
        process.wait()
        shutil.rmtree(folder)
