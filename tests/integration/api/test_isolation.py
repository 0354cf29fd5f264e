"""Nobody reaches another merchant's objects, nor its own of the other mode; by any operation.

What is tried is read off the document: each path that names an object, each parameter and member
of a body that may. A new one fails here until it is said which object it names, or that it names
none.
"""

import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from paynexus import ids
from tests.integration.api.test_examples import DOCUMENT, NEEDED, OPERATIONS, body_of
from tests.integration.api.world import (
    CODE,
    ORDER,
    World,
    in_mode,
    other_merchant,
    snooze_order,
)
from tests.integration.conftest import Answer, Caller
from tests.openapi import resolved
from tools.export_openapi.examples import EXAMPLES

GATEWAYS = "name"
"""A path parameter that names a gateway, which belongs to nobody."""
QUERY: Mapping[tuple[str, str], Callable[[World], str]] = {
    ("list_payments", "starting_after"): World.payment,
    ("list_disputes", "starting_after"): World.dispute,
    ("list_disputes", "payment"): lambda world: str(
        world.made("GET", f"/disputes/{world.dispute()}")["payment"]
    ),
    ("list_settlements", "starting_after"): World.settlement,
    ("read_settlement_statement", "starting_after"): World.ledger_entry,
    ("list_webhook_endpoints", "starting_after"): World.endpoint,
    ("list_events", "starting_after"): World.event,
    ("list_events", "object_id"): World.payment,
    ("list_deliveries", "starting_after"): World.delivery,
    ("list_deliveries", "event"): lambda world: world.delivered("event"),
    ("list_deliveries", "endpoint"): lambda world: world.delivered("endpoint"),
    ("list_ledger_entries", "starting_after"): World.ledger_entry,
    ("read_payment_timeline", "starting_after"): World.timeline_item,
    ("list_fraud_rules", "starting_after"): World.rule,
    ("list_fraud_rule_versions", "starting_after"): World.rule_version,
    ("list_fraud_lists", "starting_after"): World.fraud_list,
    ("list_fraud_list_entries", "starting_after"): World.list_entry,
    ("list_fraud_rescreenings", "starting_after"): World.rescreening,
    ("list_fraud_list_hits", "starting_after"): World.past_hit,
    ("list_fraud_list_hits", "rescreening"): World.rescreening,
    ("list_fraud_backtests", "starting_after"): World.backtest,
    ("list_fraud_promotions", "starting_after"): World.promotion,
    ("list_fraud_cases", "starting_after"): World.case,
    ("list_fraud_cases", "payment"): World.challenged,
}
"""Parameters that name an object, and what makes one."""
PLAIN_QUERY = {
    *("created[gte]", "created[gt]", "created[lte]", "created[lt]", "status", "currency"),
    *("reference", "size", "margin", "layout", "limit"),
    "state",
    "type",
    "at",
    "known_at",
    "holds",
    "outcome",
    "kind",
    "action",
    "value",
    "since",
    "until",
}
"""Parameters that name none."""


def payload(world: World) -> str:
    """What the picture of a code holds."""
    return str(world.made("POST", "/qr-codes", CODE)["payload"])


def version_of(world: World) -> tuple[str, str]:
    """A rule, and its version."""
    rule = world.rule()
    return rule, str(world.made("GET", f"/fraud/rules/{rule}")["newest"]["id"])


BODY: Mapping[tuple[str, str], Callable[[World], tuple[str, object]]] = {
    ("take_payment", "qr_code"): lambda world: ("", world.scan()),
    ("scan_qr_code", "payload"): lambda world: ("", payload(world)),
    ("shadow_fraud_rule", "version"): version_of,
    ("close_fraud_case", "feedback"): lambda world: (
        world.case(),
        {"list": world.fraud_list(), "kinds": ["email"]},
    ),
    ("order_fraud_backtest", "change"): lambda world: ("", world.change()),
    ("promote_fraud_change", "backtest"): lambda world: ("", world.promotable()),
    ("snooze_fraud_rule", "entity"): lambda world: (
        world.rule(),
        {"kind": "card", "payment": world.payment()},
    ),
}
"""Members of bodies that name an object, and what makes one, with the path's object if any."""
OF_BOTH_MODES_IN_BODIES = {("close_fraud_case", "feedback"), ("order_fraud_backtest", "change")}
"""Of those, what is a merchant's, whatever the mode."""
UNKNOWN = {
    "take_payment": (422, "qr_unknown"),
    "scan_qr_code": (422, "qr_unknown"),
}
"""How a foreign code is refused in a body: as one that does not exist. Others are not found."""
PLAIN_BODY = {
    "take_payment": {
        "amount",
        "currency",
        "payment_method",
        "capture",
        "reference",
        "description",
        "customer",
        "metadata",
    },
    "capture_payment": {"amount", "final_capture"},
    "confirm_payment": {"authentication"},
    "refund_payment": {"amount", "reason"},
    "issue_qr_code": {"amount", "currency", "usage", "reference", "expires_in"},
    "change_merchant": {"name", "city", "category_code", "configuration"},
    "create_client": {"name", "scopes"},
    "rotate_client_secret": {"former_expires_in"},
    "create_webhook_endpoint": {"url", "description", "event_types"},
    "change_webhook_endpoint": {"url", "description", "event_types", "status"},
    "create_fraud_rule": {"code", "expression", "action", "message"},
    "add_fraud_rule_version": {"expression", "action", "message"},
    "snooze_fraud_rule": {"ends_at", "reason"},
    "create_fraud_list": {"name", "kind", "action", "note", "min_quality"},
    "change_fraud_list": {"note", "action", "state", "min_quality"},
    "add_fraud_list_entry": {"value", "note", "expires_at"},
    "import_fraud_list": {"layout", "file"},
    "order_fraud_backtest": {"from", "to"},
    "change_fraud_settings": {"gate"},
    "assign_fraud_case": {"assignee"},
    "note_fraud_case": {"text"},
    "close_fraud_case": {"outcome", "text"},
    "reopen_fraud_case": {"assignee", "text"},
    "issue_token": {"grant_type", "client_id", "client_secret", "scope"},
}
"""Members that name none."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody who is not the owner."""

    name: str
    has_own_merchant: bool
    mode: str

    def caller(self, world: World) -> Caller:
        """Its client."""
        merchant_id = other_merchant(world.database) if self.has_own_merchant else None
        own = replace(world.call, merchant_id=merchant_id or world.call.merchant_id)
        return in_mode(own, self.mode)


STRANGERS = [
    pytest.param(stranger, id=stranger.name)
    for stranger in (
        Stranger("another merchant", has_own_merchant=True, mode="test"),
        Stranger("the same merchant in the other mode", has_own_merchant=False, mode="live"),
        Stranger("another merchant in the other mode", has_own_merchant=True, mode="live"),
    )
]
OF_BOTH_MODES = {
    *(World.rule, World.snoozed, World.snooze, World.rule_version),
    *(World.fraud_list, World.filled_list, World.list_entry, World.screened_list),
    World.rescreening,
}
"""What is a merchant's, whatever the mode."""
WITHOUT_GATEWAY = {
    World.case,
    World.closed_case,
    World.payment,
    World.qr_code,
    World.endpoint,
    World.event,
    World.delivery,
}
"""What can be made in live mode, for which no gateway is configured here."""
NEEDS_A_CAPTURE = {"refund_payment"}
"""Operations that succeed only on a payment that a gateway took."""
PATHS = [
    name
    for name, (_, path, operation) in OPERATIONS.items()
    if "{" in path and operation["parameters"][0]["name"] != GATEWAYS
]


def test_every_path_has_an_object() -> None:
    """A new route says what makes the object that it names."""
    missing = sorted(set(PATHS) - set(NEEDED))

    assert not missing, (
        f"{missing}: add to NEEDED in test_examples.py what makes the object that the path names; "
        "World in world.py has the factories"
    )


def test_every_parameter_is_known() -> None:
    """A new one is entered above: with its object, or as one that names none."""
    found = {
        (name, parameter["name"])
        for name, (_, _, operation) in OPERATIONS.items()
        for parameter in operation["parameters"]
        if parameter["in"] == "query" and parameter["name"] not in PLAIN_QUERY
    }

    assert found == set(QUERY), "add it to QUERY, with what makes its object, or to PLAIN_QUERY"


def test_every_member_of_a_body_is_known() -> None:
    """As parameters are."""
    found = {
        (name, member)
        for name, (_, _, operation) in OPERATIONS.items()
        for member in members_of(operation)
        if member not in PLAIN_BODY.get(name, set())
    }

    assert found == set(BODY), "add it to BODY, with what makes its object, or to PLAIN_BODY"


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("name", PATHS)
def test_a_strangers_path_is_not_found(world: World, name: str, stranger: Stranger) -> None:
    """404 as for what does not exist, nothing changes, and the owner still succeeds."""
    if NEEDED[name] in OF_BOTH_MODES and not stranger.has_own_merchant:
        require_reached(world, name, stranger.caller(world))
    else:
        require_hidden(world, name, stranger.caller(world))


@pytest.mark.parametrize("name", [name for name in PATHS if NEEDED[name] in WITHOUT_GATEWAY])
def test_a_live_object_is_not_found_in_test_mode(world: World, name: str) -> None:
    """The other way round; of what is there without a gateway that takes live payments."""
    owner = replace(world, call=in_mode(world.call, "live"))

    require_hidden(owner, name, world.call)


def require_hidden(world: World, name: str, stranger: Caller) -> None:
    """The operation succeeds for the owner of its object, and knows of none for the stranger."""
    method, path, _ = OPERATIONS[name]
    object_id = NEEDED[name](world)
    request = body_of(world, name, EXAMPLES[name][0], object_id)

    def ask(named: str, *, who: Caller | None = None, key: str = "theirs") -> Answer:
        at = path.replace(path[path.index("{") : path.index("}") + 1], named)
        return world.ask(method, at, request, caller=who, key=key)

    before = everything(world)
    refused, unknown = ask(object_id, who=stranger), ask(neighbour(object_id), who=stranger)

    assert (refused.status, refused.json()["code"]) == (404, "not_found")
    assert told(refused) == told(unknown)
    assert everything(world) == before

    if name not in NEEDS_A_CAPTURE or world.call.mode == "test":
        assert ask(object_id, key="ours").status in {200, 201, 202}
        assert told(ask(object_id, who=stranger, key="ours")) == told(unknown)


def require_reached(world: World, name: str, other_mode: Caller) -> None:
    """The operation succeeds in the merchant's other mode, too: it is one rule for both."""
    method, path, _ = OPERATIONS[name]
    object_id = NEEDED[name](world)
    request = body_of(world, name, EXAMPLES[name][0], object_id)
    at = re.sub(r"\{\w+\}", object_id, path)

    assert world.ask(method, at, request, caller=other_mode).status in {200, 201}


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize(("name", "parameter"), QUERY)
def test_a_strangers_parameter_leaks_nothing(
    world: World, name: str, parameter: str, stranger: Stranger
) -> None:
    """The answer is that to an id beside it, which nobody has: a cursor is a place, no object."""
    method, path, _ = OPERATIONS[name]
    older = QUERY[name, parameter](world)
    object_id, caller = QUERY[name, parameter](world), stranger.caller(world)
    whose = replace(world, call=caller) if stranger.mode == "test" else world
    for named, make in (
        ("{payment_id}", World.payment),
        ("{rule_id}", World.rule),
        ("{fraud_list_id}", World.fraud_list),
        ("{settlement_id}", World.settlement),
    ):
        path = path.replace(named, make(whose)) if named in path else path
    if QUERY[name, parameter] in OF_BOTH_MODES and not stranger.has_own_merchant:
        assert world.ask(method, path, caller=caller, query={parameter: object_id}).status == 200
        return

    before = everything(world)
    with_it, beside_it = (
        world.ask(method, path, caller=caller, query={parameter: named})
        for named in (object_id, neighbour(object_id))
    )

    assert told(with_it) == told(beside_it)
    assert not {object_id, older} & set(re.findall(r"[\w:-]+", with_it.body.decode()))
    assert everything(world) == before


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize(("name", "member"), BODY)
def test_a_strangers_member_is_unknown(
    world: World, name: str, member: str, stranger: Stranger
) -> None:
    """Refused as what does not exist; nothing changes, and the owner still succeeds."""
    method, path, _ = OPERATIONS[name]
    if (name, member) in OF_BOTH_MODES_IN_BODIES and not stranger.has_own_merchant:
        return
    (object_id, named), caller = BODY[name, member](world), stranger.caller(world)
    order = ORDER if name == "take_payment" else EXAMPLES[name][0].request
    if name == "snooze_fraud_rule":
        order = snooze_order()
    theirs = NEEDED[name](replace(world, call=caller)) if object_id else ""

    before = everything(world)
    at = re.sub(r"\{\w+\}", theirs, path)
    refused = world.ask(method, at, {**order, member: named}, caller=caller)

    assert (refused.status, refused.json()["code"]) == UNKNOWN.get(name, (404, "not_found"))
    assert everything(world) == before
    at = re.sub(r"\{\w+\}", object_id, path)
    assert world.ask(method, at, {**order, member: named}).status in {200, 201}


def members_of(operation: Mapping[str, Any]) -> set[str]:
    """The members that the operation's body may have."""
    found: set[str] = set()
    for content in operation.get("requestBody", {}).get("content", {}).values():
        found |= resolved(DOCUMENT, content["schema"]).get("properties", {}).keys()
    return found


def neighbour(object_id: str) -> str:
    """The id just beside it, which nobody has."""
    prefix, _, digits = object_id.rpartition("_")
    last = digits[-1]
    alphabet = ids.ALPHABET if prefix else "0123456789abcdef"
    if object_id.startswith("pnx_"):
        alphabet = string.digits + string.ascii_letters
    beside = alphabet[alphabet.index(last) ^ 1]
    return object_id[:-1] + beside


def told(answer: Answer) -> tuple[int, dict[str, Any]]:
    """What the answer says, but for the name of its request."""
    body = answer.json() if answer.headers["Content-Type"].endswith("json") else {}
    return answer.status, {name: value for name, value in body.items() if name != "request_id"}


def everything(world: World) -> dict[str, str]:
    """A digest of each table's rows, and of what the acquirer has done."""
    connection = world.database.connection()
    tables = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    ).fetchall()
    digests = {"acquirer": str(world.acquirer.charges())}
    for (table,) in tables:
        rows = f"SELECT md5(string_agg(t::TEXT, ',' ORDER BY t::TEXT)) FROM {table} AS t"  # noqa: S608
        [digests[table]] = connection.execute(rows).fetchone() or [""]
    return digests
