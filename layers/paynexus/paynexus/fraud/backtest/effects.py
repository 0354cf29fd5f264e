"""How what can be changed stands, and how a change is put in and put back.

A standing is JSON that compares: what stands the same decides the same.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from paynexus import ids
from paynexus.db import Connection
from paynexus.errors import InvalidRequest, NotFound
from paynexus.fraud.backtest import listing
from paynexus.fraud.backtest.changes import (
    Change,
    LimitChange,
    ListChange,
    ModelChange,
    RuleChange,
    ThresholdChange,
)
from paynexus.fraud.backtest.model import By, Promotion, Standing
from paynexus.fraud.backtest.store import settings
from paynexus.fraud.rulebook import service as rulebook
from paynexus.fraud.rulebook.model import RULE_PREFIX, VERSION_PREFIX, RuleId, VersionId
from paynexus.fraud.rulebook.store import rules
from paynexus.fraud.scoring import Model, ModelRefused, load
from paynexus.ids import MerchantId
from paynexus.merchants import store as merchants
from paynexus.merchants.model import merged

FRAUD = "fraud"
"""The section of a merchant's configuration that holds its limits."""
MODEL = ("model", "model_state")
THRESHOLDS = ("challenge_at", "block_at")


def standing(connection: Connection, change: Change, *, merchant_id: MerchantId | None) -> Standing:
    """How what the change is of stands in the scope.

    Raises NotFound when the scope doesn't have it, InvalidRequest when it can't be changed so.
    """
    match change:
        case RuleChange(rule_id, version_id):
            return _rule(connection, rule_id, version_id, merchant_id)
        case ListChange():
            return listing.standing(connection, change, merchant_id)
        case ModelChange():
            own = settings.own(connection, merchant_id)
            return {name: own.get(name) for name in MODEL}
        case ThresholdChange():
            own = settings.own(connection, merchant_id)
            return {name: own.get(name) for name in THRESHOLDS}
        case LimitChange(limits):
            return _limits(connection, limits, merchant_id)


def checked(
    connection: Connection, change: Change, *, merchant_id: MerchantId | None, now: dt.datetime
) -> Change:
    """The change, in normal form, if it is one that can be made.

    Raises as `standing` does, and for what an entry of a list or a model's version may not be.
    """
    if isinstance(change, ListChange):
        return listing.checked(connection, change, merchant_id, now)
    if isinstance(change, ModelChange):
        model_of(change.model)
    standing(connection, change, merchant_id=merchant_id)
    return change


def model_of(version: str) -> Model:
    """The model of this version; NotFound when none is shipped that fits this code."""
    try:
        return load(version)
    except ModelRefused as refused:
        raise NotFound(f"{refused}.", param="change.model") from None


def decisive(described: Mapping[str, Any]) -> Standing:
    """The part of a standing that decides; what runs in shadow is put back, and no more."""
    return {name: value for name, value in described.items() if name != "shadow"}


def put(tx: Connection, change: Change, *, by: By) -> None:
    """The change has taken effect, if the transaction commits."""
    match change:
        case RuleChange(rule_id, version_id):
            _put_rule(tx, rule_id, version_id, by)
        case ListChange():
            listing.put(tx, change, by)
        case ModelChange(model, state):
            settings.choose(tx, by.merchant_id, {"model": model, "model_state": str(state)})
        case ThresholdChange(challenge_at, block_at):
            chosen = {"challenge_at": challenge_at, "block_at": block_at}
            settings.choose(tx, by.merchant_id, chosen)
        case LimitChange(limits):
            _put_limits(tx, limits, by)


def put_back(tx: Connection, promotion: Promotion, *, by: By) -> None:
    """What stood before the promotion stands again, if the transaction commits."""
    change, replaced = promotion.change, promotion.replaced
    match change:
        case RuleChange(rule_id):
            _put_rule(tx, rule_id, _version(replaced["version"]), by)
            if replaced["shadow"] is not None:
                rule, version = ids.text(RULE_PREFIX, rule_id), replaced["shadow"]
                rulebook.run_in_shadow(tx, rule, version, by=_ruling(by))
        case ListChange():
            listing.put_back(tx, change, replaced, promotion.stands, by)
        case ModelChange() | ThresholdChange():
            settings.choose(tx, by.merchant_id, replaced)
        case LimitChange():
            _put_limits(tx, replaced, by)


def _rule(
    connection: Connection, rule_id: UUID, version_id: UUID | None, owner: MerchantId | None
) -> Standing:
    rule = rules.rule(connection, RuleId(rule_id), owner)
    if rule is None:
        raise NotFound("There is no such rule.", param="change.rule")
    if version_id is not None:
        owned = rules.owner_of(connection, VersionId(version_id))
        if owned is None or owned[0] != rule_id:
            raise NotFound("The rule has no such version.", param="change.version")
    return {
        "version": rule.live and ids.text(VERSION_PREFIX, rule.live.id),
        "shadow": rule.shadow and ids.text(VERSION_PREFIX, rule.shadow.id),
    }


def _put_rule(tx: Connection, rule_id: UUID, version_id: UUID | None, by: By) -> None:
    if version_id is None:
        rulebook.disable(tx, ids.text(RULE_PREFIX, rule_id), by=_ruling(by))
    else:
        rulebook.activate(tx, VersionId(version_id), author=by.author, now=by.now)


def _ruling(by: By) -> rulebook.Change:
    return rulebook.Change(by.merchant_id, by.author, by.now)


def _version(shown: str | None) -> UUID | None:
    return None if shown is None else ids.parse(VERSION_PREFIX, shown)


def _limits(
    connection: Connection, names: Mapping[str, Any], merchant_id: MerchantId | None
) -> Standing:
    if merchant_id is None:
        raise InvalidRequest("change: limits are a merchant's own", param="change.type")
    merchant = merchants.merchant(connection, merchant_id)
    if merchant is None:
        raise NotFound("There is no such merchant.")
    chosen = merchant.configuration.get(FRAUD, {})
    return {name: chosen.get(name) for name in names}


def _put_limits(tx: Connection, limits: Mapping[str, Any], by: By) -> None:
    """A limit of None is no longer chosen: the default holds."""
    merchant = by.merchant_id and merchants.locked_merchant(tx, by.merchant_id)
    if not merchant:
        raise NotFound("There is no such merchant.")
    configuration = merged(merchant.configuration, {FRAUD: dict(limits)})
    merchants.change_merchant(tx, merchant, configuration=configuration)
