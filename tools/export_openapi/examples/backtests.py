"""Examples of back-tests, promotions and settings."""

from typing import Any

from tools.export_openapi.examples.exchange import CREATED, ID, PAYMENT, Example, one_page

_CLIENT = "pnx_test_4fQ2mB7sT9xKd0Zr1LhWvN"
_CHANGE = {"type": "rule", "rule": f"frl_{ID}", "version": f"frv_{ID}"}
_PERIOD = {"from": "2026-11-01T00:00:00+00:00", "to": "2026-11-15T00:00:00+00:00"}
_BACKTEST = {
    "id": f"fbt_{ID}",
    "object": "fraud_backtest",
    "merchant": f"mer_{ID}",
    "status": "PENDING",
    "change": _CHANGE,
    **_PERIOD,
    "warm_up_from": "2026-08-03T00:00:00+00:00",
    "report": None,
    "failure": None,
    "requested_by": _CLIENT,
    "mode": "test",
    "created": CREATED,
    "finished": None,
}


def _rate(count: int, of: int, rate: float, low: float, high: float) -> dict[str, Any]:
    return {"count": count, "of": of, "rate": rate, "interval": [low, high]}


def _known(fraud: int, genuine: int) -> dict[str, int]:
    return {"fraud": fraud, "genuine": genuine, "unknown": 0}


_REPORT = {
    "payments": 14887,
    "warm_up_payments": 5491,
    "cards": 5507,
    "payer_no_longer_kept": 0,
    "rule_errors": {"base": 0, "candidate": 0},
    "label_delay_days": 60,
    "known": _known(270, 14617),
    "flipped": _rate(133, 14887, 0.008934, 0.007545, 0.010576)
    | {
        "decisions": [
            {
                "from": "ALLOW",
                "to": "BLOCK",
                "payments": 133,
                "known": _known(128, 5),
                "amounts": [{"amount": 1289800, "currency": "EUR"}],
                "examples": {"fraud": [PAYMENT], "genuine": [], "unknown": []},
            }
        ]
    },
    "money": [
        {
            "currency": "EUR",
            "fraud_stopped": 1260328,
            "fraud_let_through": 0,
            "genuine_stopped": 29472,
            "genuine_let_through": 0,
            "unknown_stopped": 0,
            "unknown_let_through": 0,
            "challenged": _known(0, 0),
            "difference": 1230856,
            "interval": [843721, 1766028],
            "confidence": 0.95,
            "resamples": 1000,
        }
    ],
    "frauds_let_through": {"count": 0, "examples": []},
    "detection": {
        "base": {
            "verdicts": {"ALLOW": 14882, "CHALLENGE": 5, "BLOCK": 0},
            "precision": _rate(2, 5, 0.4, 0.117621, 0.769276),
            "recall": _rate(2, 270, 0.007407, 0.002034, 0.026601),
            "false_positive_rate": _rate(3, 14617, 0.000205, 0.00007, 0.000603),
        },
        "candidate": {
            "verdicts": {"ALLOW": 14749, "CHALLENGE": 5, "BLOCK": 133},
            "precision": _rate(130, 138, 0.942029, 0.88978, 0.970336),
            "recall": _rate(130, 270, 0.481481, 0.422561, 0.540921),
            "false_positive_rate": _rate(8, 14617, 0.000547, 0.000277, 0.00108),
        },
    },
    "false_positives": {
        "merchants": [
            {
                "merchant": f"mer_{ID}",
                "base": _rate(3, 14617, 0.000205, 0.00007, 0.000603),
                "candidate": _rate(8, 14617, 0.000547, 0.000277, 0.00108),
                "increase": 0.000342,
            }
        ],
        "merchants_left_out": 0,
    },
}
_COMPLETED = _BACKTEST | {"status": "COMPLETED", "report": _REPORT, "finished": CREATED}
_PROMOTION = {
    "id": f"fpr_{ID}",
    "object": "fraud_promotion",
    "merchant": f"mer_{ID}",
    "backtest": f"fbt_{ID}",
    "subject": f"frl_{ID}",
    "change": _CHANGE,
    "because": None,
    "promoted_by": _CLIENT,
    "reverted_by": None,
    "mode": "test",
    "created": CREATED,
    "reverted": None,
    "replaced": {"version": None, "shadow": f"frv_{ID}"},
    "checks": [
        {"name": "payments_min", "is_met": True, "actual": 14887, "limit": 1000},
        {"name": "flipped_max", "is_met": True, "actual": 0.008934, "limit": 0.02},
        {"name": "unchanged", "is_met": True, "actual": True, "limit": True},
    ],
}
_REVERTED = _PROMOTION | {"reverted_by": _CLIENT, "reverted": CREATED}
_GATE = {
    "flipped_max": 0.02,
    "false_positive_increase_max": 0.001,
    "money_floor_minor": 0,
    "payments_min": 1000,
    "age_days_max": 7,
}
_SETTINGS = {
    "object": "fraud_settings",
    "model": None,
    "model_state": "off",
    "challenge_at": 0.5,
    "block_at": 0.9,
    "gate": _GATE,
}

BACKTESTS: dict[str, tuple[Example, ...]] = {
    "order_fraud_backtest": (
        Example("A rule that is to decide", _BACKTEST, 201, {"change": _CHANGE, **_PERIOD}),
    ),
    "list_fraud_backtests": (Example("One that waits", one_page(_BACKTEST)),),
    "read_fraud_backtest": (Example("With its report", _COMPLETED),),
    "promote_fraud_change": (
        Example("The rule decides", _PROMOTION, 201, {"backtest": f"fbt_{ID}"}),
    ),
    "list_fraud_promotions": (Example("One promotion", one_page(_PROMOTION)),),
    "read_fraud_promotion": (Example("A promotion", _PROMOTION),),
    "revert_fraud_promotion": (Example("It is put back", _REVERTED, request={}),),
    "read_fraud_settings": (Example("As by default", _SETTINGS),),
    "change_fraud_settings": (
        Example(
            "Fewer payments are enough",
            _SETTINGS | {"gate": {**_GATE, "payments_min": 200}},
            request={"gate": {"payments_min": 200}},
        ),
    ),
}
"""By operation."""
