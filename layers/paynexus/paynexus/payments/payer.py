"""The payer of a payment, as fraud judges it. Pure."""

from paynexus.fraud.model import Subject
from paynexus.payments.model import Customer, Payment


def subject_of(payment: Payment) -> Subject:
    """What is to be judged: the payment, and what its merchant says of the payer."""
    customer = payment.customer or Customer()
    return Subject(
        payment_id=payment.id,
        merchant_id=payment.merchant_id,
        mode=payment.mode,
        money=payment.money,
        fingerprint=payment.fingerprint,
        created_at=payment.created_at,
        customer_id=customer.id,
        email=customer.email,
        name=customer.name,
        ip=customer.ip,
        country=customer.country,
        card_bin=customer.card_bin,
        qr_code_id=payment.qr_code_id,
    )
