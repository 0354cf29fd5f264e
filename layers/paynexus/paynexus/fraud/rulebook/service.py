"""Use cases of rules: worded, worded anew, run in shadow, stopped; and what they did.

Changes take the transaction that they are part of: the API's runs under its Idempotency-Key
(`answer`), an operator's tool and the promotion gate open their own. A rule is found by its id
in its own scope alone: a merchant's, or with None the platform's.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from paynexus import idempotency, ids, jsontext
from paynexus.db import Connection, Database
from paynexus.errors import InvalidRequest, InvalidState, NotFound
from paynexus.fraud.model import Action
from paynexus.fraud.rulebook.language import compile_rule
from paynexus.fraud.rulebook.model import (
    CODE,
    MESSAGE_CHARACTERS_MAX,
    RULE_PREFIX,
    RULES_MAX,
    VERSION_PREFIX,
    VERSIONS_MAX,
    Rule,
    RuleFile,
    RuleId,
    Statistics,
    Version,
    VersionId,
    Wording,
)
from paynexus.fraud.rulebook.store import rules as store
from paynexus.fraud.rulebook.store import statistics as counts
from paynexus.ids import MerchantId
from paynexus.lists.model import Page, cut

STATISTICS_DAYS_MAX = 92
"""Days that statistics are read for at once."""
FOLD_LAG = dt.timedelta(seconds=20)
"""A decision may be committed a little later than its own time says, but never so much: the step
that decides has ten seconds."""
FOLD_AT_ONCE = dt.timedelta(hours=1)
"""Of decisions, in one transaction."""
FOLDS_PER_RUN = 200
"""A run ends; what is left of a longer pause is the next run's."""


@dataclass(frozen=True, slots=True)
class Change:
    """In whose scope something is changed, by whom, when."""

    owner: MerchantId | None
    author: str
    now: dt.datetime


def answer(
    db: Database,
    act: Callable[[Connection, UUID], Mapping[str, object]],
    *,
    scope: idempotency.Scope,
    fingerprint: bytes,
    now: dt.datetime,
    status: int,
) -> idempotency.Answer:
    """What `act` made, as the answer to a request; the same key answers the same, and acts once.

    `act` gets the transaction and the id of what it makes, if it makes something.
    """

    def made(tx: Connection, object_id: UUID) -> idempotency.Answer:
        return idempotency.Answer(status, jsontext.write(act(tx, object_id)), {})

    return idempotency.run(
        db, scope, fingerprint=fingerprint, object_id=ids.new_id(), now=now, act=made
    )


def create_rule(
    tx: Connection, code: str, wording: Wording, *, by: Change, rule_id: UUID | None = None
) -> Rule:
    """The scope has the rule, as a draft.

    Raises InvalidRule for its expression, InvalidRequest for its other fields, InvalidState when
    the scope has a rule of this code, or RULES_MAX rules.
    """
    if not CODE.fullmatch(code):
        raise InvalidRequest(
            "code: 3 to 64 of a-z, 0-9 and _, a letter first, such as many_cards_of_one_ip",
            param="code",
        )
    _require_sound(wording)
    store.revise(tx, by.owner)
    codes = store.codes(tx, by.owner)
    if code in codes:
        raise InvalidState(f"There is a rule {code} already: add a version to it.", param="code")
    if len(codes) >= RULES_MAX:
        raise InvalidState(f"There are {RULES_MAX} rules already, and no more: reword one of them.")
    made = RuleId(rule_id or ids.new_id())
    store.insert_rule(tx, made, code, merchant_id=by.owner, created_at=by.now)
    store.insert_version(tx, made, _version(1, wording, by))
    return _own(tx, made, by.owner)


def add_version(tx: Connection, rule_id: str, wording: Wording, *, by: Change) -> Rule:
    """The rule has another version; what runs of it runs on.

    Raises NotFound, InvalidRule and InvalidRequest as `create_rule` does.
    """
    _require_sound(wording)
    store.revise(tx, by.owner)
    rule = _own(tx, rule_id_of(rule_id), by.owner)
    number = rule.newest.number + 1
    if number > VERSIONS_MAX:
        raise InvalidState(f"The rule has {VERSIONS_MAX} versions: make a new rule.")
    store.insert_version(tx, rule.id, _version(number, wording, by))
    return _own(tx, rule.id, by.owner)


def run_in_shadow(tx: Connection, rule_id: str, version_id: str, *, by: Change) -> Rule:
    """This version is evaluated with each payment and decides nothing, in the place of another.

    What decides goes on deciding. Raises NotFound, and InvalidState for the version that decides.
    """
    store.revise(tx, by.owner)
    rule = _own(tx, rule_id_of(rule_id), by.owner)
    version = _version_of(tx, rule, version_id)
    if rule.live and rule.live.id == version.id:
        raise InvalidState("This version decides already: shadow another, or disable the rule.")
    if rule.shadow is None or rule.shadow.id != version.id:
        store.end_runs(tx, rule.id, kinds=[True], author=by.author, now=by.now)
        store.start_run(tx, rule.id, version.id, is_shadow=True, author=by.author, now=by.now)
    return _own(tx, rule.id, by.owner)


def stop_shadow(tx: Connection, rule_id: str, *, by: Change) -> Rule:
    """No version of the rule runs in shadow; what decides goes on. NotFound."""
    return _ended(tx, rule_id, [True], by)


def disable(tx: Connection, rule_id: str, *, by: Change) -> Rule:
    """No version of the rule runs, from the next decision on. NotFound."""
    return _ended(tx, rule_id, [False, True], by)


def activate(
    tx: Connection, version_id: VersionId, *, author: str, now: dt.datetime
) -> VersionId | None:
    """The version decides, from the next decision on; what decided before it, to go back to.

    For the promotion gate alone: it has shown what the version would have done. NotFound.
    """
    owned = store.owner_of(tx, version_id)
    if owned is None:
        raise NotFound("There is no such version of a rule.")
    rule_id, owner = owned
    store.revise(tx, owner)
    rule = _own(tx, rule_id, owner)
    if rule.live and rule.live.id == version_id:
        return version_id
    kinds = [False, True] if rule.shadow and rule.shadow.id == version_id else [False]
    store.end_runs(tx, rule_id, kinds=kinds, author=author, now=now)
    store.start_run(tx, rule_id, version_id, is_shadow=False, author=author, now=now)
    return rule.live.id if rule.live else None


def find(db: Database, rule_id: str, *, owner: MerchantId | None) -> Rule:
    """The scope's rule; NotFound for another's and for what is no id."""
    with db.reading() as connection:
        return _own(connection, rule_id_of(rule_id), owner)


def list_of(db: Database, page: Page[UUID], *, owner: MerchantId | None) -> tuple[list[Rule], bool]:
    """The scope's rules of the page, newest first, and whether there are more."""
    with db.reading() as connection:
        return cut(store.page(connection, page, owner), page)


def read(
    db: Database,
    rule_id: str,
    *,
    owner: MerchantId | None,
    mode: str,
    since: dt.date,
    until: dt.date,
) -> RuleFile:
    """The scope's rule with what its versions did in the mode; raises as `statistics` does."""
    counted = statistics(db, rule_id, owner=owner, since=since, until=until)
    rule = find(db, rule_id, owner=owner)
    return RuleFile(rule, since, until, [one for one in counted if one.mode == mode])


def page_of_versions(
    db: Database, rule_id: str, page: Page[UUID], *, owner: MerchantId | None
) -> tuple[list[Version], bool]:
    """The page's versions of the scope's rule, newest first, and whether there are more."""
    with db.reading() as connection:
        rule = _own(connection, rule_id_of(rule_id), owner)
        return cut(store.page_of_versions(connection, page, rule.id), page)


def versions_of(db: Database, rule_id: str, *, owner: MerchantId | None) -> list[Version]:
    """All versions of the scope's rule, newest first: VERSIONS_MAX at most. NotFound."""
    with db.reading() as connection:
        return store.versions(connection, _own(connection, rule_id_of(rule_id), owner).id)


def statistics(
    db: Database, rule_id: str, *, owner: MerchantId | None, since: dt.date, until: dt.date
) -> list[Statistics]:
    """What the rule's versions did from `since` to before `until`, days of UTC; newest first.

    Decisions are counted within a quarter of an hour. Raises NotFound, and InvalidRequest for no
    day or more than STATISTICS_DAYS_MAX.
    """
    if not 0 < (until - since).days <= STATISTICS_DAYS_MAX:
        raise InvalidRequest(
            f"until: ask for 1 to {STATISTICS_DAYS_MAX} days after since", param="until"
        )
    with db.reading() as connection:
        rule = _own(connection, rule_id_of(rule_id), owner)
        named = [version.id for version in store.versions(connection, rule.id)]
        return counts.of_versions(connection, named, since=since, until=until)


def fold_statistics(db: Database, *, now: dt.datetime) -> int:
    """All decisions but the newest are in the statistics, each once; the transactions it took."""
    until = now - FOLD_LAG
    for folds in range(1, FOLDS_PER_RUN + 1):
        with db.transaction() as tx:
            folded = counts.fold(tx, until=until, most=FOLD_AT_ONCE)
        if folded >= until:
            return folds
    return FOLDS_PER_RUN


def _require_sound(wording: Wording) -> None:
    compile_rule(wording.expression)
    if wording.action is Action.ALLOW:
        raise InvalidRequest(
            "action: a rule asks for block, challenge or review; only lists allow", param="action"
        )
    message = wording.message
    if not 0 < len(message) <= MESSAGE_CHARACTERS_MAX or not message.isprintable():
        raise InvalidRequest(
            f"message: one line of 1 to {MESSAGE_CHARACTERS_MAX} characters", param="message"
        )


def _version(number: int, wording: Wording, by: Change) -> Version:
    return Version(VersionId(ids.new_id()), number, wording, by.author, by.now)


def _ended(tx: Connection, rule_id: str, kinds: list[bool], by: Change) -> Rule:
    store.revise(tx, by.owner)
    rule = _own(tx, rule_id_of(rule_id), by.owner)
    store.end_runs(tx, rule.id, kinds=kinds, author=by.author, now=by.now)
    return _own(tx, rule.id, by.owner)


def _own(connection: Connection, rule_id: RuleId, owner: MerchantId | None) -> Rule:
    rule = store.rule(connection, rule_id, owner)
    if rule is None:
        raise NotFound("There is no such rule.")
    return rule


def _version_of(tx: Connection, rule: Rule, version_id: str) -> Version:
    for version in store.versions(tx, rule.id):
        if ids.text(VERSION_PREFIX, version.id) == version_id:
            return version
    raise NotFound("The rule has no such version.")


def rule_id_of(rule_id: str) -> RuleId:
    """The id that the API shows as `rule_id`; NotFound for what is none."""
    try:
        return RuleId(ids.parse(RULE_PREFIX, rule_id))
    except ValueError:
        raise NotFound("There is no such rule.") from None
