"""The commands `passerelle effects ...`: those of which nobody knows what became, and an operator's word on one (L4).

Annotations are evaluated here, since typer reads the options and their translated help from them.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from gateway.cli.output import Output
from gateway.messages.catalogue import Catalogue


def add_effects(app: typer.Typer, t: Catalogue) -> None:
    """Adds the group to the command line."""
    group = typer.Typer(help=t("help.effects_group"), no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="effects")
    config_option = typer.Option("--config", help=t("help.config"), metavar="FILE")
    json_option = typer.Option("--json", help=t("help.json"))

    @group.command("list", help=t("help.effects_list"))
    def list_unsettled(
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.effects_gateway import list_unsettled as run  # noqa: PLC0415  a gateway's imports, for it only

        raise typer.Exit(run(Output(t, as_json), config))

    @group.command("settle", help=t("help.effects_settle"))
    def settle(
        exchange_id: Annotated[str, typer.Argument(help=t("help.effects_exchange"), metavar="ID")],
        outcome: Annotated[Literal["done", "not_done"], typer.Option("--outcome", help=t("help.effects_outcome"))],
        reason: Annotated[
            Literal["told_by_other_party", "seen_in_their_system", "withdrawn_by_caller"],
            typer.Option("--reason", help=t("help.effects_reason")),
        ],
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.effects_gateway import settle as run  # noqa: PLC0415  the same

        raise typer.Exit(run(Output(t, as_json), config, exchange_id, outcome, reason))
