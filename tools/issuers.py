"""Issuers that merchants bring: their OpenID Connect tokens act for the merchant.

    python -m tools.issuers --database-url URL add ISSUER AUDIENCE --merchant mer_… [--mode live]
        [--jwks-url URL] [--scope payments:read …]
    python -m tools.issuers --database-url URL list
    python -m tools.issuers --database-url URL remove ISSUER AUDIENCE

Without `--scope`, every scope but admin is granted. A removed issuer's tokens end within a
minute: so long may API Gateway keep an answer.
"""

import argparse
import sys

from paynexus import ids
from paynexus.db import Database
from paynexus.identity.issuers import service
from paynexus.identity.issuers.fetching import fetch
from paynexus.identity.issuers.model import TokenIssuer
from paynexus.identity.model import ALL_SCOPES, Mode, Scope
from paynexus.ids import MerchantId
from paynexus.observability import logger
from tools.running import run

TITLES = ("issuer", "audience", "merchant", "mode", "key set", "scopes")
USUAL_SCOPES = [scope for scope in ALL_SCOPES if scope != Scope.ADMIN]


def main(arguments: list[str] | None = None) -> int:
    """Do what was asked; an exit status other than 0 says why not."""
    asked = _parser().parse_args(arguments)
    return run(asked.database_url, lambda database: _DO[asked.what](database, asked))


def _add(database: Database, asked: argparse.Namespace) -> None:
    one = TokenIssuer(
        issuer=asked.issuer,
        audience=asked.audience,
        merchant_id=asked.merchant,
        mode=asked.mode,
        jwks_url=asked.jwks_url,
        scopes=list(dict.fromkeys(asked.scope or USUAL_SCOPES)),
    )
    added = service.register(database, fetch, one)
    logger.warning("token issuer added", issuer=added.issuer, audience=added.audience)
    print("\t".join(_shown(added)))


def _list(database: Database, _: argparse.Namespace) -> None:
    print("\t".join(TITLES))
    for one in service.registered(database):
        print("\t".join(_shown(one)))


def _remove(database: Database, asked: argparse.Namespace) -> None:
    service.remove(database, issuer=asked.issuer, audience=asked.audience)
    logger.warning("token issuer removed", issuer=asked.issuer, audience=asked.audience)
    print("removed")


def _shown(one: TokenIssuer) -> tuple[str, ...]:
    merchant = ids.text("mer", one.merchant_id)
    return (one.issuer, one.audience, merchant, one.mode, one.jwks_url, " ".join(one.scopes))


_DO = {"add": _add, "list": _list, "remove": _remove}


def _merchant(text: str) -> MerchantId:
    return MerchantId(ids.parse("mer", text))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.issuers", description=__doc__)
    parser.add_argument("--database-url", required=True)
    what = parser.add_subparsers(dest="what", required=True)
    what.add_parser("list", help="every issuer, by name and audience")
    add = what.add_parser("add", help="accept an issuer's tokens for a merchant")
    remove = what.add_parser("remove", help="accept them no more")
    for one in (add, remove):
        one.add_argument("issuer", help="exactly as its tokens write `iss`")
        one.add_argument("audience", help="what tells the merchant's tokens for us from others")
    add.add_argument("--merchant", type=_merchant, required=True, help="mer_…")
    add.add_argument("--mode", choices=[mode.value for mode in Mode], default="test")
    add.add_argument("--jwks-url", default="", help="where its keys are, if not discovered")
    add.add_argument("--scope", action="append", choices=ALL_SCOPES, help="may be repeated")
    return parser


if __name__ == "__main__":
    sys.exit(main())
