"""Lists in SQL: what their statements have in common."""

from collections.abc import Mapping
from typing import LiteralString
from uuid import UUID

from psycopg import sql

from paynexus.ids import MerchantId
from paynexus.lists.model import Page, id_range

type Filters = Mapping[str, LiteralString]
"""The condition that each filter of a list adds to its statement."""


def statement(text: LiteralString, filters: Filters, page: Page[UUID] | Page[int]) -> sql.Composed:
    """`text` with the conditions that the page asks for in the place of `{like}`, and no others.

    A condition that is off is not there: as `x IS NULL OR …` it would keep a plan that serves
    every value from using an index.
    """
    conditions = [sql.SQL(filters[name]) for name in page.like]
    return sql.SQL(text).format(like=sql.SQL("\n").join(conditions))


def values(page: Page[UUID], merchant_id: MerchantId, mode: str) -> dict[str, object]:
    """What a statement over rows with an id and `created_at` is run with: one row more.

    Bounds are always given, so that ranges of ids meet an index and leave partitions out.
    """
    least, above = id_range(page)
    return {
        **page.like,
        "merchant_id": merchant_id,
        "mode": mode,
        "least": least,
        "above": above,
        "since": page.since,
        "until": page.until,
        "limit": page.limit + 1,
    }
