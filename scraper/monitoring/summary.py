"""What one crawl did and what it took: printed at its end, and in `reports/crawl/<site>.json`."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from gemkit.project import Project
from scraper.http.rate_limiter import HostRateLimiter
from scraper.http.reason import Outcome
from scraper.monitoring.missing import Missing


class Ended(StrEnum):
    """How a command's work on a site ended."""

    FINISHED = "finished"
    INCOMPLETE = "incomplete"
    BLOCKED = "blocked"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass(frozen=True)
class HostCounts:
    """Requests to one host in a crawl, and its answers; rates in requests a second.

    `rate_converged`: `rate_allowed` is the highest rate that the host allows. `last_rejection_seconds` counts
    from the start of the crawl.
    """

    requests: int
    waited_seconds: float
    rate_held: float
    rate_allowed: float
    rate_converged: bool
    rejections: int
    last_rejection_seconds: float | None
    failures: int

    @classmethod
    def of(cls, limiter: HostRateLimiter, started: float) -> "HostCounts":
        """The counts of a host; `started` is the crawl's start (`time.monotonic`)."""
        counters, last = limiter.counters, limiter.counters.last_rejection
        return cls(
            requests=counters.requests,
            waited_seconds=round(counters.waited, 3),
            rate_held=round(counters.rate, 3),
            rate_allowed=round(limiter.controller.rate, 3),
            rate_converged=limiter.controller.converged,
            rejections=counters.rejections,
            last_rejection_seconds=None if last is None else round(last - started, 3),
            failures=counters.failures,
        )


@dataclass
class Summary:
    """Counts of one `gemscrape crawl`; a crawl that was interrupted and resumed has one summary per part.

    `gone`: images known earlier that the store lost in this run; `images` counts all known images by status.
    `missing` covers all that the run knows, also what earlier parts of it could not fetch.
    """

    site: str
    ended: Ended = Ended.FINISHED
    block: str = ""
    seconds: float = 0.0
    pages: int = 0
    pages_unchanged: int = 0
    pages_by_reason: Counter[Outcome] = field(default_factory=Counter)
    found: int = 0
    distinct: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    by_reason: Counter[Outcome] = field(default_factory=Counter)
    gone: int = 0
    images: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    missing: Missing = field(default_factory=Missing)
    hosts: dict[str, HostCounts] = field(default_factory=dict)

    def add_host_counters(self, limiters: Iterable[HostRateLimiter], started: float) -> None:
        """Add the counters of each host that was contacted since `started` (`time.monotonic`)."""
        self.hosts |= {
            limiter.host: HostCounts.of(limiter, started) for limiter in limiters if limiter.counters.requests
        }

    def to_json(self) -> dict[str, object]:
        """All counts, including totals over the hosts; outcomes are text."""
        hosts = self.hosts.values()
        return {
            **asdict(replace(self, pages_by_reason=Counter(), by_reason=Counter(), missing=Missing())),
            "missing": self.missing.to_json(),
            "pages_by_reason": count_texts(self.pages_by_reason),
            "by_reason": count_texts(self.by_reason),
            "downloaded": self.downloaded,
            "requests": sum(host.requests for host in hosts),
            "waited_seconds": sum(host.waited_seconds for host in hosts),
            "rejections": sum(host.rejections for host in hosts),
            "failures": sum(host.failures for host in hosts),
        }

    @property
    def downloaded(self) -> int:
        """Images whose bytes were stored."""
        return self.added + self.changed

    def lines(self) -> list[str]:
        """The summary as lines to print; untrusted text is made printable."""
        lines = [
            f"{self.site}: {self.ended} after {self.seconds:.0f} s",
            f"pages       {self.pages} read, {self.pages_unchanged} unchanged"
            + format_counts(self.pages_by_reason),
            f"images      {self.found} found, {self.distinct} distinct",
            f"downloaded  {self.downloaded} ({self.added} new, {self.changed} changed), "
            f"{self.unchanged} unchanged, {self.gone} gone since the last crawl",
            f"not stored  {sum(self.by_reason.values())}{format_counts(self.by_reason)}",
            *self.missing.lines(),
        ]
        for host, count in self.hosts.items():
            lines.append(
                f"{host}  {count.requests} requests, {count.rate_held:.2f}/s of "
                f"{count.rate_allowed:g}/s allowed, waited {count.waited_seconds:.1f} s, "
                f"{count.rejections} rejections, {count.failures} failures"
            )
        return lines + self.notes


def report_file(project: Project, site: str) -> Path:
    """The file of the summary of a site's last crawl."""
    return project.reports / f"crawl/{site}.json"


def format_counts(outcomes: Mapping[Outcome, int]) -> str:
    """Outcomes with their counts as text; those that differ only in the host they name are merged."""
    counts: Counter[str] = Counter()
    for outcome, count in outcomes.items():
        counts[outcome.general] += count
    return "".join(f", {count} {text}" for text, count in sorted(counts.items()))


def count_texts(outcomes: Mapping[Outcome, int]) -> dict[str, int]:
    """Outcomes with their counts by their text."""
    counts: Counter[str] = Counter()
    for outcome, count in outcomes.items():
        counts[str(outcome)] += count
    return dict(counts)
