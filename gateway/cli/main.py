"""The command `passerelle`: its commands in one place, its words from the catalogue, its exit codes from one table.

Annotations are evaluated here, since typer reads the options and their translated help from them.
"""

import errno
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import typer

from gateway.cli.batch import add_batch
from gateway.cli.effects import add_effects
from gateway.cli.frame import reworded, speak
from gateway.cli.keeping import add_keeping
from gateway.cli.keys_commands import add_keys
from gateway.cli.outbox_commands import add_outbox
from gateway.cli.output import Exit, Output
from gateway.cli.policy import add_policy
from gateway.cli.questions_commands import add_questions
from gateway.cli.retention import add_retention
from gateway.cli.translate_command import add_translate
from gateway.cli.witness import add_witness
from gateway.errors import ConfigurationError, KeystoreError, LedgerError, ShownError, StorageUnavailableError
from gateway.messages.catalogue import Catalogue, choose_language

Role = Literal["all", "workers", "sequencer", "refresher", "dispatcher", "keystore"]
Lang = Literal["fr", "en"]

#: Of its usage errors typer exports only this one; the others share its base.
_USAGE_ERRORS: tuple[type[typer.BadParameter], ...] = typer.BadParameter.__bases__


def build(t: Catalogue) -> typer.Typer:
    """The command line in one language."""
    app = typer.Typer(
        help=t("help.passerelle"), no_args_is_help=True, add_completion=False, rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )  # fmt: skip
    app.callback(help=t("help.passerelle"))(_root(t))
    _operating(app, t)
    _configuring(app, t)
    _using(app, t)
    _explaining(app, t)
    add_batch(app, t)
    add_keys(app, t)
    add_keeping(app, t)
    add_outbox(app, t)
    _auditing(app, t)
    add_policy(app, t)
    add_retention(app, t)
    add_effects(app, t)
    add_witness(app, t)
    return app


def _root(t: Catalogue) -> Callable[..., None]:
    def root(
        lang: Annotated[
            Literal["fr", "en"] | None, typer.Option("--lang", help=t("help.lang"), metavar="fr|en")
        ] = None,
    ) -> None:
        _ = lang  # read before the texts were chosen, see choose_language

    return root


def _operating(app: typer.Typer, t: Catalogue) -> None:
    config_option = typer.Option("--config", help=t("help.config"), metavar="FILE")

    @app.command(help=t("help.serve"))
    def serve(
        config: Annotated[Path | None, config_option] = None,
        role: Annotated[Role, typer.Option("--role", help=t("help.role"))] = "all",
    ) -> None:
        from gateway.cli.serve import serve as run  # noqa: PLC0415  a server's imports, for servers only

        run(config, role)

    @app.command(help=t("help.sandbox"))
    def sandbox(
        name: Annotated[
            Literal["civil-registry", "cooperative", "ministry", "benefits"],
            typer.Argument(help=t("help.sandbox_name")),
        ],
        config: Annotated[Path | None, config_option] = None,
        keep: Annotated[bool, typer.Option("--keep", help=t("help.sandbox_keep"))] = False,  # noqa: FBT002  a flag
        registrations: Annotated[
            int, typer.Option("--registrations", help=t("help.sandbox_registrations"), min=0, metavar="N")
        ] = 0,
    ) -> None:
        from gateway.cli.serve import sandbox as run  # noqa: PLC0415  the same

        run(name, config, keep=keep, registrations=registrations)

    @app.command(help=t("help.demo"))
    def demo(
        folder: Annotated[Path, typer.Option("--dir", help=t("help.demo_dir"), metavar="DIR")] = Path("var/demo"),
        registrations: Annotated[
            int, typer.Option("--registrations", help=t("help.demo_registrations"), min=60, metavar="N")
        ] = 88_000,
        as_json: Annotated[bool, typer.Option("--json", help=t("help.json"))] = False,  # noqa: FBT002  a flag
        lang: Annotated[
            Literal["fr", "en"] | None, typer.Option("--lang", help=t("help.lang"), metavar="fr|en")
        ] = None,
    ) -> None:
        from gateway.cli.demo import Demo  # noqa: PLC0415  the same

        _ = lang
        raise typer.Exit(Demo(Output(t, as_json), folder, registrations).run())

    @app.command("status", help=t("help.status"))
    def status_command(
        config: Annotated[Path | None, config_option] = None,
        watch: Annotated[bool, typer.Option("--watch", help=t("help.watch"))] = False,  # noqa: FBT002  a flag
        as_json: Annotated[bool, typer.Option("--json", help=t("help.json"))] = False,  # noqa: FBT002  the same
    ) -> None:
        from gateway.cli.status import status  # noqa: PLC0415  the same

        raise typer.Exit(status(Output(t, as_json), config, watch=watch))

    @app.command("version", help=t("help.version"))
    def version_command(
        as_json: Annotated[bool, typer.Option("--json", help=t("help.json"))] = False,  # noqa: FBT002  a flag
    ) -> None:
        output = Output(t, as_json)
        output.result({"version": version("passerelle")})
        output.say("version", version=version("passerelle"))


def _configuring(app: typer.Typer, t: Catalogue) -> None:
    config_app = typer.Typer(help=t("help.config_group"), no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(config_app, name="config")
    json_option = typer.Option("--json", help=t("help.json"))
    config_option = typer.Option("--config", help=t("help.config"), metavar="FILE")

    @app.command(help=t("help.init"))
    def init(
        folder: Annotated[Path, typer.Argument(help=t("help.init_dir"), metavar="DIR")],
        dev: Annotated[bool, typer.Option("--dev", help=t("help.dev"))] = False,  # noqa: FBT002  a flag
        policy: Annotated[Path | None, typer.Option("--policy", help=t("help.init_policy"), metavar="FILE")] = None,
        periods: Annotated[Path | None, typer.Option("--periods", help=t("help.init_periods"), metavar="DIR")] = None,
        keystore: Annotated[
            Literal["files", "pkcs11"], typer.Option("--keystore", help=t("help.init_keystore"))
        ] = "files",
        module: Annotated[Path | None, typer.Option("--module", help=t("help.init_module"), metavar="FILE")] = None,
        token: Annotated[str | None, typer.Option("--token", help=t("help.init_token"), metavar="LABEL")] = None,
        pin_file: Annotated[
            Path | None, typer.Option("--pin-file", help=t("help.init_pin_file"), metavar="FILE")
        ] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  the same
    ) -> None:
        from gateway.cli.initialise import initialise, keys_in  # noqa: PLC0415  the same

        where, output = keys_in(keystore, module, token, pin_file), Output(t, as_json)
        raise typer.Exit(initialise(output, folder, where, dev=dev, policy=policy, periods=periods))

    @config_app.command("check", help=t("help.config_check"))
    def check(
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.configuration import check as run  # noqa: PLC0415  the same

        run(Output(t, as_json), config)

    @config_app.command("show", help=t("help.config_show"))
    def show(
        config: Annotated[Path | None, config_option] = None,
        as_json: Annotated[bool, json_option] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.configuration import show as run  # noqa: PLC0415  the same

        run(Output(t, as_json), config)


def _using(app: typer.Typer, t: Catalogue) -> None:
    @app.command(help=t("help.call"))
    def call(
        operation: Annotated[str, typer.Argument(help=t("help.operation"))],
        party: Annotated[str, typer.Option("--as", help=t("help.as"), metavar="PARTY")],
        data: Annotated[str, typer.Option("--data", help=t("help.data"), metavar="FILE")],
        folder: Annotated[Path | None, typer.Option("--dir", help=t("help.call_dir"), metavar="DIR")] = None,
        within: Annotated[float, typer.Option("--within", help=t("help.within"), min=0)] = 15.0,
        acknowledge: Annotated[bool, typer.Option("--acknowledge", help=t("help.acknowledge"))] = False,  # noqa: FBT002  a flag
        version: Annotated[str | None, typer.Option("--version", help=t("help.call_version"), metavar="N")] = None,
        key: Annotated[str | None, typer.Option("--key", help=t("help.call_key"), metavar="UUID")] = None,
        soap: Annotated[bool, typer.Option("--soap", help=t("help.call_soap"))] = False,  # noqa: FBT002  the same
        as_json: Annotated[bool, typer.Option("--json", help=t("help.json"))] = False,  # noqa: FBT002  the same
    ) -> None:
        from gateway.cli.call import call as run  # noqa: PLC0415  the same
        from gateway.cli.common import find_config  # noqa: PLC0415  the same

        base = folder or find_config(None).parent
        home = base / "sandbox" / "parties" / party
        output = Output(t, as_json)
        receipts = base / "receipts"
        if soap:
            from gateway.cli.call_soap import call_soap  # noqa: PLC0415  the same

            raise typer.Exit(call_soap(output, operation, home, data, receipts, within, version=version, key=key))
        done = run(output, operation, home, data, receipts, within, acknowledge=acknowledge, version=version, key=key)
        raise typer.Exit(done)


def _explaining(app: typer.Typer, t: Catalogue) -> None:
    @app.command(help=t("help.explain"))
    def explain(
        file: Annotated[Path, typer.Argument(help=t("help.explain_file"), metavar="FILE")],
        party: Annotated[str | None, typer.Option("--as", help=t("help.explain_as"), metavar="PARTY|DIR")] = None,
        config: Annotated[Path | None, typer.Option("--config", help=t("help.explain_config"), metavar="FILE")] = None,
        certificate: Annotated[
            Path | None, typer.Option("--certificate", help=t("help.explain_certificate"), metavar="PEM")
        ] = None,
        origin: Annotated[str | None, typer.Option("--origin", help=t("help.explain_origin"), metavar="URL")] = None,
        base: Annotated[Path | None, typer.Option("--base", help=t("help.explain_base"), metavar="FILE")] = None,
        at: Annotated[str | None, typer.Option("--at", help=t("help.explain_at"), metavar="TIME")] = None,
        body: Annotated[Path | None, typer.Option("--body", help=t("help.explain_body"), metavar="FILE")] = None,
        as_json: Annotated[bool, typer.Option("--json", help=t("help.json"))] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.explain import Asked  # noqa: PLC0415  the same
        from gateway.cli.explain import explain as run  # noqa: PLC0415  the same

        raise typer.Exit(run(Output(t, as_json), file, Asked(party, config, certificate, origin, base, at, body)))


def _auditing(app: typer.Typer, t: Catalogue) -> None:
    audit_app = typer.Typer(help=t("help.audit_group"), no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(audit_app, name="audit")

    @audit_app.command("verify", help=t("help.audit_verify"))
    def verify(
        log: Annotated[str, typer.Argument(help=t("help.log_or_address"), metavar="LOG")],
        trust: Annotated[Path, typer.Option("--trust", help=t("help.trust"), metavar="DIR")],
        receipts: Annotated[Path | None, typer.Option("--receipts", help=t("help.receipts"), metavar="DIR")] = None,
        since: Annotated[Path | None, typer.Option("--since", help=t("help.since"), metavar="CHECKPOINT")] = None,
        jobs: Annotated[int | None, typer.Option("--jobs", help=t("help.jobs"), min=1, max=1024)] = None,
        remember: Annotated[bool, typer.Option("--remember", help=t("help.remember"))] = False,  # noqa: FBT002  a flag
        ca: Annotated[Path | None, typer.Option("--ca", help=t("help.audit_ca"), metavar="PEM")] = None,
        cert: Annotated[Path | None, typer.Option("--cert", help=t("help.audit_cert"), metavar="PEM")] = None,
        key: Annotated[Path | None, typer.Option("--key", help=t("help.audit_key"), metavar="PEM")] = None,
        as_json: Annotated[bool, typer.Option("--json", help=t("help.json"))] = False,  # noqa: FBT002  the same
    ) -> None:
        from gateway.cli.audit import Wanted, source_of  # noqa: PLC0415  the same
        from gateway.cli.audit import verify as run  # noqa: PLC0415  the same

        wanted = Wanted(receipts=receipts, keep=remember, since=since, jobs=jobs)
        raise typer.Exit(run(Output(t, as_json), source_of(log, ca, cert, key), trust, wanted))

    @audit_app.command("report", help=t("help.audit_report"))
    def report(
        log: Annotated[str, typer.Argument(help=t("help.log_or_address"), metavar="LOG")],
        trust: Annotated[Path, typer.Option("--trust", help=t("help.trust"), metavar="DIR")],
        out: Annotated[Path, typer.Option("--out", help=t("help.audit_out"), metavar="FILE")],
        receipts: Annotated[Path | None, typer.Option("--receipts", help=t("help.receipts"), metavar="DIR")] = None,
        since: Annotated[Path | None, typer.Option("--since", help=t("help.since"), metavar="CHECKPOINT")] = None,
        jobs: Annotated[int | None, typer.Option("--jobs", help=t("help.jobs"), min=1, max=1024)] = None,
        ca: Annotated[Path | None, typer.Option("--ca", help=t("help.audit_ca"), metavar="PEM")] = None,
        cert: Annotated[Path | None, typer.Option("--cert", help=t("help.audit_cert"), metavar="PEM")] = None,
        key: Annotated[Path | None, typer.Option("--key", help=t("help.audit_key"), metavar="PEM")] = None,
        as_json: Annotated[bool, typer.Option("--json", help=t("help.json"))] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.audit import Wanted, source_of  # noqa: PLC0415  the same
        from gateway.cli.audit import verify as run  # noqa: PLC0415  the same

        wanted = Wanted(receipts=receipts, since=since, jobs=jobs, out=out)
        raise typer.Exit(run(Output(t, as_json), source_of(log, ca, cert, key), trust, wanted))

    @audit_app.command("check-kept", help=t("help.audit_check_kept"))
    def check_kept(
        log: Annotated[Path, typer.Argument(help=t("help.log"), metavar="LOG")],
        trust: Annotated[Path, typer.Option("--trust", help=t("help.trust"), metavar="DIR")],
        kept: Annotated[Path | None, typer.Option("--kept", help=t("help.kept"), metavar="DIR")] = None,
        receipts: Annotated[Path | None, typer.Option("--receipts", help=t("help.receipts"), metavar="DIR")] = None,
        as_json: Annotated[bool, typer.Option("--json", help=t("help.json"))] = False,  # noqa: FBT002  a flag
    ) -> None:
        from gateway.cli.audit import Wanted  # noqa: PLC0415  the same
        from gateway.cli.audit import verify as run  # noqa: PLC0415  the same

        if kept is None and receipts is None:
            raise ConfigurationError("kept_or_receipts")
        raise typer.Exit(run(Output(t, as_json), log, trust, Wanted(receipts=receipts, kept=kept)))

    add_translate(audit_app, t)
    add_questions(audit_app, t)


def run(arguments: Sequence[str]) -> int:
    """Runs one command line; gives its exit code (DESIGN, section 3)."""
    t = Catalogue(choose_language(arguments, os.environ))
    try:
        result = speak(t, typer.main.get_command(build(t))).main(list(arguments), "passerelle", standalone_mode=False)
    except typer.Abort:
        return Exit.OUTSIDE
    except Exception as error:  # noqa: BLE001  each has its exit code; what has none is our own fault
        key, code, text = _explained(t, error)
        text = reworded(t, str(text))
        output = Output(t, "--json" in arguments)
        under = _under(error)
        output.result({"holds": False, "exit_code": int(code), "error": str(text)} | under)
        output.fail(key, text=text)
        if under:
            output.fail("call.again", uuid=under["idempotency_key"])
        return code
    return int(result or 0)


def _under(error: Exception) -> dict[str, str]:
    """The key under which the call that failed can be made once more, where it has an effect."""
    from gateway.client.failed import CallError  # noqa: PLC0415  the client's imports, for failures only

    key = error.idempotency_key if isinstance(error, CallError) else None
    return {} if key is None else {"idempotency_key": key}


def _explained(t: Catalogue, error: Exception) -> tuple[str, Exit, object]:
    import sqlite3  # noqa: PLC0415  the database's imports, for failures only

    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415  the same

    from gateway.audit.remote import SourceLostError  # noqa: PLC0415  the audit's imports, for failures only
    from gateway.cli.processes import NotStartedError  # noqa: PLC0415  the client's imports, for failures only
    from gateway.client.batch_wire import BatchRefusedError  # noqa: PLC0415  the same
    from gateway.client.client import UnreachableError  # noqa: PLC0415  the same
    from gateway.client.failed import UnkeptError  # noqa: PLC0415  the same
    from gateway.client.verifier import AnswerError  # noqa: PLC0415  the same
    from gateway.delivery.acts import OutboxActError, UnfitReasonError  # noqa: PLC0415  the same
    from gateway.logs import describe  # noqa: PLC0415  the same
    from gateway.policy.reasons import PolicyRefused  # noqa: PLC0415  the same

    if isinstance(error, _USAGE_ERRORS):
        text = str(error.format_message())
        return ("error.help" if text.startswith("Usage") else "error.usage"), Exit.USAGE, text
    shown = t(f"problem.{error.key}", **error.values) if isinstance(error, ShownError) else str(error)
    match error:
        case ConfigurationError() | KeystoreError() | UnfitReasonError():
            explained = ("error.configuration", Exit.USAGE, shown)
        case OutboxActError() | BatchRefusedError():
            explained = ("error.refused", Exit.REFUSED, shown)
        case AnswerError() | LedgerError() | PolicyRefused():
            explained = ("error.untrusted", Exit.REFUSED, shown)
        case UnreachableError() | UnkeptError() | NotStartedError() | SourceLostError():
            explained = ("error.outside", Exit.OUTSIDE, shown)
        case NotADirectoryError() | IsADirectoryError():
            key = "not_a_folder" if isinstance(error, NotADirectoryError) else "not_a_file"
            explained = ("error.configuration", Exit.USAGE, t(f"problem.{key}", path=error.filename))
        case OSError(errno=errno.EADDRINUSE):
            explained = ("error.outside", Exit.OUTSIDE, t("problem.port_taken", address=error.filename))
        case sqlite3.Error() | DBAPIError() | StorageUnavailableError():
            # the database's own words name what is wrong with it; values, if any, are quoted after the first line
            cause = error.__cause__ if isinstance(error, StorageUnavailableError) else error
            detail = getattr(cause, "orig", None) or cause
            explained = (
                "error.outside",
                Exit.OUTSIDE,
                t("problem.database_unusable", detail=str(detail).partition("\n")[0]),
            )
        case OSError():
            explained = ("error.outside", Exit.OUTSIDE, f"{error.filename or ''} {error.strerror or error}".strip())
        case _:
            # Its place, never its text, which could quote the input.
            explained = ("error.ours", Exit.OURS, str(describe(error)))
    return explained


def main() -> None:
    """The console script."""
    raise SystemExit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
