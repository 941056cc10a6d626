"""Every mistake that can be put into the server."""

FAULTS = (
    "register-answers-200", "register-keeps-duplicates", "register-without-email", "register-drops-token",
    "register-swaps-username", "register-ignores-types", "login-takes-any-password", "login-takes-unknown-email",
    "login-gives-other-user", "login-answers-500", "user-needs-no-token", "user-takes-bad-token", "user-is-always-first",
    "user-drops-bio", "user-update-ignores-bio", "user-update-ignores-email", "user-update-clears-image",
    "user-update-not-kept", "profile-unknown-is-empty", "profile-without-following", "follow-does-nothing",
    "follow-needs-no-token", "unfollow-does-nothing", "article-answers-200", "article-without-title",
    "article-needs-no-token", "article-drops-tags", "article-body-is-description", "article-wrong-date",
    "article-count-is-text", "article-unknown-is-500", "article-not-kept", "update-ignores-title", "update-ignores-body",
    "update-clears-description", "update-by-others", "update-unknown-creates", "delete-by-others", "delete-keeps-article",
    "delete-answers-200-with-body", "delete-needs-no-token", "list-oldest-first", "list-ignores-limit",
    "list-ignores-offset", "list-ignores-tag", "list-ignores-author", "list-count-is-page", "list-drops-author",
    "comment-without-body", "comment-not-listed", "comment-wrong-author", "comment-id-is-text", "comment-delete-does-nothing",
    "comment-delete-by-others", "favorite-does-nothing", "favorite-counts-twice", "unfavorite-does-nothing",
    "favorite-not-kept", "tags-are-one-text", "errors-without-list", "malformed-is-500", "feed-needs-no-token",
)  # fmt: skip
"""Every fault by name."""
