r"""Prove that the books are what they were when they were sealed.

    python -m tools.verify_ledger key --key-id alias/paynexus-prod-ledger > ledger-key.pem
    python -m tools.verify_ledger export --database-url URL \
        --from 2026-07-01 --to 2026-07-31 --out DIR
    python -m tools.verify_ledger check DIR --public-key ledger-key.pem [--head HASH]

`check` needs no network and trusts nothing but the key: it exits with 0 when all is well, 1 when
something was altered, which it names, and 2 when it could not check. docs/ledger-seals.md.
"""

import argparse
import datetime as dt
import sys
from pathlib import Path

from tools.verify_ledger import check, keys

FINDINGS_SHOWN = 100


def main() -> int:
    """Do what was asked; the exit status says what came of it."""
    arguments = _arguments()
    try:
        status: int = arguments.run(arguments)
    except (check.CanNotCheck, OSError) as error:
        print(f"can not check: {error}", file=sys.stderr)
        return 2
    return status


def _key(arguments: argparse.Namespace) -> int:
    print(keys.fetch(arguments.key_id), end="")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from tools.verify_ledger import export  # noqa: PLC0415 - checking needs no database's driver

    done = export.export(
        arguments.database_url, since=arguments.since, until=arguments.until, out=arguments.out
    )
    print(f"{done.entries} entries under {done.seals} seals, {done.coverage}")
    return 0 if done.seals else 2


def _check(arguments: argparse.Namespace) -> int:
    pinned = keys.read(arguments.public_key)
    for one in pinned.fingerprints:
        print(f"key     {one.hex()}")
    report = check.check(arguments.directory, pinned, head=arguments.head)
    print(f"seals   {report.first} to {report.last}, {report.coverage}")
    print(f"head    {report.head.hex()}")
    print(f"entries {report.entries}")
    for finding in report.findings[:FINDINGS_SHOWN]:
        print(f"WRONG   {finding}")
    if len(report.findings) > FINDINGS_SHOWN:
        print(f"WRONG   and {len(report.findings) - FINDINGS_SHOWN} more")
    if report.late:
        numbers = ", ".join(map(str, report.late[:FINDINGS_SHOWN]))
        print(f"note    sealed more than 26 hours late: {numbers}; compare --head with the logs")
    print("the books are what was sealed" if not report.findings else "THE BOOKS WERE ALTERED")
    return 1 if report.findings else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.verify_ledger", description=__doc__.splitlines()[0]
    )
    commands = parser.add_subparsers(required=True)
    key = commands.add_parser("key", help="print the public key that KMS signs seals with")
    key.add_argument("--key-id", required=True, help="id, ARN or alias; AWS as boto3 finds it")
    key.set_defaults(run=_key)
    out = commands.add_parser("export", help="write sealed entries to plain files")
    out.add_argument("--database-url", required=True)
    out.add_argument("--from", dest="since", type=dt.date.fromisoformat, required=True)
    out.add_argument("--to", dest="until", type=dt.date.fromisoformat, required=True)
    out.add_argument("--out", type=Path, required=True)
    out.set_defaults(run=_export)
    verify = commands.add_parser("check", help="verify an export, offline")
    verify.add_argument("directory", type=Path)
    verify.add_argument("--public-key", type=Path, nargs="+", required=True)
    verify.add_argument("--head", type=bytes.fromhex, help="a seal's hash, noted before")
    verify.set_defaults(run=_check)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
