"""The deployed stack: one for all tests, nothing about it mocked."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Client
from tests.e2e.facts import BusRecorder
from tests.e2e.stack import Stack, run_tool
from tests.e2e.waiting import eventually

# Read before a fixture hides the developer's environment from the product.
GIVEN = os.environ.get("PAYNEXUS_E2E_STATE_DIR")  # noqa: TID251 - the tests' edge
LAST = ("test_key_rotation.py", "test_storm.py", "test_crashes.py")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Storm and crashes come last: whoever follows one pays for every cold start again.

    Rotation comes before them: others sign in the name of the key that signed at the start.

    Among several workers one alone has the stack, while the others run all other tests. First,
    because xdist reads the groups in this very hook.
    """
    items.sort(key=_place)
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.xdist_group("stack"))


def _place(item: pytest.Item) -> int:
    is_ours = item.path.parent == Path(__file__).parent
    return LAST.index(item.path.name) + 1 if is_ours and item.path.name in LAST else 0


@pytest.fixture(autouse=True)
def one_worker_alone_has_the_stack(request: pytest.FixtureRequest) -> None:
    """A group that went lost would start a stack for each worker, and nobody would notice."""
    is_alone = not hasattr(request.config, "workerinput")
    assert is_alone or request.node.nodeid.endswith("@stack")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of this run alone, or the one that PAYNEXUS_E2E_STATE_DIR names."""
    state = Path(GIVEN).resolve() if GIVEN else tmp_path_factory.mktemp("stack")
    try:
        if not (state / "stack.json").exists():
            run_tool(state, "up")
        yield Stack(state)
    finally:
        if not GIVEN:
            run_tool(state, "down")


@pytest.fixture
def storm_keys(request: pytest.FixtureRequest) -> int:
    """How many keys a storm has."""
    return int(request.config.getoption("--storm-keys"))


@pytest.fixture(scope="module")
def merchant(stack: Stack) -> Iterator[Client]:
    """A merchant whom nobody else knows; its fees are 1.5 % and 25 cents."""
    client = stack.merchant(f"Merchant {secrets.token_hex(6)}")
    # The first request after a deployment finds no worker running.
    eventually(lambda: client.ask_token().status == 200, what="the API issues tokens")
    yield client
    client.close()


@pytest.fixture(scope="module")
def stranger(stack: Stack) -> Iterator[Client]:
    """Another merchant."""
    client = stack.merchant(f"Stranger {secrets.token_hex(6)}")
    yield client
    client.close()


@pytest.fixture(scope="module")
def recorder(stack: Stack) -> Iterator[BusRecorder]:
    """What the bus carries while the module's tests run."""
    recorder = BusRecorder(stack, f"e2e-{secrets.token_hex(6)}")
    yield recorder
    recorder.close()
