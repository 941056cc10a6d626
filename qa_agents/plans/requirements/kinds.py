"""What kind of statement a requirement is, by the words that such statements use."""

import re

from qa_agents.plans.schema import FieldSpec, RequirementKind

_KINDS: tuple[tuple[RequirementKind, str], ...] = (
    (
        "accessibility",
        r"accessib(?:ility|ly|le(?! (?:via|through|from|by|at|in|on|under|as|to (?:the |an? |all |its |your )?"
        r"(?:templates?|plugins?|code|scripts?|apis?))))|wcag|screen[- ]readers?|"
        r"keyboard[- ](?:only|navig\w*|operable|access\w*)|"
        r"alt[- ]text|contrast ratio|aria\b|focus order|section 508|en 301 549",
    ),
    (
        "privacy",
        r"gdpr|ccpa|hipaa|personal(?:ly)? (?:data|information|identifiable)|pii|consent|anonymi[sz]\w*|"
        r"pseudonymi[sz]\w*|data subject|right to (?:erasure|be forgotten)|privacy",
    ),
    (
        "security",
        r"password|encrypt\w*|tls|https only|xss|csrf|sql injection|authenticat\w*|authori[sz](?:e|ed|"
        r"es|ation)|two[- ]factor|2fa|mfa|brute[- ]force|locked out|session (?:expires?|time)|"
        r"secrets?|credentials?|access tokens?|api keys?|audit (?:log|trail)|privileges?|sanitiz\w*|"
        r"sanitis\w*|certificates?|unauthori[sz]ed|penetration",
    ),
    (
        "internationalisation",
        r"locali[sz]\w*|internationali[sz]\w*|i18n|l10n|translat(?:ed|ion|ions|able)|right-to-left|"
        r"rtl\b|time ?zones?|locales?|unicode|utf-8|multi-?lingual",
    ),
    (
        "performance",
        r"response time|latency|throughput|(?:requests|transactions|queries) per (?:second|minute)|"
        r"concurrent (?:users|requests|sessions)|p9[059]|percentile|load time|"
        r"within \d+(?:\.\d+)? ?(?:ms|milliseconds?|s|seconds?)|under \d+(?:\.\d+)? ?(?:ms|"
        r"milliseconds?|s|seconds?)|(?:in )?less than \d+(?:\.\d+)? ?(?:ms|milliseconds?|s|seconds?)|"
        r"performan(?:ce|t)",
    ),
    (
        "reliability",
        r"uptime|availability of|99\.\d+|fail-?over|recover(?:s|y|ed)?|backups?|retr(?:y|ies|ied)|"
        r"disaster|rto|rpo|crash(?:es|ed)?|power loss|connection (?:is )?lost|offline|idempoten\w*|"
        r"data loss",
    ),
    (
        "compatibility",
        r"browsers?|chrome|firefox|safari|edge (?:\d+|browser)|ios \d*|android|windows \d+|macos|"
        r"backward[- ]compatib\w*|compatib\w*|operating systems?|screen sizes?",
    ),
    ("usability", r"usab\w*|intuitive|easy to use|user[- ]friendly|learnab\w*"),
)
CODE = re.compile(r"`[^`\n]*`")
"""A path or a name in code says nothing of a quality."""
PATTERNS = [(kind, re.compile(rf"\b(?:{pattern})s?\b", re.IGNORECASE)) for kind, pattern in _KINDS]
INTERFACE = re.compile(
    r"\b(?:GET|POST|PUT|PATCH|DELETE) /|\b(?:endpoint|status code|http|request body|response body|"
    r"query parameters?|content-type|headers? `|webhook|api)\b|\A[1-5]\d\d\b",
)
CONSTRAINT = re.compile(
    r"\b(?:(?:written (?:in|without)|implemented (?:in|with)|built (?:with|on)|hosted|deployed|"
    r"dependenc(?:y|ies)|library|framework|licen[cs]e|readme|source code|"
    r"code style|package manager|npm|repository|directory|comply with|complies with|compliant))\b",
    re.IGNORECASE,
)
USE = re.compile(
    r"(?:[^:]{1,80}: )?(?:(?:please )?use|follow) (?:a|an|the|our|npm|only)?\b|[\w' ]{1,60} should use\b", re.IGNORECASE
)
DATA = re.compile(
    r"\b(?:format|characters?|digits|encod\w*|string|integer|float|boolean|valid|invalid|field|"
    r"value|values|type|types|default|unique|nullable|empty|required|optional|range|length)\b",
    re.IGNORECASE,
)
BEHAVIOUR = re.compile(
    r"\b(?:when|click|press|display|show|hide|send|redirect|open|creat|delet|updat|notif|submit|"
    r"select|load|reload|save|persist|return|list|search|sort|filter|cancel|add)",
    re.IGNORECASE,
)


def kind_of(text: str, heading_path: list[str], fields: list[FieldSpec], outcome: str = "") -> RequirementKind:
    """The finest kind that the words speak for; `functional` when none does. A time in the condition is no demand of speed:
    where an `outcome` is given, that is looked through for it."""
    said = CODE.sub("` `", text)
    for kind, pattern in PATTERNS:
        if pattern.search(outcome if outcome and kind == "performance" else said):
            return kind
    if INTERFACE.search(text):
        return "interface"
    if (CONSTRAINT.search(text) and not BEHAVIOUR.search(text)) or USE.match(text):
        return "constraint"
    if fields or (DATA.search(text) and not BEHAVIOUR.search(text)):
        return "data"
    nearest = heading_path[-1] if heading_path else ""
    for kind, pattern in PATTERNS:
        if pattern.search(nearest):
            return kind
    return "functional"
