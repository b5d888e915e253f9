"""Namespaces and their search attributes: made, described, changed, deleted with all that is in them; all of it survives a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Payload, SearchAttributes
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    DeleteNamespaceRequest,
    ListClustersRequest,
    ListSearchAttributesRequest,
    RemoveSearchAttributesRequest,
)
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DescribeNamespaceRequest,
    GetSearchAttributesRequest,
    ListNamespacesRequest,
    RegisterNamespaceRequest,
    UpdateNamespaceRequest,
)

from server.core.search_attributes import BOOL, INT, KEYWORD, PREDEFINED
from server.dynamic_config import DynamicConfig, nanoseconds
from server.settings import Settings, SettingsError
from tests.server.frontend_kit import Peer, peer, start_request

DAY = Duration(seconds=86_400)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Peer]:
    async with peer(tmp_path) as running_peer:
        yield running_peer


async def register(served: Peer, name: str, **more: Any) -> None:
    request = RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=DAY, **more)
    await served.workflow.RegisterNamespace(request)


async def describe(served: Peer, name: str) -> Any:
    return await served.workflow.DescribeNamespace(DescribeNamespaceRequest(namespace=name))


async def names(served: Peer, **more: Any) -> list[str]:
    found = await served.workflow.ListNamespaces(ListNamespacesRequest(**more))
    return [each.namespace_info.name for each in found.namespaces]


async def test_the_first_namespaces(served: Peer) -> None:
    assert await names(served) == ["default", "temporal-system"]
    system = (await describe(served, "temporal-system")).namespace_info
    assert system.id == "32049b68-7872-4094-8e63-d0dd59896a83"
    default = await describe(served, "default")
    assert default.config.workflow_execution_retention_ttl.seconds == 86_400
    assert default.replication_config.active_cluster_name == "active"
    assert default.namespace_info.limits.blob_size_limit_error == 2 * 1024 * 1024
    able = default.namespace_info.capabilities
    assert sorted(field.name for field, _ in able.ListFields()) == [
        "async_update",
        "eager_workflow_start",
        "sync_update",
    ]
    by_id = await served.workflow.DescribeNamespace(DescribeNamespaceRequest(id=default.namespace_info.id))
    assert by_id == default


async def test_a_namespace_is_made_and_changed(served: Peer) -> None:
    await register(served, "new", description="d", owner_email="e", data={"a": "1"})
    info = (await describe(served, "new")).namespace_info
    assert (info.description, info.owner_email, dict(info.data)) == ("d", "e", {"a": "1"})
    request = UpdateNamespaceRequest(namespace="new", update_info={"description": "other", "data": {"b": "2"}})
    request.config.workflow_execution_retention_ttl.seconds = 7200
    await served.workflow.UpdateNamespace(request)
    changed = await describe(served, "new")
    assert changed.namespace_info.description == "other"
    assert changed.namespace_info.owner_email == "e"
    assert dict(changed.namespace_info.data) == {"a": "1", "b": "2"}
    assert changed.config.workflow_execution_retention_ttl.seconds == 7200
    assert served.server.namespaces.entry("new").namespace.retention == 7200 * 10**9
    await served.start(namespace="new")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"workflow_execution_retention_period": None}, "A valid retention period is not set on request."),
        (
            {"workflow_execution_retention_period": Duration(seconds=1800)},
            "A valid retention period is not set on request.",
        ),
        ({"is_global_namespace": True}, "Cannot register global namespace when not enabled"),
        ({"active_cluster_name": "x"}, "Invalid cluster name: x"),
        ({"namespace": ""}, "Namespace not set on request."),
    ],
)
async def test_bad_namespaces_are_not_made(served: Peer, fields: dict[str, Any], sentence: str) -> None:
    given = {"namespace": "bad", "workflow_execution_retention_period": DAY, **fields}
    assert await served.refused("RegisterNamespace", RegisterNamespaceRequest(**given)) == (
        "INVALID_ARGUMENT",
        sentence,
    )
    assert await names(served) == ["default", "temporal-system"]


async def test_bad_changes_change_nothing(served: Peer) -> None:
    before = await describe(served, "default")
    for fields, sentence in (
        ({"promote_namespace": True}, None),
        (
            {"update_info": {"state": 1, "description": "x"}, "delete_bad_binary": "x"},
            "Bad binary checksum x doesn't exists.",
        ),
        ({"replication_config": {"state": 2}}, "Handover can only be set for global namespace"),
        (
            {"config": {"workflow_execution_retention_ttl": Duration(seconds=60)}},
            "A valid retention period is not set on request.",
        ),
    ):
        found = await served.refused("UpdateNamespace", UpdateNamespaceRequest(namespace="default", **fields))  # type: ignore[arg-type]
        assert found[0] == "INVALID_ARGUMENT"
        assert sentence is None or found[1] == sentence
    assert await describe(served, "default") == before


async def test_a_list_comes_in_pages(served: Peer) -> None:
    for name in ("b", "a", "c"):
        await register(served, name)
    first = await served.workflow.ListNamespaces(ListNamespacesRequest(page_size=3))
    assert [each.namespace_info.name for each in first.namespaces] == ["a", "b", "c"]
    assert await names(served, page_size=3, next_page_token=first.next_page_token) == ["default", "temporal-system"]


async def test_search_attributes_take_fields_of_their_type(served: Peer) -> None:
    request = AddSearchAttributesRequest(namespace="default", search_attributes={"Colour": KEYWORD, "Size": INT})  # type: ignore[dict-item]
    await served.operator.AddSearchAttributes(request)
    await served.operator.AddSearchAttributes(request)
    listed = await served.operator.ListSearchAttributes(ListSearchAttributesRequest(namespace="default"))
    assert dict(listed.custom_attributes) == {"Colour": KEYWORD, "Size": INT}
    assert dict(listed.system_attributes) == dict(PREDEFINED)
    aliases = (await describe(served, "default")).config.custom_search_attribute_aliases
    assert dict(aliases) == {"Keyword01": "Colour", "Int01": "Size"}

    colour = Payload(metadata={"encoding": b"json/plain"}, data=b'"red"')
    await served.start("red", search_attributes=SearchAttributes(indexed_fields={"Colour": colour}))
    count = CountWorkflowExecutionsRequest(namespace="default", query="Colour = 'red'")
    assert (await served.workflow.CountWorkflowExecutions(count)).count == 1

    remove = RemoveSearchAttributesRequest(namespace="default", search_attributes=["Colour", "unknown"])
    await served.operator.RemoveSearchAttributes(remove)
    listed = await served.operator.ListSearchAttributes(ListSearchAttributesRequest(namespace="default"))
    assert dict(listed.custom_attributes) == {"Size": INT}
    refused = await served.refused("CountWorkflowExecutions", count)
    assert refused == ("INVALID_ARGUMENT", "invalid query: invalid search attribute: Colour")


async def test_there_are_only_so_many_fields(served: Peer) -> None:
    request = AddSearchAttributesRequest(namespace="default", search_attributes=dict.fromkeys("abcd", BOOL))  # type: ignore[arg-type]
    assert await served.refused("AddSearchAttributes", request, operator=True) == (
        "INVALID_ARGUMENT",
        "Unable to create search attributes: cannot have more than 3 search attribute of type Bool.",
    )
    listed = await served.operator.ListSearchAttributes(ListSearchAttributesRequest(namespace="default"))
    assert not listed.custom_attributes
    everything = await served.workflow.GetSearchAttributes(GetSearchAttributesRequest())
    assert everything.keys["Keyword10"] == KEYWORD
    assert everything.keys["WorkflowId"] == KEYWORD


async def test_a_namespace_is_deleted_with_its_workflows(served: Peer) -> None:
    await register(served, "doomed")
    namespace_id = (await describe(served, "doomed")).namespace_info.id
    for number in range(3):
        await served.start(f"w{number}", namespace="doomed")
    answer = await served.operator.DeleteNamespace(DeleteNamespaceRequest(namespace="doomed"))
    assert answer.deleted_namespace == f"doomed-deleted-{namespace_id[:5]}"
    assert await served.refused("StartWorkflowExecution", start_request("w", namespace="doomed")) == (
        "NOT_FOUND",
        "Namespace doomed is not found.",
    )
    async with asyncio.timeout(5):
        while answer.deleted_namespace in await names(served, namespace_filter={"include_deleted": True}):
            await asyncio.sleep(0.01)
    await register(served, "doomed")
    count = await served.workflow.CountWorkflowExecutions(CountWorkflowExecutionsRequest(namespace="doomed"))
    assert count.count == 0


async def test_the_system_namespace_stays(served: Peer) -> None:
    request = DeleteNamespaceRequest(namespace="temporal-system")
    assert await served.refused("DeleteNamespace", request, operator=True) == (
        "FAILED_PRECONDITION",
        "unable to delete system namespace",
    )


async def test_everything_survives_a_restart(tmp_path: Path) -> None:
    async with peer(tmp_path, search_attributes={"Colour": "Keyword"}) as served:
        await register(served, "kept", data={"a": "1"})
        before = await describe(served, "default"), await describe(served, "kept")
        clusters = await served.operator.ListClusters(ListClustersRequest())
    async with peer(tmp_path, namespaces=("default", "more")) as served:
        assert (await describe(served, "default"), await describe(served, "kept")) == before
        assert "more" in await names(served)
        again = await served.operator.ListClusters(ListClustersRequest())
        assert again.clusters[0].cluster_id == clusters.clusters[0].cluster_id


async def test_dynamic_configuration_limits_one_namespace(tmp_path: Path) -> None:
    limit = [{"value": 5, "constraints": {"namespace": "default"}}]
    async with peer(tmp_path, namespaces=("default", "free"), dynamic_config={"limit.maxIDLength": limit}) as served:
        await served.start("longer-than-5", namespace="free", queue="q")
        with pytest.raises(grpc.aio.AioRpcError, match=r"WorkflowId exceeds maximum allowed length \(13/5\)"):
            await served.start("longer-than-5")


def test_dynamic_values_have_types() -> None:
    config = DynamicConfig(Settings(dynamic_config={"a": "1h30m", "b": 5, "c": "5", "d": True}))
    assert config.duration("A", 0) == 5400 * 10**9
    assert config.number("b", 0) == 5
    assert config.boolean("d", default=False)
    assert config.duration("missing", 7) == 7
    assert nanoseconds("k", 1.5) == 1_500_000_000
    for read, key in ((config.number, "c"), (config.boolean, "b"), (config.duration, "c"), (config.number, "d")):
        with pytest.raises(SettingsError, match=f"dynamic configuration {key} must be"):
            read(key, 0)  # type: ignore[operator]
