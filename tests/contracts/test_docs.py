"""The documentation's links lead somewhere, its commands exist, and no page stands alone."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
TARGET = re.compile(r"^([a-z ]+):.*?## (.*)$", re.MULTILINE)
MAKE = re.compile(r"\bmake ([a-z]+)\b")


def prose_of(page: Path) -> str:
    """The page without its code blocks."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def anchors_of(page: Path) -> set[str]:
    """What links may name behind a `#`, as forges make it of the page's headings."""
    headings = re.findall(r"^#+ (.*)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def targets() -> dict[str, str]:
    """The Makefile's targets, each with what `make help` says of it."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return {name: said for names, said in TARGET.findall(makefile) for name in names.split()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Files and headings of our own exist; other sites are not asked."""
    broken = []
    for link in LINK.findall(prose_of(page)):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(link)

    assert broken == []


def test_commands_exist() -> None:
    """Each `make …` that a page names is a target."""
    named = {
        name
        for page in PAGES
        for code in re.findall(r"`([^`\n]*)`|^(make .*)$", page.read_text(), re.MULTILINE)
        for name in MAKE.findall("".join(code))
    }

    assert named
    assert named <= set(targets())


def test_the_readme_lists_the_commands() -> None:
    """Each target, with the words of the Makefile."""
    rows = re.findall(
        r"^\| (`make .*`) \| (.*) \|$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    listed = {
        name: said.replace("\\|", "|") for names, said in rows for name in MAKE.findall(names)
    }

    assert listed == targets()


def test_every_page_can_be_found() -> None:
    """A page in docs/ is linked from the README; runbooks are named by their alarms."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    alone = [path.name for path in (ROOT / "docs").glob("*.*") if f"docs/{path.name}" not in readme]

    assert alone == []


def test_the_rooms_of_the_readme_are_there() -> None:
    """And each folder of the repository is one of its rooms."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    _, _, rest = readme.partition("## The rooms")
    rooms = set(re.findall(r"`([a-z]+)/", rest.partition("\n## ")[0]))
    listing = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout
    folders = {line.split("/")[0] for line in listing.splitlines() if "/" in line}

    assert rooms
    assert all((ROOT / room).is_dir() for room in rooms)
    assert {folder for folder in folders if not folder.startswith(".")} <= rooms
