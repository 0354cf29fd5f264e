"""Queues and alarms: nothing is lost silently, and whoever is woken finds what to do."""

import json
import re
from itertools import chain
from typing import Any

import pytest

from paynexus.events import FACTS
from tests.contracts.infrastructure import (
    FUNCTION,
    NESTED,
    ROOT,
    properties,
    template,
    walk,
)

MESSAGING = "infra/messaging.yaml"
OBSERVABILITY = "infra/observability.yaml"
QUEUES = properties("AWS::SQS::Queue", MESSAGING)
WORKING = sorted(name for name in QUEUES if not name.endswith("DeadLetters"))
DEAD = sorted(name for name in QUEUES if name.endswith("DeadLetters"))
ALARMS = {
    (path, name): alarm
    for path in ("template.yaml", *NESTED)
    for name, alarm in properties("AWS::CloudWatch::Alarm", path).items()
}
VISIBILITY_PER_TIMEOUT = 6


@pytest.mark.parametrize("name", WORKING)
def test_each_queue_sets_aside_what_keeps_failing(name: str) -> None:
    """After a few tries a message goes to a queue of this stack, made before this one."""
    redrive = QUEUES[name]["RedrivePolicy"]
    target = redrive["deadLetterTargetArn"]["Fn::Sub"].rpartition(":")[2]
    resource = template(MESSAGING)["Resources"][name]

    assert target == QUEUES[f"{name}DeadLetters"]["QueueName"]["Fn::Sub"]
    assert resource["DependsOn"] == f"{name}DeadLetters"
    assert 3 <= redrive["maxReceiveCount"] <= 10


@pytest.mark.parametrize("name", sorted(QUEUES))
def test_each_queue_is_encrypted_and_keeps_messages_for_two_weeks(name: str) -> None:
    """Long enough for a long weekend and a fix."""
    assert QUEUES[name]["SqsManagedSseEnabled"] is True
    assert QUEUES[name]["MessageRetentionPeriod"] == 14 * 24 * 3600


@pytest.mark.parametrize("name", DEAD)
def test_each_dead_letter_rings(name: str) -> None:
    """One message is enough."""
    alarm = _alarm_on("ApproximateNumberOfMessagesVisible", name)

    assert alarm["Threshold"] == 0
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"


@pytest.mark.parametrize("name", WORKING)
def test_each_queue_rings_when_messages_wait(name: str) -> None:
    """The oldest message tells how late consumers are."""
    assert _alarm_on("ApproximateAgeOfOldestMessage", name)["Threshold"] > 0


def test_no_message_comes_back_while_its_consumer_works() -> None:
    """AWS's rule: visibility at least six times the consumer's timeout."""
    consumed = set()
    for function in properties(FUNCTION).values():
        for event in function.get("Events", {}).values():
            if event["Type"] != "SQS":
                continue
            attribute = ".".join(event["Properties"]["Queue"]["Fn::GetAtt"])
            queue = attribute.removeprefix("Messaging.Outputs.").removesuffix("Arn")
            consumed.add(queue)
            wanted = VISIBILITY_PER_TIMEOUT * function["Timeout"]
            assert QUEUES[queue]["VisibilityTimeout"] >= wanted
            assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert sorted(consumed) == WORKING


@pytest.mark.parametrize(("path", "name"), sorted(ALARMS))
def test_each_alarm_names_a_runbook(path: str, name: str) -> None:
    """The runbook exists, speaks of this alarm, and somebody is told."""
    alarm = ALARMS[path, name]
    found = re.search(r"docs/runbooks/[a-z-]+\.md$", alarm["AlarmDescription"])

    assert found
    assert f"`{name}`" in (ROOT / found[0]).read_text()
    assert alarm["TreatMissingData"] in ("notBreaching", "breaching")
    if path != "template.yaml":  # the root's takes a deployment back, and has a twin that tells
        assert alarm["AlarmActions"] == [{"Ref": "OpsTopic"}]


def test_no_runbook_is_orphaned() -> None:
    """What no alarm names, nobody finds at night."""
    named = {alarm["AlarmDescription"].rpartition("/")[2] for alarm in ALARMS.values()}

    assert {path.name for path in (ROOT / "docs/runbooks").iterdir()} == named


def test_alarms_watch_what_the_code_counts() -> None:
    """An alarm on a metric that nobody emits would sleep forever."""
    watched = {
        alarm["MetricName"]
        for alarm in ALARMS.values()
        if alarm["Namespace"] == "PayNexus" and isinstance(alarm["MetricName"], str)
    }

    assert watched
    assert watched <= _counted()


def test_the_dashboard_shows_what_the_code_counts() -> None:
    """A metric of its own, or a fact, which is counted under its name."""
    body = properties("AWS::CloudWatch::Dashboard", "infra/dashboards/payments.json")
    shown = {
        node[1]
        for node in walk(body)
        if isinstance(node, list) and node[:1] == ["PayNexus"] and isinstance(node[1], str)
    }

    facts = {"".join(part.title() for part in kind.split(".")[:2]) for kind in FACTS}
    assert shown
    assert shown <= _counted() | facts


def test_each_topic_of_the_bus_is_one_we_publish() -> None:
    """A rule on a misspelt source would wait forever."""
    ours = {fact.topic for fact in FACTS.values()}
    sources = set(
        chain.from_iterable(
            rule["EventPattern"]["source"]
            for path in NESTED
            for rule in properties("AWS::Events::Rule", path).values()
        )
    )

    assert sources <= {*ours, "aws.s3"}


def _alarm_on(metric: str, queue: str) -> dict[str, Any]:
    """The alarm of a queue, whose name reaches it through the root's parameters."""
    passed = template()["Resources"]["Observability"]["Properties"]["Parameters"]
    assert passed[f"{queue}Name"] == {"Fn::GetAtt": ["Messaging", f"Outputs.{queue}Name"]}
    dimension = [{"Name": "QueueName", "Value": {"Ref": f"{queue}Name"}}]
    [alarm] = [
        alarm
        for alarm in properties("AWS::CloudWatch::Alarm", OBSERVABILITY).values()
        if alarm["MetricName"] == metric and alarm.get("Dimensions") == dimension
    ]
    return alarm


def _counted() -> set[str]:
    """Names in the code that `count` or `gauge` may be given."""
    sources = chain((ROOT / "layers/paynexus").rglob("*.py"), (ROOT / "functions").rglob("*.py"))
    text = "\n".join(path.read_text() for path in sources)
    return {json.loads(word) for word in re.findall(r'"[A-Z][A-Za-z]+"', text)}
