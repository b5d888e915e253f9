"""A URL opens the driver that its scheme names, and whatever is wrong with a driver package is one sentence."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pluggy
import pytest

from drivers import registry
from drivers.base import ENTRY_POINTS, Migration, Refused, hookimpl

Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Makes it look as if packages with these entry points were installed; a function stands for a module that has it as its hook."""

    def install(**hooks: object) -> None:
        points = [EntryPoint(name, f"{__name__}:{name}", ENTRY_POINTS) for name in hooks]

        def load(manager: pluggy.PluginManager, group: str, name: str) -> int:
            assert group == ENTRY_POINTS
            hook = hooks[name]
            if isinstance(hook, Exception):
                raise hook
            manager.register(SimpleNamespace(**{getattr(hook, "__name__", "x"): hook}), name)
            return 1

        monkeypatch.setattr(registry, "entry_points", lambda group: points)
        monkeypatch.setattr(pluggy.PluginManager, "load_setuptools_entrypoints", load)

    return install


def test_sqlite_is_found(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    store = registry.open_store(url)
    assert store.schema_version() == 0
    assert store.migrate() == len(registry.migrations(url)) >= 1
    store.close()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("oracle://host/db", r"^No driver is installed for 'oracle'; installed are: .*sqlite.*\.$"),
        ("nonsense", r"^A store is named by a URL such as sqlite:///temporal.db\.$"),
        ("://secret", r"^A store is named by a URL such as sqlite:///temporal.db\.$"),
    ],
)
def test_unknown_schemes_are_refused(url: str, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        registry.open_store(url)


def test_a_wrong_signature_is_refused(install: Install) -> None:
    @hookimpl
    def open_store(url: str, password: str) -> None: ...

    install(bad=open_store)
    with pytest.raises(Refused, match=r"^The driver 'bad' does not fit: .*password.*\.$"):
        registry.open_store("bad://host")


def test_a_misspelt_hook_is_refused(install: Install) -> None:
    @hookimpl
    def open_stores(url: str) -> None: ...

    install(bad=open_stores)
    with pytest.raises(Refused, match=r"^The driver 'bad' does not fit: .*open_stores.*\.$"):
        registry.open_store("bad://host")


def test_a_missing_hook_is_refused(install: Install) -> None:
    steps = [Migration(1, "first", [])]

    @hookimpl
    def migrations() -> list[Migration]:
        return steps

    install(half=migrations)
    assert registry.migrations("half://host") == steps
    with pytest.raises(Refused, match=r"^The driver 'half' does not open stores\.$"):
        registry.open_store("half://host")


def test_a_driver_that_cannot_be_imported_is_refused(install: Install) -> None:
    install(bad=ModuleNotFoundError("No module named 'psycopg'"))
    with pytest.raises(Refused, match=r"^The driver 'bad' cannot be loaded: No module named 'psycopg'\.$"):
        registry.open_store("bad://host")


def test_importing_the_registry_imports_no_driver() -> None:
    code = "import sys, drivers.registry; print([name for name in sys.modules if name.startswith(('drivers.s', 'sqlite3'))])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
