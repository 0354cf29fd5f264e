"""The Handbook's baseline models, trained as it trains them, beside what it publishes."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

from tools.fraud_model import protocol
from tools.fraud_model.protocol import Scores
from tools.fraud_model.simulator import Floats, Payments

SEED = 0
PUBLISHED: Mapping[str, Scores] = {
    "Logistic regression": Scores(0.871, 0.606, 0.291),
    "Decision tree, depth 2": Scores(0.763, 0.496, 0.241),
    "Decision tree, unlimited": Scores(0.788, 0.309, 0.243),
    "Random forest": Scores(0.867, 0.658, 0.287),
    "XGBoost": Scores(0.862, 0.639, 0.273),
}
BEST_PUBLISHED = Scores(0.872, 0.694, 0.304)
"""XGBoost after the Handbook's selection of models, on data of a longer time."""


def measured(payments: Payments, rows: Floats, start: dt.date) -> dict[str, Scores]:
    """What each of the published models reaches on the split of this start.

    `rows` are the Handbook's features.
    """
    split = protocol.split(payments, start)
    scaler = StandardScaler().fit(rows[split.train])
    train, test = scaler.transform(rows[split.train]), scaler.transform(rows[split.test])
    found = {}
    for name, model in _models().items():
        model.fit(train, payments.fraud[split.train])
        predictions = model.predict_proba(test)[:, 1]
        found[name] = protocol.scores(payments, split.test, predictions)
    return found


def _models() -> dict[str, Any]:
    """With the libraries' defaults of when they were published."""
    return {
        "Logistic regression": LogisticRegression(random_state=SEED),
        "Decision tree, depth 2": DecisionTreeClassifier(max_depth=2, random_state=SEED),
        "Decision tree, unlimited": DecisionTreeClassifier(random_state=SEED),
        "Random forest": RandomForestClassifier(random_state=SEED, n_jobs=1),
        # Later versions bin the values and guess a base score, which costs 0.04 to 0.07 of AP.
        "XGBoost": XGBClassifier(tree_method="exact", base_score=0.5, random_state=SEED, n_jobs=1),
    }
