"""Decides about a payment before it is charged: once, with every reason on record."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from paynexus import changefeed, ids
from paynexus.db import Connection, Database
from paynexus.fraud import rules, store
from paynexus.fraud.model import Subject
from paynexus.fraud.rules import Decision, Limits, ListKind, Match, Reason, Signals, Verdict
from paynexus.fraud.store import Gathered
from paynexus.ids import MerchantId, PaymentId
from paynexus.observability import count

VELOCITY_WINDOW = dt.timedelta(hours=1)

ALERTS = {Verdict.CHALLENGE: "fraud.challenged.v1", Verdict.BLOCK: "fraud.blocked.v1"}
METRICS = {
    Verdict.ALLOW: "FraudAllowed",
    Verdict.CHALLENGE: "FraudChallenged",
    Verdict.BLOCK: "FraudBlocked",
}


def assess(database: Database, subject: Subject, *, now: dt.datetime) -> Decision:
    """The payment's decision stands; the same one however often and by whomever it is asked for.

    A decision against the payment is announced on `fraud.alerts`, in the same transaction.
    """
    with database.statement() as connection:
        row = _gathered(connection, subject, now)
    if row.stored is not None:
        return _restored(store.StoredDecision(*row.stored))
    signals = _signals(subject, row)
    decision = rules.decide(signals, Limits.from_configuration(row.configuration))
    if decision.verdict is Verdict.ALLOW:
        with database.statement() as connection:
            is_recorded = _is_recorded(connection, subject, signals, decision, now)
    else:
        with database.transaction() as tx:
            is_recorded = _is_recorded(tx, subject, signals, decision, now)
            if is_recorded:
                _announce(tx, subject, decision, now)
    if not is_recorded:
        return _stored(database, subject.payment_id)
    count(METRICS[decision.verdict])
    return decision


def add_to_list(
    database: Database,
    *,
    kind: ListKind,
    value: str,
    verdict: Verdict,
    note: str,
    merchant_id: MerchantId | None = None,
) -> None:
    """Payments that match the value get at least this verdict from now on.

    On the platform's list unless a merchant is named. `note` is what the reason will say.
    """
    assert verdict is not Verdict.ALLOW, "a match only speaks against a payment"  # noqa: S101 - precondition
    with database.transaction() as tx:
        store.add_to_list(
            tx,
            kind=kind,
            value=_NORMAL_FORMS[kind](value),
            verdict=verdict,
            note=note,
            merchant_id=merchant_id,
        )


_NORMAL_FORMS: Mapping[ListKind, Callable[[str], str]] = {
    ListKind.FINGERPRINT: str,
    ListKind.EMAIL: rules.normal_email,
    ListKind.COUNTRY: rules.normal_country,
}


def _gathered(connection: Connection, subject: Subject, now: dt.datetime) -> Gathered:
    return store.gather(
        connection,
        payment_id=subject.payment_id,
        merchant_id=subject.merchant_id,
        mode=subject.mode,
        fingerprint=subject.fingerprint,
        since=now - VELOCITY_WINDOW,
        listed=list(_to_look_up(subject)),
    )


def _signals(subject: Subject, row: Gathered) -> Signals:
    matches = tuple(
        Match(match["id"], ListKind(match["kind"]), Verdict(match["verdict"]), match["note"])
        for match in row.matches
    )
    return Signals(subject.money, matches, row.payments_last_hour)


def _stored(database: Database, payment_id: PaymentId) -> Decision:
    # Another assessment of the same payment was quicker: its decision stands.
    with database.reading() as connection:
        stored = store.decision_of(connection, payment_id)
    assert stored is not None, "a conflict means that a row exists"  # noqa: S101 - says why
    return _restored(stored)


def _to_look_up(subject: Subject) -> Iterator[tuple[str, str]]:
    yield ListKind.FINGERPRINT, subject.fingerprint
    if subject.email:
        yield ListKind.EMAIL, rules.normal_email(subject.email)
    if subject.country:
        yield ListKind.COUNTRY, rules.normal_country(subject.country)


def _is_recorded(
    tx: Connection, subject: Subject, signals: Signals, decision: Decision, now: dt.datetime
) -> bool:
    return store.record(
        tx,
        payment_id=subject.payment_id,
        merchant_id=subject.merchant_id,
        mode=subject.mode,
        verdict=decision.verdict,
        reasons=[asdict(reason) for reason in decision.reasons],
        signals={
            "amount": signals.money.amount,
            "currency": signals.money.currency,
            "matches": [match.id for match in signals.matches],
            "payments_last_hour": signals.payments_last_hour,
        },
        now=now,
    )


def _announce(tx: Connection, subject: Subject, decision: Decision, now: dt.datetime) -> None:
    object_id = ids.text("frd", subject.payment_id)
    changefeed.append_event(
        tx,
        source="fraud.alerts",
        type=ALERTS[decision.verdict],
        mode=subject.mode,
        merchant_id=subject.merchant_id,
        object_id=object_id,
        data=_resource(object_id, subject, decision, now),
    )


def _resource(
    object_id: str, subject: Subject, decision: Decision, now: dt.datetime
) -> dict[str, Any]:
    """The decision as its event shows it."""
    return {
        "id": object_id,
        "object": "fraud_decision",
        "payment": ids.text("pay", subject.payment_id),
        "verdict": decision.verdict,
        "reasons": [asdict(reason) for reason in decision.reasons],
        "amount": {"amount": subject.money.amount, "currency": subject.money.currency},
        "mode": subject.mode,
        "created": now.isoformat(),
    }


def _restored(stored: store.StoredDecision) -> Decision:
    reasons = tuple(
        Reason(reason["code"], Verdict(reason["verdict"]), reason["detail"])
        for reason in stored.reasons
    )
    return Decision(Verdict(stored.verdict), reasons)
