"""The commands `passerelle backup`, `restore` and `log recover`.

Annotations are evaluated here, since typer reads the options and their translated help from them.
"""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import Output
from gateway.messages.catalogue import Catalogue


def add_keeping(app: typer.Typer, t: Catalogue) -> None:
    """Adds them to the command line."""
    log_app = typer.Typer(help=t("help.log_group"), no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(log_app, name="log")
    config_option = typer.Option("--config", help=t("help.config"), metavar="FILE")
    json_option = typer.Option("--json", help=t("help.json"))

    @app.command("backup", help=t("help.backup"))
    def backup(
        target: Annotated[Path, typer.Argument(help=t("help.backup_file"), metavar="FILE")],
        config: Annotated[Path | None, config_option] = None,
        with_keys: Annotated[bool, typer.Option("--with-keys", help=t("help.with_keys"))] = False,  # noqa: FBT002  a flag
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  the same
    ) -> None:
        from gateway.cli.backup import backup as run  # noqa: PLC0415  a gateway's imports, for it only

        raise typer.Exit(run(Output(t, as_json), config, target, with_keys=with_keys))

    @app.command("restore", help=t("help.restore"))
    def restore(
        source: Annotated[Path, typer.Argument(help=t("help.restore_file"), metavar="FILE")],
        folder: Annotated[Path, typer.Argument(help=t("help.restore_dir"), metavar="DIR")],
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.backup import restore as run  # noqa: PLC0415  the same

        raise typer.Exit(run(Output(t, as_json), source, folder))

    @log_app.callback(help=t("help.log_group"))
    def log_group() -> None: ...

    @log_app.command("recover", help=t("help.log_recover"))
    def log_recover(
        config: Annotated[Path | None, config_option] = None,
        without_backup: Annotated[bool, typer.Option("--without-backup", help=t("help.without_backup"))] = False,  # noqa: FBT002  a flag
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  the same
    ) -> None:
        from gateway.cli.recover import recover_log  # noqa: PLC0415  the same

        raise typer.Exit(recover_log(Output(t, as_json), config, without_backup=without_backup))
