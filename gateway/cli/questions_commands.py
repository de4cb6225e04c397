"""The questions under `passerelle audit`: disclosures, register, export, verify-export.

Annotations are evaluated here, since typer reads the options and their translated help from them.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from gateway.cli.output import Output
from gateway.messages.catalogue import Catalogue


def add_questions(group: typer.Typer, t: Catalogue) -> None:
    """Adds the commands to the group `audit`."""
    _disclosures(group, t)
    _register(group, t)
    _exports(group, t)


def _disclosures(group: typer.Typer, t: Catalogue) -> None:
    @group.command("disclosures", help=t("help.audit_disclosures"))
    def disclosures(
        log: Annotated[Path, typer.Argument(help=t("help.log"), metavar="LOG")],
        trust: Annotated[Path, typer.Option("--trust", help=t("help.trust"), metavar="DIR")],
        index: Annotated[Path | None, typer.Option("--index", help=t("help.index"), metavar="DIR")] = None,
        since: Annotated[str | None, typer.Option("--from", help=t("help.from"), metavar="TIME")] = None,
        until: Annotated[str | None, typer.Option("--to", help=t("help.to"), metavar="TIME")] = None,
        party: Annotated[str | None, typer.Option("--party", help=t("help.by_party"), metavar="PARTY")] = None,
        subject: Annotated[str | None, typer.Option("--subject", help=t("help.by_subject"), metavar="HANDLE")] = None,
        operation: Annotated[
            str | None, typer.Option("--operation", help=t("help.by_operation"), metavar="NAME")
        ] = None,
        field: Annotated[str | None, typer.Option("--field", help=t("help.by_field"), metavar="NAME")] = None,
        purpose: Annotated[str | None, typer.Option("--purpose", help=t("help.by_purpose"), metavar="NAME")] = None,
        agreement: Annotated[
            str | None, typer.Option("--agreement", help=t("help.by_agreement"), metavar="NAME")
        ] = None,
        everything: Annotated[bool, typer.Option("--all", help=t("help.everything"))] = False,  # noqa: FBT002  a flag
        as_table: Annotated[bool, typer.Option("--csv", help=t("help.csv"))] = False,  # noqa: FBT002  the same
        as_json: Annotated[bool, typer.Option("--json", help=t("help.json"))] = False,  # noqa: FBT002  the same
    ) -> None:
        from gateway.audit.questions.disclosures import Question  # noqa: PLC0415  for those that ask
        from gateway.cli.disclosures import disclosures as run  # noqa: PLC0415  the same
        from gateway.cli.questions import Copy, subject_of, window  # noqa: PLC0415  the same

        begin, end = window(since, until)
        question = Question(
            since=begin,
            until=end,
            party=party,
            subject=subject_of(subject),
            operation=operation,
            field=field,
            purpose=purpose,
            agreement=agreement,
            everything=everything,
        )
        raise typer.Exit(run(Output(t, as_json), Copy(log, trust, index), question, as_table=as_table))


def _register(group: typer.Typer, t: Catalogue) -> None:
    @group.command("register", help=t("help.audit_register"))
    def register(
        log: Annotated[Path, typer.Argument(help=t("help.log"), metavar="LOG")],
        trust: Annotated[Path, typer.Option("--trust", help=t("help.trust"), metavar="DIR")],
        index: Annotated[Path | None, typer.Option("--index", help=t("help.index"), metavar="DIR")] = None,
        since: Annotated[str | None, typer.Option("--from", help=t("help.from"), metavar="TIME")] = None,
        until: Annotated[str | None, typer.Option("--to", help=t("help.to"), metavar="TIME")] = None,
        form: Annotated[
            Literal["csv", "json", "html"], typer.Option("--format", help=t("help.register_format"))
        ] = "csv",
        out: Annotated[Path | None, typer.Option("--out", help=t("help.register_out"), metavar="FILE")] = None,
        as_json: Annotated[bool, typer.Option("--json", help=t("help.json"))] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.audit.questions.disclosures import Question  # noqa: PLC0415  for those that ask
        from gateway.cli.questions import Copy, window  # noqa: PLC0415  the same
        from gateway.cli.register import register as run  # noqa: PLC0415  the same

        begin, end = window(since, until)
        question = Question(since=begin, until=end)
        raise typer.Exit(run(Output(t, as_json), Copy(log, trust, index), question, "json" if as_json else form, out))


def _exports(group: typer.Typer, t: Catalogue) -> None:
    @group.command("export", help=t("help.audit_export"))
    def export(
        log: Annotated[Path, typer.Argument(help=t("help.log"), metavar="LOG")],
        exchange_id: Annotated[str, typer.Argument(help=t("help.exchange_id"), metavar="EXCHANGE_ID")],
        trust: Annotated[Path, typer.Option("--trust", help=t("help.trust"), metavar="DIR")],
        out: Annotated[Path, typer.Option("--out", help=t("help.export_out"), metavar="FILE")],
        index: Annotated[Path | None, typer.Option("--index", help=t("help.index"), metavar="DIR")] = None,
        as_json: Annotated[bool, typer.Option("--json", help=t("help.json"))] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.export import export as run  # noqa: PLC0415  for those that ask
        from gateway.cli.questions import Copy  # noqa: PLC0415  the same

        raise typer.Exit(run(Output(t, as_json), Copy(log, trust, index), exchange_id, out))

    @group.command("verify-export", help=t("help.audit_verify_export"))
    def verify_export(
        file: Annotated[Path, typer.Argument(help=t("help.export_file"), metavar="FILE")],
        trust: Annotated[Path, typer.Option("--trust", help=t("help.trust"), metavar="DIR")],
        as_json: Annotated[bool, typer.Option("--json", help=t("help.json"))] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.export import verify_export as run  # noqa: PLC0415  for those that ask

        raise typer.Exit(run(Output(t, as_json), file, trust))
