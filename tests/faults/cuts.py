"""Where a payment's process can be cut: at each commit and each call of Redis or the gateway."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self, override

from psycopg import Cursor
from psycopg.abc import Query
from redis import Redis

from paynexus.cache import Cache
from paynexus.db import Connection, Database
from paynexus.gateways.port import (
    DisputeDesk,
    Gateway,
    GatewayDispute,
    Instruction,
    Outcome,
    Result,
    Sent,
)
from paynexus.payments.store.standings import SQL_STANDING

READS = {SQL_STANDING}
"""Statements of a step that change nothing: what dies before one died after the one before."""


class Killed(BaseException):
    """The process is gone: nothing in it may catch this."""


@dataclass
class Knife:
    """Strikes once, at the point number `at` that an order passes."""

    at: int
    strike: Callable[[], None]
    passed: int = 0
    has_struck: bool = False

    def point(self) -> bool:
        """The order has come to its next point; whether that is the one."""
        is_here = self.passed == self.at
        self.passed += 1
        if is_here:
            self.has_struck = True
            self.strike()
        return is_here


class CutDatabase(Database):
    """The product's database, with a point after each commit and before whatever makes one.

    A single statement is whole or not at all, whenever its client dies: it is cut before it is
    sent, which is also where another may come between it and what it was decided by. A
    transaction of several statements is cut before its commit where that is asked for.
    """

    def __init__(self, url: str, knife: Knife, *, before_commits: bool) -> None:
        super().__init__(lambda: url)
        self._knife = knife
        self._before_commits = before_commits

    @override
    @contextmanager
    def statement(self) -> Iterator[Connection]:
        with super().statement() as connection:
            connection.cursor_factory = _cutting(self._knife)
            try:
                yield connection
            finally:
                connection.cursor_factory = Cursor
        self._knife.point()

    @override
    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with super().transaction() as tx:
            yield tx
            if self._before_commits:
                self._knife.point()
        self._knife.point()


class CutCache(Cache):
    """The product's Redis, with a point before and after each call."""

    def __init__(self, url: str, knife: Knife) -> None:
        super().__init__(url)
        self._knife = knife

    @override
    def _try(self, call: Callable[[Redis], object]) -> object:
        self._knife.point()
        result = super()._try(call)
        self._knife.point()
        return result


def _cutting(knife: Knife) -> type[Cursor[Any]]:
    class CutCursor(Cursor[Any]):
        @override
        def execute(self, query: Query, *args: Any, **kwargs: Any) -> Self:
            if query not in READS:
                knife.point()
            return super().execute(query, *args, **kwargs)

    return CutCursor


@dataclass
class CutGateway:
    """The gateway, with a point before and after each call."""

    inner: Gateway
    knife: Knife
    name: str = "sandbox"

    def send(self, instruction: Instruction, *, deadline_seconds: float) -> Result:
        """As the gateway answers."""
        self.knife.point()
        result = self.inner.send(instruction, deadline_seconds=deadline_seconds)
        self.knife.point()
        return result

    def inquire(
        self, reference: str, *, deadline_seconds: float, sent: Sent | None = None
    ) -> Result | None:
        """As the gateway answers."""
        self.knife.point()
        result = self.inner.inquire(reference, deadline_seconds=deadline_seconds, sent=sent)
        self.knife.point()
        return result

    def dispute(
        self, gateway_reference: str, *, deadline_seconds: float
    ) -> GatewayDispute | Result:
        """As the gateway answers."""
        assert isinstance(self.inner, DisputeDesk)
        self.knife.point()
        said = self.inner.dispute(gateway_reference, deadline_seconds=deadline_seconds)
        self.knife.point()
        return said

    def is_healthy(self) -> bool:
        """As the gateway answers."""
        return self.inner.is_healthy()


@dataclass
class DeadLine(CutGateway):
    """A gateway whose line is dead for the send that was struck; only sends are points."""

    @override
    def send(self, instruction: Instruction, *, deadline_seconds: float) -> Result:
        if self.knife.point():
            return Result(Outcome.NOT_SENT, code="connect_refused")
        return self.inner.send(instruction, deadline_seconds=deadline_seconds)

    @override
    def inquire(
        self, reference: str, *, deadline_seconds: float, sent: Sent | None = None
    ) -> Result | None:
        return self.inner.inquire(reference, deadline_seconds=deadline_seconds, sent=sent)


@dataclass
class Overtaken(DeadLine):
    """A gateway whose sends are on the wire while something else happens first."""

    meanwhile: Callable[[], object] = lambda: None

    @override
    def send(self, instruction: Instruction, *, deadline_seconds: float) -> Result:
        self.meanwhile()
        return self.inner.send(instruction, deadline_seconds=deadline_seconds)


def die() -> None:
    """The process is gone."""
    raise Killed
