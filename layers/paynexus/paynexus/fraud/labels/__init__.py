"""Labels: what is known of a payment by hindsight, and since when."""

from paynexus.fraud.labels.service import gather, label_of
from paynexus.fraud.labels.store import Label

__all__ = ["Label", "gather", "label_of"]
