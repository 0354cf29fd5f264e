"""The model that is shipped: grown, calibrated, written, and its golden set beside it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from paynexus.fraud.history.features import FEATURES
from paynexus.fraud.scoring import SHIPPED
from tools.fraud_model import export, training
from tools.fraud_model.export import COSTS
from tools.fraud_model.protocol import PUBLISHED_START
from tools.fraud_model.simulator import Floats, Payments
from tools.fraud_model.training import LONG_DAYS, Calibration, Trained

ROOT = Path(__file__).parents[2]
MODEL = ROOT / f"layers/paynexus/paynexus/fraud/scoring/models/{SHIPPED}.json"
GOLDEN = ROOT / "tests/unit/fraud_model_golden.json"
GOLDEN_ROWS = 300
GOLDEN_DIGITS = 6
GOLDEN_SEED = 0
MISSING_SHARE = 0.1
"""Of the golden values so many are missing besides those that are."""
BINS = (0.0, 0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class Grown:
    """The model of the published split, and what its sums of leaves mean."""

    model: Trained
    calibration: Calibration


def grown(payments: Payments, rows: Floats) -> Grown:
    """It is calibrated on the validation weeks, whose labels were known when the test began."""
    model = training.trained(payments, rows, PUBLISHED_START, train_days=LONG_DAYS)
    before = [
        training.trained(payments, rows, start, train_days=LONG_DAYS)
        for start in training.VALIDATION_STARTS
    ]
    return Grown(model, training.calibrated(payments, before))


def ship(payments: Payments, rows: Floats) -> None:
    """The model's file and the golden set are written."""
    made = grown(payments, rows)
    calibration = made.calibration
    MODEL.parent.mkdir(exist_ok=True)
    text = export.document(
        made.model.booster.dump_model(),
        version=SHIPPED,
        slope=calibration.slope,
        intercept=calibration.intercept,
    )
    MODEL.write_text(text, encoding="utf-8")
    GOLDEN.write_text(_golden(rows, made), encoding="utf-8")
    print(f"{MODEL.relative_to(ROOT)}: {len(text)} bytes")


def report(payments: Payments, made: Grown) -> Iterator[str]:
    """How far the probabilities are true on the test, and what the thresholds do there."""
    fraud = payments.fraud[made.model.test]
    probability = made.calibration.probability(made.model.totals)
    yield f"Brier score {np.mean((probability - fraud) ** 2):.5f}"
    yield "probability          payments    mean said   frauds found"
    for low, high in pairwise(BINS):
        inside = (probability >= low) & (probability < high)
        if inside.any():
            said, found = probability[inside].mean(), fraud[inside].mean()
            yield f"{low:5.3f} to {high:5.3f} {inside.sum():14}{said:13.4f}{found:15.4f}"
    block = probability >= COSTS.block_at
    challenge = (probability >= COSTS.challenge_at) & ~block
    for name, chosen in (("challenge", challenge), ("block", block)):
        at = getattr(COSTS, f"{name}_at")
        yield (
            f"{name} from {at:.3f}: {np.count_nonzero(chosen & fraud)} frauds, "
            f"{np.count_nonzero(chosen & ~fraud)} genuine payments"
        )
    cost = np.where(
        fraud,
        np.where(block, 0, np.where(challenge, COSTS.challenged_fraud, COSTS.fraud)),
        np.where(block, COSTS.blocked, np.where(challenge, COSTS.challenged, 0)),
    ).sum()
    yield f"cost {cost:.0f}, of {COSTS.fraud * fraud.sum():.0f} without a model"


def _golden(rows: Floats, made: Grown) -> str:
    """Rows of the test, frauds among them, and what LightGBM says of each."""
    draws = np.random.default_rng(GOLDEN_SEED)
    worst = made.model.test[np.argsort(-made.model.totals)[: GOLDEN_ROWS // 2]]
    others = draws.choice(made.model.test, GOLDEN_ROWS - len(worst), replace=False)
    chosen = np.round(rows[np.concatenate([worst, others])], GOLDEN_DIGITS)
    chosen[draws.random(chosen.shape) < MISSING_SHARE] = np.nan
    totals = np.asarray(made.model.booster.predict(chosen, raw_score=True))
    golden: dict[str, Any] = {
        "features": list(FEATURES),
        "rows": [[None if value != value else value for value in row] for row in chosen.tolist()],  # noqa: PLR0124 - NaN alone differs from itself
        "totals": totals.tolist(),
        "probabilities": made.calibration.probability(totals).tolist(),
    }
    return json.dumps(golden, separators=(",", ":")) + "\n"
