"""A verdict as one HTML page to print: no script, nothing from elsewhere, readable in black and white."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from gateway.cli import audit_words as words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway.audit.verdict import Verdict
    from gateway.cli.audit_words import Run
    from gateway.messages.catalogue import Catalogue

_STYLE = """
body { font: 11pt/1.4 serif; max-width: 48em; margin: 2em auto; padding: 0 1em; color: #000; background: #fff }
h1 { font-size: 1.5em } h2 { font-size: 1.1em; margin-top: 1.6em }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .2em .6em .2em 0; border-bottom: 1px solid #999 }
td, code { overflow-wrap: anywhere }
.verdict { border: 2px solid #000; padding: .6em 1em; font-weight: bold }
@media print { body { margin: 0; max-width: none } tr { break-inside: avoid } }
"""


def page(t: Catalogue, verdict: Verdict, run: Run) -> str:
    """The whole page, UTF-8 when encoded."""
    title = f"{t('audit.page.title')} {verdict.facts.origin}".strip()
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="verdict">{escape(words.headline(t, verdict))}</p>',
        _table(t, "audit.page.log", words.facts(t, verdict)),
        _findings(t, verdict),
        _list(t, "audit.page.disputes", words.disputes(t, verdict)),
        _list(t, "audit.page.policies", words.policies(t, verdict)),
        _list(t, "audit.page.destructions", words.destructions(t, verdict)),
        _list(t, "audit.page.recoveries", words.recoveries(t, verdict)),
        _list(t, "audit.unproven", words.unproven(t, verdict)),
        _table(t, "audit.page.run", _run(t, run)),
        _table(t, "audit.page.inputs", [(item.name, item.sha256) for item in verdict.inputs]),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        f'<!doctype html>\n<html lang="{t.language}">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _run(t: Catalogue, run: Run) -> list[tuple[str, str]]:
    return [
        (t("audit.page.where"), run.log),
        (t("audit.page.version"), run.version),
        (t("audit.page.began"), words.local(run.began)),
        (t("audit.page.took"), t("audit.page.took_row", seconds=f"{run.seconds:.1f}", jobs=run.jobs)),
    ]


def _findings(t: Catalogue, verdict: Verdict) -> str:
    if not verdict.findings:
        return ""
    heads = "".join(f'<th scope="col">{escape(t(f"audit.page.{name}"))}</th>' for name in ("what", "place", "check"))
    rows = "".join(
        f"<tr><td>{escape(one.text)}</td><td>{escape(one.where)}</td><td>{escape(one.detail)}</td></tr>\n"
        for one in words.findings(t, verdict)
    )
    head = f"<thead><tr>{heads}</tr></thead>"
    return f"<h2>{escape(t('audit.page.findings'))}</h2>\n<table>{head}\n<tbody>\n{rows}</tbody></table>"


def _table(t: Catalogue, key: str, rows: Sequence[tuple[str, str]]) -> str:
    if not rows:
        return ""
    lines = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>\n' for name, value in rows)
    return f"<h2>{escape(t(key))}</h2>\n<table><tbody>\n{lines}</tbody></table>"


def _list(t: Catalogue, key: str, items: Iterable[str]) -> str:
    lines = "".join(f"<li>{escape(item.strip(' ·'))}</li>\n" for item in items)
    return f"<h2>{escape(t(key))}</h2>\n<ul>\n{lines}</ul>" if lines else ""
