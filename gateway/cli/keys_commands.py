"""The group `passerelle keys`.

Annotations are evaluated here, since typer reads the options and their translated help from them.
"""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import Output
from gateway.messages.catalogue import Catalogue


def add_keys(app: typer.Typer, t: Catalogue) -> None:
    """Adds the group in one language."""
    group = typer.Typer(help=t("help.keys_group"), no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="keys")
    _certifying(group, t)
    _renewing(group, t)


def _certifying(group: typer.Typer, t: Catalogue) -> None:
    config_option = typer.Option("--config", help=t("help.config"), metavar="FILE")
    json_option = typer.Option("--json", help=t("help.json"))

    @group.command("list", help=t("help.keys_list"))
    def list_command(
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.keys import show  # noqa: PLC0415  the composition's imports, for commands that need it

        raise typer.Exit(show(Output(t, as_json), config))

    @group.command("csr", help=t("help.keys_csr"))
    def csr(
        name: Annotated[str, typer.Argument(help=t("help.key_name"))],
        subject: Annotated[str | None, typer.Option("--subject", help=t("help.key_subject"), metavar="DN")] = None,
        dns: Annotated[list[str] | None, typer.Option("--dns", help=t("help.key_dns"), metavar="NAME")] = None,
        out: Annotated[Path | None, typer.Option("--out", help=t("help.key_out"), metavar="FILE")] = None,
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.keys import request  # noqa: PLC0415  the same

        request(Output(t, as_json), config, name, subject, dns or [], out)

    @group.command("import", help=t("help.keys_import"))
    def import_command(
        name: Annotated[str, typer.Argument(help=t("help.key_name"))],
        certificate: Annotated[Path, typer.Argument(help=t("help.key_certificate"), metavar="CERT")],
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.keys_import import take  # noqa: PLC0415  the same

        take(Output(t, as_json), config, name, certificate)


def _renewing(group: typer.Typer, t: Catalogue) -> None:
    config_option = typer.Option("--config", help=t("help.config"), metavar="FILE")
    json_option = typer.Option("--json", help=t("help.json"))

    @group.command("rotate", help=t("help.keys_rotate"))
    def rotate_command(
        kind: Annotated[str, typer.Argument(help=t("help.key_kind"))],
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.keys import rotate  # noqa: PLC0415  the same

        raise typer.Exit(rotate(Output(t, as_json), config, kind))

    @group.command("activate", help=t("help.keys_activate"))
    def activate_command(
        name: Annotated[str, typer.Argument(help=t("help.key_name"))],
        at: Annotated[str | None, typer.Option("--at", help=t("help.key_at"), metavar="TIME")] = None,
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.keys import activate  # noqa: PLC0415  the same

        activate(Output(t, as_json), config, name, at)

    @group.command("withdraw", help=t("help.keys_withdraw"))
    def withdraw_command(
        name: Annotated[str, typer.Argument(help=t("help.key_name"))],
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.keys import withdraw  # noqa: PLC0415  the same

        withdraw(Output(t, as_json), config, name)
