"""What every resource of the template owes the others."""

import importlib
import json
import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from paynexus.config import PREFIX, Settings
from tests.contracts.infrastructure import (
    FUNCTION,
    NESTED,
    ROOT,
    Node,
    as_list,
    properties,
    resources,
    snake_case,
    template,
    transformed,
    walk,
)

FUNCTIONS = properties(FUNCTION)
NAMES = sorted(snake_case(name) for name in FUNCTIONS)
PUBLIC_ROUTES = {
    ("POST", "/oauth/token"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/health"),
    ("GET", "/.well-known/qr-keys.json"),
    ("GET", "/docs"),
    ("GET", "/docs/style.css"),
    ("GET", "/docs/icon.svg"),
    ("GET", "/openapi.json"),
    ("POST", "/gateways/{name}/callbacks"),  # authenticated by the gateway's signature
}
API_FUNCTIONS = (
    "docs_api",
    "fraud_api",
    "gateway_callbacks",
    "merchants_api",
    "payments_api",
    "qr_api",
    "tokens_api",
)

WILDCARDS = {
    # (template, resource, statement): why no narrower word exists.
    ("template.yaml", "TokenKey", "AccountAdministers"): "a key policy speaks of its own key",
    ("template.yaml", "NextTokenKey", "AccountAdministers"): "likewise",
    ("template.yaml", "LedgerKey", "AccountAdministers"): "likewise",
    ("template.yaml", "ProcessPaymentRole", "DeliverLogs"): "log delivery names no resources",
    ("infra/messaging.yaml", "BankKey", "AccountAdministers"): "a key policy speaks of its own key",
    ("infra/observability.yaml", "OpsKey", "AccountAdministers"): "likewise",
    ("infra/observability.yaml", "OpsKey", "AlarmsAndRulesEncrypt"): "likewise",
}


def test_folders_template_and_linter_name_the_same_functions() -> None:
    """A function that one of the three forgets does not exist for the others."""
    folders = sorted(
        path.name for path in (ROOT / "functions").iterdir() if (path / "handler.py").is_file()
    )
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    roots = sorted(set(linter["root_packages"]) - {"paynexus"})

    assert folders == NAMES
    assert roots == NAMES


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_handler_output_and_invocation_are_named_after_the_function(name: str) -> None:
    """Who knows the folder knows the handler, the output and the sample invocation."""
    folder = snake_case(name)

    assert FUNCTIONS[name]["Handler"] == f"{folder}.handler.handler"
    assert template()["Outputs"][f"{name}Name"]["Value"] == {"Ref": name}
    assert isinstance(json.loads((ROOT / f"events/invocations/{folder}.json").read_text()), dict)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_each_function_gets_settings_that_exist_and_the_rights_they_need(name: str) -> None:
    """A misspelt variable would be read as absent; a right without its setting is too much."""
    known = {PREFIX + field.name.upper() for field in fields(Settings)}
    shared = template()["Globals"]["Function"]["Environment"]["Variables"]
    own = FUNCTIONS[name].get("Environment", {}).get("Variables", {})
    policies = FUNCTIONS[name].get("Policies", [])

    assert {*shared, *own} <= known
    assert ({"Ref": "ReadKeysSecret"} in policies) == ("PAYNEXUS_KEYS_SECRET" in own)


def test_the_api_has_the_routes_that_the_functions_answer() -> None:
    """A route on one side only would be a 404, or code that nobody reaches."""
    for folder in API_FUNCTIONS:
        app = importlib.import_module(f"{folder}.handler").app
        routes = {
            (str(route.method), _template_path(route.path))
            for route in [*app._static_routes, *app._dynamic_routes]
        }
        assert {(method, _plain(path)) for method, path, _ in _routes(folder)} == routes


def test_only_the_public_routes_go_without_a_token() -> None:
    """Everything else is behind the authorizer."""
    every = [route for folder in NAMES for route in _routes(folder)]

    assert {(method, path) for method, path, public in every if public} == PUBLIC_ROUTES
    assert properties("AWS::Serverless::Api")["Api"]["Auth"]["DefaultAuthorizer"] == "AccessToken"


def test_both_forms_of_each_gateway_response_agree() -> None:
    """The cloud reads the API's definition, the local stack resources made before it deploys."""
    inline = properties("AWS::Serverless::Api")["Api"]["GatewayResponses"]
    apart = properties("AWS::ApiGateway::GatewayResponse")
    seen = {}
    for name, response in apart.items():
        assert name < "ApiDeployment"
        seen[response["ResponseType"]] = response
    assert seen.keys() == inline.keys()
    for kind, response in inline.items():
        headers = response["ResponseParameters"]["Headers"]
        assert seen[kind]["ResponseTemplates"] == response["ResponseTemplates"]
        assert seen[kind]["ResponseParameters"] == {
            f"gatewayresponse.header.{header}": value for header, value in headers.items()
        }
        assert str(seen[kind].get("StatusCode")) == str(response.get("StatusCode"))
        problem = response["ResponseTemplates"]["application/json"]
        json.loads(problem.replace("$context.error.messageString", '"why"'))


def test_each_schedule_and_rule_keeps_what_it_could_not_deliver() -> None:
    """A dead-letter queue and a bounded number of tries."""
    schedules = [
        event["Properties"]
        for function in FUNCTIONS.values()
        for event in function.get("Events", {}).values()
        if event["Type"] == "ScheduleV2"
    ]
    rules = [rule for path in NESTED for rule in properties("AWS::Events::Rule", path).values()]

    assert schedules
    assert rules
    for target in [*schedules, *(target for rule in rules for target in rule["Targets"])]:
        assert target["DeadLetterConfig"]["Arn"]
        assert {"MaximumEventAgeInSeconds", "MaximumRetryAttempts"} <= target["RetryPolicy"].keys()


def test_wildcards_are_the_reasoned_ones() -> None:
    """No statement allows `*`, or all of a service, unless it stands above with its reason."""
    found = set()
    for path, content in [("template.yaml", transformed()), *((p, template(p)) for p in NESTED)]:
        for name, resource in content["Resources"].items():
            for statement in _statements(resource):
                if statement["Effect"] == "Allow" and _is_wide(statement):
                    found.add((path, name, statement.get("Sid", "")))
    assert found == set(WILDCARDS)


def test_roles_carry_only_these_policies_of_aws() -> None:
    """AWS's own policies reach far; these are for logs, traces and queues."""
    arns = {
        json.dumps(arn).rpartition("policy/")[2].rstrip('"]}').rstrip('"')
        for role in transformed()["Resources"].values()
        if role["Type"] == "AWS::IAM::Role"
        for arn in role["Properties"].get("ManagedPolicyArns", [])
        if "Ref" not in arn
    }
    assert arns == {
        "service-role/AWSLambdaBasicExecutionRole",
        "service-role/AWSLambdaSQSQueueExecutionRole",
        "service-role/AmazonAPIGatewayPushToCloudWatchLogs",
        "AWSXrayWriteOnlyAccess",
    }


def test_gradual_deployment_is_a_parameter() -> None:
    """Every function's new code is tried on a tenth first, where that is asked for."""
    kinds = [resource["Type"] for resource in transformed(gradual="true")["Resources"].values()]

    assert kinds.count("AWS::CodeDeploy::DeploymentGroup") == len(FUNCTIONS)
    # The local stack refuses a template that so much as names a type it does not know.
    assert "CodeDeploy" not in json.dumps(transformed())


def test_every_third_party_package_is_pinned_by_hash() -> None:
    """What was tested is what runs; boto3 comes with the runtime."""
    text = (ROOT / "layers/dependencies/requirements.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]

    assert lines
    assert all(re.match(r"[a-z0-9-]+==\S+ .*--hash=sha256:", line) for line in lines)
    assert not [line for line in lines if line.startswith(("boto3", "botocore"))]


def test_nested_stacks_refer_by_name() -> None:
    """The local stack forgets the attributes of resources that an update leaves as they are."""
    for path in NESTED:
        own = template(path)["Resources"]
        targets = [
            n["Fn::GetAtt"][0] for n in walk(own) if isinstance(n, dict) and "Fn::GetAtt" in n
        ]
        assert not targets, path


def test_long_lived_things_outlive_the_stack() -> None:
    """Keys and the bank's files are not deleted with a stack."""
    for path, name in (
        ("template.yaml", "TokenKey"),
        ("template.yaml", "LedgerKey"),
        ("infra/messaging.yaml", "BankKey"),
        ("infra/messaging.yaml", "BankBucket"),
    ):
        resource = template(path)["Resources"][name]
        assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"


def test_the_bank_bucket_is_closed() -> None:
    """Encrypted, versioned, private, and announcing what the bank leaves."""
    bucket = properties("AWS::S3::Bucket", "infra/messaging.yaml")["BankBucket"]

    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert "aws:kms" in json.dumps(bucket["BucketEncryption"])
    assert bucket["NotificationConfiguration"]["EventBridgeConfiguration"]["EventBridgeEnabled"]


def test_the_templates_are_clean() -> None:
    """cfn-lint, which `sam validate --lint` runs, has nothing to say."""
    paths = ["template.yaml", *NESTED]
    run = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), "--", *paths],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def _routes(folder: str) -> list[tuple[str, str, bool]]:
    """Method, path and whether it is public, of the events of one function."""
    [function] = [given for name, given in FUNCTIONS.items() if snake_case(name) == folder]
    return [
        (
            event["Properties"]["Method"].upper(),
            event["Properties"]["Path"],
            event["Properties"].get("Auth", {}).get("Authorizer") == "NONE",
        )
        for event in function.get("Events", {}).values()
        if event["Type"] == "Api"
    ]


def _template_path(path: str) -> str:
    return re.sub(r"<\w+>", "{}", path)


def _plain(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def _statements(resource: Node) -> list[dict[str, Any]]:
    policies = [
        value
        for node in walk(resource.get("Properties", {}))
        if isinstance(node, dict)
        for key, value in node.items()
        if key in ("PolicyDocument", "KeyPolicy", "AssumeRolePolicyDocument")
    ]
    return [one for policy in policies for one in as_list(policy["Statement"])]


def _is_wide(statement: dict[str, Any]) -> bool:
    actions = as_list(statement["Action"])
    targets = as_list(statement.get("Resource", []))
    principals = as_list(statement.get("Principal", []))
    return (
        any(str(action).endswith("*") for action in actions)
        or "*" in targets
        or "*" in principals
        or {"AWS": "*"} in principals
    )


def test_the_audited_resources_exist() -> None:
    """The tests above look at something."""
    assert len(FUNCTIONS) == len(set(NAMES))
    assert resources("AWS::Serverless::StateMachine")
