"""Approving a break dies at each of its statements: nothing of it is left, or all; never twice."""

import datetime as dt
from collections.abc import Callable
from contextlib import closing, suppress
from itertools import count
from typing import Any, Self, override

import psycopg
import pytest
from psycopg.abc import Query

from paynexus.db import Database
from paynexus.ids import MerchantId
from paynexus.settlement.breaks import service
from paynexus.settlement.breaks.model import BreakStatus, Correction
from tests import shown_by_the_bank
from tests.faults.cuts import CutDatabase, Killed, Knife, die
from tests.integration.breaks_world import SUSPENSE, Desk

pytestmark = pytest.mark.proof

STATEMENTS_AT_LEAST = 6
"""The break and its proposal read, the transfer booked, both written, read again."""


class CutStatements(CutDatabase):
    """Cut before each statement, before the commit and after it."""

    def __init__(self, url: str, knife: Knife) -> None:
        super().__init__(url, knife, before_commits=True)

        class CutCursor(psycopg.Cursor[Any]):
            @override
            def execute(self, query: Query, *args: Any, **kwargs: Any) -> Self:
                knife.point()
                return super().execute(query, *args, **kwargs)

        self._cursor = CutCursor

    @override
    def connection(self) -> psycopg.Connection[Any]:
        connection = super().connection()
        connection.cursor_factory = self._cursor
        return connection


@pytest.mark.parametrize("amount", [700, -700])
def test_approving_dies_anywhere_and_is_booked_once(  # noqa: PLR0917 - fixtures
    database: Database,
    database_url: str,
    merchant: MerchantId,
    now: dt.datetime,
    record_property: Callable[[str, object], None],
    amount: int,
) -> None:
    """Whoever approves again after it finds it done, or does it."""
    desk = Desk(database, merchant, now)
    sides = (SUSPENSE, desk.payable()) if amount > 0 else (desk.payable(), SUSPENSE)
    for at in count():
        of = desk.arrive(f"{at}:1", amount=amount)
        desk.propose(of, Correction(*sides, abs(amount)))
        knife = Knife(at, die)
        with closing(CutStatements(database_url, knife)) as cut, suppress(Killed):
            service.approve(cut, of, by="bob", now=now)
        is_resolved = desk.broken(of).status is BreakStatus.RESOLVED
        assert len(desk.transfers(of)) == is_resolved

        desk.approve(of)
        assert desk.broken(of).status is BreakStatus.RESOLVED
        assert len(desk.transfers(of)) == 1
        if not knife.has_struck:
            break
    shown_by_the_bank.show(database, now=now)
    record_property("statements of an approval at which it was killed", at)
    assert at >= STATEMENTS_AT_LEAST
