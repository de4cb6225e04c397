"""The group `passerelle witness`: a witness of other people's logs, at another organisation (DESIGN L10).

Annotations are evaluated here, since typer reads the options and their translated help from them.
"""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import Output
from gateway.messages.catalogue import Catalogue


def add_witness(app: typer.Typer, t: Catalogue) -> None:
    """Adds the group in one language."""
    group = typer.Typer(help=t("help.witness_group"), no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="witness")
    folder_argument = typer.Argument(help=t("help.witness_dir"), metavar="DIR")

    @group.command("init", help=t("help.witness_init"))
    def init(
        folder: Annotated[Path, folder_argument],
        name: Annotated[str, typer.Option("--name", help=t("help.witness_name"), metavar="NAME")],
        log: Annotated[list[Path], typer.Option("--log", help=t("help.witness_log"), metavar="FILE")],
        port: Annotated[int, typer.Option("--port", help=t("help.witness_port"), metavar="PORT")] = 8447,
        as_json: Annotated[bool, typer.Option("--json", help=t("help.json"))] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.witness.folder import make_folder, read_log_key  # noqa: PLC0415  for those that need it

        output = Output(t, as_json)
        key = make_folder(folder, name, [read_log_key(path) for path in log], port)
        output.result({"folder": str(folder), "vkey": key.vkey})
        output.say("witness.made", folder=folder, vkey=key.vkey)

    @group.command("run", help=t("help.witness_run"))
    def run(folder: Annotated[Path, folder_argument]) -> None:
        from gateway.system import SystemClock, stop_on_signal  # noqa: PLC0415  for those that need it
        from gateway.witness.folder import MEMORY, WitnessFolder  # noqa: PLC0415  the same
        from gateway.witness.memory import Memory  # noqa: PLC0415  the same
        from gateway.witness.server import WitnessServer  # noqa: PLC0415  the same
        from gateway.witness.witness import Witness  # noqa: PLC0415  the same

        stop, home = stop_on_signal(), WitnessFolder(folder)
        memory = Memory(folder / MEMORY)
        try:
            witness = Witness(home.key, home.sign, home.logs, memory, SystemClock())
            for log in home.logs:
                memory.last(log)  # a damaged memory is said now, and not to the log
            server = WitnessServer(home.settings.host, home.settings.port, witness.add_checkpoint, home.tls)
            server.start()
            logs = ", ".join(log.name for log in home.logs)
            Output(t).say("witness.runs", name=home.key.name, host=home.settings.host, port=server.port, logs=logs)
            stop.wait()
            server.stop()
        finally:
            memory.close()
