"""EventBridge as the bus. The client is handed in, made by the composition root."""

from collections.abc import Sequence
from typing import Any

from paynexus.changefeed.port import Bus, Entry, Refusal
from paynexus.errors import BusUnavailable

CALL_REFUSED = frozenset({"ValidationException", "RequestEntityTooLargeException", "413"})
"""Refusals of a whole call that are about what is in it."""


class EventBridge(Bus):
    """One EventBridge bus.

    `client` is a boto3 `events` client that does not retry by itself: the changefeed does,
    because it alone knows what is behind a failure. `failures` are the client's errors.
    """

    def __init__(self, client: Any, *, name: str, failures: tuple[type[Exception], ...]) -> None:  # noqa: ANN401 - boto3 makes its clients' classes at run time
        self._client = client
        self._name = name
        self._failures = failures

    def publish(self, entries: Sequence[Entry]) -> Sequence[Refusal]:
        """The entries are on the bus, but for those refused; BusUnavailable when none may be."""
        try:
            answer = self._client.put_events(Entries=[self._written(entry) for entry in entries])
        except self._failures as error:
            return self._refused_call(entries, error)
        if not answer["FailedEntryCount"]:
            return ()
        return [
            Refusal(position, result["ErrorCode"], result.get("ErrorMessage", ""))
            for position, result in enumerate(answer["Entries"])
            if result.get("ErrorCode")
        ]

    def _refused_call(self, entries: Sequence[Entry], error: Exception) -> Sequence[Refusal]:
        """A call that is refused for its content names no entry: one at a time finds it."""
        answer = getattr(error, "response", {})
        code = str(answer.get("Error", {}).get("Code", ""))
        if code not in CALL_REFUSED:
            raise BusUnavailable(f"the bus {self._name} did not answer: {error}") from error
        if len(entries) == 1:
            return [Refusal(0, code, str(error))]
        for position, entry in enumerate(entries):
            if refusals := self.publish([entry]):
                return [Refusal(position, refusals[0].code, refusals[0].message)]
        return ()

    def _written(self, entry: Entry) -> dict[str, Any]:
        return {
            "Source": entry.source,
            "DetailType": entry.type,
            "Detail": entry.detail,
            "EventBusName": self._name,
            "Time": entry.time,
        }
