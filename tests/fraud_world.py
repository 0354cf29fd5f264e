"""Payments that are accepted and wait for their fraud decision, and what decides about them."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from psycopg.types.json import Jsonb

from paynexus import ids
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.fraud import observations, service
from paynexus.fraud.engine import Engine
from paynexus.fraud.model import Subject
from paynexus.fraud.policy import Decision
from paynexus.ids import MerchantId, PaymentId, TransferId
from paynexus.ledger import store as books
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.money import Money

CARD = "fp_0123456789abcdef"
PATIENCE_SECONDS = 60
"""Of the decisions' time: what a busy machine skips is no matter of these tests."""

SQL_PAYMENT = """
INSERT INTO transactions (id, merchant_id, amount, currency, status, created_at, mode, capture,
    payment_method, fingerprint, transfer_id)
VALUES (%s, %s, %s, %s, 'PENDING', %s, 'test', 'automatic', 'tok_approved', %s, %s)
"""
SQL_OBSERVE = "INSERT INTO fraud_observations SELECT (%s::fraud_observations).*"
SQL_CUSTOMER = "INSERT INTO payment_customers VALUES (%s, %s, %s, %s, %s, %s, %s)"


@dataclass
class Desk:
    """One merchant's payments as fraud sees them, in test mode."""

    database: Database
    cache: Cache
    merchant: MerchantId
    now: dt.datetime
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = Engine(self.database, self.cache, decision_seconds=PATIENCE_SECONDS)

    def pay(
        self,
        amount: int = 1250,
        *,
        by: MerchantId | None = None,
        card: str = CARD,
        ago: dt.timedelta = dt.timedelta(),
        **payer: Any,  # noqa: ANN401 - the fields of a subject
    ) -> Subject:
        """A payment is accepted, as the API accepts one; what is to be judged."""
        subject = Subject(
            payment_id=PaymentId(ids.new_id()),
            merchant_id=by or self.merchant,
            mode="test",
            money=Money(amount, payer.pop("currency", "EUR")),
            fingerprint=card,
            created_at=self.now - ago,
            **{"email": "ada@example.com", "country": "DE", **payer},
        )
        accept(self.database, subject)
        return subject

    def assess(self, subject: Subject) -> Decision:
        """The payment is judged."""
        return service.assess(self.engine, subject, now=self.now)

    def judge(self, amount: int = 1250, **payer: Any) -> Decision:  # noqa: ANN401 - likewise
        """A payment is accepted and judged."""
        return self.assess(self.pay(amount, **payer))

    def configure(self, **limits: int) -> None:
        """The merchant has these limits of its own."""
        with self.database.transaction() as tx:
            tx.execute(
                "UPDATE merchants SET configuration = %s WHERE id = %s",
                (Jsonb({"fraud": limits}), self.merchant),
            )

    def rows(self, query: str) -> list[Any]:
        """What Postgres answers."""
        return self.database.connection().execute(query.encode()).fetchall()

    def other_merchant(self) -> MerchantId:
        """Another merchant."""
        other = MerchantId(ids.new_id())
        with self.database.transaction() as tx:
            tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Bakery')", (other,))
        return other


def accept(database: Database, subject: Subject) -> None:
    """The payment is on record, its money reserved, and what fraud judges by logged."""
    payable = Account(
        AccountType.MERCHANT_PAYABLE, "test", subject.money.currency, subject.merchant_id
    )
    hold = Transfer(
        id=TransferId(ids.new_id()),
        kind=TransferKind.PAYMENT,
        debit=Account(AccountType.GATEWAY_RECEIVABLE, "test", subject.money.currency),
        credit=payable,
        money=subject.money,
        object_id=ids.text("pay", subject.payment_id),
        transaction_id=subject.payment_id,
    )
    payment = (subject.payment_id, subject.merchant_id, subject.money.amount)
    payer = (subject.customer_id, subject.email, subject.country, subject.name)
    with database.transaction() as tx:
        books.reserve(tx, hold, at=subject.created_at)
        tx.execute(
            SQL_PAYMENT,
            (*payment, subject.money.currency, subject.created_at, subject.fingerprint, hold.id),
        )
        tx.execute(SQL_CUSTOMER, (subject.payment_id, *payer, subject.ip, subject.card_bin))
        tx.execute(SQL_OBSERVE, (observations.row_of(subject),))


def codes(decision: Decision) -> list[str]:
    """Of the reasons, the one that decided first."""
    return [hit.code for hit in decision.reasons]
