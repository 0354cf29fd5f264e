"""Decisions as they are written down: in the database, in events, in a payment's timeline. Pure."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from paynexus import ids
from paynexus.fraud.model import Action, Hit, Source, Subject, Value, Verdict
from paynexus.fraud.policy import Decision, Scored


@dataclass(frozen=True, slots=True)
class Seen:
    """What a decision was made from."""

    features: Mapping[str, Value] = field(default_factory=dict)
    counted: str = "none"
    """Where velocity was counted: redis, postgres, none."""
    scored: Scored | None = None
    errors: Sequence[Mapping[str, str]] = ()
    """Rules that erred: id, code, error."""


def reasons_of(decision: Decision) -> list[dict[str, object]]:
    """What spoke and isn't in shadow, the one that decided first, for merchants to read."""
    return [
        {
            "source": hit.source,
            "id": hit.id,
            "code": hit.code,
            "action": hit.action,
            "detail": hit.detail,
        }
        for hit in decision.reasons
    ]


def trace_of(decision: Decision, seen: Seen) -> dict[str, object]:
    """All that spoke, heeded or not, and all that was seen; `restored` makes a decision of it."""
    return {
        "hits": [_written(hit) for hit in decision.hits],
        "skipped": list(decision.skipped),
        "errors": list(seen.errors),
        "velocity": seen.counted,
        "features": {name: value for name, value in seen.features.items() if value is not None},
        "score": seen.scored.probability if seen.scored else None,
        "model": _model(seen.scored) if seen.scored else None,
    }


def restored(stored: Mapping[str, Any]) -> Decision:
    """The decision as it was made."""
    trace = stored["trace"]
    hits = tuple(_hit(written) for written in trace["hits"])
    return Decision(Verdict(stored["verdict"]), hits, tuple(trace["skipped"]))


def resource(subject: Subject, decision: Decision, now: dt.datetime) -> dict[str, Any]:
    """The decision as its event shows it."""
    return {
        "id": ids.text("frd", subject.payment_id),
        "object": "fraud_decision",
        "payment": ids.text("pay", subject.payment_id),
        "verdict": decision.verdict,
        "reasons": reasons_of(decision),
        "skipped": list(decision.skipped),
        "amount": {"amount": subject.money.amount, "currency": subject.money.currency},
        "mode": subject.mode,
        "created": now.isoformat(),
    }


def _written(hit: Hit) -> dict[str, object]:
    return {
        "source": hit.source,
        "id": hit.id,
        "code": hit.code,
        "action": hit.action,
        "detail": hit.detail,
        "is_platform": hit.is_platform,
        "is_shadow": hit.is_shadow,
        "quality": hit.quality,
        "seen": dict(hit.seen),
    }


def _hit(written: Mapping[str, Any]) -> Hit:
    words = {"source": Source(written["source"]), "action": Action(written["action"])}
    return Hit(**{**written, **words})


def _model(scored: Scored) -> dict[str, object]:
    return {
        "version": scored.model,
        "is_shadow": scored.is_shadow,
        "challenge_at": scored.thresholds.challenge_at,
        "block_at": scored.thresholds.block_at,
    }
