"""A Postgres whose log is flushed a millisecond later, as on storage across a network."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psycopg

from tests.benchmarks import servers
from tests.benchmarks.servers import Postgres

SOURCE = Path(__file__).with_suffix(".c")
COMMITS = 40


def compiler() -> str | None:
    """What makes the library, if the machine has it."""
    return shutil.which("cc")


@contextmanager
def running(folder: Path, *, compiler: str) -> Iterator[Postgres]:
    """A server of its own below the folder; it is tried before it is used."""
    library = folder / "delayed_flush.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    state = folder / "delayed"
    state.mkdir(mode=0o755)
    with servers.postgres_alone(state, preload=library) as server:
        assert commit_ms(server) >= 1, "the library delays nothing"
        yield server


def commit_ms(server: Postgres) -> float:
    """What a bare commit takes one client."""
    taken = []
    with psycopg.connect(server.url, autocommit=True) as connection:
        for _ in range(COMMITS):
            before = time.perf_counter()
            connection.execute("SELECT pg_logical_emit_message(TRUE, 'bench', '')")
            taken.append(time.perf_counter() - before)
    return median(taken) * 1000
