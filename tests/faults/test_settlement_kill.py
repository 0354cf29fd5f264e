"""A run of settlement, and the taking of a bank's file, die at each statement: paid once."""

import datetime as dt
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from operator import methodcaller
from typing import Any, BinaryIO, Self, override
from xml.etree import ElementTree as ET

import pytest
from psycopg import Cursor
from psycopg.abc import Query

from paynexus.db import Connection, Database
from paynexus.ids import MerchantId
from paynexus.ledger import audit
from paynexus.ledger.accounts import AccountType
from tests.faults.cuts import Killed, Knife, die
from tests.settlement_world import FolderBank, SettlementWorld, credit, debit, report, statement

pytestmark = pytest.mark.proof

MERCHANTS = 3
AMOUNT = 1_000


class DyingDatabase(Database):
    """The product's database, with a point before each statement and around each commit."""

    def __init__(self, url: str, knife: Knife) -> None:
        super().__init__(lambda: url)
        self._knife = knife

    @override
    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with super().reading() as connection, self._cutting(connection):
            yield connection

    @override
    @contextmanager
    def statement(self) -> Iterator[Connection]:
        with super().statement() as connection, self._cutting(connection):
            yield connection
        self._knife.point()

    @override
    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with super().transaction() as tx:
            with self._cutting(tx):
                yield tx
            self._knife.point()
        self._knife.point()

    @contextmanager
    def _cutting(self, connection: Connection) -> Iterator[None]:
        knife = self._knife

        class DyingCursor(Cursor[Any]):
            @override
            def execute(self, query: Query, *args: Any, **kwargs: Any) -> Self:
                knife.point()
                return super().execute(query, *args, **kwargs)

            @override
            def executemany(self, query: Query, *args: Any, **kwargs: Any) -> None:
                knife.point()
                super().executemany(query, *args, **kwargs)

            @override
            def copy(self, *args: Any, **kwargs: Any) -> Any:
                knife.point()
                return super().copy(*args, **kwargs)

        connection.cursor_factory = DyingCursor
        try:
            yield
        finally:
            connection.cursor_factory = Cursor


@dataclass(slots=True)
class PayingBank(FolderBank):
    """A bank that pays each message id once, whatever else it is sent; its sender may die."""

    knife: Knife = field(default_factory=lambda: Knife(-1, die))
    paid: dict[str, Mapping[str, str]] = field(default_factory=dict)

    @override
    def instruct(self, name: str, document: bytes) -> None:
        self.knife.point()
        FolderBank.instruct(self, name, document)
        root = ET.fromstring(document)  # noqa: S314 - our own file
        texts = {node.tag.rpartition("}")[2]: node.text or "" for node in root.iter()}
        references = [n.text or "" for n in root.iter() if n.tag.endswith("}EndToEndId")]
        amounts = [n.text or "" for n in root.iter() if n.tag.endswith("}InstdAmt")]
        self.paid.setdefault(texts["MsgId"], dict(zip(references, amounts, strict=True)))
        self.knife.point()

    @override
    def receive(self, name: str) -> BinaryIO:
        self.knife.point()
        return io.BytesIO(self.inbox[name])


@dataclass(slots=True)
class Mortal:
    """A world whose process may be killed, and those that come after it."""

    url: str
    books: SettlementWorld
    bank: PayingBank

    def die(self, at: int, act: Callable[[SettlementWorld], object]) -> bool:
        """The act, killed at that point; whether it came so far."""
        knife = Knife(at, die)
        database = DyingDatabase(self.url, knife)
        dying = replace(self.books, database=database, bank=self.bank)
        self.bank.knife = knife
        with closing(database), suppress(Killed):
            act(dying)
        self.bank.knife = Knife(-1, die)
        return knife.has_struck

    def merchants(self) -> list[MerchantId]:
        """New ones, each with money to be paid."""
        made = [self.books.another_merchant() for _ in range(MERCHANTS)]
        for merchant in made:
            self.books.take(AMOUNT, merchant=merchant)
        return made

    def require_paid_once(self, merchants: list[MerchantId]) -> None:
        """Each is paid by one file, by one transfer of it, to the cent."""
        for merchant in merchants:
            [settlement] = self.books.settlements(merchant)
            files = [m for m, paid in self.bank.paid.items() if settlement.end_to_end_id in paid]
            assert files == [settlement.message_id]
            assert self.bank.paid[files[0]][settlement.end_to_end_id] == "10.00"
            assert (settlement.amount, settlement.status) == (AMOUNT, "INSTRUCTED")
            assert self.books.balance(merchant) == 0
        assert audit.violations(self.books.database) == []


@pytest.fixture(name="mortal")
def _mortal(
    database: Database, database_url: str, merchant: MerchantId, now: dt.datetime
) -> Mortal:
    bank = PayingBank()
    books = SettlementWorld(database, merchant, now + dt.timedelta(hours=1), bank=bank)
    return Mortal(database_url, books, bank)


def test_a_run_that_dies_at_any_statement_pays_everybody_once(
    mortal: Mortal, record_property: Callable[[str, object], None]
) -> None:
    """Settlements made, put into files, sent, noted: cut anywhere, the next run ends it."""
    for at in count():
        merchants = mortal.merchants()
        mortal.books.now += dt.timedelta(minutes=1)
        struck = mortal.die(at, methodcaller("settle"))
        # The next run may die as well, and does what is left all the same.
        mortal.die(at // 2, methodcaller("settle"))
        mortal.books.settle()
        mortal.require_paid_once(merchants)
        if not struck:
            break

    record_property("points at which a run of settlement was killed", at)
    assert at >= 40


def test_a_file_whose_taker_dies_at_any_statement_is_applied_once(
    mortal: Mortal, record_property: Callable[[str, object], None]
) -> None:
    """Answers, payments, returns, strangers: all of the file or nothing, and then all of it."""
    books = mortal.books
    points = 0
    for number in count():
        merchants = mortal.merchants()
        books.settle(after=dt.timedelta(minutes=1))
        one, two, three = (books.settlements(merchant)[0] for merchant in merchants)
        texts = {
            "answer": report(one, "RJCT", "MS03"),
            "statement": statement(
                debit(two),
                debit(three),
                credit(three, reason="MS03"),
                replace(debit(one, 77), reference=f"STRANGER-{number}"),
                number=number + 1,
                day=dt.date(2026, 1, 1) + dt.timedelta(days=number),
            ),
        }
        struck = False
        for name, text in texts.items():
            key = mortal.bank.says(f"inbox/{number}-{name}.xml", text)
            struck |= mortal.die(number, methodcaller("read", key))
            books.read(key)
            assert books.read(key).is_repeated
        points += struck
        statuses = [books.status(each) for each in (one, two, three)]
        assert statuses == ["REJECTED", "PAID", "RETURNED"]
        assert books.posted(AccountType.CASH) == -(number + 1) * (AMOUNT + 77)
        assert books.posted(AccountType.SUSPENSE) == (number + 1) * 77
        assert [books.balance(merchant) for merchant in merchants] == [AMOUNT, 0, AMOUNT]
        assert len(books.breaks()) == 3 * (number + 1)
        assert audit.violations(books.database) == []
        _park(books, merchants)
        if not struck:
            break

    record_property("points at which a bank file's taker was killed", points)
    assert points >= 20


def _park(books: SettlementWorld, merchants: list[MerchantId]) -> None:
    """What came back stays where it is: the next round is about its own money."""
    with books.database.transaction() as tx:
        tx.execute("DELETE FROM payout_accounts WHERE merchant_id = ANY(%s)", (merchants,))
