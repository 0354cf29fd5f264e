"""Send generated requests to every operation of the API, and say what came back.

python -m tests.fuzz --cases 20000
"""

import argparse
import sys

import pytest

PROPERTY = "tests/integration/api/test_fuzz.py"


def main() -> int:
    """The tests' exit status: 0 when nothing was found."""
    parser = argparse.ArgumentParser(description="Fuzz every operation of the API, in process.")
    parser.add_argument("--cases", type=int, default=20_000, help="requests to send, at least")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other requests")
    given = parser.parse_args()
    counts = ["--fuzz-cases", str(given.cases), "--fuzz-seed", str(given.seed)]
    return int(pytest.main([PROPERTY, "--show-capture=no", "--tb=short", *counts]))


if __name__ == "__main__":
    sys.exit(main())
