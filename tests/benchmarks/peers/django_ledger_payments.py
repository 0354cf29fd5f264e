"""Payments booked with django-ledger: the payment and its fee, a posted journal entry each."""

# Django and the ledgers upon it live in an environment of their own.
# mypy: disable-error-code="import-not-found"

from decimal import Decimal

from django.utils import timezone

from tests.benchmarks.peers.django_process import MERCHANTS, set_up, take_payments


def main() -> None:
    """Accounts as the product's: a payable for each merchant, and the platform's two."""
    set_up("treebeard", "django_ledger", DJANGO_LEDGER_USE_DEPRECATED_BEHAVIOR=False)
    from django.contrib.auth import get_user_model  # noqa: PLC0415 - after Django's set-up
    from django_ledger.io import roles  # noqa: PLC0415
    from django_ledger.models import EntityModel  # noqa: PLC0415

    admin, _ = get_user_model().objects.get_or_create(username="benchmark")
    entity = EntityModel.create_entity(
        "benchmark", use_accrual_method=True, admin=admin, fy_start_month=1
    )
    chart = entity.create_chart_of_accounts(assign_as_default=True, commit=True, coa_name="all")

    def opened(code: str, role: str, side: str) -> object:
        return entity.create_account(
            code=code, role=role, name=code, balance_type=side, active=True, coa_model=chart
        )

    receivable = opened("1100", roles.ASSET_CA_RECEIVABLES, "debit")
    fees = opened("4100", roles.INCOME_OPERATIONAL, "credit")
    payables = [
        opened(str(2100 + n), roles.LIABILITY_CL_ACC_PAYABLE, "credit") for n in range(MERCHANTS)
    ]
    ledger = entity.create_ledger("payments", posted=True)

    def post(debit: object, credit: object, amount: Decimal) -> None:
        sides = (("debit", debit), ("credit", credit))
        ledger.commit_txs(
            timezone.now(),
            [
                {"account": account, "amount": amount, "tx_type": side, "description": "payment"}
                for side, account in sides
            ],
            je_posted=True,
        )

    def take(merchant: int) -> None:
        post(receivable, payables[merchant], Decimal("19.99"))
        post(payables[merchant], fees, Decimal("0.55"))

    take_payments(take)


if __name__ == "__main__":
    main()
