"""What a store says about the use of its pictures, beside robots.txt's Allow and Disallow."""

from collections.abc import Set

#: X-Robots-Tag rules by which a store keeps a picture out of collections like this one.
KEEP_OUT = {"noai", "noimageai", "noindex", "noimageindex", "none"}

#: Those that on a page speak of the pictures it shows (`noindex` there is about the page itself).
KEEP_OUT_PICTURES = {"noai", "noimageai", "noimageindex"}

#: X-Robots-Tag rules that have a value behind a colon; before any other colon stands a crawler's name.
_WITH_VALUE = {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}


def x_robots_objection(value: str, agent: str, rules: Set[str] = KEEP_OUT) -> str | None:
    """Which of `rules` an `X-Robots-Tag` header sets for `agent`, None when none.

    Where header lines were joined by commas it is lost how many rules a crawler's name is meant for: it is
    taken for the next one only, so that no rule meant for all is passed over.
    """
    for item in value.lower().split(","):
        name, colon, rule = (part.strip() for part in item.rpartition(":"))
        if name in _WITH_VALUE or (colon and name != agent):
            continue
        if rule in rules:
            return f"X-Robots-Tag: {rule}"
    return None


def content_signal_objection(robots: str, agent: str) -> str | None:
    """`Content-Signal: ai-train=no` when robots.txt says it to `agent`, else None.

    See https://contentsignals.org. The groups that name the agent hold; where there is none, those for `*`.
    """
    signals: dict[str, dict[str, str]] = {}
    agents: list[str] = []
    in_rules = False
    for line in robots.splitlines():
        key, _, value = (part.strip().lower() for part in line.partition("#")[0].partition(":"))
        if key == "user-agent":
            agents = [value] if in_rules else [*agents, value]
            in_rules = False
            for name in agents:
                signals.setdefault(name, {})
        elif key:
            in_rules = True
            if key == "content-signal":
                pairs = (pair.partition("=") for pair in value.replace(",", " ").split())
                said = {name: answer for name, _, answer in pairs}
                for name in agents or ["*"]:
                    signals.setdefault(name, {}).update(said)
    mine = signals.get(agent, signals.get("*", {}))
    return "Content-Signal: ai-train=no" if mine.get("ai-train") == "no" else None
