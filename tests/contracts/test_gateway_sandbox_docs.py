"""docs/sandbox.md says of tokens and endpoints what the code does."""

from pathlib import Path

import pytest

from tools.sandbox_acquirer import server, settlement, tokens

PAGE = Path(__file__).parents[2] / "docs/sandbox.md"


def token_table() -> list[str]:
    """The documented tokens, as the code has them."""
    rows = [f"| `tok_{name}` | {behaviour.does} |" for name, behaviour in tokens.BEHAVIOURS.items()]
    return ["| token | does |", "|---|---|", *rows]


def endpoint_table() -> list[str]:
    """The documented endpoints, as the code has them."""
    rows = [f"| `{route}` | {does} |" for route, does in server.ROUTES.items()]
    return ["| endpoint | does |", "|---|---|", *rows]


def fault_table() -> list[str]:
    """The documented faults of settlement files, as the code has them."""
    rows = [f"| `{fault}` | {does} |" for fault, does in settlement.DOES.items()]
    return ["| fault | does |", "|---|---|", *rows]


@pytest.mark.parametrize(
    ("section", "table"),
    [("tokens", token_table()), ("endpoints", endpoint_table()), ("faults", fault_table())],
)
def test_the_page_holds_the_table(section: str, table: list[str]) -> None:
    """Paste the expected lines into the page when this fails."""
    page = PAGE.read_text()
    _, _, rest = page.partition(f"<!-- {section}: ")
    _, _, body = rest.partition("-->\n")
    documented, _, _ = body.partition(f"<!-- /{section} -->")

    assert documented.splitlines() == table


def test_the_page_names_every_decline_code() -> None:
    """A merchant can look up whatever code they are shown."""
    page = PAGE.read_text()
    codes = {behaviour.decline for behaviour in tokens.BEHAVIOURS.values()} - {None}

    assert {code for code in codes if f"`{code}`" not in page} == set()
