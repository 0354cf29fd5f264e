"""A case is opened in the transaction of the decision that it is about."""

import datetime as dt

from paynexus import ids
from paynexus.db import Connection
from paynexus.fraud import alerts
from paynexus.fraud.cases import store
from paynexus.fraud.cases.model import CaseState, FraudCase, FraudCaseId
from paynexus.fraud.cases.resource import case_fact
from paynexus.fraud.model import Subject, Verdict
from paynexus.observability import count

OPENED = "fraud.case_opened.v1"
CLOSED = "fraud.case_closed.v1"


def open_case(
    tx: Connection, subject: Subject, verdict: Verdict, *, score: float | None, now: dt.datetime
) -> bool:
    """There is one case about the payment, and it was told; whether it is a new one.

    The decision is recorded in the same transaction.
    """
    case = FraudCase(
        id=FraudCaseId(ids.new_id()),
        payment_id=subject.payment_id,
        merchant_id=subject.merchant_id,
        mode=subject.mode,
        verdict=verdict,
        score=score,
        money=subject.money,
        state=CaseState.OPEN,
        created_at=now,
    )
    is_new = store.open_case(tx, case)
    if is_new:
        tell(tx, OPENED, case)
        count("FraudCaseOpened", verdict=str(verdict))
    return is_new


def tell(tx: Connection, kind: str, case: FraudCase) -> None:
    """The fact is part of the transaction, which holds the case's row."""
    alerts.tell(tx, kind, case_fact(case), mode=case.mode, merchant_id=case.merchant_id)
