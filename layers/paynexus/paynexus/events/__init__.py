"""The facts we publish: one envelope, one data model per fact, one believable sample of each.

A released version never changes; a fact that must change gets a new version beside the old.
`events/schemas` and `events/samples` are generated from here by `tools.export_schemas`.
"""

from paynexus.events.data import SettlementData
from paynexus.events.facts import FACTS, require_valid, schema_of

__all__ = ["FACTS", "SettlementData", "require_valid", "schema_of"]
