"""Carries files between the bank's two folders in S3 and a bank that watches a local folder.

In the cloud AWS Transfer Family does this. Here it is one small process:

    s3://BUCKET/outbox/…        ->  BANK_DIR/outbox/     (what we ask the bank)
    s3://BUCKET/inbox/…         <-  BANK_DIR/inbox/      (what the bank says)

Each file is carried once, over restarts too. What went out is noted in BANK_DIR/carried.json by
key and content; a crash before the note carries a file again, and the bank knows its message id.
What came in is in the bucket under a key made of its content, so the bucket itself is the note,
and one that lost everything is filled again.
"""

import argparse
import contextlib
import hashlib
import json
import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OUTBOX = "outbox/"
INBOX = "inbox/"
UNFINISHED = (".tmp", ".part")
HASH_DIGITS = 12


@dataclass(slots=True)
class Courier:
    """Knows both ends; `carried` maps the keys taken to the bank to their content's tag."""

    s3: "S3Client"
    bucket: str
    bank_dir: Path
    carried: dict[str, str] = field(default_factory=dict)
    keys: dict[tuple[str, int, int], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in (self.to_bank, self.from_bank):
            folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            self.carried = json.loads(self.notes.read_text(encoding="utf-8"))

    @property
    def to_bank(self) -> Path:
        """The folder that the bank reads."""
        return self.bank_dir / "outbox"

    @property
    def from_bank(self) -> Path:
        """The folder that the bank writes."""
        return self.bank_dir / "inbox"

    @property
    def notes(self) -> Path:
        """What was carried to the bank."""
        return self.bank_dir / "carried.json"

    def round(self) -> int:
        """Everything that lay at either end is at the other; returns how many files that was."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        there = {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", [])}
        return self._deliver(there) + self._collect(there)

    def _deliver(self, there: Mapping[str, str]) -> int:
        """Every new file of the outbox lies in the bank's folder, whole from its first moment."""
        new = [
            (key, etag)
            for key, etag in there.items()
            if key.startswith(OUTBOX) and not key.endswith("/") and self.carried.get(key) != etag
        ]
        for key, etag in new:
            body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            _write(self.to_bank / key.rsplit("/", 1)[-1], body)
            self.carried[key] = etag
            _write(self.notes, json.dumps(self.carried, indent=1).encode())
            print(f"to the bank: {key}", flush=True)
        return len(new)

    def _collect(self, there: Mapping[str, str]) -> int:
        """Every file that the bank has finished lies in the inbox.

        The key holds the content's hash: a bank that starts again counts its file names from
        one, and must not overwrite what is not yet read.
        """
        count = 0
        for path in sorted(self.from_bank.iterdir()):
            if not path.is_file() or path.name.startswith(".") or path.suffix in UNFINISHED:
                continue
            key = self._key_of(path)
            if key not in there:
                self.s3.put_object(
                    Bucket=self.bucket,
                    Key=key,
                    Body=path.read_bytes(),
                    ContentType="application/xml",
                )
                print(f"from the bank: {key}", flush=True)
                count += 1
        return count

    def _key_of(self, path: Path) -> str:
        stat = path.stat()
        identity = (path.name, stat.st_size, stat.st_mtime_ns)
        if identity not in self.keys:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()[:HASH_DIGITS]
            self.keys[identity] = f"{INBOX}{digest}-{path.name}"
        return self.keys[identity]


def _write(path: Path, body: bytes) -> None:
    """The file is there as a whole or not at all: the bank reads no `.tmp`."""
    unfinished = path.with_name(path.name + ".tmp")
    with unfinished.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def run(courier: Courier, *, stop: threading.Event, interval_seconds: float) -> None:
    """Rounds go on until `stop`; a bucket out of reach is said once and tried again."""
    complaint = ""
    while not stop.is_set():
        try:
            courier.round()
            complaint = ""
        except (BotoCoreError, ClientError, OSError) as error:
            if str(error) != complaint:
                complaint = str(error)
                print(f"will try again: {complaint}", flush=True)
        stop.wait(interval_seconds)


def client(endpoint_url: str | None, region: str) -> "S3Client":
    """An S3 client that gives up quickly: the next round is never far."""
    session = boto3.Session(region_name=region)
    config = Config(
        connect_timeout=2,
        read_timeout=10,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"},
    )
    if endpoint_url and session.get_credentials() is None:
        # A local endpoint asks for credentials of any kind.
        return session.client(
            "s3",
            endpoint_url=endpoint_url,
            config=config,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - no secret: any text will do there
        )
    return session.client("s3", endpoint_url=endpoint_url, config=config)


def main(arguments: list[str] | None = None) -> None:
    """Carry until told to stop."""
    parser = argparse.ArgumentParser(prog="bank_courier", description=__doc__)
    parser.add_argument("--endpoint-url", help="where S3 answers; AWS itself unless given")
    parser.add_argument("--bucket", required=True, help="the bank's bucket")
    parser.add_argument(
        "--bank-dir", required=True, type=Path, help="holds the bank's outbox/ and inbox/"
    )
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--interval", type=float, default=0.5, help="seconds between rounds")
    parser.add_argument("--once", action="store_true", help="make one round and end")
    options = parser.parse_args(arguments)
    courier = Courier(
        client(options.endpoint_url, options.region), options.bucket, options.bank_dir
    )
    if options.once:
        courier.round()
        return
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run(courier, stop=stop, interval_seconds=options.interval)


if __name__ == "__main__":
    main()
