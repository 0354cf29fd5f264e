"""Use cases of snoozes: for a while, a rule says nothing about payments of one entity."""

import datetime as dt
from dataclasses import dataclass

from paynexus import ids
from paynexus.db import Connection, Database
from paynexus.errors import InvalidRequest, NotFound
from paynexus.fraud.model import EntityKind, entity, normal_email
from paynexus.fraud.rulebook import service
from paynexus.fraud.rulebook.model import SNOOZE_MAX, SNOOZE_PREFIX, Snooze, SnoozeId
from paynexus.fraud.rulebook.service import Change
from paynexus.fraud.rulebook.store import rules, snoozes
from paynexus.ids import MerchantId, PaymentId

SNOOZES_SHOWN = 100
"""Of one rule, the newest first."""
REASON_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class Entity:
    """Whose payments a rule is to be silent about.

    Named by its `value`, or as what `payment_id` has of this kind. Of MERCHANT neither is given:
    it is all of the merchant's payments in the mode.
    """

    merchant_id: MerchantId
    mode: str
    kind: EntityKind
    value: str | None = None
    payment_id: PaymentId | None = None


def snooze(
    tx: Connection,
    rule_id: str,
    sleeper: Entity,
    *,
    ends_at: dt.datetime,
    reason: str,
    by: Change,
) -> Snooze:
    """From now until `ends_at` no version of the rule says anything about this entity's payments.

    Raises NotFound for the rule and the payment, InvalidRequest for what can't be.
    """
    _require_sound(ends_at, reason, by.now)
    rule = rules.rule(tx, service.rule_id_of(rule_id), by.owner)
    if rule is None:
        raise NotFound("There is no such rule.")
    made = Snooze(
        id=SnoozeId(ids.new_id()),
        rule_id=rule.id,
        merchant_id=sleeper.merchant_id,
        kind=sleeper.kind,
        entity=_name_of(tx, sleeper),
        ends_at=ends_at,
        author=by.author,
        reason=reason,
        created_at=by.now,
    )
    snoozes.insert(tx, made)
    return made


def wake(tx: Connection, snooze_id: str, *, by: Change) -> None:
    """The snooze holds no longer; one that has ended stays as it was. NotFound."""
    try:
        parsed = SnoozeId(ids.parse(SNOOZE_PREFIX, snooze_id))
    except ValueError:
        raise NotFound("There is no such snooze.") from None
    if snoozes.find(tx, parsed, by.owner) is None:
        raise NotFound("There is no such snooze.")
    snoozes.end(tx, parsed, now=by.now)


def list_of(
    db: Database, rule_id: str, *, owner: MerchantId | None, now: dt.datetime
) -> list[Snooze]:
    """The rule's snoozes that still hold: the SNOOZES_SHOWN newest. NotFound."""
    rule = service.find(db, rule_id, owner=owner)
    with db.reading() as connection:
        return snoozes.holding(connection, rule.id, now=now, limit=SNOOZES_SHOWN)


def _require_sound(ends_at: dt.datetime, reason: str, now: dt.datetime) -> None:
    if not now < ends_at <= now + SNOOZE_MAX:
        raise InvalidRequest(
            f"ends_at: a snooze ends within {SNOOZE_MAX.days} days from now; for longer put the "
            "payer on an allow-list, or reword the rule",
            param="ends_at",
        )
    if not 0 < len(reason) <= REASON_CHARACTERS_MAX or not reason.isprintable():
        raise InvalidRequest(
            f"reason: one line of 1 to {REASON_CHARACTERS_MAX} characters", param="reason"
        )


def _name_of(tx: Connection, sleeper: Entity) -> bytes:
    given = [sleeper.value, sleeper.payment_id].count(None)
    if given != (2 if sleeper.kind is EntityKind.MERCHANT else 1):
        raise InvalidRequest(
            "entity: name it by its value or by a payment; the merchant by neither", param="entity"
        )
    if sleeper.payment_id is None:
        value = _value(sleeper)
        return entity(sleeper.mode, sleeper.merchant_id, sleeper.kind, value)
    name = snoozes.entity_of_payment(
        tx,
        sleeper.payment_id,
        sleeper.kind,
        merchant_id=sleeper.merchant_id,
        mode=sleeper.mode,
    )
    if name is None:
        raise NotFound(f"There is no such payment, or none whose {sleeper.kind} is known.")
    return name


def _value(sleeper: Entity) -> str:
    """As `entities_of` a payment has it."""
    value = sleeper.value or ""
    if sleeper.kind is EntityKind.MERCHANT:
        return sleeper.merchant_id.hex
    if sleeper.kind is EntityKind.EMAIL:
        return normal_email(value)
    if sleeper.kind is EntityKind.TERMINAL:
        try:
            return ids.parse("qr", value).hex
        except ValueError:
            raise InvalidRequest("entity: a terminal is a QR code's id", param="entity") from None
    return value
