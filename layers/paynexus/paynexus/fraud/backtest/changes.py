"""What may be changed, and how a change is written. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from paynexus import ids

ENTRIES_MAX = 1_000
"""Entries that one change puts on a list, or takes off it."""
NOTE_CHARACTERS_MAX = 500
"""Of what is noted about an entry."""
LIMITS = frozenset({"challenge_above_minor", "block_above_minor", "max_payments_per_hour"})
"""A merchant's limits that decide."""
LIMIT_MAX = 2**53
"""In minor units: beyond every payment, and exact in any JSON."""


class ModelState(StrEnum):
    """What a model's score may do."""

    OFF = "off"
    SHADOW = "shadow"
    """It is recorded and decides nothing."""
    ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class RuleChange:
    """This version of the rule decides; None: the rule is disabled."""

    rule_id: UUID
    version_id: UUID | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """An entry that a list doesn't have yet."""

    value: str
    note: str = ""
    expires_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class ListChange:
    """A list has more entries, and others no longer."""

    list_id: UUID
    added: tuple[Proposal, ...] = ()
    removed: tuple[UUID, ...] = ()
    """Ids of its entries."""


@dataclass(frozen=True, slots=True)
class ModelChange:
    """This version of the model scores payments."""

    model: str
    state: ModelState


@dataclass(frozen=True, slots=True)
class ThresholdChange:
    """From these probabilities of fraud on, the model's score challenges and blocks."""

    challenge_at: float
    block_at: float


@dataclass(frozen=True, slots=True)
class LimitChange:
    """A merchant's limits, by name: minor units, or payments an hour. Others stay."""

    limits: Mapping[str, int]


type Change = RuleChange | ListChange | ModelChange | ThresholdChange | LimitChange


def object_of(change: Change) -> str:
    """What is changed: two changes of one object can't take effect beside each other."""
    match change:
        case RuleChange():
            return ids.text("frl", change.rule_id)
        case ListChange():
            return ids.text("fls", change.list_id)
        case ModelChange():
            return "model"
        case ThresholdChange():
            return "thresholds"
        case LimitChange():
            return "limits"


def written(change: Change) -> dict[str, Any]:
    """The change as JSON; `read` makes it a change again."""
    match change:
        case RuleChange(rule_id, version_id):
            version = version_id and ids.text("frv", version_id)
            return {"type": "rule", "rule": ids.text("frl", rule_id), "version": version}
        case ListChange(list_id, added, removed):
            return {
                "type": "list",
                "list": ids.text("fls", list_id),
                "add": [_written(proposal) for proposal in added],
                "remove": [ids.text("fle", entry) for entry in removed],
            }
        case ModelChange(model, state):
            return {"type": "model", "model": model, "state": str(state)}
        case ThresholdChange(challenge_at, block_at):
            return {"type": "thresholds", "challenge_at": challenge_at, "block_at": block_at}
        case LimitChange(limits):
            return {"type": "limits", "limits": dict(limits)}


def outlined(change: Change) -> dict[str, Any]:
    """The change as JSON without anybody's address or name: of entries, how many there are."""
    outline = written(change)
    if isinstance(change, ListChange):
        outline |= {"add": len(change.added), "remove": len(change.removed)}
    return outline


def read(value: Mapping[str, Any]) -> Change:
    """The change that is so written; ValueError says what is wrong with one that isn't any."""
    match dict(value):
        case {"type": "rule", "rule": str(rule), "version": str() | None as version, **rest}:
            version_id = None if version is None else ids.parse("frv", version)
            change: Change = RuleChange(ids.parse("frl", rule), version_id)
        case {"type": "list", "list": str(of), "add": list(add), "remove": list(remove), **rest}:
            change = _list_change(of, add, remove)
        case {"type": "model", "model": str(model), "state": str(state), **rest} if model:
            change = ModelChange(model, ModelState(state))
        case {"type": "thresholds", "challenge_at": low, "block_at": high, **rest}:
            change = _threshold_change(low, high)
        case {"type": "limits", "limits": dict(limits), **rest} if limits:
            change = _limit_change(limits)
        case _:
            raise ValueError(
                "give type rule (rule, version), list (list, add, remove), model (model, state), "
                "thresholds (challenge_at, block_at) or limits (limits)"
            )
    if rest:
        raise ValueError(f"{min(rest)}: a change of this type has no such member")
    return change


def _list_change(of: str, add: list[Any], remove: list[Any]) -> ListChange:
    if not add and not remove:
        raise ValueError("name an entry to add or to remove")
    if max(len(add), len(remove)) > ENTRIES_MAX:
        raise ValueError(f"a change adds and removes {ENTRIES_MAX} entries each at most")
    added = tuple(_proposal(one) for one in add)
    removed = tuple(ids.parse("fle", str(name)) for name in remove)
    if len({one.value for one in added}) < len(added) or len(set(removed)) < len(removed):
        raise ValueError("name each entry once")
    return ListChange(ids.parse("fls", of), added, removed)


def _proposal(value: Any) -> Proposal:  # noqa: ANN401 - JSON
    match value:
        case {"value": str(listed), **rest} if listed and rest.keys() <= {"note", "expires"}:
            note, expires = rest.get("note", ""), rest.get("expires")
            if isinstance(note, str) and len(note) <= NOTE_CHARACTERS_MAX:
                return Proposal(listed, note, None if expires is None else _moment(expires))
    raise ValueError(f"add: give value, note (up to {NOTE_CHARACTERS_MAX} characters), expires")


def _moment(value: Any) -> dt.datetime:  # noqa: ANN401 - JSON
    moment = dt.datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError("expires: give a time with its offset, such as 2026-12-31T00:00:00Z")
    return moment


def _written(proposal: Proposal) -> dict[str, Any]:
    expires = proposal.expires_at and proposal.expires_at.isoformat()
    return {"value": proposal.value, "note": proposal.note, "expires": expires}


def _threshold_change(challenge_at: Any, block_at: Any) -> ThresholdChange:  # noqa: ANN401 - JSON
    # A bool is an int to Python.
    if not {type(challenge_at), type(block_at)} <= {int, float}:
        raise ValueError("thresholds are numbers")
    if not 0 < challenge_at <= block_at <= 1:
        raise ValueError("thresholds are above 0, challenge_at at most block_at, that at most 1")
    return ThresholdChange(float(challenge_at), float(block_at))


def _limit_change(limits: Mapping[str, Any]) -> LimitChange:
    for name, value in limits.items():
        if name not in LIMITS:
            raise ValueError(f"{name}: the limits are {', '.join(sorted(LIMITS))}")
        if type(value) is not int or not 0 <= value <= LIMIT_MAX:
            raise ValueError(f"{name}: give an integer from 0 to {LIMIT_MAX}")
    return LimitChange(dict(sorted(limits.items())))
