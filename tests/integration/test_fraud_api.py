"""Fraud over HTTP: rules, lists, cases, back-tests, promotions, as a program meets them."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from fraud_api.handler import handler
from fraud_api.queries import STATISTICS_DAYS
from paynexus import ids, runtime
from paynexus.clock import system_clock
from paynexus.db import Database
from paynexus.fraud.backtest import worker
from paynexus.fraud.features import FEATURES
from paynexus.fraud.lists import rescreening
from paynexus.fraud.model import Action
from paynexus.fraud.rulebook import service as rulebook
from paynexus.fraud.rulebook.model import RULES_MAX, SNOOZE_MAX, Wording
from paynexus.idempotency import Scope, fingerprint_of
from paynexus.ids import MerchantId, PaymentId
from paynexus.jsontext import BODY_LIMIT_BYTES
from paynexus.money import Money
from paynexus.payments import scoring
from paynexus.payments import service as payments
from paynexus.payments.model import Customer
from paynexus.payments.service import PaymentRequest
from tests.integration.conftest import Answer, Caller

WORDING = {
    "expression": "amount > 1000",
    "action": "review",
    "message": "Dearer than usual",
}
RULE = {"code": "dear", **WORDING}
DAY = dt.timedelta(days=1)
LATER = dt.timedelta(minutes=30)
"""After which a decision is in the statistics."""


@pytest.fixture
def ask(call: Caller, database: Database) -> "Ask":
    """Asks fraud's API in the name of the test's merchant."""
    return Ask(call, database)


class Ask:
    """Requests to fraud's API, each under a key of its own unless it names one."""

    def __init__(self, call: Caller, database: Database) -> None:
        self.call, self.database = call, database

    def __call__(
        self, method: str, path: str, body: object = None, *, key: str | None = None, **query: str
    ) -> Answer:
        """The answer to one request."""
        headers = {"Idempotency-Key": key or ids.new_id().hex}
        return self.call(handler, method, path, body, headers=headers, query=query or None)

    def made(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - any JSON
        """What a request that succeeds is answered with."""
        answer = self(method, path, body)
        assert answer.status in {200, 201}, answer
        return answer.json()

    def refused(self, method: str, path: str, body: object = None, **query: str) -> tuple[Any, ...]:
        """Status, code and parameter of a refusal."""
        answer = self(method, path, body, **query)
        problem = answer.json()
        return answer.status, problem.get("code"), problem.get("param")

    def as_(self, **changes: Any) -> "Ask":  # noqa: ANN401 - any of a caller's fields
        """The same by another caller."""
        return Ask(replace(self.call, **changes), self.database)

    def rule(self, **changes: object) -> Any:  # noqa: ANN401 - any JSON
        """A draft."""
        return self.made("POST", "/fraud/rules", {**RULE, **changes})

    def shadowed(self, **changes: object) -> Any:  # noqa: ANN401 - any JSON
        """A rule whose first version runs in shadow."""
        rule = self.rule(**changes)
        path = f"/fraud/rules/{rule['id']}/shadow"
        return self.made("POST", path, {"version": rule["newest"]["id"]})

    def judged(self, amount: int, *, email: str | None = None) -> PaymentId:
        """A payment with a card of its own, taken and decided about."""
        now, key = system_clock(), ids.new_id().hex
        request = PaymentRequest(
            Money(amount, "EUR"),
            f"tok_approve_{key[-8:]}",
            capture="automatic",
            customer=Customer(email=email),
        )
        scope = Scope(self.call.merchant_id, self.call.mode, "POST /payments", key)
        fingerprint = fingerprint_of("/payments", key)
        taken = payments.accept(self.database, scope, request, fingerprint=fingerprint, now=now)
        scoring.score(runtime.fraud_engine(), taken.payment_id, now=now)
        return taken.payment_id

    def case(self, amount: int = 75_000) -> str:
        """A case about a payment that was challenged."""
        self.judged(amount)
        return str(self.made("GET", "/fraud/cases")["data"][0]["id"])


def test_the_catalogue_says_what_rules_may_read(ask: Ask) -> None:
    """Each feature, with the type that an expression is checked against."""
    page = ask.made("GET", "/fraud/features")

    told = {one["name"]: one for one in page["data"]}
    assert set(told) == set(FEATURES)
    assert told["amount"]["type"] == "int"
    assert told["email_domain"]["optional"] is True
    assert page["has_more"] is False


def test_a_rule_is_a_draft_until_a_version_runs(ask: Ask) -> None:
    """Created, read and listed: it says nothing yet."""
    answer = ask("POST", "/fraud/rules", RULE)

    assert answer.status == 201
    rule = answer.json()
    assert (rule["state"], rule["live"], rule["shadow"]) == ("draft", None, None)
    assert rule["newest"]["expression"] == WORDING["expression"]
    assert rule["newest"]["author"] == ask.call.client_id
    assert ask.made("GET", "/fraud/rules")["data"] == [rule]
    read = ask.made("GET", f"/fraud/rules/{rule['id']}")
    assert {name: read[name] for name in rule} == rule
    assert read["statistics"] == []


def test_rules_are_paged(ask: Ask) -> None:
    """Newest first, each once."""
    made = [ask.rule(code=f"rule_{number}")["id"] for number in range(5)]

    first = ask("GET", "/fraud/rules", limit="2").json()
    second = ask("GET", "/fraud/rules", limit="3", starting_after=first["data"][-1]["id"]).json()

    assert [one["id"] for one in first["data"] + second["data"]] == made[::-1]
    assert (first["has_more"], second["has_more"]) == (True, False)


def test_versions_are_kept_and_paged(ask: Ask) -> None:
    """Each wording with its number; the newest first."""
    rule = ask.rule()
    path = f"/fraud/rules/{rule['id']}/versions"
    for amount in (2000, 3000):
        answer = ask("POST", path, {**WORDING, "expression": f"amount > {amount}"})
        assert answer.status == 201
    assert answer.json()["newest"]["number"] == 3

    first = ask("GET", path, limit="2").json()
    second = ask("GET", path, starting_after=first["data"][-1]["id"]).json()

    assert [one["number"] for one in first["data"]] == [3, 2]
    assert first["has_more"] is True
    assert second == {"data": [rule["newest"]], "has_more": False}


def test_a_shadow_is_counted_and_decides_nothing(ask: Ask) -> None:
    """A rule that blocks everything, in shadow, blocks nothing; its statistics say what it hit."""
    rule = ask.shadowed(expression="amount > 0", action="block")
    assert rule["state"] == "shadow"
    ask.judged(2_000)
    ask.as_(mode="live").judged(2_000)
    rulebook.fold_statistics(ask.database, now=system_clock() + LATER)

    counted = ask.made("GET", f"/fraud/rules/{rule['id']}")["statistics"]

    [one] = counted
    assert (one["mode"], one["version"], one["evaluated"]) == ("test", rule["shadow"]["id"], 1)
    assert (one["hits"], one["hits_allowed"], one["hits_blocked"]) == (1, 1, 0)


def test_statistics_are_of_the_days_that_are_asked_for(ask: Ask) -> None:
    """From the first to before the last; what can't be is refused."""
    path = f"/fraud/rules/{ask.shadowed(expression='amount > 0')['id']}"
    ask.judged(2_000)
    rulebook.fold_statistics(ask.database, now=system_clock() + LATER)
    today = system_clock().date()

    usual = ask("GET", path).json()
    before = ask("GET", path, since=str(today - DAY), until=str(today)).json()
    only = ask("GET", path, since=str(today)).json()

    assert (usual["since"], usual["until"]) == (
        str(today + DAY - STATISTICS_DAYS * DAY),
        str(today + DAY),
    )
    assert [one["hits"] for one in usual["statistics"]] == [1]
    assert before["statistics"] == []
    assert [one["hits"] for one in only["statistics"]] == [1]
    assert ask.refused("GET", path, since="2026-01-01", until="2026-12-01") == (
        400,
        "invalid_request",
        "until",
    )
    for wrong in ("yesterday", "0", "1900-01-01", "2026-02-30"):
        assert ask.refused("GET", path, since=wrong) == (400, "invalid_request", "since")


def test_what_runs_is_stopped_and_disabled(ask: Ask) -> None:
    """A shadow ends by itself; disabling ends all. Neither takes a field."""
    rule = ask.shadowed()
    path = f"/fraud/rules/{rule['id']}"

    stopped = ask.made("POST", f"{path}/stop-shadow")
    assert (stopped["state"], stopped["shadow"]) == ("disabled", None)
    ask.made("POST", f"{path}/shadow", {"version": rule["newest"]["id"]})
    disabled = ask.made("POST", f"{path}/disable", {})
    assert (disabled["state"], disabled["shadow"]) == ("disabled", None)
    assert ask.refused("POST", f"{path}/disable", {"now": True})[:2] == (400, "invalid_request")


def test_an_act_happens_once_under_its_key(ask: Ask) -> None:
    """The repetition is the same answer; another request under the key is told whose it is."""
    first = ask("POST", "/fraud/rules", RULE, key="one")
    again = ask("POST", "/fraud/rules", RULE, key="one")
    other = ask("POST", "/fraud/rules", {**RULE, "code": "other"}, key="one")

    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (other.status, other.json()["operation_ref"]) == (422, first.json()["id"])
    assert len(ask.made("GET", "/fraud/rules")["data"]) == 1
    path = f"/fraud/rules/{first.json()['id']}/versions"
    ask("POST", path, WORDING, key="two")
    reused = ask("POST", path, {**WORDING, "message": "Other"}, key="two")
    assert reused.json()["operation_ref"] == first.json()["id"]


REFUSED_RULES = [
    ({"expression": "amout > 5"}, 400, "invalid_rule", "expression"),
    ({"expression": "amount >"}, 400, "invalid_rule", "expression"),
    ({"expression": "true"}, 400, "invalid_rule", "expression"),
    ({"expression": "x" * 1001}, 400, "invalid_request", "expression"),
    ({"expression": ""}, 400, "invalid_request", "expression"),
    ({"expression": "card_bin == '4242 4242 4242 4242'"}, 400, "invalid_request", "expression"),
    ({"action": "allow"}, 400, "invalid_request", "action"),
    ({"code": "Dear!"}, 400, "invalid_request", "code"),
    ({"message": "two\nlines"}, 400, "invalid_request", "message"),
    ({"priority": 5}, 400, "invalid_request", "priority"),
]


@pytest.mark.parametrize(("wrong", "status", "code", "param"), REFUSED_RULES)
def test_a_rule_that_cannot_be_is_refused(
    ask: Ask, wrong: dict[str, object], status: int, code: str, param: str
) -> None:
    """By its field, and nothing is stored; a version likewise."""
    rule = ask.rule(code="sound")

    assert ask.refused("POST", "/fraud/rules", {**RULE, **wrong}) == (status, code, param)
    if "code" not in wrong:
        path = f"/fraud/rules/{rule['id']}/versions"
        assert ask.refused("POST", path, {**WORDING, **wrong}) == (status, code, param)
    assert ask.made("GET", "/fraud/rules")["data"] == [rule]


def test_a_code_is_given_once_and_rules_have_an_end(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are the state of the merchant's rules, not a fault of the request."""
    ask.rule()

    assert ask.refused("POST", "/fraud/rules", RULE)[:2] == (409, "invalid_state")
    assert RULES_MAX > 1
    monkeypatch.setattr(rulebook, "RULES_MAX", 1)
    assert ask.refused("POST", "/fraud/rules", {**RULE, "code": "other"})[:2] == (
        409,
        "invalid_state",
    )


def test_a_version_of_another_rule_is_not_shadowed(ask: Ask) -> None:
    """404 as for none; a word that is no id is refused before anything is asked."""
    one, other = ask.rule(code="one"), ask.rule(code="other")
    path = f"/fraud/rules/{one['id']}/shadow"

    assert ask.refused("POST", path, {"version": other["newest"]["id"]})[:2] == (404, "not_found")
    assert ask.refused("POST", path, {"version": "1"}) == (400, "invalid_request", "version")
    assert ask.refused("POST", path, {}) == (400, "invalid_request", "version")


def test_a_rule_holds_in_both_modes_and_for_its_merchant_alone(ask: Ask) -> None:
    """The other mode reads and changes it; another merchant finds nothing."""
    rule = ask.shadowed()
    path = f"/fraud/rules/{rule['id']}"
    live, stranger = ask.as_(mode="live"), ask.as_(merchant_id=MerchantId(ids.new_id()))

    assert live.made("GET", path)["id"] == rule["id"]
    assert live.made("POST", f"{path}/disable")["state"] == "disabled"
    assert stranger.refused("GET", path)[:2] == (404, "not_found")
    assert stranger.made("GET", "/fraud/rules")["data"] == []


def test_a_platforms_rule_is_no_merchants(ask: Ask) -> None:
    """Neither listed, nor read, nor snoozed."""
    by = rulebook.Change(None, "operator", system_clock())
    wording = Wording("amount > 1", Action.BLOCK, "Not this one")
    with ask.database.transaction() as tx:
        rule = rulebook.create_rule(tx, "platforms", wording, by=by)
    path = f"/fraud/rules/{ids.text('frl', rule.id)}"

    assert ask.made("GET", "/fraud/rules")["data"] == []
    assert ask.refused("GET", path)[:2] == (404, "not_found")
    assert ask.refused("POST", f"{path}/disable")[:2] == (404, "not_found")
    assert ask.refused("POST", f"{path}/snoozes", snooze(entity={"kind": "merchant"}))[:2] == (
        404,
        "not_found",
    )


def snooze(**changes: object) -> dict[str, object]:
    """A snooze until tomorrow."""
    return {
        "entity": {"kind": "email", "value": "Mira@Mail.example"},
        "ends_at": (system_clock() + DAY).isoformat(),
        "reason": "A regular",
        **changes,
    }


def hits_of(ask: Ask, payment_id: PaymentId) -> list[str]:
    """The rules that spoke about the payment."""
    query = "SELECT trace FROM fraud_decisions WHERE payment_id = %s"
    row = ask.database.connection().execute(query, (payment_id,)).fetchone()
    assert row is not None
    [trace] = row
    return [hit["code"] for hit in trace["hits"] if hit["source"] == "rule"]


def test_a_snooze_silences_the_rule_about_one_payer_until_it_is_ended(ask: Ask) -> None:
    """And about nobody else; the snooze shows no address."""
    rule = ask.shadowed(expression="amount > 0")
    path = f"/fraud/rules/{rule['id']}/snoozes"
    made = ask.made("POST", path, snooze())

    asleep = ask.judged(2_000, email="mira@mail.example")
    other = ask.judged(2_000, email="adam@mail.example")

    assert (hits_of(ask, asleep), hits_of(ask, other)) == ([], ["dear"])
    assert ask.made("GET", path) == {"data": [made], "has_more": False}
    assert "mira" not in str(made)
    ended = ask.made("DELETE", f"/fraud/snoozes/{made['id']}")
    assert ended == {"id": made["id"], "object": "fraud_snooze", "ended": True}
    assert ask.made("GET", path)["data"] == []
    awake = ask.judged(2_000, email="mira@mail.example")
    assert hits_of(ask, awake) == ["dear"]
    assert ask.made("DELETE", f"/fraud/snoozes/{made['id']}") == ended


def test_a_snooze_names_its_entity_by_a_payment(ask: Ask) -> None:
    """The card of a payment, of which nobody knows the fingerprint."""
    rule = ask.shadowed(expression="amount > 0")
    first = ask.judged(2_000)
    named = {"kind": "card", "payment": ids.text("pay", first)}

    made = ask.made("POST", f"/fraud/rules/{rule['id']}/snoozes", snooze(entity=named))

    assert made["entity_kind"] == "card"


REFUSED_SNOOZES: list[tuple[dict[str, Any], int, str, str | None]] = [
    ({"ends_at": "2026-01-01T00:00:00Z"}, 400, "invalid_request", "ends_at"),
    ({"ends_at": "tomorrow"}, 400, "invalid_request", "ends_at"),
    (
        {"ends_at": (system_clock() + SNOOZE_MAX + DAY).isoformat()},
        400,
        "invalid_request",
        "ends_at",
    ),
    ({"reason": ""}, 400, "invalid_request", "reason"),
    ({"entity": {"kind": "email"}}, 400, "invalid_request", "entity"),
    ({"entity": {"kind": "merchant", "value": "me"}}, 400, "invalid_request", "entity"),
    ({"entity": {"kind": "terminal", "value": "none"}}, 400, "invalid_request", "entity"),
    ({"entity": {"kind": "shoe", "value": "9"}}, 400, "invalid_request", "entity.kind"),
    ({"entity": {"kind": "ip", "payment": ids.text("pay", ids.new_id())}}, 404, "not_found", None),
]


@pytest.mark.parametrize(("wrong", "status", "code", "param"), REFUSED_SNOOZES)
def test_a_snooze_that_cannot_be_is_refused(
    ask: Ask, wrong: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    """By its field; the rule goes on speaking."""
    path = f"/fraud/rules/{ask.rule()['id']}/snoozes"

    assert ask.refused("POST", path, snooze(**wrong)) == (status, code, param)
    assert ask.made("GET", path)["data"] == []


def test_a_case_goes_from_hand_to_hand_and_is_closed(ask: Ask) -> None:
    """Each step is in its diary, under the client's name; its closing labels the payment."""
    case = ask.case()
    path = f"/fraud/cases/{case}"

    taken = ask.made("POST", f"{path}/assign", {"assignee": "Mira"})
    note = ask.made("POST", f"{path}/notes", {"text": "The payer answers"})
    closed = ask.made("POST", f"{path}/close", {"outcome": "false_positive", "text": "Genuine"})
    again = ask.made("POST", f"{path}/reopen", {"assignee": "Adam", "text": "The bank disagrees"})
    file = ask.made("GET", path)

    assert (taken["state"], taken["assignee"]) == ("INVESTIGATING", "Mira")
    assert (note["kind"], note["author"]) == ("note", ask.call.client_id)
    assert (closed["state"], closed["outcome"]) == ("CLOSED", "false_positive")
    assert (again["state"], again["outcome"], again["assignee"]) == ("INVESTIGATING", None, "Adam")
    assert [one["kind"] for one in file["notes"]] == ["assigned", "note", "closed", "reopened"]
    assert file["decision"]["reasons"][0]["code"] == "amount_above_challenge_limit"
    assert file["decision"]["trace"]["features"]["amount"] == 75_000


def test_cases_are_listed_by_state_outcome_and_payment(ask: Ask) -> None:
    """Newest first, in pages; a filter that is no word of ours is refused."""
    first, second = ask.case(), ask.case()
    ask.made("POST", f"/fraud/cases/{first}/close", {"outcome": "confirmed"})
    payment = ask.made("GET", f"/fraud/cases/{second}")["payment"]

    def listed(**asked: str) -> list[str]:
        return [one["id"] for one in ask("GET", "/fraud/cases", **asked).json()["data"]]

    assert listed() == [second, first]
    assert listed(state="OPEN") == [second]
    assert listed(outcome="confirmed") == [first]
    assert listed(payment=payment) == [second]
    assert listed(limit="1", starting_after=second) == [first]
    assert listed(state="OPEN", outcome="confirmed") == []
    assert ask.refused("GET", "/fraud/cases", state="open")[:2] == (400, "invalid_request")
    assert ask.refused("GET", "/fraud/cases", stat="OPEN") == (400, "invalid_request", "stat")


REFUSED_STEPS: list[tuple[str, dict[str, Any], tuple[Any, ...]]] = [
    ("assign", {}, (400, "invalid_request", "assignee")),
    ("assign", {"assignee": ""}, (400, "invalid_request", "assignee")),
    ("notes", {"text": "x" * 1001}, (400, "invalid_request", "text")),
    ("notes", {"text": "card 4242424242424242"}, (400, "invalid_request", "text")),
    ("close", {"outcome": "guilty"}, (400, "invalid_request", "outcome")),
    ("close", {"outcome": "confirmed", "fine": 5}, (400, "invalid_request", "fine")),
    ("reopen", {"assignee": "Mira", "text": "Why not"}, (409, "invalid_state", None)),
    ("reopen", {"assignee": "Mira"}, (400, "invalid_request", "text")),
]


@pytest.mark.parametrize(("step", "body", "refusal"), REFUSED_STEPS)
def test_a_step_that_cannot_be_is_refused(
    ask: Ask, step: str, body: dict[str, Any], refusal: tuple[Any, ...]
) -> None:
    """The case stays as it was, its diary too."""
    case = ask.case()
    before = ask.made("GET", f"/fraud/cases/{case}")

    assert ask.refused("POST", f"/fraud/cases/{case}/{step}", body) == refusal
    assert ask.made("GET", f"/fraud/cases/{case}") == before


def test_a_closed_case_is_closed_once(ask: Ask) -> None:
    """The second outcome is refused, and says how the case stands."""
    path = f"/fraud/cases/{ask.case()}"
    ask.made("POST", f"{path}/close", {"outcome": "confirmed"})

    answer = ask("POST", f"{path}/close", {"outcome": "unclear"})

    assert (answer.status, answer.json()["operation_state"]) == (409, "CLOSED")
    assert ask.refused("POST", f"{path}/assign", {"assignee": "Mira"})[:2] == (409, "invalid_state")


def test_a_case_is_of_its_mode(ask: Ask) -> None:
    """The same merchant's client of the other mode finds none."""
    case = ask.case()
    live = ask.as_(mode="live")

    assert live.made("GET", "/fraud/cases")["data"] == []
    assert live.refused("GET", f"/fraud/cases/{case}")[:2] == (404, "not_found")
    assert live.refused("POST", f"/fraud/cases/{case}/notes", {"text": "x"})[:2] == (
        404,
        "not_found",
    )


LIST = {"name": "Regulars", "kind": "email", "action": "allow", "note": "Known at the counter"}


def test_a_list_is_made_changed_and_read(ask: Ask) -> None:
    """Active at once; what is absent of a change stays."""
    answer = ask("POST", "/fraud/lists", LIST)
    assert answer.status == 201
    made = answer.json()
    path = f"/fraud/lists/{made['id']}"

    changed = ask.made("PATCH", path, {"state": "disabled", "note": "Closed for the season"})

    assert (made["state"], made["author"]) == ("active", ask.call.client_id)
    assert changed == made | {"state": "disabled", "note": "Closed for the season"}
    assert ask.made("GET", path) == changed
    assert ask.made("GET", "/fraud/lists")["data"] == [changed]
    assert ask("GET", "/fraud/lists", state="active").json()["data"] == []
    assert ask("GET", "/fraud/lists", kind="email", action="allow").json()["data"] == [changed]


def test_a_listed_value_decides_until_it_is_removed(ask: Ask) -> None:
    """In whichever spelling; a removed entry is listed no more, and cannot be removed twice."""
    made = ask.made("POST", "/fraud/lists", {**LIST, "action": "challenge"})
    path = f"/fraud/lists/{made['id']}/entries"
    entry = ask.made("POST", path, {"value": "Mira@Mail.example", "note": "Twice"})

    met = ask.judged(2_000, email="mira@mail.example")
    assert entry["value"] == "mira@mail.example"
    assert ask.made("GET", path)["data"] == [entry]
    assert ask("GET", path, value="adam@mail.example").json()["data"] == []
    removed = ask.made("DELETE", f"/fraud/list-entries/{entry['id']}")
    assert removed["removed"] is not None
    assert ask.made("GET", path)["data"] == []
    missed = ask.judged(2_000, email="mira@mail.example")

    assert verdict_of(ask, met) == "CHALLENGE"
    assert verdict_of(ask, missed) == "ALLOW"
    assert ask.refused("DELETE", f"/fraud/list-entries/{entry['id']}")[:2] == (404, "not_found")


def verdict_of(ask: Ask, payment_id: PaymentId) -> str:
    """What was decided about the payment."""
    query = "SELECT verdict FROM fraud_decisions WHERE payment_id = %s"
    row = ask.database.connection().execute(query, (payment_id,)).fetchone()
    assert row is not None
    return str(row[0])


def test_a_file_is_imported_whole_or_not_at_all(ask: Ask) -> None:
    """The next file takes the place of the last; a broken line is named, and changes nothing."""
    made = ask.made("POST", "/fraud/lists", LIST)
    path = f"/fraud/lists/{made['id']}"
    ask.made("POST", f"{path}/entries", {"value": "by.hand@mail.example"})

    first = ask.made("POST", f"{path}/import", {"file": "value\na@mail.example\nb@mail.example\n"})
    second = ask.made(
        "POST", f"{path}/import", {"layout": "csv", "file": "value\nb@mail.example\n"}
    )
    broken = ask("POST", f"{path}/import", {"file": "value\nc@mail.example\nno address\n"})

    assert (first["added"], first["removed"]) == (2, 0)
    assert (second["added"], second["removed"], second["unchanged"]) == (0, 1, 1)
    assert (broken.status, broken.json()["code"], broken.json()["line"]) == (
        422,
        "list_file_refused",
        3,
    )
    listed = {one["value"] for one in ask.made("GET", f"{path}/entries")["data"]}
    assert listed == {"by.hand@mail.example", "b@mail.example"}


def test_a_file_is_no_larger_than_a_body(ask: Ask) -> None:
    """413 says the limit; larger ones are the operators' to import."""
    made = ask.made("POST", "/fraud/lists", LIST)

    answer = ask("POST", f"/fraud/lists/{made['id']}/import", {"file": "x" * BODY_LIMIT_BYTES})

    assert (answer.status, answer.json()["code"]) == (413, "request_too_large")


def test_past_payments_are_screened_and_told_by_mode(ask: Ask) -> None:
    """Each mode sees its own hits; the re-screening counts both."""
    mine = ask.judged(2_000, email="mira@mail.example")
    theirs = ask.as_(mode="live").judged(2_000, email="mira@mail.example")
    made = ask.made("POST", "/fraud/lists", {**LIST, "action": "review"})
    path = f"/fraud/lists/{made['id']}"
    ask.made("POST", f"{path}/entries", {"value": "mira@mail.example"})
    rescreening.rescreen(ask.database, ids.parse("fls", made["id"]), now=system_clock())

    [walk] = ask.made("GET", f"{path}/rescreenings")["data"]
    hits = ask.made("GET", f"{path}/hits")["data"]
    same = ask("GET", f"{path}/hits", rescreening=walk["id"]).json()["data"]
    other = ask("GET", f"{path}/hits", rescreening=ids.text("frs", ids.new_id())).json()["data"]
    live = ask.as_(mode="live").made("GET", f"{path}/hits")["data"]

    assert (walk["examined"], walk["hits"]) == (2, 2)
    assert [one["payment"] for one in hits] == [ids.text("pay", mine)]
    assert (same, other) == (hits, [])
    assert [one["payment"] for one in live] == [ids.text("pay", theirs)]


REFUSED_LISTS: list[tuple[dict[str, Any], tuple[Any, ...]]] = [
    ({"kind": "shoe"}, (400, "invalid_request", "kind")),
    ({"action": "ignore"}, (400, "invalid_request", "action")),
    ({"name": ""}, (400, "invalid_request", "name")),
    ({"min_quality": 90}, (400, "invalid_request", "min_quality")),
    ({"kind": "name", "min_quality": 20}, (400, "invalid_request", "min_quality")),
    ({"note": "card 4242424242424242"}, (400, "invalid_request", "note")),
    ({"scope": "platform"}, (400, "invalid_request", "scope")),
]


@pytest.mark.parametrize(("wrong", "refusal"), REFUSED_LISTS)
def test_a_list_that_cannot_be_is_refused(
    ask: Ask, wrong: dict[str, Any], refusal: tuple[Any, ...]
) -> None:
    """By its field, and nothing is stored."""
    assert ask.refused("POST", "/fraud/lists", {**LIST, **wrong}) == refusal
    assert ask.made("GET", "/fraud/lists")["data"] == []


def test_a_list_is_named_once_and_holds_a_value_once(ask: Ask) -> None:
    """Both are its state; a value that is none of its kind is a fault of the request."""
    made = ask.made("POST", "/fraud/lists", LIST)
    path = f"/fraud/lists/{made['id']}/entries"
    ask.made("POST", path, {"value": "mira@mail.example"})

    assert ask.refused("POST", "/fraud/lists", LIST) == (409, "invalid_state", "name")
    assert ask.refused("POST", path, {"value": "MIRA@mail.example"}) == (
        409,
        "invalid_state",
        "value",
    )
    assert ask.refused("POST", path, {"value": "no address"}) == (400, "invalid_request", "value")
    past = {"value": "adam@mail.example", "expires_at": "2026-01-01T00:00:00Z"}
    assert ask.refused("POST", path, past) == (400, "invalid_request", "expires_at")


def test_a_list_is_its_merchants_in_both_modes(ask: Ask) -> None:
    """Neither list nor entry is another's to see or change."""
    made = ask.made("POST", "/fraud/lists", LIST)
    path = f"/fraud/lists/{made['id']}"
    entry = ask.made("POST", f"{path}/entries", {"value": "mira@mail.example"})
    stranger = ask.as_(merchant_id=MerchantId(ids.new_id()))

    assert ask.as_(mode="live").made("GET", path) == made
    for method, where, body in (
        ("GET", path, None),
        ("PATCH", path, {"state": "disabled"}),
        ("POST", f"{path}/entries", {"value": "adam@mail.example"}),
        ("POST", f"{path}/import", {"file": "value\nadam@mail.example\n"}),
        ("DELETE", f"/fraud/list-entries/{entry['id']}", None),
    ):
        assert stranger.refused(method, where, body)[:2] == (404, "not_found")
    assert ask.made("GET", f"{path}/entries")["data"] == [entry]


def test_a_closed_case_is_fed_back_into_a_list(ask: Ask) -> None:
    """What is known of the payment is listed with its closing, once, however often it is fed."""
    made = ask.made("POST", "/fraud/lists", {**LIST, "action": "block"})
    feedback = {"list": made["id"], "kinds": ["email"]}
    for _ in range(2):
        ask.judged(75_000, email="eve@mail.example")
        case = ask("GET", "/fraud/cases", state="OPEN").json()["data"][0]["id"]
        closing = {"outcome": "confirmed", "feedback": feedback}
        assert ask.made("POST", f"/fraud/cases/{case}/close", closing)["state"] == "CLOSED"

    [entry] = ask.made("GET", f"/fraud/lists/{made['id']}/entries")["data"]

    assert entry["value"] == "eve@mail.example"
    assert entry["note"].endswith(": confirmed")


def test_feedback_that_cannot_be_is_refused(ask: Ask) -> None:
    """Neither closed nor listed: both are one commit."""
    made = ask.made("POST", "/fraud/lists", LIST)
    case = ask.case()
    path, sound = f"/fraud/cases/{case}/close", {"list": made["id"], "kinds": ["email"]}

    def refused(**changes: object) -> tuple[Any, ...]:
        return ask.refused("POST", path, {"outcome": "confirmed", "feedback": sound, **changes})

    assert refused(outcome="unclear") == (400, "invalid_request", "feedback")
    assert refused(feedback={**sound, "kinds": ["shoe"]})[:2] == (400, "invalid_request")
    assert refused(feedback={**sound, "kinds": []}) == (400, "invalid_request", "feedback.kinds")
    assert refused(feedback={**sound, "kinds": ["fingerprint"]}) == (
        400,
        "invalid_request",
        "value",
    )
    nobodys = ids.text("fls", ids.new_id())
    assert refused(feedback={**sound, "list": nobodys})[:2] == (404, "not_found")
    assert ask.made("GET", f"/fraud/cases/{case}")["state"] == "OPEN"


GATE = {
    "payments_min": 1,
    "flipped_max": 1,
    "false_positive_increase_max": 1,
    "money_floor_minor": -(10**9),
}
"""Thresholds that a handful of payments meets."""


def backtest(ask: Ask, change: Mapping[str, object]) -> Any:  # noqa: ANN401 - any JSON
    """A finished back-test of the change, over a past in which something is known to be genuine."""
    case = ask.case()
    ask.made("POST", f"/fraud/cases/{case}/close", {"outcome": "false_positive"})
    ask.judged(5_000)
    now = system_clock()
    period = {"from": (now - DAY).isoformat(), "to": now.isoformat()}
    made = ask.made("POST", "/fraud/backtests", {"change": change, **period})
    assert (made["status"], made["report"]) == ("PENDING", None)
    worker.run_pending(ask.database, now=system_clock())
    return ask.made("GET", f"/fraud/backtests/{made['id']}")


def of_rule(rule: Mapping[str, Any]) -> dict[str, object]:
    """The change that has the rule's newest version decide."""
    return {"type": "rule", "rule": rule["id"], "version": rule["newest"]["id"]}


def test_a_rule_goes_from_draft_to_deciding_and_back(ask: Ask) -> None:
    """Shadow, back-test, promotion, reversion: each is seen in decisions at once."""
    rule = ask.shadowed(expression="amount > 4000", action="challenge")
    ask.made("PATCH", "/fraud/settings", {"gate": GATE})
    tested = backtest(ask, of_rule(rule))
    before = ask.judged(5_000)

    promoted = ask.made("POST", "/fraud/promotions", {"backtest": tested["id"]})
    during = ask.judged(5_000)
    live = ask.made("GET", f"/fraud/rules/{rule['id']}")
    reverted = ask.made("POST", f"/fraud/promotions/{promoted['id']}/revert")
    after = ask.judged(5_000)

    assert tested["status"] == "COMPLETED"
    assert (tested["report"]["payments"], tested["report"]["flipped"]["count"]) == (2, 1)
    verdicts = [verdict_of(ask, one) for one in (before, during, after)]
    assert verdicts == ["ALLOW", "CHALLENGE", "ALLOW"]
    assert (live["state"], live["live"]["id"]) == ("active", rule["newest"]["id"])
    assert all(check["is_met"] for check in promoted["checks"])
    assert reverted["reverted_by"] == ask.call.client_id
    assert ask.made("GET", f"/fraud/promotions/{promoted['id']}") == reverted
    assert ask.made("GET", "/fraud/promotions")["data"] == [reverted]
    assert ask.made("GET", "/fraud/backtests")["data"] == [tested]
    assert ask.made("GET", f"/fraud/rules/{rule['id']}")["state"] == "shadow"
    assert ask.refused("POST", f"/fraud/promotions/{promoted['id']}/revert")[:2] == (
        409,
        "invalid_state",
    )


def test_the_gate_says_which_checks_are_not_met(ask: Ask) -> None:
    """Two payments prove nothing; nothing takes effect."""
    rule = ask.shadowed(expression="amount > 4000", action="block")
    tested = backtest(ask, of_rule(rule))

    answer = ask("POST", "/fraud/promotions", {"backtest": tested["id"]})

    assert (answer.status, answer.json()["code"]) == (409, "gate_closed")
    unmet = {check["name"] for check in answer.json()["checks"]}
    assert {"payments_min", "flipped_max"} <= unmet
    assert ask.made("GET", f"/fraud/rules/{rule['id']}")["state"] == "shadow"
    assert ask.made("GET", "/fraud/promotions")["data"] == []


def test_a_back_test_that_waits_is_not_promoted(ask: Ask) -> None:
    """It has no report yet."""
    now = system_clock()
    period = {"from": (now - DAY).isoformat(), "to": now.isoformat()}
    waiting = ask.made("POST", "/fraud/backtests", {"change": of_rule(ask.rule()), **period})

    answer = ask("POST", "/fraud/promotions", {"backtest": waiting["id"]})

    assert (answer.status, answer.json()["operation_state"]) == (409, "PENDING")


def test_limits_lists_and_thresholds_are_changes_too(ask: Ask) -> None:
    """Each is taken as it is written, and says what it is of."""
    made = ask.made("POST", "/fraud/lists", LIST)
    entry = ask.made("POST", f"/fraud/lists/{made['id']}/entries", {"value": "a@mail.example"})
    now = system_clock()
    period = {"from": (now - DAY).isoformat(), "to": now.isoformat()}
    changes: list[dict[str, Any]] = [
        {"type": "limits", "limits": {"challenge_above_minor": 30_000}},
        {"type": "thresholds", "challenge_at": 0.5, "block_at": 1},
        {"type": "list", "list": made["id"], "add": [{"value": "B@mail.example"}]},
        {"type": "list", "list": made["id"], "remove": [entry["id"]]},
        {"type": "rule", "rule": ask.shadowed()["id"], "version": None},
    ]

    for change in changes:
        told = ask.made("POST", "/fraud/backtests", {"change": change, **period})["change"]
        assert told["type"] == change["type"]
        assert {name for name, value in change.items() if value} <= told.keys()


def test_a_back_test_that_cannot_be_is_refused(ask: Ask) -> None:
    """By its field; nothing waits."""
    now = system_clock()
    sound = {
        "change": {"type": "limits", "limits": {"challenge_above_minor": 1}},
        "from": (now - DAY).isoformat(),
        "to": now.isoformat(),
    }

    def refused(**changes: object) -> tuple[Any, ...]:
        return ask.refused("POST", "/fraud/backtests", {**sound, **changes})

    assert refused(to=(now + DAY).isoformat()) == (400, "invalid_request", "period")
    assert refused(**{"from": sound["to"]}) == (400, "invalid_request", "period")
    assert refused(**{"from": "0001-01-01T00:00:00Z"}) == (400, "invalid_request", "from")
    assert refused(change={"type": "shoe"})[:2] == (400, "invalid_request")
    assert refused(change={"type": "limits", "limits": {}})[:2] == (400, "invalid_request")
    assert refused(change={"type": "limits", "limits": {"shoe": 9}})[:2] == (
        400,
        "invalid_request",
    )
    assert refused(change={"type": "model", "model": "none", "state": "active"})[:2] == (
        404,
        "not_found",
    )
    assert refused(because="I say so") == (400, "invalid_request", "because")
    nobodys = {"rule": ids.text("frl", ids.new_id()), "version": None}
    assert refused(change={"type": "rule", **nobodys})[:2] == (404, "not_found")
    assert ask.made("GET", "/fraud/backtests")["data"] == []


def test_settings_are_the_merchants_over_the_platforms(ask: Ask) -> None:
    """Absent stays, null returns to the default; models change through the gate alone."""
    usual = ask.made("GET", "/fraud/settings")

    changed = ask.made("PATCH", "/fraud/settings", {"gate": {"payments_min": 5}})
    further = ask.made("PATCH", "/fraud/settings", {"gate": {"age_days_max": 2}})
    back = ask.made("PATCH", "/fraud/settings", {"gate": {"payments_min": None}})

    assert changed == usual | {"gate": usual["gate"] | {"payments_min": 5}}
    assert further["gate"] == changed["gate"] | {"age_days_max": 2}
    assert back["gate"] == usual["gate"] | {"age_days_max": 2}
    assert ask.as_(merchant_id=MerchantId(ids.new_id())).made("GET", "/fraud/settings") == usual
    assert ask.refused("PATCH", "/fraud/settings", {"model_state": "active", "gate": {}}) == (
        400,
        "invalid_request",
        "model_state",
    )
    assert ask.refused("PATCH", "/fraud/settings", {"gate": {"flipped_max": 2}}) == (
        400,
        "invalid_request",
        "gate.flipped_max",
    )


def test_back_tests_are_of_their_mode(ask: Ask) -> None:
    """Whose payments they replay; the other mode finds neither them nor their promotions."""
    ask.made("PATCH", "/fraud/settings", {"gate": GATE})
    tested = backtest(ask, of_rule(ask.shadowed()))
    promoted = ask.made("POST", "/fraud/promotions", {"backtest": tested["id"]})
    live = ask.as_(mode="live")

    assert live.made("GET", "/fraud/backtests")["data"] == []
    assert live.made("GET", "/fraud/promotions")["data"] == []
    for method, path, body in (
        ("GET", f"/fraud/backtests/{tested['id']}", None),
        ("POST", "/fraud/promotions", {"backtest": tested["id"]}),
        ("GET", f"/fraud/promotions/{promoted['id']}", None),
        ("POST", f"/fraud/promotions/{promoted['id']}/revert", None),
    ):
        assert live.refused(method, path, body)[:2] == (404, "not_found")


LATE = "9999-12-31T23:59:59-23:59"
"""Beyond the last year that a database's client can read."""


def test_a_moment_is_one_that_can_be_kept(ask: Ask) -> None:
    """No century that nobody can store and read back."""
    made = ask.made("POST", "/fraud/lists", LIST)
    path = f"/fraud/lists/{made['id']}/entries"

    assert ask.refused("POST", path, {"value": "a@mail.example", "expires_at": LATE}) == (
        400,
        "invalid_request",
        "expires_at",
    )
    assert ask.made("GET", path)["data"] == []


NO_IDS = [
    "/fraud/backtests/none",
    "/fraud/promotions/none",
    "/fraud/lists/none",
    "/fraud/rules/none",
    "/fraud/rules/pay_0",
    "/fraud/cases/frl_1",
    "/fraud/cases/none",
]


@pytest.mark.parametrize("path", NO_IDS)
def test_what_is_no_id_names_nothing(ask: Ask, path: str) -> None:
    """404, as for an id that nobody has."""
    assert ask.refused("GET", path)[:2] == (404, "not_found")


@pytest.mark.parametrize(
    ("scope", "method", "path", "status"),
    [
        ("fraud:read", "GET", "/fraud/rules", 200),
        ("fraud:read", "POST", "/fraud/rules", 403),
        ("fraud:write", "POST", "/fraud/rules", 201),
        ("fraud:write", "GET", "/fraud/rules", 403),
        ("payments:read", "GET", "/fraud/cases", 403),
    ],
)
def test_reading_and_writing_are_two_scopes(
    ask: Ask, scope: str, method: str, path: str, status: int
) -> None:
    """Neither opens the other."""
    body = RULE if method == "POST" else None

    assert ask.as_(scope=scope)(method, path, body).status == status


def test_a_request_that_acts_needs_a_key(ask: Ask) -> None:
    """400, before anything is asked."""
    answer = ask.call(handler, "POST", "/fraud/rules", RULE)

    assert (answer.status, answer.json()["code"]) == (400, "idempotency_key_missing")
