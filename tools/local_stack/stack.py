"""The whole stack: up, down, status, logs."""

import base64
import fcntl
import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tools.local_stack import (
    cloud,
    database,
    deployment,
    parts,
    postgres,
    process,
    valkey,
)
from tools.local_stack.errors import StackError
from tools.local_stack.layout import REGION, REPOSITORY, Layout
from tools.local_stack.ports import HOST

# In the order in which they start; they stop in the opposite one.
PARTS = (
    "postgres",
    "valkey",
    "ministack",
    "sandbox_acquirer",
    "sandbox_two",
    "localstripe",
    "webhook_sink",
    "mock_bank",
    "bank_courier",
)
DEMO_MERCHANT = "Demo Merchant"


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses of what holds the stack's data."""

    database_url: str
    database_admin_url: str
    redis_url: str


def up(layout: Layout) -> None:
    """All parts run, the product is deployed, and `stack.json` says where everything is."""
    with _alone(layout), _steps() as step:
        keys = database.kept_json(layout.state / "keys.json", _fresh_keys())
        servers = _start_servers(layout, keys)
        step("servers")
        _start_programs(layout, keys)
        step("programs")
        if _deploy(layout, servers, keys):
            step("deployment")
        deployed = deployment.describe(layout)
        client = _onboard(layout, servers.database_url)
        _start_courier(layout, deployed)
        _describe(layout, servers, deployed, client)
        step("stack.json")


def down(layout: Layout) -> None:
    """Nothing that `up` started runs; data stays in the state folder."""
    if not layout.state.exists():
        return
    with _alone(layout):
        layout.description.unlink(missing_ok=True)
        for name in reversed(PARTS):
            # PostgreSQL ends its sessions and flushes on an interrupt.
            number = signal.SIGINT if name == "postgres" else signal.SIGTERM
            if parts.stop(layout, name, number=number):
                print(f"{name} stopped")
        _forget_account(layout)


def migrate(layout: Layout) -> None:
    """The database of the running stack has every migration that is deployed."""
    with _alone(layout):
        if not layout.description.exists():
            message = "The stack is not up: run `make up`, which migrates as well."
            raise StackError(message)
        function = deployment.describe(layout).functions["migrate"]
        print(deployment.invoke(layout, function, wait=True))


def status(layout: Layout) -> bool:
    """Each part's state is printed; true when all run and the stack is described."""
    running = {name: process.read(layout.pid_file(name)) for name in PARTS}
    ports = json.loads(layout.ports_file.read_text()) if layout.ports_file.exists() else {}
    for name, found in running.items():
        state = f"running  {found.pid:>8}" if found else "stopped          "
        address = f"  {HOST}:{ports[name]}" if name in ports else ""
        print(f"{name:<18}{state}{address}")
    is_described = layout.description.exists()
    print(layout.description if is_described else "not deployed: run `make up`")
    return is_described and all(running.values())


def logs(layout: Layout, *, names: list[str], lines: int) -> None:
    """The ends of the logs are printed."""
    folder = layout.state / "logs"
    for log in sorted(folder.glob("*.log")):
        if names and log.stem not in names:
            continue
        print(f"==> {log}")
        print("\n".join(log.read_text(errors="replace").splitlines()[-lines:]))


@contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    """No other command works on this stack meanwhile."""
    layout.state.mkdir(parents=True, exist_ok=True)
    with (layout.state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another command on this stack to end.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fresh_keys() -> dict[str, str]:
    def key() -> str:
        return base64.b64encode(secrets.token_bytes(32)).decode()

    return {
        "sealing_key": key(),
        "qr_signing_key": key(),
        "qr_next_key": key(),
        "sandbox_acquirer_key": secrets.token_urlsafe(24),
        "sandbox_two_key": secrets.token_urlsafe(24),
        # Nobody's: localstripe takes any key that looks like Stripe's.
        "stripe_test_key": f"sk_test_{secrets.token_hex(12)}",
        "database_password": database.password(),
    }


def _start_servers(layout: Layout, keys: dict[str, str]) -> Servers:
    server = postgres.start(layout.state)
    cache = valkey.start(layout.state)
    url = database.prepare(server, keys=keys)
    admin_url = server.url.rsplit("/", 1)[0] + f"/{database.NAME}"
    return Servers(database_url=url, database_admin_url=admin_url, redis_url=cache.url)


def _start_programs(layout: Layout, keys: dict[str, str]) -> None:
    for folder in ("inbox", "outbox"):
        (layout.bank_dir / folder).mkdir(parents=True, exist_ok=True)
    aws = parts.ministack(layout)

    parts.keep(layout, aws, before=lambda: _forget_account(layout))
    for part in (
        parts.sandbox_acquirer(layout, keys["sandbox_acquirer_key"]),
        parts.sandbox_two(layout, keys["sandbox_two_key"]),
        parts.localstripe(layout),
        parts.webhook_sink(layout),
        parts.mock_bank(layout),
    ):
        parts.keep(layout, part)


def _forget_account(layout: Layout) -> None:
    """What a dead MiniStack unpacked or still runs, which belongs to nobody any more, is gone."""
    parts.stop(layout, "ministack")
    for folder in ("tmp", "state", "s3"):
        parts.clear(layout.state / "ministack" / folder)


def _deploy(layout: Layout, servers: Servers, keys: dict[str, str]) -> bool:
    """The template is deployed and the database migrated; true when that took some work."""
    parameters = cloud.parameters(layout, servers.redis_url)
    secret_values = cloud.secrets_of(servers.database_url, keys)
    # A database that was created anew, which shows in its password, needs its migrations.
    expected = deployment.digest(
        layout, parameters | secret_values | {"database": servers.database_admin_url}
    )
    if deployment.is_current(layout, expected):
        return False
    cloud.hand_over(layout, parameters=parameters, secrets=secret_values)
    deployment.deploy(layout)
    functions = deployment.describe(layout).functions
    deployment.invoke(layout, functions["migrate"], wait=True)
    deployment.conclude(layout, expected)
    # The first schedule is a minute away; nobody should wait for it.
    deployment.invoke(layout, functions["stream_changes"], wait=False)
    return True


def _onboard(layout: Layout, database_url: str) -> dict[str, str]:
    path = layout.state / "client.json"
    known = database.kept_json(path, {}) if path.exists() else {}
    if known and database.has_client(database_url, known["client_id"]):
        return known
    path.unlink(missing_ok=True)
    log = layout.log("onboard")
    with log.open("ab") as output:
        answer = subprocess.run(
            [
                *(sys.executable, "-m", "tools.onboard", "--database-url", database_url),
                *("--name", DEMO_MERCHANT, "--json", "--rotate"),
            ],
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            cwd=REPOSITORY,
            env=layout.environment(),
            check=False,
        )
    if answer.returncode:
        message = f"The demo merchant has no client ({process.last_line(log)}): see {log}."
        raise StackError(message)
    return database.kept_json(path, json.loads(answer.stdout))


def _start_courier(layout: Layout, deployed: deployment.Deployment) -> None:
    parts.keep(layout, parts.bank_courier(layout, deployed.outputs["BankBucket"], REGION))


def _describe(
    layout: Layout, servers: Servers, deployed: deployment.Deployment, client: dict[str, str]
) -> None:
    description = {
        "api_url": layout.api_url,
        **client,
        "aws_endpoint_url": layout.endpoint_url,
        "region": REGION,
        "database_url": servers.database_url,
        "database_admin_url": servers.database_admin_url,
        "redis_url": servers.redis_url,
        "acquirer_url": layout.url("sandbox_acquirer"),
        "acquirer_two_url": layout.url("sandbox_two"),
        "stripe_url": layout.url("localstripe"),
        "bank_dir": str(layout.bank_dir),
        "bank_url": layout.url("mock_bank"),
        "bank_bucket": deployed.outputs["BankBucket"],
        "webhook_sink_url": layout.url("webhook_sink"),
        "bus": deployed.outputs["BusName"],
        "stack_name": layout.stack_name,
        "keys_file": str(layout.state / "keys.json"),
        "functions": deployed.functions,
    }
    fresh = layout.description.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(description, indent=1) + "\n")
    fresh.rename(layout.description)


@contextmanager
def _steps() -> Iterator["_Step"]:
    yield _Step(began=time.monotonic())


@dataclass(frozen=True, slots=True)
class _Step:
    began: float

    def __call__(self, name: str) -> None:
        print(f"{time.monotonic() - self.began:6.1f} s  {name}", flush=True)
