"""Examples of features, rules, snoozes and cases."""

from paynexus.fraud.features import FEATURES
from tools.export_openapi.examples.exchange import CREATED, ID, PAYMENT, Example, one_page

_CLIENT = "pnx_test_4fQ2mB7sT9xKd0Zr1LhWvN"
_WORDING = {
    "expression": "has_email_domain && email_domain == 'mail.example' && amount > 20000",
    "action": "challenge",
    "message": "Many chargebacks came from this e-mail provider",
}
_VERSION = {
    "id": f"frv_{ID}",
    "object": "fraud_rule_version",
    "number": 1,
    **_WORDING,
    "author": _CLIENT,
    "created": CREATED,
}
_DRAFT = {
    "id": f"frl_{ID}",
    "object": "fraud_rule",
    "code": "dear_at_mail_example",
    "scope": "merchant",
    "state": "draft",
    "newest": _VERSION,
    "live": None,
    "shadow": None,
    "created": CREATED,
}
_SHADOWED = _DRAFT | {"state": "shadow", "shadow": _VERSION}
_STOPPED = _DRAFT | {"state": "disabled"}
_SECOND = _WORDING | {"expression": "has_email_domain && email_domain == 'mail.example'"}
_COUNTED = {
    "object": "fraud_rule_statistics",
    "version": f"frv_{ID}",
    "number": 1,
    "mode": "test",
    "evaluated": 1204,
    "hits": 17,
    "errors": 0,
    "hits_allowed": 16,
    "hits_challenged": 1,
    "hits_blocked": 0,
    "hits_labelled_fraud": 5,
    "hits_labelled_genuine": 2,
}
_SNOOZE = {
    "id": f"fsn_{ID}",
    "object": "fraud_snooze",
    "rule": f"frl_{ID}",
    "entity_kind": "email",
    "ends": "2026-12-01T00:00:00+00:00",
    "author": _CLIENT,
    "reason": "A regular, whom we know",
    "created": CREATED,
}
_CASE = {
    "id": f"frc_{ID}",
    "object": "fraud_case",
    "payment": PAYMENT,
    "verdict": "CHALLENGE",
    "score": None,
    "amount": {"amount": 75000, "currency": "EUR"},
    "state": "OPEN",
    "outcome": None,
    "assignee": None,
    "mode": "test",
    "created": CREATED,
    "closed": None,
}
_NOTE = {
    "id": f"frn_{ID}",
    "object": "fraud_case_note",
    "kind": "note",
    "text": "The payer answers at the number that we have",
    "author": _CLIENT,
    "created": CREATED,
}
_OVER = {
    "source": "policy",
    "id": "amount_above_challenge_limit",
    "code": "amount_above_challenge_limit",
    "action": "challenge",
    "detail": "The amount is above this merchant's limit for payments without a challenge.",
}
_FILE = _CASE | {
    "notes": [_NOTE],
    "decision": {
        "reasons": [_OVER],
        "trace": {
            "hits": [
                _OVER
                | {
                    "is_platform": False,
                    "is_shadow": False,
                    "quality": None,
                    "seen": {"amount": 75000, "challenge_above": 50000},
                }
            ],
            "skipped": [],
            "errors": [],
            "velocity": "redis",
            "features": {"amount": 75000, "currency": "EUR", "hour": 16, "is_qr": False},
            "score": None,
            "model": None,
        },
    },
}
_TAKEN = _CASE | {"state": "INVESTIGATING", "assignee": "Mira"}
_CLOSED = _TAKEN | {"state": "CLOSED", "outcome": "false_positive", "closed": CREATED}

FRAUD: dict[str, tuple[Example, ...]] = {
    "list_fraud_features": (
        Example(
            "The first of them",
            one_page(
                *(
                    {
                        "object": "fraud_feature",
                        "name": feature.name,
                        "type": str(feature.kind),
                        "meaning": feature.meaning,
                        "optional": feature.is_optional,
                    }
                    for feature in list(FEATURES.values())[:5]
                )
            ),
        ),
    ),
    "create_fraud_rule": (
        Example("A draft", _DRAFT, 201, {"code": "dear_at_mail_example", **_WORDING}),
    ),
    "list_fraud_rules": (Example("One rule", one_page(_DRAFT)),),
    "read_fraud_rule": (
        Example(
            "A rule in shadow",
            _SHADOWED | {"since": "2026-10-24", "until": "2026-11-23", "statistics": [_COUNTED]},
        ),
    ),
    "add_fraud_rule_version": (
        Example(
            "Of any amount",
            _DRAFT | {"newest": _VERSION | _SECOND | {"number": 2}},
            201,
            _SECOND,
        ),
    ),
    "list_fraud_rule_versions": (Example("One version", one_page(_VERSION)),),
    "shadow_fraud_rule": (
        Example("The first version", _SHADOWED, request={"version": _VERSION["id"]}),
    ),
    "stop_fraud_rule_shadow": (Example("It stopped", _STOPPED, request={}),),
    "disable_fraud_rule": (Example("It is disabled", _STOPPED, request={}),),
    "snooze_fraud_rule": (
        Example(
            "For a regular",
            _SNOOZE,
            201,
            {
                "entity": {"kind": "email", "value": "mira@mail.example"},
                "ends_at": _SNOOZE["ends"],
                "reason": _SNOOZE["reason"],
            },
        ),
    ),
    "list_fraud_snoozes": (Example("One snooze", one_page(_SNOOZE)),),
    "end_fraud_snooze": (
        Example("It holds no longer", {"id": f"fsn_{ID}", "object": "fraud_snooze", "ended": True}),
    ),
    "list_fraud_cases": (Example("One case", one_page(_CASE)),),
    "read_fraud_case": (Example("A case", _FILE),),
    "assign_fraud_case": (Example("In hand", _TAKEN, request={"assignee": "Mira"}),),
    "note_fraud_case": (Example("A note", _NOTE, request={"text": _NOTE["text"]}),),
    "close_fraud_case": (
        Example(
            "It was genuine",
            _CLOSED,
            request={"outcome": "false_positive", "text": "The payer is who they say"},
        ),
    ),
    "reopen_fraud_case": (
        Example(
            "Once more",
            _TAKEN,
            request={"assignee": "Mira", "text": "The payer's bank disagrees"},
        ),
    ),
}
"""By operation."""
