"""Counts of what a crawl did: printed at its end and stored as JSON."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from scraper.http.rate_limiter import HostRateLimiter


@dataclass
class Summary:
    """Counts of one `gemscrape crawl`; a crawl that was interrupted and resumed has one summary per part.

    `gone`: images known earlier that the store lost in this run; `images` counts all known images by status.
    """

    site: str
    ended: str = "finished"  # or blocked, interrupted, failed
    block: str = ""
    seconds: float = 0.0
    pages: int = 0
    pages_unchanged: int = 0
    pages_by_reason: dict[str, int] = field(default_factory=dict)
    found: int = 0
    distinct: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    by_reason: dict[str, int] = field(default_factory=dict)
    gone: int = 0
    images: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    hosts: dict[str, dict[str, float | int | None]] = field(default_factory=dict)

    def add_host_counters(self, limiters: Iterable[HostRateLimiter], started: float) -> None:
        """Add the counters of each host; `started` is the crawl's start (`time.monotonic`)."""
        for limiter in limiters:
            count, last = limiter.counters, limiter.counters.last_rejection
            self.hosts[limiter.host] = {
                "requests": count.requests,
                "waited_seconds": round(count.waited, 3),
                "rate_held": round(count.rate, 3),
                "rate_allowed": round(limiter.controller.rate, 3),
                "rate_settled": limiter.controller.converged,
                "turned_away": count.rejections,
                "last_turned_away_seconds": None if last is None else round(last - started, 3),
                "faults": count.failures,
            }

    def to_json(self) -> dict[str, Any]:
        """All counts, including totals over the hosts."""
        totals = {
            key: sum(host[key] or 0 for host in self.hosts.values())
            for key in ("requests", "waited_seconds", "turned_away", "faults")
        }
        return {**asdict(self), "downloaded": self.added + self.changed, **totals}

    def lines(self) -> list[str]:
        """The summary as lines to print; without untrusted text."""
        values = self.to_json()
        lines = [
            f"{self.site}: {self.ended} after {self.seconds:.0f} s",
            f"pages       {self.pages} read, {self.pages_unchanged} unchanged"
            + format_counts(self.pages_by_reason),
            f"images      {self.found} found, {self.distinct} distinct",
            f"downloaded  {values['downloaded']} ({self.added} new, {self.changed} changed), "
            f"{self.unchanged} unchanged, {self.gone} gone since the last crawl",
            f"not stored  {sum(self.by_reason.values())}{format_counts(self.by_reason)}",
        ]
        for host, count in self.hosts.items():
            lines.append(
                f"{host}  {count['requests']} requests, {count['rate_held']:.2f}/s of "
                f"{count['rate_allowed']:g}/s allowed, waited {count['waited_seconds']:.1f} s, "
                f"{count['turned_away']} rejections, {count['faults']} failures"
            )
        return lines + self.notes


def format_counts(reasons: Mapping[str, int]) -> str:
    """Reasons with their counts as text; reasons that differ only in the host they name are merged."""
    counts: Counter[str] = Counter()
    for reason, count in reasons.items():
        counts[re.sub(r"\bhost \S+ ", "host ", reason)] += count
    return "".join(f", {count} {reason}" for reason, count in sorted(counts.items()))
