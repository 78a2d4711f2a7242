"""`gemscrape`: web stores → raw images and their tables."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gemkit.cli import new_app
from gemkit.errors import (
    EXIT_BLOCKED,
    EXIT_INCOMPLETE,
    UserError,
    needs_extra,
    run_command,
    sigterm_as_interrupt,
)
from gemkit.project import PARAMS, Project, current_project

if TYPE_CHECKING:
    from scraper.monitoring.summary import Summary

app = new_app("gemscrape", "Crawl web stores politely into data/raw/<site>.")

ParamsPath = Annotated[Path, typer.Option("--params", help="The parameter file.")]


def _site_names() -> list[str]:
    from scraper.stores.config import known_sites

    return list(known_sites(Project()))


class StoreBlocked(UserError):
    """The store blocked the crawler before it finished."""

    kind = "store_blocked"
    exit_code = EXIT_BLOCKED


class CrawlIncomplete(UserError):
    """More images are missing than the site's settings tolerate, or a class is."""

    kind = "crawl_incomplete"
    exit_code = EXIT_INCOMPLETE


@app.command()
def crawl(
    site: Annotated[
        str,
        typer.Option(
            help="Name of a known store (gemscrape sites), or path of a .toml file.",
            autocompletion=_site_names,
        ),
    ],
    params: ParamsPath = PARAMS,
) -> None:
    """Fetch what is new or changed at a store; an interrupted crawl resumes where it ended."""
    from scraper.crawling.crawl import crawl
    from scraper.params import crawl_params
    from scraper.stores.config import load_site

    project = current_project(params)
    store = load_site(site, project)
    with sigterm_as_interrupt():
        summary = crawl(project, store, crawl_params(params, store))
    _report(summary)


@app.command("import")
def import_images(
    path: Annotated[Path, typer.Argument(help="A folder or .zip with one folder of images per class.")],
    site: Annotated[str, typer.Option(help="Name of the new site: data/raw/<site>.")],
) -> None:
    """Import images from this machine as if a store had served them; the originals are not changed."""
    from scraper.crawling.crawl import import_images

    _report(import_images(current_project(), path, site), "mend the files that are listed above, and run")


@app.command()
def plan(
    site: Annotated[
        str | None,
        typer.Option(
            help="Name of a known store, or path of a .toml file; its pages are read.",
            autocompletion=_site_names,
        ),
    ] = None,
    links: Annotated[
        Path | None, typer.Option(help="A .csv or .csv.gz with columns class, image_url; no network access.")
    ] = None,
    params: ParamsPath = PARAMS,
) -> None:
    """Estimate a crawl before running it: images, repeats, classes, time, disk space."""
    from scraper.crawling.plan import plan, plan_links
    from scraper.params import crawl_params
    from scraper.stores.config import load_site

    if links is not None:
        here = _project_here()
        store = load_site(site, here) if site is not None else None
        print("\n".join(plan_links(links, store, here).lines()), flush=True)
    elif site is not None:
        project = current_project(params)
        store = load_site(site, project)
        planned, summary = plan(project, store, crawl_params(params, store))
        if planned is not None:
            print("\n".join(planned.lines()), flush=True)
        _check_block(summary)
    else:
        raise UserError("Nothing to plan: give a store with --site, a link list with --links, or both.")


@app.command()
def status(
    site: Annotated[
        str,
        typer.Option(help="Name of a known store, or path of its .toml file.", autocompletion=_site_names),
    ],
) -> None:
    """Show the progress of a crawl, while it runs (from another terminal) and afterwards."""
    from scraper.monitoring.status import read_status

    name = Path(site).stem if site.endswith(".toml") else site
    print("\n".join(read_status(current_project(), name).lines()))


@app.command()
def sites() -> None:
    """List the known stores: those of the project in the current folder, and the built-in ones."""
    from scraper.stores.config import SITES, FolderSite, HtmlSite, known_sites, load_site

    unreadable = []
    for name, path in known_sites(_project_here()).items():
        try:
            store = load_site(path)
        except UserError as error:
            unreadable.append(str(error))
            continue
        if isinstance(store, FolderSite):
            rate, where = "a folder", f"crawl.{name}.folder"
        else:
            known = store.limits.requests_per_second
            rate = "rate unknown" if known is None else f"{known:g} requests/s"
            where = store.start_url if isinstance(store, HtmlSite) else str(store.links)
        origin = "built in" if path.parent == SITES else "project"
        print(f"{name:19} {origin:8} {rate:16} {store.title}  {where}")
    if unreadable:
        raise UserError(" ".join(unreadable))


@app.command()
def store(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 0,
    params: ParamsPath = PARAMS,
) -> None:
    """Run only the demo store, with the settings of crawl.demo in the parameters, until Ctrl-C."""
    with needs_extra("The demo store", "scraper"):
        from scraper.demo_store.server import serve
    from scraper.params import DemoParams, crawl_params
    from scraper.stores.config import HtmlSite, load_site

    project = current_project(params)
    site = load_site("demo", project)
    settings = crawl_params(params, site)
    rate = site.limits.requests_per_second if isinstance(site, HtmlSite) else None
    if not isinstance(settings, DemoParams) or rate is None:
        raise UserError("The site 'demo' must define 'server = \"demo\"' and 'requests_per_second'.")
    serve(settings.seed, settings.scale, port, rate, project.cache)


def _project_here() -> Project | None:
    """The project of the current folder, for commands that also work outside a project."""
    project = Project()
    return project if project.params.is_file() else None


@app.command()
def init(
    folder: Annotated[
        Path, typer.Argument(help="The folder of the new project; it may exist, but hold none.")
    ],
) -> None:
    """Make a project: parameters, labels and a pipeline that runs the demo store with 'dvc repro'."""
    from scraper.project.init import init as make_project

    print("\n".join(make_project(folder).lines()))


@app.command()
def upgrade() -> None:
    """Bring this project's pipeline up to date with the installed version, and say what will rerun."""
    from scraper.project.upgrade import upgrade as upgrade_project

    print("\n".join(upgrade_project(current_project()).lines()))


def _report(summary: "Summary", advice: str = "run") -> None:
    """Print a crawl's summary, and raise UserError with advice if it is not complete."""
    from scraper.monitoring.summary import Ended

    print("\n".join(summary.lines()), flush=True)
    _check_block(summary)
    if summary.ended is Ended.INCOMPLETE:
        raise CrawlIncomplete(
            f"The crawl is incomplete: {summary.missing.total}. What was fetched is kept; {advice} "
            "the same command again later."
        )


def _check_block(summary: "Summary") -> None:
    from scraper.monitoring.summary import Ended

    if summary.ended is Ended.BLOCKED:
        raise StoreBlocked(f"{summary.block}. What was fetched is kept; run the same command again then.")


def main() -> None:
    """Entry point of the console script."""
    run_command(lambda: app(prog_name="gemscrape"))
