"""The deployed stack, as its owner sees it: addresses, processes, functions, database."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import boto3
import psycopg
import urllib3
from botocore.config import Config

from paynexus import ids
from paynexus.db import Database
from paynexus.identity.model import Mode
from paynexus.merchants import service as merchants
from tests.e2e.client import Client
from tests.e2e.waiting import eventually
from tools import onboard
from tools.local_stack import process
from tools.local_stack.layout import CREDENTIALS, REPOSITORY

INVOKE_SECONDS = 300

ONE_ACQUIRER = {"routing": {"rules": [{"name": "one", "gateways": ["sandbox"]}]}}
"""Whose books and deaths can be looked at: a second one would take over when it dies."""


@dataclass(frozen=True, slots=True)
class Stack:
    """One stack that is up, in its state folder."""

    state: Path

    @property
    def described(self) -> dict[str, Any]:
        """What `stack.json` says now: a healed stack may have moved."""
        described: dict[str, Any] = json.loads((self.state / "stack.json").read_text())
        return described

    def up(self) -> None:
        """Every part runs and the product is deployed."""
        run_tool(self.state, "up")

    def down(self) -> None:
        """Nothing runs."""
        run_tool(self.state, "down")

    def kill(self, part: str) -> None:
        """The part is gone from one moment to the next."""
        found = process.read(self.state / "pids" / f"{part}.pid")
        assert found, f"{part} does not run"
        found.kill(signal.SIGKILL)
        eventually(lambda: not found.is_alive(), what=f"{part} is dead")

    def workers(self, function: str) -> list[process.Process]:
        """The processes that run this function's code."""
        name = self.described["functions"][function]
        found = []
        for folder in process.PROC.glob("[0-9]*"):
            try:
                words = folder.joinpath("cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            birth = process.birth_of(int(folder.name))
            if birth and any(str(self.state) in word and name in word for word in words):
                found.append(process.Process(pid=int(folder.name), birth=birth))
        return found

    def aws(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients' classes at run time
        """A client of this stack's AWS."""
        session = boto3.Session(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=self.described["region"],
        )
        config = Config(read_timeout=INVOKE_SECONDS, retries={"total_max_attempts": 1})
        endpoint = self.described["aws_endpoint_url"]
        return session.client(service, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]

    def invoke(self, function: str, event: Mapping[str, object] | None = None) -> dict[str, Any]:
        """What the function answers."""
        answer = self.aws("lambda").invoke(
            FunctionName=self.described["functions"][function],
            Payload=json.dumps(event or {}).encode(),
        )
        payload: dict[str, Any] = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload

    def start(self, function: str) -> None:
        """The function runs, or soon will."""
        name = self.described["functions"][function]
        self.aws("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")

    def rows(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """What the database answers."""
        with psycopg.connect(self.described["database_url"], autocommit=True) as connection:
            return connection.execute(query, values).fetchall()

    def as_admin(self, statement: LiteralString, *values: object) -> None:
        """The statement has been run with a superuser's rights."""
        with psycopg.connect(self.described["database_admin_url"]) as connection:
            connection.execute(statement, values)

    def violations(self) -> int:
        """How many rows break a rule of the books, as the deployed audit finds."""
        found = self.invoke("audit_ledger")
        assert found["rules"] > 0
        return int(found["violations"])

    def charges(self) -> list[dict[str, Any]]:
        """Every charge that the acquirer took, oldest first."""
        made: list[dict[str, Any]] = []
        while True:
            after = made[-1]["sequence"] if made else 0
            page = self._acquirer(f"/v1/charges?limit=1000&after={after}")
            made += page["data"]
            if not page["has_more"]:
                return made

    def charge(self, payment: str) -> dict[str, Any] | None:
        """The payment's charge as the acquirer has it, if it heard of one."""
        charge = self._acquirer(f"/v1/charges/{charge_of(payment)}")
        return None if "error" in charge else charge

    def webhooks(self, path: str) -> list[dict[str, Any]]:
        """What came to this path of the merchant's server, in order."""
        url = f"{self.described['webhook_sink_url']}/requests?path={path}"
        with urllib3.PoolManager(retries=False) as http:
            data: list[dict[str, Any]] = http.request("GET", url).json()["data"]
        return data

    def _acquirer(self, path: str) -> dict[str, Any]:
        key = json.loads((self.state / "keys.json").read_text())["sandbox_acquirer_key"]
        url, headers = self.described["acquirer_url"] + path, {"authorization": f"Bearer {key}"}
        with urllib3.PoolManager(retries=False) as http:
            answer: dict[str, Any] = http.request("GET", url, headers=headers).json()
        return answer

    def merchant(self, name: str) -> Client:
        """A client of a merchant that has just come aboard, and wants one acquirer alone."""
        url = self.described["database_url"]
        database = Database(lambda: url)
        try:
            merchant_id, credentials = onboard.onboard(
                database, name=name, mode=Mode("test"), rotate=False
            )
            merchants.change(database, merchant_id, configuration=ONE_ACQUIRER)
        finally:
            database.close()
        return Client(
            self.described["api_url"],
            ids.text("mer", merchant_id),
            credentials.client_id,
            credentials.client_secret,
        )


def charge_of(payment: str) -> str:
    """The reference that the acquirer knows a payment's one charge by."""
    return payment.replace("pay_", "chg_")


def run_tool(state: Path, command: str) -> None:
    """`python -m tools.local_stack` did what it was told."""
    answer = subprocess.run(
        [sys.executable, "-m", "tools.local_stack", command],
        cwd=REPOSITORY,
        env={**os.environ, "STATE_DIR": str(state)},  # noqa: TID251 - the tests' edge
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, f"`{command}` failed: {answer.stdout}{answer.stderr}"
