"""Detect challenge pages: the store rejects the crawler by asking for a human, whatever the HTTP status."""

from scraper.http.transport import Response

_READ_BYTES = 65536
_TITLE_BYTES = 256

#: Titles of the pages that protection services serve in place of any other page, lower-cased.
_TITLES = (
    "just a moment",
    "attention required!",
    "pardon our interruption",
    "checking your browser",
    "ddos-guard",
    "robot check",
    "bot verification",
    "security check",
    "access denied",
    "verify you are human",
)

#: Scripts that only challenge pages load, not the other pages of a protected store.
_MARKS = (b"_cf_chl_opt", b"captcha-delivery.com", b"px-captcha", b"/.well-known/sgcaptcha/")

#: Phrases that mark a challenge in HTML served instead of an image.
_PHRASES = (b"are you a robot", b"not a robot", b"verify you are", b"unusual traffic")


def is_challenge(response: Response, instead_of_image: bool) -> bool:
    """Whether a response, of any status, is a challenge page; `instead_of_image`: an image was requested."""
    if response.headers.get("cf-mitigated", "").lower() == "challenge":
        return True
    if response.headers.get("x-amzn-waf-action", "").lower() in ("challenge", "captcha"):
        return True
    start = response.body[:_READ_BYTES].lower()
    if not start.lstrip().startswith(b"<"):
        return False
    if _title(start).startswith(_TITLES):
        return True
    return any(mark in start for mark in _MARKS + (_PHRASES if instead_of_image else ()))


def _title(html: bytes) -> str:
    """The start of the title of lower-cased HTML. No expression: on spaces it would take quadratic time."""
    _, _, rest = html.partition(b"<title")
    return rest.partition(b">")[2].lstrip()[:_TITLE_BYTES].decode("utf-8", "replace")
