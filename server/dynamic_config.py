"""Dynamic configuration as the rest of the server sees it: the official keys become core Limits, per namespace, and a few figures of the frontend.

Source of keys and defaults: common/dynamicconfig/constants.go. A duration is written "10s", "1h30m" or as a number of seconds.
"""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any, Final

from server.core.limits import HOUR, KEYS, MINUTE, SECOND, Limits
from server.settings import Settings, SettingsError

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
_DURATIONS: Final = frozenset(
    {"workflow_task_timeout", "workflow_task_heartbeat_timeout", "workflow_task_retry_max_interval"}
)


class DynamicConfig:
    """Reads the settings' dynamic configuration. Every method raises SettingsError when a value does not have the key's type."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def limits(self, namespace: str) -> Limits:
        """What the namespace may do."""
        defaults, changed = Limits(), {}
        for key, name in KEYS.items():
            read = self.duration if name in _DURATIONS else self.number
            changed[name] = read(key, getattr(defaults, name), namespace)
        return Limits(**changed)

    def number(self, key: str, default: int, namespace: str = "") -> int:
        """A whole number."""
        value = self._settings.dynamic(key, default, namespace=namespace)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
            raise SettingsError(f"the dynamic configuration {key} must be a whole number, not {value!r}")
        return int(value)

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


assert {each.name for each in fields(Limits)} >= _DURATIONS
