"""Builds a server from its settings, starts it, and stops it: store, namespaces, history, matching, frontend, metrics, in this order.

A stop is graceful: health says so first, polls end with nothing, calls under way finish, and what was decided is committed.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from temporalio.api.operatorservice.v1 import service_pb2 as operator_service
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest, GetClusterInfoResponse
from temporalio.api.workflowservice.v1 import service_pb2 as workflow_service

from drivers.base import Conflict, Store, Visibility
from server import namespaces as ns
from server import stores, telemetry
from server.access.guard import Guard
from server.cluster.joining import Cluster
from server.cluster.members import Members, Process
from server.cluster.serving import PeerService
from server.core import search_attributes
from server.core.limits import MINUTE, SECOND
from server.core.outcome import Namespace
from server.core.rejected import NamespaceAlreadyExists
from server.dynamic_config import DynamicConfig
from server.endpoints import KIND as ENDPOINT_KIND
from server.endpoints import Endpoints
from server.environment import System, pause
from server.faces import Queues
from server.frontend.activity import Activities
from server.frontend.endpoints import EndpointRpcs
from server.frontend.interceptors import Guarded
from server.frontend.namespace import NamespaceRpcs
from server.frontend.operator import Delete, NamespaceDeletion, SearchAttributeRpcs, allot
from server.frontend.queue_config import KIND as QUEUE_KIND
from server.frontend.queue_config import QueueConfigs
from server.frontend.rpc import Service, Table
from server.frontend.standalone import StandaloneActivities
from server.frontend.standalone_nexus import StandaloneOperations
from server.frontend.system import System as SystemRpcs
from server.frontend.task_queue import TaskQueues
from server.frontend.visibility import Lists
from server.frontend.workflow import table as workflow_table
from server.history.service import Engine
from server.matching.service import Matching
from server.namespaces import Namespaces
from server.settings import ROLES, Settings, SettingsError
from server.tls import Certificates

STOP_SECONDS_MAX = 1.0  # what is still under way then waits for news, and asks again elsewhere
DAY_SECONDS = 86_400
SYSTEM_RETENTION_SECONDS = 7 * DAY_SECONDS
CLUSTER_KIND = "cluster"
DEFAULT_NAMESPACE = "default"
HEALTH_SERVICE = "temporal.api.workflowservice.v1.WorkflowService"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
CONFIG_LOOK = 2 * SECOND  # the official server looks every minute
GARBAGE_THRESHOLDS = (20_000, 20, 50)  # messages have no cycles: looking for them often is waste


log = logging.getLogger(__name__)


@dataclass(slots=True)
class Server:
    """A running server."""

    port: int
    metrics_port: int | None
    engine: Engine
    matching: Matching
    namespaces: Namespaces
    telemetry: telemetry.Telemetry


def main(settings: Settings, ready: Callable[[], None] = lambda: None) -> int:
    """Runs until SIGTERM or SIGINT; calls `ready` once it serves; returns the exit code. Raises SettingsError, drivers.base.Fault or
    OSError, with a sentence, when it cannot start."""
    return asyncio.run(_main(settings, ready))


async def _main(settings: Settings, ready: Callable[[], None]) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(settings, stop):
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GARBAGE_THRESHOLDS)
        ready()
        await stop.wait()
        log.info("the server stops")
    return 0


@asynccontextmanager
async def running(settings: Settings, stop: asyncio.Event | None = None) -> AsyncIterator[Server]:
    """A server for as long as the block runs; `stop` ends the wait for a store that cannot be reached. Raises as `main` does."""
    async with AsyncExitStack() as stack:
        environment = System()
        stack.callback(environment.close)
        store = await stores.reached(settings.store, settings.setup, environment, stop or asyncio.Event())
        stack.callback(store.close)
        config = DynamicConfig(settings)
        info = await environment.writing(_cluster, store, settings, environment.run_id())
        namespaces = await _namespaces(store, environment, config, settings)
        cluster = _member(settings, store, environment, info.history_shard_count)
        if cluster is None:
            await _announce(stack, store, environment)
        matching = cluster.local if cluster else Matching(environment)
        queues, owners = (cluster.queues, cluster.router) if cluster else (matching, None)
        endpoints = await _endpoints(store, environment, namespaces)
        engine = Engine(info.history_shard_count, store, environment, queues, namespaces, endpoints, owners=owners)
        matching.history = engine
        configs = await _configs(store, environment, matching)
        await engine.start()
        stack.push_async_callback(engine.close)
        figures = telemetry.Telemetry()
        deletion = NamespaceDeletion(namespaces, _deleter(engine, cluster), _visibility(store), environment)
        stack.push_async_callback(deletion.close)
        operator = {**deletion.table(), **EndpointRpcs(endpoints, namespaces).table()}
        tables = _tables(settings, store, environment, config, info, engine, queues, configs, namespaces, operator)
        if cluster is not None:
            await _join(stack, cluster, engine, namespaces, configs, endpoints, tables[0])
        guard = await _guard(stack, settings, environment, namespaces)
        services = [
            Service(d, table, namespaces, figures, owners, guard) for d, table in zip(_DESCRIPTORS, tables, strict=True)
        ]
        _keep_up(stack, environment, config, namespaces)
        port = await _serve(stack, settings, config, services, matching, guard) if "frontend" in settings.roles else 0
        metrics_port = await _serve_metrics(stack, settings, figures)
        if "worker" in settings.roles:
            deletion.start()
        if cluster is not None:
            stack.push_async_callback(cluster.leave)
        yield Server(port, metrics_port, engine, matching, namespaces, figures)


def _tables(
    settings: Settings,
    store: Store,
    environment: System,
    config: DynamicConfig,
    info: GetClusterInfoResponse,
    engine: Engine,
    queues: Queues,
    configs: QueueConfigs,
    namespaces: Namespaces,
    operator: Table,
) -> tuple[Table, Table]:
    """Every RPC of the two services that has a handler."""
    address = f"{settings.host}:{settings.port}"
    system = SystemRpcs(info, address)
    return (
        {
            **workflow_table(engine, queues),
            **Activities(engine).table(),
            **TaskQueues(queues, configs, address).table(),
            **Lists(_visibility(store), environment).table(),
            **StandaloneActivities(engine, _visibility(store), environment).table(),
            **StandaloneOperations(engine, _visibility(store), environment).table(),
            **NamespaceRpcs(namespaces, config).table(),
            **system.table(),
        },
        {**SearchAttributeRpcs(namespaces).table(), **operator, **system.operator_table()},
    )


_DESCRIPTORS = (
    workflow_service.DESCRIPTOR.services_by_name["WorkflowService"],
    operator_service.DESCRIPTOR.services_by_name["OperatorService"],
)


def _member(settings: Settings, store: Store, environment: System, shards: int) -> Cluster | None:
    """This process in its cluster; None when it is alone. Raises OSError."""
    if settings.internal_port is None:
        if set(settings.roles) != set(ROLES):
            raise SettingsError("a server with some of the roles needs an internal address, where the others reach it")
        return None
    address = settings.internal_host, settings.internal_port
    return Cluster(store, environment, shards, address, frozenset(settings.roles), settings.internal_tls)


async def _join(
    stack: AsyncExitStack,
    cluster: Cluster,
    engine: Engine,
    namespaces: Namespaces,
    configs: QueueConfigs,
    endpoints: Endpoints,
    table: Table,
) -> None:
    """From here on the process has its part of the cluster's work. Raises drivers.base.Fault."""
    records = {ns.KIND: namespaces.load, QUEUE_KIND: configs.load, ENDPOINT_KIND: endpoints.load}
    service = PeerService(engine, cluster.queues, cluster.local, namespaces, table, records)
    namespaces.changed, configs.changed = cluster.changed(ns.KIND), cluster.changed(QUEUE_KIND)
    endpoints.changed = cluster.changed(ENDPOINT_KIND)
    await cluster.join(stack, engine, service, records)


async def _announce(stack: AsyncExitStack, store: Store, environment: System) -> None:
    """Lets others see that the store is in use, though this process is alone: a copy of it is refused. Raises Fault."""
    members = Members(store, environment, Process(environment.run_id(), "", frozenset()))
    await members.start()
    stack.push_async_callback(members.leave)


def _deleter(engine: Engine, cluster: Cluster | None) -> Delete:
    """Deletes a run wherever it is."""
    if cluster is None:
        return engine.delete_workflow_execution
    router = cluster.router

    async def delete(namespace: Namespace, request: DeleteWorkflowExecutionRequest) -> object:
        workflow_id = request.workflow_execution.workflow_id

        def here() -> Awaitable[Message]:
            return engine.delete_workflow_execution(namespace, request)

        return await router.call("DeleteWorkflowExecution", here, namespace, workflow_id, request, None, ())

    return delete


# The store -------------------------------------------------------------------------------------------------------------------------


def _visibility(store: Store) -> Visibility:
    if not hasattr(store, "list_visible"):
        msg = "this store cannot list workflows"
        raise SettingsError(msg)
    return store  # type: ignore[return-value]


def _cluster(store: Store, settings: Settings, cluster_id: str) -> GetClusterInfoResponse:
    """What the store knows of the cluster; made at the first start, when the number of shards is fixed for ever."""
    record, kind = store.record(CLUSTER_KIND, ns.CLUSTER), stores.scheme(settings.store)
    if record is None:
        made = GetClusterInfoResponse(
            cluster_id=cluster_id,
            cluster_name=ns.CLUSTER,
            history_shard_count=settings.shards,
            failover_version_increment=10,
            initial_failover_version=1,
            persistence_store=kind,
            visibility_store=kind,
        )
        try:
            store.put_record(CLUSTER_KIND, ns.CLUSTER, made.SerializeToString(), 0)
        except Conflict:
            return _cluster(store, settings, cluster_id)
        return made
    cluster = GetClusterInfoResponse.FromString(record.data)
    cluster.persistence_store = cluster.visibility_store = kind  # it may have been copied from another
    if cluster.history_shard_count != settings.shards:
        log.warning("the store has %d shards, which cannot be changed", cluster.history_shard_count)
    return cluster


async def _namespaces(store: Store, environment: System, config: DynamicConfig, settings: Settings) -> Namespaces:
    """All namespaces, with those that are the server's or asked for at start."""
    namespaces = Namespaces(store, environment, config.limits)
    await namespaces.load()
    known = {entry.namespace.name for entry in namespaces.all()}
    if ns.SYSTEM_NAME not in known:
        system = ns.described(ns.SYSTEM_ID, ns.SYSTEM_NAME, SYSTEM_RETENTION_SECONDS)
        system.namespace_info.description = "Temporal internal system namespace"
        system.namespace_info.owner_email = "temporal-core@temporal.io"
        with suppress(NamespaceAlreadyExists):  # another server makes it at this moment; so below
            await namespaces.create(system)
    for name in dict.fromkeys(settings.namespaces or _first_namespaces(settings, known)):
        if name not in known:
            with suppress(NamespaceAlreadyExists):
                await namespaces.create(ns.described(environment.run_id(), name, DAY_SECONDS))
        if settings.search_attributes:
            asked = {each: search_attributes.TYPES[kind] for each, kind in settings.search_attributes.items()}
            await namespaces.update(name, lambda kept, asked=asked: allot(kept, asked))  # type: ignore[misc]
    return namespaces


async def _endpoints(store: Store, environment: System, namespaces: Namespaces) -> Endpoints:
    endpoints = Endpoints(store, environment, namespaces.endpoints)
    await endpoints.load()
    return endpoints


async def _configs(store: Store, environment: System, matching: Matching) -> QueueConfigs:
    configs = QueueConfigs(store, environment, matching)
    await configs.load()
    return configs


def _keep_up(stack: AsyncExitStack, environment: System, config: DynamicConfig, namespaces: Namespaces) -> None:
    """The file of the dynamic configuration is looked at again and again."""

    async def look() -> None:
        while True:
            await pause(environment, CONFIG_LOOK)
            try:
                if config.reload():
                    namespaces.set_limits()
                    log.info("the dynamic configuration has changed")
            except SettingsError as error:
                log.warning("the dynamic configuration stays as it was: %s", error)

    looking = asyncio.get_running_loop().create_task(look())
    stack.callback(looking.cancel)


def _first_namespaces(settings: Settings, known: set[str]) -> tuple[str, ...]:
    """What `setup` makes where no namespace is asked for: the default one, unless others have been made instead."""
    return (DEFAULT_NAMESPACE,) if settings.setup and (DEFAULT_NAMESPACE in known or known <= {ns.SYSTEM_NAME}) else ()


# The network -----------------------------------------------------------------------------------------------------------------------


async def _guard(
    stack: AsyncExitStack, settings: Settings, environment: System, namespaces: Namespaces
) -> Guard | None:
    """Access control, where it is asked for. Raises SettingsError."""
    if not settings.guarded:
        return None
    guard = Guard(settings, environment, namespaces)
    await guard.start(stack)
    return guard


async def _serve(
    stack: AsyncExitStack,
    settings: Settings,
    config: DynamicConfig,
    services: list[Service],
    matching: Matching,
    guard: Guard | None,
) -> int:
    """Serves gRPC; returns the port. Raises OSError."""
    guarded = [Guarded(guard, tuple(service.name for service in services))] if guard else []
    server = grpc.aio.server(options=_options(config), interceptors=guarded)
    server.add_generic_rpc_handlers(tuple(services))
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    names = [service.name for service in services] + [health_pb2.DESCRIPTOR.services_by_name["Health"].full_name]
    reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        port = _listen(server, f"{host}:{settings.port}", settings)
    except RuntimeError:
        port = 0
    if not port:
        msg = f"cannot listen on {host}:{settings.port}"
        raise OSError(msg)
    await server.start()

    async def stop() -> None:
        await _say(servicer, NOT_SERVING)
        matching.close()
        await server.stop(STOP_SECONDS_MAX)

    stack.push_async_callback(stop)
    await _say(servicer, SERVING)
    return port


def _listen(server: grpc.aio.Server, address: str, settings: Settings) -> int:
    if settings.frontend_tls is None:
        return int(server.add_insecure_port(address))
    return int(server.add_secure_port(address, Certificates(settings.frontend_tls).server()))


async def _say(servicer: health.aio.HealthServicer, status: int) -> None:
    for name in ("", HEALTH_SERVICE):
        await servicer.set(name, status)


def _options(config: DynamicConfig) -> list[tuple[str, int]]:
    """Keepalive as the official server's (common/dynamicconfig/constants.go); requests of up to 4 MB are gRPC's default there and here."""

    def milliseconds(key: str, default: int) -> int:
        return config.duration(f"frontend.keepAlive{key}", default) // 1_000_000

    return [
        ("grpc.so_reuseport", 0),
        ("grpc.keepalive_time_ms", milliseconds("Time", MINUTE)),
        ("grpc.keepalive_timeout_ms", milliseconds("Timeout", 10 * SECOND)),
        ("grpc.keepalive_permit_without_calls", int(config.boolean("frontend.keepAlivePermitWithoutStream", True))),
        ("grpc.http2.min_ping_interval_without_data_ms", milliseconds("MinTime", 10 * SECOND)),
        ("grpc.max_connection_idle_ms", milliseconds("MaxConnectionIdle", 2 * MINUTE)),
        ("grpc.max_connection_age_ms", milliseconds("MaxConnectionAge", 5 * MINUTE)),
        ("grpc.max_connection_age_grace_ms", milliseconds("MaxConnectionAgeGrace", 70 * SECOND)),
    ]


async def _serve_metrics(stack: AsyncExitStack, settings: Settings, figures: telemetry.Telemetry) -> int | None:
    """Serves /metrics if that is asked for; returns the port. Raises OSError."""
    if settings.metrics_port is None:
        return None
    server = await telemetry.serve(figures, settings.metrics_host or settings.host, settings.metrics_port)

    async def stop() -> None:
        server.close()
        await server.wait_closed()

    stack.push_async_callback(stop)
    port: int = server.sockets[0].getsockname()[1]
    return port
