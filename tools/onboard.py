"""Bring a merchant aboard: user, merchant, fees, payout accounts and a first API client.

    python -m tools.onboard --database-url URL --name "Corner Shop" [--mode live] [--json]

The secret is shown once. When it is lost, `--rotate` gives the same client another.
"""

import argparse
import hashlib
import json
import sys

from paynexus import ids
from paynexus.db import Database
from paynexus.errors import PayNexusError
from paynexus.identity import service as identity
from paynexus.identity.model import Mode
from paynexus.ids import MerchantId
from paynexus.merchants import service as merchants
from paynexus.merchants.model import CurrencyFee, PayoutAccount, Place
from tools.running import run

PLACE = Place(country="DE", city="Berlin", category_code="5999")
"""A shop of no special kind; `PATCH /v1/merchant` changes city and category."""
FEES = tuple(CurrencyFee(currency, 150, 25) for currency in ("EUR", "USD"))
PAYOUT_IBAN = "DE89370400440532013000"
"""The example of ISO 13616: valid, and nobody's."""
PAYOUT_BIC = "COBADEFFXXX"


def main() -> int:
    """Print the client's credentials; an exit status other than 0 says why not."""
    arguments = _arguments()
    return run(arguments.database_url, lambda db: _onboard(db, arguments))


def _onboard(db: Database, arguments: argparse.Namespace) -> None:
    merchant_id, credentials = onboard(
        db, name=arguments.name, mode=Mode(arguments.mode), rotate=arguments.rotate
    )
    result = {
        "merchant_id": ids.text("mer", merchant_id),
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
    }
    lines = (f"{name}: {value}" for name, value in result.items())
    print(json.dumps(result) if arguments.json else "\n".join(lines))


def onboard(
    db: Database, *, name: str, mode: Mode, rotate: bool
) -> tuple[MerchantId, identity.Credentials]:
    """A merchant of this name and a client of it exist; the client's secret is in the answer."""
    email = _email_of(name)
    known = merchants.find_by_owner(db, email)
    if known is not None:
        return known, _known_client(db, known, name=name, mode=mode, rotate=rotate)
    accounts = [PayoutAccount(fee.currency, name, PAYOUT_IBAN, PAYOUT_BIC) for fee in FEES]
    merchant_id = merchants.onboard(
        db, name=name, email=email, place=PLACE, fees=FEES, payout_accounts=accounts
    )
    return merchant_id, identity.register_client(db, merchant_id, mode=mode)


def _known_client(
    db: Database, merchant_id: MerchantId, *, name: str, mode: Mode, rotate: bool
) -> identity.Credentials:
    if not identity.has_client(db, merchant_id, mode=mode):
        return identity.register_client(db, merchant_id, mode=mode)
    if not rotate:
        raise PayNexusError(
            f"{name} has a client in {mode.value} mode: --rotate gives it another secret."
        )
    return identity.replace_secret(db, merchant_id, mode=mode)


def _email_of(name: str) -> str:
    # One owner a name: the digest keeps names apart that look alike to a mail server.
    return f"owner-{hashlib.sha256(name.encode()).hexdigest()[:16]}@merchants.example"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--mode", choices=[mode.value for mode in Mode], default="test")
    parser.add_argument("--rotate", action="store_true", help="replace a lost secret")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
