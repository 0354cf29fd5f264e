"""What the platform decides against fraud, over all merchants: rules, lists, back-tests.

    python -m tools.fraud --database-url URL rules list
    python -m tools.fraud --database-url URL rules create CODE EXPRESSION ACTION MESSAGE --by NAME
    python -m tools.fraud --database-url URL lists import LIST FILE --layout ofac_sdn --by NAME
    python -m tools.fraud --database-url URL backtests order CHANGE --from TIME --to TIME --by NAME
    python -m tools.fraud --database-url URL promotions promote BACKTEST --by NAME

`--help` behind each word says what it takes; docs/fraud/operators.md walks through them. What is
one merchant's alone is the merchant's, over the API.
"""

import argparse
import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

from paynexus.db import Database
from paynexus.errors import GateClosed, PayNexusError
from paynexus.fraud.lists.files import Layout
from paynexus.fraud.lists.model import Kind, State
from paynexus.fraud.model import Action
from paynexus.identity.model import Mode
from paynexus.observability import logger
from tools.fraud import acts

RULE_ACTIONS = [action for action in Action if action is not Action.ALLOW]

type Parser = argparse.ArgumentParser


def main(arguments: list[str] | None = None) -> int:
    """Do what was asked; an exit status other than 0 says why not."""
    asked = _parser().parse_args(arguments)
    database = Database(lambda: asked.database_url)
    try:
        for line in asked.do(database, asked):
            print(line)
    except PayNexusError as error:
        print(error.detail, file=sys.stderr)
        if isinstance(error, GateClosed):
            print(json.dumps(error.extra["checks"], indent=2), file=sys.stderr)
        return 1
    finally:
        database.close()
    if "by" in asked:
        logger.warning("fraud changed", act=f"{asked.of} {asked.act}", who=asked.by)
    return 0


def _parser() -> Parser:
    parser = argparse.ArgumentParser(prog="python -m tools.fraud", description=__doc__)
    parser.add_argument("--database-url", required=True)
    of = parser.add_subparsers(dest="of", required=True)
    for name, add, words in (
        ("rules", _add_rules, "the platform's rules"),
        ("lists", _add_lists, "the platform's lists"),
        ("backtests", _add_backtests, "changes, replayed over the past"),
        ("promotions", _add_promotions, "changes that take effect, or are put back"),
        ("settings", _add_settings, "what scores payments, and what the gate asks"),
    ):
        add(of.add_parser(name, help=words).add_subparsers(dest="act", required=True))
    return parser


def _add_rules(to: Any) -> None:  # noqa: ANN401 - argparse's own class is private
    _act(to, "list", acts.list_rules)
    create = _act(to, "create", acts.create_rule, is_change=True)
    create.add_argument("code", help="what decisions call it")
    version = _act(to, "version", acts.add_version, is_change=True)
    shadow = _act(to, "shadow", acts.shadow, is_change=True)
    stop = _act(to, "stop-shadow", acts.stop_shadow, is_change=True)
    disable = _act(to, "disable", acts.disable, is_change=True)
    statistics = _act(to, "statistics", acts.statistics)
    for one in (version, shadow, stop, disable, statistics):
        one.add_argument("rule", help="frl_…")
    shadow.add_argument("version", help="frv_…")
    for one in (create, version):
        one.add_argument("expression", help="in CEL")
        one.add_argument("action", choices=RULE_ACTIONS)
        one.add_argument("message", help="of each hit, for people")
    statistics.add_argument("--since", type=dt.date.fromisoformat, help="the first day")
    statistics.add_argument("--until", type=dt.date.fromisoformat, help="the one after the last")


def _add_lists(to: Any) -> None:  # noqa: ANN401 - as above
    _act(to, "list", acts.list_lists)
    create = _act(to, "create", acts.create_list, is_change=True)
    create.add_argument("name")
    create.add_argument("kind", choices=list(Kind))
    create.add_argument("action", choices=list(Action))
    create.add_argument("--note", default="", help="of each hit, for people")
    change = _act(to, "change", acts.change_list, is_change=True)
    add = _act(to, "add", acts.add_entry, is_change=True)
    load = _act(to, "import", acts.import_list, is_change=True)
    for one in (change, add, load):
        one.add_argument("list", help="fls_…")
    change.add_argument("--note")
    change.add_argument("--action", choices=list(Action))
    change.add_argument("--state", choices=list(State))
    for one in (create, change):
        one.add_argument("--min-quality", type=float, help="of a list of names: 50 to 100")
    add.add_argument("value")
    add.add_argument("--note", default="")
    load.add_argument("file", type=_content)
    load.add_argument("--aliases", type=_content, help="OFAC's alt.csv")
    load.add_argument("--layout", choices=list(Layout), default=Layout.CSV)
    remove = _act(to, "remove", acts.remove_entry, is_change=True)
    remove.add_argument("entry", help="fle_…")


def _add_backtests(to: Any) -> None:  # noqa: ANN401 - as above
    order = _act(to, "order", acts.order_backtest, is_change=True)
    order.add_argument("change", type=_object, help="JSON, as docs/fraud/backtests.md has it")
    order.add_argument("--from", dest="since", type=_moment, required=True)
    order.add_argument("--to", dest="until", type=_moment, required=True)
    show = _act(to, "show", acts.read_backtest)
    show.add_argument("id", help="fbt_…")
    for one in (order, show, _act(to, "list", acts.list_backtests)):
        _add_mode(one)


def _add_promotions(to: Any) -> None:  # noqa: ANN401 - as above
    promote = _act(to, "promote", acts.promote, is_change=True)
    promote.add_argument("id", help="of the back-test: fbt_…")
    promote.add_argument("--because", help="why it passes though the gate is closed; it is kept")
    revert = _act(to, "revert", acts.revert, is_change=True)
    revert.add_argument("id", help="fpr_…")
    for one in (promote, revert, _act(to, "list", acts.list_promotions)):
        _add_mode(one)


def _add_settings(to: Any) -> None:  # noqa: ANN401 - as above
    gate = _act(to, "gate", acts.change_gate, is_change=True)
    gate.add_argument("choices", type=_object, help='JSON, such as {"payments_min": 5000}')
    _act(to, "show", acts.read_settings)


def _act(to: Any, name: str, do: Any, *, is_change: bool = False) -> Parser:  # noqa: ANN401 - as above
    parser: Parser = to.add_parser(name, help=do.__doc__)
    parser.set_defaults(do=do)
    if is_change:
        parser.add_argument("--by", required=True, help="who says so")
    return parser


def _add_mode(parser: Parser) -> None:
    parser.add_argument("--mode", choices=list(Mode), default=Mode.LIVE, help="whose payments")


def _content(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{name}: {error.strerror}") from None


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise TypeError("a JSON object is wanted")
    return value


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment has its offset, such as 2026-11-27T09:30:00Z")
    return moment


if __name__ == "__main__":
    sys.exit(main())
