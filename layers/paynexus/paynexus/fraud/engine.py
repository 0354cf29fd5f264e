"""What deciding takes: the database, Redis, and what an environment keeps of rules and models.

Each check has an answer for when it can't be made: it is then named, and the policy decides.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from paynexus import errors
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.fraud import scoring
from paynexus.fraud.history import features as history
from paynexus.fraud.history.model import History
from paynexus.fraud.lists import names
from paynexus.fraud.model import Hit, Subject, Value
from paynexus.fraud.policy import Scored, Thresholds
from paynexus.fraud.rulebook.book import Books
from paynexus.fraud.rulebook.language import compile_rule
from paynexus.fraud.rulebook.model import LATE, Running
from paynexus.fraud.rulebook.store import rules
from paynexus.fraud.store import Gathered
from paynexus.observability import count, logger

DECISION_SECONDS = 4.0
"""A decision that takes longer is made with what is there: the payer waits for it."""
LEAST_MS = 10
"""What Postgres is given in any case, in milliseconds."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The time that one decision may take."""

    until: float
    monotonic: Callable[[], float]

    def left_ms(self) -> int:
        """What is left of it, in milliseconds; never less than `LEAST_MS`."""
        return max(LEAST_MS, int((self.until - self.monotonic()) * 1000))

    def is_spent(self) -> bool:
        """Whether nothing is left of it."""
        return self.monotonic() >= self.until


@dataclass(frozen=True, slots=True)
class Ruled:
    """What the rules said, and whether all of them were asked."""

    hits: Sequence[Hit] = ()
    errors: Sequence[Mapping[str, str]] = ()
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Score:
    """What the model said, and whether it was asked as it should be."""

    score: Scored | None = None
    is_made: bool = True


@dataclass(frozen=True, slots=True)
class Engine:
    """Made once an environment; `decision_seconds` is the budget of each decision."""

    database: Database
    cache: Cache
    decision_seconds: float = DECISION_SECONDS
    monotonic: Callable[[], float] = time.monotonic
    books: Books = field(default_factory=Books)

    def budget(self) -> Budget:
        """Of a decision that begins now."""
        return Budget(self.monotonic() + self.decision_seconds, self.monotonic)

    def ruled(
        self, subject: Subject, gathered: Gathered, values: Mapping[str, Value], budget: Budget
    ) -> Ruled:
        """What the rules in force say; read anew only if they have changed."""

        def load() -> Sequence[Running]:
            with self.database.reading() as connection:
                return rules.load_within(
                    connection, subject.merchant_id, milliseconds=budget.left_ms()
                )

        try:
            book = self.books.book(subject.merchant_id, tuple(gathered.revisions), load)
        except errors.DatabaseUnavailable:
            return Ruled(is_whole=False)
        said = book.evaluate(values, snoozed=gathered.snoozed, is_late=budget.is_spent)
        erred = [asdict(error) for error in said.errors]
        return Ruled(said.hits, erred, is_whole=all(one.error != LATE for one in said.errors))

    def scored(self, gathered: Gathered, values: Mapping[str, Value], budget: Budget) -> Score:
        """What the model that is chosen says; one in shadow is no check that could be missed."""
        chosen = gathered.settings
        if chosen["model_state"] == "off":
            return Score()
        is_shadow = chosen["model_state"] == "shadow"
        if budget.is_spent():
            return Score(is_made=is_shadow)
        try:
            model = scoring.load(chosen["model"])
        except scoring.ModelRefused as refused:
            logger.error("model refused", error=str(refused))
            count("FraudModelRefused")
            return Score(is_made=is_shadow)
        thresholds = Thresholds(chosen["challenge_at"], chosen["block_at"])
        probability = model.score(values).probability
        return Score(Scored(model.version, probability, thresholds, is_shadow))


def warm() -> None:
    """What decides is loaded: no payment's time goes by for that."""
    compile_rule("amount > 0")
    names.quality("ada lovelace", "ada lovelace")
    # One that doesn't fit says so at each decision that it is chosen for.
    with suppress(scoring.ModelRefused):
        scoring.load()


def history_of(subject: Subject, gathered: Gathered) -> Mapping[str, Value]:
    """The features of the card's and the terminal's history before the payment."""
    return history.features(subject.money, History.from_json(gathered.history))
