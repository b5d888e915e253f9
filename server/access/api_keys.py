"""API keys as credentials: a YAML file has a name, a hash, permissions and perhaps an expiry of each, and never a key itself.

A key is 256 random bits (`tctl server api-key` makes one), so that a single SHA-256 of it cannot be turned back. The file is read again when it changes.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import math
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from server.access.claims import Caller, Claims, NotAdmitted, granted, read_permission
from server.core.limits import SECOND
from server.environment import Environment, pause
from server.settings import SettingsError

LOOK_AGAIN = SECOND
FIELDS = {"name", "sha256", "permissions", "expires"}
DIGEST_SIZE = hashlib.sha256().digest_size
log = logging.getLogger(__name__)


class ApiKey(NamedTuple):
    """A key as the file has it."""

    digest: bytes
    claims: Claims


class ApiKeys:
    """The keys of a file. `changed` is called when they are not what they were. Raises SettingsError when made of a file that is wrong."""

    def __init__(self, path: str, environment: Environment, changed: Callable[[], None]) -> None:
        self._path = Path(path)
        self._environment = environment
        self._changed = changed
        self._stamp = self._stamped()
        self._keys = read(self._path)

    async def start(self) -> Coroutine[Any, Any, None]:
        """Returns what keeps the keys up to date."""
        return self._watch()

    async def claims(self, caller: Caller) -> Claims | None:
        """None when this is not a key. Raises NotAdmitted when it is one that has expired."""
        digest = hashlib.sha256(caller.authorization.partition(" ")[2].strip().encode()).digest()
        found = [key.claims for key in self._keys if hmac.compare_digest(key.digest, digest)]
        if not found:
            return None
        if found[0].until * SECOND <= self._environment.now():
            raise NotAdmitted(f"the API key {found[0].subject!r} has expired")
        return found[0]

    async def _watch(self) -> None:
        while True:
            await pause(self._environment, LOOK_AGAIN)
            try:
                if (stamp := self._stamped()) != self._stamp:
                    self._stamp, self._keys = stamp, read(self._path)
                    self._changed()
            except SettingsError as error:
                log.error("the API keys stay as they were: %s", error)  # noqa: TRY400  the sentence says it all

    def _stamped(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError as error:
            raise SettingsError(f"cannot read {self._path}: {error.strerror}") from None
        return found.st_mtime_ns, found.st_size, found.st_ino


def read(path: Path) -> tuple[ApiKey, ...]:
    """The keys of the file. Raises SettingsError."""
    import yaml  # costs 20 ms, and most servers have no such file

    try:
        listed = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(listed, list):
        raise SettingsError(f"{path} must be a list of API keys")
    return tuple(_key(path, number, entry) for number, entry in enumerate(listed, 1))


def _key(path: Path, number: int, entry: Any) -> ApiKey:
    try:
        if unknown := set(entry) - FIELDS:
            raise ValueError(f"{min(unknown)} is not a field")
        digest, permissions = bytes.fromhex(entry["sha256"]), entry["permissions"]
        if len(digest) != DIGEST_SIZE:
            raise ValueError("sha256 must be 64 hexadecimal digits")
        if wrong := [each for each in permissions if not read_permission(str(each), None)[1]]:
            raise ValueError(f"{wrong[0]!r} is not a permission such as orders:write")
        return ApiKey(digest, granted(str(entry["name"]), permissions, _until(entry.get("expires"))))
    except KeyError as missing:
        raise SettingsError(f"API key {number} in {path} has no {missing.args[0]}") from None
    except (ValueError, TypeError) as error:
        raise SettingsError(f"API key {number} in {path} is wrong: {error}") from None


def _until(expires: object) -> float:
    if expires is None:
        return math.inf
    at = expires if isinstance(expires, datetime) else datetime.fromisoformat(str(expires))
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
