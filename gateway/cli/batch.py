"""The commands `passerelle batch ...`: a file of NIRECs verified record by record, stopped and taken up again at will.

Annotations are evaluated here, since typer reads the options and their translated help from them.
"""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import Output
from gateway.messages.catalogue import Catalogue

#: What a run does that is not told otherwise; ``DAY`` is how long it waits for an answer, in seconds.
PATTERN = r"\d{13}"
CONNECTIONS = 8
DAY = 86_400.0


def add_batch(app: typer.Typer, t: Catalogue) -> None:
    """Adds the group to the command line."""
    group = typer.Typer(help=t("help.batch_group"), no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="batch")
    _running(group, t)
    _looking(group, t)


def _running(group: typer.Typer, t: Catalogue) -> None:
    file_argument = typer.Argument(help=t("help.batch_file"), metavar="FILE")
    party_option = typer.Option("--as", help=t("help.as"), metavar="PARTY")
    folder_option = typer.Option("--dir", help=t("help.call_dir"), metavar="DIR")
    connections_option = typer.Option("--connections", help=t("help.batch_connections"), min=1, max=64, metavar="N")
    rate_option = typer.Option("--per-second", help=t("help.batch_per_second"), min=1, metavar="N")
    patience_option = typer.Option("--patience", help=t("help.batch_patience"), min=0)
    pattern_option = typer.Option("--nirec-pattern", help=t("help.batch_pattern"), metavar="REGEX")
    json_option = typer.Option("--json", help=t("help.json"))

    @group.command("verify-nirec", help=t("help.batch_verify"))
    def verify(
        file: Annotated[Path, file_argument],
        party: Annotated[str, party_option],
        folder: Annotated[Path | None, folder_option] = None,
        connections: Annotated[int, connections_option] = CONNECTIONS,
        per_second: Annotated[int | None, rate_option] = None,
        patience: Annotated[float, patience_option] = DAY,
        pattern: Annotated[str, pattern_option] = PATTERN,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.batch_run import Wanted, begin  # noqa: PLC0415  the client's imports, for clients only

        wanted = Wanted(file, party, folder, pattern, connections, per_second, patience)
        raise typer.Exit(begin(Output(t, as_json), wanted))

    @group.command("resume", help=t("help.batch_resume"))
    def resume(
        file: Annotated[Path, file_argument],
        party: Annotated[str, party_option],
        folder: Annotated[Path | None, folder_option] = None,
        connections: Annotated[int, connections_option] = CONNECTIONS,
        per_second: Annotated[int | None, rate_option] = None,
        patience: Annotated[float, patience_option] = DAY,
        pattern: Annotated[str, pattern_option] = PATTERN,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.batch_run import Wanted, resume  # noqa: PLC0415  the same

        wanted = Wanted(file, party, folder, pattern, connections, per_second, patience)
        raise typer.Exit(resume(Output(t, as_json), wanted))


def _looking(group: typer.Typer, t: Catalogue) -> None:
    file_argument = typer.Argument(help=t("help.batch_file"), metavar="FILE")
    json_option = typer.Option("--json", help=t("help.json"))

    @group.command("pause", help=t("help.batch_pause"))
    def pause(
        file: Annotated[Path, file_argument],
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.batch_look import pause as run  # noqa: PLC0415  the same

        raise typer.Exit(run(Output(t, as_json), file))

    @group.command("status", help=t("help.batch_status"))
    def status(
        file: Annotated[Path, file_argument],
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  the same
    ) -> None:
        from gateway.cli.batch_look import status as run  # noqa: PLC0415  the same

        raise typer.Exit(run(Output(t, as_json), file))

    @group.command("report", help=t("help.batch_report"))
    def report(
        file: Annotated[Path, file_argument],
        party: Annotated[str, typer.Option("--as", help=t("help.as"), metavar="PARTY")],
        folder: Annotated[Path | None, typer.Option("--dir", help=t("help.call_dir"), metavar="DIR")] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  the same
    ) -> None:
        from gateway.cli.batch_look import report as run  # noqa: PLC0415  the same
        from gateway.cli.batch_run import party_folder  # noqa: PLC0415  the same

        raise typer.Exit(run(Output(t, as_json), file, party_folder(party, folder)))
