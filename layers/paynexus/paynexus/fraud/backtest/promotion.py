"""A change takes effect through the gate, is recorded, and can be put back by one call."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

from paynexus import ids
from paynexus.db import Connection, Database
from paynexus.errors import GateClosed, InvalidRequest, InvalidState, NotFound
from paynexus.fraud import alerts
from paynexus.fraud.backtest import effects, gate, resource, service
from paynexus.fraud.backtest.changes import object_of
from paynexus.fraud.backtest.effects import decisive
from paynexus.fraud.backtest.gate import Check, Evidence, Gate
from paynexus.fraud.backtest.model import Backtest, By, Promotion, Scope, Standing
from paynexus.fraud.backtest.store import promotions as store
from paynexus.fraud.backtest.store import settings
from paynexus.lists.model import Page, cut
from paynexus.observability import count


def promote(
    database: Database,
    backtest_id: str,
    *,
    scope: Scope,
    by: str,
    now: dt.datetime,
    because: str | None = None,
) -> Promotion:
    """The change that was back-tested has taken effect, and that is on record and announced.

    Raises NotFound, GateClosed with each check that isn't met, InvalidState before the
    back-test is completed. `because` lets a change of the platform through a closed gate, and
    is kept; InvalidRequest for a merchant's.
    """
    with database.transaction() as tx:
        return promoted(tx, backtest_id, scope=scope, by=by, now=now, because=because)


def promoted(
    tx: Connection,
    backtest_id: str,
    *,
    scope: Scope,
    by: str,
    now: dt.datetime,
    because: str | None = None,
) -> Promotion:
    """As `promote`, within the caller's transaction."""
    if because is not None and (scope.merchant_id is not None or not because.strip()):
        raise InvalidRequest(
            "because: only a change of the platform passes a closed gate, and with a reason",
            param="because",
        )
    store.revised(tx, scope.merchant_id)
    backtest = service.found(tx, backtest_id, scope=scope)
    standing = effects.standing(tx, backtest.change, merchant_id=scope.merchant_id)
    checks = _checks(tx, backtest, standing, now)
    if because is None:
        _require_met(checks)
    return _promoted(tx, backtest, standing, checks, because=because, by=by, now=now)


def revert(
    database: Database, promotion_id: str, *, scope: Scope, by: str, now: dt.datetime
) -> Promotion:
    """What stood before the promotion stands again, and that is on record and announced.

    Raises NotFound; InvalidState when it was reverted before, or when its object has changed
    since: then the later change is to be reverted first.
    """
    with database.transaction() as tx:
        return reverted(tx, promotion_id, scope=scope, by=by, now=now)


def reverted(
    tx: Connection, promotion_id: str, *, scope: Scope, by: str, now: dt.datetime
) -> Promotion:
    """As `revert`, within the caller's transaction."""
    store.revised(tx, scope.merchant_id)
    promotion = _found(tx, promotion_id, scope)
    _require_latest(tx, promotion)
    effects.put_back(tx, promotion, by=By(scope.merchant_id, by, now))
    store.insert_reversion(tx, promotion.id, by, at=now)
    one = replace(promotion, reverted_by=by, reverted_at=now)
    _announce(tx, "fraud.reverted.v1", one)
    count("FraudReverted")
    return one


def find(database: Database, promotion_id: str, *, scope: Scope) -> Promotion:
    """The scope's promotion of this id; NotFound for another's and for what is no id."""
    with database.reading() as connection:
        return _found(connection, promotion_id, scope)


def list_of(database: Database, page: Page[UUID], *, scope: Scope) -> tuple[list[Promotion], bool]:
    """The page's promotions, the newest first, and whether there are more."""
    with database.reading() as connection:
        return cut(store.page_of(connection, scope, page), page)


def settings_of(database: Database, *, scope: Scope) -> dict[str, Any]:
    """What holds for the scope: `model`, `model_state`, `challenge_at`, `block_at`, `gate`."""
    with database.reading() as connection:
        return _settings(connection, scope)


def change_gate(database: Database, changes: dict[str, Any], *, scope: Scope) -> dict[str, Any]:
    """The scope's gate asks what `changes` name, and the rest as before; None: as by default.

    What holds then, as `settings_of` tells it. Raises InvalidRequest for what is no threshold of
    the gate, or out of its range.
    """
    with database.transaction() as tx:
        store.revised(tx, scope.merchant_id)
        own = settings.own(tx, scope.merchant_id).get("gate") or {}
        chosen = {name: one for name, one in (own | changes).items() if one is not None}
        try:
            Gate.from_choices(chosen)
        except ValueError as error:
            raise InvalidRequest(f"gate: {error}", param="gate") from None
        settings.choose(tx, scope.merchant_id, {"gate": chosen})
        return _settings(tx, scope)


def _settings(connection: Connection, scope: Scope) -> dict[str, Any]:
    held = settings.in_force(connection, scope.merchant_id)
    return held | {"gate": asdict(Gate.from_choices(held["gate"]))}


def _found(connection: Connection, promotion_id: str, scope: Scope) -> Promotion:
    try:
        one = store.find(connection, ids.parse("fpr", promotion_id), scope)
    except ValueError:
        one = None
    if one is None:
        raise NotFound("There is no such promotion.")
    return one


def _checks(
    tx: Connection, backtest: Backtest, standing: Standing, now: dt.datetime
) -> tuple[Check, ...]:
    if backtest.report is None or backtest.finished_at is None:
        raise InvalidState(
            f"The back-test is {backtest.state}: wait until it is COMPLETED.",
            operation_state=str(backtest.state),
        )
    chosen = settings.in_force(tx, backtest.scope.merchant_id)["gate"]
    evidence = Evidence(
        backtest.report,
        completed_at=backtest.finished_at,
        is_unchanged=decisive(standing) == decisive(backtest.replaces or {}),
    )
    return gate.checks(Gate.from_choices(chosen), evidence, now=now)


def _require_met(checks: Sequence[Check]) -> None:
    unmet = [check for check in checks if not check.is_met]
    if unmet:
        raise GateClosed(
            f"The gate is closed: {', '.join(check.name for check in unmet)}. "
            "Change the change, or replay a period that shows more.",
            checks=[asdict(check) for check in unmet],
        )


def _promoted(
    tx: Connection,
    backtest: Backtest,
    replaced: Standing,
    checks: Sequence[Check],
    *,
    because: str | None,
    by: str,
    now: dt.datetime,
) -> Promotion:
    scope, change = backtest.scope, backtest.change
    effects.put(tx, change, by=By(scope.merchant_id, by, now))
    promotion = Promotion(
        id=ids.new_id(),
        backtest_id=backtest.id,
        scope=scope,
        object=object_of(change),
        change=change,
        replaced=replaced,
        stands=effects.standing(tx, change, merchant_id=scope.merchant_id),
        checks=[asdict(check) for check in checks],
        because=because,
        promoted_by=by,
        promoted_at=now,
    )
    store.insert(tx, promotion)
    _announce(tx, "fraud.promoted.v1", promotion)
    count("FraudPromoted")
    return promotion


def _require_latest(tx: Connection, promotion: Promotion) -> None:
    if promotion.reverted_at is not None:
        raise InvalidState(
            f"It was reverted at {promotion.reverted_at.isoformat()}.", operation_state="reverted"
        )
    standing = effects.standing(tx, promotion.change, merchant_id=promotion.scope.merchant_id)
    if store.has_later(tx, promotion) or decisive(standing) != decisive(promotion.stands):
        raise InvalidState(
            f"{promotion.object} has changed since: revert the later change first, or make a new "
            "one.",
            operation_state="superseded",
        )


def _announce(tx: Connection, kind: str, promotion: Promotion) -> None:
    scope, data = promotion.scope, resource.fact_of(promotion)
    alerts.tell(tx, kind, data, mode=scope.mode, merchant_id=scope.merchant_id)
