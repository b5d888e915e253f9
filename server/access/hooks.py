"""The extension surface of access control: a package that maps credentials to claims, or decides about calls, in a way of its own.

It is found by its entry point of the group `temporal.access`, whose name the setting `auth.plugin` gives; no other one is loaded.
"""

from __future__ import annotations

from collections.abc import Awaitable
from importlib.metadata import entry_points

import pluggy

from drivers.base import hookspec
from server.access.claims import Caller, Claims, Target
from server.access.permissions import Permission
from server.settings import SettingsError

ENTRY_POINTS = "temporal.access"


class Hooks:
    """What such a package implements with `drivers.base.hookimpl`: either hook or both, as a plain or an `async` function."""

    @hookspec(firstresult=True)
    def map_claims(self, caller: Caller) -> Claims | Awaitable[Claims | None] | None:
        """What the caller may do; None leaves it to API keys and tokens, as far as these are set up. Raises NotAdmitted."""

    @hookspec(firstresult=True)
    def authorize(
        self, claims: Claims | None, target: Target, permission: Permission
    ) -> bool | Awaitable[bool | None] | None:
        """Whether the call goes on; None leaves it to the rule that the claims must have the permission that the RPC needs. `claims` is None for a
        caller without credentials."""


def load(name: str) -> pluggy.PluginManager:
    """The plugin of that name. Raises SettingsError when there is none, or it does not fit."""
    manager = pluggy.PluginManager("temporal")
    manager.add_hookspecs(Hooks)
    if name not in {point.name for point in entry_points(group=ENTRY_POINTS)}:
        raise SettingsError(f"no plugin {name!r} for access control is installed")
    try:
        manager.load_setuptools_entrypoints(ENTRY_POINTS, name=name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise SettingsError(f"the plugin {name!r} does not fit: {' '.join(str(error).split())}") from error
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"the plugin {name!r} cannot be loaded: {error}") from error
    return manager
