"""The functions that have gateways' settlement files and take them, over S3."""

import datetime as dt
import io
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fetch_gateway_files.handler import handler as fetch
from paynexus import letterbox, runtime
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.errors import BankFileRefused, BankUnavailable, InvalidRequest
from paynexus.ids import MerchantId
from paynexus.settlement.acquirers import desks, s3
from paynexus.settlement.acquirers.desks import SandboxDesk
from reconcile_settlements.handler import handler as reconcile
from tests.acquirer_files import AcquirerDay
from tests.flow import Flow
from tests.sandbox import KEY, Sandbox

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass
class Deployed:
    """The bank's bucket, and a day at the acquirer."""

    day: AcquirerDay
    s3: "S3Client"
    bucket: str

    @property
    def key(self) -> str:
        """Where the day's file lies."""
        return f"gateways/sandbox/{self.day.day}.csv"

    def reconcile(self, key: str) -> list[Any]:
        """What S3 announces of the object is taken; the records that failed."""
        body = json.dumps({"detail": {"object": {"key": key}}})
        record = {"messageId": "1", "body": body, "eventSource": "aws:sqs"}
        return list(reconcile({"Records": [record]}, None)["batchItemFailures"])


@pytest.fixture
def world(
    acquirer: Sandbox,
    *,
    database: Database,
    cache: Cache,
    merchant: MerchantId,
    now: dt.datetime,
    deployed: pytest.MonkeyPatch,
) -> Deployed:
    """Functions as a deployment sets them up."""
    bucket = f"bank-{secrets.token_hex(4)}"
    client: S3Client = runtime.aws("s3")
    client.create_bucket(Bucket=bucket)
    deployed.setenv("PAYNEXUS_BANK_BUCKET", bucket)
    runtime.settings.cache_clear()
    flow = Flow(database, cache, {"test": acquirer.gateway}, merchant, now)
    return Deployed(AcquirerDay(flow, acquirer), client, bucket)


def test_a_days_file_is_fetched_and_taken(world: Deployed) -> None:
    """An unknown outcome is known after it, by the way that the functions go."""
    payment_id = world.day.flow.take("tok_disconnect_after", amount=1000)[0]

    answer = fetch({"day": str(world.day.day)}, None)
    assert answer == {"files": [world.key]}
    assert world.reconcile(world.key) == []

    assert str(world.day.flow.payment(payment_id).status) == "COMPLETED"
    assert world.day.verdicts() == {"matched": 1}
    assert fetch({"day": str(world.day.day)}, None) == answer
    assert world.reconcile(world.key) == []


def test_what_waits_is_proven_each_night_though_no_file_comes(
    world: Deployed, deployed: pytest.MonkeyPatch
) -> None:
    """The run that took the file had died."""
    payment_id = world.day.flow.take("tok_disconnect_after", amount=1000)[0]
    fetch({"day": str(world.day.day)}, None)
    with deployed.context() as broken:
        broken.setattr(letterbox, "prove", _unavailable)
        assert len(world.reconcile(world.key)) == 1
    assert world.day.verdicts() == {"waiting": 1}

    world.day.sandbox.stop()
    with pytest.raises(BankUnavailable, match=r"no settlement file of .* from sandbox"):
        fetch({}, None)
    world.day.sandbox.start()

    assert str(world.day.flow.payment(payment_id).status) == "COMPLETED"
    assert world.day.verdicts() == {"matched": 1}


def test_a_file_that_can_not_be_taken_goes_back_to_the_queue(world: Deployed) -> None:
    """Of a gateway that nobody knows, in no format, or not there."""
    for key in ("gateways/acme/a.csv", "gateways/sandbox/a.csv", "gateways/sandbox/none.csv"):
        if "none" not in key:
            world.s3.put_object(Bucket=world.bucket, Key=key, Body=b"what?")
        assert len(world.reconcile(key)) == 1
    assert world.day.verdicts() == {}


def test_the_day_is_yesterday_unless_it_is_named(world: Deployed) -> None:
    """What is no day is refused."""
    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)  # noqa: TID251 - the edge

    assert fetch({}, None)["files"] == [f"gateways/sandbox/{yesterday}.csv"]
    with pytest.raises(InvalidRequest, match="2026-11-26"):
        fetch({"day": "26.11.2026"}, None)


def test_files_are_read_and_written_in_their_folder_alone(
    world: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not too large, and not beside it."""
    shelf = letterbox.shelf()
    shelf.put("gateways/sandbox/a.csv", io.BytesIO(b"12345"))

    with shelf.get("gateways/sandbox/a.csv") as file:
        assert (file.read(), file.seek(0), file.read()) == (b"12345", 0, b"12345")
    for name in ("inbox/a.xml", "gateways/../inbox/a.xml"):
        with pytest.raises(BankFileRefused, match="no gateway's file"), shelf.get(name):
            pass
    monkeypatch.setattr(s3, "LARGEST_FILE_BYTES", 4)
    with (
        pytest.raises(BankFileRefused, match="larger than 4 bytes"),
        shelf.get("gateways/sandbox/a.csv"),
    ):
        pass
    world.s3.delete_object(Bucket=world.bucket, Key="gateways/sandbox/a.csv")
    world.s3.delete_bucket(Bucket=world.bucket)
    with pytest.raises(BankUnavailable):
        shelf.put("gateways/sandbox/a.csv", io.BytesIO(b""))


def test_a_desk_tells_why_it_has_no_file(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused, gone, or larger than a file may be."""
    url, day = f"http://127.0.0.1:{sandbox.port}", dt.date(2026, 11, 26)

    with SandboxDesk(url, api_key=KEY).file_of(day) as file:
        assert file.read().startswith(b"line,reference")
    assert _why(SandboxDesk(url, api_key="another"), day).endswith("gateway_status_401")
    monkeypatch.setattr(desks, "LARGEST_FILE_BYTES", 10)
    assert _why(SandboxDesk(url, api_key=KEY), day).endswith("answer_unreadable")
    sandbox.stop()
    assert _why(SandboxDesk(url, api_key=KEY), day).endswith("connect_refused")
    sandbox.start()


def _unavailable(*_: object) -> None:
    raise BankUnavailable("the process is not there any more")


def _why(desk: SandboxDesk, day: dt.date) -> str:
    with pytest.raises(BankUnavailable) as refused, desk.file_of(day):
        pass
    return refused.value.detail
