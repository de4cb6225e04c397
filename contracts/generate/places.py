"""Where pages and descriptions stand, so that links hold: in the repository, and as the gateway serves them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.names import soap_path

if TYPE_CHECKING:
    from contracts.declaration import Contract, Language

_PROFILE = "docs/profile.md"


class Served:
    """Addresses as the gateway serves them, over mutual TLS."""

    def page(self, contract: Contract, language: Language) -> str:
        """A service's reference page: ``/docs/nirec/v1/fr``."""
        return f"/docs/{contract.service}/v{contract.version}/{language}"

    def errors(self, language: Language, code: str | None = None) -> str:
        """The page of errors, or one of them: ``/docs/errors/fr#salt_invalid``."""
        return f"/docs/errors/{language}" + (f"#{code}" if code else "")

    def profile(self) -> str:
        """How messages are signed, as marked-up text: the document is given to parties, not served."""
        return f"`{_PROFILE}`"

    def wsdl(self, contract: Contract) -> str:
        """``/soap/nirec/v1?wsdl``."""
        return f"{soap_path(contract)}?wsdl"

    def xsd(self, contract: Contract) -> str:
        """``/soap/nirec/v1?xsd=1``."""
        return f"{soap_path(contract)}?xsd=1"

    def openapi(self) -> str:
        """Of all services."""
        return "/openapi.json"

    def index(self, language: Language) -> str:
        """The list of services: ``/docs/fr``."""
        return f"/docs/{language}"


class InRepository:
    """Addresses from a file beside contract.yaml."""

    def page(self, contract: Contract, language: Language) -> str:
        """The same page in a language."""
        return f"../../{contract.service}/v{contract.version}/reference.{language}.md"

    def errors(self, language: Language, code: str | None = None) -> str:
        """The page of errors, or one of them."""
        return f"../../../docs/errors/errors.{language}.md" + (f"#{code}" if code else "")

    def profile(self) -> str:
        """How messages are signed, as marked-up text."""
        return f"[{_PROFILE}](../../../{_PROFILE})"

    def wsdl(self, contract: Contract) -> str:
        """Beside the page."""
        return f"{contract.service}.wsdl"

    def xsd(self, contract: Contract) -> str:
        """Beside the page."""
        return f"{contract.service}.xsd"

    def openapi(self) -> str:
        """Beside the page."""
        return "openapi.json"


Places = Served | InRepository
