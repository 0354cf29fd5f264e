"""Settlement below its handlers: merchants that take money, a bank of two boxes, what it says."""

import datetime as dt
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from paynexus import ids
from paynexus.db import Database
from paynexus.errors import BankUnavailable
from paynexus.ids import MerchantId, PaymentId, TransferId
from paynexus.ledger import reading
from paynexus.ledger import store as ledger
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.lists.model import Page
from paynexus.money import Money
from paynexus.settlement import reconciliation, service
from paynexus.settlement.merchant import service as merchants
from paynexus.settlement.model import Settlement
from paynexus.settlement.statements.service import Reconciliation

HOUSE_IBAN = "NL41MOCK0000000001"
PAYEE_IBAN = "DE89370400440532013000"
DAY = dt.date(2026, 11, 23)
"""Of statements that no test says more of: a Monday."""
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd"


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

    def receive(self, name: str) -> BinaryIO:
        """The file of the inbox."""
        return io.BytesIO(self.inbox[name])

    def says(self, name: str, text: str) -> str:
        """The bank leaves a file; its name is returned."""
        self.inbox[name] = text.encode()
        return name


@dataclass(slots=True)
class SettlementWorld:
    """Merchants, the bank, and the clock that all of them go by."""

    database: Database
    merchant: MerchantId
    now: dt.datetime
    bank: FolderBank = field(default_factory=FolderBank)
    files: int = 0

    def another_merchant(self, iban: str = PAYEE_IBAN) -> MerchantId:
        """A merchant that is paid to this account."""
        merchant = MerchantId(ids.new_id())
        with self.database.transaction() as tx:
            tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Other')", (merchant,))
            tx.execute(
                "INSERT INTO payout_accounts VALUES (%s, 'EUR', 'Other', %s)", (merchant, iban)
            )
        return merchant

    def take(
        self,
        amount: int,
        *,
        fee: int = 0,
        currency: str = "EUR",
        mode: str = "test",
        merchant: MerchantId | None = None,
    ) -> None:
        """Books a payment as completed, less its fee; a negative one is a refund."""
        payable = Account(AccountType.MERCHANT_PAYABLE, mode, currency, merchant or self.merchant)
        receivable = Account(AccountType.GATEWAY_RECEIVABLE, mode, currency)
        fees = Account(AccountType.FEES, mode, currency)
        payment = PaymentId(ids.new_id())
        kind, debit, credit = (
            (TransferKind.PAYMENT, receivable, payable)
            if amount > 0
            else (TransferKind.REFUND, payable, receivable)
        )
        with self.database.transaction() as tx:
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
                    ledger.post(tx, transfer)

    def settle(self, *, after: dt.timedelta = dt.timedelta()) -> service.Run:
        """Everybody is settled up to the moment, which is the clock's from now on."""
        self.now += after
        return service.settle(self.database, self.bank, now=self.now, cutoff=self.now)

    def watch(self, *, after: dt.timedelta) -> None:
        """The hourly run comes so much later; nobody's cut-off has come."""
        self.now += after
        service.settle(
            self.database, self.bank, now=self.now, cutoff=dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
        )

    def hear(self, *texts: str) -> Reconciliation:
        """The bank says these, in files of their own; what the last one changed."""
        for text in texts:
            self.files += 1
            done = self.read(self.bank.says(f"inbox/{self.files}.xml", text))
        return done

    def read(self, name: str) -> Reconciliation:
        """The file of the inbox is taken."""
        return reconciliation.reconcile(self.database, self.bank, object_key=name, now=self.now)

    def paid(self, amount: int, *, merchant: MerchantId | None = None) -> Settlement:
        """A settlement of the amount is instructed."""
        merchant = merchant or self.merchant
        self.take(amount, merchant=merchant)
        self.settle(after=dt.timedelta(minutes=1))
        return self.settlements(merchant)[0]

    def settlements(self, merchant: MerchantId | None = None) -> list[Settlement]:
        """A merchant's settlements, newest first."""
        found, _ = merchants.list_settlements(
            self.database, Page(100), merchant_id=merchant or self.merchant, mode="test"
        )
        return found

    def status(self, settlement: Settlement) -> str:
        """Where it stands."""
        rows = self.database.connection().execute(
            "SELECT status FROM settlements WHERE id = %s", (settlement.id,)
        )
        return str(rows.fetchall()[0][0])

    def facts(self, settlement: Settlement) -> list[str]:
        """What was told of it."""
        rows = self.database.connection().execute(
            "SELECT type FROM events WHERE object_id = %s ORDER BY sequence",
            (settlement.object_id,),
        )
        return [row[0].removeprefix("settlement.").removesuffix(".v1") for row in rows]

    def balance(self, merchant: MerchantId | None = None) -> int:
        """What the merchant is owed."""
        connection = self.database.connection()
        [owed] = reading.balances(connection, merchant or self.merchant, "test")
        return owed.balance.posted

    def posted(self, account_type: AccountType, currency: str = "EUR") -> int:
        """What was debited to accounts of the type, less what was credited."""
        rows = self.database.connection().execute(
            "SELECT coalesce(sum(delta), 0)::BIGINT FROM ledger_entries AS e"
            " JOIN accounts AS a ON a.id = e.account_id"
            " WHERE a.type = %s AND a.currency = %s AND e.type = 'posted'",
            (account_type, currency),
        )
        return int(rows.fetchall()[0][0])

    def verdicts(self) -> list[str]:
        """What became of the bank's lines."""
        rows = self.database.connection().execute(
            "SELECT verdict FROM bank_lines AS l JOIN bank_files AS f"
            " ON f.direction = 'in' AND f.sha256 = l.file_sha256"
            " ORDER BY f.processed_at, f.name, l.position"
        )
        return [row[0] for row in rows]

    def breaks(self) -> list[tuple[str, str, int, str]]:
        """Type, what it is about, amount and status of all breaks."""
        rows = self.database.connection().execute(
            "SELECT type, split_part(subject, ':', 1), amount, status FROM breaks ORDER BY 1, 2, 3"
        )
        return [(row[0], row[1], row[2], row[3]) for row in rows]


def report(
    settlement: Settlement, status: str, reason: str = "", *, at: str = "2026-11-23T09:00:00Z"
) -> str:
    """A pain.002 about one payment, written at the moment."""
    return f"""{_report(settlement.message_id, status, at=at)}
<OrgnlPmtInfAndSts><TxInfAndSts><OrgnlEndToEndId>{settlement.end_to_end_id}</OrgnlEndToEndId>
<TxSts>{status}</TxSts>{_why(reason)}</TxInfAndSts></OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"""


def file_report(
    message_id: str | None, status: str, reason: str = "", *, at: str = "2026-11-23T09:00:00Z"
) -> str:
    """A pain.002 about a file as a whole."""
    return f"""{_report(message_id, status, _why(reason), at=at)}</CstmrPmtStsRpt></Document>"""


def _report(message_id: str | None, status: str, why: str = "", *, at: str) -> str:
    return f"""<Document xmlns="{NAMESPACE}:pain.002.001.10"><CstmrPmtStsRpt>
<GrpHdr><MsgId>R-1</MsgId><CreDtTm>{at}</CreDtTm></GrpHdr><OrgnlGrpInfAndSts>
<OrgnlMsgId>{message_id}</OrgnlMsgId><GrpSts>{status}</GrpSts>{why}</OrgnlGrpInfAndSts>"""


def _why(reason: str) -> str:
    return f"<StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn></StsRsnInf>" if reason else ""


@dataclass(frozen=True, slots=True)
class Booked:
    """An entry of a statement; `parts` are end-to-end ids and amounts, or None for none."""

    amount: int
    is_debit: bool = True
    reference: str | None = None
    message_id: str | None = None
    reason: str | None = None
    currency: str = "EUR"
    status: str = "BOOK"
    remittance: str = ""
    parts: Sequence[tuple[str, int | None]] = ()


def debit(settlement: Settlement, amount: int | None = None) -> Booked:
    """The settlement is paid."""
    return Booked(amount or settlement.amount, reference=settlement.end_to_end_id)


def credit(settlement: Settlement, amount: int | None = None, reason: str = "AC04") -> Booked:
    """The settlement comes back."""
    return Booked(
        amount or settlement.amount,
        is_debit=False,
        reference=settlement.end_to_end_id,
        reason=reason,
    )


def statement(
    *entries: Booked,
    number: int | None = 1,
    day: dt.date = DAY,
    opening: int | None = None,
    closing: int | None = None,
    iban: str = HOUSE_IBAN,
    currency: str = "EUR",
    kind: str = "camt.053",
    note: str = "",
) -> str:
    """A camt.053; balances are left out, or follow from the opening and the entries."""
    body, head = {
        "camt.053": ("BkToCstmrStmt", "Stmt"),
        "camt.054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
    }[kind]
    if opening is not None and closing is None:
        closing = opening + sum(-e.amount if e.is_debit else e.amount for e in entries)
    balances = "".join(
        _balance(code, amount, currency, day)
        for code, amount in (("OPBD", opening), ("CLBD", closing))
        if amount is not None
    )
    numbered = f"<ElctrncSeqNb>{number}</ElctrncSeqNb>" if number else ""
    booked = "".join(_entry(entry, n, day) for n, entry in enumerate(entries))
    return f"""<Document xmlns="{NAMESPACE}:{kind}.001.08"><{body}>
<GrpHdr><MsgId>S-{day}-{number}{note}</MsgId><CreDtTm>{day}T22:00:00Z</CreDtTm></GrpHdr>
<{head}><Id>S-{number}</Id>{numbered}<FrToDt><FrDtTm>{day}T00:00:00Z</FrDtTm>
<ToDtTm>{day}T23:59:59Z</ToDtTm></FrToDt><Acct><Id><IBAN>{iban}</IBAN></Id>
<Ccy>{currency}</Ccy></Acct>{balances}{booked}</{head}></{body}></Document>"""


def _balance(code: str, amount: int, currency: str, day: dt.date) -> str:
    side = "DBIT" if amount < 0 else "CRDT"
    return f"""<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{_amount(amount, currency)}
<CdtDbtInd>{side}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"""


def _entry(entry: Booked, n: int, day: dt.date) -> str:
    side = "DBIT" if entry.is_debit else "CRDT"
    parts: Sequence[tuple[str | None, int | None]] = entry.parts
    if not entry.parts and not entry.message_id:
        parts = [(entry.reference, None)]
    details = "".join(_part(entry, reference, amount) for reference, amount in parts)
    batch = f"<Btch><MsgId>{entry.message_id}</MsgId></Btch>" if entry.message_id else ""
    return f"""<Ntry>{_amount(entry.amount, entry.currency)}<CdtDbtInd>{side}</CdtDbtInd>
<Sts><Cd>{entry.status}</Cd></Sts><BookgDt><Dt>{day}</Dt></BookgDt>
<AcctSvcrRef>B-{day}-{n}</AcctSvcrRef><NtryDtls>{batch}{details}</NtryDtls></Ntry>"""


def _part(entry: Booked, reference: str | None, amount: int | None) -> str:
    its = f"<Refs><EndToEndId>{reference}</EndToEndId></Refs>" if reference else ""
    money = "" if amount is None else _amount(amount, entry.currency)
    words = f"<RmtInf><Ustrd>{entry.remittance}</Ustrd></RmtInf>" if entry.remittance else ""
    back = f"<RtrInf><Rsn><Cd>{entry.reason}</Cd></Rsn></RtrInf>" if entry.reason else ""
    return f"<TxDtls>{its}{money}{words}{back}</TxDtls>"


def _amount(amount: int, currency: str) -> str:
    return f'<Amt Ccy="{currency}">{abs(amount) // 100}.{abs(amount) % 100:02}</Amt>'
