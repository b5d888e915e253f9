"""Lists: a random filter shows, counts and pages just what a naive evaluation in memory lets through, in the order of the contract."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from drivers.base import (
    Batch,
    Compare,
    Execution,
    Filter,
    IsNull,
    Junction,
    Not,
    OneOf,
    Refused,
    RunKey,
    SearchValue,
    Visible,
)
from drivers.conformance.make import key, visible
from drivers.conformance.model import Model
from drivers.conformance.rig import Contract, Database

TEXTS = (
    "WorkflowId",
    "RunId",
    "WorkflowType",
    "TaskQueue",
    "ParentWorkflowId",
    "ParentRunId",
    "RootWorkflowId",
    "RootRunId",
)
TIMES = ("StartTime", "ExecutionTime", "CloseTime", "ExecutionDuration")
NUMBERS = ("ExecutionStatus", *TIMES, "HistoryLength", "HistorySizeBytes", "StateTransitionCount")
CUSTOM: dict[str, tuple[SearchValue, ...]] = {
    "Keyword": ("a", "ab", "A", "b%", "", "\U0001f600", "\ud7ff!", "\ue000"),
    "Int": (-1, 0, 1, 2**63 - 1, 1_700_000_000_000_000_001),
    "Double": (-1.5, 0.0, 0.1, 1.0, 1e300),
    "Bool": (True, False),
    "Keywords": ([], ["a"], ["a", "b"], ["b", "ab"]),
    "odd name's ? %s": ("x", "y"),
}
_PREFIXES = ("", "a", "A", "b%", "w1", "\ud7ff", "\U0001f600", "\U0010ffff")


class Lists(Contract):
    @pytest.mark.parametrize("seed", [1, 2, 3, 4])
    def test_list_equals_the_naive_answer(self, store: Database, seed: int) -> None:
        chance = random.Random(seed)
        model = _fill(store, chance, 80)
        let_through = 0
        for turn in range(150):
            filter = random_filter(chance, 3)
            expected = model.list_visible("n0", filter)
            assert _pages(store, filter, chance.choice([3, 99])) == expected, f"seed {seed}, turn {turn}: {filter}"
            assert store.count_visible("n0", filter) == [(None, len(expected))]
            let_through += 0 < len(expected) < 40
        assert let_through > 30, "filters that let all or nothing through prove little"

    @pytest.mark.parametrize("field", [*TEXTS, *NUMBERS, *CUSTOM])
    def test_list_with_each_operator_on_each_field(self, store: Database, field: str) -> None:
        chance = random.Random(field)
        model = _fill(store, chance, 40)
        for filter in _leaves(field, chance):
            assert store.list_visible("n0", filter, b"", 99)[0] == model.list_visible("n0", filter), filter
            opposite = Not(filter)
            assert store.list_visible("n0", opposite, b"", 99)[0] == model.list_visible("n0", opposite), opposite

    @pytest.mark.parametrize("field", ["ExecutionStatus", "WorkflowType", "TaskQueue", "CloseTime"])
    def test_count_by_groups(self, store: Database, field: str) -> None:
        model = _fill(store, random.Random(field), 60)
        ours, expected = (dict(one.count_visible("n0", None, field)) for one in (store, model))
        assert ours == expected

    def test_list_gives_every_field_back(self, store: Database) -> None:
        full = visible(key(1), 2, 5, close_time=9, history_length=1, history_size_bytes=2, state_transition_count=3)
        (full.parent_workflow_id, full.parent_run_id, full.root_workflow_id, full.root_run_id) = "pw", "pr", "rw", "rr"
        full.memo, full.attributes = b"memo", b"attributes"
        full.search_attributes = {name: values[-1] for name, values in CUSTOM.items()}
        range_id = store.acquire("shard", "me")
        store.commit([Batch("shard", range_id, visible=[visible(key(1)), full])])
        assert store.list_visible(key(1).namespace_id, None, b"", 9) == ([full], b"")
        [again] = store.list_visible(key(1).namespace_id, None, b"", 9)[0]
        assert {name: type(value) for name, value in again.search_attributes.items()} == {
            n: type(v[-1]) for n, v in CUSTOM.items()
        }

    def test_list_forgets_former_attributes(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        for attributes in ({"Keywords": ["a", "b"], "Keyword": "x"}, {"Keywords": ["b"]}, {}):
            store.commit([Batch("shard", range_id, visible=[visible(key(1), search_attributes=attributes)])])
            for name, value in (("Keywords", "a"), ("Keywords", "b"), ("Keyword", "x")):
                expected = value in attributes.get(name, ())
                assert bool(store.list_visible(key(1).namespace_id, Compare(name, "=", value), b"", 9)[0]) == expected

    def test_list_of_a_batch_that_was_not_applied(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        store.commit([Batch("shard", range_id + 1, visible=[visible(key(1))])])
        assert store.count_visible(key(1).namespace_id, None) == [(None, 0)]

    def test_list_after_the_run_is_deleted(self, store: Database) -> None:
        range_id = store.acquire("shard", "me")
        store.commit(
            [Batch("shard", range_id, visible=[visible(key(n), search_attributes={"K": "v"}) for n in (1, 2)])]
        )
        store.commit([Batch("shard", range_id, executions=[Execution(key(1), None)])])
        assert [entry.key for entry in store.list_visible(key(1).namespace_id, Compare("K", "=", "v"), b"", 9)[0]] == [
            key(2)
        ]

    @pytest.mark.parametrize("token", [b"x", b"[]", b"[1]", b"\xff", b'{"a": 1}', b'["a", "b", "c"]'])
    def test_list_refuses_a_forged_page_token(self, store: Database, token: bytes) -> None:
        with pytest.raises(Refused):
            store.list_visible("n0", None, token, 9)

    @pytest.mark.parametrize(
        "filter",
        [
            Compare("WorkflowId", "~", "a"),
            Compare("WorkflowId", "=", 1),
            Compare("StartTime", ">", "a"),
            Compare("StartTime", "starts", 1),
            Compare("Custom", "starts", 1),
            Junction("XOR", (IsNull("WorkflowId"),)),
        ],
    )
    def test_list_refuses_what_it_cannot_compare(self, store: Database, filter: Filter) -> None:
        with pytest.raises(Refused):
            store.list_visible("n0", filter, b"", 9)


def _fill(store: Database, chance: random.Random, number: int) -> Model:
    model = Model()
    range_id = store.acquire("shard", "me")
    model.acquire("shard", "me")
    entries = [random_visible(chance, RunKey(f"n{n % 4 // 3}", f"w{n % 7}", f"r{n:03}")) for n in range(number)]
    batch = Batch("shard", range_id, visible=entries)
    assert store.commit([batch]) == [None]
    model.ranges["shard"] = range_id
    assert model.commit([batch]) == [None]
    return model


def _pages(store: Database, filter: Filter | None, limit: int) -> list[Visible]:
    found, token = store.list_visible("n0", filter, b"", limit)
    while token:
        page, token = store.list_visible("n0", filter, token, limit)
        assert 0 < len(page) <= limit
        found += page
    return found


def random_visible(chance: random.Random, of: RunKey) -> Visible:
    """A list entry with some of everything."""
    start = chance.randrange(5)
    return Visible(
        of,
        workflow_type=chance.choice(["a", "ab", "A"]),
        task_queue=chance.choice(["queue", "Queue", ""]) or "q",
        status=chance.randrange(1, 8),
        start_time=start,
        execution_time=start + chance.randrange(3),
        close_time=chance.choice([0, start + chance.randrange(3, 6)]),
        history_length=chance.randrange(4),
        history_size_bytes=chance.randrange(4),
        state_transition_count=chance.randrange(4),
        parent_workflow_id=chance.choice(["", "w1", "w2"]),
        parent_run_id=chance.choice(["", "r1"]),
        root_workflow_id=chance.choice(["", "w1"]),
        root_run_id=chance.choice(["", "r1"]),
        search_attributes={name: chance.choice(values) for name, values in CUSTOM.items() if chance.random() < 0.5},
    )


def random_filter(chance: random.Random, depth: int) -> Filter:
    """A tree of at most that depth."""
    draw = chance.random()
    if depth and draw < 0.15:
        return Not(random_filter(chance, depth - 1))
    if depth and draw < 0.55:
        return Junction(
            chance.choice(["AND", "OR"]), tuple(random_filter(chance, depth - 1) for _ in range(chance.randint(1, 3)))
        )
    return chance.choice(list(_leaves(chance.choice([*TEXTS, *NUMBERS, *CUSTOM, "NeverSet"]), chance)))


def _leaves(field: str, chance: random.Random) -> Iterator[Filter]:
    """Every operator once, with values that some entries have."""
    values = _values(field)
    for op in ("=", "!=", "<", "<=", ">", ">="):
        yield Compare(field, op, chance.choice(values))
    if isinstance(values[0], str):
        for op in ("starts", "not starts"):
            yield Compare(field, op, chance.choice(_PREFIXES))
    for negated in (False, True):
        yield IsNull(field, negated)
        yield OneOf(field, tuple(chance.sample(values, 2)), negated)


def _values(field: str) -> list[str | int | float | bool]:
    if field in TEXTS:
        return ["a", "ab", "w1", "w2", "r1", "r001", "queue", "A"]
    if field in NUMBERS:
        return list(range(8))
    if field == "Keywords":
        return ["a", "b", "ab"]
    return [value for value in CUSTOM.get(field, ("a", "b")) if not isinstance(value, list)]
