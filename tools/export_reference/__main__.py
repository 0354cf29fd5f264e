"""Write functions/docs_api's page and document from docs/openapi.json.

python -m tools.export_reference            write the files
python -m tools.export_reference --check    fail when they are not what the document says
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from tools.export_reference.operations import examples_of, groups_of, scopes_of, shared_examples
from tools.export_reference.schemas import Node, Schemas

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "docs/openapi.json"
FUNCTION = ROOT / "functions/docs_api"

MARKDOWN = MarkdownIt("commonmark", {"html": False})
"""Descriptions are CommonMark, says OpenAPI; HTML within them is text."""


def files() -> dict[Path, str]:
    """What the function serves besides its style, each file's text by its path."""
    document = json.loads(SOURCE.read_text(encoding="utf-8"))
    compact = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return {FUNCTION / "reference.html": page(document), FUNCTION / "openapi.json": compact + "\n"}


def page(document: Node) -> str:
    """The document as a page of HTML."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["prose"] = lambda text: Markup(MARKDOWN.render(text))  # noqa: S704 - HTML in it was escaped
    environment.filters["phrase"] = lambda text: Markup(MARKDOWN.renderInline(text))  # noqa: S704 - likewise
    schemas = Schemas(document)
    groups = groups_of(document)
    style = (FUNCTION / "style.css").read_bytes()
    return environment.get_template("page.html").render(
        info=document["info"],
        base=document["servers"][0]["url"],
        groups=groups,
        scopes=scopes_of(groups),
        schemes=document["components"]["securitySchemes"],
        schemas=schemas,
        models=schemas.models(),
        examples_of=examples_of,
        shared=shared_examples(document),
        style=hashlib.sha256(style).hexdigest()[:12],
    )


def main() -> int:
    """Write or check the files; an exit status of 1 says that one is stale."""
    parser = argparse.ArgumentParser(description="Export the API's reference.")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    is_check = parser.parse_args().check
    stale = False
    for path, text in files().items():
        if not is_check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            name = path.relative_to(ROOT)
            print(f"{name} is stale: run python -m tools.export_reference", file=sys.stderr)
            stale = True
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
