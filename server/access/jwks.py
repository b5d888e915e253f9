"""The public keys that tokens are signed with, from files and URLs of JSON Web Key Sets.

They are read again at an interval, and when a token names a key that is not known, so that an issuer may change its keys at any time. As long as a
source fails, the keys that were there stay.
"""

from __future__ import annotations

import asyncio
import json
import logging
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jwt

from server.core.limits import SECOND
from server.environment import Environment, pause
from server.settings import SettingsError

UNKNOWN_PAUSE = 5 * SECOND  # least time between two readings that unknown keys have caused: anybody can name one
FETCH_SECONDS_MAX, BYTES_MAX = 5.0, 1 << 20
# By the type of the key: one that is for RSA must not be taken for a secret (RFC 8725, 3.1).
ALGORITHMS = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA",),
}
log = logging.getLogger(__name__)


class Key(NamedTuple):
    """A public key and the algorithms that it may be used with."""

    key: Any  # one of cryptography's classes
    algorithms: tuple[str, ...]


class KeySet:
    """`changed` is called when keys are not what they were."""

    def __init__(self, sources: tuple[str, ...], environment: Environment, changed: Callable[[], None]) -> None:
        self._sources = sources
        self._environment = environment
        self._changed = changed
        self._keys: dict[str, Key] = {}
        self._content: list[str] = []
        self._reading = asyncio.Lock()
        self._again = 0  # when an unknown key may cause a reading

    async def start(self) -> None:
        """The first reading. Raises SettingsError when a file is not a key set; a URL that fails is tried again later."""
        for source in self._sources:
            if not _remote(source):
                _parsed(_content(source))
        await self.read()

    async def run(self, interval: int) -> None:
        """Reads the sources again after each `interval` nanoseconds, for ever."""
        while True:
            await pause(self._environment, interval)
            await self.read()

    async def read(self) -> None:
        """Reads all sources now; a failure is logged."""
        async with self._reading:
            self._again = self._environment.now() + UNKNOWN_PAUSE
            try:
                content = [await self._environment.blocking(_content, source) for source in self._sources]
                if content != self._content:
                    self._keys = {kid: key for text in content for kid, key in _parsed(text).items()}
                    self._content = content
                    self._changed()
            except SettingsError as error:
                log.error("the keys of tokens stay as they were: %s", error)  # noqa: TRY400  the sentence says it all

    async def find(self, kid: str) -> Key | None:
        """The key of that id, after a reading if it is not known yet."""
        if kid not in self._keys and self._environment.now() >= self._again:
            await self.read()
        elif kid not in self._keys and self._reading.locked():
            async with self._reading:
                pass
        return self._keys.get(kid)


def _remote(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def _content(source: str) -> str:
    try:
        if not _remote(source):
            return Path(source.removeprefix("file://")).read_text(encoding="utf-8")
        with urllib.request.urlopen(source, timeout=FETCH_SECONDS_MAX) as reply:  # noqa: S310  http or https: see above
            return str(reply.read(BYTES_MAX), "utf-8")
    except (OSError, ValueError) as error:
        raise SettingsError(f"the key set {source} cannot be read: {error}") from None


def _parsed(text: str) -> dict[str, Key]:
    try:
        listed = json.loads(text)["keys"]
        public = [each for each in listed if each.get("use", "sig") == "sig" and each.get("kty") in ALGORITHMS]
        return {str(each.get("kid")): _key(each) for each in public}
    except (ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
        raise SettingsError(f"a key set cannot be understood: {error!r}") from None


def _key(description: dict[str, Any]) -> Key:
    fit = ALGORITHMS[description["kty"]]
    named = description.get("alg")
    return Key(jwt.PyJWK(description, algorithm=fit[0]).key, fit if named is None else tuple({named} & set(fit)))
