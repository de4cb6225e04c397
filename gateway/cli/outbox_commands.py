"""The commands `passerelle outbox ...`: what waits for its addressee, and what a person does with a dead letter.

Annotations are evaluated here, since typer reads the options and their translated help from them.
"""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import Output
from gateway.messages.catalogue import Catalogue


def add_outbox(app: typer.Typer, t: Catalogue) -> None:
    """Adds the group to the command line."""
    group = typer.Typer(help=t("help.outbox_group"), no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="outbox")
    _looking(group, t)
    _deciding(group, t)


def _looking(group: typer.Typer, t: Catalogue) -> None:
    config_option = typer.Option("--config", help=t("help.config"), metavar="FILE")
    json_option = typer.Option("--json", help=t("help.json"))

    @group.command("list", help=t("help.outbox_list"))
    def list_command(
        config: Annotated[Path | None, config_option] = None,
        party: Annotated[str | None, typer.Option("--party", help=t("help.outbox_party"), metavar="PARTY")] = None,
        dead: Annotated[bool, typer.Option("--dead", help=t("help.outbox_dead"))] = False,  # noqa: FBT002  a flag
        most: Annotated[int, typer.Option("--most", help=t("help.outbox_most"), min=1, metavar="N")] = 100,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  the same
    ) -> None:
        from gateway.cli.outbox import listed as run  # noqa: PLC0415  a gateway's imports, for it only

        raise typer.Exit(run(Output(t, as_json), config, party, most, dead=dead))

    @group.command("show", help=t("help.outbox_show"))
    def show(
        delivery: Annotated[str, typer.Argument(help=t("help.outbox_delivery"), metavar="ID")],
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.outbox import show as run  # noqa: PLC0415  the same

        raise typer.Exit(run(Output(t, as_json), config, delivery))


def _deciding(group: typer.Typer, t: Catalogue) -> None:
    id_argument = typer.Argument(help=t("help.outbox_delivery"), metavar="ID", show_default=False)
    party_option = typer.Option("--party", help=t("help.outbox_all_of"), metavar="PARTY")
    dead_option = typer.Option("--dead", help=t("help.outbox_all_dead"))
    config_option = typer.Option("--config", help=t("help.config"), metavar="FILE")
    json_option = typer.Option("--json", help=t("help.json"))
    reason_option = typer.Option("--reason", help=t("help.outbox_reason"), metavar="TEXT")

    @group.command("resend", help=t("help.outbox_resend"))
    def resend(
        reason: Annotated[str, reason_option],
        delivery: Annotated[str | None, id_argument] = None,
        party: Annotated[str | None, party_option] = None,
        dead: Annotated[bool, dead_option] = False,  # noqa: FBT002  a flag
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  the same
    ) -> None:
        from gateway.cli.outbox import Which, decide  # noqa: PLC0415  the same

        raise typer.Exit(decide(Output(t, as_json), config, Which(delivery, party, dead), reason, "resend"))

    @group.command("drop", help=t("help.outbox_drop"))
    def drop(
        reason: Annotated[str, reason_option],
        delivery: Annotated[str | None, id_argument] = None,
        party: Annotated[str | None, party_option] = None,
        dead: Annotated[bool, dead_option] = False,  # noqa: FBT002  a flag
        unread: Annotated[bool, typer.Option("--unread", help=t("help.outbox_unread"))] = False,  # noqa: FBT002  a flag
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  the same
    ) -> None:
        from gateway.cli.outbox import Which, decide  # noqa: PLC0415  the same

        raise typer.Exit(decide(Output(t, as_json), config, Which(delivery, party, dead, unread), reason, "drop"))
