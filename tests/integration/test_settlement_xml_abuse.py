"""Hostile files in the bank's inbox: each is refused, quickly, and nothing has changed after it.

`pytest -s` prints what each cost; `make bench` keeps the figures, in its section `bank-files`.
"""

import datetime as dt
import gzip
import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import boto3
import psycopg
import pytest
from moto import mock_aws
from psycopg import sql

from paynexus import runtime
from paynexus.db import Database
from paynexus.errors import BankFileRefused
from paynexus.settlement.bank import reader
from paynexus.settlement.bank.port import LARGEST_FILE_BYTES
from paynexus.settlement.bank.s3 import S3Bank
from reconcile_settlements.handler import handler as reconcile
from tests.hostile_xml import ABUSES, CUTS, cut, good

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "the-bank"


@pytest.fixture
def s3(
    database: Database, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> Iterator["S3Client"]:
    """The bank's boxes by moto, and the product around them."""
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        monkeypatch.setattr(runtime, "database", lambda: database)
        monkeypatch.setattr(runtime, "bank", lambda: S3Bank(client, BUCKET))
        monkeypatch.setattr(runtime, "clock", lambda: lambda: now)
        yield client


@pytest.fixture(scope="module")
def costs() -> Iterator[dict[str, float]]:
    """Seconds of CPU until each refusal; printed in the end."""
    found: dict[str, float] = {}
    yield found
    sys.stdout.write("\nrefused after, CPU seconds\n")
    for name, seconds in sorted(found.items(), key=lambda one: -one[1]):
        sys.stdout.write(f"  {name:<40} {seconds:.4f}\n")


def _everything(database: Database) -> dict[str, int]:
    """How many rows each table has."""
    connection = database.connection()
    tables = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    ).fetchall()
    return {name: _rows(connection, name) for (name,) in tables}


def _rows(connection: psycopg.Connection, table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    row = connection.execute(query).fetchone()
    assert row
    return int(row[0])


def _refused(s3: "S3Client", name: str, body: bytes) -> bool:
    """Whether the queue's function gave the file back."""
    key = f"inbox/{name.replace(' ', '-')}.xml"
    s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    message = {
        "messageId": key,
        "eventSource": "aws:sqs",
        "body": json.dumps({"detail": {"object": {"key": key}}}),
    }
    failures = reconcile({"Records": [message]}, None)["batchItemFailures"]
    return bool(failures == [{"itemIdentifier": key}])


def _cost_of_refusal(document: bytes) -> float:
    began = time.process_time()
    with pytest.raises(BankFileRefused):
        _read(document)
    return time.process_time() - began


def _read(document: bytes) -> int:
    return sum(1 for _ in reader.read(io.BytesIO(document)).records())


@pytest.mark.parametrize("name", ABUSES)
def test_a_hostile_file_is_refused_and_changes_nothing(
    name: str,
    database: Database,
    s3: "S3Client",
    costs: dict[str, float],
) -> None:
    """By the reader itself, and through the function that takes the bank's files."""
    document = ABUSES[name]()
    before = _everything(database)
    costs[name] = _cost_of_refusal(document)

    assert _refused(s3, name, document)
    assert _everything(database) == before


def test_a_truncated_file_is_refused_wherever_it_ends(
    database: Database, s3: "S3Client", costs: dict[str, float]
) -> None:
    """Never taken for a shorter one: the records before the end change nothing."""
    document = good(2_000)
    before = _everything(database)
    costs["truncated, the slowest"] = max(
        _cost_of_refusal(cut(document, place)) for place in range(CUTS)
    )
    for place in range(0, CUTS, 9):
        assert _refused(s3, f"cut {place}", cut(document, place))

    assert _everything(database) == before


@pytest.mark.parametrize(
    "compressed", [gzip.compress, lambda body: b"PK\x03\x04" + body], ids=["gzip", "zip"]
)
def test_a_packed_file_is_refused(compressed: Callable[[bytes], bytes], s3: "S3Client") -> None:
    """A bank that packs its files is unpacked by its courier, not here."""
    assert _refused(s3, "packed", compressed(good(10)))


def test_a_file_above_the_limit_is_refused_unread(
    database: Database, s3: "S3Client", costs: dict[str, float]
) -> None:
    """One byte too many, in a file that is otherwise good."""
    body = good(10)
    body += b" " * (LARGEST_FILE_BYTES + 1 - len(body))
    before = _everything(database)
    s3.put_object(Bucket=BUCKET, Key="inbox/large.xml", Body=body)
    began = time.process_time()
    with pytest.raises(BankFileRefused, match="larger than 50000000 bytes"):
        S3Bank(s3, BUCKET).receive("inbox/large.xml")
    costs["50 MB and a byte"] = time.process_time() - began

    assert _refused(s3, "large", body)
    assert _everything(database) == before


def test_the_good_file_behind_all_these_is_taken(database: Database, s3: "S3Client") -> None:
    """What was made hostile above is refused for that alone."""
    before = _everything(database)

    assert not _refused(s3, "good", good(10))
    assert _everything(database) != before
