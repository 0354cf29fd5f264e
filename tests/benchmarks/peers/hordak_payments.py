"""Payments booked with django-hordak: the payment and its fee, a transaction each."""

# Django and the ledgers upon it live in an environment of their own.
# mypy: disable-error-code="import-not-found"

from decimal import Decimal

from moneyed import Money

from tests.benchmarks.peers.django_process import MERCHANTS, set_up, take_payments


def main() -> None:
    """Accounts as the product's: a payable for each merchant, and the platform's two."""
    set_up("mptt", "hordak", DEFAULT_CURRENCY="EUR", CURRENCIES=["EUR"])
    from hordak.models import Account, AccountType  # noqa: PLC0415 - after Django's set-up

    def opened(name: str, kind: AccountType) -> Account:
        account, _ = Account.objects.get_or_create(name=name, type=kind, currencies=["EUR"])
        return account

    receivable = opened("receivable", AccountType.asset)
    fees = opened("fees", AccountType.income)
    payables = [opened(f"merchant {n}", AccountType.liability) for n in range(MERCHANTS)]
    amount, fee = Money(Decimal("19.99"), "EUR"), Money(Decimal("0.55"), "EUR")

    def take(merchant: int) -> None:
        # Credits the first, debits the second.
        payables[merchant].transfer_to(receivable, amount)
        fees.transfer_to(payables[merchant], fee)

    take_payments(take)


if __name__ == "__main__":
    main()
