"""`passerelle config check` and `config show`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import BaseModel

from gateway.cli.common import compose, settings_of
from gateway.messages.catalogue import texts
from gateway.settings import Settings, masked

#: A section that there may be several times, by a party's name, which is no part of its settings' names.
_UPSTREAM = re.compile(r"^upstreams\.[^.]+\.")

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.cli.output import Output


def check(output: Output, config: Path | None) -> None:
    """Says that the configuration, contracts, policy and keys can be used; raises ConfigurationError otherwise."""
    path, settings = settings_of(config)
    composition = compose(settings)
    composition.check_keys()
    composition.check_copy()
    operations = sum(len(contract.operations) for contract in composition.contracts)
    facts = {
        "parties": len(composition.bundle.parties),
        "agreements": len(composition.bundle.agreements),
        "operations": operations,
    }
    output.result({"holds": True, "config": path} | facts)
    output.say("config.good", path=path, version=composition.bundle.version, **facts)


def show(output: Output, config: Path | None) -> None:
    """Every setting, its value and what it means; keys are in files, and a password in an address is masked."""
    path, settings = settings_of(config)
    shown = settings.storage.database and masked(settings.storage.database)
    storage = settings.storage.model_copy(update={"database": shown})
    settings = settings.model_copy(update={"storage": storage})
    if (sandbox := settings.sandbox_cooperative) is not None and sandbox.database is not None:
        masked_too = sandbox.model_copy(update={"database": masked(sandbox.database)})
        settings = settings.model_copy(update={"sandbox_cooperative": masked_too})
    output.result(settings.model_dump(mode="json"))
    output.say("config.of", path=path)
    for name, value in rows(settings):
        meaning = texts()[f"setting.{_UPSTREAM.sub('upstreams.', name)}"][output.t.language]
        output.say("config.row", name=name, value=value, meaning=meaning)


def rows(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, object]]:
    """(dotted name, value) of every setting."""
    for name, value in model:
        if isinstance(value, BaseModel):
            yield from rows(value, f"{prefix}{name}.")
        elif isinstance(value, dict):
            for key, one in value.items():
                yield from rows(one, f"{prefix}{name}.{key}.")
        else:
            yield f"{prefix}{name}", value


def setting_names(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """The dotted names of all settings, whether in force or not."""
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        nested = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if nested is None:
            yield f"{prefix}{name}"
        else:
            yield from setting_names(nested, f"{prefix}{name}.")
