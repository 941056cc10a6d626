"""The words by which statements about a product are told from talk about it; general English, nothing of any one document."""

import re

from qa_agents.plans.read.parsed import word_set

MODALS = (
    r"(?:must|shall|should|may|might|can|cannot|can't|could|will|would|won't|mustn't|shouldn't|needs?|ha(?:s|ve) to)"
)

_VERBS = sorted(
    word_set(
        "accept activate add pull adjust allow alter append apply appear archive assign attach authenticate "
        "authorise authorize average "
        "begin block book bring calculate call cancel capture change charge check clear close "
        "coerce collapse collect "
        "combine compare compute configure confirm connect consist consume contain continue "
        "convert copy correspond count "
        "cover create decide decline decode decrease default define delete deliver deny depend "
        "destroy determine disable "
        "discard disconnect display distinguish divide download drop edit emit enable encode "
        "encrypt end enforce enter "
        "equal erase escape evaluate exclude execute exist exit expand expire export expose "
        "express extend fail fetch "
        "fill filter find flag focus follow force form format forward freeze generate give grant "
        "group handle hash hide "
        "highlight hold identify ignore import include increase indicate inherit initialise "
        "initialize insert install "
        "instantiate interpolate interpret invalidate invite invoke issue join jump keep launch "
        "leave let limit link list "
        "live load locate lock log lose lower maintain make map mark mask match merge mirror "
        "monitor mount move name "
        "navigate need normalise normalize notify offer omit open order output override overwrite "
        "paginate parse pass "
        "pause perform permit persist place play point populate post precede prefix present preserve prevent print "
        "process produce prompt propagate protect provide publish push put query queue raise rank "
        "read rebuild receive "
        "recognise recognize record redirect reduce refer reference refresh refund refuse register "
        "reject release reload "
        "remain remember remove rename render repeat replace report represent request require reset resize resolve "
        "respect respond restart restore restrict result resume retain retry return reuse reveal "
        "reverse revert revoke "
        "rotate round route run save scale scan schedule scroll search see select send separate "
        "serve set share shift "
        "show sign skip sort specify split stand start stay stop store stream strip submit "
        "subscribe subtract suggest "
        "supply support suppress suspend switch sync synchronise synchronize tag take terminate "
        "throw time toggle track "
        "transfer transform translate travel treat trigger trim truncate turn unlock unset update "
        "upgrade upload use "
        "validate verify view visit wait warn withdraw work wrap write yield "
    )
)


def third_person(verb: str) -> str:
    """`display` to `displays`, `match` to `matches`, `apply` to `applies`."""
    if verb.endswith(("s", "sh", "ch", "x", "z", "o")):
        return verb + "es"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + "s"


def gerund(verb: str) -> str:
    """`close` to `closing`, `set` to `setting`; good enough to recognise, not to write."""
    if verb.endswith("e") and not verb.endswith(("ee", "ye")):
        return verb[:-1] + "ing"
    if len(verb) <= 4 and re.search(r"[^aeiou][aeiou][bdgmnprt]$", verb):
        return verb + verb[-1] + "ing"
    return verb + "ing"


BASE = frozenset(_VERBS) | {"have", "do", "go"}
THIRD = frozenset(third_person(verb) for verb in _VERBS) | {"has", "does", "goes", "is", "means"}
GERUNDS = frozenset(gerund(verb) for verb in _VERBS) | word_set(
    "attempting clicking double-clicking dragging hovering holding hitting pressing tapping typing "
    "swiping scrolling "
    "setting trying submitting cancelling canceling controlling "
)
IRREGULAR = (
    "shown hidden sent set kept made put read written given taken left lost built found held known "
    "chosen drawn thrown cut "
    "shut split bound born broken run done seen sorted spent drawn begun reset sought understood "
    "met paid sold forbidden "
    "frozen overridden overwritten withdrawn"
)
PARTICIPLE = rf"(?:[a-z]{{2,}}ed|{'|'.join(IRREGULAR.split())})"
VERB_THEN_OBJECT = re.compile(
    r"\b[a-z]{2,}(?<!s)(?:s|es) (?:the|a|an|its|their|all|each|every|any|no|one|two|only|exactly|"
    r"at least|at most|up to)\b"
)

RATIONALE_HEADINGS = re.compile(
    r"(?:^|\b)(?:background|motivation|rationale|introduction|intro|objectives?|goals?|why|history|"
    r"table of contents|contents|"
    r"references|glossary|change ?log|release notes|about|license|licence|contributing|"
    r"acknowledge?ments?|credits|abstract|"
    r"executive summary|problem statement|context|revision history|document history|personas?|"
    r"stakeholders|design notes|words|terms|terminology|definitions?|"
    r"success metrics|further reading|see also|appendix|faq|alternatives considered)\W*$",
    re.IGNORECASE,
)
OUT_HEADINGS = re.compile(
    r"\b(?:out[ -]of[ -]scope|not in scope|non[ -]?goals?|not (?:covered|included|planned)|"
    r"exclusions?|future (?:work|releases?|"
    r"considerations?)|won'?t (?:have|do)|later (?:releases?|versions?|phases?)|deferred|parking lot)\b",
    re.IGNORECASE,
)
OUT_SENTENCES = re.compile(
    r"\b(?:out[ -]of[ -]scope|not in scope|outside (?:the|this) scope|not part of this|(?:is|are|"
    r"will) not (?:be )?(?:covered|"
    r"planned|included in (?:this|the (?:first|current|initial)))|left to a (?:later|future)|(?:in|"
    r"for) a (?:later|future) "
    r"(?:release|version|phase))\b",
    re.IGNORECASE,
)
RATIONALE_STARTS = re.compile(
    r"(?:rationale|because|the (?:main |key |basic )?(?:idea|goal|aim|reason|motivation|advantage|"
    r"benefit|drawback|purpose|"
    r"rationale|problem|drawbacks|advantages|benefits|reasons)\b|this (?:is|was) (?:because|why|"
    r"done|so that|useful|handy|"
    r"especially)|historically|today\b|currently\b|in the past|we (?:chose|decided|believe|want|"
    r"hope|think|have (?:seen|heard|"
    r"learned|created|found))|users? (?:have )?(?:complain|told|report)(?:ed)?|research (?:shows|"
    r"suggests)|in order for us)",
    re.IGNORECASE,
)
TALK_STARTS = re.compile(
    r"(?:see\b(?! also the)|refer to|check out|learn more|read (?:more|on|about|the)|for (?:more|"
    r"further|additional|full) |for details|"
    r"as (?:mentioned|described|noted|shown|you can see|stated|discussed|explained)|you can (?:see|"
    r"tell|find|read|learn)|let'?s\b|"
    r"let us\b|here(?:'s|’s| is| are)\b|we (?:have|recommend|hope|use|saw|are|also|can|could|then|"
    r"now|just)\b|i (?:have|am|would|think)\b|"
    r"imagine\b|suppose\b|say\b|consider\b|keep in mind|in this (?:example|section|guide|tutorial|"
    r"document|chapter|article|page)|"
    r"this (?:section|document|guide|chapter|tutorial|article|short|page (?:describes|explains|"
    r"lists)|spec(?:ification)?) |"
    r"the (?:following|above|previous|preceding|next|last) (?:\w+ ){0,3}(?:examples?|snippets?|code|"
    r"sections?|syntax|maps?)\b|"
    r"the (?:above|following) \w+ (?:maps|shows|illustrates|demonstrates)|thank|congratulations|"
    r"welcome\b|first, (?:we|let)|"
    r"there (?:are|is|exist) (?:already |also )?(?:\w+ )?(?:several|many|various|a few|some|more|"
    r"multiple|special|different|an? example)|"
    r"often ?times?|please (?:note|see|read|refer|feel)|feel free|if (?:you (?:are |'re |have |"
    r"want |would |need |find |wish |prefer )|"
    r"something is unclear)|if you'?re\b|for (?:this|that) reason|in other words|that (?:is|said)\b|"
    r"like (?:this|so)|even so|sometimes\b|"
    r"luckily|fortunately|unfortunately|this (?:allows|makes|lets|enables|helps|gives|way|means|"
    r"solution|solutions|approach|also|can be|"
    r"is (?:a|an|the|something|just|mostly|often))\b|these are\b|those are\b|using \w+ (?:is|"
    r"are) (?:one|a)\b|in json land|with that)",
    re.IGNORECASE,
)
OPENERS = re.compile(
    r"(?:also|however|thus|hence|therefore|additionally|in addition|furthermore|moreover|"
    r"note(?: that)?|important(?:ly)?|nb|please|"
    r"finally|similarly|likewise|instead|then|next|again|e\.?g\.?|i\.?e\.?|for (?:example|instance)|"
    r"warning|caution|tip|and|but|so|"
    r"in particular|by the way|specifically|generally|usually|typically|as before|as usual)\b[,:.]*\s+",
    re.IGNORECASE,
)
EXAMPLE_OPENER = re.compile(r"(?:e\.?g\.?|for (?:example|instance)|example)\b", re.IGNORECASE)
STRONG = re.compile(
    r"\b(?:must|shall|should|required to|(?:is|are|be) required|ha(?:s|ve) to|may (?:not|only)|"
    r"cannot|can ?not|can't|can only|"
    r"not (?:be )?(?:permitted|allowed|possible|supported|guaranteed|available|work)|prohibited|forbidden|disallowed|"
    r"(?:is|are|be) (?:only |always |never |also |still )?(?:permitted|allowed|invalid|valid|"
    r"reserved|mandatory|optional|equivalent|"
    r"identical|rejected|accepted|refused|ignored|supported|available|enforced|unique)|never|always|"
    r"ensure|make sure|do not|don't|"
    r"we require|is expected to|are expected to|no longer|only (?:be )?(?:used|allowed|possible|available|visible)|"
    r"(?:by default|defaults? (?:is|to|value)|default is)|exactly one|at least|at most|no more than|up to \d)\b",
    re.IGNORECASE,
)
WEAK = re.compile(
    r"\b(?:may|can|will|won't|needs? to)\s+(?:(?:also|only|then|be|now|not|never|always|still)\s+)*[a-z]+",
    re.IGNORECASE,
)
MIGHT = re.compile(r"\b(?:might|could|would)\b", re.IGNORECASE)
TERM = re.compile(
    r"\b(?:also )?(?:be )?(?:referred to as|known as|called)\b(?! (?:when|once|after|with|on|before))", re.IGNORECASE
)
ASIDE = re.compile(r"\([^()]{0,200}\)")
"""A remark in brackets, in which the main statement does not stand."""
PRAISE = re.compile(
    r"\b(?:(?:is|are) (?:a |an )?(?:really |very |especially |particularly )?"
    r"(?:great|powerful|handy|nice|perfect|convenient|useful)\b"
    r"|high degree of (?:flexibility|freedom|control)|should be easy\b|you(?:'re| are) (?:used to|familiar with)"
    r"|at (?:first|a) (?:sight|glance)|this powerful feature|(?:a|the) (?:formal )?description of [^.]{1,60} is available)",
    re.IGNORECASE,
)
"""Says how good or known a thing is, not what it does."""
EFFORT = re.compile(
    r"(?:please )?(?:do your best|aim (?:to|for)|make sure to not only|first, you need to|keep up|have fun)\b",
    re.IGNORECASE,
)
"""Asks the reader for an effort that nobody can measure."""
VAGUE_OPEN = re.compile(r"\b(?:implementation|application|platform)[- ](?:specific|defined|dependent)\b", re.IGNORECASE)
ADVICE = re.compile(
    r"\b(?:it is (?:recommended|discouraged|advised|best)|(?:is|are) (?:strongly )?(?:discouraged|"
    r"recommended)|best practice|we (?:strongly )?recommend|"
    r"you (?:want|might|would|probably|should be|may (?:want|need|wish|find)|need to filter|could)|"
    r"feel free|go ahead)\b",
    re.IGNORECASE,
)
DIRECTIVES = word_set(
    "use follow specify remove ensure avoid support provide allow show display validate reject "
    "prevent return split "
    "walk skip treat keep hide apply limit log notify redirect persist store save send sort filter "
    "implement include "
    "exclude require encode escape trim round lock disable enable block restrict mask preserve "
    "retain update verify "
    "check confirm calculate compute parse render handle ignore remember try enforce warn expire "
    "retry cache set make "
    "do never always only fall resolve pop push accept highlight insert append strip convert delete process prompt "
    "focus normalise normalize start stop "
)
TUTORIAL = word_set(
    "add run open build create install go copy edit click type navigate download change write put "
    "place press search "
    "visit sign choose give call rename move execute replace paste extract clone commit fork publish search find "
    "locate browse enter "
)
STATUS_LINE = re.compile(r"(?:HTTP )?[1-5]\d\d\b(?: [A-Z][\w ]{0,40})?(?:\s+(?:for|when|if|on|is)\b|\s*[:–-])")
ENDPOINT = re.compile(r"(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)\s+/\S*")
CODE_STATEMENT = re.compile(r"(?:(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)\s+/\S*|\?\w+=\S+|[A-Z][\w-]+: \S.*)\Z")
LABELLED = re.compile(
    r"(?:(?:required|optional|accepted|mandatory|allowed|supported|permitted|valid|default|maximum|"
    r"minimum|max|min|additional|read-only|"
    r"unique)\b[\w -]{0,40}:|(?:no )?(?:additional )?(?:authenti\w+|authori[sz]ation|login|"
    r"parameters?|permissions?|\w+) (?:is |are )?"
    r"(?:required|optional|needed|mandatory)\b|(?:filter|filtered|sort|sorted|search|ordered|"
    r"favou?rited|grouped|limited) by\b)",
    re.IGNORECASE,
)
DIRECTIVE_TEXT = re.compile(r"\{%.{0,300}?%\}|\{\{.{0,300}?\}\}|\{#[\w-]{1,60}\}", re.DOTALL)
EARS_START = re.compile(
    r"(?:when(?:ever)?|while|if|where|once|upon|after|before|until|unless|as long as|as soon as|"
    r"during|on|in case|provided that|"
    r"for (?:each|every|all|any)|starting (?:from|with)|otherwise|for)\b",
    re.IGNORECASE,
)
INSTRUCTION = re.compile(
    r"\b(?:ignore|disregard|forget|override) (?:all |any |the |your |these |those )*(?:(?:previous|"
    r"prior|above|earlier|other|"
    r"preceding|system) (?:rules|guidelines|directives|text)|(?:previous |prior |above |earlier |"
    r"other |preceding |system )?"
    r"(?:instructions?|prompts?))\b|"
    r"\byou are (?:now )?(?:an? |the )?(?:\w+ )?(?:ai|llm|language model|chatbot|assistant|gpt|agent)\b|"
    r"\b(?:system|developer) prompt\b|<\|im_(?:start|end)\|>|\bas an ai\b|"
    r"\b(?:note|message|instructions?|attention) (?:to|for) (?:the |any |all )?(?:ai|llm|"
    r"language model|model|assistant|agent|"
    r"bot|automated (?:reader|tool|system))s?\b|"
    r"\b(?:ai|llm|language models?|assistants?|agents?|bots?|tools?)\b,? (?:that |which )?(?:reads?|"
    r"reading|process(?:es|ing)?|"
    r"pars(?:es?|ing)|summari[sz](?:es?|ing)) this\b|"
    r"\b(?:mark|treat|report|consider) (?:all|every|each|any|these|the) (?:\w+ ){0,3}(?:tests?|"
    r"cases?|requirements?|checks?) as "
    r"(?:passed|passing|approved|covered|done|low)\b|"
    r"\bdo not (?:mention this to|reveal (?:this )?to|flag this|report this) ?(?:the )?(?:user|"
    r"reviewer|human|tester)?s?\b|"
    r"\b(?:skip|omit|do not (?:write|generate|create|draft)) (?:all |any |the )?(?:tests?|test cases?|questions?) "
    r"(?:for|about|on|in)\b",
    re.IGNORECASE,
)
"""Words that address whoever reads a specification by machine: reported, never obeyed, never a requirement."""
ROLES = (
    r"(?:(?:an? |the |all |any |other |both |signed[- ]in |logged[- ]in |registered |unregistered |"
    r"anonymous |authenticated |"
    r"unauthenticated |super |premium |free |regular |normal |only |system |account |project |team |"
    r"organi[sz]ation |content )*(?:[a-z-]+ )?)"
    r"(?:admin(?:istrator)?s?|users?|customers?|guests?|managers?|owners?|members?|editors?|"
    r"viewers?|moderators?|operators?|visitors?|"
    r"agents?|students?|teachers?|patients?|doctors?|clinicians?|nurses?|auditors?|approvers?|"
    r"reviewers?|authors?|staff|employees?|"
    r"supervisors?|buyers?|sellers?|merchants?|drivers?|riders?|tenants?|subscribers?|reporters?|"
    r"developers?|testers?|analysts?|"
    r"accountants?|cashiers?|clerks?|superusers?|maintainers?|contributors?|readers?|keepers?|wardens?)"
)
