"""Pages that ask whether a person is there: a store turns the crawler away without saying so by a status."""

import re

from scraper.http.transport import Answer

_READ_BYTES = 65536

#: Titles of the pages that protection services show in place of any other page, in small letters.
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

#: What such a page loads; other pages of a protected store don't.
_MARKS = (b"_cf_chl_opt", b"captcha-delivery.com", b"px-captcha", b"/.well-known/sgcaptcha/")

#: Words in HTML that came where an image was asked for.
_WORDS = (b"are you a robot", b"not a robot", b"verify you are", b"unusual traffic")


def is_challenge(answer: Answer, instead_of_image: bool) -> bool:
    """Whether an answer of any status is such a page; `instead_of_image`: an image was asked for."""
    if answer.headers.get("cf-mitigated", "").lower() == "challenge":
        return True
    if answer.headers.get("x-amzn-waf-action", "").lower() in ("challenge", "captcha"):
        return True
    start = answer.body[:_READ_BYTES].lower()
    if not start.lstrip().startswith(b"<"):
        return False
    title = re.search(rb"<title[^>]*>\s*(.*?)\s*</title", start, re.DOTALL)
    if title and title[1].decode("utf-8", "replace").startswith(_TITLES):
        return True
    return any(mark in start for mark in _MARKS + (_WORDS if instead_of_image else ()))
