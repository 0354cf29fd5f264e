"""Books worth sealing, the key that seals them, and the past: what tests of seals share."""

import datetime as dt
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from psycopg import sql
from psycopg.conninfo import make_conninfo

from paynexus import ids
from paynexus.db import Connection, Database
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import store
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.ledger.seals.signing import Signer
from paynexus.money import Money
from tests.conftest import TEMPLATE
from tools.local_stack import postgres


class Kms:
    """A key as KMS keeps it; `sign` is given digests."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())

    def sign(self, **request: Any) -> Mapping[str, Any]:  # noqa: ANN401 - as boto3's
        """A DER signature."""
        assert request["MessageType"] == "DIGEST"
        return {"Signature": self.key.sign(request["Message"], ec.ECDSA(Prehashed(SHA256())))}

    def get_public_key(self, **_: str) -> Mapping[str, Any]:
        """The public half, in DER."""
        public = self.key.public_key()
        return {"PublicKey": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)}

    def pem(self) -> bytes:
        """The public half, as it is pinned."""
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def signer(kms: Kms) -> Signer:
    """Signs as the deployed function does."""
    return Signer(kms, ["alias/paynexus-test-ledger"])


@dataclass(frozen=True, slots=True)
class Booked:
    """One merchant's day: what was booked for it, by name."""

    merchant: MerchantId
    hold: TransferId
    payment: TransferId
    fee: TransferId
    refund: TransferId
    payout: TransferId
    open_hold: TransferId

    @property
    def transfers(self) -> list[TransferId]:
        """All of it, in the order of booking."""
        return [self.hold, self.payment, self.fee, self.refund, self.payout, self.open_hold]


def book_a_day(db: Database) -> Booked:
    """A payment, held and posted in part, its fee, a refund, a payout, and one hold still open."""
    merchant = MerchantId(ids.new_id())
    payable = Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", merchant)
    gateway = Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR")
    fees = Account(AccountType.FEES, "test", "EUR")
    in_transit = Account(AccountType.SETTLEMENT_IN_TRANSIT, "test", "EUR")
    hold = _transfer(TransferKind.PAYMENT, gateway, payable, 10_000)
    posted = TransferId(ids.new_id())
    fee = _transfer(TransferKind.FEE, payable, fees, 175)
    refund = _transfer(TransferKind.REFUND, payable, gateway, 2_000)
    payout = _transfer(TransferKind.PAYOUT, payable, in_transit, 9_000 - 175 - 2_000)
    open_hold = _transfer(TransferKind.PAYMENT, gateway, payable, 300)
    with db.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Café Müller')", (merchant,))
        store.reserve(tx, hold)
        store.post_pending(tx, hold.id, id=posted, amount=9_000)
        for transfer in (fee, refund, payout):
            store.post(tx, transfer)
        store.reserve(tx, open_hold)
    return Booked(merchant, hold.id, posted, fee.id, refund.id, payout.id, open_hold.id)


def move_into_the_past(tx: Connection, booked: Booked, by: dt.timedelta) -> None:
    """What was booked just now was recorded that much earlier: time need not pass."""
    as_owner(tx)
    tx.execute("SELECT make_partitions('ledger_entries', (now() - %s)::DATE, 1)", (by,))
    tx.execute(
        "UPDATE transfers SET created_at = created_at - %(by)s, effective_at = effective_at -"
        " %(by)s, expires_at = expires_at - %(by)s WHERE id = ANY(%(ids)s)",
        {"by": by, "ids": booked.transfers},
    )
    tx.execute(
        "UPDATE ledger_entries SET id = id - (extract(epoch FROM %(by)s) * 1000000)::BIGINT * 1024,"
        " created_at = created_at - %(by)s, effective_at = effective_at - %(by)s"
        " WHERE transfer_id = ANY(%(ids)s)",
        {"by": by, "ids": booked.transfers},
    )
    settle(tx, booked)


@contextmanager
def cloned(server: postgres.Server) -> Iterator[str]:
    """The address of an empty migrated database, for a module's tests together."""
    name = f"sealed_{secrets.token_hex(6)}"
    with psycopg.connect(server.url, autocommit=True) as admin:
        clone = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        admin.execute(clone.format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
        yield make_conninfo(server.url, dbname=name)
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def settle(tx: Connection, booked: Booked) -> None:
    """The payout is a settlement's, of all that the merchant was owed."""
    tx.execute(
        "INSERT INTO settlements (id, merchant_id, amount, status, currency, mode, cutoff,"
        " account_id, after_entry, through_entry, booked_entry, reserve_amount, expected_on,"
        " message_id, end_to_end_id, instruction, payout_id, created_at)"
        " SELECT %s, t.merchant_id, t.amount, 'INSTRUCTED', t.currency, t.mode, t.created_at,"
        " t.debit_account_id, 0, (SELECT max(entry_id) FROM settleable_entries AS s"
        " WHERE s.account_id = t.debit_account_id),"
        " (SELECT max(e.id) FROM ledger_entries AS e WHERE e.account_id = t.debit_account_id),"
        " 0, t.created_at::DATE, t.id, t.id, '{}', t.id, t.created_at"
        " FROM transfers AS t WHERE t.id = %s",
        (ids.new_id(), booked.payout),
    )


def as_owner(tx: Connection) -> None:
    """Until the transaction ends, no trigger and no key guards anything: whoever can, may."""
    tx.execute("SET LOCAL session_replication_role = replica")


def _transfer(kind: TransferKind, debit: Account, credit: Account, amount: int) -> Transfer:
    return Transfer(
        id=TransferId(ids.new_id()),
        kind=kind,
        debit=debit,
        credit=credit,
        money=Money(amount, "EUR"),
        object_id=f"pay_{kind}",
        metadata={"reference": "order-4711"},
    )
