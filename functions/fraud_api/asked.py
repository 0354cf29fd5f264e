"""Who asks, under which key, and for which objects: read off a merchant's request."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import BaseRouter

from paynexus import http, idempotency, ids, runtime
from paynexus.db import Connection
from paynexus.errors import NotFound
from paynexus.fraud.backtest import model as backtests
from paynexus.fraud.rulebook import service as rulebook
from paynexus.fraud.rulebook.service import Change
from paynexus.identity.model import Principal
from paynexus.ids import MerchantId
from paynexus.lists.model import Page


@dataclass(frozen=True, slots=True)
class Act:
    """A request that acts: in whose name, when, and what makes its repetition the same one."""

    principal: Principal
    scope: idempotency.Scope
    fingerprint: bytes
    now: dt.datetime

    @property
    def change(self) -> Change:
        """The same in the words of rules."""
        return Change(self.principal.merchant_id, self.principal.client_id, self.now)

    @property
    def replayed(self) -> backtests.Scope:
        """The same in the words of back-tests: those of the token's mode."""
        return backtests.Scope(self.principal.merchant_id, self.principal.mode)

    def answer(
        self, act: Callable[[Connection, UUID], Mapping[str, object]], *, status: int = 200
    ) -> Response[str]:
        """What `act` makes, once under the request's key."""
        answer = rulebook.answer(
            runtime.database(),
            act,
            scope=self.scope,
            fingerprint=self.fingerprint,
            now=self.now,
            status=status,
        )
        return raw(answer)


def act_of(router: BaseRouter, target: str, body: http.Strict) -> Act:
    """The request to `POST` the body to the path `target`."""
    principal = runtime.principal(router)
    key = idempotency.key_of(router.current_event.headers)
    return Act(
        principal,
        idempotency.Scope(principal.merchant_id, principal.mode, f"POST {target}", key),
        idempotency.fingerprint_of(target, body.model_dump(mode="json")),
        runtime.clock()(),
    )


def raw(answer: idempotency.Answer) -> Response[str]:
    """The answer as it is kept."""
    return http.raw_reply(answer.status, answer.body, headers=answer.headers)


def owner_of(router: BaseRouter) -> MerchantId:
    """The merchant that the request acts for: rules and lists hold for both its modes."""
    return runtime.principal(router).merchant_id


def parsed(prefix: str, text: str, *, what: str) -> UUID:
    """The id that a path names; NotFound for what can't be one."""
    try:
        return ids.parse(prefix, text)
    except ValueError:
        raise NotFound(f"There is no such {what}.") from None


def narrowed(page: Page[UUID], who: Principal) -> Page[UUID]:
    """The page, of what is of the token's mode."""
    return replace(page, like={**page.like, "mode": who.mode})


def replayed_of(router: BaseRouter) -> backtests.Scope:
    """Whose back-tests the request is about: those of the token's mode."""
    who = runtime.principal(router)
    return backtests.Scope(who.merchant_id, who.mode)
