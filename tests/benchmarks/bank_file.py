"""One reading of a bank's file, in a process of its own: `python -m tests.benchmarks.bank_file`.

Prints the records, the seconds of CPU, and by how many megabytes memory grew above what the
process held before.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree as ET  # of a file that was just written

from paynexus.settlement.bank import reader

KILOBYTES = 1_000
ENTRY = "{urn:iso:std:iso:20022:tech:xsd:camt.053.001.08}Ntry"


def read(path: Path) -> int:
    """By us: every entry with all that it says."""
    with path.open("rb") as file:
        return sum(1 for _ in reader.read(file).records()) - 1


def parsed(path: Path) -> int:
    """By the standard library, into a tree."""
    return len(list(ET.parse(path).getroot().iter(ENTRY)))  # noqa: S314


def counted(path: Path) -> int:
    """By the standard library, element by element; nothing is read of them."""
    entries = 0
    for _, element in ET.iterparse(path):  # noqa: S314
        if element.tag == ENTRY:
            entries += 1
            element.clear()
    return entries


WAYS: Mapping[str, Callable[[Path], int]] = {"read": read, "parsed": parsed, "counted": counted}


def peak_kilobytes() -> int:
    """The most memory that this process has held; Linux keeps it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def main() -> None:
    """Read the file once, in the way that is named."""
    way, path = WAYS[sys.argv[1]], Path(sys.argv[2])
    before = peak_kilobytes()
    began = time.process_time()
    entries = way(path)
    seconds = time.process_time() - began
    grown = (peak_kilobytes() - before) / KILOBYTES
    sys.stdout.write(json.dumps({"entries": entries, "seconds": seconds, "megabytes": grown}))


if __name__ == "__main__":
    main()
