"""Workflow definitions are valid, whole, and take the paths that the design draws."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonata.jsonata import Jsonata

from tests.contracts.infrastructure import FUNCTION, ROOT, properties, walk

WORKFLOWS = sorted((ROOT / "infra/workflows").glob("*.asl.json"))
MACHINES = properties("AWS::Serverless::StateMachine")
FUNCTIONS = properties(FUNCTION)
INFRASTRUCTURE_ERRORS = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
}
TRIES_MAX = 3


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_the_definition_is_valid(path: Path) -> None:
    """The linter knows the language's specification."""
    tool = Path(sys.executable).with_name("statelint")
    run = subprocess.run([tool, path], capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_each_expression_compiles(path: Path) -> None:
    """JSONata stands between {% and %}."""
    expressions = [_expression(text) for text in _strings(path) if text.startswith("{%")]

    assert expressions
    for expression in expressions:
        Jsonata(expression)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_each_substitution_is_defined_and_used(path: Path) -> None:
    """An undefined one would reach the service as it stands."""
    [machine] = [
        given
        for given in MACHINES.values()
        if given["DefinitionUri"] == path.relative_to(ROOT).as_posix()
    ]

    used = set(re.findall(r"\$\{(\w+)\}", path.read_text()))
    assert used == machine["DefinitionSubstitutions"].keys()


def test_each_machine_has_its_definition_here() -> None:
    """And each definition its machine."""
    assert {given["DefinitionUri"] for given in MACHINES.values()} == {
        path.relative_to(ROOT).as_posix() for path in WORKFLOWS
    }


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_only_infrastructure_errors_are_retried_and_never_for_long(path: Path) -> None:
    """What a step decides comes back as data; who retries at once does so with jitter."""
    for state in _states(path).values():
        if state["Type"] != "Task":
            continue
        assert "Catch" not in state
        for retry in state["Retry"]:
            assert set(retry["ErrorEquals"]) <= INFRASTRUCTURE_ERRORS
            assert retry["MaxAttempts"] <= TRIES_MAX
            assert retry["JitterStrategy"] == "FULL"


def test_time_runs_out_from_the_inside() -> None:
    """Function before its state, state and workflow before the API that waits for them."""
    definition = json.loads((ROOT / "infra/workflows/process_payment.asl.json").read_text())
    for name, state in definition["States"].items():
        if state["Type"] == "Task":
            assert FUNCTIONS[name]["Timeout"] <= state["TimeoutSeconds"]
            assert state["TimeoutSeconds"] <= definition["TimeoutSeconds"]
            assert state["Arguments"]["FunctionName"] == f"${{{name}Arn}}"
    api_limit = 29
    assert definition["TimeoutSeconds"] < FUNCTIONS["PaymentsApi"]["Timeout"] <= api_limit


@pytest.mark.parametrize(
    ("operation", "verdict", "path"),
    [
        ("charge", "ALLOW", ["ScoreFraud", "ChargeGateway", "FinishPayment"]),
        ("charge", "BLOCK", ["ScoreFraud", "FinishPayment"]),
        ("charge", "CHALLENGE", ["ScoreFraud", "NothingToCharge"]),
        ("charge", "DONE", ["ScoreFraud", "NothingToCharge"]),
        ("capture", None, ["ChargeGateway", "FinishPayment"]),
        ("cancel", None, ["ChargeGateway", "FinishPayment"]),
        ("refund", None, ["ChargeGateway", "FinishPayment"]),
    ],
)
def test_each_operation_takes_its_path(
    operation: str, verdict: str | None, path: list[str]
) -> None:
    """Only a charge is scored; a gateway is asked only after ALLOW."""
    results: dict[str, dict[str, Any]] = {
        "ScoreFraud": {"verdict": verdict},
        "ChargeGateway": {"outcome": "APPROVED"},
    }
    given = {"payment_id": "pay_1", "operation": operation, "operation_id": "1"}

    visited, last = _run(given, results)

    assert visited == path
    assert last["payment_id"] == "pay_1"
    assert last.get("verdict") == verdict
    assert last.get("outcome") == ("APPROVED" if "ChargeGateway" in path else None)


def _run(
    data: dict[str, Any], results: dict[str, dict[str, Any]]
) -> tuple[list[str], dict[str, Any]]:
    """The states that do something, and what the last of them was given."""
    definition = json.loads((ROOT / "infra/workflows/process_payment.asl.json").read_text())
    name, visited = definition["StartAt"], []
    while True:
        state = definition["States"][name]
        if state["Type"] == "Choice":
            name = _choose(state, data)
            continue
        visited.append(name)
        if state["Type"] == "Succeed" or state.get("End"):
            return visited, data
        assert _evaluate(state["Arguments"]["Payload"], {"input": data}) == data
        data = _evaluate(state["Output"], {"input": data, "result": {"Payload": results[name]}})
        name = state["Next"]


def _choose(state: dict[str, Any], data: dict[str, Any]) -> str:
    for choice in state["Choices"]:
        if _evaluate(choice["Condition"], {"input": data}):
            return str(choice["Next"])
    return str(state["Default"])


def _evaluate(text: str, states: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    expression = Jsonata(_expression(text))
    frame = expression.create_frame()
    frame.bind("states", states)
    return expression.evaluate(None, frame)


def _expression(text: str) -> str:
    return text.removeprefix("{%").removesuffix("%}").strip()


def _states(path: Path) -> dict[str, dict[str, Any]]:
    states: dict[str, dict[str, Any]] = json.loads(path.read_text())["States"]
    return states


def _strings(path: Path) -> list[str]:
    return [node for node in walk(json.loads(path.read_text())) if isinstance(node, str)]
