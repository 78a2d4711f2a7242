"""`gemscrape`: web stores → raw images and their tables."""

from pathlib import Path
from typing import Annotated

import typer

from gemkit.errors import UserError, run_command
from gemkit.params import DEFAULT_PATH

app = typer.Typer(
    help="Crawl web stores politely into data/raw/<site>.",
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)

ParamsPath = Annotated[Path, typer.Option("--params", help="The parameter file.")]


class StoreBlocked(UserError):
    """The store turned the crawler away before its end."""

    exit_code = 3


@app.command()
def crawl(
    site: Annotated[
        str, typer.Option(help="Name of a known store (gemscrape sites), or path of a .toml file.")
    ],
    params: ParamsPath = DEFAULT_PATH,
) -> None:
    """Fetch what is new or changed at a store; a crawl that was cut short is taken up where it ended."""
    from scraper.crawl import crawl_site
    from scraper.params import crawl_params
    from scraper.site import load_site

    store = load_site(site)
    summary = crawl_site(store, crawl_params(params, store))
    print("\n".join(summary.lines()), flush=True)
    if summary.ended == "blocked":
        raise StoreBlocked(f"{summary.block}; what was fetched is kept, run the same command again then.")


@app.command()
def sites() -> None:
    """List the known stores."""
    from scraper.site import known_sites, load_site

    for name in known_sites():
        store = load_site(name)
        print(f"{name:16} {store.limits.requests_per_second:g} requests/s  {store.title}  {store.start_url}")


@app.command()
def store(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 0,
    params: ParamsPath = DEFAULT_PATH,
) -> None:
    """Run the demo store alone until Ctrl-C, as crawl.demo in the parameters describes it."""
    from scraper.demo_store.server import serve
    from scraper.params import DemoParams, crawl_params
    from scraper.site import load_site

    site = load_site("demo")
    settings = crawl_params(params, site)
    if not isinstance(settings, DemoParams):
        raise UserError("The site 'demo' has lost its line 'server = \"demo\"'.")
    serve(settings.seed, settings.scale, port, site.limits.requests_per_second)


def main() -> None:
    """Entry point of the console script."""
    run_command(app)


if __name__ == "__main__":
    main()
