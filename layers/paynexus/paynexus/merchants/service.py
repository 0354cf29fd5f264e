"""Use cases of merchants: one comes aboard, reads its record, changes its configuration."""

from collections.abc import Sequence
from dataclasses import replace

from paynexus import ids
from paynexus.db import Database
from paynexus.errors import NotFound
from paynexus.ids import MerchantId, UserId
from paynexus.merchants import store
from paynexus.merchants.model import (
    Configuration,
    CurrencyFee,
    PayoutAccount,
    Place,
    Profile,
    merged,
)


def onboard(
    db: Database,
    *,
    name: str,
    email: str,
    place: Place,
    fees: Sequence[CurrencyFee],
    payout_accounts: Sequence[PayoutAccount],
) -> MerchantId:
    """A merchant owned by a new user exists, with its fees and payout accounts."""
    user_id, merchant_id = UserId(ids.new_id()), MerchantId(ids.new_id())
    with db.transaction() as tx:
        store.insert_user(tx, user_id, email)
        store.insert_merchant(tx, merchant_id, name=name, owner=user_id, place=place)
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
    city: str | None = None,
    category_code: str | None = None,
    configuration: Configuration | None = None,
) -> Profile:
    """The merchant has what is new of it, and `configuration` laid over the former one."""
    with db.transaction() as tx:
        merchant = store.locked_merchant(tx, merchant_id)
        if merchant is None:
            raise NotFound("There is no such merchant.")
        changed = replace(
            merchant,
            name=name or merchant.name,
            city=city or merchant.city,
            category_code=category_code or merchant.category_code,
        )
        store.change_merchant(
            tx, changed, configuration=merged(merchant.configuration, configuration or {})
        )
    return profile_of(db, merchant_id)
