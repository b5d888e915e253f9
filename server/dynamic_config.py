"""Dynamic configuration as the rest of the server sees it: the official keys become core Limits, per namespace, and a few figures of the frontend.

Source of keys and defaults: common/dynamicconfig/constants.go. A duration is written "10s", "1h30m" or as a number of seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from server.core.limits import HOUR, KEYS, MINUTE, SECOND, Limits
from server.settings import Settings, SettingsError, dynamic_config_file

_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": SECOND,
    "m": MINUTE,
    "h": HOUR,
    "d": 24 * HOUR,
}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)")


# Keys that are no limits of a namespace, and how their values are written.
KEEP_ALIVE: Final = ("Time", "Timeout", "MinTime", "MaxConnectionIdle", "MaxConnectionAge", "MaxConnectionAgeGrace")
ADDRESSES: Final = "component.callbacks.allowedAddresses"
OTHERS: Final[dict[str, str]] = {
    ADDRESSES: "addresses",
    "system.namespaceMinRetentionLocal": "duration",
    "frontend.keepAlivePermitWithoutStream": "boolean",
    **{f"frontend.keepAlive{name}": "duration" for name in KEEP_ALIVE},
}
CONSTRAINTS: Final = frozenset({"namespace", "namespaceid", "taskqueuename", "taskqueuetype", "destination", "shardid"})


class Finding(NamedTuple):
    """What is to be said of a key of a file: `wrong` when a server would refuse it."""

    key: str
    says: str
    wrong: bool


def check(content: Mapping[str, Any]) -> list[Finding]:
    """Everything that is to be said of a file's content, in its order."""
    return [finding for key, entries in content.items() for finding in _findings(key, entries)]


def _findings(key: str, entries: list[dict[str, Any]]) -> Iterator[Finding]:
    if key.lower() not in {name.lower() for name in (*KEYS, *OTHERS)}:
        yield Finding(key, "is not used by this server", False)
        return
    for number, entry in enumerate(entries, 1):
        for name in entry.get("constraints") or {}:
            if name.lower() not in CONSTRAINTS:
                yield Finding(key, f"entry {number}: {name} is not a constraint", True)
        if sentence := _wrong(key, entry["value"]):
            yield Finding(key, f"entry {number}: {sentence}", True)


def _wrong(key: str, value: Any) -> str:
    """What is wrong with a value, "" for nothing."""
    config = DynamicConfig(Settings(dynamic_config={key: value}))
    official = next(name for name in (*KEYS, *OTHERS) if name.lower() == key.lower())
    try:
        if official in KEYS:
            config.limits("")
        elif OTHERS[official] == "addresses":
            config.addresses("")
        elif OTHERS[official] == "boolean":
            config.boolean(official, True)
        else:
            config.duration(official, 0)
    except SettingsError as error:
        return str(error)
    return ""


class DynamicConfig:
    """Reads the settings' dynamic configuration. Every method raises SettingsError when a value does not have the key's type."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._file = Path(settings.dynamic_config_path) if settings.dynamic_config_path else None
        self._stamp = self._stamped()
        self._content: Mapping[str, object] = dynamic_config_file(self._file) if self._file else {}

    def reload(self) -> bool:
        """Reads the file again if it has changed; whether values may be others now. Values that were given beside the file stay. Raises
        SettingsError when the file is wrong: everything is as before then."""
        stamp = self._stamped()
        if self._file is None or stamp == self._stamp:
            return False
        self._stamp = stamp
        content = dynamic_config_file(self._file)
        if wrong := [finding for finding in check(content) if finding.wrong]:
            raise SettingsError(f"{wrong[0].key} in {self._file}: {wrong[0].says}")
        given = {key: value for key, value in self._settings.dynamic_config.items() if self._content.get(key) != value}
        self._content = content
        self._settings = replace(self._settings, dynamic_config={**content, **given})
        return True

    def _stamped(self) -> tuple[int, ...]:
        try:
            found = self._file.stat() if self._file else None
        except OSError:
            return ()  # said when it is read
        return (found.st_mtime_ns, found.st_size, found.st_ino) if found else ()

    def limits(self, namespace: str) -> Limits:
        """What the namespace may do."""
        defaults = Limits()
        known = {name: self._like(getattr(defaults, name), key, namespace) for key, name in KEYS.items()}
        return Limits(**known, callback_addresses=self.addresses(namespace))

    def _like(self, default: Any, key: str, namespace: str) -> Any:
        """A value of the default's kind. No count and no size is as large as the shortest duration, in nanoseconds."""
        if isinstance(default, bool):
            return self.boolean(key, default, namespace)
        if isinstance(default, float):
            return self.real(key, default, namespace)
        return self.duration(key, default, namespace) if default >= SECOND else self.number(key, default, namespace)

    def addresses(self, namespace: str) -> tuple[tuple[str, bool], ...]:
        """Where callbacks may go: host patterns, and whether plain HTTP will do there."""
        key = ADDRESSES
        rules = self._settings.dynamic(key, (), namespace=namespace)
        if not isinstance(rules, list | tuple) or not all(
            isinstance(rule, dict) and "Pattern" in rule for rule in rules
        ):
            raise SettingsError(
                f"the dynamic configuration {key} must be a list of Pattern and AllowInsecure, not {rules!r}"
            )
        return tuple((str(rule["Pattern"]), bool(rule.get("AllowInsecure", False))) for rule in rules)

    def number(self, key: str, default: int, namespace: str = "") -> int:
        """A whole number."""
        value = self._settings.dynamic(key, default, namespace=namespace)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
            raise SettingsError(f"the dynamic configuration {key} must be a whole number, not {value!r}")
        return int(value)

    def real(self, key: str, default: float, namespace: str = "") -> float:
        """A number."""
        value = self._settings.dynamic(key, default, namespace=namespace)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SettingsError(f"the dynamic configuration {key} must be a number, not {value!r}")
        return float(value)

    def duration(self, key: str, default: int, namespace: str = "") -> int:
        """A duration, in nanoseconds."""
        value = self._settings.dynamic(key, None, namespace=namespace)
        return default if value is None else nanoseconds(key, value)

    def boolean(self, key: str, default: bool, namespace: str = "") -> bool:
        """A truth value."""
        value = self._settings.dynamic(key, default, namespace=namespace)
        if not isinstance(value, bool):
            raise SettingsError(f"the dynamic configuration {key} must be true or false, not {value!r}")
        return value


def nanoseconds(key: str, value: Any) -> int:
    """A duration as configuration writes it. Raises SettingsError, which names the key."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value * SECOND)
    parts = _PART.findall(value) if isinstance(value, str) else []
    if not parts or "".join(map("".join, parts)) != value:
        raise SettingsError(f"the dynamic configuration {key} must be a duration such as 10s, not {value!r}")
    return int(sum(float(number) * _UNITS[unit] for number, unit in parts))
