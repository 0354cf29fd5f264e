"""How each request that acts ends: run the workflow, then answer with what is on record."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import BaseRouter

from paynexus import http, idempotency, ids, runtime
from paynexus.errors import NotFound
from paynexus.idempotency import Answer, Scope
from paynexus.ids import PaymentId
from paynexus.payments import operations as payment_operations
from paynexus.payments.step import Step


def scope_of(app: BaseRouter, operation: str) -> Scope:
    """Where the request's Idempotency-Key is unique."""
    who = runtime.principal(app)
    key = idempotency.key_of(app.current_event.headers)
    return Scope(who.merchant_id, who.mode, operation, key)


def own_payment_id(text: str) -> PaymentId:
    """The payment's id as the path names it; a malformed one names no payment."""
    try:
        return PaymentId(ids.parse("pay", text))
    except ValueError:
        raise NotFound("There is no such payment.") from None


def conclude(
    step: Step,
    scope: Scope,
    *,
    fingerprint: bytes,
    answer: Answer | None,
    operation_id: UUID | None = None,
) -> Response[str]:
    """The stored answer, or 202 while the payment is undecided.

    `operation_id` is the object that the request's key stands for, where it isn't the step's.
    """
    key_object = operation_id or step.operation_id
    db, now = runtime.database(), runtime.clock()
    if answer is None:
        runtime.workflow().run(step)
        answer = payment_operations.stored_answer(db, key_object, now=now())
    if answer is None:
        standing = payment_operations.standing(db, step.payment_id, key_object)
        return http.raw_reply(standing.status, standing.body)
    if idempotency.REPLAYED_HEADER not in answer.headers:
        # A replay is never remembered: Redis would answer for a key that has expired meanwhile.
        idempotency.remember(
            runtime.cache(), scope, fingerprint=fingerprint, answer=answer, now=now()
        )
    return http.raw_reply(answer.status, answer.body, headers=answer.headers)
