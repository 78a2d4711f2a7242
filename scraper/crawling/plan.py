"""Estimate a crawl before running it: links, distinct images, classes, and the time and disk space they need.

Planning a site is the first part of its crawl: what is fetched here is not fetched again.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev

from gemkit.errors import UserError
from gemkit.project import Project
from gemkit.text import printable
from scraper.crawling.download import download
from scraper.crawling.link_stats import LinkStatistics
from scraper.crawling.session import Session, open_session
from scraper.crawling.sources import choose_source
from scraper.http.limits import host_matches
from scraper.http.rate_limiter import HostHistory
from scraper.http.urls import host_of
from scraper.monitoring.counted import counted
from scraper.monitoring.missing import Missing
from scraper.monitoring.summary import Summary
from scraper.params import CrawlParams
from scraper.storage.crawl_state import state_file
from scraper.storage.host_table import load_host_histories
from scraper.storage.jobs import ImageJob
from scraper.stores.config import FolderSite, LinkFile, LinksSite, Site, Store, find_site
from scraper.stores.link_list import read_links

#: Number of stored images from which the size of the others is estimated.
SAMPLE = 30

#: Number of pairs of classes with shared images that are printed.
_PAIRS = 5

#: Requests a second if no site gives the allowed rate.
ASSUMED_RATE = 1.0


@dataclass(frozen=True)
class Disk:
    """Bytes that the images yet to be fetched need, estimated from a sample of `count` images."""

    count: int
    mean: float
    rest: float
    error: float  # two standard errors of `rest`

    @classmethod
    def estimate(cls, sizes: list[int], rest: int) -> "Disk | None":
        """Estimate the bytes of `rest` more images like those of the sizes; None if there are too few sizes.

        The standard error is that of a total from a sample without replacement (Cochran, Sampling Techniques,
        2.6); the bytes of the sample itself are known.
        """
        count = len(sizes)
        if count < 2 or not any(sizes):
            return None
        error = stdev(sizes) * math.sqrt((rest + count) * rest / count)
        return cls(count, fmean(sizes), rest * fmean(sizes), 2 * error)


@dataclass
class Plan:
    """The result of planning; for a bare link list, what is stored and its size are unknown (None).

    `unread` counts the pages that could not be read, by class.
    """

    name: str
    statistics: LinkStatistics
    notes: list[str]
    pages: int | None = None
    unread: Missing = field(default_factory=Missing)
    stored: int | None = None
    fetch: int = 0
    check: int = 0
    refused: int = 0
    rate: float | None = None
    rate_assumed: bool = False
    seconds: float | None = None
    disk: Disk | None = None

    def estimate_time(self, urls: Iterable[str], rates: Mapping[str, float | None]) -> None:
        """Estimate the time to request the URLs; hosts are contacted in parallel, each at its own rate."""
        hosts = Counter(host_of(url) for url in urls)
        times = [(count / rate, rate) for host, count in hosts.items() if (rate := rates.get(host))]
        if len(times) == len(hosts):
            self.seconds, self.rate = max(times, default=(0.0, None))
        else:
            self.seconds, self.rate = None, None

    def lines(self) -> list[str]:
        """The plan as lines to print; untrusted text is made printable and comes last on its line."""
        statistics = self.statistics
        links, distinct, several = statistics.links, statistics.distinct, statistics.in_several_classes
        classes = statistics.by_class()
        lines = [f"{self.name}: {counted(links, 'link')} in {counted(len(classes), 'class', 'classes')}"]
        if self.pages is not None:
            lines.append(f"pages     {self.pages:,} requested")
        if self.unread.classes:
            unread = self.unread.lines_by_class()
            lines += ["unread    pages of these classes", *(f"        {line}" for line in unread)]
        repeats = links - distinct
        lines += [
            f"images    {distinct:,} distinct; {counted(repeats, 'link')} "
            f"({repeats / max(links, 1):.1%}) {'is a repeat' if repeats == 1 else 'are repeats'}",
            f"labels    {counted(several, 'image')} in several classes",
            *(
                f"          {count:>9,}  {printable(first)} / {printable(second)}"
                for (first, second), count in statistics.pairs().most_common(_PAIRS)
            ),
        ]
        if statistics.products:
            shown = counted(statistics.images_of_products, "image")
            lines.append(f"products  {len(statistics.products):,}, with {shown}")
        if self.refused:
            lines.append(f"refused   {self.refused:,}, on hosts that are not in 'image_hosts'")
        if self.stored is not None:
            lines.append(
                f"stored    {counted(self.stored, 'image')}; {self.fetch:,} to fetch, "
                f"{self.check:,} to check for changes"
            )
        lines += [f"time      {self._time()}", f"disk      {self._disk()}", *self.notes, ""]
        lines.append(f"{'links':>9} {'distinct':>9} {'exclusive':>9}  class")
        lines += [
            f"{count.links:>9,} {count.distinct:>9,} {count.exclusive:>9,}  {printable(count.name)}"
            for count in classes
        ]
        return lines

    def _time(self) -> str:
        requests = counted(self.fetch + self.check, "image")
        if self.seconds is None:
            return f"unknown for {requests}: the rate is not known yet"
        if self.rate is None:
            return "nothing is left to request"
        assumed = ", an assumed rate: use --site for the rate of a store" if self.rate_assumed else ""
        return f"{duration(self.seconds)} for {requests} at {self.rate:.3g} a second{assumed}"

    def _disk(self) -> str:
        if self.stored is None:
            return "unknown: no image of a bare list is fetched"
        if self.fetch == 0:
            return "nothing is left to fetch"
        if self.disk is None:
            return "unknown: too few images could be fetched"
        return (
            f"{size(self.disk.rest)} ± {size(self.disk.error)} for {counted(self.fetch, 'image')}, from "
            f"{self.disk.count:,} of {size(self.disk.mean)} on average"
        )


def plan_links(path: Path | str, site: Site | None = None, project: Project | None = None) -> Plan:
    """Estimate the crawl of a bare link list (.csv or .csv.gz with columns class, image_url), offline.

    A site gives the rate, which an earlier crawl in the project may have found; a links site also gives the
    names of the columns. Raises UserError for a list that cannot be read or contains no usable link.
    """
    path, site = Path(path), None if site is None else _check_store(site)
    file = site.model_copy(update={"links": path}) if isinstance(site, LinksSite) else LinkFile(links=path)
    found = read_links(file)
    planned = Plan(path.name, LinkStatistics(found.links), found.notes, rate_assumed=site is None)
    urls = planned.statistics.classes
    hosts = {host_of(url) for url in urls}
    planned.fetch = len(urls)
    if site is None:
        planned.estimate_time(urls, dict.fromkeys(hosts, ASSUMED_RATE))
    else:
        histories = load_host_histories(state_file(project, site.name)) if project else {}
        planned.estimate_time(urls, _rates(site, hosts, histories))
    return planned


def plan(
    project: Project, site: Site | str, settings: CrawlParams | None = None
) -> tuple[Plan | None, Summary]:
    """Estimate the crawl of a site, or the one of a name: read its pages or its link list, and fetch a sample
    of its images.

    Without `settings`, the defaults of the site's kind hold. The plan is None if the store blocks us before
    its pages are read; see the summary. Raises UserError like `crawl`.
    """
    site, planned = _check_store(find_site(project, site)), None
    with open_session(project, choose_source(project, site, settings)) as session:
        session.state.images.forget_lost_files()
        statistics, summary = LinkStatistics(session.source.discover(session)), session.summary
        pages = session.state.pages.count() or None  # a list has no pages
        planned = Plan(site.name, statistics, summary.notes, pages)
        planned.notes += [
            f"pages not read, {outcome}: {count}" for outcome, count in summary.pages_by_reason.items()
        ]
        for page in session.unread:
            if not page.lost:
                planned.unread.add_page(page)
        _measure(planned, session, site)
        new = [job for job in _pending(session, site) if job.sha256 is None]
        download(session, _sample(new, SAMPLE - (planned.stored or 0)))
        _measure(planned, session, site)
        planned.notes += [
            f"of the sample not stored, {outcome}: {count}"
            for outcome, count in sorted(summary.by_reason.items(), key=lambda item: str(item[0]))
        ]
    return planned, session.summary


def _check_store(site: Site) -> Store:
    if isinstance(site, FolderSite):
        raise UserError(f"'{site.name}' is a folder on this machine: there is nothing to plan.")
    return site


def _measure(plan: Plan, session: Session, site: Store) -> None:
    """Update the plan from what is stored and what is left to do."""
    jobs = _pending(session, site)
    sizes = session.state.images.stored_sizes()
    plan.stored = sum(size > 0 for size in sizes)
    plan.fetch = sum(job.sha256 is None for job in jobs)
    plan.check = len(jobs) - plan.fetch
    plan.refused = sum(not _allowed(site, url) for url in plan.statistics.classes)
    plan.disk = Disk.estimate(sizes, plan.fetch)
    rates = _rates(site, {host_of(job.url) for job in jobs}, session.state.hosts.histories())
    for limiter in session.client.rate_limiters:
        if limiter.controller.converged:  # robots.txt may have lowered it
            rates[limiter.host] = limiter.controller.rate
    plan.estimate_time((job.url for job in jobs), rates)


def _pending(session: Session, site: Store) -> list[ImageJob]:
    return [job for job in session.state.images.pending() if job.needs_request and _allowed(site, job.url)]


def _allowed(site: Store, url: str) -> bool:
    return host_matches(host_of(url), site.image_hosts)


def _sample(jobs: list[ImageJob], count: int) -> list[ImageJob]:
    """`count` of the jobs, evenly spread over all of them in the order of their URLs."""
    jobs = sorted(jobs, key=lambda job: job.url)
    count = max(0, min(count, len(jobs)))
    return [jobs[(2 * index + 1) * len(jobs) // (2 * count)] for index in range(count)]


def _rates(
    site: Store, hosts: Iterable[str], histories: Mapping[str, HostHistory]
) -> dict[str, float | None]:
    """Requests a second of each host; None if neither the site's file nor an earlier crawl gives the rate."""
    known = {host: history.rate for host, history in histories.items() if history.converged}
    return {host: site.limits.requests_per_second or known.get(host) for host in hosts}


def duration(seconds: float) -> str:
    """A time in its two largest units that are not zero."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def size(count: float) -> str:
    """A number of bytes in decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
