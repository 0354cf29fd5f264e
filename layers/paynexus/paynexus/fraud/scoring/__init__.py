"""The model's score: a probability of fraud, from trees that were grown elsewhere."""

from paynexus.fraud.scoring.files import SHIPPED, load, verify_all
from paynexus.fraud.scoring.model import Model, ModelRefused, Score

__all__ = ["SHIPPED", "Model", "ModelRefused", "Score", "load", "verify_all"]
