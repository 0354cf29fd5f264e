"""Loopback ports: chosen free once, then kept."""

import json
import socket
import time
from pathlib import Path

from tools.local_stack.errors import StackError

HOST = "127.0.0.1"
RELEASE_SECONDS = 1.0


def free_port() -> int:
    """A port nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket() as probe:
        # Servers set it too: connections in TIME_WAIT do not make a port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def require_free(port: int, *, part: str, ports_file: Path) -> None:
    """Nobody listens on the port; otherwise the error says how to get out of it."""
    # A killed process may show as ended a moment before its last thread lets go of the port.
    deadline = time.monotonic() + RELEASE_SECONDS
    while not is_free(port) and time.monotonic() < deadline:
        time.sleep(0.02)
    if is_free(port):
        return
    message = (
        f"Port {port}, which {part} uses in this stack, is taken by another program: "
        f"stop that program, or delete {ports_file} to choose new ports, and run it again."
    )
    raise StackError(message)


def kept_port(ports_file: Path, part: str) -> int:
    """The part's port: the one in the file, or a free one that is now in the file."""
    ports: dict[str, int] = json.loads(ports_file.read_text()) if ports_file.exists() else {}
    if part not in ports:
        ports[part] = _free_port_beside(set(ports.values()))
        ports_file.parent.mkdir(parents=True, exist_ok=True)
        ports_file.write_text(json.dumps(ports, indent=1, sort_keys=True) + "\n")
    return ports[part]


def _free_port_beside(taken: set[int]) -> int:
    while (port := free_port()) in taken:
        pass
    return port
