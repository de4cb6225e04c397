"""The commands `passerelle policy ...`: who may do what, as several officers sign it (P1).

Annotations are evaluated here, since typer reads the options and their translated help from them.
"""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import Output
from gateway.messages.catalogue import Catalogue


def add_policy(app: typer.Typer, t: Catalogue) -> None:
    """Adds the group to the command line."""
    group = typer.Typer(help=t("help.policy_group"), no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="policy")
    _at_the_gateway(group, t)
    _at_an_officer_s(group, t)


def _at_the_gateway(group: typer.Typer, t: Catalogue) -> None:
    config_option = typer.Option("--config", help=t("help.config"), metavar="FILE")
    json_option = typer.Option("--json", help=t("help.json"))
    file_argument = typer.Argument(help=t("help.policy_file"), metavar="FILE")

    @group.command("show", help=t("help.policy_show"))
    def show(
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.policy_gateway import show as run  # noqa: PLC0415  a gateway's imports, for this command only

        raise typer.Exit(run(Output(t, as_json), config))

    @group.command("propose", help=t("help.policy_propose"))
    def propose(
        file: Annotated[Path, file_argument],
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.policy_gateway import propose as run  # noqa: PLC0415  the same

        raise typer.Exit(run(Output(t, as_json), config, file))

    @group.command("draft", help=t("help.policy_draft"))
    def draft(
        out: Annotated[Path, typer.Argument(help=t("help.policy_draft_out"), metavar="FILE")],
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  the same
    ) -> None:
        from gateway.cli.policy_draft import draft as run  # noqa: PLC0415  the same

        raise typer.Exit(run(Output(t, as_json), config, out))

    @group.command("break-glass", help=t("help.policy_break_glass"))
    def break_glass(
        agreement: Annotated[str, typer.Argument(help=t("help.policy_glass_agreement"), metavar="AGREEMENT")],
        subjects: Annotated[int, typer.Option("--subjects", min=1, help=t("help.policy_glass_subjects"), metavar="N")],
        hours: Annotated[int, typer.Option("--hours", min=1, help=t("help.policy_glass_hours"), metavar="H")],
        reason: Annotated[str, typer.Option("--reason", help=t("help.policy_glass_reason"), metavar="TEXT")],
        out: Annotated[Path, typer.Option("--out", help=t("help.policy_draft_out"), metavar="FILE")],
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  the same
    ) -> None:
        from gateway.cli.policy_break_glass import Asked  # noqa: PLC0415  the same
        from gateway.cli.policy_break_glass import break_glass as run  # noqa: PLC0415  the same
        from gateway.system import SystemClock  # noqa: PLC0415  the same

        asked = Asked(agreement, subjects, hours, reason, out)
        raise typer.Exit(run(Output(t, as_json), config, asked, SystemClock()))

    @group.command("activate", help=t("help.policy_activate"))
    def activate(
        file: Annotated[Path, file_argument],
        approvals: Annotated[
            list[Path] | None, typer.Option("--approval", help=t("help.policy_approval"), metavar="FILE")
        ] = None,
        config: Annotated[Path | None, config_option] = None,
        recovery: Annotated[bool, typer.Option("--recovery", help=t("help.policy_recovery"))] = False,  # noqa: FBT002  a flag
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  the same
    ) -> None:
        from gateway.cli.policy_gateway import activate as run  # noqa: PLC0415  the same

        raise typer.Exit(run(Output(t, as_json), config, file, approvals or [], recovery=recovery))


def _at_an_officer_s(group: typer.Typer, t: Catalogue) -> None:
    json_option = typer.Option("--json", help=t("help.json"))

    @group.command("approve", help=t("help.policy_approve"))
    def approve(
        file: Annotated[Path, typer.Argument(help=t("help.policy_file"), metavar="FILE")],
        officer: Annotated[str, typer.Option("--officer", help=t("help.policy_officer"), metavar="NAME")],
        key: Annotated[Path | None, typer.Option("--key", help=t("help.policy_key"), metavar="KEY")] = None,
        against: Annotated[
            Path | None, typer.Option("--against", help=t("help.policy_against"), metavar="CURRENT")
        ] = None,
        out: Annotated[Path | None, typer.Option("--out", help=t("help.policy_out"), metavar="FILE")] = None,
        recovery: Annotated[bool, typer.Option("--recovery", help=t("help.policy_recovery"))] = False,  # noqa: FBT002  a flag
        module: Annotated[Path | None, typer.Option("--pkcs11", help=t("help.pkcs11"), metavar="MODULE")] = None,
        token: Annotated[str | None, typer.Option("--token", help=t("help.token"), metavar="LABEL")] = None,
        pin_file: Annotated[Path | None, typer.Option("--pin-file", help=t("help.pin_file"), metavar="FILE")] = None,
        label: Annotated[str | None, typer.Option("--label", help=t("help.key_label"), metavar="KEY")] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  the same
    ) -> None:
        from gateway.cli.officer import Asked  # noqa: PLC0415  the same
        from gateway.cli.officer import approve as run  # noqa: PLC0415  the same
        from gateway.cli.officer_keys import officer_key  # noqa: PLC0415  the same
        from gateway.system import SystemClock  # noqa: PLC0415  the same

        signer = officer_key(key, module, token, pin_file, label)
        asked = Asked(file, officer, against, out, recovery)
        raise typer.Exit(run(Output(t, as_json), asked, signer, SystemClock()))

    @group.command("new-officer", help=t("help.policy_new_officer"))
    def new_officer(
        name: Annotated[str, typer.Argument(help=t("help.policy_officer"), metavar="NAME")],
        out: Annotated[Path, typer.Option("--out", help=t("help.policy_key_out"), metavar="FILE")],
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.officer import new_officer as run  # noqa: PLC0415  the same

        run(Output(t, as_json), name, out)

    @group.command("new-apart", help=t("help.policy_new_apart"))
    def new_apart(
        out: Annotated[Path, typer.Option("--out", help=t("help.policy_apart_out"), metavar="DIR")],
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.officer import new_apart as run  # noqa: PLC0415  the same

        run(Output(t, as_json), out)

    @group.command("new-period", help=t("help.policy_new_period"))
    def new_period(
        period: Annotated[str, typer.Argument(help=t("help.policy_period"), metavar="YYYYMM")],
        out: Annotated[Path, typer.Option("--out", help=t("help.policy_period_out"), metavar="DIR")],
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.officer import new_period as run  # noqa: PLC0415  the same

        run(Output(t, as_json), period, out)
