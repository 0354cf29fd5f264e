"""A long statement read, beside plain parses of the same file; hostile files refused."""

import contextlib
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median

from paynexus.errors import BankFileRefused
from paynexus.money import Money
from paynexus.settlement.bank import pain001, reader
from paynexus.settlement.bank.messages import BankAccount, CreditTransfer, Instruction
from tests.benchmarks.bank_file import WAYS
from tests.benchmarks.figures import Figure
from tests.benchmarks.run import Part, Run
from tests.hostile_xml import ABUSES, good

ENTRIES = 100_000
TENTH = ENTRIES // 10
TRANSFERS = 10_000
READ_GOAL = 2
LINEAR_GOAL = 11
MEMORY_GOAL_MEGABYTES = 20
REFUSAL_GOAL_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Reading:
    """What one process said of its one reading; `seconds` are of CPU."""

    entries: int
    seconds: float
    megabytes: float


type Readings = Mapping[str, Reading]
"""One round's, by the way of reading; `tenth` is ours of a file of a tenth."""


def measured(run: Run) -> Iterator[Part]:
    """Independent of the servers."""
    whole, tenth = run.folder / "statement.xml", run.folder / "tenth.xml"
    whole.write_bytes(_statement(ENTRIES))
    tenth.write_bytes(_statement(TENTH))
    rounds = [
        {way: _reading(way, whole) for way in WAYS} | {"tenth": _reading("read", tenth)}
        for _ in range(run.settings.rounds)
    ]
    yield Part("Bank files", [*_readings(rounds), _writing(), _slowest_refusal()])


def _statement(entries: int) -> bytes:
    """As a bank writes it, without what would make 100,000 entries more than is read."""
    booked = "".join(
        f'<Ntry><Amt Ccy="EUR">{n + 1}.{n % 100:02}</Amt><CdtDbtInd>DBIT</CdtDbtInd>'
        "<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-23</Dt></BookgDt>"
        f"<ValDt><Dt>2026-11-23</Dt></ValDt><AcctSvcrRef>B-{n}</AcctSvcrRef><BkTxCd><Domn>"
        "<Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>"
        "<NtryDtls><TxDtls><Refs><MsgId>PNX-1</MsgId>"
        f"<EndToEndId>SET-{n}</EndToEndId></Refs><RltdPties><Cdtr><Pty><Nm>Shop {n}</Nm></Pty>"
        "</Cdtr></RltdPties></TxDtls></NtryDtls></Ntry>"
        for n in range(entries)
    )
    return good(0, inside=booked)


def _reading(way: str, path: Path) -> Reading:
    command = [sys.executable, "-m", "tests.benchmarks.bank_file", way, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Reading(**json.loads(done.stdout))


def _readings(rounds: Sequence[Readings]) -> list[Figure]:
    def figure(
        name: str, value: Callable[[Readings], float], unit: str, goal: float | None = None
    ) -> Figure:
        found = [value(one) for one in rounds]
        return Figure(name, median(found), unit, goal=goal, extent=(min(found), max(found)))

    def times(below: str) -> Callable[[Readings], float]:
        return lambda one: one["read"].seconds / one[below].seconds

    memory = MEMORY_GOAL_MEGABYTES
    return [
        figure("bank file read / plain iterparse", times("counted"), "x", READ_GOAL),
        figure("bank file read / plain parse", times("parsed"), "x"),
        figure("bank file of 10 times the entries", times("tenth"), "x", LINEAR_GOAL),
        figure("bank file: entries read", lambda one: ENTRIES / one["read"].seconds, "/s"),
        figure("bank file: memory", lambda one: one["read"].megabytes, "MB", memory),
        figure("bank file: memory of a plain parse", lambda one: one["parsed"].megabytes, "MB"),
    ]


def _writing() -> Figure:
    house = BankAccount("PayNexus", "NL41MOCK0000000001", "MOCKNL2A")
    transfers = tuple(
        CreditTransfer(f"SET-{n}", house, Money(n + 1, "EUR"), f"Payout {n}")
        for n in range(TRANSFERS)
    )
    created = datetime(2026, 11, 23, tzinfo=UTC)
    instruction = Instruction("PNX-1", created, date(2026, 11, 23), house, "EUR", transfers)
    pain001.write(instruction)
    began = time.process_time()
    pain001.write(instruction)
    spent = time.process_time() - began
    return Figure(f"bank file of {TRANSFERS:,} transfers written and validated", spent, "s")


def _slowest_refusal() -> Figure:
    spent = [_refusal(make()) for make in ABUSES.values()]
    name = f"slowest refusal of {len(spent)} hostile bank files"
    return Figure(name, max(spent), "s", goal=REFUSAL_GOAL_SECONDS)


def _refusal(document: bytes) -> float:
    began = time.process_time()
    with contextlib.suppress(BankFileRefused):
        for _ in reader.read(io.BytesIO(document)).records():
            pass
    return time.process_time() - began
