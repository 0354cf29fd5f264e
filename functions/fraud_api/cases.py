"""Fraud cases: payments that a person looks at, and what the person finds."""

from functools import partial
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from fraud_api.asked import act_of, parsed, raw
from fraud_api.case_schemas import AssignOrder, CloseOrder, FeedbackOrder, NoteOrder, ReopenOrder
from fraud_api.queries import CasesAsked
from paynexus import http, ids, runtime
from paynexus.fraud.cases import resource, service
from paynexus.fraud.cases.model import FraudCaseId
from paynexus.fraud.lists import service as lists

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.get("/fraud/cases", summary="List fraud cases")
def list_fraud_cases(asked: Annotated[CasesAsked, Query()]) -> Response[str]:
    """Newest first, all those that fit every filter that is given."""
    page = asked.page(partial(ids.parse, "frc"))
    found, has_more = service.page(runtime.database(), runtime.principal(router), page)
    cases = [resource.case_resource(one) for one in found]
    return http.reply(200, http.page(cases, has_more=has_more))


@router.get("/fraud/cases/<case_id>", summary="Read a fraud case")
def read_fraud_case(case_id: str) -> Response[str]:
    """With its diary, oldest entry first, and the decision that it is about."""
    file = service.find(runtime.database(), runtime.principal(router), _wanted(case_id))
    return http.reply(200, resource.file_resource(file))


@router.post("/fraud/cases/<case_id>/assign", summary="Take a fraud case in hand")
def assign_fraud_case(case_id: str, body: Annotated[AssignOrder, Body()]) -> Response[str]:
    """Somebody looks at it, or somebody else from now on. Needs an Idempotency-Key."""
    asked = _asked(case_id, "assign", body)
    return raw(service.assign(runtime.database(), asked, assignee=body.assignee))


@router.post("/fraud/cases/<case_id>/notes", summary="Write into a fraud case's diary")
def note_fraud_case(case_id: str, body: Annotated[NoteOrder, Body()]) -> Response[str]:
    """The note stays for ever. Needs an Idempotency-Key."""
    asked = _asked(case_id, "notes", body)
    return raw(service.add_note(runtime.database(), asked, text=body.text))


@router.post("/fraud/cases/<case_id>/close", summary="Close a fraud case")
def close_fraud_case(case_id: str, body: Annotated[CloseOrder, Body()]) -> Response[str]:
    """`confirmed` and `false_positive` label the payment, and may be fed back into a list.

    Needs an Idempotency-Key.
    """
    asked = _asked(case_id, "close", body)
    answer = service.close(
        runtime.database(),
        asked,
        outcome=body.outcome,
        text=body.text or "",
        feedback=_feedback(body.feedback, asked) if body.feedback else None,
    )
    return raw(answer)


@router.post("/fraud/cases/<case_id>/reopen", summary="Reopen a fraud case")
def reopen_fraud_case(case_id: str, body: Annotated[ReopenOrder, Body()]) -> Response[str]:
    """The label of its closing stands until another is known. Needs an Idempotency-Key."""
    asked = _asked(case_id, "reopen", body)
    answer = service.reopen(runtime.database(), asked, assignee=body.assignee, text=body.text)
    return raw(answer)


def _asked(case_id: str, step: str, body: http.Strict) -> service.Asked:
    own_id = _wanted(case_id)
    act = act_of(router, f"/fraud/cases/{case_id}/{step}", body)
    return service.Asked(act.principal, own_id, act.scope, act.fingerprint, act.now)


def _feedback(order: FeedbackOrder, asked: service.Asked) -> service.Feedback:
    owner = asked.principal.merchant_id
    # Asked for here, too: of the payment nothing may be known that would be listed.
    found = lists.find_list(runtime.database(), order.list, merchant_id=owner)
    return service.Feedback(found.id, order.kinds, partial(lists.feed, merchant_id=owner))


def _wanted(text: str) -> FraudCaseId:
    return FraudCaseId(parsed("frc", text, what="fraud case"))
