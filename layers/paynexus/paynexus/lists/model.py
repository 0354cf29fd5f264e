"""Which part of a list is asked for."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from paynexus import ids

EARLIEST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
LATEST = dt.datetime(2200, 1, 1, tzinfo=dt.UTC)
"""Nothing was made before the one or at the other: as bounds they mean that there is none."""
CLOCKS_APART = dt.timedelta(minutes=10)
"""How far the time in an object's id and its `created_at` may lie apart.

They are read off two clocks, or at two moments of one request.
"""


@dataclass(frozen=True, slots=True)
class Page[Key]:
    """The newest `limit` objects older than the key `before`, made from `since` to before `until`.

    `like` names what else they have in common, by the names of the list's filters.
    """

    limit: int
    before: Key | None = None
    since: dt.datetime = EARLIEST
    until: dt.datetime = LATEST
    like: Mapping[str, object] = field(default_factory=dict)


def id_range(page: Page[UUID]) -> tuple[UUID, UUID]:
    """The least id that the page may hold, and one above all that it may."""
    above = ids.first_at(min(page.until, LATEST - CLOCKS_APART) + CLOCKS_APART)
    least = ids.first_at(max(page.since, EARLIEST + CLOCKS_APART) - CLOCKS_APART)
    return least, above if page.before is None else min(above, page.before)


def cut[Item](found: list[Item], page: Page[UUID] | Page[int]) -> tuple[list[Item], bool]:
    """The page's items, and whether there are more, of what a store found: one more than asked."""
    return found[: page.limit], len(found) > page.limit
