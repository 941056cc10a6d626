"""The page about a test run: axe finds nothing, light and dark; nothing runs off a narrow screen; it needs no script."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qa_agents.results.narrate import pages
from tests.browser.conftest import CHROMIUM, FLAGS, playwright
from tests.unit.results.narrate.test_pages import GREEN, summary_of

pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed: pip install '.[dev]'")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = {f"tests.billing.test_{n}::{'case' * 20}": GREEN[:-1] + "F" for n in range(4)}
    lines |= {"s::gone": GREEN[:-1] + ".", "s::old": "F" * 20, "s::shaky": "PFPPPFPPFPPPPFPPPFPF", "s::ok": GREEN}
    summary, run = summary_of(lines, {name: f"no {name} in {'x' * 80}" for name in lines})
    file = tmp_path_factory.mktemp("page") / "summary.html"
    file.write_text(pages(summary, run=run)["summary.html"], "utf-8")
    return file


@pytest.fixture
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


def test_the_page_is_for_everybody_and_for_every_width(browser: Any, page_file: Path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    for scheme in ("light", "dark"):
        page = browser.new_context(color_scheme=scheme, bypass_csp=True).new_page()
        page.goto(page_file.as_uri())
        found = Axe().run(page).response["violations"]
        assert [f"{one['id']}: {node['target']}" for one in found for node in one["nodes"]] == []
        page.set_viewport_size({"width": 320, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_every_link_leads_somewhere_without_any_script(browser: Any, page_file: Path) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(page_file.as_uri())
    link = page.locator("main a").first
    target = link.get_attribute("href")
    link.click()
    assert page.url.endswith(target)
    assert page.locator(f'[id="{target[1:]}"]').is_visible()
