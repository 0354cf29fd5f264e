"""What a back-test says, as JSON that never changes. Pure: the same tally, the same report."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from paynexus import ids
from paynexus.fraud.backtest.statistics import CONFIDENCE, RESAMPLES, bootstrap, wilson
from paynexus.fraud.backtest.tally import Flip, Tally, Truth, is_held_up, is_stopped
from paynexus.fraud.model import Verdict
from paynexus.ids import MerchantId

MERCHANTS_MAX = 100
"""So many merchants are listed, those first whose genuine payments are held up more than before."""
RATE_DIGITS = 6
"""Decimal places of a rate."""


def report_of(tally: Tally, *, warm_up: int) -> dict[str, Any]:
    """The whole report; `warm_up` payments before the period were counted and not judged."""
    total = tally.counts.total()
    flips = sum(number for flip, number in tally.counts.items() if flip[0] is not flip[1])
    return {
        "payments": total,
        "warm_up_payments": warm_up,
        "cards": len(tally.cards),
        "payer_no_longer_kept": tally.without_payer,
        "rule_errors": {"base": tally.errors_base, "candidate": tally.errors_candidate},
        "label_delay_days": tally.hindsight.delay.days,
        "known": _known(tally),
        "flipped": rate(flips, total) | {"decisions": list(_decisions(tally))},
        "money": [_money(tally, currency) for currency in _currencies(tally)],
        "frauds_let_through": _frauds_let_through(tally),
        "detection": _detections(tally),
        "false_positives": _false_positives(tally),
    }


def rate(part: int, whole: int) -> dict[str, Any]:
    """A share with its interval; both are null where there is nothing to have a share in."""
    interval = wilson(part, whole)
    return {
        "count": part,
        "of": whole,
        "rate": round(part / whole, RATE_DIGITS) if whole else None,
        "interval": interval and [_rounded(interval.low), _rounded(interval.high)],
    }


def _known(tally: Tally) -> dict[str, int]:
    known = dict.fromkeys(map(str, Truth), 0)
    for (_, _, truth), number in tally.counts.items():
        known[truth] += number
    return known


def _decisions(tally: Tally) -> Iterator[dict[str, Any]]:
    """One entry for each pair of verdicts that differ, the most frequent first."""
    pairs: Counter[tuple[Verdict, Verdict]] = Counter()
    for (base, candidate, _), number in tally.counts.items():
        if base is not candidate:
            pairs[base, candidate] += number
    for (base, candidate), number in sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0])):
        yield {
            "from": base,
            "to": candidate,
            "payments": number,
            "known": {truth: tally.counts[base, candidate, truth] for truth in Truth},
            "amounts": _amounts(tally, base, candidate),
            "examples": {truth: _named(tally, (base, candidate, truth)) for truth in Truth},
        }


def _amounts(tally: Tally, base: Verdict, candidate: Verdict) -> list[dict[str, Any]]:
    sums: Counter[str] = Counter()
    for (currency, before, after, _), amount in tally.amounts.items():
        if (before, after) == (base, candidate):
            sums[currency] += amount
    return [{"amount": amount, "currency": currency} for currency, amount in sorted(sums.items())]


def _named(tally: Tally, flip: Flip) -> list[str]:
    return [ids.text("pay", payment_id) for payment_id in tally.examples.get(flip, ())]


def _currencies(tally: Tally) -> list[str]:
    return sorted({currency for currency, *_ in tally.amounts})


def _money(tally: Tally, currency: str) -> dict[str, Any]:
    """In minor units: what the change stops and lets go, and what that makes of the money."""
    stopped: Counter[tuple[Truth, int]] = Counter()
    challenged: Counter[Truth] = Counter()
    for (one, base, candidate, truth), amount in tally.amounts.items():
        if one == currency:
            stopped[truth, is_stopped(candidate) - is_stopped(base)] += amount
            if (base, candidate) == (Verdict.ALLOW, Verdict.CHALLENGE):
                challenged[truth] += amount
    differences = tally.differences.get(currency, Counter())
    interval = bootstrap(differences)
    return {
        "currency": currency,
        "fraud_stopped": stopped[Truth.FRAUD, 1],
        "fraud_let_through": stopped[Truth.FRAUD, -1],
        "genuine_stopped": stopped[Truth.GENUINE, 1],
        "genuine_let_through": stopped[Truth.GENUINE, -1],
        "unknown_stopped": stopped[Truth.UNKNOWN, 1],
        "unknown_let_through": stopped[Truth.UNKNOWN, -1],
        "challenged": {truth: challenged[truth] for truth in Truth},
        "difference": sum(differences.values()),
        "interval": [round(interval.low), round(interval.high)],
        "confidence": CONFIDENCE,
        "resamples": RESAMPLES,
    }


def _frauds_let_through(tally: Tally) -> dict[str, Any]:
    """Frauds that were held up and no longer are."""
    found = [
        flip
        for flip in tally.counts
        if flip[2] is Truth.FRAUD and is_held_up(flip[0]) and not is_held_up(flip[1])
    ]
    return {
        "count": sum(tally.counts[flip] for flip in found),
        "examples": [name for flip in sorted(found) for name in _named(tally, flip)],
    }


def _detections(tally: Tally) -> dict[str, Any]:
    """How right each configuration was, among payments of which the truth is known."""
    base: Counter[tuple[Verdict, Truth]] = Counter()
    candidate: Counter[tuple[Verdict, Truth]] = Counter()
    for (before, after, truth), number in tally.counts.items():
        base[before, truth] += number
        candidate[after, truth] += number
    return {"base": _detection(base), "candidate": _detection(candidate)}


def _detection(decided: Counter[tuple[Verdict, Truth]]) -> dict[str, Any]:
    held_up: Counter[tuple[Truth, bool]] = Counter()
    verdicts = dict.fromkeys(map(str, Verdict), 0)
    for (verdict, truth), number in decided.items():
        held_up[truth, is_held_up(verdict)] += number
        verdicts[verdict] += number
    caught, missed = held_up[Truth.FRAUD, True], held_up[Truth.FRAUD, False]
    wronged, spared = held_up[Truth.GENUINE, True], held_up[Truth.GENUINE, False]
    return {
        "verdicts": verdicts,
        "precision": rate(caught, caught + wronged),
        "recall": rate(caught, caught + missed),
        "false_positive_rate": rate(wronged, wronged + spared),
    }


def _false_positives(tally: Tally) -> dict[str, Any]:
    """Genuine payments that are held up, by merchant."""
    ordered = sorted(tally.genuine.items(), key=lambda one: (-_increase(one[1]), one[0]))
    listed = [_of_merchant(*one) for one in ordered[:MERCHANTS_MAX]]
    return {"merchants": listed, "merchants_left_out": len(ordered) - len(listed)}


def _of_merchant(merchant_id: MerchantId, genuine: Counter[tuple[bool, bool]]) -> dict[str, Any]:
    total = genuine.total()
    return {
        "merchant": ids.text("mer", merchant_id),
        "base": rate(genuine[True, True] + genuine[True, False], total),
        "candidate": rate(genuine[True, True] + genuine[False, True], total),
        "increase": _rounded(_increase(genuine)),
    }


def _increase(genuine: Counter[tuple[bool, bool]]) -> float:
    return (genuine[False, True] - genuine[True, False]) / genuine.total()


def _rounded(value: float) -> float:
    return round(value, RATE_DIGITS)
