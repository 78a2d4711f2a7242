"""`gemscrape`: web stores → raw images and their tables."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gemkit.errors import UserError, needs_extra, run_command
from gemkit.project import PARAMS, current_project

if TYPE_CHECKING:
    from scraper.monitoring.summary import Summary

app = typer.Typer(
    help="Crawl web stores politely into data/raw/<site>.",
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)

ParamsPath = Annotated[Path, typer.Option("--params", help="The parameter file.")]


class StoreBlocked(UserError):
    """The store blocked the crawler before it finished."""

    kind = "store_blocked"
    exit_code = 3


@app.command()
def crawl(
    site: Annotated[
        str, typer.Option(help="Name of a known store (gemscrape sites), or path of a .toml file.")
    ],
    params: ParamsPath = PARAMS,
) -> None:
    """Fetch what is new or changed at a store; an interrupted crawl resumes where it ended."""
    from scraper.crawling.crawl import crawl_site
    from scraper.params import crawl_params
    from scraper.stores.config import load_site

    store = load_site(site)
    summary = crawl_site(store, crawl_params(params, store))
    print("\n".join(summary.lines()), flush=True)
    _check_block(summary)


@app.command("import")
def import_images(
    path: Annotated[Path, typer.Argument(help="A folder or .zip with one folder of images per class.")],
    site: Annotated[str, typer.Option(help="Name of the new site: data/raw/<site>.")],
) -> None:
    """Import images from this machine as if a store had served them; the originals are not changed."""
    from pydantic import ValidationError

    from scraper.crawling.crawl import crawl_site
    from scraper.params import FolderParams
    from scraper.stores.config import FolderSite, known_sites

    if site in known_sites():
        raise UserError(
            f"'{site}' is a known site; choose another name, or run 'gemscrape crawl --site {site}'."
        )
    try:
        folder = FolderSite(name=site, title=site)
    except ValidationError:
        raise UserError(
            f"'{site}' is not a valid site name; use lower-case letters, digits, '-' and '_'."
        ) from None
    print("\n".join(crawl_site(folder, FolderParams(folder=path)).lines()), flush=True)


@app.command()
def plan(
    site: Annotated[
        str | None, typer.Option(help="Name of a known store, or path of a .toml file; its pages are read.")
    ] = None,
    links: Annotated[
        Path | None, typer.Option(help="A .csv or .csv.gz with columns class, image_url; no network access.")
    ] = None,
    params: ParamsPath = PARAMS,
) -> None:
    """Estimate a crawl before running it: images, repeats, classes, time, disk space."""
    from scraper.crawling.plan import plan_list, plan_site
    from scraper.params import crawl_params
    from scraper.stores.config import FolderSite, load_site

    store = load_site(site) if site is not None else None
    if isinstance(store, FolderSite):
        raise UserError(f"'{store.name}' is a folder on this machine: there is nothing to plan.")
    if links is not None:
        print("\n".join(plan_list(links, store).lines()), flush=True)
    elif store is not None:
        planned, summary = plan_site(store, crawl_params(params, store))
        if planned is not None:
            print("\n".join(planned.lines()), flush=True)
        _check_block(summary)
    else:
        raise UserError("Nothing to plan: give a store with --site, a link list with --links, or both.")


@app.command()
def status(
    site: Annotated[str, typer.Option(help="Name of a known store, or path of its .toml file.")],
) -> None:
    """Show the progress of a crawl, while it runs (from another terminal) and afterwards."""
    from scraper.crawling.session import STATE_FOLDER
    from scraper.monitoring.status import read_status

    name = Path(site).stem if site.endswith(".toml") else site
    print("\n".join(read_status(name, STATE_FOLDER).lines()))


@app.command()
def sites() -> None:
    """List the known stores."""
    from scraper.stores.config import FolderSite, HtmlSite, known_sites, load_site

    for name in known_sites():
        store = load_site(name)
        if isinstance(store, FolderSite):
            rate, where = "a folder", f"crawl.{name}.folder"
        else:
            known = store.limits.requests_per_second
            rate = "rate unknown" if known is None else f"{known:g} requests/s"
            where = store.start_url if isinstance(store, HtmlSite) else str(store.links)
        print(f"{name:16} {rate:16} {store.title}  {where}")


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

    site = load_site("demo")
    settings = crawl_params(params, site)
    rate = site.limits.requests_per_second if isinstance(site, HtmlSite) else None
    if not isinstance(settings, DemoParams) or rate is None:
        raise UserError("The site 'demo' must define 'server = \"demo\"' and 'requests_per_second'.")
    serve(settings.seed, settings.scale, port, rate)


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


def _check_block(summary: "Summary") -> None:
    from scraper.monitoring.summary import Ended

    if summary.ended is Ended.BLOCKED:
        raise StoreBlocked(f"{summary.block}. What was fetched is kept; run the same command again then.")


def main() -> None:
    """Entry point of the console script."""
    run_command(app)


if __name__ == "__main__":
    main()
