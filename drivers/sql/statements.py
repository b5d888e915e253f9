"""The tables and statements that every SQL store shares, written once with `?` for each parameter."""

from __future__ import annotations

from drivers.sql.dialect import Columns, Table

LEASE_NAME = Columns(("name",), "t")
RUN = Table(
    "run",
    Columns(("number",), "i"),
    Columns(("core", "wake_at"), "bi"),
    Columns(("lease", "namespace_id", "workflow_id", "run_id"), "ittt"),
)
POINTER = Table("pointer", Columns(("lease", "namespace_id", "workflow_id"), "itt"), Columns(("run_id", "data"), "tb"))
PENDING = Table("pending", Columns(("run", "kind", "id"), "iit"), Columns(("data",), "b"))
HISTORY = Table("history", Columns(("run", "first"), "ii"), Columns(("last", "data"), "ib"))
TASK = Table("task", Columns(("lease", "kind", "id"), "iti"), Columns(("data",), "b"))
SEARCH = Table("search", Columns(("run", "name", "position"), "iti"), Columns(("word", "whole", "fraction"), "tif"))
VISIBLE = Table(
    "visible",
    Columns(("run",), "i"),
    Columns(
        (
            *("workflow_type", "task_queue", "status", "start_time", "execution_time", "close_time", "closed"),
            *("history_length", "history_size_bytes", "state_transition_count", "parent_workflow_id", "parent_run_id"),
            *("root_workflow_id", "root_run_id", "memo", "attributes", "search"),
        ),
        "ttiiiiiiiittttbbt",
    ),
    Columns(("namespace_id", "workflow_id", "run_id"), "ttt"),
)
OF_RUN = Columns(("run",), "i")
OF_A_RUN = ("pending", "history", "search", "visible")  # tables whose rows go when their run does
NO_CLOSE = 2**63 - 1  # `visible.closed` of an open run: the newest of all

LEASE_ACQUIRE = (
    "UPDATE lease SET range_id = CASE WHEN range_id > ? THEN range_id ELSE ? END + 1, owner = ? WHERE name = ?"
)
LEASE_CREATE = "INSERT INTO lease (name, range_id, owner, runs) VALUES (?, 0, '', 0)"
LEASE_RANGE = "SELECT range_id FROM lease WHERE name = ?"
LEASE_RUNS = "UPDATE lease SET runs = ? WHERE number = ?"
LEASES = "SELECT name, number, range_id, runs FROM lease WHERE "
POINTERS = "SELECT lease, namespace_id, workflow_id, run_id, data FROM pointer WHERE "
RUNS = "SELECT number, lease, namespace_id, workflow_id, run_id FROM run WHERE "

_LEASE = "(SELECT number FROM lease WHERE name = ?)"
_RUN = f"(SELECT number FROM run WHERE lease = {_LEASE} AND namespace_id = ? AND workflow_id = ? AND run_id = ?)"

# One statement, so that core and pending rows are of one moment. Its parameters are the lease and the key, twice.
LOAD = f"""
SELECT 0, 0, '', core, wake_at FROM run WHERE number = {_RUN} AND core IS NOT NULL
UNION ALL SELECT 1, kind, id, data, NULL FROM pending WHERE run = {_RUN}
ORDER BY 1, 2, 3"""
CURRENT = f"SELECT run_id, data FROM pointer WHERE lease = {_LEASE} AND namespace_id = ? AND workflow_id = ?"
# Rows do not overlap, so the row that holds event `first` is the last one that does not begin after it.
HISTORY_ROWS = f"""
SELECT first, last, data FROM history WHERE run = {_RUN} AND first <= ? AND last >= ?
AND first >= coalesce((SELECT max(first) FROM history WHERE run = {_RUN} AND first <= ?), ?)
ORDER BY first LIMIT ?"""
TASKS = f"SELECT kind, id, data FROM task WHERE lease = {_LEASE} AND kind >= ? AND (kind, id) > (?, ?) ORDER BY kind, id LIMIT ?"
TASKS_OF_KIND = f"SELECT kind, id, data FROM task WHERE lease = {_LEASE} AND kind = ? AND id > ? ORDER BY id LIMIT ?"
WAKES = f"""
SELECT wake_at, namespace_id, workflow_id, run_id FROM run
WHERE lease = {_LEASE} AND wake_at >= ? AND (wake_at, namespace_id, workflow_id, run_id) > (?, ?, ?, ?)
ORDER BY wake_at, namespace_id, workflow_id, run_id LIMIT ?"""

RECORD_ONE = "SELECT kind, id, version, data FROM record WHERE kind = ? AND id = ?"
RECORDS = "SELECT kind, id, version, data FROM record WHERE kind = ? AND id > ? ORDER BY id LIMIT ?"
RECORD_CREATE = "INSERT INTO record (version, data, kind, id) VALUES (?, ?, ?, ?)"
RECORD_CHANGE = "UPDATE record SET version = ?, data = ? WHERE kind = ? AND id = ? AND version = ?"
RECORD_DELETE = "DELETE FROM record WHERE kind = ? AND id = ? AND version = ?"
MEMBER_DELETE = "DELETE FROM member WHERE id = ?"
MEMBER_INSERT = "INSERT INTO member (id, data, expires_at) VALUES (?, ?, {now} + ?)"
MEMBERS = "SELECT id, data FROM member WHERE expires_at > {now} ORDER BY id"

# What a scan reads. A run's number begins with its lease's, so that the runs of a lease are a range of numbers.
SCAN_LEASE = "SELECT number, name, range_id FROM lease WHERE number >= ? ORDER BY number LIMIT 1"
SCAN_RUNS = """
SELECT number, namespace_id, workflow_id, run_id, core, wake_at FROM run
WHERE number > ? AND number < ? ORDER BY number LIMIT ?"""
SCAN_PENDING = "SELECT run, kind, id, data FROM pending WHERE run >= ? AND run <= ? ORDER BY run, kind, id"
SCAN_VISIBLE = f"SELECT {', '.join(VISIBLE.columns.names)} FROM visible WHERE run >= ? AND run <= ? ORDER BY run"
SCAN_HISTORY = """
SELECT namespace_id, workflow_id, run_id, first, last, data, history.run FROM history JOIN run ON number = history.run
WHERE history.run >= ? AND history.run < ? AND (history.run > ? OR first > ?) ORDER BY history.run, first LIMIT ?"""
SCAN_POINTERS = """
SELECT namespace_id, workflow_id, run_id, data FROM pointer
WHERE lease = ? AND (namespace_id, workflow_id) > (?, ?) ORDER BY namespace_id, workflow_id LIMIT ?"""
SCAN_TASKS = "SELECT kind, id, data FROM task WHERE lease = ? AND (kind, id) > (?, ?) ORDER BY kind, id LIMIT ?"
SCAN_RECORDS = "SELECT kind, id, version, data FROM record WHERE (kind, id) > (?, ?) ORDER BY kind, id LIMIT ?"
