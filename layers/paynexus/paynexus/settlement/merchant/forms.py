"""The forms of a statement, and which of them a request prefers. Pure."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from paynexus import jsontext
from paynexus.errors import NotAcceptable
from paynexus.settlement.merchant.camt053 import document
from paynexus.settlement.merchant.model import Statement
from paynexus.settlement.merchant.table import table
from paynexus.settlement.merchant.views import statement

JSON = "application/json"
CSV = "text/csv"
XML = "application/xml"

WRITERS: Mapping[str, Callable[[Statement], str]] = MappingProxyType(
    {JSON: lambda found: jsontext.write(statement(found)), CSV: table, XML: document}
)
"""By media type, what writes the form."""
_MEANT = {"": JSON, "*/*": JSON, "application/*": JSON, "text/*": CSV, "text/xml": XML}


def media_type_of(accept: str) -> str:
    """The first type of the Accept header that is made here, JSON for any; or NotAcceptable.

    Weights are not weighed.
    """
    for part in accept.split(","):
        wanted = part.partition(";")[0].strip().lower()
        media_type = _MEANT.get(wanted, wanted)
        if media_type in WRITERS:
            return media_type
    raise NotAcceptable(f"A statement is written as {', '.join(WRITERS)}.")


def next_page(found: Statement) -> dict[str, str]:
    """The header that leads to the lines after these (RFC 8288), if there are others."""
    if not found.has_more:
        return {}
    query = f"limit={len(found.lines)}&starting_after={found.lines[-1].entry_id}"
    return {"Link": f'<?{query}>; rel="next"'}
