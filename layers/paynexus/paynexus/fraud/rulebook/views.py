"""Rules as the API shows them. Pure."""

from paynexus import ids
from paynexus.fraud.rulebook.model import (
    RULE_PREFIX,
    SNOOZE_PREFIX,
    VERSION_PREFIX,
    Rule,
    RuleFile,
    Snooze,
    Statistics,
    Version,
)


def rule_resource(rule: Rule) -> dict[str, object]:
    """The rule, with its newest version and those that run."""
    return {
        "id": ids.text(RULE_PREFIX, rule.id),
        "object": "fraud_rule",
        "code": rule.code,
        "scope": "platform" if rule.merchant_id is None else "merchant",
        "state": rule.state,
        "newest": version_resource(rule.newest),
        "live": version_resource(rule.live) if rule.live else None,
        "shadow": version_resource(rule.shadow) if rule.shadow else None,
        "created": rule.created_at.isoformat(),
    }


def file_resource(file: RuleFile) -> dict[str, object]:
    """The rule, and what its versions did."""
    return rule_resource(file.rule) | {
        "since": file.since.isoformat(),
        "until": file.until.isoformat(),
        "statistics": [statistics_resource(one) for one in file.statistics],
    }


def version_resource(version: Version) -> dict[str, object]:
    """One version of a rule."""
    return {
        "id": ids.text(VERSION_PREFIX, version.id),
        "object": "fraud_rule_version",
        "number": version.number,
        "expression": version.wording.expression,
        "action": version.wording.action,
        "message": version.wording.message,
        "author": version.author,
        "created": version.created_at.isoformat(),
    }


def snooze_resource(snooze: Snooze) -> dict[str, object]:
    """The snooze, without what names the entity."""
    return {
        "id": ids.text(SNOOZE_PREFIX, snooze.id),
        "object": "fraud_snooze",
        "rule": ids.text(RULE_PREFIX, snooze.rule_id),
        "entity_kind": snooze.kind,
        "ends": snooze.ends_at.isoformat(),
        "author": snooze.author,
        "reason": snooze.reason,
        "created": snooze.created_at.isoformat(),
    }


def statistics_resource(statistics: Statistics) -> dict[str, object]:
    """What a version did in one mode."""
    return {
        "object": "fraud_rule_statistics",
        "version": ids.text(VERSION_PREFIX, statistics.version_id),
        "number": statistics.number,
        "mode": statistics.mode,
        "evaluated": statistics.evaluated,
        "hits": statistics.hits,
        "errors": statistics.errors,
        "hits_allowed": statistics.allowed,
        "hits_challenged": statistics.challenged,
        "hits_blocked": statistics.blocked,
        "hits_labelled_fraud": statistics.fraud,
        "hits_labelled_genuine": statistics.genuine,
    }
