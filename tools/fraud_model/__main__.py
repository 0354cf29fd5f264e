"""The fraud model, from its seeds: python -m tools.fraud_model baselines | train | evaluate.

    baselines   the Handbook's models, trained here, beside what it publishes
    evaluate    our model beside them: on the published split, and on weeks after it
    train       the model's file and its golden set, written where the product and tests read them

It needs the packages of tools/fraud_model/requirements.txt, which nothing else does.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean

from tools.fraud_model import baselines, dataset, handbook, shipping, simulator, training
from tools.fraud_model.protocol import PUBLISHED_START, TRAIN_DAYS, Scores
from tools.fraud_model.simulator import Payments
from tools.fraud_model.training import LONG_DAYS

FOLDER = Path(".local/fraud-model")


def main() -> None:
    """What was asked for is printed or written."""
    parser = argparse.ArgumentParser(prog="python -m tools.fraud_model", description=__doc__)
    parser.add_argument("command", choices=("baselines", "train", "evaluate"))
    parser.add_argument("--folder", type=Path, default=FOLDER, help="keeps what takes long")
    options = parser.parse_args()
    payments = simulator.payments(options.folder)
    if options.command == "baselines":
        _baselines(payments)
    elif options.command == "evaluate":
        _evaluate(payments, options.folder)
    else:
        shipping.ship(payments, dataset.rows(payments, options.folder))


def _baselines(payments: Payments) -> None:
    rows = handbook.features(payments)
    _header()
    for name, found in baselines.measured(payments, rows, PUBLISHED_START).items():
        _line(name, found)
        _line("  published", baselines.PUBLISHED[name])
    later = [baselines.measured(payments, rows, start) for start in training.OTHER_STARTS]
    for name in baselines.PUBLISHED:
        _line(f"{name}, later weeks", _of(mean, [each[name] for each in later]))


def _evaluate(payments: Payments, folder: Path) -> None:
    rows = dataset.rows(payments, folder)
    _header()
    _line("Best published, of a longer selection", baselines.BEST_PUBLISHED)
    for days in (TRAIN_DAYS, LONG_DAYS):
        for title, starts in (
            ("validation weeks", training.VALIDATION_STARTS),
            ("published split", (PUBLISHED_START,)),
            ("later weeks", training.OTHER_STARTS),
        ):
            found = [
                training.trained(payments, rows, start, train_days=days).scores for start in starts
            ]
            name = f"Ours, {days} days, {title}"
            _line(name, _of(mean, found))
            if len(found) > 1:
                _line("  lowest", _of(min, found))
                _line("  highest", _of(max, found))
    model = shipping.grown(payments, rows)
    for line in shipping.report(payments, model):
        print(line)


def _header() -> None:
    print(f"{'':40}{'AUC ROC':>10}{'AP':>10}{'CP@100':>10}")


def _line(name: str, scores: Scores) -> None:
    figures = (scores.auc, scores.average_precision, scores.card_precision)
    print(f"{name:40}" + "".join(f"{figure:10.3f}" for figure in figures))


def _of(pick: Callable[[list[float]], float], found: Sequence[Scores]) -> Scores:
    return Scores(
        pick([each.auc for each in found]),
        pick([each.average_precision for each in found]),
        pick([each.card_precision for each in found]),
    )


if __name__ == "__main__":
    main()
