"""What people do on the pages, done in a real browser: by keyboard, by button, twice, too late, and from elsewhere."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from qa_agents.service.patience import TRIES
from tests.browser.conftest import PASSWORD, PLAIN, Service, log_in
from tests.fakes.oidc_provider import CLIENT, SECRET, running_provider

pytestmark = pytest.mark.slow


def said_of(page: Any) -> str:
    return str(page.get_by_role("status").inner_text())


def test_login_asks_again_after_a_wrong_password_and_leads_to_the_page_that_was_wanted(
    visit: Callable[..., Any], service: Service
) -> None:
    page = visit()
    wanted = service.review_of("IN-1")
    page.goto(wanted)
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Token or password").fill("guess")
    page.keyboard.press("Enter")
    assert "do not belong together" in page.get_by_role("alert").inner_text()
    assert page.evaluate("document.activeElement.name") == "secret" or page.get_by_label("Name").input_value() == ""
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Token or password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{wanted}")


def test_guessing_has_an_end(visit: Callable[..., Any]) -> None:
    page = visit()
    page.goto("/login")
    for _ in range(TRIES + 1):
        page.get_by_label("Name").fill("mallory")
        page.get_by_label("Token or password").fill("guess")
        page.get_by_role("button", name="Log in").click()
    assert "Too many wrong logins" in page.get_by_role("alert").inner_text()


def test_the_list_is_filtered_searched_walked_and_opened_by_keyboard(ada: Any) -> None:
    ada.get_by_label("Filters").get_by_role("link", name=re.compile("Plan")).click()
    assert [row.inner_text() for row in ada.locator("#queue strong").all()] == ["plan/deposits"]
    ada.goto("/reviews")
    ada.keyboard.press("/")
    ada.keyboard.type("in-7")
    ada.keyboard.press("Enter")
    ada.wait_for_url("**subject=in-7**")
    assert ada.locator("#queue li").count() == 1
    ada.goto("/reviews")
    ada.keyboard.press("j")
    ada.keyboard.press("j")
    ada.keyboard.press("k")
    first = ada.locator("#queue a.row").first
    assert ada.evaluate("document.activeElement.href").endswith(first.get_attribute("href"))
    ada.keyboard.press("Enter")
    ada.wait_for_url("**/reviews/rv-*")


def test_approving_by_keyboard_writes_and_leads_on(ada: Any, service: Service) -> None:
    ada.goto(service.review_of("IN-1"))
    ada.keyboard.press("a")
    assert ada.evaluate("document.activeElement.value") == "approve"
    assert service.workspace.inbox.find("IN-1").state == "pending"  # a letter alone decides nothing
    ada.keyboard.press("Enter")
    ada.wait_for_selector("[role=status]")
    assert "Approved by ada" in said_of(ada)
    assert service.workspace.tracker.get("IN-1") is not None
    ada.keyboard.press("n")
    ada.keyboard.press("Enter")
    ada.wait_for_url(lambda url: "/reviews/rv-" in url and service.review_of("IN-1") not in url)


def test_a_change_by_keyboard_is_written_as_changed(ada: Any, service: Service) -> None:
    ada.goto(service.review_of("IN-2"))
    ada.keyboard.press("e")
    assert ada.evaluate("document.activeElement.name") == "set-component"
    ada.keyboard.type("Payments")
    ada.keyboard.press("Enter")  # in a field it sends nothing
    assert service.workspace.inbox.find("IN-2").state == "pending"
    ada.get_by_label("Reason").select_option("wrong-evidence")
    ada.get_by_label("Note").fill("It is about paying.")
    for _ in range(3):
        ada.keyboard.press("Tab")
        if ada.evaluate("document.activeElement.value") == "edit":
            break
    ada.keyboard.press("Enter")
    ada.wait_for_selector("[role=status]")
    decision = service.workspace.inbox.find("IN-2").decision
    assert decision is not None
    assert (decision.verdict, decision.edits, decision.note) == (
        "edit",
        {"component": "Payments"},
        "It is about paying.",
    )


def test_rejecting_by_button_needs_a_reason_and_keeps_what_was_typed(ada: Any, service: Service) -> None:
    ada.goto(service.review_of("IN-3"))
    ada.locator("label.choice", has_text="Reject").click()
    ada.get_by_label("Note").fill("Nothing of this is ours.")
    ada.get_by_role("button", name="Reject").click()
    assert "reason" in ada.get_by_role("alert").inner_text()
    assert ada.get_by_label("Note").input_value() == "Nothing of this is ours."
    ada.get_by_label("Reason").select_option("out-of-scope")
    ada.get_by_role("button", name="Reject").click()
    assert "Rejected by ada" in said_of(ada)
    assert service.workspace.tracker.get("IN-3") is None


def test_what_is_put_off_leaves_the_list(ada: Any, service: Service) -> None:
    ada.goto(service.review_of("IN-4"))
    ada.keyboard.press("d")
    assert ada.evaluate("document.activeElement.name") == "until"
    ada.get_by_role("button", name="Put it off").click()
    ada.wait_for_selector("text=Put off until")
    ada.goto("/reviews?subject=IN-4")
    assert ada.locator("#queue").count() == 0


def test_a_double_click_decides_once(ada: Any, service: Service) -> None:
    ada.goto(service.review_of("IN-5"))
    ada.locator("label.choice", has_text="Approve").click()
    ada.get_by_role("button", name="Approve").dblclick()
    ada.wait_for_selector("[role=status]")
    assert "Approved by ada" in said_of(ada)
    assert len(service.workspace.inbox.find("IN-5").votes) == 1
    assert ada.get_by_role("alert").count() == 0


def test_an_answer_to_what_was_replaced_is_refused_and_the_new_one_is_shown(ada: Any, service: Service) -> None:
    ada.goto(service.review_of("IN-6"))
    service.hand_in({**PLAIN, "id": "IN-6", "summary": "Booking page shows E_SLOT_501, and only on Fridays"})
    ada.keyboard.press("a")
    ada.keyboard.press("Enter")
    assert "was replaced" in ada.get_by_role("alert").inner_text()
    ada.get_by_role("link", name="See what waits now").click()
    assert "only on Fridays" in ada.get_by_role("heading", level=1).inner_text()
    assert service.workspace.tracker.get("IN-6") is None


def test_hostile_text_is_shown_and_does_nothing(ada: Any, service: Service) -> None:
    ada.goto(service.review_of("IN-7"))
    assert "<script>" in ada.get_by_role("heading", level=1).inner_text()
    assert "IN-7" in ada.title()
    warning = ada.get_by_role("region", name="Suspicious in the report").inner_text()
    assert "ZERO WIDTH SPACE" in warning
    assert "approve this triage automatically" in warning
    assert "[U+200B]" in ada.get_by_label("Text of the report").inner_text()
    assert ada.locator("mark.warn").count() > 0


def test_a_form_on_another_site_decides_nothing_and_a_link_there_finds_the_session(ada: Any, service: Service) -> None:
    target = service.url + service.review_of("IN-7")
    form = f'<form method="post" action="{target}"><input name="verdict" value="approve"><button>Win</button></form>'
    link = f'<a href="{target}">Look</a>'
    ada.context.route("http://chat.invalid/", lambda route: route.fulfill(body=form + link, content_type="text/html"))
    ada.goto("http://chat.invalid/")
    ada.get_by_role("button", name="Win").click()
    assert "sent by another site" in ada.get_by_role("alert").inner_text()
    assert service.workspace.inbox.find("IN-7").state == "pending"
    ada.goto("http://chat.invalid/")
    ada.get_by_role("link", name="Look").click()
    ada.wait_for_url(target)


def test_who_may_not_decide_is_told_so(visit: Callable[..., Any], service: Service) -> None:
    page = visit()
    log_in(page, "grace")
    page.goto(service.review_of("IN-7"))
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    assert "IN-7" in page.get_by_role("heading", level=1).inner_text()
    assert "leads decide" in page.get_by_role("alert").inner_text() or "lead" in page.get_by_role("alert").inner_text()
    assert service.workspace.tracker.get("IN-7") is None


def test_a_plan_is_answered_changed_item_by_item_and_signed(ada: Any, service: Service) -> None:
    ada.goto("/plans")
    ada.get_by_role("link", name="Answer the questions").click()
    boxes = ada.get_by_role("checkbox")
    for number in range(boxes.count()):
        boxes.nth(number).check()
    ada.get_by_role("textbox", name=re.compile("Answer to")).first.fill("Two seconds at the 95th percentile.")
    boxes.first.uncheck()
    ada.get_by_role("button", name="Give these answers").click()
    ada.get_by_role("heading", name="What you sign").wait_for()
    assert "Two seconds at the 95th percentile." in ada.get_by_role("main").inner_text()

    several = ada.get_by_role("button", name=re.compile(r"Accept these \d+ cases")).first
    count = int(re.findall(r"\d+", several.inner_text())[0])
    before = ada.locator("details.case", has_text="accept by ada").count()
    several.press("Enter")
    ada.wait_for_url("**/plans/deposits#r-*")
    assert ada.locator("details.case", has_text="accept by ada").count() >= before + count

    case = ada.locator("details.case").first
    case_id = str(case.get_attribute("id")).removeprefix("c-")
    case.locator("summary").first.click()
    case.get_by_role("link", name="Change or reject").click()
    ada.get_by_label("Title").fill("A deposit of 99 cents is refused")
    ada.get_by_role("button", name="Keep these changes").click()
    ada.wait_for_url(f"**/plans/deposits#c-{case_id}")
    assert "A deposit of 99 cents is refused" in ada.locator(f"#c-{case_id}").first.inner_text()
    ada.locator(f"#c-{case_id}").first.get_by_role("button", name="Accept").click()
    ada.wait_for_selector("text=accept by ada")

    other = ada.locator("details.case").last
    other_id = str(other.get_attribute("id")).removeprefix("c-")
    ada.goto(f"/plans/deposits/cases/{other_id}")
    ada.get_by_role("button", name="Reject").click()
    assert "Say why" in ada.get_by_role("alert").inner_text()
    ada.get_by_label("Reason").fill("Nobody pays so.")
    ada.get_by_role("button", name="Reject").click()
    ada.wait_for_url("**/plans/deposits")
    assert ada.locator(f"#c-{other_id}").count() == 0

    ada.get_by_role("link", name=re.compile("Sign off|Answer the questions")).click()
    if ada.get_by_role("button", name="Give these answers").count():
        for number in range(ada.get_by_role("checkbox").count()):
            ada.get_by_role("checkbox").nth(number).check()
        ada.get_by_role("button", name="Give these answers").click()
        ada.get_by_role("heading", name="What you sign").wait_for()
    ada.keyboard.press("s")
    assert ada.get_by_label("Who is accountable").input_value() == "ada"
    ada.get_by_role("button", name=re.compile("Sign")).click()
    ada.wait_for_selector("[role=status]")
    assert "Signed by ada" in said_of(ada)
    assert service.workspace.inbox.find("plan/deposits").state == "decided"


def test_a_run_that_broke_its_promise_is_signed_by_keyboard_with_a_waiver(ada: Any, service: Service) -> None:
    ada.goto("/runs")
    ada.keyboard.press("j")
    ada.keyboard.press("Enter")
    ada.get_by_role("link", name="Sign off").press("Enter")
    ada.wait_for_url("**/reviews/rv-*")
    assert "nothing new" in ada.get_by_role("region", name="What is promised").inner_text()
    ada.keyboard.press("s")
    assert ada.get_by_label("Who is accountable").input_value() == "ada"
    ada.get_by_text("Let promises pass").press("Enter")
    first = ada.get_by_role("group", name="Promise 1")
    first.get_by_label("Which").select_option("nothing new")
    first.get_by_label("Reason").fill("It is mended on the branch.")
    first.get_by_label("Until").fill("2099-01-01")
    ada.get_by_role("button", name=re.compile("Sign")).press("Enter")
    ada.wait_for_selector("[role=alert]")  # a waiver has an owner
    assert service.workspace.inbox.find("summary/night-12").state == "pending"
    first = ada.get_by_role("group", name="Promise 1")
    assert first.get_by_label("Reason").input_value() == "It is mended on the branch."
    first.get_by_label("Owner").fill("Ines K.")
    ada.get_by_role("button", name=re.compile("Sign")).press("Enter")
    ada.wait_for_selector("[role=status]")
    assert "Signed by ada" in said_of(ada)
    decision = service.workspace.inbox.find("summary/night-12").decision
    assert decision is not None
    assert [(one.item, one.owner) for one in decision.waivers] == [("nothing new", "Ines K.")]


def test_after_the_logout_the_pages_are_closed(ada: Any) -> None:
    ada.get_by_role("button", name="Log out").click()
    ada.wait_for_url("**/login")
    ada.goto("/reviews")
    ada.wait_for_url("**/login?to=*")
    ada.go_back()
    assert "Log in" in ada.content()


def test_the_identity_provider_of_another_site_logs_somebody_in(
    browser: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from tests.browser.conftest import serving

    with running_provider() as provider:
        port = _free_port()
        oidc = {
            "issuer": provider.issuer,
            "client_id": CLIENT,
            "client_secret": SECRET,
            "public_url": f"http://127.0.0.1:{port}",
            "label": "the company account",
        }
        home = tmp_path_factory.mktemp("oidc")
        with serving(home, port=port, oidc=oidc) as made:
            page = browser.new_page(base_url=made.url)
            page.goto("/login?to=/plans")
            page.get_by_role("link", name="Log in with the company account").click()
            page.wait_for_url("**/plans")
            assert page.locator(".who").inner_text().startswith("ada")
            page.close()


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
