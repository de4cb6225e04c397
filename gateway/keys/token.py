"""One logged-in session with a PKCS #11 token: opened after the fork, and again by itself when it was lost (S7).

What lives here: the module, the session, the objects in it, and what goes wrong with them. What may not: what a key
is for.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from certs.files import UnsafeFileError, read_private
from gateway.errors import ConfigurationError, KeystoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.ports import Clock

T = TypeVar("T")
_TRY_EVERY_SECONDS = 1.0


class Token:
    """The token with this label behind this module, in one process.

    A session can do one thing at a time: calls wait for each other. One that fails is given up and another opened, at
    most once a second; between two tries everything fails at once. A PIN that was refused is not tried again before its
    file has changed, since tokens lock themselves after a few wrong ones.
    """

    def __init__(self, module: Path, label: str, pin_file: Path, clock: Clock) -> None:
        """Opens nothing yet; raises ConfigurationError without python-pkcs11."""
        self._pkcs11 = _library()
        self._module = module
        self._label = label
        self._pin_file = pin_file
        self._clock = clock
        self._writes = False
        self._lock = threading.Lock()
        self._cryptoki: Any = None
        self._session: Any = None
        self._keys: dict[tuple[str, str], Any] = {}
        self._tried = -_TRY_EVERY_SECONDS
        self._trouble: KeystoreError | None = None
        self._refused_pin: tuple[int, int] | None = None

    @property
    def label(self) -> str:
        """Which token it is."""
        return self._label

    def use(self, work: Callable[[Objects], T]) -> T:
        """What ``work`` gives with the session's objects.

        Raises KeystoreError: the module, the token or a key is absent, the PIN is wrong, or the token fails.
        """
        with self._lock:
            self._ensure_open()
            try:
                return self._done(work)
            except (self._pkcs11.PKCS11Error, _VanishedError, _UnseenError) as error:
                if self._clock.monotonic() - self._tried < _TRY_EVERY_SECONDS:
                    raise self._failure(error) from None
                self._give_up()
            # the token may only have been away for a moment, or half back: once more, in a session of now
            self._ensure_open()
            try:
                return self._done(work)
            except (self._pkcs11.PKCS11Error, _VanishedError, _UnseenError) as error:
                raise self._failure(error) from None

    def write(self) -> None:
        """From now on the session can make keys."""
        with self._lock:
            self._writes = True
            self._give_up()

    def close(self) -> None:
        """Logs out; the module is as if it had never been used in this process."""
        with self._lock:
            self._give_up()
            self._finalize()
            self._tried, self._trouble = -_TRY_EVERY_SECONDS, None

    def _done(self, work: Callable[[Objects], T]) -> T:
        return work(Objects(self._pkcs11, self._session, self._label, self._keys))

    def _ensure_open(self) -> None:
        if self._session is not None:
            return
        now = self._clock.monotonic()
        if now - self._tried < _TRY_EVERY_SECONDS and self._trouble is not None:
            raise KeystoreError(self._trouble.key, **self._trouble.values)
        self._tried = now
        try:
            self._open()
        except KeystoreError as trouble:
            self._trouble = trouble
            raise
        self._trouble = None

    def _open(self) -> None:
        pin = self._pin()
        if not self._module.is_file():
            raise KeystoreError("module_missing", path=self._module)
        token = self._token()
        try:
            self._session = token.open(user_pin=pin, rw=self._writes)
        except (self._pkcs11.PinIncorrect, self._pkcs11.PinInvalid, self._pkcs11.PinLenRange, self._pkcs11.PinLocked):
            self._refused_pin = self._pin_state()
            raise KeystoreError("pin_wrong", path=self._pin_file, token=self._label) from None
        except self._pkcs11.PKCS11Error as error:
            raise self._failure(error) from None

    def _token(self) -> Any:
        try:
            # What a module holds of a token that was away, it holds until it is initialised anew.
            self._finalize()
            first = self._cryptoki is None
            self._cryptoki = self._pkcs11.lib(str(self._module))
            if first:
                # whoever used it before us, in this process or before a fork, has no part in it any more
                self._cryptoki.reinitialize()
            return self._cryptoki.get_token(token_label=self._label)
        except self._pkcs11.PKCS11Error as error:
            if str(error).startswith("OS exception"):
                raise KeystoreError("module_unusable", path=self._module) from None
            # modules have many words for a token that they do not see
            raise KeystoreError("token_absent", token=self._label, module=self._module) from None

    def _pin(self) -> str:
        if self._refused_pin is not None and self._refused_pin == self._pin_state():
            raise KeystoreError("pin_wrong", path=self._pin_file, token=self._label)
        try:
            return read_private(self._pin_file).decode("utf-8").strip()
        except UnsafeFileError as error:
            raise KeystoreError(f"key_{error.reason}", path=self._pin_file, detail=error.detail) from None
        except UnicodeDecodeError:
            raise KeystoreError("key_malformed", path=self._pin_file, detail="UTF-8") from None
        except OSError as error:
            raise KeystoreError("file_unreadable", path=self._pin_file, detail=error.strerror) from None

    def _pin_state(self) -> tuple[int, int]:
        try:
            status = self._pin_file.stat()
        except OSError:
            return (0, 0)
        return (status.st_mtime_ns, status.st_ino)

    def _give_up(self) -> None:
        session, self._session = self._session, None
        self._keys.clear()
        if session is not None:
            with suppress(self._pkcs11.PKCS11Error):
                session.close()

    def _finalize(self) -> None:
        if self._cryptoki is not None and self._cryptoki.initialized:
            with suppress(self._pkcs11.PKCS11Error):
                self._cryptoki.finalize()

    def _failure(self, error: Exception) -> KeystoreError:
        """Ours for the library's, whose text stays inside."""
        if isinstance(error, _UnseenError):
            return KeystoreError("key_not_in_token", name=error.name, token=self._label)
        if isinstance(error, (self._pkcs11.TokenNotPresent, self._pkcs11.DeviceRemoved, _VanishedError)):
            return KeystoreError("token_absent", token=self._label, module=self._module)
        return KeystoreError("token_fails", token=self._label, detail=type(error).__name__)


class Objects:
    """The keys in an open session, by class and label; found once a session."""

    def __init__(self, library: Any, session: Any, token: str, keys: dict[tuple[str, str], Any]) -> None:
        self.library = library
        self.session = session
        self._token = token
        self._keys = keys

    def key(self, kind: str, name: str) -> Any:
        """The key of a class (``PRIVATE_KEY``, ``PUBLIC_KEY``, ``SECRET_KEY``).

        Raises KeystoreError where there are two; a session that does not see it is given up (``Token.use``).
        """
        found = self._keys.get((kind, name))
        if found is None:
            found = self._keys[kind, name] = self._found(kind, name)
        return found

    def has(self, name: str) -> bool:
        """Whether a private or secret key has this name."""
        return any(self._search(kind, name) for kind in ("PRIVATE_KEY", "SECRET_KEY"))

    def _found(self, kind: str, name: str) -> Any:
        keys = self._search(kind, name)
        if len(keys) == 1:
            return keys[0]
        if keys:
            raise KeystoreError("key_twice_in_token", name=name, token=self._token)
        if not list(self.session.get_objects({self.library.Attribute.PRIVATE: True})):
            raise _VanishedError  # none of our keys is there: it is the token that is not
        raise _UnseenError(name)

    def _search(self, kind: str, name: str) -> list[Any]:
        attribute = self.library.Attribute
        wanted = {attribute.CLASS: getattr(self.library.ObjectClass, kind), attribute.LABEL: name}
        return list(self.session.get_objects(wanted))


class _UnseenError(Exception):
    """A key that this session does not see: some modules never show what came, or came back, after it was opened."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _VanishedError(Exception):
    """A session that sees no key at all: some modules say so when their token is gone."""


def _library() -> Any:
    try:
        import pkcs11  # noqa: PLC0415  an extra: only whoever has a token needs it
    except ImportError:
        raise ConfigurationError("hsm_extra_missing") from None
    return pkcs11
