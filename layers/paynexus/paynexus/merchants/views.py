"""A merchant's own record, as it reads it."""

from paynexus import ids
from paynexus.merchants.model import Profile


def resource(profile: Profile, *, mode: str) -> dict[str, object]:
    """The merchant as the API shows it to itself."""
    merchant = profile.merchant
    return {
        "id": ids.text("mer", merchant.id),
        "object": "merchant",
        "name": merchant.name,
        "country": merchant.country,
        "city": merchant.city,
        "category_code": merchant.category_code,
        "configuration": merchant.configuration,
        "fees": [
            {
                "currency": fee.currency,
                "basis_points": fee.basis_points,
                "fixed": {"amount": fee.fixed_minor, "currency": fee.currency},
            }
            for fee in profile.fees
        ],
        "payout_accounts": [
            {
                "currency": account.currency,
                "holder": account.holder,
                "iban": account.masked_iban(),
                "bic": account.bic,
            }
            for account in profile.payout_accounts
        ],
        "mode": mode,
        "created": merchant.created_at.isoformat(),
    }
