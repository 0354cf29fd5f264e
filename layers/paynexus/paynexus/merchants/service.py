"""Use cases of merchants: one comes aboard, reads its record, changes its configuration."""

import json
from collections.abc import Sequence

from paynexus import ids
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.errors import InvalidRequest, NotFound
from paynexus.ids import MerchantId, UserId
from paynexus.merchants import store
from paynexus.merchants.model import (
    Configuration,
    CurrencyFee,
    FeeSchedule,
    PayoutAccount,
    Profile,
    merged,
)

CONFIGURATION_TTL_SECONDS = 300
"""A change that the cache missed is in force everywhere after this long."""


def onboard(
    db: Database,
    *,
    name: str,
    email: str,
    country: str,
    fees: Sequence[CurrencyFee],
    payout_accounts: Sequence[PayoutAccount],
) -> MerchantId:
    """A merchant owned by a new user exists, with its fees and payout accounts."""
    user_id, merchant_id = UserId(ids.new_id()), MerchantId(ids.new_id())
    with db.transaction() as tx:
        store.insert_user(tx, user_id, email)
        store.insert_merchant(tx, merchant_id, name=name, owner=user_id, country=country)
        for fee in fees:
            store.insert_fee(tx, merchant_id, fee)
        for account in payout_accounts:
            store.insert_payout_account(tx, merchant_id, account)
    return merchant_id


def find_by_owner(db: Database, email: str) -> MerchantId | None:
    """The merchant that the user with this address owns, if there is one."""
    with db.transaction() as tx:
        return store.merchant_of_owner(tx, email)


def profile_of(db: Database, merchant_id: MerchantId) -> Profile:
    """The merchant's record and what is agreed with it."""
    with db.transaction() as tx:
        merchant = store.merchant(tx, merchant_id)
        if merchant is None:
            raise NotFound("There is no such merchant.")
        return Profile(
            merchant, store.fees(tx, merchant_id), store.payout_accounts(tx, merchant_id)
        )


def change(
    db: Database,
    merchant_id: MerchantId,
    *,
    name: str | None = None,
    configuration: Configuration | None = None,
) -> Profile:
    """The merchant has its new name and `configuration` laid over the former one."""
    with db.transaction() as tx:
        merchant = store.locked_merchant(tx, merchant_id)
        if merchant is None:
            raise NotFound("There is no such merchant.")
        store.change_merchant(
            tx,
            merchant_id,
            name=name or merchant.name,
            configuration=merged(merchant.configuration, configuration or {}),
        )
    return profile_of(db, merchant_id)


def fees_of(db: Database, cache: Cache, merchant_id: MerchantId, currency: str) -> FeeSchedule:
    """What the merchant pays for a payment in `currency`, remembered for five minutes.

    Raises InvalidRequest when the merchant takes no payments in this currency.
    """
    key = f"merchant:{merchant_id}:fees:{currency}"
    known = _remembered_fees(cache.get(key))
    if known is not None:
        return known
    with db.transaction() as tx:
        fee = store.fee(tx, merchant_id, currency)
    if fee is None:
        raise InvalidRequest(f"This merchant takes no payments in {currency}.", param="currency")
    schedule = FeeSchedule(fee.basis_points, fee.fixed_minor)
    value = json.dumps([schedule.basis_points, schedule.fixed_minor]).encode()
    cache.set(key, value, ttl_seconds=CONFIGURATION_TTL_SECONDS)
    return schedule


def _remembered_fees(value: bytes | None) -> FeeSchedule | None:
    # What Redis says is believed only if it has the right shape.
    try:
        basis_points, fixed_minor = json.loads(value or b"")
        return FeeSchedule(basis_points, fixed_minor)
    except (ValueError, TypeError):
        return None
