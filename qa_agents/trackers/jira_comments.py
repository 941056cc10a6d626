"""Comments: private unless said otherwise, marked in the same request, and edited rather than deleted when taken back."""

from typing import Any

from qa_agents.errors import ConflictError, InvalidInputError
from qa_agents.settings import JiraSettings
from qa_agents.storage.canonical import digest_of
from qa_agents.trackers.changes import change
from qa_agents.trackers.jira_fields import account_of
from qa_agents.trackers.jira_issue import INTERNAL, MARK, Snapshot, is_withdrawn, mark_of
from qa_agents.trackers.jira_json import Json, at, items, text
from qa_agents.trackers.jira_requests import MAX_BEFORE_CHARS, Plan, Write, again
from qa_agents.trackers.jira_text import MAX_COMMENT_CHARS, inert, plain
from qa_agents.trackers.schema import Action, Applied

KEPT_OPS = 50
WITHDRAWN_TEXT = "(withdrawn)"


class CommentPlanner:
    """Plans what is done to comments of one issue."""

    def __init__(self, settings: JiraSettings) -> None:
        self._settings = settings

    def plan(self, action: Action, now: Snapshot, op: str) -> Plan | Applied:
        """As Planner.plan, for add_comment and remove_comment."""
        if action.kind == "add_comment" and "id" not in action.params:
            return self._new_comment(action, now, op)
        return self._old_comment(action, now, op)

    def _new_comment(self, action: Action, now: Snapshot, op: str) -> Plan | Applied:
        for number, comment in now.comments.items():
            mark = mark_of(comment)
            if op in items(mark, "ops")[1:]:
                return _rewritten_before(action, now, op, number)
            if op in items(mark, "ops"):
                without = [c for c in now.view["comments"] if str(c["id"]) != number]
                words = text(mark, "was") if is_withdrawn(comment) else plain(at(comment, "body"))
                made = {**action.params, "id": int(number), "text": words or ""}
                return again(action.model_copy(update={"params": made}), {**now.view, "comments": without})
        slot = text(action.params, "slot")
        standing = None if slot is None else _in_slot(now, slot, bool(action.params.get("public")))
        if standing is not None:
            return self._rewritten(action, now, op, standing)
        body = self._comment_body(
            str(action.params["text"]), bool(action.params.get("public")), [op], "shown", slot=slot
        )

        def settled(answer: Json) -> Applied:
            stored = {**action.params, "id": int(text(answer, "id") or "0"), "text": plain(at(answer, "body"))}
            return change(action.model_copy(update={"params": stored}), now.view)[1]

        return Plan([Write("POST", f"/rest/api/2/issue/{now.id}/comment", body)], settled)

    def _rewritten(self, action: Action, now: Snapshot, op: str, number: str) -> Plan | Applied:
        """Other words for a comment of ours that stands: the note of the last triage gives way to that of this one."""
        comment = now.comments[number]
        before = next(c for c in now.view["comments"] if str(c["id"]) == number)
        words, expected = str(action.params["text"]), action.params.get("expect")
        if expected is not None and digest_of({"comment": before}) != expected:
            raise ConflictError(f"{action.target} was changed since; it is left as it is.")
        if before["text"] == words:
            return Applied()
        ops = [*(str(one) for one in items(mark_of(comment), "ops")[-KEPT_OPS + 1 :]), op]
        slot, public = text(mark_of(comment), "slot"), bool(before["public"])
        body = self._comment_body(words, public, ops, "shown", before["text"], slot=slot)

        def settled(answer: Json) -> Applied:
            return _rewriting(action, before, {**before, "text": plain(at(answer, "body"))})

        return Plan([Write("PUT", f"/rest/api/2/issue/{now.id}/comment/{int(number)}", body)], settled)

    def _old_comment(self, action: Action, now: Snapshot, op: str) -> Plan | Applied:
        """Withdraw a comment of ours, or show a withdrawn one again: it is edited, so that its place and id stay."""
        number = str(action.params["id"])
        comment = now.comments.get(number)
        mark = mark_of(comment)
        removing = action.kind == "remove_comment"
        if comment is None:
            if removing:
                return Applied()
            raise ConflictError(f"{now.key} has no comment {number[:20]} to show again.")
        if not removing and (slot := text(mark, "slot")) is not None and not is_withdrawn(comment):
            if op in items(mark, "ops"):
                return _rewritten_before(action, now, op, number)
            return self._rewritten(action, now, op, number) if action.params.get("slot") == slot else Applied()
        if op in items(mark, "ops"):
            kept = [c for c in now.view["comments"] if str(c["id"]) != number]
            if removing:
                private = at(comment, "visibility") is not None
                public = not private and mark.get("public") is not False
                kept.append({"id": int(number), "public": public, "text": text(mark, "was") or ""})
            return again(action, {**now.view, "comments": kept})
        applied = change(action, now.view)[1]
        if applied.inverse is None:
            return applied
        if not mark:
            raise ConflictError(f"The comment {number[:20]} on {now.key} is not ours.")
        standing: list[dict[str, Any]] = now.view["comments"]
        current = next((c for c in standing if str(c["id"]) == number), {})
        public = bool(current.get("public") if removing else action.params.get("public"))
        ops = [*(str(one) for one in items(mark, "ops")[-KEPT_OPS + 1 :]), op]
        if removing:
            words, state, was = WITHDRAWN_TEXT, "withdrawn", str(current.get("text", ""))
        else:
            words, state, was = str(action.params["text"]), "shown", None
        body = self._comment_body(words, public, ops, state, was, slot=text(mark, "slot"))
        return Plan([Write("PUT", f"/rest/api/2/issue/{now.id}/comment/{int(number)}", body)], lambda _: applied)

    def _comment_body(
        self, words: str, public: bool, ops: list[str], state: str, was: str | None = None, *, slot: str | None = None
    ) -> Json:
        """A comment with its mark and, whatever it is, an explicit audience."""
        markup = inert(words)
        if not words.strip() or len(markup) > MAX_COMMENT_CHARS:
            raise InvalidInputError("The comment is empty or longer than Jira takes.", hint="Shorten it.")
        mark: dict[str, Json] = {"v": 1, "ops": ops, "state": state, "public": public}
        mark |= {name: value for name, value in (("was", (was or "")[:MAX_BEFORE_CHARS]), ("slot", slot)) if value}
        properties: list[Json] = [{"key": MARK, "value": mark}]
        body: dict[str, Json] = {"body": markup, "properties": properties}
        seen_by = self._settings.visibility
        if not public and seen_by is None and not self._settings.jsm_internal:
            raise InvalidInputError(
                "A private comment has no audience on this Jira: it would be public.",
                hint="Set `jira.visibility` to a role or group, or `jira.jsm_internal`.",
            )
        if self._settings.jsm_internal:
            properties.append({"key": INTERNAL, "value": {"internal": not public}})
        if not public and seen_by is not None:
            body["visibility"] = {"type": seen_by.type, "value": seen_by.value}
        return body


def _in_slot(now: Snapshot, slot: str, public: bool) -> str | None:
    """The newest comment of ours in this slot that stands for the same audience and that nobody else has edited."""
    standing = {str(c["id"]): bool(c["public"]) for c in now.view["comments"]}
    for number in sorted(now.comments, key=lambda one: (len(one), one), reverse=True):
        comment = now.comments[number]
        by_us = account_of(at(comment, "updateAuthor")) in (None, account_of(at(comment, "author")))
        if text(mark_of(comment), "slot") == slot and standing.get(number) is public and by_us:
            return number
    return None


def _rewritten_before(action: Action, now: Snapshot, op: str, number: str) -> Applied:
    """What writing other words did when it was done; what stood there before is known of the last time only."""
    mark = mark_of(now.comments[number])
    after = next((c for c in now.view["comments"] if str(c["id"]) == number), None)
    if after is None or op != next(iter(items(mark, "ops")[-1:]), None):
        return Applied(already_there=True)
    made = _rewriting(action, {**after, "text": text(mark, "was") or ""}, after)
    return made.model_copy(update={"already_there": True})


def _rewriting(action: Action, before: dict[str, Any], after: dict[str, Any]) -> Applied:
    back = {"id": before["id"], "text": before["text"], "public": before["public"], "slot": action.params.get("slot")}
    back["expect"] = digest_of({"comment": after})
    inverse = Action(kind="add_comment", target=action.target, params=back, because="undo")
    return Applied(before={"comment": before}, after={"comment": after}, inverse=inverse)
