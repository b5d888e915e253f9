"""`tctl operator namespace`: the namespaces of a cluster."""

from __future__ import annotations

import dataclasses
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tctl.command import CommandError, command, group
from tctl.flags import Call, option, pairs

if TYPE_CHECKING:
    from temporalio.api.workflowservice.v1 import DescribeNamespaceResponse, UpdateNamespaceRequest

    from tctl.render import Card

app = group("Manage namespaces")
Archival = Literal["disabled", "enabled"]
Name = Annotated[str | None, typer.Argument(metavar="[NAMESPACE]", show_default=False, hidden=True)]


@dataclasses.dataclass(slots=True, kw_only=True)
class Changes:
    """What can be said of a namespace when it is made, and changed later."""

    description: Annotated[str, option("--description", help="What the namespace is for.")] = ""
    email: Annotated[str, option("--email", help="Whom to ask.")] = ""
    data: Annotated[list[str], option("--data", metavar="KEY=VALUE", help="Data of your own; may be repeated.")] = (
        dataclasses.field(default_factory=list)
    )
    retention: Annotated[
        timedelta | None, option("--retention", span=True, help="How long closed executions are kept (72h).")
    ] = None
    active_cluster: Annotated[str, option("--active-cluster", help="Name of the active cluster.")] = ""
    cluster: Annotated[list[str], option("--cluster", help="Name of a cluster; may be repeated.")] = dataclasses.field(
        default_factory=list
    )
    history_archival_state: Annotated[
        Archival | None, option("--history-archival-state", help="Whether histories are archived.")
    ] = None
    history_uri: Annotated[str, option("--history-uri", help="Where histories are archived.")] = ""
    visibility_archival_state: Annotated[
        Archival | None, option("--visibility-archival-state", help="Whether visibility records are archived.")
    ] = None
    visibility_uri: Annotated[str, option("--visibility-uri", help="Where visibility records are archived.")] = ""


def _chosen(call: Call, name: str | None) -> str:
    """The namespace, from the flag or (as in old scripts) from the argument."""
    if not name:
        return call.client.namespace
    if call.connection.namespace and call.connection.namespace != "default":
        both = f"as both an argument ({name}) and a flag (-n {call.connection.namespace})"
        raise CommandError(f"namespace was provided {both}; please specify namespace only with -n")
    sentence = "Passing the namespace as an argument is now deprecated; please switch to using -n instead"
    print(f"Warning: {sentence}", file=sys.stderr)
    return name


def _archival(state: str | None, default: str = "unspecified") -> Any:
    from temporalio.api.enums.v1 import ArchivalState

    return ArchivalState.Value(f"ARCHIVAL_STATE_{(state or default).upper()}")


@command(app, "create")
def create(
    call: Call,
    given: Changes,
    *,
    name: Name = None,
    everywhere: Annotated[bool, option("--global", help="Replicate the namespace to other clusters.")] = False,
) -> None:
    """Make a namespace."""
    from temporalio.api.replication.v1 import ClusterReplicationConfig
    from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest

    chosen = _chosen(call, name)
    request = RegisterNamespaceRequest(
        namespace=chosen,
        description=given.description,
        owner_email=given.email,
        clusters=[ClusterReplicationConfig(cluster_name=each) for each in given.cluster],
        active_cluster_name=given.active_cluster,
        data=pairs(given.data),
        is_global_namespace=everywhere,
        history_archival_state=_archival(given.history_archival_state, "disabled"),
        history_archival_uri=given.history_uri,
        visibility_archival_state=_archival(given.visibility_archival_state, "disabled"),
        visibility_archival_uri=given.visibility_uri,
    )
    kept = timedelta(days=3) if given.retention is None else given.retention
    request.workflow_execution_retention_period.FromTimedelta(kept)
    call.client.ask(call.client.workflow.RegisterNamespace, request, f"unable to create namespace {chosen}")
    call.printer.line(f"Namespace {chosen} successfully registered.", "green")


@command(app, "describe")
def describe(
    call: Call,
    *,
    name: Name = None,
    namespace_id: Annotated[str, option("--namespace-id", help="Its ID, instead of its name.")] = "",
) -> None:
    """Show a namespace."""
    chosen = _chosen(call, name)
    if chosen == "default" and namespace_id:
        chosen = ""
    if chosen and namespace_id:
        raise CommandError("provide one of --namespace-id=<uuid> or -n name, but not both")
    found = _described(call, chosen, namespace_id, f"unable to describe namespace {chosen or namespace_id}")
    call.printer.data(found)
    call.printer.card(_card(found))


def _described(call: Call, name: str, namespace_id: str, failing: str) -> DescribeNamespaceResponse:
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest

    request = DescribeNamespaceRequest(namespace=name, id=namespace_id)
    return call.client.ask(call.client.workflow.DescribeNamespace, request, failing)


@command(app, "list")
def list_(call: Call) -> None:
    """List the namespaces."""
    from temporalio.api.workflowservice.v1 import ListNamespacesRequest

    request = ListNamespacesRequest(page_size=100)
    with call.printer.listing():
        while True:
            page = call.client.ask(call.client.workflow.ListNamespaces, request, "failed listing namespaces")
            for each in page.namespaces:
                call.printer.data(each)
            call.printer.cards(_card(each) for each in page.namespaces)
            request.next_page_token = page.next_page_token
            if not page.next_page_token:
                return


@command(app, "update")
def update(
    call: Call,
    given: Changes,
    *,
    name: Name = None,
    promote_global: Annotated[bool, option("--promote-global", help="Make it global; nothing else changes.")] = False,
    replication_state: Annotated[
        Literal["normal", "handover"] | None, option("--replication-state", help="State of the replication.")
    ] = None,
) -> None:
    """Change a namespace; what is not given stays."""
    from temporalio.api.workflowservice.v1 import UpdateNamespaceRequest

    chosen, printer = _chosen(call, name), call.printer
    if promote_global and given.active_cluster:
        raise CommandError("both --promote-global and --active-cluster flags cannot be set together")
    if promote_global:
        request = UpdateNamespaceRequest(namespace=chosen, promote_namespace=True)
    elif given.active_cluster:
        request = UpdateNamespaceRequest(namespace=chosen)
        request.replication_config.active_cluster_name = given.active_cluster
    else:
        request = _changed(call, chosen, given, replication_state)
    found = call.client.ask(call.client.workflow.UpdateNamespace, request, "namespace update failed")
    printer.data(found)
    printer.line(f"Namespace {chosen} update succeeded.", "green")


def _changed(call: Call, name: str, given: Changes, replication_state: str | None) -> UpdateNamespaceRequest:
    """The request that keeps what is not given; retention is always sent, for the server takes none as zero."""
    from temporalio.api.enums.v1 import ReplicationState
    from temporalio.api.replication.v1 import ClusterReplicationConfig
    from temporalio.api.workflowservice.v1 import UpdateNamespaceRequest

    found = _described(call, name, "", "namespace update failed")
    request = UpdateNamespaceRequest(namespace=name)
    request.update_info.description = given.description or found.namespace_info.description
    request.update_info.owner_email = given.email or found.namespace_info.owner_email
    request.update_info.data.update(pairs(given.data))
    config = request.config
    config.workflow_execution_retention_ttl.CopyFrom(found.config.workflow_execution_retention_ttl)
    if given.retention:
        config.workflow_execution_retention_ttl.FromTimedelta(given.retention)
    config.history_archival_state = _archival(given.history_archival_state)
    config.history_archival_uri = given.history_uri
    config.visibility_archival_state = _archival(given.visibility_archival_state)
    config.visibility_archival_uri = given.visibility_uri
    state = f"REPLICATION_STATE_{(replication_state or 'unspecified').upper()}"
    request.replication_config.state = ReplicationState.Value(state)
    clusters = [ClusterReplicationConfig(cluster_name=each) for each in given.cluster]
    request.replication_config.clusters.extend(clusters)
    return request


@command(app, "delete")
def delete(
    call: Call, *, name: Name = None, yes: Annotated[bool, option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Delete a namespace with all its executions."""
    from temporalio.api.operatorservice.v1 import DeleteNamespaceRequest

    chosen = _chosen(call, name)
    question = f"Are you sure you want to delete namespace {chosen}? Type namespace name to confirm:"
    if not call.confirm(question, (chosen,), yes):
        raise CommandError("user denied confirmation or mistyped the namespace name")
    request = DeleteNamespaceRequest(namespace=chosen)
    found = call.client.ask(call.client.operator.DeleteNamespace, request, f"unable to delete namespace {chosen}")
    call.printer.data(found)
    call.printer.line(f"Namespace {chosen} has been deleted.", "green")


def _card(found: DescribeNamespaceResponse) -> Card:
    from temporalio.api.enums.v1 import ArchivalState, NamespaceState, ReplicationState

    from tctl.render import enum_text

    info, config, replication = found.namespace_info, found.config, found.replication_config
    return [
        ("NamespaceInfo.Name", info.name),
        ("NamespaceInfo.Id", info.id),
        ("NamespaceInfo.Description", info.description),
        ("NamespaceInfo.OwnerEmail", info.owner_email),
        ("NamespaceInfo.State", enum_text(NamespaceState, info.state)),
        ("NamespaceInfo.Data", info.data),
        ("Config.WorkflowExecutionRetentionTtl", config.workflow_execution_retention_ttl),
        ("ReplicationConfig.ActiveClusterName", replication.active_cluster_name),
        ("ReplicationConfig.Clusters", list(replication.clusters)),
        ("ReplicationConfig.State", enum_text(ReplicationState, replication.state)),
        ("Config.HistoryArchivalState", enum_text(ArchivalState, config.history_archival_state)),
        ("Config.VisibilityArchivalState", enum_text(ArchivalState, config.visibility_archival_state)),
        ("IsGlobalNamespace", found.is_global_namespace),
        ("FailoverVersion", found.failover_version),
        ("FailoverHistory", list(found.failover_history)),
        ("Config.HistoryArchivalUri", config.history_archival_uri),
        ("Config.VisibilityArchivalUri", config.visibility_archival_uri),
        ("Config.CustomSearchAttributeAliases", config.custom_search_attribute_aliases),
    ]
