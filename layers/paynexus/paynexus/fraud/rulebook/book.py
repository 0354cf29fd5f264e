"""The rules that run, ready to be evaluated: compiled once a version, read anew when they change.

Pure but for what `load` does.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from paynexus import ids
from paynexus.errors import InvalidRule
from paynexus.fraud.model import Hit, Source, Value
from paynexus.fraud.rulebook.language import Compiled, activation_of, compile_rule
from paynexus.fraud.rulebook.model import (
    LATE,
    VERSION_PREFIX,
    Erred,
    Evaluated,
    IsLate,
    Outcome,
    Running,
    VersionId,
)
from paynexus.ids import MerchantId

COMPILED_MAX = 2_000
"""Compiled versions that one process keeps: about 20 kB each."""
BOOKS_MAX = 500
"""Merchants whose rulebook one process keeps."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A stored rule that compiles no longer, because a feature was withdrawn: it errs each time."""

    error: str


@dataclass(frozen=True, slots=True)
class RuleBook:
    """The platform's running versions and a merchant's."""

    rules: tuple[tuple[Running, Compiled | Broken], ...]

    def evaluate(
        self,
        values: Mapping[str, Value],
        *,
        snoozed: Collection[UUID] = (),
        is_late: IsLate = lambda: False,
    ) -> Evaluated:
        """What every rule says that isn't `snoozed`; nothing raises, and no error decides.

        From the moment that `is_late` says so, the rest are errors without being evaluated.
        """
        activation = activation_of(values)
        hits: list[Hit] = []
        errors: list[Erred] = []
        for rule, compiled in self.rules:
            if rule.rule_id in snoozed:
                continue
            outcome = _outcome(compiled, activation, is_late)
            if outcome.error is not None:
                errors.append(Erred(_shown(rule), rule.code, outcome.error))
            elif outcome.is_hit:
                hits.append(_hit(rule, compiled, values))
        return Evaluated(tuple(hits), tuple(errors))


class Books:
    """The rulebooks of one process, each read anew when its revision is another."""

    def __init__(self) -> None:
        self._books: OrderedDict[MerchantId, tuple[Hashable, RuleBook]] = OrderedDict()
        self._compiled: OrderedDict[VersionId, Compiled | Broken] = OrderedDict()

    def book(
        self,
        merchant_id: MerchantId,
        revisions: Hashable,
        load: Callable[[], Sequence[Running]],
    ) -> RuleBook:
        """The merchant's rulebook as of `revisions`, the platform's and its own.

        `load` is called when they aren't those of the book that is kept. What it raises is raised.
        """
        kept = self._books.get(merchant_id)
        if kept is None or kept[0] != revisions:
            rules = tuple((rule, self._of(rule)) for rule in load())
            kept = revisions, RuleBook(rules)
        _keep(self._books, merchant_id, kept, limit=BOOKS_MAX)
        return kept[1]

    def _of(self, rule: Running) -> Compiled | Broken:
        compiled = self._compiled.get(rule.version_id)
        if compiled is None:
            compiled = _compiled(rule.wording.expression)
        _keep(self._compiled, rule.version_id, compiled, limit=COMPILED_MAX)
        return compiled


def book_of(rules: Sequence[Running]) -> RuleBook:
    """The rulebook of these versions, compiled now: for back-tests and candidates."""
    return RuleBook(tuple((rule, _compiled(rule.wording.expression)) for rule in rules))


def _compiled(expression: str) -> Compiled | Broken:
    try:
        return compile_rule(expression)
    except InvalidRule as error:
        return Broken(error.detail)


def _outcome(compiled: Compiled | Broken, activation: object, is_late: IsLate) -> Outcome:
    if is_late():
        return Outcome(is_hit=False, error=LATE)
    if isinstance(compiled, Broken):
        return Outcome(is_hit=False, error=compiled.error)
    return compiled.judge(activation)


def _hit(rule: Running, compiled: Compiled | Broken, values: Mapping[str, Value]) -> Hit:
    read = compiled.features if isinstance(compiled, Compiled) else ()
    return Hit(
        source=Source.RULE,
        id=_shown(rule),
        code=rule.code,
        action=rule.wording.action,
        detail=rule.wording.message,
        is_platform=rule.is_platform,
        is_shadow=rule.is_shadow,
        seen={name: values.get(name) for name in read},
    )


def _shown(rule: Running) -> str:
    return ids.text(VERSION_PREFIX, rule.version_id)


def _keep[Key, Kept](kept: OrderedDict[Key, Kept], key: Key, value: Kept, *, limit: int) -> None:
    """`value` is the one used last; the one used longest ago makes room."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > limit:
        kept.popitem(last=False)
