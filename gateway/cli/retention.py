"""The commands `passerelle retention ...`: how sealed evidence is destroyed once nobody may keep it any longer (L9).

Annotations are evaluated here, since typer reads the options and their translated help from them.
"""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import Output
from gateway.messages.catalogue import Catalogue


def add_retention(app: typer.Typer, t: Catalogue) -> None:
    """Adds the group to the command line."""
    group = typer.Typer(help=t("help.retention_group"), no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="retention")
    _at_the_gateway(group, t)
    _at_others(group, t)
    _handover(app, t)


def _at_the_gateway(group: typer.Typer, t: Catalogue) -> None:
    config_option = typer.Option("--config", help=t("help.config"), metavar="FILE")
    json_option = typer.Option("--json", help=t("help.json"))
    verdict_option = typer.Option("--verdict", help=t("help.retention_verdict"), metavar="FILE")

    @group.command("propose", help=t("help.retention_propose"))
    def propose(
        period: Annotated[str, typer.Argument(help=t("help.retention_period"), metavar="YYYYMM")],
        verdict: Annotated[Path, verdict_option],
        out: Annotated[Path, typer.Option("--out", help=t("help.retention_out"), metavar="FILE")],
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.retention_gateway import propose as run  # noqa: PLC0415  a gateway's imports, for it only

        raise typer.Exit(run(Output(t, as_json), config, period, verdict, out))

    @group.command("destroy", help=t("help.retention_destroy"))
    def destroy(
        file: Annotated[Path, typer.Argument(help=t("help.retention_file"), metavar="FILE")],
        verdict: Annotated[Path, verdict_option],
        approvals: Annotated[
            list[Path] | None, typer.Option("--approval", help=t("help.policy_approval"), metavar="FILE")
        ] = None,
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  the same
    ) -> None:
        from gateway.cli.retention_gateway import destroy as run  # noqa: PLC0415  the same

        raise typer.Exit(run(Output(t, as_json), config, file, verdict, approvals or []))


def _handover(app: typer.Typer, t: Catalogue) -> None:
    @app.command("handover", help=t("help.handover"))
    def handover(
        target: Annotated[Path, typer.Argument(help=t("help.handover_target"), metavar="DIR")],
        recipient: Annotated[str, typer.Option("--to", help=t("help.handover_to"), metavar="PARTY")],
        due: Annotated[str, typer.Option("--due", help=t("help.handover_due"), metavar="YYYY-MM-DD")],
        config: Annotated[Path | None, typer.Option("--config", help=t("help.config"), metavar="FILE")] = None,
        as_json: Annotated[bool, typer.Option("--json", help=t("help.json"))] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.handover import handover as run  # noqa: PLC0415  a gateway's imports, for it only

        raise typer.Exit(run(Output(t, as_json), config, target, recipient, due))


def _at_others(group: typer.Typer, t: Catalogue) -> None:
    json_option = typer.Option("--json", help=t("help.json"))
    out_option = typer.Option("--out", help=t("help.policy_out"), metavar="FILE")
    key_option = typer.Option("--key", help=t("help.policy_key"), metavar="KEY")
    module_option = typer.Option("--pkcs11", help=t("help.pkcs11"), metavar="MODULE")
    token_option = typer.Option("--token", help=t("help.token"), metavar="LABEL")
    pin_option = typer.Option("--pin-file", help=t("help.pin_file"), metavar="FILE")
    label_option = typer.Option("--label", help=t("help.key_label"), metavar="KEY")

    @group.command("approve", help=t("help.retention_approve"))
    def approve(
        file: Annotated[Path, typer.Argument(help=t("help.retention_file"), metavar="FILE")],
        officer: Annotated[str, typer.Option("--officer", help=t("help.policy_officer"), metavar="NAME")],
        policy: Annotated[Path, typer.Option("--policy", help=t("help.retention_policy"), metavar="CURRENT")],
        key: Annotated[Path | None, key_option] = None,
        out: Annotated[Path | None, out_option] = None,
        module: Annotated[Path | None, module_option] = None,
        token: Annotated[str | None, token_option] = None,
        pin_file: Annotated[Path | None, pin_option] = None,
        label: Annotated[str | None, label_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.officer_keys import officer_key  # noqa: PLC0415  the same
        from gateway.cli.retention_officer import approve as run  # noqa: PLC0415  the same
        from gateway.system import SystemClock  # noqa: PLC0415  the same

        signer = officer_key(key, module, token, pin_file, label)
        raise typer.Exit(run(Output(t, as_json), file, officer, policy, out, signer, SystemClock()))

    @group.command("sign-verdict", help=t("help.retention_sign_verdict"))
    def sign_verdict(
        report: Annotated[Path, typer.Argument(help=t("help.retention_report"), metavar="REPORT.json")],
        auditor: Annotated[str, typer.Option("--auditor", help=t("help.retention_auditor"), metavar="NAME")],
        out: Annotated[Path, typer.Option("--out", help=t("help.retention_verdict_out"), metavar="FILE")],
        key: Annotated[Path | None, key_option] = None,
        module: Annotated[Path | None, module_option] = None,
        token: Annotated[str | None, token_option] = None,
        pin_file: Annotated[Path | None, pin_option] = None,
        label: Annotated[str | None, label_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.officer_keys import officer_key  # noqa: PLC0415  the same
        from gateway.cli.retention_auditor import sign_verdict as run  # noqa: PLC0415  the same
        from gateway.system import SystemClock  # noqa: PLC0415  the same

        signer = officer_key(key, module, token, pin_file, label)
        raise typer.Exit(run(Output(t, as_json), report, auditor, out, signer, SystemClock()))
