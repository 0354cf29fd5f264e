"""The demo's settlement desk: acquirers' files and money, the bank's days, a planted break."""

import datetime as dt
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.demo.stack import DemoError, Merchant, Operator, eventually

HOUSE_ACCOUNT = "ACME"
"""Our account at the mock bank."""
KEYS = {"acquirer_url": "sandbox_acquirer_key", "acquirer_two_url": "sandbox_two_key"}
"""Where the acquirers are, and what of the stack's keys each asks for."""
BANK_DAYS = 4
"""Enough for the bank to execute a payment, weekends included."""


@dataclass
class SettlementDesk:
    """What the platform's people do on a settlement day; each method shows its result."""

    merchant: Merchant
    operator: Operator
    run: str
    planted: str = ""
    day: dt.date = field(default_factory=lambda: dt.datetime.now(dt.UTC).date())  # noqa: TID251

    def file_with_a_fault(self) -> str:
        """An acquirer's file of the day names a payment that nobody asked for: a break is found."""
        self.planted = f"till-{self.run}"
        fault = {"date": self.day.isoformat(), "fault": "unknown", "reference": self.planted}
        self._acquirer("acquirer_url", "POST", "/v1/settlement-faults", fault)
        files = self.operator.invoke("fetch_gateway_files", {"day": self.day.isoformat()})["files"]
        found = eventually("break", self._broken)
        return (
            f"{len(files)} files taken; {found['break']} {found['type']} "
            f"{found['amount']} {found['currency']}: {found['policy']}"
        )

    def resolved(self) -> str:
        """One person proposes a correcting transfer, another books it; the first one can't."""
        found = self._broken()
        if found is None:
            raise DemoError("the break is not open any more")
        merchant = self.merchant.get("/merchant").json["id"]
        accounts = ("--debit", "gateway_receivable", "--credit", f"merchant_payable:{merchant}")
        why = "rung up by hand while the till was offline"
        of = found["break"]
        self._breaks("propose", of, "--by", "ada", "--because", why, *accounts)
        if self._run("approve", of, "--by", " Ada").returncode == 0:
            raise DemoError("one person proposed and approved")
        booked = self._breaks("approve", of, "--by", "bob")
        return f"{of} proposed by ada, not approved by her; by bob: {booked}"

    def acquirers_pay(self) -> str:
        """What the acquirers' files say arrives at the bank, one transfer each."""
        told = []
        for url in KEYS:
            path = f"/v1/payouts?date={self.day.isoformat()}"
            for payout in self._acquirer(url, "GET", path)["data"]:
                due = payout["amount"] - self._arrived(payout["reference"])
                if due > 0:
                    self._arrive(payout["reference"], due)
                    told.append(f"{payout['reference']}: {due} {payout['currency']}")
        return ", ".join(told) or "nothing is due any more"

    def explained(self) -> str:
        """The bank's statement has all of it; nothing that was found is left open."""
        self.operator.let_bank_days_pass(BANK_DAYS)

        def all_arrived() -> list[str] | None:
            with self.operator.database() as connection:
                rows = connection.execute(
                    "SELECT reference, arrived_at FROM gateway_payouts WHERE mode = 'test'"
                ).fetchall()
            return [row[0] for row in rows] if all(row[1] for row in rows) else None

        arrived = eventually("arrival of the acquirers' payouts", all_arrived)
        left = [one for one in self._open() if one["type"] != "timing"]
        if left:
            raise DemoError(f"breaks are left: {left}")
        return f"{len(arrived)} payouts of acquirers arrived, 0 breaks left"

    def _broken(self) -> dict[str, str] | None:
        return next((one for one in self._open() if self.planted in one["subject"]), None)

    def _open(self) -> list[dict[str, str]]:
        head, *rows = self._breaks("list", "--mode", "test").splitlines()
        found = [dict(zip(head.split("\t"), row.split("\t"), strict=True)) for row in rows]
        return [one for one in found if one["status"] != "RESOLVED"]

    def _breaks(self, *words: str) -> str:
        done = self._run(*words)
        if done.returncode:
            raise DemoError(f"tools.breaks {words[0]}: {done.stderr.strip()}")
        # Logs and metrics are lines of JSON; what is said to people isn't.
        said = (line for line in done.stdout.splitlines() if not line.startswith("{"))
        return "\n".join(said)

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        url = self.operator.stack["database_url"]
        command = [sys.executable, "-m", "tools.breaks", "--database-url", url, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def _arrived(self, reference: str) -> int:
        came = self._bank("GET", "/_mock/credits")
        return sum(one["amount"] for one in came if reference in str(one.get("note")))

    def _arrive(self, reference: str, amount: int) -> None:
        body = {"account": HOUSE_ACCOUNT, "amount": amount, "note": reference}
        self._bank("POST", "/_mock/credits", body)

    def _bank(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        return self._json(method, self.operator.stack["bank_url"] + path, body, {})

    def _acquirer(self, url: str, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        keys = json.loads(Path(self.operator.stack["keys_file"]).read_text(encoding="utf-8"))
        headers = {"Authorization": f"Bearer {keys[KEYS[url]]}"}
        return self._json(method, self.operator.stack[url] + path, body, headers)

    def _json(self, method: str, url: str, body: object, headers: dict[str, str]) -> Any:  # noqa: ANN401
        written = None if body is None else json.dumps(body)
        kind = {"Content-Type": "application/json", "Accept": "application/json"}
        answer = self.operator.http.request(
            method, url, body=written, headers=kind | headers, timeout=40, retries=False
        )
        if answer.status >= 300:  # noqa: PLR2004 - HTTP's own classes
            raise DemoError(f"{method} {url}: {answer.status} {answer.data[:300]!r}")
        return answer.json()
