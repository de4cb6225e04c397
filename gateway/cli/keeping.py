"""The commands `passerelle backup`, `restore`, `log recover` and `log loss ...`.

Annotations are evaluated here, since typer reads the options and their translated help from them.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from gateway.cli.output import Output
from gateway.messages.catalogue import Catalogue

_Reason = Literal["database-lost", "database-damaged", "machine-lost", "other"]


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

    _loss(log_app, t)


def _loss(log_app: typer.Typer, t: Catalogue) -> None:
    group = typer.Typer(help=t("help.loss_group"), no_args_is_help=True, rich_markup_mode=None)
    log_app.add_typer(group, name="loss")
    config_option = typer.Option("--config", help=t("help.config"), metavar="FILE")
    json_option = typer.Option("--json", help=t("help.json"))

    @group.command("propose", help=t("help.loss_propose"))
    def propose(
        reason: Annotated[_Reason, typer.Option("--reason", help=t("help.loss_reason"))],
        out: Annotated[Path, typer.Option("--out", help=t("help.loss_out"), metavar="FILE")],
        exchanges: Annotated[
            list[str] | None, typer.Option("--exchange", help=t("help.loss_exchange"), metavar="ID")
        ] = None,
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.loss_gateway import propose as run  # noqa: PLC0415  a gateway's imports, for it only

        raise typer.Exit(run(Output(t, as_json), config, reason, exchanges or [], out))

    @group.command("approve", help=t("help.loss_approve"))
    def approve(
        file: Annotated[Path, typer.Argument(help=t("help.loss_file"), metavar="FILE")],
        officer: Annotated[str, typer.Option("--officer", help=t("help.policy_officer"), metavar="NAME")],
        policy: Annotated[Path, typer.Option("--policy", help=t("help.retention_policy"), metavar="CURRENT")],
        key: Annotated[Path | None, typer.Option("--key", help=t("help.policy_key"), metavar="KEY")] = None,
        out: Annotated[Path | None, typer.Option("--out", help=t("help.policy_out"), metavar="FILE")] = None,
        module: Annotated[Path | None, typer.Option("--pkcs11", help=t("help.pkcs11"), metavar="MODULE")] = None,
        token: Annotated[str | None, typer.Option("--token", help=t("help.token"), metavar="LABEL")] = None,
        pin_file: Annotated[Path | None, typer.Option("--pin-file", help=t("help.pin_file"), metavar="FILE")] = None,
        label: Annotated[str | None, typer.Option("--label", help=t("help.key_label"), metavar="KEY")] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  the same
    ) -> None:
        from gateway.cli.loss_officer import approve as run  # noqa: PLC0415  the same
        from gateway.cli.officer_keys import officer_key  # noqa: PLC0415  the same
        from gateway.system import SystemClock  # noqa: PLC0415  the same

        signer = officer_key(key, module, token, pin_file, label)
        raise typer.Exit(run(Output(t, as_json), file, officer, policy, out, signer, SystemClock()))

    @group.command("record", help=t("help.loss_record"))
    def record(
        file: Annotated[Path, typer.Argument(help=t("help.loss_file"), metavar="FILE")],
        approvals: Annotated[
            list[Path] | None, typer.Option("--approval", help=t("help.policy_approval"), metavar="FILE")
        ] = None,
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  the same
    ) -> None:
        from gateway.cli.loss_gateway import record as run  # noqa: PLC0415  the same

        raise typer.Exit(run(Output(t, as_json), config, file, approvals or []))
