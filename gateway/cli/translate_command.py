"""The command `passerelle audit translate`.

Annotations are evaluated here, since typer reads the options and their translated help from them.
"""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import Output
from gateway.messages.catalogue import Catalogue


def add_translate(audit_app: typer.Typer, t: Catalogue) -> None:
    """Adds it to the audit's commands."""

    @audit_app.command("translate", help=t("help.audit_translate"))
    def translate(
        log: Annotated[Path, typer.Argument(help=t("help.log"), metavar="LOG")],
        trust: Annotated[Path, typer.Option("--trust", help=t("help.trust"), metavar="DIR")],
        kept: Annotated[list[Path], typer.Option("--kept", help=t("help.translate_kept"), metavar="DIR")],
        upstream: Annotated[
            list[Path] | None, typer.Option("--upstream", help=t("help.translate_upstream"), metavar="DIR")
        ] = None,
        mapping: Annotated[
            list[Path] | None, typer.Option("--mapping", help=t("help.translate_mapping"), metavar="DIR")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help=t("help.json"))] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.audit import Wanted, verify  # noqa: PLC0415  the audit's imports, for it only
        from gateway.cli.translate import retold  # noqa: PLC0415  the same

        wanted = Wanted(retold=retold(kept, upstream or (), mapping or ()))
        raise typer.Exit(verify(Output(t, as_json), log, trust, wanted))
