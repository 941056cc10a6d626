"""The shapes of secrets and personal data. Every pattern is linear-time."""

import re
from collections.abc import Callable
from typing import NamedTuple

from qa_agents.llm import redact_checks as checks
from qa_agents.llm.redact_issuers import BY_ISSUER, HOOK, LIKE_AN_ISSUERS


class Pattern(NamedTuple):
    """`regex`'s last matched group is the sensitive part; `needles` are lower-case, and one must be in the text."""

    name: str
    needles: tuple[str, ...]
    regex: re.Pattern[str]
    check: Callable[[re.Match[str]], bool] = lambda _match: True


_SEPARATOR = r"[\"'\]]{0,2}[ \t]{0,4}(?:=>|:=|={1,2}|:|：)[ \t]{0,4}"
_VALUE = r"(?:[\"'`](?P<q>[^\"'`\n]{3,300})[\"'`]|(?P<v>[^\s\"'`,;&<>(){}\[\]]{4,300}))"


PASSWORD_WORDS = (
    "passwort",
    "kennwort",
    "mot de passe",
    "contraseña",
    "senha",
    "palavra-passe",
    "wachtwoord",
    "lösenord",
    "adgangskode",
    "salasana",
    "hasło",
    "heslo",
    "parola",
    "şifre",
    "пароль",
    "密码",
    "密碼",
    "パスワード",
    "비밀번호",
)
"""What other languages call a password, as they write it in lower case."""


def _p(regex: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile(regex, flags | re.ASCII)


PATTERNS: tuple[Pattern, ...] = (
    Pattern(
        "PRIVATE_KEY",
        ("private key",),
        _p(
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?:[^-]"
            r"|-(?!----)){0,20000}+-----END[^-\n]{0,60}-----|[A-Za-z0-9+/=\s]{0,20000})"
        ),
    ),
    Pattern(
        "AWS_ACCESS_KEY",
        ("akia", "asia", "abia", "acca"),
        _p(r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    ),
    Pattern(
        "AWS_SECRET_KEY",
        ("aws", "secretaccesskey", "secret_access_key", "secret-access-key"),
        _p(
            r"(?i)(?:aws[\w .-]{0,20}(?:secret|key)[\w .-]{0,20}|secret[_-]?access[_-]?key)"
            + _SEPARATOR
            + r"[\"']?(?P<v>[A-Za-z0-9/+]{40})(?![\w/+])"
        ),
    ),
    Pattern(
        "GITHUB_TOKEN",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        _p(r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{22,255})"),
    ),
    Pattern(
        "GITLAB_TOKEN",
        ("gl",),
        _p(
            r"(?<![A-Za-z0-9])gl(?:pat|oas|dt|rt|cbt|ptt|ft|imt|agent|soat"
            r"|ffct)-[A-Za-z0-9_-]{20,255}(?:\.[\w.]{2,40})?"
        ),
    ),
    Pattern("SLACK_TOKEN", ("xox", "xapp-"), _p(r"(?<![A-Za-z0-9])(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,250}")),
    Pattern(
        "SLACK_WEBHOOK",
        ("hooks.slack.com",),
        _p(r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9_/+-]{20,200}"),
    ),
    Pattern(
        "STRIPE_KEY",
        ("_live_", "_test_", "whsec_"),
        _p(r"(?<![A-Za-z0-9])(?:(?:sk|rk)_(?:live|test)_|whsec_)[A-Za-z0-9+/=]{16,250}"),
    ),
    Pattern(
        "OPENAI_KEY",
        ("sk-",),
        _p(r"(?<![A-Za-z0-9_-])sk-(?:proj-|svcacct-|admin-|or-v1-|ant-)?(?=[A-Za-z_-]{0,60}\d)[A-Za-z0-9_-]{20,300}"),
    ),
    Pattern("GOOGLE_API_KEY", ("aiza",), _p(r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])")),
    Pattern("NPM_TOKEN", ("npm_",), _p(r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])")),
    Pattern("PYPI_TOKEN", ("pypi-",), _p(r"(?<![A-Za-z0-9])pypi-AgE[A-Za-z0-9_-]{40,300}")),
    Pattern("HUGGINGFACE_TOKEN", ("hf_",), _p(r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{30,60}(?![A-Za-z0-9])")),
    Pattern("ATLASSIAN_TOKEN", ("atatt3",), _p(r"(?<![A-Za-z0-9])ATATT3[A-Za-z0-9_=-]{40,300}")),
    Pattern("SENDGRID_KEY", ("sg.",), _p(r"(?<![A-Za-z0-9])SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{30,64}")),
    Pattern(
        "AZURE_KEY",
        ("accountkey", "sharedaccesskey"),
        _p(r"(?i)(?:Account|SharedAccess)Key=(?P<v>[A-Za-z0-9+/]{30,100}={0,2})"),
    ),
    Pattern(
        "JWT",
        ("eyj",),
        _p(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{4,8000}\.[A-Za-z0-9_-]{0,2000}"),
        checks.is_jwt,
    ),
    Pattern("TOKEN", (), BY_ISSUER),
    Pattern("TOKEN", ("_", "-"), LIKE_AN_ISSUERS, checks.is_drawn),
    Pattern("WEBHOOK", ("hook", "logic.azure"), HOOK),
    Pattern(
        "SIGNATURE",
        ("sig", "token", "code"),
        _p(
            r"(?i)[?&](?:sig|signature|hmac|x-amz-(?:signature|security-token)|x-goog-signature|code)="
            r"(?P<v>(?=[A-Za-z_.~+/-]{0,60}[\d%])[\w%.~+/-]{20,2000})"
        ),
    ),
    Pattern("BASIC_AUTH_URL", ("://",), _p(r"://(?P<v>[^\s/:@\"'<>]{0,100}:[^\s/@\"'<>]{1,200})@")),
    Pattern(
        "AUTH_HEADER",
        ("authorization", "bearer"),
        _p(
            r"(?i)\b(?:authorization[\"']?[ \t]{0,3}[:=][ \t]{0,3}[\"']?(?:(?:bearer|basic|token|digest|apikey"
            r"|negotiate)[ \t]{1,3}|(?=[A-Za-z._~+/=-]{0,200}\d))(?P<v>[\w.~+/=-]{8,4000})"
            r"|bearer[ \t]{1,3}(?P<b>(?=[A-Za-z._~+/-]{0,200}\d)[\w.~+/=-]{16,4000}))"
        ),
    ),
    Pattern("COOKIE", ("cookie",), _p(r"(?i)\bcookie[\"']?[ \t]?:[ \t]?[\"']?(?P<v>[\w.%-]{1,60}=[^\n\"']{8,4000})")),
    Pattern(
        "SECRET",
        ("pass", "pwd", "secret", "token", "key", "credential", *PASSWORD_WORDS),
        re.compile(
            rf"(?i)(?P<key>pass(?:word|wd|phrase|code)|(?<![a-z])(?:pass|pwd)|{'|'.join(PASSWORD_WORDS)}|(?:client|app|api"
            r"|shared)?[_-]?secret(?:[_-]?key)?(?:_base)?|(?:api|access|auth|private|signing|encryption|license)[_-]?key"
            r"|(?:access|auth|refresh|session|api|bot|csrf|id)?[_-]?token)" + _SEPARATOR + _VALUE
        ),
        checks.is_assigned,
    ),
    Pattern(
        "SECRET",
        ("password is", "passwd is", "passphrase is", "pwd is", "pw is"),
        _p(
            r"(?i)(?P<key>pass(?:word|wd|phrase)"
            r"|pwd?) is:? {1,3}[\"'`]?(?P<v>(?=[A-Za-z_-]{0,60}[^A-Za-z\s_-])[^\s\"'`,;]{4,80}[^\s\"'`,;.])"
        ),
        checks.is_assigned,
    ),
    Pattern(
        "SECRET",
        ("pass", "pwd", "secret", "token"),
        _p(
            r"(?i)(?:<(?P<key>pass(?:word|wd|phrase)|pwd|(?:client)?[_-]?secret|(?:access|api|auth)?[_-]?token)>"
            r"(?P<x>[^<>\s]{4,300})</|(?<!\S)--?(?P<name>pass(?:word|wd|phrase)?|pwd|secret|token)[ \t]{1,3}"
            r"[\"']?(?P<o>(?!-)[^\s\"']{4,300}))"
        ),
        checks.is_given,
    ),
    Pattern(
        "SECRET",
        ("mysql",),
        _p(r"(?i)\bmysql\w{0,10}[ \t][^\n]{0,120}?[ \t]-p(?P<v>[^\s\"'-][^\s\"']{3,100})"),
    ),
    Pattern(
        "SECRET",
        ("password", "passwd", "pwd", "passphrase", "key ", "token ", "secret "),
        _p(
            r"(?i)\b(?:pass(?:word|wd|phrase)|pwd|(?:api|access|secret|auth|license)[ _-]?(?:key|token)|client secret)"
            r" {1,2}[\"'`]?(?P<v>(?=[^\s\"'`]{0,100}\d)(?=[^\s\"'`]{0,100}[a-z])[^\s\"'`,;:<>()\[\]{}=/\\]{8,200})"
        ),
        checks.is_told,
    ),
    Pattern(
        "SECRET",
        ("curl", "wget", "http", "sshpass", "login", "redis-cli", "securestring"),
        _p(
            r"(?i)\b(?:(?:curl|wget|https?)\b[^\n]{0,200}? (?:-u|--(?:proxy-)?user)[ =]?[\"']?"
            r"[^\s:\"']{1,60}:(?P<u>[^\s\"']{3,100})"
            r"|(?:sshpass|(?:docker|podman|nerdctl|az|oc|registry) login\b[^\n]{0,120}?) -p ?(?P<p>[^\s\"'-][^\s\"']{2,100})"
            r"|redis-cli\b[^\n]{0,120}? -a ?(?P<a>[^\s\"'-][^\s\"']{2,100})"
            r"|ConvertTo-SecureString[ \t]{1,3}(?:-String[ \t]{1,3})?[\"'](?P<s>[^\"'\n]{3,200}))"
        ),
        checks.is_given,
    ),
    Pattern(
        "SECRET",
        ("credential", "login", "account"),
        _p(r"(?i)\b(?:credentials?|log-?in|accounts?)\b[^\n:]{0,20}: ?[^\s/]{1,60} ?/ ?(?P<v>[^\s/,;]{6,100})"),
        checks.has_digits,
    ),
    Pattern("SECRET", ("token ",), _p(r"(?i)\btoken {1,2}[\"'`]?(?P<v>[A-Za-z0-9_.-]{20,300})"), checks.is_drawn),
    Pattern(
        "BASIC_AUTH",
        ("auth",),
        _p(r"[\"']_?auth[\"'][ \t]{0,3}:[ \t]{0,3}[\"'](?P<v>[A-Za-z0-9+/]{12,400}={0,2})"),
        checks.is_login,
    ),
    Pattern(
        "ID_NUMBER",
        (
            "ssn",
            "social",
            "passport",
            "insurance",
            "nhs",
            "ni n",
            "tax",
            "steuer",
            "bsn",
            "cpf",
            "pesel",
            "aadhaar",
            "licen",
        ),
        _p(
            r"(?i)\b(?:ssn|social security|passport|national insurance|ni(?= n)|nhs|tax id|steuer-?id|bsn|cpf|pesel|aadhaar"
            r"|driver'?s? licen[cs]e)\b[\"']?[^\n\w]{0,4}(?:(?:no|nr|number|id)\b[\"']?[^\n\w]{0,4})?"
            r"(?P<v>(?-i:[A-Z]{0,2} ?\d{2,4}(?:[ .-]?\d{2,4}){1,5}(?: ?[A-Z])?|[A-Z0-9]{8,11}))(?!\w)"
        ),
        checks.has_digits,
    ),
    Pattern(
        "IBAN",
        (),
        _p(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,4})?)(?![A-Za-z0-9])"),
        checks.is_iban,
    ),
    Pattern(
        "CARD_NUMBER",
        (),
        _p(r"(?<![\w.-])(?:\d{14,16}|\d{4}([ -])\d{4}\1\d{4}\1\d{4}|3[47]\d\d([ -])\d{6}\2\d{5})(?![\w-]|\.\d)"),
        checks.is_card,
    ),
    Pattern(
        "EMAIL",
        ("@",),
        re.compile(r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[^\W_](?:[^\W_]|-(?=[^.\s])){0,62}\.){1,6}[^\W\d_]{2,24}(?![\w@])"),
        checks.is_mail,
    ),
    Pattern(
        "EMAIL",
        ("(at)", "[at]", "( at )", "[ at ]"),
        _p(
            r"(?i)(?<![\w.+-])[\w.+-]{1,64} ?[\[(] ?at ?[\])] ?[\w-]{1,63}"
            r"(?:(?: ?[\[(] ?(?:dot|punkt) ?[\])] ?|\.)[a-z]{2,24}){1,4}"
        ),
    ),
    Pattern(
        "BIRTH_DATE",
        ("dob", "birth", "born", "geb"),
        _p(
            r"(?i)\b(?:dob|date[ _]?of[ _]?birth|birth[ _]?da(?:te|y)|born(?: on)?"
            r"|geburtsdatum|geb\.|geboren(?: am)?)[\"']?[^\n\w]{0,5}"
            r"(?P<v>\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\d{1,2}\.? [A-Z]{3,9}\.?,? \d{4}|[A-Z]{3,9}\.? \d{1,2},? \d{4})(?!\d)"
        ),
    ),
    Pattern(
        "ACCOUNT",
        ("users", "/home/", "documents and settings"),
        _p(
            r"(?:(?i:[A-Z]:[\\/]{1,2}(?:Users|Documents and Settings)[\\/]{1,2})|(?<![\w.:/-])/(?:Users|home)/)"
            r"(?P<v>[^\s\\/:*?\"'<>|%$]{2,40})(?=[\\/])"
        ),
        checks.is_persons,
    ),
    Pattern("IPV6", (":",), _p(r"(?<![\w.:])[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{3,34}(?![\w.])"), checks.is_public_ipv6),
    Pattern(
        "MAC",
        (":", "-"),
        _p(r"(?<![\w:-])[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![\w:-])"),
    ),
    Pattern("IPV4", (".",), _p(r"(?<![\w.-])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\w-]|\.\d)"), checks.is_public_ip),
    Pattern(
        "PHONE",
        (),
        _p(
            r"(?<![\w+.-])(?:\+[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d(?:[ .-]?\d){6,12}"
            r"|\(\d{3}\) ?\d{3}-\d{4})(?![\w-])"
        ),
        checks.is_phone,
    ),
)
"""The patterns, the more specific first."""
