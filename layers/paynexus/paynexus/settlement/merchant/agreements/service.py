"""Use cases of what is agreed with merchants about their payouts."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from paynexus.db import Database
from paynexus.errors import NotFound
from paynexus.ids import MerchantId
from paynexus.settlement.bank.messages import BankAccount
from paynexus.settlement.batching import store as batching
from paynexus.settlement.merchant.agreements import model, store
from paynexus.settlement.terms import Terms


def terms_of(db: Database, merchant_id: MerchantId) -> dict[str, Terms]:
    """Of each currency that the merchant takes or is paid in, what holds: agreed or standard."""
    with db.reading() as connection:
        found = store.terms(connection, merchant_id)
    return {currency: Terms.of(stored) for currency, stored in found.items()}


def change_terms(
    db: Database, merchant_id: MerchantId, currency: str, changes: Mapping[str, Any]
) -> Terms:
    """These terms hold from the next run on; InvalidRequest, and nothing, for impossible ones."""
    model.require_currency(currency)
    with db.transaction() as tx:
        if not store.lock_merchant(tx, merchant_id):
            raise NotFound("There is no such merchant.")
        former = Terms.of(store.terms(tx, merchant_id).get(currency))
        calendars = frozenset(batching.holidays(tx))
        terms = model.changed(former, changes, calendars=calendars)
        store.put_terms(tx, merchant_id, currency, asdict(terms))
    return terms


def change_payout_account(
    db: Database, merchant_id: MerchantId, currency: str, account: BankAccount, *, now: dt.datetime
) -> BankAccount:
    """The merchant is paid to this account from now on: one that was refused is tried again.

    Payouts that are made already keep the account that they were made for.
    """
    model.require_currency(currency)
    checked = model.account_of(account)
    with db.transaction() as tx:
        if not store.lock_merchant(tx, merchant_id):
            raise NotFound("There is no such merchant.")
        store.put_payout_account(tx, merchant_id, currency, checked, now=now)
    return checked


def add_holidays(db: Database, calendar: str, days: Sequence[tuple[dt.date, str]]) -> int:
    """Banks of the calendar are closed on these days, too; how many of them are new."""
    checked = [model.holiday_of(*day) for day in days]
    with db.transaction() as tx:
        return store.add_holidays(tx, calendar, checked)


def holidays(db: Database, calendar: str) -> list[tuple[dt.date, str]]:
    """The calendar's days on record, the earliest first: TARGET2's own follow from its rules."""
    with db.reading() as connection:
        return store.holidays(connection, calendar)
