"""Tokens by the formats that their issuers publish: a prefix of the issuer, then characters that a machine drew."""

import re

_HEX32 = "[0-9a-f]{32}"
_PREFIXES = (
    r"hv[sbr]\.",  # HashiCorp Vault
    r"do[opr]_v1_",  # DigitalOcean
    r"dp\.(?:pt|st(?:\.[\w-]{2,35})?|ct|sa|scim|audit)\.",  # Doppler
    r"lin_(?:api|oauth)_",  # Linear
    r"rubygems_",
    r"PMAK-",  # Postman
    r"shp(?:at|ca|pa|ss|tka)_",  # Shopify
    r"sq0(?:atp|csp|idp)-",  # Square
    r"NRAK-|NRII-|NRJS-",  # New Relic
    r"gl(?:sa|c)_",  # Grafana
    r"sntry[su]_",  # Sentry
    r"fo1_|fm[12][a-z]?_",  # Fly.io
    r"pscale_(?:tkn|oauth|pw)_",  # PlanetScale
    r"ntn_",  # Notion
    r"pat-(?:na|eu)\d-",  # HubSpot
    r"dckr_(?:pat|oat)_",  # Docker Hub
    r"pul-",  # Pulumi
    r"fig[doru]_",  # Figma
    r"AGE-SECRET-KEY-",
    r"GOCSPX-|ya29\.|1//0",  # Google
    r"GR1348941",  # GitLab runners
    r"AT(?:CTT3|BB|STT3)",  # Bitbucket
    r"nfp_",  # Netlify
    r"sb[ps]_",  # Supabase
    r"tskey-(?:auth|api|client|scim)-",  # Tailscale
    r"CFPAT-",  # Contentful
    r"gsk_|xai-|pplx-|r8_",  # makers of language models
    r"phx_",  # PostHog
    r"ATATT3|AKCp|cmVmd",  # Atlassian, Artifactory
    r"oy2",  # NuGet
    r"duffel_(?:test|live)_",
    r"EZ[AT]K",  # EasyPost
    r"p8e-",  # Adobe
    r"v1\.0-[0-9a-f]{24}-",  # Cloudflare
    r"secret_",  # Notion, before 2024
)
_WHOLE = (
    rf"dapi{_HEX32}(?:-\d)?",  # Databricks
    r"SK[0-9a-z]{32}",  # Twilio
    rf"key-{_HEX32}",  # Mailgun
    r"[0-9a-z]{32}-us\d{1,2}",  # Mailchimp
    r"\d{8,10}:[\w-]{35}",  # Telegram
    r"[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,45}",  # Discord
    r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,70}",  # Terraform
    r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}",  # Airtable
    r"LTAI[A-Za-z0-9]{12,24}",  # Alibaba
    r"[\w~.]{3}\dQ~[\w~.-]{31,34}",  # Azure applications
    r"A3-[A-Z0-9]{6}(?:-[A-Z0-9]{5,11}){4,5}",  # 1Password
    r"EAA[A-Za-z0-9]{60,400}",  # Facebook, Square
    r"sl\.[\w-]{60,400}",  # Dropbox
    r"\$(?:2[abxy]\$\d\d\$[./A-Za-z0-9]{53}|[156]\$[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{20,90})",  # hashed passwords
    r"\$argon2(?:id|i|d)\$[\w=,$+/-]{20,300}",
)
BY_ISSUER = re.compile(
    rf"(?<![A-Za-z0-9])(?:(?:{'|'.join(_PREFIXES)})(?=[A-Za-z_.-]{{0,30}}\d)[A-Za-z0-9_.=-]{{20,400}}"
    rf"|(?:{'|'.join(_WHOLE)})(?![A-Za-z0-9]))",
    re.ASCII,
)
LIKE_AN_ISSUERS = re.compile(
    r"(?<![\w./+-])(?!sha\d)[A-Za-z][A-Za-z0-9]{1,11}(?:[_.-][A-Za-z0-9]{1,8}){0,2}[_-](?P<v>[A-Za-z0-9]{30,300})(?![\w-])",
    re.ASCII,
)
"""The same shape by an issuer that is not listed; whether the rest was drawn by a machine is for a check to say."""
HOOK = re.compile(
    r"(?:discord(?:app)?\.com/api/webhooks/\d{10,20}|webhook\.office\.com/webhookb2|[\w-]{1,60}\.logic\.azure\.com"
    r"|hooks\.(?:zapier|airtable)\.com/[a-z]{1,20})/(?P<v>[\w@/?=&%.-]{20,400})",
    re.ASCII,
)
"""Addresses to which anybody may post who knows them."""
