"""Payout files: many settlements in one, sent once, asked about when the bank is silent."""

import datetime as dt
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from paynexus.db import Database
from paynexus.errors import InvalidState
from paynexus.settlement.payouts import service
from tests.settlement_world import SettlementWorld, debit, file_report, report, statement

DAY = dt.timedelta(days=1)


def _files(books: SettlementWorld) -> list[tuple[object, ...]]:
    query = "SELECT transfers, amount, sends, inquiries FROM payout_files ORDER BY created_at"
    return books.database.connection().execute(query).fetchall()


def test_all_that_is_due_goes_out_in_one_file(books: SettlementWorld) -> None:
    """One name, one sum, one answer; the bytes are on record by their hash."""
    merchants = [books.another_merchant() for _ in range(4)]
    for n, merchant in enumerate(merchants):
        books.take(1_000 * (n + 1), merchant=merchant)

    run = books.settle()
    settlements = [books.settlements(merchant)[0] for merchant in merchants]
    [(name, document)] = books.bank.outbox.items()

    assert (run.made, run.instructed) == (4, 4)
    assert _files(books) == [(4, 10_000, 1, 0)]
    assert {f"test/{one.message_id}.xml" for one in settlements} == {name}
    assert document.index(min(one.end_to_end_id for one in settlements).encode()) < document.index(
        max(one.end_to_end_id for one in settlements).encode()
    )
    rows = books.database.connection().execute("SELECT sha256 FROM payout_files").fetchall()
    assert rows == [(hashlib.sha256(document).digest(),)]


def test_another_day_or_account_is_another_file(books: SettlementWorld) -> None:
    """What was made on one day and what was made later are asked for apart."""
    books.take(1_000)
    books.bank.is_closed = True
    books.settle()
    other = books.another_merchant()
    books.take(2_000, merchant=other)
    with books.database.transaction() as tx:
        tx.execute("UPDATE house_accounts SET holder = 'PayNexus II'")
    books.settle(after=DAY)
    books.bank.is_closed = False
    run = books.settle(after=DAY)

    assert run.instructed == 2
    assert _files(books) == [(1, 1_000, 3, 0), (1, 2_000, 2, 0)]
    assert len(books.bank.outbox) == 2


def test_runs_at_once_put_each_settlement_into_one_file(
    books: SettlementWorld, another_database: Callable[[], Database]
) -> None:
    """Five at once over forty settlements that wait: nothing is in two, nothing left out."""
    merchants = [books.another_merchant() for _ in range(40)]
    for merchant in merchants:
        books.take(100, merchant=merchant)
    books.bank.is_closed = True
    with books.database.transaction() as tx:
        tx.execute(
            "CREATE FUNCTION wait() RETURNS TRIGGER LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_sleep(0.002); RETURN NEW; END'"
        )
        tx.execute(
            "CREATE TRIGGER wait AFTER UPDATE OF message_id ON settlements"
            " FOR EACH ROW EXECUTE FUNCTION wait()"
        )
    made = [replace(books, database=another_database()) for _ in range(5)]
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda one: one.settle(), made))
    books.bank.is_closed = False
    with ThreadPoolExecutor(5) as pool:
        runs = list(pool.map(lambda one: service.send(one.database, one.bank, now=one.now), made))

    files = books.database.connection().execute(
        "SELECT (SELECT count(*) FROM settlements WHERE message_id IS NULL),"
        " sum(transfers), sum(amount) FROM payout_files"
    )
    assert files.fetchall() == [(0, 40, 4_000)]
    assert sum(run.instructed for run in runs) == 40
    assert len(books.bank.outbox) == len(_files(books))


def test_a_settlement_never_leaves_its_file(books: SettlementWorld) -> None:
    """The database itself refuses a second one."""
    books.paid(1_000)
    query = "UPDATE settlements SET message_id = NULL"
    with pytest.raises(InvalidState), books.database.transaction() as tx:
        tx.execute(query)


def test_what_a_crash_left_unsent_goes_out_with_the_next_run(books: SettlementWorld) -> None:
    """The booking comes before the file: a bank out of reach delays the money, once."""
    books.take(5_000)
    books.bank.is_closed = True
    run = books.settle()

    assert (run.made, run.instructed, run.failed) == (1, 0, 1)
    assert books.settlements()[0].status == "PENDING"

    books.bank.is_closed = False
    run = books.settle(after=2 * DAY)

    assert (run.made, run.instructed) == (0, 1)
    assert books.settlements()[0].status == "INSTRUCTED"
    # The bank may have it twice by our own doing.
    assert _files(books) == [(1, 5_000, 2, 0)]


def test_an_answer_that_overtakes_our_own_note_counts(books: SettlementWorld) -> None:
    """The bank answers a file whose sender died before noting it as sent: both are on record."""
    books.take(5_000)
    books.bank.is_closed = True
    books.settle()
    [settlement] = books.settlements()
    books.hear(report(settlement, "ACCP"))

    assert books.status(settlement) == "ACCEPTED"
    assert books.facts(settlement) == ["created", "instructed", "accepted"]

    books.bank.is_closed = False
    run = books.settle(after=dt.timedelta(hours=1))

    assert run.instructed == 0
    assert books.status(settlement) == "ACCEPTED"


def test_a_payee_that_no_bank_knows_keeps_nobody_else_waiting(books: SettlementWorld) -> None:
    """It waits, outside of any file, and is counted at each run."""
    bad = books.another_merchant("NOT AN IBAN")
    books.take(700, merchant=bad)
    books.take(5_000)
    books.settle()

    assert books.settlements()[0].status == "INSTRUCTED"
    assert (books.settlements(bad)[0].status, books.settlements(bad)[0].message_id) == (
        "PENDING",
        None,
    )
    assert _files(books) == [(1, 5_000, 1, 0)]


def test_a_silent_bank_is_a_break_and_asked_three_times(books: SettlementWorld) -> None:
    """From the day after its deadline on, once a day, the very same bytes; then a person asks."""
    settlement = books.paid(5_000)
    [document] = books.bank.outbox.values()
    # Whatever weekday a test runs on: the deadline is within five days, ten have not passed.
    books.watch(after=6 * DAY)
    for _ in range(3):
        books.watch(after=dt.timedelta(hours=12))

    assert books.breaks() == [("timing", "payout_file", 5_000, "OPEN")]
    assert _files(books) == [(1, 5_000, 3, 2)]

    books.watch(after=DAY)
    books.watch(after=DAY)

    assert _files(books) == [(1, 5_000, 4, 3)]
    assert set(books.bank.outbox.values()) == {document}
    assert sorted(books.bank.outbox) == [
        f"test/{settlement.message_id}-inquiry-1.xml",
        f"test/{settlement.message_id}-inquiry-2.xml",
        f"test/{settlement.message_id}-inquiry-3.xml",
        f"test/{settlement.message_id}.xml",
    ]


def test_a_bank_that_forgets_names_is_not_asked_by_a_file(books: SettlementWorld) -> None:
    """Where it might pay the second one too, the break waits for a person."""
    with books.database.transaction() as tx:
        tx.execute("UPDATE house_accounts SET repeat_days = 0")
    books.paid(5_000)
    books.watch(after=6 * DAY)

    assert books.breaks() == [("timing", "payout_file", 5_000, "OPEN")]
    assert len(books.bank.outbox) == 1


def test_a_file_that_would_be_written_otherwise_is_not_sent_again(books: SettlementWorld) -> None:
    """Other bytes under the name of a file could be paid besides it."""
    books.paid(5_000)
    with books.database.transaction() as tx:
        tx.execute("ALTER TABLE payout_files DISABLE TRIGGER payout_files_are_never_rewritten")
        tx.execute("UPDATE payout_files SET sha256 = sha256(sha256)")
        tx.execute("ALTER TABLE payout_files ENABLE TRIGGER payout_files_are_never_rewritten")
    books.watch(after=6 * DAY)

    assert books.breaks() == [("timing", "payout_file", 5_000, "OPEN")]
    assert len(books.bank.outbox) == 1


@pytest.mark.parametrize("words", ["status", "duplicate", "no decision", "entry"])
def test_silence_ends_with_whatever_the_bank_says_of_the_file(
    books: SettlementWorld, words: str
) -> None:
    """A status, a refusal of the inquiry, or a booked entry: the break resolves itself."""
    settlement = books.paid(5_000)
    books.watch(after=6 * DAY)
    books.hear(
        {
            "status": report(settlement, "ACCP"),
            "duplicate": file_report(settlement.message_id, "RJCT", "DUPL"),
            "no decision": file_report(settlement.message_id, "PDNG"),
            "entry": statement(debit(settlement)),
        }[words]
    )
    books.watch(after=DAY)

    assert books.breaks() == [("timing", "payout_file", 5_000, "RESOLVED")]
    assert _files(books)[0][-1] == 1


def test_a_bank_that_answers_in_time_makes_no_break(books: SettlementWorld) -> None:
    """However long ago, and whatever the weekday."""
    settlement = books.paid(5_000)
    books.hear(report(settlement, "ACCP"), statement(debit(settlement)))
    for _ in range(12):
        books.watch(after=DAY)

    assert books.breaks() == []
    assert len(books.bank.outbox) == 1
