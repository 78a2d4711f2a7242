"""How every command line of the project looks: -h, --version, completion, and no rich tracebacks."""

from collections.abc import Callable
from typing import Annotated, Literal

import typer

from gemkit.errors import UserError
from gemkit.extras import DISTRIBUTION


def new_app(name: str, help_text: str) -> typer.Typer:
    """An empty command line; `name` is the console script's. Subcommands inherit `-h`."""
    app = typer.Typer(
        help=help_text,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    def print_version(asked: bool) -> None:
        if asked:
            from importlib.metadata import version

            print(f"{name} {version(DISTRIBUTION)}")
            raise typer.Exit

    @app.callback()
    def options(
        version: Annotated[
            bool,
            typer.Option("--version", callback=print_version, is_eager=True, help="Print the version."),
        ] = False,
    ) -> None: ...

    return app


def new_group(help_text: str) -> typer.Typer:
    """An empty group of subcommands, for `add_typer`."""
    return typer.Typer(help=help_text, no_args_is_help=True)


def listed_in_params(key: Literal["sites", "datasets"]) -> Callable[[], list[str]]:
    """For completion: the names in that list of params.yaml, none where there is no valid one."""

    def names() -> list[str]:
        from gemkit.params import load_params
        from gemkit.project import PARAMS

        try:
            return list(load_params(PARAMS).get(key) or [])
        except UserError:
            return []

    return names
