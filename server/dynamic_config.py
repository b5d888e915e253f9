"""Dynamic configuration as the rest of the server sees it: the official keys become core Limits, per namespace, and a few figures of the frontend.

Source of keys and defaults: common/dynamicconfig/constants.go. A duration is written "10s", "1h30m" or as a number of seconds.
"""

from __future__ import annotations

import re
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


class DynamicConfig:
    """Reads the settings' dynamic configuration. Every method raises SettingsError when a value does not have the key's type."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def limits(self, namespace: str) -> Limits:
        """What the namespace may do."""
        defaults = Limits()
        known = {name: self._like(getattr(defaults, name), key, namespace) for key, name in KEYS.items()}
        return Limits(**known, callback_addresses=self._addresses("component.callbacks.allowedAddresses", namespace))

    def _like(self, default: Any, key: str, namespace: str) -> Any:
        """A value of the default's kind. No count and no size is as large as the shortest duration, in nanoseconds."""
        if isinstance(default, bool):
            return self.boolean(key, default, namespace)
        if isinstance(default, float):
            return self.real(key, default, namespace)
        return self.duration(key, default, namespace) if default >= SECOND else self.number(key, default, namespace)

    def _addresses(self, key: str, namespace: str) -> tuple[tuple[str, bool], ...]:
        """Host patterns, and whether plain HTTP will do there."""
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
