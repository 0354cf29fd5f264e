"""Write docs/openapi.json.

python -m tools.export_openapi            write the file
python -m tools.export_openapi --check    fail when it is not what the code says
"""

import argparse
import sys

from tools.export_openapi.document import ROOT, TARGET, text


def main() -> int:
    """Write or check the file; an exit status of 1 says that it is stale."""
    parser = argparse.ArgumentParser(description="Export the API's OpenAPI document.")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    current = text()
    if not parser.parse_args().check:
        TARGET.write_text(current, encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == current:
        return 0
    print(
        f"{TARGET.relative_to(ROOT)} is stale: run python -m tools.export_openapi", file=sys.stderr
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
