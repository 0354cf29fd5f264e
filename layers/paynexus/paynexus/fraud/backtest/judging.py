"""Decides as the product does, from features that are at hand. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from paynexus.fraud.backtest.changes import ModelState
from paynexus.fraud.backtest.configuration import Configuration
from paynexus.fraud.backtest.replay import Judgement, Payment
from paynexus.fraud.lists import rules as lists
from paynexus.fraud.model import Hit, Value
from paynexus.fraud.policy import Limits, Scored, Thresholds, settle
from paynexus.fraud.rulebook.book import RuleBook, book_of
from paynexus.fraud.rulebook.language import Compiled
from paynexus.fraud.rulebook.model import Running
from paynexus.fraud.values import values_of
from paynexus.ids import MerchantId

type Score = Callable[[Mapping[str, Value]], float]
"""The probability of fraud that a model finds in a payment's features."""


@dataclass(frozen=True, slots=True)
class Court:
    """One merchant's configuration, ready to decide."""

    configuration: Configuration[Running]
    book: RuleBook
    reads: frozenset[str]
    """The features that its rules read."""
    limits: Limits
    score: Score | None

    def judge(self, payment: Payment, features: Mapping[str, Value]) -> Judgement:
        """What lists, rules, model and policy make of it. Nobody's snooze holds: it was for then.

        What is in shadow is not asked: it decides nothing.
        """
        subject = payment.subject
        values = values_of(subject, self.limits, features)
        # Handing over a value takes longer than most rules: only those that any rule reads.
        said = self.book.evaluate({name: values[name] for name in self.reads})
        decision = settle(
            [*self._listed(payment), *said.hits],
            money=subject.money,
            limits=self.limits,
            scored=self._scored(values),
        )
        return Judgement(decision.verdict, len(said.errors))

    def _listed(self, payment: Payment) -> Iterator[Hit]:
        removed, proposed = self.configuration.removed, self.configuration.proposed
        still = (one for one in payment.listed if one.entry_id not in removed)
        yield from lists.judge(still, payment.subject)
        if proposed:
            yield from proposed.hits(payment.subject)

    def _scored(self, values: Mapping[str, Value]) -> Scored | None:
        chosen = self.configuration.settings
        if self.score is None or chosen.get("challenge_at") is None:
            return None
        thresholds = Thresholds(chosen["challenge_at"], chosen["block_at"])
        return Scored(chosen["model"], self.score(values), thresholds, is_shadow=False)


@dataclass(frozen=True, slots=True)
class Courts:
    """Every merchant's: a payment is decided by its own."""

    by_merchant: Mapping[MerchantId, Court]

    def judge(self, payment: Payment, features: Mapping[str, Value]) -> Judgement:
        """What the payment's merchant's configuration decides."""
        return self.by_merchant[payment.subject.merchant_id].judge(payment, features)


def court_of(configuration: Configuration[Running], models: Callable[[str], Score]) -> Court:
    """The configuration's rules are compiled, its model is loaded."""
    chosen, book = configuration.settings, book_of(list(configuration.rules.values()))
    compiled = [one for _, one in book.rules if isinstance(one, Compiled)]
    decides = chosen.get("model_state") == ModelState.ACTIVE
    return Court(
        configuration,
        book,
        frozenset(name for one in compiled for name in one.features),
        Limits.from_configuration(configuration.limits),
        models(chosen["model"]) if decides else None,
    )
