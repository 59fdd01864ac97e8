"""A real browser on a real server with the real model. The page must be silent: no error, no violated policy."""

import os
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    expect,
    sync_playwright,
)

from tests.browser.reciter import reciter
from tests.support.talking_model import talking_model
from tests.support.up import Up

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_REPLY_MS = 240_000  # the whole of a long story, by a real model
_TEST_SECONDS = 300
_KEY = "sk-of-nobody"
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}

expect.set_options(timeout=15_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each test of this folder take longer than a reply may."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(_TEST_SECONDS))


@contextmanager
def serving(folder: Path, **environment: str) -> Generator[Up]:
    """Run a server in a folder of its own."""
    up = Up(folder / "data", **environment)
    up.start()
    try:
        yield up
    finally:
        up.stop()


def _on(model: str, folder: Path) -> AbstractContextManager[Up]:
    """A server on a model of OpenAI's protocol."""
    return serving(folder, OPENAI_BASE_URL=model, OPENAI_API_KEY=_KEY)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Up]:
    """Give the server that the tests share."""
    with serving(tmp_path_factory.mktemp("browser")) as up:
        yield up


@pytest.fixture(scope="module")
def recital(tmp_path_factory: pytest.TempPathFactory) -> Generator[Up]:
    """Give a server on a model that recites (`tests.browser.reciter`)."""
    with reciter() as model, _on(model.base_url, tmp_path_factory.mktemp("recital")) as up:
        yield up


@pytest.fixture(scope="module")
def thinking_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Up]:
    """Give a server on a model that thinks and talks as it is told to (`tests.support.talking_model`)."""
    with talking_model() as model, _on(model.base_url, tmp_path_factory.mktemp("thinking")) as up:
        yield up


@pytest.fixture(scope="session")
def browser() -> Generator[Browser]:
    """Give one chromium: the system's, or the one that CHROMIUM names."""
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


class Tab:
    """One tab with the page in it, and what a visitor does there."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.composer = page.get_by_label("Your message")
        self.replies = page.locator(".message.reply")
        self.status = page.get_by_test_id("status")

    def open(self, path: str = "") -> "Tab":
        """Load the page, and wait until it is connected."""
        self.page.goto(f"{self.url}/{path}")
        self.connected()
        return self

    def connected(self) -> None:
        """Wait until the page says that it is connected, whether the list is in sight or not."""
        expect(self.page.locator(".connection")).to_have_text("Connected")

    def say(self, text: str) -> None:
        """Write a message and send it with Enter."""
        self.composer.fill(text)
        self.composer.press("Enter")

    def growing(self) -> Locator:
        """Wait for a reply that is being written, with words in it."""
        live = self.page.locator(".message.reply.live .prose")
        live.wait_for(timeout=_REPLY_MS)
        return live

    def ended(self, status: str = "completed") -> Locator:
        """Wait until the last reply has ended so."""
        last = self.replies.last
        expect(last).to_have_attribute("data-status", status, timeout=_REPLY_MS)
        return last

    @contextmanager
    def told(self, method: str = "PATCH") -> Generator[None]:
        """Do something that the page shows at once, and wait until the server has done it as well."""
        with self.page.expect_response(lambda answer: answer.request.method == method):
            yield

    def copied(self) -> str:
        """Give the last reply's exact text, as its copy button does."""
        self.replies.last.get_by_role("button", name="Copy", exact=True).last.click()
        expect(self.replies.last.get_by_role("button", name="Copied")).to_be_visible()
        return self.page.evaluate("navigator.clipboard.readText()")

    @property
    def conversation(self) -> str:
        """The id of the conversation in sight."""
        return self.page.url.rpartition("/")[2]

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask the server over HTTP as this visitor."""
        token = self.page.evaluate("localStorage.getItem('tertulia.token')")
        headers = {"Authorization": f"Bearer {token}"}
        with httpx2.Client(base_url=self.url, headers=headers, trust_env=False) as http:
            answer = http.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def stored(self) -> list[dict[str, Any]]:
        """Give the messages as the server has stored them."""
        return self.ask("GET", f"/v1/conversations/{self.conversation}/messages")["items"]


class Visitor:
    """One browser profile; its tabs share a token. `forgives` are errors that a test causes on purpose."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.forgives: tuple[str, ...] = ()
        self._url = url
        self._trouble: list[str] = []
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
        context.on("weberror", lambda error: self._trouble.append(str(error.error)))
        context.on("console", self._heard)

    def tab(self) -> Tab:
        """Open another tab."""
        return Tab(self.context.new_page(), self._url)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._trouble.append(f"{message.text} {message.location['url']}")

    def check(self) -> None:
        """Fail on anything in the consoles that was not forgiven; a violated policy is one such thing."""
        left = [text for text in self._trouble if not any(known in text for known in self.forgives)]
        assert not left, left


@contextmanager
def visiting(browser: Browser, url: str, **options: Any) -> Generator[Visitor]:
    """Have a visitor with a fresh profile somewhere; the options are Playwright's."""
    options.setdefault("viewport", DESKTOP)
    visitor = Visitor(browser.new_context(**options), url)
    try:
        yield visitor
    finally:
        visitor.context.close()
    visitor.check()


@pytest.fixture
def hall(recital: Up, browser: Browser) -> Generator[Tab]:
    """Give a visitor's tab where a model recites, open and connected."""
    with visiting(browser, recital.url) as visitor:
        yield visitor.tab().open()


@pytest.fixture
def thoughtful(thinking_server: Up, browser: Browser) -> Generator[Tab]:
    """Give a visitor's tab where a model thinks, open and connected."""
    with visiting(browser, thinking_server.url) as visitor:
        yield visitor.tab().open()


@pytest.fixture
def visit(server: Up, browser: Browser) -> Generator[Callable[..., Visitor]]:
    """Give a function that makes a visitor with a fresh profile; its options are Playwright's."""
    with ExitStack() as visitors:
        yield lambda **options: visitors.enter_context(visiting(browser, server.url, **options))


@pytest.fixture
def visitor(visit: Callable[..., Visitor]) -> Visitor:
    """Give a visitor at a desk."""
    return visit()


@pytest.fixture
def tab(visitor: Visitor) -> Tab:
    """Give the visitor's first tab, open and connected."""
    return visitor.tab().open()


@pytest.fixture(scope="session")
def images() -> Path:
    """Where the README's pictures live."""
    return Path(__file__).parents[2] / "docs" / "images"
