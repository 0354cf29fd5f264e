"""The parts of the stack that are plain programs: how each starts, and when it is ready."""

import hashlib
import json
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tools.local_stack import process
from tools.local_stack.layout import REPOSITORY, VIRTUAL_ENVIRONMENT, Layout
from tools.local_stack.ports import HOST, require_free

READY_SECONDS = 60
# Started by itself it writes its books to one file for all who run it, and listens everywhere.
LOCALSTRIPE = f"""
import sys
from aiohttp import web
from localstripe import resources, server
type(resources.store).dump_to_disk = lambda _: None
web.run_app(server.app, host="{HOST}", port=int(sys.argv[1]), print=None)
"""


@dataclass(frozen=True, slots=True)
class Part:
    """A program of the stack; one without a port is ready as soon as it runs.

    `environment` is its own: it sees the terminal's as well, but is the same part in each.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    port: int | None = None
    health: str = "/health"

    @property
    def digest(self) -> str:
        """Differs when the part would have to be started differently."""
        words = json.dumps([self.command, dict(self.environment)], sort_keys=True)
        return hashlib.sha256(words.encode()).hexdigest()

    def is_ready(self) -> bool:
        """Whether the part answers."""
        return self.port is None or answers(f"http://{HOST}:{self.port}{self.health}")


def ministack(layout: Layout) -> Part:
    """AWS on loopback. It keeps all it knows in memory: a new process is an empty account."""
    home = layout.state / "ministack"
    environment = {
        **layout.own_environment(),
        "GATEWAY_PORT": str(layout.port("ministack")),
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "HOME": str(home),
        # Code of functions is unpacked here.
        "TMPDIR": str(home / "tmp"),
        "STATE_DIR": str(home / "state"),
        "S3_DATA_DIR": str(home / "s3"),
        # These would listen on fixed ports, which two stacks cannot share.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # No container engine is part of the stack, even where one runs.
        "DOCKER_HOST": f"unix://{home}/no-container-engine",
    }
    return Part(
        name="ministack",
        command=(_python(), "-m", "ministack"),
        environment=environment,
        port=layout.port("ministack"),
        health="/_ministack/ready",
    )


def sandbox_acquirer(layout: Layout, api_key: str) -> Part:
    """The acquirer that test payments go to, and that tells the API what became of them.

    It tells each second until it is heard, so the API may be deployed after its start.
    """
    return _acquirer(layout, "sandbox_acquirer", "sandbox", "acquirer", api_key)


def sandbox_two(layout: Layout, api_key: str) -> Part:
    """A second one, with books and a key of its own."""
    return _acquirer(layout, "sandbox_two", "sandbox_two", "acquirer-two", api_key)


def localstripe(layout: Layout) -> Part:
    """A Stripe by others (localstripe, a developer's package), whose books end with it."""
    port = layout.port("localstripe")
    return Part(
        name="localstripe",
        command=(_python(), "-c", LOCALSTRIPE, str(port)),
        environment=layout.own_environment(),
        port=port,
        health="/js.stripe.com/v3/",
    )


def _acquirer(layout: Layout, name: str, gateway: str, folder: str, api_key: str) -> Part:
    port = layout.port(name)
    # In one word: a key may begin with a dash.
    key = f"--api-key={api_key}"
    told_to = f"{layout.api_url}/gateways/{gateway}/callbacks"
    state = str(layout.state / folder)
    told = ("--callback-url", told_to)
    options = ("--port", str(port), "--state", state, "--name", gateway, *told, key)
    return replace(_tool(layout, "sandbox_acquirer", *options, port=port), name=name)


def webhook_sink(layout: Layout) -> Part:
    """A merchant's server that keeps each webhook it gets."""
    port = layout.port("webhook_sink")
    options = ("--port", str(port), "--state", str(layout.state / "webhooks"))
    return _tool(layout, "webhook_sink", *options, port=port)


def mock_bank(layout: Layout) -> Part:
    """The bank: reads our outbox in its mailbox folder, answers into our inbox there."""
    port = layout.port("mock_bank")
    mailbox = layout.bank_dir
    options = {
        "--host": HOST,
        "--port": str(port),
        "--db": str(mailbox / "bank.sqlite3"),
        "--drop-dir": str(mailbox / "outbox"),
        "--pickup-dir": str(mailbox / "inbox"),
        "--drop-interval-ms": "200",
    }
    return Part(
        name="mock_bank",
        command=(
            _python(),
            "-m",
            "mockbank",
            "--quiet",
            *(word for pair in options.items() for word in pair),
        ),
        environment=layout.own_environment(),
        port=port,
        health="/",
    )


def bank_courier(layout: Layout, bucket: str, region: str) -> Part:
    """Carries files between the bucket and the bank's mailbox, as SFTP does in the cloud."""
    options = ("--endpoint-url", layout.endpoint_url, "--bucket", bucket, "--region", region)
    return _tool(layout, "bank_courier", *options, "--bank-dir", str(layout.bank_dir))


def _tool(layout: Layout, name: str, *options: str, port: int | None = None) -> Part:
    return Part(
        name=name,
        command=(_python(), "-m", f"tools.{name}", *options),
        environment=layout.own_environment(),
        port=port,
    )


def _python() -> str:
    installed = VIRTUAL_ENVIRONMENT / "bin" / "python"
    return str(installed if installed.exists() else sys.executable)


def keep(layout: Layout, part: Part, *, before: Callable[[], None] | None = None) -> bool:
    """The part runs as described; true when it was started or started anew for that."""
    pid_file = layout.pid_file(part.name)
    started = pid_file.with_suffix(".digest")
    running = process.read(pid_file)
    if running and (not started.exists() or started.read_text() != part.digest):
        process.stop(running)

    def spawn() -> process.Process:
        if part.port:
            require_free(part.port, part=part.name, ports_file=layout.ports_file)
        if before:
            before()
        started.parent.mkdir(parents=True, exist_ok=True)
        started.write_text(part.digest)
        return process.spawn(
            part.command,
            pid_file=pid_file,
            log=layout.log(part.name),
            environment={**layout.environment(), **part.environment},
            directory=REPOSITORY,
        )

    kept = process.keep_running(
        pid_file,
        spawn=spawn,
        is_ready=part.is_ready,
        part=part.name,
        log=layout.log(part.name),
        seconds=READY_SECONDS,
    )
    return kept != running


def stop(layout: Layout, name: str, *, number: int = signal.SIGTERM) -> bool:
    """The part and what it left running are gone; true when it ran."""
    running = process.read(layout.pid_file(name))
    if running:
        process.stop(running, number=number)
    for leftover in process.session_of(layout.pid_file(name), below=layout.state):
        process.stop(leftover, number=signal.SIGKILL)
    layout.pid_file(name).unlink(missing_ok=True)
    return running is not None


def answers(url: str) -> bool:
    """Whether a GET is answered with success."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310  # loopback
            return bool(response.status == 200)  # noqa: PLR2004  # HTTP's own number
    except (OSError, urllib.error.URLError):
        return False


def clear(folder: Path) -> None:
    """The folder exists and holds nothing."""
    if folder.exists():
        # Unpacked code is many files: a process of its own deletes them while the stack starts.
        discarded = Path(tempfile.mkdtemp(prefix="discarded-", dir=folder.parent))
        folder.rename(discarded / folder.name)
        # An earlier one may have been interrupted.
        old = folder.parent.glob("discarded-*")
        subprocess.Popen(["/bin/rm", "-rf", *old], start_new_session=True).returncode = 0
    folder.mkdir(parents=True)
