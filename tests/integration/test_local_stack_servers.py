"""The servers that the local stack and the tests run on: start, die, heal, live side by side."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest
import redis

from tools.local_stack import ordinary_user, postgres, process, valkey
from tools.local_stack.errors import StackError


@pytest.fixture(name="started")
def _started() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def _postgres(started: ExitStack, state_dir: Path) -> postgres.Server:
    server = postgres.start(state_dir)
    started.callback(server.stop)
    return server


def _valkey(started: ExitStack, state_dir: Path) -> valkey.Server:
    server = valkey.start(state_dir)
    started.callback(server.stop)
    return server


def _scalar(url: str, query: str) -> object:
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        row = connection.execute(query.encode()).fetchone()
        return row[0] if row else None


def test_postgres_is_configured_as_production_is(started: ExitStack, tmp_path: Path) -> None:
    """A commit is flushed, the log can be decoded, and a wrong password is refused."""
    server = _postgres(started, tmp_path)

    settings = {
        name: _scalar(server.url, f"SHOW {name}")
        for name in ("fsync", "synchronous_commit", "wal_level", "server_encoding", "timezone")
    }

    assert settings == {
        "fsync": "on",
        "synchronous_commit": "on",
        "wal_level": "logical",
        "server_encoding": "UTF8",
        "timezone": "UTC",
    }
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://postgres:wrong@127.0.0.1:{server.port}/postgres")


def test_postgres_that_runs_is_kept(started: ExitStack, tmp_path: Path) -> None:
    """Starting twice is starting once."""
    first = _postgres(started, tmp_path)

    assert postgres.start(tmp_path) == first


def test_postgres_heals_after_a_kill(started: ExitStack, tmp_path: Path) -> None:
    """What was committed is there after `kill -9`, even while a session is busy."""
    killed = _postgres(started, tmp_path)
    with psycopg.connect(killed.url) as writer:
        writer.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    with closing(psycopg.connect(killed.url)) as busy:
        busy.execute("SELECT count(*) FROM kept")
        os.kill(killed.process.pid, signal.SIGKILL)

        healed = _postgres(started, tmp_path)

        assert (healed.url, healed.process != killed.process) == (killed.url, True)
        assert _scalar(healed.url, "SELECT answer FROM kept") == 42


def test_a_recycled_process_id_is_not_mistaken_for_the_server(tmp_path: Path) -> None:
    """A pid file that names another process of the same id names nobody."""
    pid_file = tmp_path / "postgres.pid"
    birth = process.birth_of(os.getpid())
    pid_file.write_text(f"{os.getpid()} {birth}\n")
    assert process.read(pid_file) == process.Process(pid=os.getpid(), birth=str(birth))

    pid_file.write_text(f"{os.getpid()} long ago\n")

    assert process.read(pid_file) is None


def test_two_folders_run_side_by_side(started: ExitStack, tmp_path: Path) -> None:
    """Each folder has servers, ports, passwords and data of its own."""
    here, there = tmp_path / "here", tmp_path / "there"
    one, two = _postgres(started, here), _postgres(started, there)
    cache, other_cache = _valkey(started, here), _valkey(started, there)

    redis.Redis.from_url(cache.url).set("key", "value")

    assert len({one.port, two.port, cache.port, other_cache.port}) == 4
    assert one.url.split("@")[0] != two.url.split("@")[0]
    assert redis.Redis.from_url(other_cache.url).get("key") is None


def test_a_killed_valkey_comes_back_empty(started: ExitStack, tmp_path: Path) -> None:
    """The cache forgets, and keeps its address."""
    killed = _valkey(started, tmp_path)
    redis.Redis.from_url(killed.url).set("key", "value")
    os.kill(killed.process.pid, signal.SIGKILL)

    healed = _valkey(started, tmp_path)

    assert healed.url == killed.url
    assert redis.Redis.from_url(healed.url).get("key") is None


@pytest.mark.parametrize("part", [postgres, valkey])
def test_a_taken_port_is_one_clear_sentence(part: object, tmp_path: Path) -> None:
    """Whoever meets a taken port reads which port, and what to do."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        name = "postgres" if part is postgres else "valkey"
        (tmp_path / "ports.json").write_text(json.dumps({name: port}))

        with pytest.raises(StackError) as refused:
            part.start(tmp_path)  # type: ignore[attr-defined]

    assert str(refused.value) == (
        f"Port {port}, which {name} uses in this stack, is taken by another program: stop that "
        f"program, or delete {tmp_path / 'ports.json'} to choose new ports, and run it again."
    )


WITHOUT_NAMESPACES = """
import os, runpy, sys
def refuse(flags): raise PermissionError(1, "user namespaces are off")
os.unshare = refuse
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user needs no other")
def test_root_runs_postgres_as_nobody() -> None:
    """In a namespace nothing changes hands; without one the folder is given away."""
    home = Path(tempfile.mkdtemp(dir="/var/tmp"))
    script = [str(ordinary_user.__file__), str(home), "/usr/bin/id", "-u"]
    try:
        plain = subprocess.run([sys.executable, "-I", *script], capture_output=True, check=False)
        owner = home.stat().st_uid
        dropped = subprocess.run(
            [sys.executable, "-c", WITHOUT_NAMESPACES, *script], capture_output=True, check=False
        )

        assert dropped.stdout.decode() == f"{ordinary_user.NOBODY}\n"
        assert home.stat().st_uid == ordinary_user.NOBODY
        assert (plain.stdout.decode(), owner) == (f"{ordinary_user.NOBODY}\n", 0)
    finally:
        home.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user needs no other")
def test_root_is_told_when_nobody_cannot_reach_the_folder(tmp_path: Path) -> None:
    """One sentence says why PostgreSQL cannot run and what to do."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    home = closed / "home"
    home.mkdir()
    script = [str(ordinary_user.__file__), str(home), "/usr/bin/id", "-u"]

    refused = subprocess.run(
        [sys.executable, "-c", WITHOUT_NAMESPACES, *script], capture_output=True, check=False
    )

    assert refused.returncode == 1
    assert refused.stderr.decode() == (
        f"Postgres refuses root, user namespaces are off, and user nobody cannot reach {home} "
        "and /usr/bin/id: run as an ordinary user, or keep both in folders open to all.\n"
    )
