"""What a crawl has before it: links, distinct images, classes, the time and the disk space they take.

A plan of a site is the first part of its crawl: what is asked for here is not asked for again.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from scraper.crawling.discovery import find
from scraper.crawling.download import download
from scraper.crawling.link_stats import Listing
from scraper.crawling.session import FOLDER, Session, open_session
from scraper.http.limits import host_matches
from scraper.http.rate_limiter import HostMemory
from scraper.http.urls import host_of
from scraper.monitoring.summary import Summary
from scraper.params import CrawlParams
from scraper.storage.host_history import remembered_hosts
from scraper.storage.jobs import ImageJob
from scraper.stores.config import LinkFile, LinksSite, Store
from scraper.stores.link_list import read_links

#: So many stored images tell how large the others are.
SAMPLE = 30

#: So many pairs of classes are shown that share images.
_PAIRS = 5

#: Longer class names are cut, characters.
_LONGEST_NAME = 60

#: Requests a second where no site says how many are allowed.
ASSUMED_RATE = 1.0


@dataclass(frozen=True)
class Disk:
    """Bytes that the images yet to be fetched need, as far as a sample of `count` of them tells."""

    count: int
    mean: float
    rest: float
    error: float  # two standard errors of `rest`

    @classmethod
    def of(cls, sizes: list[int], rest: int) -> "Disk | None":
        """Expect `rest` more images like those of the sizes; None when these tell nothing.

        The standard error is that of a total from a sample without replacement (Cochran, Sampling Techniques,
        2.6); what the sample itself holds is known.
        """
        count = len(sizes)
        if count < 2 or not any(sizes):
            return None
        error = stdev(sizes) * math.sqrt((rest + count) * rest / count)
        return cls(count, fmean(sizes), rest * fmean(sizes), 2 * error)


@dataclass
class Plan:
    """All that a plan tells; of a bare list nobody knows what is stored, nor how large it is."""

    name: str
    listing: Listing
    notes: list[str]
    pages: int | None = None
    stored: int | None = None
    fetch: int = 0
    check: int = 0
    refused: int = 0
    rate: float | None = None
    rate_assumed: bool = False
    seconds: float | None = None
    disk: Disk | None = None

    def take_time(self, urls: Iterable[str], rates: Mapping[str, float | None]) -> None:
        """How long asking for the URLs takes; hosts are asked at the same time, each at its rate."""
        hosts = Counter(host_of(url) for url in urls)
        times = [(count / rate, rate) for host, count in hosts.items() if (rate := rates.get(host))]
        if len(times) == len(hosts):
            self.seconds, self.rate = max(times, default=(0.0, None))
        else:
            self.seconds, self.rate = None, None

    def lines(self) -> list[str]:
        """For a person; strangers' text is made harmless, and stands at the end of its line."""
        listing = self.listing
        links, distinct, several = listing.links, listing.distinct, listing.under_several
        classes = listing.by_class()
        lines = [f"{self.name}: {links:,} links in {len(classes):,} classes"]
        if self.pages is not None:
            lines.append(f"pages     {self.pages:,} asked for")
        lines += [
            f"images    {distinct:,} distinct; {links - distinct:,} links "
            f"({(links - distinct) / links:.1%}) only repeat one",
            f"labels    {several:,} images under several classes",
            *(
                f"          {count:>9,}  {shown(first)} / {shown(second)}"
                for (first, second), count in listing.pairs().most_common(_PAIRS)
            ),
        ]
        if listing.products:
            lines.append(
                f"products  {len(listing.products):,}, with {listing.images_of_products:,} of the images"
            )
        if self.refused:
            lines.append(f"refused   {self.refused:,}, on hosts that are not among 'image_hosts'")
        if self.stored is not None:
            lines.append(
                f"stored    {self.stored:,} images; {self.fetch:,} to fetch, "
                f"{self.check:,} to ask whether they changed"
            )
        lines += [f"time      {self._time()}", f"disk      {self._disk()}", *self.notes, ""]
        lines.append(f"{'links':>9} {'distinct':>9} {'only here':>9}  class")
        lines += [
            f"{count.links:>9,} {count.distinct:>9,} {count.only_here:>9,}  {shown(count.name)}"
            for count in classes
        ]
        return lines

    def _time(self) -> str:
        requests = f"{self.fetch + self.check:,} images"
        if self.seconds is None:
            return f"not known for {requests}: the rate is not known yet"
        if self.rate is None:
            return "nothing is left to ask for"
        assumed = ", which is assumed: --site tells the rate of a store" if self.rate_assumed else ""
        return f"{duration(self.seconds)} for {requests} at {self.rate:.3g} a second{assumed}"

    def _disk(self) -> str:
        if self.stored is None:
            return "not known: of a bare list no image is fetched"
        if self.fetch == 0:
            return "nothing is left to fetch"
        if self.disk is None:
            return "not known: too few images could be fetched"
        return (
            f"{size(self.disk.rest)} ± {size(self.disk.error)} for {self.fetch:,} images, from "
            f"{self.disk.count:,} of {size(self.disk.mean)} on average"
        )


def plan_list(path: Path, site: Store | None = None) -> Plan:
    """Plan a bare list of links; nobody is asked for anything. Raises UserError like `read_links`.

    A site tells the rate, and a site of links what the columns are called.
    """
    file = site.model_copy(update={"links": path}) if isinstance(site, LinksSite) else LinkFile(links=path)
    found = read_links(file)
    plan = Plan(path.name, Listing(found.links), found.notes, rate_assumed=site is None)
    urls = plan.listing.classes
    hosts = {host_of(url) for url in urls}
    plan.fetch = len(urls)
    if site is None:
        plan.take_time(urls, dict.fromkeys(hosts, ASSUMED_RATE))
    else:
        memories = remembered_hosts(FOLDER / f"{site.name}.sqlite")
        plan.take_time(urls, _rates(site, hosts, memories))
    return plan


def plan_site(site: Store, params: CrawlParams) -> tuple[Plan | None, Summary]:
    """Plan the crawl of a site: its pages or its list are read, and a sample of its images is fetched.

    No plan when the site blocks us before it is read; the summary tells. Raises UserError like `crawl_site`.
    """
    plan = None
    with open_session(site, params) as session:
        session.state.forget_lost_files()
        listing, summary = Listing(find(session)), session.summary
        pages = None if isinstance(site, LinksSite) else session.state.page_count()
        plan = Plan(site.name, listing, summary.notes, pages)
        plan.notes += [
            f"pages not read, {reason}: {count}" for reason, count in summary.pages_by_reason.items()
        ]
        _measure(plan, session, site)
        new = [job for job in _pending(session, site) if job.sha256 is None]
        download(session, _spread(new, SAMPLE - (plan.stored or 0)))
        _measure(plan, session, site)
        plan.notes += [
            f"of the sample not stored, {reason}: {count}"
            for reason, count in sorted(summary.by_reason.items())
        ]
    return plan, session.summary


def _measure(plan: Plan, session: Session, site: Store) -> None:
    """Take in what is stored and what is left to do."""
    jobs = _pending(session, site)
    sizes = session.state.stored_sizes()
    plan.stored = sum(size > 0 for size in sizes)
    plan.fetch = sum(job.sha256 is None for job in jobs)
    plan.check = len(jobs) - plan.fetch
    plan.refused = sum(not _allowed(site, url) for url in plan.listing.classes)
    plan.disk = Disk.of(sizes, plan.fetch)
    rates = _rates(site, {host_of(job.url) for job in jobs}, session.state.hosts())
    for governor in session.source.governors:
        if governor.pace.settled:  # robots.txt may have lowered it
            rates[governor.host] = governor.pace.rate
    plan.take_time((job.url for job in jobs), rates)


def _pending(session: Session, site: Store) -> list[ImageJob]:
    return [job for job in session.state.pending() if job.asked and _allowed(site, job.url)]


def _allowed(site: Store, url: str) -> bool:
    return host_matches(host_of(url), site.image_hosts)


def _spread(jobs: list[ImageJob], count: int) -> list[ImageJob]:
    """So many of the jobs, evenly over them all."""
    count = max(0, min(count, len(jobs)))
    return [jobs[(2 * place + 1) * len(jobs) // (2 * count)] for place in range(count)]


def _rates(site: Store, hosts: Iterable[str], memories: Mapping[str, HostMemory]) -> dict[str, float | None]:
    """Requests a second of each host, None where neither the site's file nor an earlier crawl knows."""
    known = {host: memory.rate for host, memory in memories.items() if memory.settled}
    return {host: site.limits.requests_per_second or known.get(host) for host in hosts}


def shown(text: str) -> str:
    """Strangers' text for a terminal: on one line, not too long, nothing in it that steers."""
    safe = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
    return safe if len(safe) <= _LONGEST_NAME else safe[: _LONGEST_NAME - 1] + "…"


def duration(seconds: float) -> str:
    """In the two largest units that say something."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def size(count: float) -> str:
    """Bytes in decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
