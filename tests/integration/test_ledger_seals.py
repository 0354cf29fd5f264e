"""Seals on real Postgres: nothing that was recorded escapes one, and each follows the last."""

import datetime as dt
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator

import psycopg
import pytest

from paynexus import errors, runtime
from paynexus.db import Connection, Database
from paynexus.ledger.seals import model, service, store
from paynexus.ledger.seals.model import HOUR, Seal
from seal_ledger.handler import handler
from tests.integration.sealing import (
    Kms,
    as_owner,
    book_a_day,
    move_into_the_past,
    settle,
    signer,
)

pytestmark = pytest.mark.proof

DAY = dt.timedelta(days=1)
RECORDED = dt.datetime(2026, 7, 1, microsecond=120_000, tzinfo=dt.UTC)
EFFECTIVE = dt.datetime(2026, 6, 30, 21, 59, 59, 999_999, tzinfo=dt.UTC)
LINE = (
    '{"id":1825652736122880007,"account_id":"00000000-0000-7000-8000-00000000000d",'
    '"transfer_id":"00000000-0000-7000-8000-000000000001","type":"pending","delta":1250,'
    '"released":0,"balance_after":-7,"currency":"EUR","slot":3,"transaction_id":null,'
    '"effective_at":"2026-06-30T21:59:59.999999Z","created_at":"2026-07-01T00:00:00.120000Z",'
    '"transfer":{"state":"pending","pending_id":null,"part":null,"is_final":false,'
    '"kind":"payment","debit_account_id":"00000000-0000-7000-8000-00000000000d",'
    '"credit_account_id":"00000000-0000-7000-8000-00000000000c","debit_slot":3,"credit_slot":0,'
    '"amount":1250,"released":0,"currency":"EUR","mode":"test",'
    '"merchant_id":"00000000-0000-7000-8000-00000000000e","object_id":"a \\"b\\" \\\\ \\t ü",'
    '"transaction_id":null,"sequence":1,"reverses":null,"expires_at":"2026-07-08T00:00:00.120000Z",'
    '"metadata_sha256":"META","effective_at":"2026-06-30T21:59:59.999999Z",'
    '"created_at":"2026-07-01T00:00:00.120000Z"},"account":{"type":"gateway_receivable",'
    '"normal_side":"debit","mode":"test","currency":"EUR","merchant_id":null}}'
).replace("META", hashlib.sha256('{"b": 1.50, "long": "ü"}'.encode()).hexdigest())
REFUSED = (
    "UPDATE ledger_seals SET entries = 0",
    "DELETE FROM ledger_seals",
    "TRUNCATE ledger_seals CASCADE",
    "UPDATE ledger_seal_records SET position = 7",
    "DELETE FROM ledger_seal_records",
    "TRUNCATE ledger_seal_records",
    "UPDATE accounts SET normal_side = 'debit' WHERE type = 'fees'",
    "DELETE FROM accounts WHERE type = 'fees'",
    """INSERT INTO ledger_seals
    SELECT number + 7, since, until, 0, 0, previous, head, sealed_at, key, hash, signature
    FROM ledger_seals""",
)


def sealed(db: Database, kms: Kms, now: dt.datetime) -> list[Seal]:
    """The seals that one run adds."""
    return service.seal(db, signer(kms), now=now)


def book_before(db: Database, by: dt.timedelta) -> None:
    """A day's business, as if that much time had passed since."""
    booked = book_a_day(db)
    with db.transaction() as tx:
        move_into_the_past(tx, booked, by)


@pytest.fixture
def kms() -> Kms:
    """The key of the seals."""
    return Kms()


def test_a_line_is_never_spelt_otherwise(database_url: str) -> None:
    """Whatever a session is set to: else what was sealed long ago would look altered."""
    options = "-c timezone=Asia/Kolkata -c datestyle=German -c bytea_output=escape"
    with psycopg.connect(database_url, options=options) as tx:
        as_owner(tx)
        tx.execute(
            "INSERT INTO accounts (id, type, normal_side, mode, currency) SELECT"
            " '00000000-0000-7000-8000-00000000000d', 'gateway_receivable', 'debit', 'test', 'EUR'"
        )
        tx.execute(
            "INSERT INTO transfers VALUES ('00000000-0000-7000-8000-000000000001', 'pending', NULL,"
            " NULL, FALSE, 'payment', '00000000-0000-7000-8000-00000000000d',"
            " '00000000-0000-7000-8000-00000000000c', 3, 0, 1250, 0, 'EUR', 'test',"
            " '00000000-0000-7000-8000-00000000000e', %s, NULL, 1, NULL, %s, %s, %s, %s)",
            (
                'a "b" \\ \t ü',
                RECORDED + 7 * DAY,
                '{"long": "ü", "b": 1.50}',
                EFFECTIVE,
                RECORDED,
            ),
        )
        tx.execute(
            "INSERT INTO ledger_entries SELECT ledger_entry_id_at(created_at) + 7, NULL,"
            " debit_account_id, 1250, -7, 'pending', created_at, id, currency, debit_slot, 0,"
            " effective_at FROM transfers"
        )
        since = model.whole_hour(RECORDED)
        [line] = store.lines(tx, model.Stretch(since, since + HOUR))

    assert line.text.decode() == LINE
    assert json.loads(line.text)["transfer"]["object_id"] == 'a "b" \\ \t ü'


def test_every_settled_hour_is_sealed_once(database: Database, kms: Kms, now: dt.datetime) -> None:
    """Days never share a seal, empty hours have theirs, and a second run adds nothing."""
    book_before(database, 3 * DAY)
    book_before(database, DAY)

    seals = sealed(database, kms, now)

    entries = database.connection().execute("SELECT count(*) FROM ledger_entries").fetchall()
    assert [(sum(one.entries for one in seals),)] == entries == [(24,)]
    assert [one.number for one in seals] == list(range(1, len(seals) + 1))
    assert seals[0].since <= now - 3 * DAY < seals[0].since + HOUR
    assert seals[-1].until == model.whole_hour(now - model.SETTLING)
    for one, other in itertools.pairwise(seals):
        assert (other.since, other.previous) == (one.until, one.hash)
        # In between, seals end where their days end.
        assert one.until == model.end_of_day(one.since)
    assert any(one.entries == 0 for one in seals)
    assert sealed(database, kms, now) == []
    assert service.read_again(database, signer(kms), now=now) == []


def test_what_is_booked_later_is_sealed_by_the_next_run(
    database: Database, kms: Kms, now: dt.datetime
) -> None:
    """The hour that runs is not sealed yet; an hour later it is, on top of the last seal."""
    book_before(database, DAY)
    first = sealed(database, kms, now)
    booked = book_a_day(database)
    with database.transaction() as tx:
        as_owner(tx)
        settle(tx, booked)

    assert sealed(database, kms, now) == []
    [last] = [one for one in [store.latest(database.connection())] if one]
    assert last.hash == first[-1].hash
    assert signer(kms).keys.have_signed(last)


def test_what_commits_after_its_hour_is_not_missed(
    database: Database,
    kms: Kms,
    now: dt.datetime,
    another_database: Callable[[], Database],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was recorded hours ago and is not visible yet: no seal may close over it."""
    book_before(database, DAY)
    other = another_database()
    with other.transaction():
        book_before(other, 3 * HOUR)

        assert service.seal(database, signer(kms), now=now, patience=dt.timedelta()) == []

    with other.transaction():
        book_before(other, 2 * HOUR)
        # It ends while it is waited for, and the seal has it.
        monkeypatch.setattr("time.sleep", lambda _: other.connection().execute("COMMIT; BEGIN"))
        seals = sealed(database, kms, now)
        monkeypatch.undo()

    assert sum(one.entries for one in seals) == 36
    assert service.read_again(database, signer(kms), now=now) == []


def test_a_reader_holds_nobody_up(
    database: Database, kms: Kms, now: dt.datetime, another_database: Callable[[], Database]
) -> None:
    """A report that runs for hours can record nothing, so seals are made meanwhile."""
    book_before(database, DAY)
    other = another_database()
    with other.transaction() as tx:
        tx.execute("SELECT count(*) FROM ledger_entries")

        assert sealed(database, kms, now) != []


def test_payments_go_on_while_entries_are_read(
    database: Database,
    kms: Kms,
    now: dt.datetime,
    another_database: Callable[[], Database],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is booked and settled meanwhile waits for nothing, and is the next seals' business."""
    book_before(database, DAY)
    other, read = another_database(), store.lines

    def lines(tx: Connection, stretch: model.Stretch) -> Iterator[store.Line]:
        for number, line in enumerate(read(tx, stretch)):
            if number == 0:
                # Were it to wait for a lock of ours, it would wait for ever, and be cut off.
                book_before(other, dt.timedelta())
            yield line

    monkeypatch.setattr(store, "lines", lines)

    assert sum(one.entries for one in sealed(database, kms, now)) == 12


def test_a_large_stretch_is_divided_by_hours(
    database: Database, kms: Kms, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seal that has enough entries ends with the hour, so that memory is bounded."""
    monkeypatch.setattr(model, "STRETCH_ENTRIES", 1)
    monkeypatch.setattr(store, "BLOCK_BYTES", 5 * model.RECORD_BYTES)
    at = model.whole_hour(now) - 5 * HOUR
    book_before(database, now - at - HOUR / 2)
    book_before(database, now - at - HOUR * 5 / 2)

    seals = [one for one in sealed(database, kms, now) if one.entries]

    assert [one.entries for one in seals] == [12, 12]
    assert all(one.until - one.since >= HOUR for one in seals)
    assert service.read_again(database, signer(kms), now=now) == []


def test_two_runs_at_once_make_one_chain(
    database: Database, kms: Kms, now: dt.datetime, another_database: Callable[[], Database]
) -> None:
    """Whoever is slower adds nothing; the seal that was made first stands."""
    book_before(database, HOUR * 3)
    other = another_database()

    class Slow(Kms):
        """While it signs, another run seals the same."""

        def sign(self, **request: object) -> dict[str, bytes]:
            sealed(other, kms, now)
            return dict(super().sign(**request))

    slow = Slow()
    slow.key = kms.key

    assert sealed(database, slow, now) == []
    assert service.read_again(database, signer(kms), now=now) == []


def test_nothing_is_sealed_on_top_of_another_keys_seal(
    database: Database, kms: Kms, now: dt.datetime
) -> None:
    """Whoever forged the last seal finds no successor for it; reading again names it."""
    book_before(database, DAY)
    sealed(database, Kms(), now - 2 * HOUR)

    with pytest.raises(errors.LedgerSealBroken):
        sealed(database, kms, now)
    assert {one.rule for one in service.read_again(database, signer(kms), now=now)} == {
        "seal_is_not_signed_by_our_key"
    }


def test_a_key_may_follow_another(database: Database, kms: Kms, now: dt.datetime) -> None:
    """The old key's seals are still believed while its name is among the keys."""
    book_before(database, DAY)
    sealed(database, kms, now - 2 * HOUR)
    successor = Kms()
    both = signer(successor)
    both.keys._keys.update(signer(kms).keys._keys)

    [*_, last] = service.seal(database, both, now=now)

    assert last.key == signer(successor).keys.fingerprints[0]
    assert service.read_again(database, both, now=now) == []


def test_the_database_refuses(database: Database, kms: Kms, now: dt.datetime) -> None:
    """Seals and what they name are never changed, deleted, or left out."""
    book_before(database, DAY)
    sealed(database, kms, now)

    for statement in REFUSED:
        with pytest.raises(psycopg.Error) as refused, database.transaction() as tx:
            tx.execute(statement.encode())

        assert refused.value.sqlstate in {"PN020", "PN023"}, statement


def test_the_function_seals_and_reads_again(
    deployed: pytest.MonkeyPatch, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """With KMS's signature; then what was altered is an error in its log and a count."""
    book_before(database, DAY)

    answer = handler({}, None)
    assert answer["sealed"] in {1, 2}
    assert answer["violations"] == 0
    with database.transaction() as tx:
        as_owner(tx)
        tx.execute("UPDATE transfers SET object_id = 'pay_other' WHERE kind = 'fee'")
    assert handler({}, None) == {"sealed": 0, "violations": 2}

    last = store.latest(runtime.database().connection())
    assert last
    assert runtime.ledger_signer().keys.have_signed(last)
    assert '"LedgerImbalance":[2.0]' in capsys.readouterr().out
