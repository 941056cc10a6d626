"""The shapes that facts are made of: systems, products, versions, error codes, exceptions, paths, phrases of impact.

Only patterns and tables; facts.py says what they mean. Every repetition is bounded, so that hostile text costs linear time.
"""

import re
from collections.abc import Iterator


class Shape:
    """A pattern, tried only on text that holds one of its `needles` (any text, without needles).

    With `lower`, pattern and needles see the text in lower case: several times faster than ignoring case.
    """

    def __init__(self, regex: str, *needles: str, lower: bool = False) -> None:
        self._regex = re.compile(regex, re.MULTILINE)
        self._needles = needles
        self._lower = lower

    def scan(self, text: str) -> Iterator[re.Match[str]]:
        """All matches; their offsets are those of `text`, their groups in lower case with `lower`."""
        seen = lowered(text) if self._lower else text
        if not self._needles or any(needle in seen for needle in self._needles):
            yield from self._regex.finditer(seen)


def lowered(text: str) -> str:
    """The text in lower case with every offset kept: a letter whose lower case is longer (`İ`) stays as it is."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(char.lower() if len(char.lower()) == 1 else char for char in text)


# ---- operating systems -----------------------------------------------------------------------------------------------

_LINUX = (
    "linux ubuntu debian fedora centos rhel redhat redhatenterpriselinux opensuse suse alpinelinux archlinux linuxmint"
)
OS_FAMILY = {
    **dict.fromkeys(("ios", "iphoneos", "ipados"), "ios"),
    **dict.fromkeys(("windows", "win", "windowsserver"), "windows"),
    **dict.fromkeys(("macos", "macosx", "osx"), "macos"),
    **dict.fromkeys(_LINUX.split(), "linux"),
    **dict.fromkeys(("blackberryos", "blackberry", "bb"), "blackberry"),
    "windowsphone": "windows-phone",
}
"""Name without blanks to family; a name that is not listed is its own family."""

_OS_VERSION = r"\d{1,4}(?:\.\d{1,3}){0,2}(?:\.x)?"
OS = Shape(
    r"(?<![\w.$/@-])(?P<name>iphone ?os|ipados|ios|android|windows[ -]phone|windows server|windows"
    r"|win(?=[ -]?(?:xp|7|8|10|11)\b)|mac ?os[ -]?x|mac ?os|os[ -]?x|linux(?: mint)?|ubuntu|debian|fedora|centos|rhel"
    r"|red ?hat(?: enterprise linux)?|open ?suse|suse|(?:alpine|arch) linux|blackberry(?: os)?|bb(?=10\b)|tizen"
    r"|symbian|tvos|watchos|visionos|harmonyos|chrome ?os)(?P<sure> (?:os|machines?|pc|host|only|users?|server"
    r"|platform|desktop|laptop|client|build))?(?: (?:(?:mountain |snow )?(?:lion|leopard)|mavericks|yosemite|sierra"
    r"|mojave|catalina|ventura|sonoma))?(?:[ \t]{0,2}[-:(]?[ \t]?(?:version|ver\.?|v|devices?|emulator|simulator"
    r"|phone)?[ \t]?[:=(]?[ \t]?"
    rf"(?P<v1>{_OS_VERSION}|xp|vista|nt \d\.\d|20\d\d(?: r2)?)(?![\w%]|\.\d)"
    rf"|[ \t]{{0,4}}\r?\n[^\n:\x00]{{0,25}}version[^\n:\x00]{{0,6}}:[ \t]{{0,3}}(?P<v2>{_OS_VERSION})(?![\w%]|\.\d))?"
    r"(?![\w$/]|\.\w)",
    *(
        "os",
        "android",
        "win",
        "linux",
        "ubuntu",
        "debian",
        "fedora",
        "rhel",
        "red",
        "suse",
        "blackberry",
        "bb10",
        "tizen",
    ),
    *("symbian",),
    lower=True,
)

# ---- products with a version, and devices ----------------------------------------------------------------------------

BROWSERS = frozenset({"chrome", "chromium", "firefox", "safari"})
"""Named without a version, too; other products' names are also common words."""
PLATFORM_NAME = {
    "internet explorer": "ie", "msie": "ie", "node.js": "node", "nodejs": "node", "google chrome": "chrome",
    "microsoft edge": "edge", "ms edge": "edge", "mobile safari": "safari", "jdk": "java", "jre": "java", "openjdk": "java",
    "postgresql": "postgres", ".net core": ".net", ".net framework": ".net", "cpython": "python", "k8s": "kubernetes",
}  # fmt: skip
PLATFORM = Shape(
    r"(?<![\w.$/@-])(?P<name>Google Chrome|Chrome|Chromium|Firefox|Mobile Safari|Safari|Microsoft Edge|MS Edge|Edge"
    r"|Opera|Brave|Internet Explorer|MSIE|IE|Node(?:\.?js)?|NodeJS|node(?:\.?js)?(?= v?\d)|npm|OpenJDK|JDK|JRE|Java"
    r"|C?Python|Ruby"
    r"|PHP|\.NET(?: Core| Framework)?|Go|Rust|[xX][cC]ode|Android Studio|Gradle|Maven|PostgreSQL|Postgres|MySQL|MariaDB"
    r"|SQLite|Redis|MongoDB|Kafka|nginx|Apache|Tomcat|Docker|Kubernetes|k8s|React Native|React|Angular|Vue|Flutter"
    r"|Electron|Spring Boot|Django|Rails|OpenSSL|Elasticsearch)(?:[ \t/:-]{0,2}(?:[Vv]ersion|[Vv]er\.?|v"
    r"|build)?[ \t:(]{0,2}(?P<version>\d{1,4}(?:\.\d{1,6}){0,3})(?:\.[xX])?(?![\w%]|\.\d))?(?![\w$/]|\.\w)"
)
DEVICE_OS = {
    "iphone": "ios", "ipad": "ios", "ipod": "ios", "nexus": "android", "galaxy": "android", "pixel": "android",
    "xperia": "android", "droid": "android", "oneplus": "android", "lumia": "windows-phone",
}  # fmt: skip
DEVICE = Shape(
    r"(?<![\w.$/@-])(?P<name>[iI][pP](?:hone|HONE|ad|AD|od|OD)|Nexus|Galaxy|Pixel(?= \d)|Xperia|Lumia|OnePlus"
    r"|Kindle Fire|Droid"
    r"|Surface(?= (?:Pro|RT|Go|\d)))s?(?P<model>(?:[ -]?(?:Touch|Nexus|Note|Tab|Ace|SE|Air|mini|Pro|Plus|Max|Ultra"
    r"|One|X[SR]?|I{2,3}|IV|[A-Z]|[A-Z]?\d{1,4}[A-Za-z]{0,2})(?![\w.])){0,4})(?![\w$/]|\.\w)",
    *("iP", "ip", "IP", "Ip", "Nexus", "Galaxy", "Pixel", "Xperia", "Lumia", "OnePlus", "Kindle", "Droid", "Surface"),
)

# ---- versions --------------------------------------------------------------------------------------------------------

_UNIT = (
    r"%|px|ms|secs?\b|s\b|seconds?|mins?\b|minutes|hours?|[mgk]b\b|x\b|inch|em\b|pt\b|dp\b|times|point|million"
    r"|billion|usd\b"
)
DOTTED = Shape(
    r"(?<![\w.$/@+-])(?<!\d:)(?P<v>v\.? ?)?(?P<number>\d{1,4}(?:\.\d{1,5}){1,3})(?P<suffix>(?:[._ -]?(?:ga|rc|alpha"
    r"|beta|preview|pre|dev|snapshot|nightly|final|canary|m|sp|cr)[._-]?\d{0,3}"
    rf"|[.-]v?\d{{6,14}}|\+[\w.]{{1,30}}){{0,3}}|\.x)(?![\w%@(]|\.\w)(?! ?(?:{_UNIT}))",
    lower=True,
)
PRE_RELEASE = re.compile(r"(?:rc|alpha|beta|preview|pre|dev|snapshot|nightly|canary|m|cr)(?![a-z])[._-]?\d{0,3}")
SINGLE = Shape(
    r"(?<![\w.$/@-])(?:version|release|ver\.|v(?!8)|sdk)[ :#=]{0,3}(?P<number>\d{1,5})(?![\w%]|[.:]\d|-\d| ?(?:notes"
    r"|of\b))",
    *("version", "release", "ver.", "v", "sdk"),
    lower=True,
)
BUILD = Shape(
    r"\bbuild(?: (?:number|no\.?|id"
    r"|version))?[ \t]{0,2}[:#=]{0,2}[ \t]{0,2}(?P<number>\d{2,9}[a-z]?\d{0,6}[a-z]?)(?![\w.]|-\d)",
    "build",
    lower=True,
)
COMMIT = Shape(
    r"\b(?:commit|sha|revision|git hash|changeset)(?: (?:id|hash))?[ :#=@]{1,3}(?P<sha>[0-9a-f]{7,40})(?!\w)",
    *("commit", "sha", "revision", "git", "changeset"),
    lower=True,
)
_NOT_PRODUCT = (
    r"(?:Step|Figure|Fig|Section|Table|Chapter|Scale|Width|Height|Top|Left|Right|Bottom|Opacity|Case|Test|Item|Page"
    r"|Line|About|Only|From|Over|Under|Within|After|Before|Than|By|Of|To|In|Is|At)"
)
VERSION_BEFORE = re.compile(
    r"(?:(?i:\b(?:versions?|ver\.?|v|release|rel|build|sdk|revision|rev|firmware|app|client|server|cli|since"
    r"|up(?:grad|dat)ed? to))"
    rf"[ \t]{{0,2}}[:=#(]?[ \t]{{0,3}}|(?<![\w.])(?!{_NOT_PRODUCT}\b)[A-Z][A-Za-z]{{2,24}} (?:SDK |CLI |Studio )?)$"
)
"""What must stand before two numbers and a dot, for them to be a version."""
OTHER_BEFORE = re.compile(
    r"(?:\b(?:os|operating system|platform|device|browser|kernel|host|firmware|simulator|emulator|protocol|http|tls"
    r"|ssl)(?:[ \t]{1,2}(?:version|ver|os|v))?[ \t]{0,2}[:=(/]?[ \t]{0,3}v?"
    r"|\x00[ \t]{0,2}[-(:/]?[ \t]?(?:(?:sdk|running|with|version)[ \t:]{1,3}){0,2}(?:v\.?|ver\.?)?[ \t]?)$",
    re.IGNORECASE,
)
"""What makes a number the version of something else: a word for it, or a system or product that was just read (NUL)."""
LISTED_BEFORE = re.compile(r"\x00(?:[,/+]|[ ]?&| and| or)[ ]?$")
"""What makes a bare number one more version of the system or product before: `Android 2.3, 4.1`."""

# ---- error codes -----------------------------------------------------------------------------------------------------

HTTP_STATUSES = frozenset(
    map(
        str,
        [*range(400, 419), 421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 499, *range(500, 509), 510, 511, 520, 522],
    )
)
_COUNTED = (
    r"rows|items|results|records|users|bytes|lines|px|ms|times|seconds|mb|kb|entries|elements|views|images|points"
    r"|pixels|char|files"
)
HTTP = Shape(
    r"(?<![\w.])(?:(?:https?(?:/\d(?:\.\d)?)?|status(?:[ _-]?code)?|response(?: code| status)?)(?: (?:error|code"
    r"|status|response|is|of|was))?[ \t\"':=(\[#]{1,4}(?P<strong>[45]\d\d)"
    r"|(?:errors?:?|code|return(?:s|ed|ing)?|got|gets|getting|with|throws?|an?"
    r"|gives?)[ \t\"':=(\[#]{1,3}(?P<weak>[45]\d\d)"
    r"|(?P<named>[45]\d\d)(?= (?:internal server|not found|bad (?:request|gateway)|forbidden|unauthori[sz]ed"
    r"|service unavail|gateway time|method not|conflict|unprocess|too many|gone\b|errors?\b|responses?\b)))"
    rf"(?![\w%]|[.,]\d)(?! (?:{_COUNTED}))",
    *(" 4", " 5", ":4", ":5", "=4", "=5", "(4", "(5"),
    lower=True,
)
_ERRNO = (
    r"ACCES|ADDRINUSE|ADDRNOTAVAIL|AGAIN|BADF|BUSY|CONNABORTED|CONNREFUSED|CONNRESET|DEADLK|EXIST|FAULT|HOSTDOWN"
    r"|HOSTUNREACH"
    r"|INTR|INVAL|IO|ISDIR|LOOP|MFILE|MSGSIZE|NAMETOOLONG|NETDOWN|NETUNREACH|NFILE|NODEV|NOENT|NOEXEC|NOLCK|NOMEM"
    r"|NOSPC|NOSYS"
    r"|NOTCONN|NOTDIR|NOTEMPTY|NOTFOUND|NOTSOCK|NOTSUP|OVERFLOW|PERM|PIPE|PROTO|RANGE|ROFS|SPIPE|SRCH|STALE|TIMEDOUT"
    r"|XDEV"
)
_FAILED = "ERR|FAIL|DENIED|REFUSED|TIMEOUT|INVALID"
_VENDORS = r"ORA|TNS|RMAN|PLS|SQL|DB2|MSB|NETSDK|CS|TS|NU|LNK|BC|FS|CA|PG|AADSTS"
_GAP = r"[ \t\"':=#(\[]{0,4}(?:is |of |was )?"
ERROR_CODES = (
    # A literal before the look-behind lets the search jump from one occurrence to the next.
    ("", Shape(rf"E(?<![\w.-]E)(?:{_ERRNO})(?!\w)")),
    ("", Shape(r"SIG(?<![\w.-]SIG)(?:SEGV|ABRT|BUS|FPE|ILL|KILL|TRAP|TERM|PIPE)(?!\w)")),
    ("", Shape(r"EXC_(?<![\w.-]EXC_)[A-Z_]{3,30}(?!\w)")),
    ("", Shape(r"E(?<![\w.$-]E)(?:RR|RROR|C)?[_-][A-Z0-9][A-Z0-9_-]{1,40}(?![\w-])")),
    ("", Shape(rf"(?<![\w.$-])(?:[A-Z0-9]{{2,20}}_){{1,5}}(?:{_FAILED})[A-Z]{{0,6}}(?:_[A-Z0-9]{{1,20}}){{0,4}}(?!\w)",
               *_FAILED.split("|"))),
    ("", Shape(rf"(?<![\w.$-])(?:{_VENDORS})-?\d{{4,6}}[A-Z]?(?![\w-])", *_VENDORS.split("|"))),
    ("", Shape(r"(?i:\b(?:error|err|code|fault|failure)\b)[ \t\"':=#(\[]{1,4}(?P<code>[A-Z]{2,10}-\d{2,6}"
               r"|[A-Z]{1,6}\d{3,6})(?![\w-])", "rror", "RROR", "ode", "ODE", "ault", "ailure", "err", "Err")),
    ("sqlstate", Shape(r"sqlstate[ \t\"':=#(\[]{1,3}(?P<code>[0-9a-z]{5})(?!\w)", "sqlstate", lower=True)),
    ("", Shape(r"\b(?:error|err|errno|status|hresult|exception|exit|return|result|fault|stop|reason)(?: code| number"
               rf"| status)?{_GAP}(?P<code>0x[0-9a-f]{{2,16}})(?!\w)", "0x", lower=True)),
    ("", Shape(r"0x(?<!\w0x)(?:8(?:00|03|02)[0-9a-f]{5}|c000[0-9a-f]{4})(?!\w)", "0x", lower=True)),
    ("errno", Shape(rf"\b(?:error[ _-]?(?:code|number|no\.?|num)|errno"
                    rf"|err[ _-]?code){_GAP}(?P<code>-?\d{{1,10}})(?![\w%]|\.\d)",
                    "err", lower=True)),
    ("exit", Shape(rf"\bexit(?:s|ed)?(?: with)?(?: (?:code|status))+{_GAP}(?P<code>-?\d{{1,10}})(?![\w%]|\.\d)",
                   "exit", lower=True)),
    ("", Shape(r"\b[a-z][a-z.]{2,60}(?:domain|error)[\"']? (?:error |code=)-?\d{1,7}(?![\w.])",
               "domain", "code=", lower=True)),
)  # fmt: skip
"""What to put before the code to make it a value, and the shape whose `code` group, or whole match, is the code."""
SAME_CODE = {"exc_bad_access": "sigsegv", "sigbus": "sigsegv", "exc_crash": "sigabrt"}
"""One crash, two names, printed together."""

# ---- exceptions, identifiers, endpoints ------------------------------------------------------------------------------

EXCEPTION = Shape(
    r"(?<![\w.$])(?:[A-Za-z_][\w$]{0,40}\.){0,8}[A-Z][\w$]{0,80}?(?:Exception|Error|Fault)(?![\w$])",
    *("Exception", "Error", "Fault"),
)
OTHER_EXCEPTION = Shape(
    r"\b(?:(?:KeyboardInterrupt|SystemExit|StopIteration|StopAsyncIteration)\b|(?:panic"
    r"|fatal error): [^\n\x00\d]{3,80})",
    *("KeyboardI", "SystemExit", "Stop", "panic: ", "fatal error: "),
)
NO_EXCEPTION = frozenset({"NSError", "NSException", "Exception", "Error", "Fault", "Default"})
DOTTED_NAME = Shape(
    r"(?<![\w.$/@:\\-])[A-Za-z_$][\w$]{0,60}(?:\.[A-Za-z_$][\w$]{0,60}){1,8}(?![\w$@/\\]|\.\w|-\w)",
)
CONSTANT = Shape(r"(?<![\w.$-])[A-Z][A-Z0-9]{1,30}(?:_[A-Z0-9]{1,30}){1,6}(?![\w$-])", "_")
_ENDINGS = (
    "js ts jsx tsx mjs json xml html htm css scss java kt py rb php c cc cpp h hpp m mm swift go rs cs vb sql sh bat "
    "md txt log "
    "png jpg jpeg gif svg pdf zip gz tar jar war apk ipa app exe dll so dylib a plist xib yml yaml toml ini cfg conf "
    "properties "
    "gradle lock db sqlite csv xls xlsx doc docx mp3 mp4 mov wav ttf com org net edu gov io"
)
NO_IDENTIFIER = frozenset(_ENDINGS.split())
"""Last parts of dotted names that are files or hosts."""

URL = Shape(
    r"(?:https?|ftp|file)://[^\s<>\"'\x00]{1,2000}|www\.[^\s<>\"'\x00]{1,500}",
    *("://", "www."),
)
_SEGMENT = r"[\w{}.:~%@+$<>-]{1,80}"
_DISK = (
    r"(?!/(?:Users|home|var|tmp|usr|opt|Library|Applications|System|data|mnt|etc|private|Volumes|bin|src"
    r"|node_modules)/)"
)
REQUEST = Shape(
    r"(?<![\w/])(?P<method>GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)[ \t]{1,4}(?:to[ \t])?[\"'`]?"
    r"(?:https?://[^\s/\"'<>\x00]{1,200})?(?P<path>/[^\s\"'`<>()\[\],;|\x00]{1,200})",
    *("GET ", "POST ", "PUT ", "PATCH ", "DELETE ", "HEAD ", "OPTIONS "),
)
API_PATH = Shape(
    rf"(?:https?://[^\s/\"'<>\x00]{{1,200}}|(?<![\w./:}}~!\#-])){_DISK}(?P<path>/(?:[\w-]{{1,40}}/){{0,2}}(?:(?:api"
    rf"|rest|graphql|rpc|oauth2?)(?:/{_SEGMENT}){{0,12}}|v\d{{1,2}}(?:/{_SEGMENT}){{1,12}}))(?![\w/])",
    *("/api", "/rest", "/graphql", "/rpc", "/oauth", "/v"),
)
PATH_ID = re.compile(
    r"(?:\d{1,20}|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-fA-F]{16,64}|:\w{1,40}|<\w{1,40}>|\{\w{1,40}\}"
    r"|\$\{?\w{1,40}\}?|[A-Za-z]{2,10}[_-]\w{0,40}\d\w{0,40})$"
)
"""A path's part that names one thing: numbers, GUIDs, hashes, `ord_123`, and variables."""

# ---- what it does to people ------------------------------------------------------------------------------------------

IMPACT = Shape(
    r"\b(?:crash(?:es|ed|ing)?|force[- ]?clos\w{1,3}|freez\w{1,3}|frozen|hangs?|hung|not responding|unresponsive|anr"
    r"|deadlock\w{0,3}|data loss|los(?:es?|t|ing) (?:\w{1,12} ){0,2}data|corrupt\w{0,4}"
    r"|deleted? (?:\w{1,12} ){0,2}(?:data|files?|records?)|unusable|unable to|cannot|can['’]?t|could(?: not|n['’]?t)"
    r"|fails? to|does(?: not|n['’]?t) (?:work|load|open|start|save|respond)|do(?: not|n['’]?t) work|no longer works?"
    r"|stop(?:s|ped) working|broken|(?:memory )?leaks?|slow(?:er|ly|ness)?|time[sd]? ?out|block(?:s|ed|er|ing)|outage"
    r"|production(?: is)? down|(?:white|black|blank) screen"
    r"|(?:all|every|many|most|some|several|few) (?:of (?:the|our) )?(?:users?|customers?|clients?|devices?)"
    r"|regression|used to work|work-?arounds?|typo|misspel\w{1,5}|misalign\w{1,4}|cosmetic)\b",
    lower=True,
)
