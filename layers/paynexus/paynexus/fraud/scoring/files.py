"""The models that are shipped with this code."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from paynexus.fraud.history import features as history
from paynexus.fraud.scoring.model import Model, ModelRefused

SHIPPED = "handbook-1"
"""The version that is shipped: trained on simulated payments (docs/fraud/model.md)."""


@cache
def load(version: str = SHIPPED) -> Model:
    """The model of this version, read once. Raises ModelRefused when it doesn't fit this code."""
    file = files("paynexus.fraud.scoring").joinpath("models", f"{version}.json")
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ModelRefused(f"no model of version {version} is shipped") from None
    model = Model.parse(text)
    if model.version != version:
        raise ModelRefused(f"the file of version {version} says that it is {model.version}")
    if model.features != tuple(history.FEATURES):
        raise ModelRefused(f"version {version} reads other features than this code serves")
    return model


def verify_all() -> Sequence[str]:
    """The versions that are shipped; raises ModelRefused when one of them doesn't fit this code."""
    folder = files("paynexus.fraud.scoring").joinpath("models")
    versions = [
        file.name.removesuffix(".json") for file in folder.iterdir() if file.name.endswith(".json")
    ]
    return [load(version).version for version in sorted(versions)]
