"""`tctl schema`: plans, dry runs, checks and copies; and the sentences of a server that cannot start on a store."""

from __future__ import annotations

import json
import os
import pty
import random
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Batch, Conflict, Member, Refused, Store, Unavailable
from drivers.conformance.differential import Comparison
from drivers.conformance.make import begin, key
from drivers.conformance.model import rebuilt
from drivers.copy import MARK, Copy
from drivers.registry import migrations, open_store
from drivers.sqlite import MIGRATIONS
from server import stores
from server.environment import System
from server.settings import Settings, SettingsError
from tests import stores as databases
from tests.cli.conftest import BIN, tctl


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:////{tmp_path}/a.db"


def pretend_version(tmp_path: Path, version: int) -> None:
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("DELETE FROM migration WHERE version > ?", (version,))
        connection.execute("INSERT OR IGNORE INTO migration (version, name) VALUES (?, 'of another time')", (version,))


def test_a_plan_shows_the_statements_and_changes_nothing(url: str) -> None:
    steps = tctl("schema", "plan", "--store", url, "-o", "json").json
    assert [step["name"] for step in steps] == [step.name for step in migrations(url)]
    assert "CREATE TABLE lease" in steps[0]["statements"][0]
    text = tctl("schema", "plan", "--store", url, "--version", "1").out
    assert text.startswith("-- 0001_pre_executions\n")
    assert text.count(";\n") == len(steps[0]["statements"])
    assert tctl("schema", "setup", "--store", url, "--dry-run").out.startswith(text)
    assert tctl("schema", "version", "--store", url, "-o", "json").json["version"] == 0


def test_the_statements_of_a_plan_make_the_schema(url: str, tmp_path: Path) -> None:
    text = tctl("schema", "plan", "--store", url).out
    with sqlite3.connect(tmp_path / "by_hand.db") as connection:
        connection.executescript(text)
        by_hand = connection.execute("SELECT name FROM sqlite_master ORDER BY name").fetchall()
    tctl("schema", "setup", "--store", url)
    with sqlite3.connect(tmp_path / "a.db") as connection:
        made = connection.execute("SELECT name FROM sqlite_master ORDER BY name").fetchall()
    assert [name for name in made if name != ("migration",)] == by_hand


def test_an_update_goes_one_version_at_a_time(url: str) -> None:
    store = open_store(url)
    store.migrate(1)
    store.close()
    assert "CREATE INDEX visible_status" in tctl("schema", "update", "--store", url, "--dry-run").out
    done = tctl("schema", "setup", "--store", url)
    assert done.err == "Error: the schema is set up already (version 1), use 'tctl schema update'\n"
    assert tctl("schema", "update", "--store", url, "--version", "1", "-o", "json").json["version"] == 1
    found = tctl("schema", "update", "--store", url, "-o", "json").json
    assert (found["before"], found["version"]) == (1, MIGRATIONS.latest)
    assert tctl("schema", "update", "--store", url, "--dry-run").out == ""


def test_check_names_the_command_to_run(url: str, tmp_path: Path) -> None:
    def sentence() -> str:
        done = tctl("schema", "check", "--store", url)
        assert done.code == (1 if done.err else 0)
        return done.err

    assert sentence() == f"Error: the database has no schema; run `tctl schema setup --store {url}`\n"
    tctl("schema", "setup", "--store", url)
    assert sentence() == ""
    latest = MIGRATIONS.latest
    pretend_version(tmp_path, latest + 1)
    told = f"Error: the database has schema version {latest + 1}, newer than the {latest} that this server knows"
    assert sentence() == f"{told}; run `pip install --upgrade tctl`\n"
    pretend_version(tmp_path, 1)
    told = f"Error: the database has schema version 1 and this server needs {latest}"
    assert sentence() == f"{told}; run `tctl schema update --store {url}`\n"


def test_a_server_does_not_start_on_another_schema(url: str, tmp_path: Path) -> None:
    for version, command in ((0, "setup"), (1, "update"), (MIGRATIONS.latest + 1, "pip install")):
        if version:
            tctl("schema", "setup", "--store", url)
            pretend_version(tmp_path, version)
        with pytest.raises(SettingsError, match=f"run `(tctl schema )?{command}"):
            stores.opened(url, {}, migrate=version > MIGRATIONS.latest)


@pytest.mark.parametrize("kind", databases.SERVERS)
def test_schema_on_a_database_server(kind: str) -> None:
    url = databases.create(kind)
    plan = tctl("schema", "setup", "--store", url, "--dry-run").out
    assert plan == tctl("schema", "plan", "--store", url).out
    assert "CREATE TABLE" in plan
    assert "run `tctl schema setup --store" in tctl("schema", "check", "--store", url).err
    command = [str(BIN / "tctl"), "schema", "setup", "--store", url]
    at_once = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(3)]
    assert [(process.communicate()[1], process.returncode) for process in at_once] == [(b"", 0)] * 3
    assert tctl("schema", "check", "--store", url).code == 0
    assert tctl("schema", "plan", "--store", url).out == ""


SECRETS = [
    ("postgresql://me:${WORD}@db/x", "postgresql://me:p%40ss%2F%3A@db/x"),
    ("postgresql://me:${file:FOLDER/word}@db/x?sslmode=require", "postgresql://me:from%20file@db/x?sslmode=require"),
    ("${WHOLE}", "mysql://a:b@c/d"),
    ("sqlite:///$HOME.db", "sqlite:///$HOME.db"),
]


@pytest.mark.parametrize(("url", "full"), SECRETS)
def test_secrets_come_from_the_environment_or_a_file(tmp_path: Path, url: str, full: str) -> None:
    (tmp_path / "word").write_text("from file\n")
    environ = {"WORD": "p@ss/:", "WHOLE": "mysql://a:b@c/d"}
    assert stores.with_secrets(url.replace("FOLDER", str(tmp_path)), environ) == full
    assert Settings(store=url).described()["store"] == url


def test_secrets_that_are_not_there() -> None:
    with pytest.raises(SettingsError, match="^the store's URL names the environment variable WORD, which is not set$"):
        stores.with_secrets("postgresql://me:${WORD}@db/x", {})
    with pytest.raises(
        SettingsError, match="^the store's URL names the file /no/such, which cannot be read: No such file"
    ):
        stores.with_secrets("postgresql://me:${file:/no/such}@db/x", {})
    assert "WORD" in tctl("schema", "version", "--store", "postgresql://me:${WORD}@db/x").err


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mysql://me:secret@db:3306/x", "mysql://me@db:3306/x"),
        ("mysql://me:se/c@ret@db/x?ssl=1", "mysql://me@db/x?ssl=1"),
        (
            "cassandra://a:9042,b:9042/ks?username=u&password=secret&tls=1",
            "cassandra://a:9042,b:9042/ks?username=u&password=***&tls=1",
        ),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert Settings(store=url).described()["store"] == shown


class Unreachable:
    """Stands for stores.opened: fails some times, then works."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self, *_: object) -> Store:
        self.left -= 1
        if self.left >= 0:
            raise Unavailable("PostgreSQL: connection refused.")
        return open_store("sqlite:///:memory:")


async def test_a_store_that_cannot_be_reached_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    monkeypatch.setattr(stores, "PAUSE_SECONDS_MIN", 0.001)
    environment, stop = System(), asyncio.Event()
    monkeypatch.setattr(stores, "opened", Unreachable(5))
    (await stores.reached("x://", False, environment, stop)).close()
    monkeypatch.setattr(stores, "opened", Unreachable(10**9))
    asyncio.get_running_loop().call_later(0.05, stop.set)
    with pytest.raises(Unavailable, match="refused"):
        await stores.reached("x://", False, environment, stop)
    monkeypatch.setattr(stores, "REACH_SECONDS_MAX", 0.05)
    with pytest.raises(Unavailable, match="refused"):
        await stores.reached("x://", False, environment, asyncio.Event())
    environment.close()


# Copies ----------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(url: str) -> str:
    """The URL of a store with something of everything."""
    store = open_store(url)
    store.migrate()
    for lease in ("shard/0", "shard/1", "shard/empty"):
        range_id = store.acquire(lease, "me", 40)
        batches = [begin(lease, range_id, key(n, lease), n) for n in range(250)]
        for batch in batches:
            batch.current[0] = batch.current[0]._replace(workflow_id=f"{lease} {batch.current[0].workflow_id}")
            batch.visible[0].search_attributes = {"Keyword": "a", "Keywords": ["x", "y"], "Double": 1.5}
        if lease != "shard/empty":
            assert store.commit(batches) == [None] * len(batches)
    store.put_record("namespace", "default", b"1", 0)
    store.put_record("namespace", "default", b"2", 1)
    store.close()
    return url


def test_copy(filled: str, tmp_path: Path) -> None:
    to = f"sqlite:////{tmp_path}/b.db"
    done = tctl("schema", "copy", "--from", filled, "--to", to, "-o", "json")
    assert done.code == 0, done.err
    assert done.json == {
        "runs": 500,
        "pending": 1000,
        "history": 500,
        "workflow ids": 500,
        "tasks": 500,
        "list entries": 500,
        "records": 1,
    }
    source, copied = open_store(filled), open_store(to)
    for lease in ("shard/0", "shard/1"):
        assert copied.tasks(lease, None, ("", 0), 10_000) == source.tasks(lease, None, ("", 0), 10_000)
        assert copied.wakes(lease, None, 10_000) == source.wakes(lease, None, 10_000)
        of = key(7, lease)
        assert copied.load(lease, of) == source.load(lease, of) is not None
        assert copied.history(lease, of, 1, 99, 99) == source.history(lease, of, 1, 99, 99) != []
    assert copied.acquire("shard/empty", "me") > source.acquire("shard/empty", "me") > 40
    assert copied.record(*MARK) is None
    source.close()
    copied.close()
    assert tctl("schema", "check", "--store", to).code == 0
    again = tctl("schema", "copy", "--from", filled, "--to", to)
    assert (again.code, again.err) == (1, "Error: The destination is not empty.\n")


@pytest.mark.parametrize("which", ["source", "destination"])
def test_copy_refuses_a_store_in_use(filled: str, tmp_path: Path, which: str) -> None:
    to = f"sqlite:////{tmp_path}/b.db"
    store = open_store(filled if which == "source" else to)
    store.migrate()
    store.beat(Member("server", b""), 60)
    done = tctl("schema", "copy", "--from", filled, "--to", to)
    store.close()
    told = f"Error: The {which} is in use by 1 server: stop them first, and wait some seconds after a kill.\n"
    assert (done.code, done.err) == (1, told)


def test_copy_refuses_a_source_with_an_old_schema(filled: str, tmp_path: Path) -> None:
    pretend_version(tmp_path, 1)
    done = tctl("schema", "copy", "--from", filled, "--to", f"sqlite:////{tmp_path}/b.db")
    assert "run `tctl schema update --store" in done.err


class Interrupted(BaseException):
    """Stands for a kill."""


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes a write of every SQL store fail before or after it is done, once so many have gone well."""
    from drivers.sql.store import SqlStore

    left = [10**9]

    def counted(name: str) -> None:
        original = getattr(SqlStore, name)

        def call(store: SqlStore, *arguments: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                raise Interrupted
            result = original(store, *arguments)
            left[0] -= 1
            if left[0] == 0:
                raise Interrupted
            return result

        monkeypatch.setattr(SqlStore, name, call)

    for name in ("acquire", "commit", "put_record"):
        counted(name)

    def after(writes: int) -> None:
        left[0] = writes

    return after


def test_copy_goes_on_where_it_was_interrupted(
    filled: str, tmp_path: Path, interrupt: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    to, tries = f"sqlite:////{tmp_path}/b.db", 0
    for tries in range(1, 100):
        interrupt(4 + tries % 9)
        try:
            done = tctl("schema", "copy", "--from", filled, "--to", to, "-o", "json")
        except Interrupted:
            interrupt(10**9)
            assert "a part of a copy" in tctl("schema", "check", "--store", to).err
            continue
        break
    assert 5 < tries < 99
    assert done.code == 0, done.err
    assert done.json["history"] == 500
    assert tctl("schema", "check", "--store", to).code == 0


def test_copy_goes_on_with_no_other_source(filled: str, tmp_path: Path, interrupt: Callable[[int], None]) -> None:
    to = f"sqlite:////{tmp_path}/b.db"
    interrupt(9)
    with pytest.raises(Interrupted):
        tctl("schema", "copy", "--from", filled, "--to", to)
    interrupt(10**9)
    other = f"sqlite:////{tmp_path}/c.db"
    tctl("schema", "setup", "--store", other)
    done = tctl("schema", "copy", "--from", other, "--to", to)
    assert done.err == f"Error: The destination holds a part of a copy of {filled}, not of {other}.\n"
    check = tctl("schema", "check", "--store", to).err
    assert check == (
        f"Error: the store holds a part of a copy; run `tctl schema copy --from {filled} --to {to}` to finish it\n"
    )


def test_copy_notices_what_changed_meanwhile(filled: str, tmp_path: Path, interrupt: Callable[[int], None]) -> None:
    to = f"sqlite:////{tmp_path}/b.db"
    interrupt(30)
    with pytest.raises(Interrupted):
        tctl("schema", "copy", "--from", filled, "--to", to)
    interrupt(10**9)
    source = open_store(filled)
    range_id = source.acquire("shard/0", "a server")
    batch = begin("shard/0", range_id, key(0, "shard/0"))
    assert not isinstance(source.commit([Batch("shard/0", range_id, history=batch.history)])[0], Conflict)
    changed = batch.history[0]._replace(data=b"other events")
    assert source.commit([Batch("shard/0", range_id, history=[changed])]) == [None]
    source.close()
    done = tctl("schema", "copy", "--from", filled, "--to", to)
    assert done.err.startswith("Error: The copy is not what the source holds: history (500 there, 500 copied)"), (
        done.err
    )
    assert json.loads(tctl("schema", "version", "--store", to, "-o", "json").out)["version"]


@pytest.mark.parametrize("kind", databases.SERVERS)
def test_copy_of_anything_to_a_database_server_and_back(url: str, tmp_path: Path, kind: str) -> None:
    store: Any = open_store(url)
    store.migrate()
    drawn = Comparison(store, random.Random(7))
    for _ in range(300):
        drawn.step()
    for member in store.members():
        store.beat(member, 0)
    there, back = databases.create(kind), f"sqlite:////{tmp_path}/back.db"
    for source, destination in ((url, there), (there, back)):
        done = tctl("schema", "copy", "--from", source, "--to", destination)
        assert done.code == 0, done.err
    copied, was = (rebuilt(one, 100).contents() for one in (open_store(back), store))
    assert all(copied["ranges"][lease] > range_id for lease, range_id in was["ranges"].items())
    assert all(copied["small"][name].data == record.data for name, record in was["small"].items())
    for name in was.keys() - {"ranges", "small"}:
        assert copied[name] == was[name]


def test_copy_notices_a_server_that_came_meanwhile(filled: str, tmp_path: Path) -> None:
    source, destination = open_store(filled), open_store(f"sqlite:////{tmp_path}/b.db")
    destination.migrate()
    came: list[str] = []

    def progress(what: str, _rows: int, _total: int | None) -> None:
        if what == "comparing" and not came:
            came.append(what)
            source.beat(Member("server", b""), 60)

    with pytest.raises(Refused, match="source is in use"):
        Copy(source, destination, "source", progress).run()
    assert came
    assert destination.record(*MARK) is not None
    source.beat(Member("server", b""), 0)
    assert Copy(source, destination, "source", progress).run()["runs"] == 500
    source.close()
    destination.close()


def test_two_copies_at_once_do_not_mix(filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    to, original = f"sqlite:////{tmp_path}/b.db", Copy._write

    def write(copy: Copy, part: Batch) -> None:
        if part.lease == "shard/1" and part.executions:
            monkeypatch.setattr(Copy, "_write", original)
            assert tctl("schema", "copy", "--from", filled, "--to", to).code == 0
        original(copy, part)

    monkeypatch.setattr(Copy, "_write", write)
    first = tctl("schema", "copy", "--from", filled, "--to", to)
    assert (first.code, first.err) == (1, "Error: Another process writes to the destination.\n")
    assert tctl("schema", "check", "--store", to).code == 0


def test_a_copy_that_loses_its_database_says_how_to_go_on(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drivers.sql.store import SqlStore

    def gone(store: SqlStore, batches: object) -> object:
        raise Unavailable("SQLite: disk I/O error.")

    to = f"sqlite:////{tmp_path}/b.db"
    with monkeypatch.context() as patched:
        patched.setattr(SqlStore, "commit", gone)
        done = tctl("schema", "copy", "--from", filled, "--to", to)
    told = "Error: SQLite: disk I/O error. Run the same command again, and it goes on from here.\n"
    assert (done.code, done.err) == (1, told)
    assert tctl("schema", "copy", "--from", filled, "--to", to).code == 0


def test_copy_shows_its_progress_on_a_terminal(filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    command = [str(BIN / "tctl"), "schema", "copy", "--from", filled, "--to", f"sqlite:////{tmp_path}/b.db"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=slave, env={**os.environ, "TERM": "xterm"}
    ) as process:
        os.close(slave)
        shown = b""
        with suppress(OSError):  # how a terminal says that nobody writes to it any more
            while part := os.read(master, 4096):
                shown += part
        assert process.stdout is not None
        assert b"Runs          500\n" in process.stdout.read()
    os.close(master)
    assert b"100%" in shown
    assert process.returncode == 0
