"""What each operation answers when it succeeds: a schema for each status."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, create_model

from paynexus.http import JSON
from paynexus.qr.image import PNG, SVG
from paynexus.settlement.merchant.forms import CSV, XML
from tools.export_openapi.schemas import (
    backtests,
    fraud,
    fraud_lists,
    merchants,
    money,
    notifications,
    payments,
    qr,
    timeline,
)
from tools.export_openapi.schemas.words import Closed

BINARY: Mapping[str, Any] = MappingProxyType({})
"""The schema of bytes: OpenAPI 3.1 has none for them."""
TEXT: Mapping[str, Any] = MappingProxyType({"type": "string"})


@dataclass(frozen=True, slots=True)
class Success:
    """One way to succeed: a JSON body of `model`, or what `media` says of other bodies."""

    description: str
    model: type[BaseModel] | None = None
    media: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def _list_of(name: str, item: Any) -> type[BaseModel]:  # noqa: ANN401 - a model, or a union of some
    return create_model(
        name,
        __base__=Closed,
        __doc__="One page; `has_more` says whether another follows.",
        data=(list[item], ...),
        has_more=(bool, ...),
    )


def _ok(model: type[BaseModel], description: str = "As it stands.") -> dict[int, Success]:
    return {200: Success(description, model)}


def _page(name: str, item: Any) -> dict[int, Success]:  # noqa: ANN401 - as above
    return _ok(_list_of(name, item), "One page.")


UNDECIDED = "Not decided yet: repeat the request with its key, or read the object."


def _acted(status: int, model: type[BaseModel], description: str) -> dict[int, Success]:
    return {status: Success(description, model), 202: Success(UNDECIDED, model)}


ANSWERS: Mapping[str, Mapping[int, Success]] = MappingProxyType(
    {
        "take_payment": _acted(201, payments.Payment, "Decided: `status` says how."),
        "list_payments": _page("PaymentList", payments.Payment),
        "read_payment": _ok(payments.Payment),
        "read_payment_timeline": _page("Timeline", timeline.TimelineItem),
        "capture_payment": _acted(200, payments.Payment, "Captured."),
        "cancel_payment": _acted(200, payments.Payment, "Nothing more is taken."),
        "confirm_payment": _acted(200, payments.Payment, "Decided: `status` says how."),
        "refund_payment": _acted(201, payments.Refund, "Decided: `status` says how."),
        "read_refund": _ok(payments.Refund),
        "list_disputes": _page("DisputeList", payments.Dispute),
        "read_dispute": _ok(payments.Dispute),
        "issue_qr_code": {201: Success("A new code.", qr.QrCode)},
        "read_qr_code": _ok(qr.QrCode),
        "draw_qr_code": {200: Success("The picture.", media={SVG: TEXT, PNG: BINARY})},
        "scan_qr_code": _ok(qr.QrScan, "What the code asks for."),
        "publish_qr_keys": _ok(qr.QrKeys, "The keys."),
        "create_client": {201: Success("A new client.", merchants.ClientWithSecret)},
        "list_clients": _ok(_list_of("ClientList", merchants.Client), "All of them."),
        "read_client": _ok(merchants.Client),
        "revoke_client": _ok(merchants.RevokedClient, "It is revoked."),
        "rotate_client_secret": _ok(merchants.ClientWithSecret, "The new secret."),
        "read_merchant": _ok(merchants.Merchant),
        "change_merchant": _ok(merchants.Merchant, "As it is now."),
        "read_balances": _ok(_list_of("BalanceList", money.Balance), "All currencies."),
        "list_ledger_entries": _page("LedgerEntryList", money.LedgerEntry),
        "list_settlements": _page("SettlementList", money.Settlement),
        "read_next_settlements": _ok(
            _list_of("NextSettlementList", money.NextSettlement), "All currencies."
        ),
        "read_settlement": _ok(money.SettlementDetail),
        "read_settlement_statement": {
            200: Success(
                "The entries, or a page of them.",
                money.SettlementStatement,
                media={CSV: TEXT, XML: TEXT},
            )
        },
        "create_webhook_endpoint": {
            201: Success("A new endpoint.", notifications.WebhookEndpointWithSecret)
        },
        "list_webhook_endpoints": _page("WebhookEndpointList", notifications.WebhookEndpoint),
        "read_webhook_endpoint": _ok(notifications.WebhookEndpoint),
        "change_webhook_endpoint": _ok(notifications.WebhookEndpoint, "As it is now."),
        "delete_webhook_endpoint": _ok(notifications.DeletedWebhookEndpoint, "It is gone."),
        "rotate_webhook_secret": _ok(notifications.WebhookEndpointWithSecret, "The new secret."),
        "list_events": _page("EventList", notifications.Event),
        "read_event": _ok(notifications.Event),
        "list_deliveries": _page("DeliveryList", notifications.Delivery),
        "retry_delivery": {202: Success("It is attempted at once.", notifications.Delivery)},
        "list_fraud_features": _ok(
            _list_of("FraudFeatureList", fraud.FraudFeature), "All of them."
        ),
        "create_fraud_rule": {201: Success("A draft.", fraud.FraudRule)},
        "list_fraud_rules": _page("FraudRuleList", fraud.FraudRule),
        "read_fraud_rule": _ok(fraud.FraudRuleFile),
        "add_fraud_rule_version": {201: Success("The rule with it.", fraud.FraudRule)},
        "list_fraud_rule_versions": _page("FraudRuleVersionList", fraud.FraudRuleVersion),
        "shadow_fraud_rule": _ok(fraud.FraudRule, "It runs in shadow."),
        "stop_fraud_rule_shadow": _ok(fraud.FraudRule, "None runs in shadow."),
        "disable_fraud_rule": _ok(fraud.FraudRule, "None runs."),
        "snooze_fraud_rule": {201: Success("It is silent.", fraud.FraudSnooze)},
        "list_fraud_snoozes": _ok(
            _list_of("FraudSnoozeList", fraud.FraudSnooze), "Those that hold."
        ),
        "end_fraud_snooze": _ok(fraud.EndedFraudSnooze, "It speaks again."),
        "create_fraud_list": {201: Success("An empty list.", fraud_lists.FraudList)},
        "list_fraud_lists": _page("FraudListList", fraud_lists.FraudList),
        "read_fraud_list": _ok(fraud_lists.FraudList),
        "change_fraud_list": _ok(fraud_lists.FraudList, "As it is now."),
        "add_fraud_list_entry": {201: Success("It is listed.", fraud_lists.FraudListEntry)},
        "list_fraud_list_entries": _page("FraudListEntryList", fraud_lists.FraudListEntry),
        "remove_fraud_list_entry": _ok(fraud_lists.FraudListEntry, "It is listed no more."),
        "import_fraud_list": _ok(fraud_lists.FraudListImport, "What has changed."),
        "list_fraud_rescreenings": _page("FraudRescreeningList", fraud_lists.FraudRescreening),
        "list_fraud_list_hits": _page("FraudPastHitList", fraud_lists.FraudPastHit),
        "order_fraud_backtest": {201: Success("It waits.", backtests.FraudBacktest)},
        "list_fraud_backtests": _page("FraudBacktestList", backtests.FraudBacktest),
        "read_fraud_backtest": _ok(backtests.FraudBacktest),
        "promote_fraud_change": {201: Success("It has taken effect.", backtests.FraudPromotion)},
        "list_fraud_promotions": _page("FraudPromotionList", backtests.FraudPromotion),
        "read_fraud_promotion": _ok(backtests.FraudPromotion),
        "revert_fraud_promotion": _ok(backtests.FraudPromotion, "What stood before stands."),
        "read_fraud_settings": _ok(backtests.FraudSettings),
        "change_fraud_settings": _ok(backtests.FraudSettings, "As they are now."),
        "list_fraud_cases": _page("FraudCaseList", fraud.FraudCase),
        "read_fraud_case": _ok(fraud.FraudCaseFile),
        "assign_fraud_case": _ok(fraud.FraudCase, "It is in hand."),
        "note_fraud_case": _ok(fraud.FraudCaseNote, "It is in the diary."),
        "close_fraud_case": _ok(fraud.FraudCase, "It is closed."),
        "reopen_fraud_case": _ok(fraud.FraudCase, "It is in hand again."),
        "take_callback": _ok(merchants.Received, "On record."),
        "issue_token": _ok(merchants.Token, "A token."),
        "publish_keys": _ok(merchants.PublicKeys, "The keys."),
        "answer_health": _ok(merchants.Health, "It is alive."),
    }
)
"""By operation. One without an entry can't be exported."""


def content_of(success: Success) -> dict[str, Any]:
    """The answer's media types with their schemas."""
    own = {JSON: {"schema": {"$ref": ref_of(success.model)}}} if success.model else {}
    return own | {name: {"schema": dict(schema)} for name, schema in success.media.items()}


def models() -> list[type[BaseModel]]:
    """Every model that an answer has, once."""
    found = [one.model for ways in ANSWERS.values() for one in ways.values() if one.model]
    return list(dict.fromkeys(found))


def ref_of(model: type[BaseModel]) -> str:
    """Where the document keeps the model's schema."""
    return f"#/components/schemas/{model.__name__}"


__all__ = ["ANSWERS", "JSON", "Success", "content_of", "models"]
