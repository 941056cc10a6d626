"""Stack frames of many languages, as they are pasted into reports, and which of them belong to the application."""

import re
from collections.abc import Iterator
from typing import NamedTuple

MAX_APP_FRAMES = 5
_MAX_FRAMES = 400
_TRACEBACK_GAP = 600
"""Python frames with more characters than this between them belong to different tracebacks."""


class Frame(NamedTuple):
    """One frame: `text[start:end]`, the function it names, and whether the code is the application's own."""

    start: int
    end: int
    function: str
    """Qualified name without line numbers, so that the same place compares equal across versions."""
    is_app: bool


def find_frames(text: str) -> list[Frame]:
    """All frames (at most 400), in the order of the text, except that a Python traceback is turned: innermost first."""
    frames = [frame for needle, regex in _FRAMES if needle in text for frame in _matches(regex, text)]
    frames.sort()
    kept: list[Frame] = []
    for frame in frames:
        if not kept or frame.start >= kept[-1].end:
            kept.append(frame)
    return _python_turned(text, kept[:_MAX_FRAMES])


def top_app_frames(frames: list[Frame]) -> list[Frame]:
    """The innermost MAX_APP_FRAMES different frames of the application; of all code where none is the application's."""
    own = [frame for frame in frames if frame.is_app] or frames
    return list({frame.function: frame for frame in reversed(own)}.values())[::-1][:MAX_APP_FRAMES]


_FRAMES = (
    (  # Java, Kotlin, Scala: at a.b.C.m(File.java:12)
        "at ",
        re.compile(
            r"at (?<!\wat )(?P<f>(?:[\w$-]{1,60}/)?[\w$<>]{1,100}(?:\.[\w$<>]{1,100}){1,15})"
            r"\((?P<file>[\w$ .-]{1,80}:\d{1,7}|Native Method|Unknown Source|[\w$-]{1,60}\.(?:java|kt|scala|groovy))\)"
        ),
    ),
    (  # .NET: at A.B.C.M(String s) in C:\x.cs:line 12
        "at ",
        re.compile(
            r"^[ \t]{0,20}at (?P<f>[\w`<>+]{1,100}(?:\.{1,2}[\w`<>+\[\]"
            r"|]{1,100}){1,15})\([^()\n]{0,300}\)(?: in (?P<file>[^\n:]{1,200}(?::\\[^\n:]{1,200})?):line \d{1,7})?",
            re.MULTILINE,
        ),
    ),
    (  # JavaScript (V8): at f (file.js:1:2)
        "at ",
        re.compile(
            r"at (?<!\wat )(?:async )?(?:new )?(?P<f>[\w$.<>#]{1,120}(?: \[as [\w$]{1,60}\])?) "
            r"\((?P<file>[^()\n]{1,300}):\d{1,7}:\d{1,7}\)"
        ),
    ),
    (  # JavaScript without a name: at https://host/app.js:1:2
        "at ",
        re.compile(r"at (?<!\wat )(?:async )?(?P<file>[^\s()]{1,300}\.(?:js|jsx|ts|tsx|mjs|cjs|vue)):\d{1,7}:\d{1,7}"),
    ),
    (  # JavaScript (SpiderMonkey, JavaScriptCore): f@file.js:1:2
        "@",
        re.compile(
            r"(?<![\w$./@<>*-])(?P<f>[\w$.</>*-]{1,120})@(?P<file>(?:https?|file|webpack(?:-internal)?"
            r"|app)://[^\s()@]{1,300}?):\d{1,7}(?::\d{1,7})?"
        ),
    ),
    (  # JavaScriptCore back-traces: #1 f() at file:///x/app.js:12
        "() at ",
        re.compile(r"#\d{1,3} {1,3}(?P<f>[\w$.]{0,100})\(\) at (?P<file>[^\s:]{0,10}:?[^\s:]{0,300}):\d{1,7}"),
    ),
    (  # Python: File "x.py", line 3, in f
        ", line ",
        re.compile(r'File "(?P<file>[^"\n]{1,300})", line \d{1,7}, in (?P<f>[\w<>.]{1,120})'),
    ),
    (  # Apple crash reports: 4   App   0x0007 -[TiView load] + 92
        "0x",
        re.compile(
            r"\b\d{1,3} {1,6}(?P<file>[\w.?+-]{1,60}(?: [\w.-]{1,30})?)[ \t]{1,40}0x[0-9a-fA-F]{6,16} "
            r"(?P<f>[^\n]{1,200}?) \+ \d{1,9}"
        ),
    ),
    (  # gdb, Rust, ASan: #0  0x0000 in f (args) at file.c:12
        "#",
        re.compile(
            r"#\d{1,3} {1,4}(?:0x[0-9a-fA-F]{4,16} in )?(?P<f>[\w:~<>,*& $.]{1,160}?) ?\([^()\n]{0,200}\) (?:at |in "
            r"|from )?(?P<file>[\w./\\+-]{0,100}[./][\w./\\+-]{1,100})(?::\d{1,7})?"
        ),
    ),
    (  # Android native: #00  pc 0004a  /system/lib/libc.so (abort+12)
        " pc ",
        re.compile(
            r"#\d{2} {1,4}pc [0-9a-fA-F]{4,16} {1,4}(?P<file>/?[\w./-]{1,200})(?: "
            r"\((?P<f>[^()\n+]{1,160})[^\n)]{0,20}\))?"
        ),
    ),
    (  # Go: main.(*T).f(0x1)\n\t/src/x.go:12
        ".go:",
        re.compile(
            r"^(?P<f>[\w./-]{1,160}(?:\(\*?\w{1,80}\)\.[\w.-]{1,80})?)(?<!\.)\([^\n]{0,200}\)\r?\n"
            r"[ \t]{1,8}(?P<file>/?[^\s:]{1,300}\.go):\d{1,7}",
            re.MULTILINE,
        ),
    ),
)
_FRAMEWORK_FUNCTION = re.compile(
    r"(?:[\w.$-]{1,40}/)?(?:java|javax|jdk|sun|com\.sun|android|androidx|com\.android|dalvik|libcore|kotlin|kotlinx"
    r"|scala"
    r"|groovy|org\.(?:apache|springframework|hibernate|junit|eclipse|jboss|mozilla|gradle|codehaus)|io\.netty|reactor"
    r"|okhttp3|retrofit2|System|Microsoft|MS|runtime|net/http|testing|reflect|std|core|alloc|node|process)(?:\.|::|$)"
)
_FRAMEWORK_FILE = re.compile(
    r"(?i)node_modules|node:|^internal/|^(?:module|node|fs|net|events|timers|_?stream\w{0,20}|_?http\w{0,20}|path"
    r"|util|vm|child_process)\.js$|site-packages|dist-packages|/lib(?:64)?/python\d|<frozen|/usr/(?:local/)?go/src"
    r"|^/(?:system|usr|apex|lib)/|/rustc/|^(?:UIKit|UIKitCore|CoreFoundation|Foundation|libobjc\S{0,20}"
    r"|libsystem\S{0,30}|libdispatch\S{0,20}"
    r"|libc\+\+\S{0,20}|libSystem\S{0,20}|dyld|GraphicsServices|QuartzCore|CoreGraphics|JavaScriptCore|WebCore|WebKit"
    r"|AppKit|HIToolbox|SwiftUI|libswift\S{0,30}|CFNetwork|Security|CoreData|MapKit|MediaPlayer|AVFoundation|\?\?\?)$"
)
_ANONYMOUS = frozenset(
    {"", "anonymous", "<anonymous>", "Object.<anonymous>", "<module>", "(anonymous function)", "eval", "global"}
)


def _matches(regex: re.Pattern[str], text: str) -> Iterator[Frame]:
    for count, match in enumerate(regex.finditer(text)):
        if count == _MAX_FRAMES:
            return
        groups = match.groupdict()
        function, file = (groups.get("f") or "").strip(), (groups.get("file") or "").strip()
        framework = _FRAMEWORK_FUNCTION.match(function) or _FRAMEWORK_FILE.search(file)
        if name := _name(function, file):
            yield Frame(match.start(), match.end(), name, not framework)


def _name(function: str, file: str) -> str:
    """The function; in front of a bare Python name its module, in place of an anonymous function its file."""
    base = re.split(r"[/\\]", file.split("?")[0])[-1]
    if function in _ANONYMOUS:
        return base
    function = function.split(" [as ")[0]
    return f"{base[:-3]}.{function}" if base.endswith(".py") and "." not in function else function


def _python_turned(text: str, frames: list[Frame]) -> list[Frame]:
    """Python prints the innermost frame last, everyone else first."""
    turned: list[Frame] = []
    run: list[Frame] = []
    for frame in frames:
        is_python = text.startswith('File "', frame.start)
        if run and (not is_python or frame.start - run[-1].end > _TRACEBACK_GAP):
            turned, run = turned + run[::-1], []
        if is_python:
            run.append(frame)
        else:
            turned.append(frame)
    return turned + run[::-1]
