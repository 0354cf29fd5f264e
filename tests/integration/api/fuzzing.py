"""Requests generated from the document, and what is wrong with the answers to them.

Half of the requests are as the document wants them, half are not. Most are seasoned: their paths
name objects that exist, cards are approved or declined by the sandbox, URLs can be reached; so
that the far side of validation is met, too.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import BaseSchema, Case, Config, GenerationMode, Response
from schemathesis.checks import (
    content_type_conformance,
    missing_required_header,
    negative_data_rejection,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation

from paynexus import runtime
from paynexus.identity import store as identity
from paynexus.identity.model import ALL_SCOPES
from paynexus.identity.service import Credentials, register_client
from paynexus.ids import EventId, MerchantId, new_id
from tests.integration.api.world import ENDPOINT, World
from tests.integration.api.wsgi import SIGNED, application

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    missing_required_header,
]
KEPT_UNREAD = {"take_callback": (negative_data_rejection,)}
AT_THE_EDGE = frozenset({405})
"""Statuses of methods that no operation has: no operation documents them."""
AMOUNT_LIMIT = 60_000
"""In minor units: from 50,000 on a payment is challenged."""
AMOUNT_LIMITS = {"capture_payment": 1_300, "refund_payment": 300}
"""What may be left of a payment, and a little more."""
CLIENTS = 16
"""Of each merchant: together they stay below their rates."""
RENEWED_AFTER = 5_000
"""Requests after which tokens are new: long before they expire."""
FRESH_EVERY = 20
"""Requests that one object serves, before another like it is made."""
SOON_USED_UP = {World.held, World.challenged, World.refundable, World.endpoint}
FRESH_EVERY_WHEN_USED_UP = 3
TOKENS = ("tok_approve", "tok_decline", "tok_capture_decline", "tok_refund_decline", "tok_dispute")
GOOD_TOKENS = 75
"""For each of these many requests, one comes with each of BAD_TOKENS."""
BAD_TOKENS = ("", "Bearer ", "Bearer x.y.z", "Basic eDp5", "bearer é")


type AnyOperation = APIOperation[Any, Any, Any, Any]
type AnyCase = Case[Any]
"""One generated request."""


@dataclass
class Found:
    """What was sent, what came back, and what was wrong with it."""

    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    succeeded: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    """By operation and kind, how many answers were not as the document promises."""
    shown: dict[str, str] = field(default_factory=dict)
    """Of each of them, the first."""

    @property
    def server_errors(self) -> int:
        """Answers that say it is our fault."""
        return sum(count for status, count in self.statuses.items() if status >= 500)

    def __str__(self) -> str:
        told = (
            f"{name} ({count} times)\n{self.shown[name]}" for name, count in self.faults.items()
        )
        counts = f"{self.cases} requests, {self.server_errors} answers of 5xx, "
        return "\n\n".join([f"{counts}{self.faults.total()} not as promised", *told])


@dataclass
class Clients:
    """Clients of two merchants, whose tokens are real; `header` has one after another."""

    world: World
    other: MerchantId
    used: int = 0
    own: dict[tuple[MerchantId, int], Credentials] = field(default_factory=dict)
    """By merchant and number: a merchant may have fifty, and generated ones want room."""

    def header(self, *, other: bool) -> str:
        """The Authorization of the next client of the merchant, or of the other one."""
        if self.used % RENEWED_AFTER == 0:
            merchants = (self.world.call.merchant_id, self.other)
            self.tokens = [[self._token(one, n) for n in range(CLIENTS)] for one in merchants]
        self.used += 1
        return f"Bearer {self.tokens[other][self.used % CLIENTS]}"

    def credentials(self) -> dict[str, str]:
        """A client's id and secret, as the token endpoint's form has them."""
        made = self._client(self.world.call.merchant_id, CLIENTS)
        return {"client_id": made.client_id, "client_secret": made.client_secret}

    def _client(self, merchant_id: MerchantId, number: int) -> Credentials:
        if (merchant_id, number) not in self.own:
            made = register_client(self.world.database, merchant_id, mode=self.world.mode)
            self.own[merchant_id, number] = made
        return self.own[merchant_id, number]

    def _token(self, merchant_id: MerchantId, number: int) -> str:
        made = self._client(merchant_id, number)
        with self.world.database.transaction() as tx:
            client = identity.client(tx, made.client_id)
        assert client is not None
        return runtime.token_signer().sign(
            client, scopes=ALL_SCOPES, token_id=EventId(new_id()), now=runtime.clock()()
        )


@dataclass
class Objects:
    """Ids for paths, of objects that exist; each is used a while."""

    world: World
    asked: Counter[str] = field(default_factory=Counter)
    at_hand: dict[str, str] = field(default_factory=dict)

    def of(self, operation_id: str, parameter: str) -> str:
        """An id for the operation's path parameter."""
        make = self._maker(operation_id, parameter)
        name = make.__name__
        every = FRESH_EVERY_WHEN_USED_UP if make in SOON_USED_UP else FRESH_EVERY
        if self.asked[name] % every == 0:
            self.at_hand[name] = make(self.world)
        self.asked[name] += 1
        return self.at_hand[name]

    def _maker(self, operation_id: str, parameter: str) -> Callable[[World], str]:
        if operation_id in {"capture_payment", "cancel_payment"}:
            return World.held
        if operation_id == "confirm_payment":
            return World.challenged
        if operation_id == "refund_payment":
            return World.refundable
        if parameter == "name":
            return World.gateway
        maker: Callable[[World], str] = getattr(World, parameter.removesuffix("_id"))
        return maker


@dataclass
class Fuzz:
    """One run over all operations."""

    document: Mapping[str, Any]
    clients: Clients
    objects: Objects
    seed: int
    found: Found = field(default_factory=Found)

    def run(self, cases: int) -> Found:
        """At least so many requests were sent, shared evenly by the operations."""
        operations = _operations(self._schema())
        for turn in itertools.count(self.seed):
            # Some operations use less than their share: others make up for it.
            share = max(2, -(-(cases - self.found.cases) // (2 * len(operations))))
            for operation in operations:
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    self._generated(operation, mode, share, turn)
            if self.found.cases >= cases:
                break
        return self.found

    def run_edges(self) -> Found:
        """Each edge of each operation's schema was tried: limits, and just beyond them."""
        schema = self._schema()
        for operation in _operations(schema):
            edges = schema.iter_coverage_cases(
                operation,
                generation_modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE],
                generation_config=schema.config.generation_for(operation=operation),
            )
            for case in edges:
                self._season(case, TOKENS[0], is_body=False)
                self._try(case, self._authorization(case))
        return self.found

    def _schema(self) -> BaseSchema:
        # Tokens are this module's own affair: generated ones are none.
        config = Config.from_dict({"generation": {"with-security-parameters": False}})
        return schemathesis.openapi.from_dict(dict(self.document), config=config)

    def _generated(
        self, operation: AnyOperation, mode: GenerationMode, share: int, turn: int
    ) -> None:
        strategy = operation.as_strategy(generation_mode=mode)
        pinches = st.tuples(
            st.sampled_from((True, True, True, False)),
            st.sampled_from(TOKENS),
            st.sampled_from((None,) * GOOD_TOKENS + BAD_TOKENS),
        )

        @seed(turn)
        @settings(
            max_examples=share,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy, pinches)
        def send(case: AnyCase, pinch: tuple[bool, str, str | None]) -> None:
            is_seasoned, token, bad = pinch
            if is_seasoned:
                self._season(case, token, is_body=mode is GenerationMode.POSITIVE)
            if bad is None:
                self._try(case, self._authorization(case))
            else:
                self._refused(case, bad)

        # Some operations take nothing that could be wrong.
        with suppress(Unsatisfiable):
            send()

    def _season(self, case: AnyCase, token: str, *, is_body: bool) -> None:
        name = _name_of(case)
        if case.path_parameters and not _is_wrong_in_its_path(case):
            case.path_parameters = {
                parameter: self.objects.of(name, parameter) for parameter in case.path_parameters
            }
        if name == "take_callback":
            case.headers["Acquirer-Signature"] = SIGNED
        body: Any = case.body
        if is_body and isinstance(body, dict):
            case.body = body | self._usual(name, token, body)

    def _usual(self, name: str, token: str, body: dict[str, Any]) -> dict[str, Any]:
        """What makes a valid body of the operation succeed, as far as that can be said."""
        if name == "issue_token":
            return self.clients.credentials()
        usual: dict[str, Any] = {}
        if name == "take_payment":
            usual |= {"payment_method": token, "qr_code": None}
        if "currency" in body:
            usual["currency"] = "EUR"
        if body.get("amount"):
            usual["amount"] = body["amount"] % AMOUNT_LIMITS.get(name, AMOUNT_LIMIT) + 1
        if "url" in body:
            usual["url"] = ENDPOINT["url"]
        return usual

    def _authorization(self, case: AnyCase) -> dict[str, str]:
        if not _has_token(case):
            return {}
        # Whoever changes its own rules changes how its payments go: that is another merchant.
        is_other = _name_of(case) == "change_merchant" or self.found.cases % 10 == 0
        return {"Authorization": self.clients.header(other=is_other)}

    def _refused(self, case: AnyCase, authorization: str) -> None:
        response = self._sent(case, {"Authorization": authorization})
        if _has_token(case) and response.status_code != 401:
            self._note(case, "let in without a token", str(response.status_code))

    def _try(self, case: AnyCase, headers: dict[str, str]) -> None:
        response = self._sent(case, headers)
        if response.status_code in AT_THE_EDGE:
            return
        # What a gateway signs is kept, whatever it is: it is understood later.
        checks = [one for one in CHECKS if one not in KEPT_UNREAD.get(_name_of(case), ())]
        try:
            case.validate_response(
                response, checks=checks, headers=headers, transport_kwargs={"app": application}
            )
        except FailureGroup as group:
            for failure in group.exceptions:
                if isinstance(failure, Failure):
                    self._note(
                        case, type(failure).__name__, f"{failure}\n{case!r}\n{response.text}"
                    )

    def _sent(self, case: AnyCase, headers: dict[str, str]) -> Response:
        response = case.call(app=application, headers=headers)
        self.found.cases += 1
        self.found.statuses[response.status_code] += 1
        if response.status_code < 300:
            self.found.succeeded[_name_of(case)] += 1
        return response

    def _note(self, case: AnyCase, kind: str, shown: str) -> None:
        name = f"{_name_of(case)}: {kind}"
        self.found.faults[name] += 1
        self.found.shown.setdefault(name, shown)


def _operations(schema: BaseSchema) -> list[AnyOperation]:
    found = [one for one in schema.get_all_operations() if isinstance(one, Ok)]
    return [one.ok() for one in found]


def _is_wrong_in_its_path(case: AnyCase) -> bool:
    return case.meta is not None and case.meta.is_negative_at(ParameterLocation.PATH)


def _name_of(case: AnyCase) -> str:
    name: str = case.operation.definition.raw["operationId"]
    return name


def _has_token(case: AnyCase) -> bool:
    return any("token" in one for one in case.operation.definition.raw["security"])
