"""A store's statements about the use of its images, next to robots.txt's Allow and Disallow."""

import re
from collections.abc import Iterable, Set

from scraper.http.reason import Reason
from scraper.tables import ReasonKind

#: X-Robots-Tag directives by which a store keeps an image out of collections like this one.
OPT_OUT_DIRECTIVES = {"noai", "noimageai", "noml", "noindex", "noimageindex", "none"}

#: Those that apply to the images of a page when set on the page (`noindex` there is about the page itself).
PAGE_OPT_OUT_DIRECTIVES = {"noai", "noimageai", "noml", "noimageindex"}

#: The names of `<meta>` elements that are for every crawler; the second one stands in `http-equiv`.
_EVERY_CRAWLER = {"robots", "x-robots-tag"}

#: X-Robots-Tag directives with a value after a colon; before any other colon comes a crawler's name.
_WITH_VALUE = {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}


def disallowed_by_x_robots_tag(
    value: str, agent: str, directives: Set[str] = OPT_OUT_DIRECTIVES
) -> Reason | None:
    """Which of `directives` an `X-Robots-Tag` header sets for `agent`, or None.

    When header lines are joined by commas, it is ambiguous how many directives a crawler's name applies to.
    It is taken to apply to the next one only, so that no directive meant for every crawler is missed.
    """
    for item in value.lower().replace(";", ",").split(","):
        name, colon, directive = (part.strip() for part in item.rpartition(":"))
        if name in _WITH_VALUE or (colon and not _is_name_of(agent, name)):
            continue
        for word in directive.split():
            if word in directives:
                return Reason(ReasonKind.X_ROBOTS_TAG, f"X-Robots-Tag: {word}")
    return None


def disallowed_by_meta_robots(
    meta: Iterable[tuple[str, str]], agent: str, directives: Set[str] = PAGE_OPT_OUT_DIRECTIVES
) -> Reason | None:
    """Which of `directives` a page's `<meta>` elements, given by name and content, set for `agent`, or None.

    Unlike header lines they are apart from each other, so any separator between directives will do.
    """
    for name, content in meta:
        if not any(word in _EVERY_CRAWLER or _is_name_of(agent, word) for word in _words(name)):
            continue
        for word in _words(content):
            if word in directives:
                return Reason(ReasonKind.META_ROBOTS, f"meta robots: {word}")
    return None


def _is_name_of(agent: str, name: str) -> bool:
    """Whether a store means this agent by a name in lower case: also one with a version, `agent/1.0`."""
    return name.partition("/")[0].rstrip() == agent


def _words(text: str) -> list[str]:
    return re.split(r"[\s,;|]+", text.lower())


def disallowed_by_content_signal(robots: str, agent: str) -> Reason | None:
    """`Content-Signal: ai-train=no` if robots.txt says so to `agent`, else None.

    See https://contentsignals.org. The groups that name the agent apply; without any, those for `*`.
    """
    signals: dict[str, dict[str, str]] = {}
    agents: set[str] = {"*"}  # those of the group that concern us: a group may have a myriad of names
    in_rules = True
    for line in robots.splitlines():
        key, _, value = (part.strip().lower() for part in line.partition("#")[0].partition(":"))
        if key == "user-agent":
            if in_rules:
                agents = set()
            in_rules = False
            if value in (agent, "*"):
                agents.add(value)
                signals.setdefault(value, {})
        elif key:
            in_rules = True
            if key == "content-signal":
                pairs = (pair.partition("=") for pair in value.replace(",", " ").split())
                group = {name: setting for name, _, setting in pairs}
                for name in agents:
                    signals.setdefault(name, {}).update(group)
    applicable = signals.get(agent, signals.get("*", {}))
    if applicable.get("ai-train") != "no":
        return None
    return Reason(ReasonKind.CONTENT_SIGNAL, "Content-Signal: ai-train=no")
