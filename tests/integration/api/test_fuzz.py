"""No request, however odd, gets an answer that the document does not promise."""

from collections.abc import Callable

import pytest

from tests.integration.api.fuzzing import Clients, Found, Fuzz, Objects
from tests.integration.api.world import World, other_merchant
from tools import export_openapi

OPERATIONS_THAT_SUCCEED = 30
"""A run in which hardly anything succeeds says little about answers."""
EDGES = 1_000
"""At least so many: some for each limit of each parameter and member."""


@pytest.fixture
def fuzz(world: World, request: pytest.FixtureRequest) -> Fuzz:
    """A run over all operations, with objects of each kind."""
    return Fuzz(
        export_openapi.document(),
        Clients(world, other_merchant(world.database)),
        Objects(world),
        seed=request.config.getoption("--fuzz-seed"),
    )


def test_generated_requests_are_answered_as_documented(
    fuzz: Fuzz, record_property: Callable[[str, object], None], request: pytest.FixtureRequest
) -> None:
    """No 5xx, and every status, header and body as the document has it."""
    cases = request.config.getoption("--fuzz-cases")

    require_clean(fuzz.run(cases), record_property)

    assert fuzz.found.cases >= cases
    assert len(fuzz.found.succeeded) >= OPERATIONS_THAT_SUCCEED


def test_the_edges_of_every_schema_are_answered_as_documented(
    fuzz: Fuzz, record_property: Callable[[str, object], None]
) -> None:
    """Limits and what lies just beyond them, missing parts, wrong types, one after another."""
    require_clean(fuzz.run_edges(), record_property)

    assert fuzz.found.cases >= EDGES


def require_clean(found: Found, record_property: Callable[[str, object], None]) -> None:
    """Nothing was found; what was sent is told at the end of the run."""
    record_property("generated requests", found.cases)
    record_property("answers of 5xx to them", found.server_errors)
    record_property("answers to them that the document does not promise", found.faults.total())

    assert not found.faults, str(found)
    assert found.server_errors == 0, str(found)
