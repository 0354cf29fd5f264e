"""Our model: boosted trees on the served features, trained and calibrated without a look ahead."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np

from paynexus.fraud.history.features import FEATURES
from tools.fraud_model import protocol
from tools.fraud_model.protocol import PUBLISHED_START, Scores
from tools.fraud_model.simulator import Floats, Ints, Payments

SEED = 0
LONG_DAYS = 35
"""The longer of the two training windows."""
TREES = 200
PARAMETERS: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.35,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "seed": SEED,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}
"""Chosen on `VALIDATION_STARTS`, whose tests end before the published one begins."""
VALIDATION_STARTS = tuple(PUBLISHED_START - dt.timedelta(days=days) for days in (28, 21, 14))
OTHER_STARTS = tuple(PUBLISHED_START + dt.timedelta(days=days) for days in (7, 14, 21))
"""Later weeks, on which nothing was chosen either."""
NEWTON_STEPS = 50


@dataclass(frozen=True, slots=True)
class Trained:
    """A model, and what it says of its test."""

    booster: lightgbm.Booster
    test: Ints
    totals: Floats
    """Sum of leaves of each payment of the test."""
    scores: Scores


def trained(payments: Payments, rows: Floats, start: dt.date, *, train_days: int) -> Trained:
    """The model of this start, tested on its week."""
    split = protocol.split(payments, start, train_days=train_days)
    train = lightgbm.Dataset(
        rows[split.train], payments.fraud[split.train], feature_name=list(FEATURES)
    )
    booster = lightgbm.train(PARAMETERS, train, TREES)
    totals = np.asarray(booster.predict(rows[split.test], raw_score=True))
    return Trained(booster, split.test, totals, protocol.scores(payments, split.test, totals))


@dataclass(frozen=True, slots=True)
class Calibration:
    """Log-odds are `slope` times the sum of leaves plus `intercept`."""

    slope: float
    intercept: float

    def probability(self, totals: Floats) -> Floats:
        """What sums of leaves mean."""
        found: Floats = 1 / (1 + np.exp(-(self.slope * totals + self.intercept)))
        return found


def calibrated(payments: Payments, tested: Sequence[Trained]) -> Calibration:
    """By the likelihood of what came of tests that the models hadn't seen (Platt)."""
    totals = np.concatenate([each.totals for each in tested])
    fraud = np.concatenate([payments.fraud[each.test] for each in tested]).astype(np.float64)
    inputs = np.column_stack([totals, np.ones(len(totals))])
    weights = np.array([1.0, 0.0])
    for _ in range(NEWTON_STEPS):
        probability = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (fraud - probability)
        curvature = (inputs * (probability * (1 - probability))[:, None]).T @ inputs
        weights += np.linalg.solve(curvature, gradient)
    return Calibration(float(weights[0]), float(weights[1]))
