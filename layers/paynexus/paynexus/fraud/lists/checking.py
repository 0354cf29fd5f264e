"""What may be asked of lists; InvalidRequest says what may not. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

from paynexus.cards import has_card_number
from paynexus.errors import InvalidRequest
from paynexus.fraud.lists import normal
from paynexus.fraud.lists.model import (
    MIN_QUALITY,
    MIN_QUALITY_LEAST,
    NAME_LENGTH_MAX,
    NOTE_LENGTH_MAX,
    FraudList,
    Kind,
    State,
    Wanted,
    Written,
)
from paynexus.fraud.model import Action

CHANGEABLE = frozenset({"note", "action", "state", "min_quality"})
QUALITY_MAX = 100.0


def checked_list(wanted: Wanted) -> Wanted:
    """The list that is asked for, with its quality."""
    _require_text("name", wanted.name, NAME_LENGTH_MAX)
    _require_note(wanted.note)
    if not wanted.name.strip():
        raise InvalidRequest("name: give the list a name", param="name")
    _require_quality(wanted.kind, wanted.min_quality)
    quality = wanted.min_quality or MIN_QUALITY if wanted.kind is Kind.NAME else None
    return replace(wanted, min_quality=quality)


def checked_changes(one: FraudList, changes: Mapping[str, object]) -> dict[str, object]:
    """The changes, if they are some that a list may have."""
    for field in changes:
        if field not in CHANGEABLE:
            raise InvalidRequest(f"{field}: this never changes of a list", param=field)
    if "note" in changes:
        _require_note(str(changes["note"]))
    if "min_quality" in changes:
        _require_quality(one.kind, changes["min_quality"])
    words: dict[str, type[Action | State]] = {"action": Action, "state": State}
    for field, kind in words.items():
        if field in changes and changes[field] not in [str(word) for word in kind]:
            raise InvalidRequest(f"{field}: one of {', '.join(kind)}", param=field)
    return dict(changes)


def checked_entry(
    kind: Kind, value: str, *, note: str, expires_at: dt.datetime | None, now: dt.datetime
) -> Written:
    """The entry, its value in normal form."""
    _require_note(note)
    if has_card_number(value):
        raise InvalidRequest("value: this looks like a card number", param="value")
    if expires_at is not None and expires_at <= now:
        raise InvalidRequest("expires_at: this moment is over", param="expires_at")
    try:
        return Written(normal.value(kind, value), note, expires_at)
    except ValueError as error:
        raise InvalidRequest(f"value: {error}", param="value") from None


def _require_note(note: str) -> None:
    _require_text("note", note, NOTE_LENGTH_MAX)


def _require_text(field: str, text: str, limit: int) -> None:
    if len(text) > limit or "\0" in text:
        raise InvalidRequest(f"{field}: {limit} characters at most, and no NUL", param=field)
    if has_card_number(text):
        raise InvalidRequest(f"{field}: this looks like a card number", param=field)


def _require_quality(kind: Kind, quality: object) -> None:
    if quality is None:
        return
    if kind is not Kind.NAME:
        raise InvalidRequest("min_quality: only lists of names have one", param="min_quality")
    is_number = isinstance(quality, int | float) and not isinstance(quality, bool)
    if not (is_number and MIN_QUALITY_LEAST <= float(str(quality)) <= QUALITY_MAX):
        raise InvalidRequest(
            f"min_quality: from {MIN_QUALITY_LEAST:.0f} to {QUALITY_MAX:.0f}", param="min_quality"
        )
