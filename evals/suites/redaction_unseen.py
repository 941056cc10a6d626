"""Secrets, personal data and look-alikes by the formats that their issuers publish, written without looking at the patterns.

What redaction hid of these when they were first measured is the figure for shapes that nobody mended a pattern on.
"""

import base64
import random
import string
import uuid
from collections.abc import Callable

Make = Callable[[random.Random], str]
HEX, DIGITS = "0123456789abcdef", string.digits
ALNUM = string.ascii_letters + DIGITS
URLSAFE = ALNUM + "-_"
UPPER = string.ascii_uppercase + DIGITS


def some(rng: random.Random, alphabet: str, length: int) -> str:
    """So many characters of an alphabet."""
    return "".join(rng.choice(alphabet) for _ in range(length))


def _made(*parts: str | tuple[str, int]) -> Make:
    """A value of fixed texts and runs of characters."""
    return lambda rng: "".join(one if isinstance(one, str) else some(rng, *one) for one in parts)


def _either(*makes: Make) -> Make:
    return lambda rng: rng.choice(makes)(rng)


def _words(rng: random.Random) -> str:
    """A password as people choose them."""
    return rng.choice(["Sommer", "Kestrel", "harbor", "Violet", "tiger"]) + some(rng, DIGITS, 4) + rng.choice("!?#$%*")


def _base64_pair(rng: random.Random) -> str:
    return base64.b64encode(f"{some(rng, string.ascii_lowercase, 6)}:{some(rng, ALNUM, 14)}".encode()).decode()


def _pgp(rng: random.Random) -> str:
    body = "\n".join(some(rng, ALNUM + "+/", 64) for _ in range(12))
    return f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{body}\n=aB3d\n-----END PGP PRIVATE KEY BLOCK-----"


def _nhs(rng: random.Random) -> str:
    while True:
        body = some(rng, DIGITS, 9)
        check = 11 - sum(int(d) * (10 - at) for at, d in enumerate(body)) % 11
        if check != 10:
            number = body + str(check % 11)
            return f"{number[:3]} {number[3:6]} {number[6:]}"


TOKENS: dict[str, Make] = {
    "Vault": _made("hvs.", (URLSAFE, 92)),
    "DigitalOcean": _made("dop_v1_", (HEX, 64)),
    "Databricks": _made("dapi", (HEX, 32)),
    "Doppler": _made("dp.pt.", (ALNUM, 43)),
    "Hugging Face": _made("hf_", (string.ascii_letters, 34)),
    "Linear": _made("lin_api_", (ALNUM, 40)),
    "PyPI": _made("pypi-AgEIcHlwaS5vcmc", (URLSAFE, 120)),
    "RubyGems": _made("rubygems_", (HEX, 48)),
    "Postman": _made("PMAK-", (HEX, 24), "-", (HEX, 34)),
    "Shopify": _either(_made("shpat_", (HEX, 32)), _made("shpss_", (HEX, 32))),
    "Square": _either(_made("sq0atp-", (URLSAFE, 22)), _made("sq0csp-", (URLSAFE, 43))),
    "Telegram bot": _made("7", (DIGITS, 9), ":AA", (URLSAFE, 33)),
    "Discord bot": _made("MT", (ALNUM, 24), ".G", (URLSAFE, 5), ".", (URLSAFE, 38)),
    "Twilio": _made("SK", (HEX, 32)),
    "Mailgun": _made("key-", (HEX, 32)),
    "Mailchimp": _made((HEX, 32), "-us14"),
    "New Relic": _made("NRAK-", (UPPER, 27)),
    "Grafana": _made("glsa_", (ALNUM, 32), "_", (HEX, 8)),
    "Sentry": _made("sntrys_eyJ", (ALNUM, 120), "_", (ALNUM, 43)),
    "Terraform": _made((ALNUM, 14), ".atlasv1.", (URLSAFE, 67)),
    "Fly.io": _made("fo1_", (URLSAFE, 43)),
    "PlanetScale": _made("pscale_tkn_", (URLSAFE, 43)),
    "Airtable": _made("pat", (ALNUM, 14), ".", (HEX, 64)),
    "Notion": _made("ntn_", (ALNUM, 46)),
    "HubSpot": lambda r: f"pat-na1-{uuid.UUID(int=r.getrandbits(128), version=4)}",
    "Docker Hub": _made("dckr_pat_", (URLSAFE, 27)),
    "Pulumi": _made("pul-", (HEX, 40)),
    "Figma": _made("figd_", (URLSAFE, 40)),
    "age": _made("AGE-SECRET-KEY-1", ("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)),
    "Alibaba": _made("LTAI5t", (ALNUM, 18)),
    "Azure application secret": _made((ALNUM, 3), "8Q~", (ALNUM + "_~.-", 34)),
    "1Password secret key": _made("A3-", *[x for n in (6, 6, 5, 5, 5) for x in ((UPPER, n), "-")][:-1]),
    "AWS temporary key": _made("ASIA", (string.ascii_uppercase + "234567", 16)),
    "Google client secret": _made("GOCSPX-", (URLSAFE, 28)),
    "Google access token": _made("ya29.a0", (URLSAFE, 160)),
    "Google refresh token": _made("1//0", (URLSAFE, 96)),
    "Facebook": _made("EAAC", (ALNUM, 180)),
    "Dropbox": _made("sl.B", (URLSAFE, 134)),
    "Slack app": _made("xapp-1-A0", (UPPER, 9), "-", (DIGITS, 13), "-", (HEX, 64)),
    "Slack configuration": _made("xoxe.xoxp-1-", (ALNUM, 163)),
    "GitHub refresh": _made("ghr_", (ALNUM, 76)),
    "GitLab runner": _either(_made("glrt-", (URLSAFE, 20)), _made("GR1348941", (URLSAFE, 20))),
    "Stripe webhook": _made("whsec_", (ALNUM, 32)),
    "OpenPGP private key": _pgp,
    "Discord webhook": _made("https://discord.com/api/webhooks/1", (DIGITS, 18), "/", (URLSAFE, 68)),
    "bcrypt hash": _made("$2y$10$", (ALNUM + "./", 53)),
}
"""Values that carry their own shape, by who issues them."""
SURROUNDED: dict[str, tuple[Make, tuple[str, ...]]] = {
    "basic authorisation": (_base64_pair, ("Authorization: Basic {}", '"Authorization": "Basic {}"')),
    "login in a file": (
        _words,
        (
            "machine api.host.test login deploy password {}",
            "[client]\nuser = app\npassword = {}",
            "username: app\npassword: '{}'",
        ),
    ),
    "registry login": (
        lambda r: str(uuid.UUID(int=r.getrandbits(128), version=4)),
        ("//registry.host.test/:_authToken={}", "_authToken: {}"),
    ),
    "container registry login": (_base64_pair, ('{{"auths": {{"registry.host.test": {{"auth": "{}"}}}}}}',)),
    "AWS secret": (
        _made((ALNUM + "+/", 40)),
        ("aws_secret_access_key = {}", '"SecretAccessKey": "{}"', "AWS_SECRET_ACCESS_KEY={}", "secretAccessKey: '{}'"),
    ),
    "connection string": (
        _words,
        (
            "Server=db.host.test;Database=shop;User Id=sa;Pwd={};",
            "jdbc:postgresql://db/shop?user=app&password={}",
            "Data Source=db;User ID=app;Password={};Encrypt=True",
        ),
    ),
    "login in an address": (
        _made((ALNUM, 14)),
        (
            "mongodb+srv://app:{}@cluster0.host.test/shop",
            "amqp://guest:{}@mq:5672/",
            "ftp://upload:{}@files.host.test/in",
            "smtp://mailer:{}@mail.host.test:587",
        ),
    ),
    "orchestrated secret": (
        lambda r: base64.b64encode(some(r, ALNUM, 18).encode()).decode(),
        ("apiVersion: v1\nkind: Secret\ndata:\n  password: {}\n", "kind: Secret\nstringData:\n  db-password: {}\n"),
    ),
    "password, another language": (
        _words,
        (
            "Passwort: {}",
            "Kennwort = {}",
            "mot de passe : {}",
            "contraseña: {}",
            "senha: {}",
            "wachtwoord: {}",
            "пароль: {}",
            "密码：{}",
            "パスワード: {}",
        ),
    ),
    "password in prose": (
        _words,
        (
            "I logged in with user qa1 and password {} as usual.",
            "The pw is {} if you want to try.",
            "Credentials: qa1 / {}",
            "passphrase {} was accepted",
            "use the password '{}' for the demo account",
            "username qa1, password: {}, role admin",
        ),
    ),
    "password in a command": (
        _words,
        (
            "curl -u admin:{} https://api.host.test",
            "sshpass -p {} ssh root@box",
            "ConvertTo-SecureString '{}' -AsPlainText -Force",
            "docker login -u ci -p {} registry.host.test",
            "PGPASSWORD={} psql -h db",
        ),
    ),
    "token beside its name": (
        _made((ALNUM, 32)),
        (
            "X-Auth-Token: {}",
            "PRIVATE-TOKEN: {}",
            "grant_type=password&client_id=app&client_secret={}",
            "?code=0&refresh_token={}",
            "idToken: '{}'",
            "Authorization: Token {}",
            "Authorization: ApiKey {}",
            "token {} has expired",
        ),
    ),
    "application secret": (
        _made((ALNUM, 50)),
        ("SECRET_KEY_BASE={}", "SECRET_KEY = '{}'", "JWT_SECRET: {}", "ENCRYPTION_KEY={}", '"signingKey": "{}"'),
    ),
    "signed address": (
        lambda r: some(r, ALNUM, 43) + "%3D",
        (
            "https://store.blob.host.test/in/a.csv?sv=2022-11-02&se=2024-01-01&sp=r&sig={}",
            "https://b.s3.host.test/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature={}",
        ),
    ),
    "one-time password seed": (
        _made((string.ascii_uppercase + "234567", 32)),
        ("otpauth://totp/shop:qa1?secret={}&issuer=shop",),
    ),
}
"""Values that only their surroundings give away."""
PERSONAL: dict[str, tuple[Make, tuple[str, ...]]] = {
    "US social security number": (
        lambda r: f"{r.randint(1, 665):03}-{r.randint(1, 99):02}-{r.randint(1, 9999):04}",
        ("SSN: {}", "ssn {} is rejected", "The customer with social security number {} cannot log in", '"ssn": "{}"'),
    ),
    "IPv6 address": (
        lambda r: "2001:" + ":".join(some(r, HEX, 4) for _ in range(7)),
        ("request from {} failed", "[{}]:443 refused", "client={}"),
    ),
    "hardware address": (lambda r: ":".join(some(r, HEX, 2) for _ in range(6)), ("device {} is offline", "mac={}")),
    "UK national insurance number": (
        lambda r: f"{r.choice(['AB', 'JK', 'PW'])} {' '.join(some(r, DIGITS, 2) for _ in range(3))} {r.choice('ABCD')}",
        ("NI number {}", "National Insurance: {}"),
    ),
    "NHS number": (_nhs, ("NHS number {}", "NHS no: {}")),
    "passport": (_made(("CFGHJK", 1), (UPPER, 8)), ("passport no. {}", "Passport number: {}")),
    "date of birth": (
        lambda r: f"{r.randint(1, 28):02}/{r.randint(1, 12):02}/{r.randint(1940, 2004)}",
        ("DOB: {}", "date of birth {}", "born on {}", '"birthDate": "{}"'),
    ),
    "postal address": (
        lambda r: (
            f"{r.randint(1, 400)} {r.choice(['Elm', 'Harbour', 'Castle'])} {r.choice(['Street', 'Road', 'Lane'])}"
        ),
        ("He lives at {}, Springfield.", "Address: {}", "ship to {}, 2nd floor"),
    ),
    "name of a person": (
        lambda r: f"{r.choice(['Jonathan', 'Amira', 'Sofie'])} {r.choice(['Meyer', 'Okafor', 'Lindqvist'])}",
        ("Dear {},", "Regards,\n{}", "customer name: {}", "patient {} was booked twice"),
    ),
    "national telephone number": (
        lambda r: f"({r.randint(201, 989)}) {r.randint(200, 999)}-{r.randint(0, 9999):04}",
        ("call me at {}", "Phone: {}", "tel. {}"),
    ),
    "e-mail, written out": (
        lambda r: f"{some(r, string.ascii_lowercase, 7)} (at) {some(r, string.ascii_lowercase, 7)} (dot) com",
        ("mail {} please", "contact: {}"),
    ),
    "e-mail, international": (
        lambda r: f"{some(r, 'äöüéñabcde', 6)}@{some(r, 'äöüabcde', 7)}.de",
        ("mail {} please", "contact: {}"),
    ),
    "account name in a path": (
        lambda r: f"{some(r, string.ascii_lowercase, 5)}.{some(r, string.ascii_lowercase, 6)}",
        ("C:\\Users\\{}\\AppData\\log.txt", "/home/{}/app/main.py line 3"),
    ),
}
"""Personal data, each with surroundings that reports have."""
LOOKALIKES: dict[str, Make] = {
    "image digest": _made("sha256:", (HEX, 64)),
    "object id": _made((HEX, 24)),
    "package integrity": _made("sha512-", (ALNUM + "+/", 86), "=="),
    "sortable id": _made("01", ("0123456789ABCDEFGHJKMNPQRSTVWXYZ", 24)),
    "pod": _made("checkout-api-", (HEX, 10), "-", (string.ascii_lowercase, 5)),
    "object in memory": _made("com.shop.cart.CartService$Line@", (HEX, 8)),
    "mangled symbol": _made("_ZN4core3fmt9Formatter", (ALNUM, 30), "E"),
    "constant": lambda r: "_".join(some(r, string.ascii_uppercase, 7) for _ in range(4)),
    "test name": lambda r: "test_" + "_".join(some(r, string.ascii_lowercase, 6) for _ in range(5)),
    "file path": lambda r: "/".join(some(r, string.ascii_lowercase, 7) for _ in range(5)) + ".py",
    "order number": lambda r: f"SO-{some(r, DIGITS, 10)}",
    "bar code": _made("4", (DIGITS, 12)),
    "entity tag": _made('W/"', (HEX, 32), '"'),
    "security identifier": lambda r: f"S-1-5-21-{some(r, DIGITS, 10)}-{some(r, DIGITS, 10)}-{r.randint(500, 9999)}",
    "colour": _made("#", (HEX, 6)),
    "version with build": lambda r: (
        f"{r.randint(0, 9)}.{r.randint(0, 30)}.0-rc.{r.randint(1, 9)}+build.{some(r, HEX, 7)}"
    ),
    "time span": lambda r: f"{r.randint(10, 23)}:{r.randint(10, 59)}:{r.randint(10, 59)}",
    "table row": lambda r: f"{r.randint(100, 999)}-{r.randint(10, 99)}-{r.randint(1000, 9999)}",
}
"""Identifiers that triage lives on and that look like something else."""
PROSE = (
    "The password is wrong even after a reset.",
    "Password: field is required",
    "After the token expired the user was not logged out.",
    "The API key page shows nothing.",
    "Basic authentication does not work with the proxy.",
    "Secret santa event cannot be created.",
    "password must contain at least 8 characters",
    "Authorization: header is missing in the second request",
    "The session cookie is not sent over http.",
    "Login with user and password fails on Android.",
    "passwords are compared case-insensitively",
    "the auth token should be refreshed automatically",
    "token: null",
    'password=""',
    "client_secret is not documented",
    "Bearer authentication returns 401",
    "The pin code dialog closes by itself",
    "mot de passe oublié ne fonctionne pas",
    "Passwort vergessen führt zu 404",
    "secretKey must not be null",
    "access_token: undefined",
    "the key -p is ignored by the command line",
    "Address book sync drops the street",
    "Dear team, the build is broken again.",
)
"""Sentences about secrets that hold none."""
