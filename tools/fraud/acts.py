"""What operators do: each act answers the lines that are printed."""

import argparse
import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping
from uuid import UUID

from paynexus import jsontext
from paynexus.clock import system_clock
from paynexus.db import Connection, Database
from paynexus.fraud.backtest import promotion, resource
from paynexus.fraud.backtest import service as backtests
from paynexus.fraud.backtest.model import Period, Scope
from paynexus.fraud.lists import service as lists
from paynexus.fraud.lists import views as list_views
from paynexus.fraud.lists.files import Layout
from paynexus.fraud.lists.model import Kind, Wanted
from paynexus.fraud.model import Action
from paynexus.fraud.rulebook import service as rulebook
from paynexus.fraud.rulebook import views as rule_views
from paynexus.fraud.rulebook.model import Rule, Wording
from paynexus.identity.model import Mode
from paynexus.lists.model import Page

SHOWN_MAX = 1_000
"""Lines of one list, the newest first."""
STATISTICS_DAYS = 30
"""Days of statistics unless others are asked for, today among them."""
PAGE: Page[UUID] = Page(SHOWN_MAX)

PLATFORM = Scope(None, Mode.LIVE)
"""Of settings, which hold for both modes."""

type Asked = argparse.Namespace


def list_rules(database: Database, _: Asked) -> Iterable[str]:
    """Every rule, newest first."""
    found, _more = rulebook.list_of(database, PAGE, owner=None)
    return [_row(rule_views.rule_resource(one)) for one in found]


def create_rule(database: Database, asked: Asked) -> Iterable[str]:
    """A draft."""
    return _ruled(
        database, lambda tx: rulebook.create_rule(tx, asked.code, _wording(asked), by=_by(asked))
    )


def add_version(database: Database, asked: Asked) -> Iterable[str]:
    """Another wording; what runs of the rule runs on."""
    return _ruled(
        database, lambda tx: rulebook.add_version(tx, asked.rule, _wording(asked), by=_by(asked))
    )


def shadow(database: Database, asked: Asked) -> Iterable[str]:
    """The version is evaluated with each payment and decides nothing."""
    return _ruled(
        database,
        lambda tx: rulebook.run_in_shadow(tx, asked.rule, asked.version, by=_by(asked)),
    )


def stop_shadow(database: Database, asked: Asked) -> Iterable[str]:
    """No version of the rule runs in shadow."""
    return _ruled(database, lambda tx: rulebook.stop_shadow(tx, asked.rule, by=_by(asked)))


def disable(database: Database, asked: Asked) -> Iterable[str]:
    """No version of the rule runs."""
    return _ruled(database, lambda tx: rulebook.disable(tx, asked.rule, by=_by(asked)))


def statistics(database: Database, asked: Asked) -> Iterable[str]:
    """What each version did in each mode."""
    until = asked.until or system_clock().date() + dt.timedelta(days=1)
    since = asked.since or until - dt.timedelta(days=STATISTICS_DAYS)
    found = rulebook.statistics(database, asked.rule, owner=None, since=since, until=until)
    return [_row(rule_views.statistics_resource(one)) for one in found]


def list_lists(database: Database, _: Asked) -> Iterable[str]:
    """Every list, newest first."""
    found, _more = lists.lists_of(database, PAGE, merchant_id=None)
    return [_row(list_views.fraud_list(one)) for one in found]


def create_list(database: Database, asked: Asked) -> Iterable[str]:
    """An empty list, which each decision asks."""
    wanted = Wanted(
        asked.name, Kind(asked.kind), Action(asked.action), asked.note, asked.min_quality
    )
    made = lists.create_list(
        database, wanted, merchant_id=None, author=asked.by, now=system_clock()
    )
    return [_row(list_views.fraud_list(made))]


def change_list(database: Database, asked: Asked) -> Iterable[str]:
    """The list as it is now."""
    named = {name: getattr(asked, name) for name in ("note", "action", "state", "min_quality")}
    changes = {name: value for name, value in named.items() if value is not None}
    changed = lists.change_list(database, asked.list, changes, merchant_id=None, now=system_clock())
    return [_row(list_views.fraud_list(changed))]


def add_entry(database: Database, asked: Asked) -> Iterable[str]:
    """The value is listed."""
    added = lists.add_entry(
        database,
        asked.list,
        asked.value,
        merchant_id=None,
        author=asked.by,
        now=system_clock(),
        note=asked.note,
    )
    return [_row(list_views.entry(added))]


def remove_entry(database: Database, asked: Asked) -> Iterable[str]:
    """It is listed no more."""
    removed = lists.remove_listed(database, asked.entry, merchant_id=None, now=system_clock())
    return [_row(list_views.entry(removed))]


def import_list(database: Database, asked: Asked) -> Iterable[str]:
    """How many entries came, went and changed."""
    report = lists.import_csv(
        database,
        asked.list,
        asked.file,
        layout=Layout(asked.layout),
        merchant_id=None,
        author=asked.by,
        now=system_clock(),
        aliases=asked.aliases,
    )
    return [_row(list_views.report(report))]


def order_backtest(database: Database, asked: Asked) -> Iterable[str]:
    """A back-test that waits for the worker."""
    wanted = backtests.Wanted(asked.change, Period(asked.since, asked.until))
    made = backtests.order(database, wanted, scope=_scope(asked), by=asked.by, now=system_clock())
    return [_shown(resource.backtest(made))]


def list_backtests(database: Database, asked: Asked) -> Iterable[str]:
    """Every back-test of the mode, newest first, without its report."""
    found, _more = backtests.list_of(database, PAGE, scope=_scope(asked))
    return [_row(resource.backtest(one), without={"report"}) for one in found]


def read_backtest(database: Database, asked: Asked) -> Iterable[str]:
    """The back-test with its report."""
    return [_shown(resource.backtest(backtests.find(database, asked.id, scope=_scope(asked))))]


def promote(database: Database, asked: Asked) -> Iterable[str]:
    """The change has taken effect."""
    made = promotion.promote(
        database,
        asked.id,
        scope=_scope(asked),
        by=asked.by,
        now=system_clock(),
        because=asked.because,
    )
    return [_shown(resource.promotion(made))]


def revert(database: Database, asked: Asked) -> Iterable[str]:
    """What stood before the promotion stands again."""
    one = promotion.revert(database, asked.id, scope=_scope(asked), by=asked.by, now=system_clock())
    return [_shown(resource.promotion(one))]


def list_promotions(database: Database, asked: Asked) -> Iterable[str]:
    """Every promotion of the mode, newest first."""
    found, _more = promotion.list_of(database, PAGE, scope=_scope(asked))
    return [_row(resource.promotion(one), without={"checks", "replaced"}) for one in found]


def read_settings(database: Database, _: Asked) -> Iterable[str]:
    """What scores payments, and what the gate asks."""
    return [_shown(promotion.settings_of(database, scope=PLATFORM))]


def change_gate(database: Database, asked: Asked) -> Iterable[str]:
    """The gate asks this from now on."""
    return [_shown(promotion.change_gate(database, asked.choices, scope=PLATFORM))]


def _ruled(database: Database, act: Callable[[Connection], Rule]) -> Iterable[str]:
    with database.transaction() as tx:
        rule = act(tx)
    return [_shown(rule_views.rule_resource(rule))]


def _by(asked: Asked) -> rulebook.Change:
    return rulebook.Change(None, asked.by, system_clock())


def _wording(asked: Asked) -> Wording:
    return Wording(asked.expression, Action(asked.action), asked.message)


def _scope(asked: Asked) -> Scope:
    return Scope(None, asked.mode)


def _row(one: Mapping[str, object], *, without: Iterable[str] = ()) -> str:
    """One line, in which each member has its name: `id=… state=…`."""
    told = {name: value for name, value in one.items() if name not in {"object", *without}}
    return "\t".join(f"{name}={_word(value)}" for name, value in told.items())


def _word(value: object) -> str:
    if isinstance(value, Mapping):
        return str(value.get("id") or jsontext.write(value))
    return "-" if value is None else str(value)


def _shown(one: Mapping[str, object]) -> str:
    return json.dumps(one, indent=2, ensure_ascii=False)
