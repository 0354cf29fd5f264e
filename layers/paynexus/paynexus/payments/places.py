"""Where an operation is made: a charge by the merchant's routing, all else where the charge was."""

from collections.abc import Mapping
from dataclasses import dataclass

from paynexus.gateways import routing
from paynexus.gateways.circuit import Health
from paynexus.gateways.port import Gateway, Operation
from paynexus.gateways.routing import Facts
from paynexus.payments.store.standings import Standing


@dataclass(frozen=True, slots=True)
class Sites:
    """The gateways of a payment's mode, in the configuration's order, and how each is."""

    gateways: Mapping[str, Gateway]
    health: Mapping[str, Health]


@dataclass(frozen=True, slots=True)
class Place:
    """The gateway that is asked, and why."""

    gateway: Gateway
    why: Mapping[str, object] | None = None
    may_go_elsewhere: bool = False


def next_place(standing: Standing, sites: Sites, operation: Operation) -> Place | None:
    """Where the operation is made next; None when no gateway is configured, or left, for it."""
    if operation is Operation.CHARGE:
        return _routed(standing, sites)
    gateway = sites.gateways.get(standing.charge.gateway) if standing.charge else None
    return Place(gateway) if gateway else None


def depends_on_country(standing: Standing) -> bool:
    """Whether the payer's country may decide where the payment is charged."""
    customer, policy = standing.payment.customer, routing.policy_of(standing.routing)
    has_country = customer is not None and customer.country is not None
    return has_country and any(rule.countries for rule in policy.rules)


def _routed(standing: Standing, sites: Sites) -> Place | None:
    payment = standing.payment
    facts = Facts(
        payment.id,
        payment.money,
        payment.payment_method,
        payment.customer.country if payment.customer else None,
    )
    policy = routing.policy_of(standing.routing)
    choice = routing.choose(facts, policy, list(sites.gateways), sites.health, standing.tried)
    if choice is None:
        return None
    why = choice.why if len(sites.gateways) > 1 else None
    return Place(sites.gateways[choice.gateway], why, choice.has_alternative)
