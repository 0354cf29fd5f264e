"""The trees walk as LightGBM walks them; a file that doesn't fit this code is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paynexus.fraud import scoring
from paynexus.fraud.features import FEATURES
from paynexus.fraud.history import features as history
from paynexus.fraud.history.model import History
from paynexus.fraud.scoring import Model, ModelRefused
from paynexus.fraud.scoring.model import Costs
from paynexus.fraud.scoring.trees import Forest
from paynexus.money import Money
from tools.fraud_model import export

GOLDEN = json.loads(Path(__file__).with_name("fraud_model_golden.json").read_text("utf-8"))
SHIPPED_FILE = (
    Path(scoring.__file__).parent.joinpath("models", f"{scoring.SHIPPED}.json").read_text("utf-8")
)
LARGEST_FILE_BYTES = 1_000_000


def test_the_shipped_model_says_what_lightgbm_says() -> None:
    """Sum of leaves and probability of each golden row, missing values among them."""
    model = scoring.load()

    assert GOLDEN["features"] == list(model.features)
    assert sum(None in row for row in GOLDEN["rows"]) > len(GOLDEN["rows"]) / 2
    for row, total, probability in zip(
        GOLDEN["rows"], GOLDEN["totals"], GOLDEN["probabilities"], strict=True
    ):
        assert model.forest.sum(row) == pytest.approx(total, abs=1e-9)
        score = model.score(dict(zip(model.features, row, strict=True)))
        assert score.probability == pytest.approx(probability, abs=1e-9)


def test_the_golden_set_has_both_ends() -> None:
    """Rows that would be blocked, and rows that go through."""
    model = scoring.load()

    assert sum(each >= model.block_at for each in GOLDEN["probabilities"]) > 50
    assert sum(each < model.challenge_at for each in GOLDEN["probabilities"]) > 50


def test_a_payment_without_any_history_is_scored() -> None:
    """Everything but the amount is missing then."""
    values = history.features(Money(1000, "EUR"), None)

    assert {name for name, value in values.items() if value is not None} == {"amount_major"}
    assert 0 < scoring.load().score(values).probability < 1


def test_a_score_names_what_it_rests_on() -> None:
    """Other features are there, and aren't named."""
    values = history.features(Money(1000, "EUR"), History())

    seen = scoring.load().score(values | {"hour": 3}).seen

    assert seen == values


def test_every_shipped_model_fits_this_code() -> None:
    """What the migration step asks."""
    assert scoring.verify_all() == [scoring.SHIPPED]
    assert len(SHIPPED_FILE.encode()) < LARGEST_FILE_BYTES


def test_an_unknown_version_is_refused() -> None:
    """It isn't shipped."""
    with pytest.raises(ModelRefused, match="no model of version other"):
        scoring.load("other")


def _without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda value: value.pop(name) and None


def _with(path: str, setting: object) -> Callable[[dict[str, Any]], None]:
    def change(value: dict[str, Any]) -> None:
        *way, last = path.split(".")
        for step in way:
            value = value[step]
        value[last] = setting

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_with("format", 2), "format is 2"),
        (_without("version"), "version"),
        (_without("trees"), "trees"),
        (_without("calibration"), "calibration"),
        (_with("costs.peace", 1), "peace"),
        (_with("features", ["phase_of_the_moon"]), "phase_of_the_moon"),
        (_with("features", ["hour", "hour"]), "distinct"),
        (_with("features", ["currency"]), "currency"),
        (_with("block_at", 1.5), "thresholds"),
        (_with("challenge_at", 0.9999), "thresholds"),
        (_with("challenge_at", 0), "thresholds"),
        (_with("calibration.slope", -1), "thresholds"),
        (_with("trees.column", [999]), "lengths"),
        (_with("trees.roots", [10**6]), "nowhere"),
        (_with("trees.roots", [-(10**6)]), "nowhere"),
    ],
)
def test_a_file_that_doesnt_fit_is_refused(
    change: Callable[[dict[str, Any]], None], why: str
) -> None:
    """Whatever of it is missing or wrong."""
    value = json.loads(SHIPPED_FILE)
    change(value)

    with pytest.raises(ModelRefused, match=why):
        Model.parse(json.dumps(value))


@pytest.mark.parametrize("text", ["", "[]", "null", "1", '{"format"', "{}"])
def test_what_isnt_a_model_is_refused(text: str) -> None:
    """Any other JSON, or none."""
    with pytest.raises(ModelRefused):
        Model.parse(text)


def test_features_in_another_order_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trees know a feature by its place."""
    reversed_ = dict(reversed(list(history.FEATURES.items())))
    scoring.load.cache_clear()
    monkeypatch.setattr(history, "FEATURES", reversed_)

    with pytest.raises(ModelRefused, match="other features"):
        scoring.verify_all()

    scoring.load.cache_clear()


def test_a_tree_that_leads_back_is_refused() -> None:
    """A walk through it would never end."""
    value = json.loads(SHIPPED_FILE)
    value["trees"]["low"][5] = 5

    with pytest.raises(ModelRefused, match="nowhere"):
        Model.parse(json.dumps(value))


@pytest.mark.parametrize(
    ("column", "value", "leaf"),
    [(0, 1.0, 10), (0, 1.5, 20), (0, None, 20), (1, 1.0, 10), (1, 1.5, 20), (1, None, 10)],
)
def test_a_missing_value_goes_where_the_node_sends_it(
    column: int, value: float | None, leaf: float
) -> None:
    """High by the first column of a feature, low by the second."""
    forest = Forest((0,), (column,), (1.0,), (-1,), (-2,), (10, 20))

    assert forest.sum([value]) == leaf


def test_thresholds_are_where_the_costs_are_equal() -> None:
    """By the expected cost of each way to treat a payment."""
    costs = Costs(fraud=100, challenged_fraud=15, challenged=3, blocked=40)

    def challenged(probability: float) -> float:
        return probability * costs.challenged_fraud + (1 - probability) * costs.challenged

    at = costs.challenge_at
    assert at * costs.fraud == pytest.approx(challenged(at))
    at = costs.block_at
    assert (1 - at) * costs.blocked == pytest.approx(challenged(at))


def test_the_shipped_thresholds_follow_from_the_shipped_costs() -> None:
    """A file says both."""
    model = scoring.load()

    assert model.challenge_at == pytest.approx(model.costs.challenge_at)
    assert model.block_at == pytest.approx(model.costs.block_at)


def test_every_feature_of_a_history_is_in_the_catalogue() -> None:
    """With the meaning that it has there, and as optional but for the amount."""
    for name, known in history.FEATURES.items():
        assert FEATURES[name].meaning == known.meaning
        assert FEATURES[name].is_optional == (name != "amount_major")


@pytest.mark.parametrize(
    ("node", "leaf"),
    [
        ({"missing_type": "NaN", "default_left": True, "threshold": 1.0}, 10),
        ({"missing_type": "NaN", "default_left": False, "threshold": 1.0}, 20),
        ({"missing_type": "None", "default_left": False, "threshold": 1.0}, 10),
        ({"missing_type": "None", "default_left": True, "threshold": -1.0}, 20),
    ],
)
def test_lightgbms_missing_types_are_exported(node: dict[str, Any], leaf: float) -> None:
    """Without missing values in training, LightGBM takes a missing value for a zero."""
    forest = Forest(**_exported(node | {"decision_type": "<="})["trees"])

    assert forest.sum([None] * len(history.FEATURES)) == leaf


@pytest.mark.parametrize(
    "node",
    [
        {"missing_type": "Zero", "decision_type": "<="},
        {"missing_type": "NaN", "decision_type": "=="},
    ],
)
def test_trees_that_arent_walked_are_not_exported(node: dict[str, Any]) -> None:
    """Categories, and zeros that count as missing."""
    with pytest.raises(ValueError, match="no such node"):
        _exported(node | {"default_left": True, "threshold": 1.0})


def _exported(node: dict[str, Any]) -> dict[str, Any]:
    leaves = {"left_child": {"leaf_value": 10}, "right_child": {"leaf_value": 20}}
    dump = {
        "feature_names": list(history.FEATURES),
        "tree_info": [{"tree_structure": {"split_feature": 0} | node | leaves}],
    }
    value: dict[str, Any] = json.loads(export.document(dump, version="test", slope=1, intercept=0))
    return value


def test_random_trees_walk_as_in_lightgbm() -> None:
    """Trees of LightGBM's own, grown on noise with holes; where it is installed."""
    lightgbm = pytest.importorskip("lightgbm")
    numpy = pytest.importorskip("numpy")
    draws = numpy.random.default_rng(1)
    rows = draws.normal(size=(3_000, len(history.FEATURES)))
    rows[:, 1:][draws.random((3_000, rows.shape[1] - 1)) < 0.3] = numpy.nan
    goal = (numpy.nansum(rows[:, :5], axis=1) + draws.normal(size=3_000)) > 0
    data = lightgbm.Dataset(rows, goal)
    booster = lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, data, 40)
    text = export.document(booster.dump_model(), version="noise", slope=1, intercept=0)
    model = Model.parse(text)
    rows[:, 0][:500] = numpy.nan

    for row, total in zip(rows.tolist(), booster.predict(rows, raw_score=True), strict=True):
        known = [None if value != value else value for value in row]  # noqa: PLR0124 - NaN alone differs from itself
        assert model.forest.sum(known) == pytest.approx(total, abs=1e-9)
