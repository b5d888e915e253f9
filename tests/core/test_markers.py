"""Markers, search attributes and memo fields that a worker writes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from server.core.limits import Limits
from server.core.rejected import InvalidArgument
from tests.core.chain import CHAIN_NAMESPACE, Chain, command, kinds, payload, payloads

UPSERT, MODIFY, MARKER = "upsert_workflow_search_attributes", "modify_workflow_properties", "record_marker"


def upsert(**values: str) -> Any:
    fields = {name: payload(data) for name, data in values.items()}
    return command(UPSERT, search_attributes={"indexed_fields": fields})


def modify(**values: str) -> Any:
    return command(MODIFY, upserted_memo={"fields": {name: payload(data) for name, data in values.items()}})


def test_a_marker_keeps_all_that_the_worker_says() -> None:
    chain = Chain()
    header = {"fields": {"h": payload("2")}}
    marker = command(
        MARKER,
        marker_name="m",
        details={"d": payloads("1")},
        header=header,
        failure={"message": "f"},
        user_metadata={"summary": payload("3")},
    )
    chain.answer(marker)
    event = chain.history[-1]
    a = event.marker_recorded_event_attributes
    assert (a.marker_name, a.details["d"], a.workflow_task_completed_event_id) == ("m", payloads("1"), 4)
    assert a.header.fields["h"] == payload("2")
    assert a.failure.message == "f"
    assert event.user_metadata.summary == payload("3")
    assert not chain.rows.waiting


def test_search_attributes_are_set_and_deleted() -> None:
    chain = Chain(search_attributes={"indexed_fields": {"Color": payload('"red"'), "Number": payload("1")}})
    chain.answer(upsert(Color="null", Number="2", Tags='["a"]'))
    event = chain.history[-1].upsert_workflow_search_attributes_event_attributes
    assert event.search_attributes.indexed_fields["Color"] == payload("null", type="Keyword")
    assert event.workflow_task_completed_event_id == 4
    now = dict(chain.state.core.search_attributes.indexed_fields)
    del now["BuildIds"]
    assert now == {"Number": payload("2", type="Int"), "Tags": payload('["a"]', type="KeywordList")}


def test_memo_fields_are_set_and_deleted() -> None:
    chain = Chain(memo={"fields": {"a": payload("1"), "b": payload("2")}})
    chain.answer(modify(a="null", c="3"))
    event = chain.history[-1].workflow_properties_modified_event_attributes
    assert event.upserted_memo.fields["a"] == payload("null")
    assert dict(chain.state.core.memo.fields) == {"b": payload("2"), "c": payload("3")}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"Unknown": "1"}, "Namespace default has no mapping defined for search attribute Unknown"),
        ({"WorkflowId": '"x"'}, "WorkflowId attribute can't be set in SearchAttributes"),
        ({"Number": '"x"'}, "invalid value for search attribute Number of type Int: x"),
        ({"Flag": "1"}, "invalid value for search attribute Flag of type Bool: 1"),
        ({"When": '"yesterday"'}, "invalid value for search attribute When of type Datetime: yesterday"),
        ({}, "IndexedFields is not set on UpsertWorkflowSearchAttributesCommand."),
    ],
)
def test_a_bad_search_attribute_fails_the_task(values: dict[str, str], sentence: str) -> None:
    chain = Chain()
    with pytest.raises(InvalidArgument) as refused:
        chain.answer(modify(a="1"), upsert(**values))
    assert refused.value.message == f"BadSearchAttributes: {sentence}"
    assert kinds(chain.history)[2:] == ["task_started", "task_failed"]
    assert not chain.state.core.memo.fields


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (command(MARKER), "BadRecordMarkerAttributes: MarkerName is not set on RecordMarkerCommand."),
        (command(MARKER, marker_name="é" * 501), "BadRecordMarkerAttributes: MarkerName on RecordMarkerCommand exceeds length limit. MarkerName="),
        (command(UPSERT), "BadSearchAttributes: SearchAttributes is not set on UpsertWorkflowSearchAttributesCommand."),
        (command(MODIFY), "BadModifyWorkflowPropertiesAttributes: UpsertedMemo is not set on ModifyWorkflowPropertiesCommand."),
        (modify(), "BadModifyWorkflowPropertiesAttributes: UpsertedMemo.Fields is not set on ModifyWorkflowPropertiesCommand."),
    ],
)  # fmt: skip
def test_a_command_without_its_substance_fails_the_task(bad: Any, sentence: str) -> None:
    chain = Chain()
    with pytest.raises(InvalidArgument) as refused:
        chain.answer(bad)
    assert refused.value.message.startswith(sentence)
    assert chain.state.running


@pytest.mark.parametrize(
    ("big", "sentence"),
    [
        (command(MARKER, marker_name="m", details={"d": payloads("x" * 999)}), "RecordMarkerCommandAttributes.Details exceeds size limit."),
        (modify(a="x" * 999), "ModifyWorkflowPropertiesCommandAttributes exceeds size limit."),
        (modify(a="x" * 300), "ModifyWorkflowPropertiesCommandAttributes. Memo exceeds size limit."),
        (upsert(Story='"' + "x" * 300 + '"'), "search attribute Story value size 302 exceeds size limit 200"),
    ],
)  # fmt: skip
def test_too_much_terminates_the_run(big: Any, sentence: str) -> None:
    limits = Limits(blob_size_bytes_max=500, memo_size_bytes_max=250, search_attributes_value_bytes_max=200)
    chain = Chain(replace(CHAIN_NAMESPACE, limits=limits))
    with pytest.raises(InvalidArgument) as refused:
        chain.answer(big)
    assert refused.value.message.endswith(sentence)
    assert kinds(chain.history)[-2:] == ["task_failed", "terminated"]
