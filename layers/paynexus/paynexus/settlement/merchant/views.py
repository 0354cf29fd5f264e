"""What merchants read about settlements, as the API and its events show it. Pure."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from paynexus import ids
from paynexus.settlement.merchant.failures import sentence_of
from paynexus.settlement.merchant.model import Detail, Line, Share, Statement
from paynexus.settlement.merchant.upcoming import Upcoming
from paynexus.settlement.model import Settlement, Status
from paynexus.settlement.terms import Terms


def resource(settlement: Settlement) -> dict[str, object]:
    """The settlement as lists and events show it: nothing that takes a look at its lines."""
    return {
        "id": settlement.object_id,
        "object": "settlement",
        "status": settlement.status,
        "amount": amount(settlement.amount, settlement.currency),
        "mode": settlement.mode,
        "reserve": amount(settlement.reserve_amount, settlement.currency),
        "cutoff": moment(settlement.cutoff),
        "expected_on": settlement.expected_on.isoformat(),
        "payout_account": payout_account(settlement.instruction["creditor"]),
        "bank_reference": settlement.end_to_end_id,
        "failure": _failure(settlement.failure_code),
        "created": moment(settlement.created_at),
        "processed": moment(settlement.processed_at) if settlement.processed_at else None,
    }


def detail(found: Detail) -> dict[str, object]:
    """The settlement explained: `summary` and `carried_over`, less `reserve`, are its `amount`."""
    settlement, about = found.settlement, found.about
    currency = settlement.currency
    has_returned = settlement.status == Status.RETURNED
    return resource(settlement) | {
        "summary": {name: _share(one, currency) for name, one in found.summary.parts.items()},
        "carried_over": _share(found.summary.carried_over, currency),
        "reserve_release": moment(about.release_at) if about.release_at else None,
        "paid": moment(about.paid_at) if about.paid_at else None,
        "returned": moment(about.failed_at) if about.failed_at and has_returned else None,
    }


def statement(found: Statement) -> dict[str, object]:
    """A page of the entries that the settlement pays out; all of them sum to `total`."""
    settlement = found.settlement
    return {
        "object": "settlement_statement",
        "settlement": resource(settlement),
        "lines": [_line(line, found) for line in found.lines],
        "has_more": found.has_more,
        "total": amount(settlement.amount + settlement.reserve_amount, settlement.currency),
    }


def upcoming(found: Upcoming) -> dict[str, object]:
    """What is paid next, and when."""
    candidate, terms = found.candidate, found.candidate.terms
    return {
        "object": "next_settlement",
        "currency": candidate.currency,
        "mode": candidate.mode,
        "amount": amount(candidate.posted, candidate.currency),
        "cutoff": moment(found.cutoff) if found.cutoff else None,
        "instructed_on": found.instructed_on.isoformat() if found.instructed_on else None,
        "expected_on": found.expected_on.isoformat() if found.expected_on else None,
        "minimum": amount(terms.minimum_amount, candidate.currency),
        "reserve": _reserve(terms),
        "payout_account": payout_account(candidate.payee) if candidate.payee else None,
        "waits_for": [
            {
                "code": wait.code,
                "message": wait.message,
                "until": moment(wait.until) if wait.until else None,
            }
            for wait in found.waits
        ],
    }


def agreed(currency: str, terms: Terms) -> dict[str, object]:
    """What was agreed with the merchant about its payouts in this currency."""
    return {
        "currency": currency,
        "frequency": terms.frequency.value,
        "weekday": terms.weekday,
        "month_day": terms.month_day,
        "cutoff_time": terms.cutoff_time.isoformat("minutes"),
        "time_zone": terms.time_zone,
        "calendar": terms.calendar,
        "minimum": amount(terms.minimum_amount, currency),
        "reserve": _reserve(terms),
    }


def is_carried(line: Line, found: Statement) -> bool:
    """The settlement before could have paid the line, and left it over."""
    before = found.about.carried_before
    return before is not None and line.recorded_at < before


def payment_of(line: Line) -> str | None:
    """The payment that the line belongs to, as merchants name it."""
    return ids.text("pay", line.payment_id) if line.payment_id else None


def payout_account(account: Mapping[str, Any]) -> dict[str, object]:
    """A merchant's bank account: enough of the IBAN for its owner to recognise it."""
    iban = str(account["iban"])
    return {
        "holder": account["holder"],
        "iban": f"{iban[:4]}…{iban[-4:]}",
        "bic": account["bic"],
    }


def moment(at: dt.datetime) -> str:
    """In UTC, whatever the session's zone is."""
    return at.astimezone(dt.UTC).isoformat()


def amount(minor: int, currency: str) -> dict[str, object]:
    """Money as the API writes it."""
    return {"amount": minor, "currency": currency}


def _line(line: Line, found: Statement) -> dict[str, object]:
    return {
        "entry": str(line.entry_id),
        "kind": line.kind,
        "object_id": line.object_id,
        "payment": payment_of(line),
        "amount": amount(line.amount, line.currency),
        "carried_over": is_carried(line, found),
        "created": moment(line.created_at),
    }


def _reserve(terms: Terms) -> dict[str, object]:
    return {"basis_points": terms.reserve_basis_points, "days": terms.reserve_days}


def _share(share: Share, currency: str) -> dict[str, object]:
    return {"count": share.count, "amount": amount(share.amount, currency)}


def _failure(code: str | None) -> dict[str, object] | None:
    return {"code": code, "message": sentence_of(code)} if code else None
