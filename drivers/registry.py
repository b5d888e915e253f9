"""From the scheme of a URL to the one driver that serves it, through the pluggy entry points of the group `temporal.drivers`.

Only the entry point whose name is the scheme is loaded, so no other driver is imported. Whatever is wrong with a driver package
(missing, not importable, a misspelt hook, a wrong signature) is Refused with one sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from types import MappingProxyType

import pluggy

from drivers.base import ENTRY_POINTS, Hooks, Migration, Refused, Store

_NO_OPTIONS: Mapping[str, str] = MappingProxyType({})


def open_store(url: str, options: Mapping[str, str] = _NO_OPTIONS) -> Store:
    """Opens the store that `url` names without touching its schema. Raises Refused, Unavailable."""
    store: Store | None = _manager(url).hook.open_store(url=url, options=options)
    if store is None:
        raise Refused(f"The driver {_scheme(url)!r} does not open stores.")
    return store


def migrations(url: str) -> Sequence[Migration]:
    """Every step of the schema that the driver of `url` ships, from version 1. Raises Refused."""
    steps: Sequence[Migration] | None = _manager(url).hook.migrations(url=url)
    if not steps:
        raise Refused(f"The driver {_scheme(url)!r} does not tell the versions of its schema.")
    return steps


def _scheme(url: str) -> str:
    scheme, separator, _ = url.partition("://")
    if not (scheme and separator):
        raise Refused(
            "A store is named by a URL such as sqlite:///temporal.db."
        )  # the text may hold a password: not repeated
    return scheme


def _manager(url: str) -> pluggy.PluginManager:
    scheme = _scheme(url)
    installed = [point.name for point in entry_points(group=ENTRY_POINTS)]
    if installed.count(scheme) != 1:
        count = "No driver" if scheme not in installed else "More than one driver"
        raise Refused(
            f"{count} is installed for {scheme!r}; installed are: {', '.join(sorted(set(installed))) or 'none'}."
        )
    manager = pluggy.PluginManager("temporal")
    manager.add_hookspecs(Hooks)
    try:
        manager.load_setuptools_entrypoints(ENTRY_POINTS, name=scheme)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise Refused(f"The driver {scheme!r} does not fit: {' '.join(str(error).split())}.") from error
    except (ImportError, AttributeError) as error:
        raise Refused(f"The driver {scheme!r} cannot be loaded: {error}.") from error
    return manager
