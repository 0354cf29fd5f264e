"""The reference in a real browser, as the function serves it: for everyone, and all by itself."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

import docs_api.handler as docs
from tests.browsing import chromium, served

PHONE, DESK = 390, 1280
MACHINE_MILLISECONDS = 120_000
"""How long a page may take to load: the machine may be busy with something else."""
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
"""Of axe's rules: WCAG 2.2 AA and what axe thinks well of."""
JUDGED = {"color-contrast", "heading-order", "link-name", "target-size"}
"""Rules that find something to look at on this page."""


LOOKS = ((PHONE, "light"), (PHONE, "dark"), (DESK, "light"), (DESK, "dark"))
OTHERS = LOOKS[1:3]
"""Those that wait for all tests to be run."""
UNFOLD_A_SHARE = """
([share, shares]) => {
  document.querySelectorAll('article.operation').forEach((one, number) => {
    if (number % shares !== share) one.remove();
  });
  document.querySelectorAll('details').forEach(one => one.open = true);
}
"""
"""What is long is one pattern over and over: each look is judged by a share of it, all together
by the whole."""


@dataclass
class Visit:
    """A page that was opened, and what the browser noticed meanwhile."""

    page: Page
    number: int
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        """Refusals of the content security policy come here, too."""
        self.said.append(message.text)

    def see(self, request: Request) -> None:
        """Each request that the page makes."""
        self.asked.append(request.url)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the function answers."""
    with served(docs.handler) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium of this machine, without a window."""
    path = chromium()
    if path is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        # As root, as in a container, Chromium's sandbox can't be set up; it opens our page alone.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(
    params=[pytest.param(look, marks=pytest.mark.long if look in OTHERS else ()) for look in LOOKS],
    ids=str,
)
def visit(request: pytest.FixtureRequest, browser: Browser, address: str) -> Iterator[Visit]:
    """The page at one width in one scheme."""
    width, scheme = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    visit = Visit(context.new_page(), LOOKS.index(request.param))
    visit.page.on("console", visit.hear)
    visit.page.on("request", visit.see)
    visit.page.set_default_timeout(MACHINE_MILLISECONDS)
    visit.page.goto(f"{address}/docs", wait_until="networkidle")
    yield visit
    context.close()


def test_everyone_can_read_it(visit: Visit) -> None:
    """No rule of WCAG 2.2 AA that axe can judge is broken, also with all examples unfolded."""
    visit.page.evaluate(UNFOLD_A_SHARE, [visit.number, len(LOOKS)])

    found = Axe().run(visit.page, options={"runOnly": TAGS}).response

    assert [*found["violations"], *found["incomplete"]] == []
    assert {rule["id"] for rule in found["passes"]} >= JUDGED
    is_width = "document.documentElement.scrollWidth === window.innerWidth"
    assert visit.page.evaluate(is_width), "nothing is scrolled sideways"


def test_it_is_all_by_itself(visit: Visit, address: str) -> None:
    """Nothing is asked of another host, nothing refused by the policy, nothing complained of."""
    hosts = {urlsplit(url).netloc for url in visit.asked}

    assert visit.said == []
    assert hosts == {urlsplit(address).netloc}
    assert any("style.css" in url for url in visit.asked)


def test_what_is_injected_does_not_run(visit: Visit) -> None:
    """The policy holds in a browser: were markup to get in, its script would not be run."""
    visit.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.wasRun = true";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<img src='x' onerror='wasRun = true'>");
        }"""
    )
    visit.page.wait_for_load_state("networkidle")

    assert visit.page.evaluate("window.wasRun") is None
    assert any("Content Security Policy" in text for text in visit.said)


def test_the_keyboard_gets_everywhere(visit: Visit) -> None:
    """The first tab offers to skip the contents; each link within the page leads to a place."""
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    visit.page.keyboard.press("Enter")
    assert visit.page.evaluate("document.activeElement.id") == "content"

    lost = visit.page.evaluate(
        """() => [...document.querySelectorAll("a[href^='#']")]
            .map(link => link.getAttribute("href").slice(1))
            .filter(id => !document.getElementById(id))"""
    )
    assert lost == []
