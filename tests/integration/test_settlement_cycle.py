"""Money that was taken reaches the merchant's bank once, and every step is on the books."""

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from paynexus import ids
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.errors import BankFileRefused, BankUnavailable, InvalidState, NotFound
from paynexus.events import SettlementData
from paynexus.gateways.port import Operation, Outcome, Result
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import reading
from paynexus.ledger import store as ledger
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.chart import BOOKINGS
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.lists.model import Page
from paynexus.money import Money
from paynexus.payments import authority, operations
from paynexus.settlement import reconciliation, service, store, views
from paynexus.settlement.model import Settlement, Status
from tests.disputing import Bank
from tests.flow import Flow
from tests.sandbox import Sandbox
from tools.sandbox_acquirer.disputes import Outcome as End

HOUSE_IBAN = "NL41MOCK0000000001"


@dataclass(slots=True)
class FolderBank:
    """A bank whose boxes are two dictionaries; `is_closed` refuses every file."""

    outbox: dict[str, bytes] = field(default_factory=dict)
    inbox: dict[str, bytes] = field(default_factory=dict)
    is_closed: bool = False

    def instruct(self, name: str, document: bytes) -> None:
        """The file is in the outbox."""
        if self.is_closed:
            raise BankUnavailable("the bank is closed")
        assert self.outbox.get(name, document) == document, "one name, one content"
        self.outbox[name] = document

    def receive(self, name: str) -> bytes:
        """The file of the inbox."""
        return self.inbox[name]

    def says(self, name: str, text: str) -> str:
        """The bank leaves a file; its name is returned."""
        self.inbox[name] = text.encode()
        return name


@pytest.fixture
def bank() -> FolderBank:
    """A bank with empty boxes."""
    return FolderBank()


@pytest.fixture
def take(database: Database, merchant: MerchantId, now: dt.datetime) -> Callable[..., None]:
    """Books a payment of the merchant as completed, less its fee; a negative one is a refund."""

    def book(amount: int, *, fee: int = 0, currency: str = "EUR", mode: str = "test") -> None:
        payable = Account(AccountType.MERCHANT_PAYABLE, mode, currency, merchant)
        receivable = Account(AccountType.GATEWAY_RECEIVABLE, mode, currency)
        fees = Account(AccountType.FEES, mode, currency)
        payment = ids.PaymentId(ids.new_id())
        at = now - dt.timedelta(hours=1)
        kind, debit, credit = (
            (TransferKind.PAYMENT, receivable, payable)
            if amount > 0
            else (TransferKind.REFUND, payable, receivable)
        )
        with database.transaction() as tx:
            for what, to, of, minor in (
                (kind, debit, credit, abs(amount)),
                (TransferKind.FEE, payable, fees, fee),
            ):
                if minor:
                    transfer = Transfer(
                        TransferId(ids.new_id()),
                        what,
                        to,
                        of,
                        Money(minor, currency),
                        ids.text("pay", payment),
                        payment,
                    )
                    ledger.post(tx, transfer, at=at)

    return book


def _all(database: Database, merchant: MerchantId) -> list[Settlement]:
    return service.list_settlements(database, Page(100), merchant_id=merchant, mode="test")[0]


def _only(database: Database, merchant: MerchantId) -> Settlement:
    [settlement] = _all(database, merchant)
    return settlement


def _facts(database: Database, settlement: Settlement) -> list[str]:
    rows = database.connection().execute(
        "SELECT type FROM events WHERE object_id = %s ORDER BY sequence", (settlement.object_id,)
    )
    return [row[0] for row in rows]


def _balance(database: Database, merchant: MerchantId) -> int:
    [owed] = reading.balances(database.connection(), merchant, "test")
    return owed.balance.posted


def _posted(database: Database, account_type: AccountType) -> int:
    row = (
        database.connection()
        .execute(
            "SELECT coalesce(sum(delta), 0)::bigint FROM ledger_entries e JOIN accounts a"
            " ON a.id = e.account_id WHERE a.type = %s AND e.type = 'posted'",
            (account_type,),
        )
        .fetchone()
    )
    assert row is not None
    return int(row[0])


def _reasons(database: Database) -> list[str]:
    rows = database.connection().execute(
        "SELECT reason FROM bank_lines WHERE reason IS NOT NULL ORDER BY reason"
    )
    return [row[0] for row in rows]


def _status_report(settlement: Settlement, status: str, reason: str = "", n: int = 1) -> str:
    why = f"<StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn></StsRsnInf>" if reason else ""
    return f"""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>
<GrpHdr><MsgId>R-{n}</MsgId></GrpHdr><OrgnlGrpInfAndSts>
<OrgnlMsgId>{settlement.message_id}</OrgnlMsgId><GrpSts>{status}</GrpSts></OrgnlGrpInfAndSts>
<OrgnlPmtInfAndSts><TxInfAndSts><OrgnlEndToEndId>{settlement.end_to_end_id}</OrgnlEndToEndId>
<TxSts>{status}</TxSts>{why}</TxInfAndSts></OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"""


def _group_report(message_id: str, status: str, reason: str) -> str:
    return f"""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>
<GrpHdr><MsgId>G-1</MsgId></GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>{message_id}</OrgnlMsgId>
<GrpSts>{status}</GrpSts><StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn></StsRsnInf></OrgnlGrpInfAndSts>
</CstmrPmtStsRpt></Document>"""


def _bank_statement(*entries: tuple[str, str, str], iban: str = HOUSE_IBAN, n: int = 1) -> str:
    booked = "".join(
        f"""<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd>
<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-23</Dt></BookgDt><AcctSvcrRef>B-{n}-{i}</AcctSvcrRef>
<NtryDtls><TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>"""
        for i, (reference, amount, side) in enumerate(entries)
    )
    return f"""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>
<GrpHdr><MsgId>S-{n}</MsgId></GrpHdr><Stmt><Id>S-{n}</Id><Acct><Id><IBAN>{iban}</IBAN></Id></Acct>
{booked}</Stmt></BkToCstmrStmt></Document>"""


def test_a_settlement_pays_what_was_posted_less_fees_and_refunds(
    database: Database,
    merchant: MerchantId,
    bank: FolderBank,
    now: dt.datetime,
    take: Callable[..., None],
) -> None:
    """From posted entries to PAID: amount, lines, file, bookings and facts agree to the cent."""
    take(10_000, fee=175)
    take(2_500, fee=63)
    take(-1_000)

    run = service.settle(database, bank, now=now)
    settlement = _only(database, merchant)

    assert (run.made, run.instructed, run.failed) == (1, 1, 0)
    assert settlement.amount == 10_000 - 175 + 2_500 - 63 - 1_000
    assert settlement.status == "INSTRUCTED"
    assert list(bank.outbox) == [f"test/{settlement.message_id}.xml"]
    assert _balance(database, merchant) == 0
    assert _posted(database, AccountType.SETTLEMENT_IN_TRANSIT) == -settlement.amount

    key = bank.says("inbox/r.xml", _status_report(settlement, "ACCP"))
    reconciliation.reconcile(database, bank, object_key=key, now=now)

    assert _only(database, merchant).status == "ACCEPTED"

    key = bank.says("inbox/s.xml", _bank_statement((settlement.end_to_end_id, "112.62", "DBIT")))
    done = reconciliation.reconcile(database, bank, object_key=key, now=now)
    paid = _only(database, merchant)

    assert done.unmatched == 0
    assert (paid.status, paid.processed_at) == ("PAID", now)
    assert _posted(database, AccountType.SETTLEMENT_IN_TRANSIT) == 0
    assert _posted(database, AccountType.CASH) == -settlement.amount
    assert _facts(database, settlement) == ["settlement.instructed.v1", "settlement.paid.v1"]


def test_the_statement_of_a_settlement_sums_to_its_amount(
    database: Database,
    merchant: MerchantId,
    bank: FolderBank,
    now: dt.datetime,
    take: Callable[..., None],
) -> None:
    """The merchant can add up the lines, as JSON and as CSV, and see which payment each is of."""
    take(10_000, fee=175)
    take(-300)
    service.settle(database, bank, now=now)
    settlement, lines = service.statement(
        database, _only(database, merchant).object_id, merchant_id=merchant, mode="test"
    )
    shown = views.statement(settlement, lines)

    assert [line.kind for line in lines] == ["payment", "fee", "refund"]
    assert shown["total"] == {"amount": settlement.amount, "currency": "EUR"}
    assert all(str(line["payment"]).startswith("pay_") for line in shown["lines"])  # type: ignore[attr-defined]
    assert len(views.statement_csv(lines).splitlines()) == 4


def test_runs_of_one_cutoff_make_one_settlement(
    database: Database,
    merchant: MerchantId,
    bank: FolderBank,
    now: dt.datetime,
    take: Callable[..., None],
) -> None:
    """Running again, also after more was posted for the same cut-off, changes nothing."""
    take(5_000)
    service.settle(database, bank, now=now, cutoff=now)
    take(700)
    service.settle(database, bank, now=now, cutoff=now)

    assert _only(database, merchant).amount == 5_000

    service.settle(database, bank, now=now + dt.timedelta(days=1))

    assert sorted(s.amount for s in _all(database, merchant)) == [700, 5_000]


def test_runs_at_once_make_one_settlement(  # noqa: PLR0917 - fixtures and one case
    database: Database,
    another_database: Callable[[], Database],
    merchant: MerchantId,
    bank: FolderBank,
    now: dt.datetime,
    take: Callable[..., None],
) -> None:
    """Five runs at once, with one cut-off or with five, pay every entry once."""
    for _ in range(20):
        take(1_000)
    databases = [another_database() for _ in range(5)]
    with ThreadPoolExecutor(5) as pool:
        runs = [
            pool.submit(service.settle, each, bank, now=now + dt.timedelta(seconds=n // 2))
            for n, each in enumerate(databases)
        ]
        made = sum(run.result().made for run in runs)

    assert made == 1
    assert _only(database, merchant).amount == 20_000
    assert len(bank.outbox) == 1
    assert _facts(database, _only(database, merchant)) == ["settlement.instructed.v1"]


def test_what_a_crash_left_without_a_file_is_instructed_by_the_next_run(
    database: Database,
    merchant: MerchantId,
    bank: FolderBank,
    now: dt.datetime,
    take: Callable[..., None],
) -> None:
    """The booking comes before the file: a bank out of reach delays the money, once."""
    take(5_000)
    bank.is_closed = True
    run = service.settle(database, bank, now=now)

    assert (run.made, run.instructed, run.failed) == (1, 0, 1)
    assert _only(database, merchant).status == "PENDING"

    bank.is_closed = False
    run = service.settle(database, bank, now=now + dt.timedelta(days=2))

    assert (run.made, run.instructed) == (0, 1)
    assert _only(database, merchant).status == "INSTRUCTED"


def test_an_answer_that_overtakes_our_own_note_counts(
    database: Database,
    merchant: MerchantId,
    bank: FolderBank,
    now: dt.datetime,
    take: Callable[..., None],
) -> None:
    """The bank answers a file whose sender died before noting it as sent: both are on record."""
    take(5_000)
    bank.is_closed = True
    service.settle(database, bank, now=now)
    settlement = _only(database, merchant)
    key = bank.says("inbox/r.xml", _status_report(settlement, "ACCP"))
    reconciliation.reconcile(database, bank, object_key=key, now=now)

    assert _only(database, merchant).status == "ACCEPTED"
    assert _facts(database, settlement) == ["settlement.instructed.v1"]


@pytest.mark.parametrize("by_group", [True, False])
def test_a_rejected_settlement_returns_the_money_and_is_paid_by_the_next(  # noqa: PLR0917 - fixtures and one case
    database: Database,
    merchant: MerchantId,
    bank: FolderBank,
    now: dt.datetime,
    take: Callable[..., None],
    by_group: bool,  # noqa: FBT001
) -> None:
    """FAILED gives the amount back to the balance; the next settlement says where it is from."""
    take(5_000)
    service.settle(database, bank, now=now)
    first = _only(database, merchant)
    report = (
        _group_report(first.message_id, "RJCT", "FF01")
        if by_group
        else _status_report(first, "RJCT", "AC04")
    )
    key = bank.says("inbox/r.xml", report)
    reconciliation.reconcile(database, bank, object_key=key, now=now)
    failed = _only(database, merchant)

    assert (failed.status, failed.failure_code) == ("FAILED", "FF01" if by_group else "AC04")
    assert _balance(database, merchant) == 5_000
    assert _facts(database, failed)[-1] == "settlement.failed.v1"

    later = now + dt.timedelta(days=1)
    service.settle(database, bank, now=later)
    second, _ = _all(database, merchant)
    _, lines = service.statement(database, second.object_id, merchant_id=merchant, mode="test")

    assert [(line.kind, line.amount) for line in lines] == [("payout_returned", 5_000)]
    assert lines[0].object_id == failed.object_id


def test_every_fact_is_what_its_schema_says(
    database: Database,
    merchant: MerchantId,
    bank: FolderBank,
    now: dt.datetime,
    take: Callable[..., None],
) -> None:
    """Consumers read settlements by the published schema, whatever became of them."""
    for day, status in enumerate(("ACCP", "RJCT")):
        take(1_000)
        at = now + dt.timedelta(days=day)
        service.settle(database, bank, now=at)
        latest = _all(database, merchant)[0]
        key = bank.says(f"inbox/{day}.xml", _status_report(latest, status, "AC04", n=day))
        reconciliation.reconcile(database, bank, object_key=key, now=at)
    rows = database.connection().execute("SELECT data FROM events").fetchall()

    assert [SettlementData.model_validate(row[0]).id for row in rows]
    assert len(rows) == 3


def test_a_duplicate_file_is_not_a_rejection(
    database: Database,
    merchant: MerchantId,
    bank: FolderBank,
    now: dt.datetime,
    take: Callable[..., None],
) -> None:
    """A file sent twice is answered DUPL: the first of them is still on its way."""
    take(5_000)
    service.settle(database, bank, now=now)
    key = bank.says(
        "inbox/r.xml", _group_report(_only(database, merchant).message_id, "RJCT", "DUPL")
    )
    reconciliation.reconcile(database, bank, object_key=key, now=now)

    assert _only(database, merchant).status == "INSTRUCTED"
    assert _reasons(database) == ["duplicate_file"]


def test_a_file_is_applied_once_whatever_its_name(
    database: Database,
    merchant: MerchantId,
    bank: FolderBank,
    now: dt.datetime,
    take: Callable[..., None],
) -> None:
    """The same bytes again, under this name or another, are recognised."""
    take(5_000)
    service.settle(database, bank, now=now)
    text = _bank_statement((_only(database, merchant).end_to_end_id, "50.00", "DBIT"))
    for name in ("inbox/a.xml", "inbox/a.xml", "inbox/b.xml"):
        done = reconciliation.reconcile(database, bank, object_key=bank.says(name, text), now=now)

    assert done.is_repeated
    assert _only(database, merchant).status == "PAID"
    assert _reasons(database) == []


@pytest.mark.parametrize(
    ("entry", "iban", "reason"),
    [
        (("", "49.99", "DBIT"), HOUSE_IBAN, "amount_differs"),
        (("", "50.00", "CRDT"), HOUSE_IBAN, "returned"),
        (("", "50.00", "DBIT"), "NL30MOCK0000000005", "wrong_account"),
        (("SET-NOBODY", "50.00", "DBIT"), HOUSE_IBAN, "unknown_reference"),
        (("SET-NOBODY", "50.00", "CRDT"), HOUSE_IBAN, "unexpected_credit"),
    ],
)
def test_a_bank_line_that_does_not_fit_is_kept_with_its_reason(  # noqa: PLR0917 - fixtures and one case
    database: Database,
    merchant: MerchantId,
    bank: FolderBank,
    now: dt.datetime,
    take: Callable[..., None],
    entry: tuple[str, str, str],
    iban: str,
    reason: str,
) -> None:
    """Nothing is paid by a line that differs in anything, and the line is not lost."""
    take(5_000)
    service.settle(database, bank, now=now)
    line = (entry[0] or _only(database, merchant).end_to_end_id, *entry[1:])
    key = bank.says("inbox/s.xml", _bank_statement(line, iban=iban))
    done = reconciliation.reconcile(database, bank, object_key=key, now=now)

    assert (done.unmatched, _reasons(database)) == (1, [reason])
    assert _only(database, merchant).status == "INSTRUCTED"


def test_contradictions_of_the_bank_change_nothing_and_are_kept(
    database: Database,
    merchant: MerchantId,
    bank: FolderBank,
    now: dt.datetime,
    take: Callable[..., None],
) -> None:
    """Paid twice, and rejected after it was paid: the books stand, people are told."""
    take(5_000)
    service.settle(database, bank, now=now)
    settlement = _only(database, merchant)
    line = (settlement.end_to_end_id, "50.00", "DBIT")
    for name, text in (
        ("inbox/1.xml", _bank_statement(line, line)),
        ("inbox/2.xml", _status_report(settlement, "RJCT", "AC04")),
        ("inbox/3.xml", _status_report(settlement, "ACCP", n=2)),
    ):
        reconciliation.reconcile(database, bank, object_key=bank.says(name, text), now=now)

    assert _only(database, merchant).status == "PAID"
    assert _reasons(database) == ["already_paid", "already_paid"]


def test_what_can_not_be_paid_is_carried(
    database: Database,
    merchant: MerchantId,
    bank: FolderBank,
    now: dt.datetime,
    take: Callable[..., None],
) -> None:
    """A balance below zero, a currency without an account, a mode without a house account."""
    take(1_000)
    take(-1_500)
    take(900, currency="USD")
    take(800, mode="live")
    run = service.settle(database, bank, now=now)

    assert (run.made, bank.outbox) == (0, {})
    assert run.carried == {"nothing_to_pay": 1, "no_payout_account": 1, "no_house_account": 1}

    take(2_000)
    service.settle(database, bank, now=now + dt.timedelta(minutes=1))

    assert _only(database, merchant).amount == 1_500


def test_entries_after_the_cutoff_wait(
    database: Database,
    merchant: MerchantId,
    bank: FolderBank,
    now: dt.datetime,
    take: Callable[..., None],
) -> None:
    """Only what was posted before the cut-off is settled."""
    take(1_000)
    run = service.settle(database, bank, now=now, cutoff=now - dt.timedelta(hours=2))

    assert run.made == 0


def test_a_bad_file_changes_nothing(database: Database, bank: FolderBank, now: dt.datetime) -> None:
    """A file that is refused is not on record, so that a corrected one is taken."""
    with pytest.raises(BankFileRefused):
        reconciliation.reconcile(
            database, bank, object_key=bank.says("inbox/x.xml", "<oops/>"), now=now
        )
    row = database.connection().execute("SELECT count(*) FROM bank_files").fetchone()

    assert row == (0,)


def test_a_settlement_is_its_merchants_own(
    database: Database,
    merchant: MerchantId,
    bank: FolderBank,
    now: dt.datetime,
    take: Callable[..., None],
) -> None:
    """Another merchant, the other mode, and a malformed id all get NotFound."""
    take(1_000)
    service.settle(database, bank, now=now)
    own = _only(database, merchant).object_id
    for settlement_id, owner, mode in (
        (own, MerchantId(ids.new_id()), "test"),
        (own, merchant, "live"),
        ("set_nonsense", merchant, "test"),
    ):
        with pytest.raises(NotFound):
            service.settlement(database, settlement_id, merchant_id=owner, mode=mode)

    assert service.settlement(database, own, merchant_id=merchant, mode="test").amount == 1_000


def test_lists_page_from_the_newest(
    database: Database,
    merchant: MerchantId,
    bank: FolderBank,
    now: dt.datetime,
    take: Callable[..., None],
) -> None:
    """Settlements sort by their cut-off, and a page goes on where the last one ended."""
    for day in range(3):
        take(1_000 + day)
        service.settle(database, bank, now=now + dt.timedelta(days=day))
    first, more = service.list_settlements(database, Page(2), merchant_id=merchant, mode="test")
    rest, end = service.list_settlements(
        database, Page(2, before=first[-1].id), merchant_id=merchant, mode="test"
    )

    assert [s.amount for s in first + rest] == [1_002, 1_001, 1_000]
    assert (more, end) == (True, False)


@pytest.mark.parametrize("status", [Status.ACCEPTED, Status.PAID, Status.FAILED, Status.PENDING])
def test_the_database_keeps_to_the_table_of_statuses(  # noqa: PLR0917 - fixtures and one case
    database: Database,
    merchant: MerchantId,
    bank: FolderBank,
    now: dt.datetime,
    take: Callable[..., None],
    status: Status,
) -> None:
    """A settlement whose file was not sent goes nowhere but to INSTRUCTED."""
    take(1_000)
    bank.is_closed = True
    service.settle(database, bank, now=now)
    is_final = status in (Status.PAID, Status.FAILED)
    with pytest.raises(InvalidState), database.transaction() as tx:
        store.move(
            tx,
            _only(database, merchant),
            status,
            processed_at=now if is_final else None,
            closing_id=TransferId(ids.new_id()) if is_final else None,
        )


def test_what_refunds_have_reserved_is_not_paid_out(
    database: Database,
    bank: FolderBank,
    merchant: MerchantId,
    take: Callable[..., None],
    now: dt.datetime,
) -> None:
    """Entries are paid the oldest first, as far as the balance is available; the rest later."""
    take(500)
    take(300)
    refund = Transfer(
        TransferId(ids.new_id()),
        TransferKind.REFUND,
        Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", merchant),
        Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR"),
        Money(100, "EUR"),
        "re_test",
    )
    with database.transaction() as tx:
        ledger.reserve(tx, refund)

    first = service.settle(database, bank, now=now)

    assert [one.amount for one in _all(database, merchant)] == [500]
    with database.transaction() as tx:
        more = replace(refund, id=TransferId(ids.new_id()), money=Money(10, "EUR"))
        ledger.reserve(tx, more)
    second = service.settle(database, bank, now=now + dt.timedelta(days=1))
    assert (first.carried, second.carried) == ({}, {"reserved": 1})
    with database.transaction() as tx:
        ledger.void_pending(tx, refund.id, id=TransferId(ids.new_id()))
        ledger.void_pending(tx, more.id, id=TransferId(ids.new_id()))
    service.settle(database, bank, now=now + dt.timedelta(days=2))
    assert sorted(one.amount for one in _all(database, merchant)) == [300, 500]
    assert _balance(database, merchant) == 0


def test_two_statements_at_once_book_all_their_payouts(
    database: Database, another_database: Callable[[], Database], now: dt.datetime
) -> None:
    """Each in one batch, in an order of its own; none waits for the other in a circle."""
    bank = FolderBank()
    for _ in range(12):
        merchant = MerchantId(ids.new_id())
        transfer = Transfer(
            TransferId(ids.new_id()),
            TransferKind.PAYMENT,
            Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR"),
            Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", merchant),
            Money(100, "EUR"),
            "pay_test",
        )
        with database.transaction() as tx:
            tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'M')", (merchant,))
            tx.execute(
                "INSERT INTO payout_accounts VALUES (%s, 'EUR', 'M', 'DE89370400440532013000')",
                (merchant,),
            )
            ledger.post(tx, transfer, at=now - dt.timedelta(hours=1))
    service.settle(database, bank, now=now)
    rows = database.connection().execute("SELECT end_to_end_id FROM settlements").fetchall()
    lines = sorted((str(row[0]), "1.00", "DBIT") for row in rows)
    files = [
        bank.says(f"inbox/{n}.xml", _bank_statement(*lines[n::2][:: 1 - 2 * n], n=n))
        for n in (0, 1)
    ]

    def reconcile(name: str) -> int:
        done = reconciliation.reconcile(another_database(), bank, object_key=name, now=now)
        return len(done.moved)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(reconcile, files)) == [6, 6]
    assert _posted(database, AccountType.CASH) == -1_200
    assert _posted(database, AccountType.SETTLEMENT_IN_TRANSIT) == 0


def test_a_day_is_booked_as_the_chart_of_accounts_says(
    database: Database,
    cache: Cache,
    merchant: MerchantId,
    tmp_path: Path,
    now: dt.datetime,
) -> None:
    """Payment, fee, refund, payout, paid, returned, late, disputed: between their accounts."""
    bank, sandbox = FolderBank(), Sandbox(tmp_path / "acquirer")
    sandbox.start()
    flow = Flow(database, cache, {"test": sandbox.gateway}, merchant, now)
    try:
        for _ in range(2):
            payment, _ = flow.take()
            flow.operate(Operation.REFUND, payment, operations.refund, amount=400, reason=None)
            service.settle(database, bank, now=now + dt.timedelta(hours=len(bank.outbox) + 1))
        declined, _ = flow.take("tok_decline")
        disputed, _ = flow.take()
        flow.operate(Operation.REFUND, disputed, operations.refund, amount=400, reason=None)
        for end in (End.WON, End.LOST):
            Bank(flow, sandbox).dispute(disputed, None, end)
    finally:
        sandbox.stop()
    late = ids.text("chg", declined)
    authority.settle_unknown(database, late, Result(Outcome.APPROVED), now=now)
    first, second = _all(database, merchant)
    paid = f"{first.amount // 100}.{first.amount % 100:02}"
    for name, text in (
        ("a", _bank_statement((first.end_to_end_id, paid, "DBIT"))),
        ("b", _status_report(second, "RJCT", "AC04")),
    ):
        reconciliation.reconcile(database, bank, object_key=bank.says(name, text), now=now)
    booked = database.connection().execute(
        "SELECT DISTINCT t.kind::TEXT, d.type, c.type FROM transfers AS t"
        " INNER JOIN accounts AS d ON d.id = t.debit_account_id"
        " INNER JOIN accounts AS c ON c.id = t.credit_account_id"
    )

    assert {row[0]: (row[1], row[2]) for row in booked} == BOOKINGS
