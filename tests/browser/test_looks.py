"""Every page for everybody: axe finds nothing, light and dark; nothing runs off a narrow screen; the focus is always seen."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import Service, log_in

pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed: pip install '.[dev]'")
pytestmark = pytest.mark.slow

PAGES = (
    *("list", "by reason", "nothing", "triage", "answer", "questions", "plans"),
    *("plan", "case", "runs", "run", "sign-off", "record", "ledger", "history", "problem", "docs"),
)


def address_of(name: str, service: Service) -> str:
    review, plan = service.review_of("IN-7"), service.workspace.inbox.find("plan/deposits").review_id
    case = next(iter(_cases(service)))
    return {
        "list": "/reviews",
        "by reason": "/reviews?rule=injection",
        "nothing": "/reviews?subject=none",
        "triage": review,
        "answer": review,
        "questions": f"/reviews/{plan}",
        "plans": "/plans",
        "plan": "/plans/deposits",
        "case": f"/plans/deposits/cases/{case}",
        "runs": "/runs",
        "run": "/runs/night-12",
        "sign-off": service.review_of("summary/night-12"),
        "record": "/stats",
        "ledger": "/ledger",
        "history": "/reports/IN-7",
        "problem": "/reviews/none",
        "docs": "/docs",
    }[name]


def _cases(service: Service) -> list[str]:
    from qa_agents.planning import plan_of

    return [case.id for case in plan_of(service.workspace, "deposits").cases]


def complaints(page: Any) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]


@pytest.fixture
def window(visit: Callable[..., Any]) -> Any:
    page = visit()
    log_in(page)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(window: Any, service: Service, scheme: str) -> None:
    window.emulate_media(color_scheme=scheme)
    for name in PAGES:
        window.goto(address_of(name, service))
        if name in ("answer", "sign-off"):
            window.keyboard.press("e" if name == "answer" else "s")
        window.evaluate("[...document.querySelectorAll('details')].slice(0, 12).forEach(one => { one.open = true })")
        assert complaints(window) == [], name


def test_axe_finds_nothing_at_the_login(visit: Callable[..., Any]) -> None:
    page = visit(color_scheme="dark")
    page.goto("/login")
    assert complaints(page) == []


def test_nothing_runs_off_a_screen_320_pixels_wide(window: Any, service: Service) -> None:
    window.set_viewport_size({"width": 320, "height": 640})
    for name in PAGES:
        window.goto(address_of(name, service))
        if name in ("answer", "sign-off"):
            window.locator("label.choice", has_text="Change" if name == "answer" else "Sign").click()
        wide = window.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, name


def test_whoever_walks_by_tab_always_sees_where_they_are(window: Any, service: Service) -> None:
    for name in ("list", "triage", "case", "record"):
        window.goto(address_of(name, service))
        for _ in range(25):
            window.keyboard.press("Tab")
            seen = window.evaluate(
                """() => {
                    const at = document.activeElement;
                    if (at === document.body) return "body";
                    const style = (element) => getComputedStyle(element);
                    const ring = (one) => style(one).outlineStyle !== "none" && parseFloat(style(one).outlineWidth) >= 2;
                    const label = at.closest("label.choice");
                    return ring(at) || (label && ring(label)) ? "" : at.outerHTML.slice(0, 200);
                }"""
            )
            if seen == "body":
                break
            assert seen == "", name


def test_the_first_stop_leads_past_the_navigation(window: Any) -> None:
    window.goto("/reviews")
    window.keyboard.press("Tab")
    assert window.evaluate("document.activeElement.textContent") == "To the content"
    window.keyboard.press("Enter")
    assert window.evaluate("document.activeElement.id") == "main"
