"""The queue of deliveries in SQS."""

from typing import Any

BATCH_MAX = 10


class SqsQueue:
    """Sends delivery messages to one SQS queue, ten a call."""

    def __init__(self, client: Any, url: str) -> None:  # noqa: ANN401 - boto3 makes it at run time
        self._client = client
        self._url = url

    def send(self, bodies: list[tuple[str, int]]) -> None:
        """Each body is queued, visible after so many seconds; RuntimeError if SQS took not all."""
        for start in range(0, len(bodies), BATCH_MAX):
            entries = [
                {"Id": str(number), "MessageBody": body, "DelaySeconds": delay_seconds}
                for number, (body, delay_seconds) in enumerate(bodies[start : start + BATCH_MAX])
            ]
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            if answer.get("Failed"):
                raise RuntimeError(
                    f"SQS refused {len(answer['Failed'])} of {len(entries)} messages"
                )
