"""What a replay runs on: features, and what decides, without the change and with it."""

import datetime as dt
from dataclasses import dataclass

from paynexus.db import Connection
from paynexus.errors import NotFound
from paynexus.fraud.backtest import listing
from paynexus.fraud.backtest.changes import Change, ListChange, RuleChange
from paynexus.fraud.backtest.configuration import Chosen, Configuration
from paynexus.fraud.backtest.effects import FRAUD, model_of
from paynexus.fraud.backtest.features import Features
from paynexus.fraud.backtest.judging import Courts, Score, court_of
from paynexus.fraud.backtest.model import Period, Scope
from paynexus.fraud.backtest.proposed import Proposed
from paynexus.fraud.backtest.store import moments as past
from paynexus.fraud.backtest.store import settings
from paynexus.fraud.history.model import CARD_DAYS
from paynexus.fraud.rulebook import store as rules
from paynexus.fraud.rulebook.model import Running, VersionId
from paynexus.fraud.velocity.windows import LONGEST_SECONDS
from paynexus.ids import MerchantId
from paynexus.merchants import store as merchants

WARM_UP = max(dt.timedelta(seconds=LONGEST_SECONDS), dt.timedelta(days=CARD_DAYS))
"""So much is replayed before a period: all that features of its first payment reach back to."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What one replay runs on."""

    features: Features
    base: Courts
    candidate: Courts


def bench(
    connection: Connection, change: Change, *, scope: Scope, period: Period, now: dt.datetime
) -> Bench:
    """What decides about the payments of the period as it stands, without the change and with it.

    Raises NotFound for a version, a list or a model that there is none of.
    """
    rule = _running(connection, change)
    proposed = _proposed(connection, change, scope, now)
    base, candidate = {}, {}
    for merchant_id in past.merchants(connection, scope, period):
        configuration = _configuration(connection, merchant_id)
        changed = configuration.applied(
            change, is_platform=scope.merchant_id is None, rule=rule, proposed=proposed
        )
        base[merchant_id] = court_of(configuration, score_of)
        candidate[merchant_id] = court_of(changed, score_of)
    return Bench(Features(), Courts(base), Courts(candidate))


def score_of(version: str) -> Score:
    """The model's score; NotFound when no such version is shipped."""
    model = model_of(version)
    return lambda values: model.score(values).probability


def _configuration(connection: Connection, merchant_id: MerchantId) -> Configuration[Running]:
    running = rules.load(connection, merchant_id)
    return Configuration(
        rules={rule.rule_id: rule for rule in running if not rule.is_shadow},
        platform=settings.own(connection, None),
        own=settings.own(connection, merchant_id),
        limits=_limits(connection, merchant_id),
    )


def _limits(connection: Connection, merchant_id: MerchantId) -> Chosen:
    merchant = merchants.merchant(connection, merchant_id)
    return merchant.configuration.get(FRAUD, {}) if merchant else {}


def _running(connection: Connection, change: Change) -> Running | None:
    if not isinstance(change, RuleChange) or change.version_id is None:
        return None
    found = rules.candidate(connection, VersionId(change.version_id))
    if found is None:
        raise NotFound("There is no such version of a rule.", param="change.version")
    return found


def _proposed(
    connection: Connection, change: Change, scope: Scope, now: dt.datetime
) -> Proposed | None:
    if not isinstance(change, ListChange) or not change.added:
        return None
    return Proposed(listing.find(connection, change, scope.merchant_id), change.added, now=now)
