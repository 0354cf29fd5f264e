"""Examples of fraud lists."""

from tools.export_openapi.examples.exchange import CREATED, ID, PAYMENT, Example, one_page

_CLIENT = "pnx_test_4fQ2mB7sT9xKd0Zr1LhWvN"
_ORDER = {
    "name": "Regulars",
    "kind": "email",
    "action": "allow",
    "note": "Known at the counter",
}
_LIST = {
    "id": f"fls_{ID}",
    "object": "fraud_list",
    **_ORDER,
    "min_quality": None,
    "state": "active",
    "is_platform": False,
    "author": _CLIENT,
    "created": CREATED,
}
_ENTRY = {
    "id": f"fle_{ID}",
    "object": "fraud_list_entry",
    "list": f"fls_{ID}",
    "value": "mira@mail.example",
    "note": "Each Friday",
    "source": "manual",
    "author": _CLIENT,
    "expires": None,
    "removed": None,
    "created": CREATED,
}
_RESCREENING = {
    "id": f"frs_{ID}",
    "object": "fraud_rescreening",
    "list": f"fls_{ID}",
    "since": "2026-08-24T16:50:00.123456Z",
    "examined": 1204,
    "hits": 1,
    "finished": CREATED,
    "created": CREATED,
}
_HIT = {
    "id": f"frh_{ID}",
    "object": "fraud_rescreening_hit",
    "payment": PAYMENT,
    "entry": f"fle_{ID}",
    "quality": None,
    "mode": "test",
}
_FILE = "value,note\r\nmira@mail.example,Each Friday\r\nadam@mail.example,\r\n"

LISTS: dict[str, tuple[Example, ...]] = {
    "create_fraud_list": (Example("Regulars", _LIST, 201, _ORDER),),
    "list_fraud_lists": (Example("One list", one_page(_LIST)),),
    "read_fraud_list": (Example("A list", _LIST),),
    "change_fraud_list": (
        Example(
            "Stopped for a while",
            _LIST | {"state": "disabled"},
            request={"state": "disabled"},
        ),
    ),
    "add_fraud_list_entry": (
        Example(
            "A regular",
            _ENTRY,
            201,
            {"value": "Mira@Mail.example", "note": "Each Friday"},
        ),
    ),
    "list_fraud_list_entries": (Example("One entry", one_page(_ENTRY)),),
    "remove_fraud_list_entry": (Example("It is listed no more", _ENTRY | {"removed": CREATED}),),
    "import_fraud_list": (
        Example(
            "Two regulars",
            {
                "object": "fraud_list_import",
                "added": 2,
                "removed": 0,
                "changed": 0,
                "unchanged": 0,
            },
            request={"layout": "csv", "file": _FILE},
        ),
    ),
    "list_fraud_rescreenings": (Example("One re-screening", one_page(_RESCREENING)),),
    "list_fraud_list_hits": (Example("One payment", one_page(_HIT)),),
}
"""By operation."""
