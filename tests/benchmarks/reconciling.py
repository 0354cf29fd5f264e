"""A bank's statement of what merchants were paid and of what their payers brought."""

import datetime as dt
import multiprocessing
import resource
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree as ET  # of a file that was just written

import psycopg

from paynexus.db import Database
from paynexus.settlement.payouts import service as payouts
from paynexus.settlement.statements import service as statements
from tests.benchmarks.workloads import text_of
from tests.hostile_xml import good

KIBIBYTES_A_MEGABYTE = 1_000_000 / 1024

SQL_PAYOUTS = "SELECT end_to_end_id, amount FROM settlements ORDER BY id"
SQL_CHARGES = "SELECT reference, amount FROM attempts ORDER BY reference"


@dataclass(slots=True)
class Outbox:
    """A bank that keeps what it is sent."""

    files: dict[str, bytes] = field(default_factory=dict)

    def instruct(self, name: str, document: bytes) -> None:
        """The file is there."""
        self.files[name] = document

    def receive(self, name: str) -> BinaryIO:
        """What was sent."""
        return BytesIO(self.files[name])


@dataclass(frozen=True, slots=True)
class Done:
    """One process's work on one file; `megabytes` is what its memory grew by."""

    seconds: float
    megabytes: float
    lines: int
    verdicts: Counter[str]


def pay_out(url: str, *, now: dt.datetime) -> float:
    """Every settlement is instructed; the seconds it took."""
    with closing(Database(lambda: url)) as database:
        began = time.perf_counter()
        payouts.assemble(database, now=now)
        payouts.send(database, Outbox(), now=now)
        return time.perf_counter() - began


def charge(url: str, payments: int) -> None:
    """So many payments are there with their charges."""
    with psycopg.connect(url) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(text_of("charged").encode())
        connection.execute("SELECT pg_temp.write_charges(%s)", (payments,))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE")


def write_statement(url: str, path: Path, lines: int) -> None:
    """A camt.053 of so many lines: all payouts, and payments that were each paid by themselves."""
    with psycopg.connect(url) as connection:
        paid = connection.execute(SQL_PAYOUTS).fetchall()
        came = connection.execute(SQL_CHARGES).fetchmany(lines - len(paid))
    booked = [*((row, "DBIT") for row in paid), *((row, "CRDT") for row in came)]
    entries = [_entry(n, *row, side=side) for n, (row, side) in enumerate(booked)]
    path.write_bytes(good(0, inside="\n".join(entries)))


def reconciled(url: str, path: Path, *, now: dt.datetime) -> Done:
    """The statement is applied, by a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_apply, (url, path, now))


def parsed(path: Path) -> Done:
    """The statement is parsed by the standard library, by a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_parse, (path,))


def _entry(n: int, reference: str, amount: int, *, side: str) -> str:
    return (
        f'<Ntry><Amt Ccy="EUR">{amount // 100}.{amount % 100:02}</Amt><CdtDbtInd>{side}</CdtDbtInd>'
        "<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-23</Dt></BookgDt>"
        f"<ValDt><Dt>2026-11-23</Dt></ValDt><AcctSvcrRef>B-{n}</AcctSvcrRef><BkTxCd><Domn>"
        "<Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>"
        f"<NtryDtls><TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs><RltdPties><Cdtr>"
        f"<Pty><Nm>Party {n}</Nm></Pty></Cdtr></RltdPties></TxDtls></NtryDtls></Ntry>"
    )


def _apply(url: str, path: Path, now: dt.datetime) -> Done:
    before = _peak()
    with closing(Database(lambda: url)) as database, path.open("rb") as file:
        began = time.perf_counter()
        done = statements.apply(database, file, name=path.name, now=now)
        seconds = time.perf_counter() - began
    return Done(seconds, _peak() - before, done.lines, done.verdicts)


def _parse(path: Path) -> Done:
    before = _peak()
    began = time.perf_counter()
    root = ET.parse(path).getroot()  # noqa: S314
    lines = sum(element.tag.endswith("}Ntry") for element in root.iter())
    return Done(time.perf_counter() - began, _peak() - before, lines, Counter())


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIBIBYTES_A_MEGABYTE
