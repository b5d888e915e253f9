"""The namespaces as this process knows them: a registry in memory over the store's records.

A record of the kind `namespace` is a serialized DescribeNamespaceResponse (info, configuration, replication) under the namespace's name, so
that no two can have one name. Every write is a compare-and-set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from temporalio.api.enums.v1 import ArchivalState, NamespaceState
from temporalio.api.workflowservice.v1 import DescribeNamespaceResponse

from drivers.base import Conflict, Record, Store
from server.core import search_attributes
from server.core.limits import Limits
from server.core.outcome import Namespace, base_of
from server.core.rejected import NamespaceAlreadyExists, NamespaceNotFound, Unavailable
from server.environment import Environment

KIND = "namespace"
PAGE = 1000
CLUSTER = "active"
SYSTEM_NAME = "temporal-system"
SYSTEM_ID = "32049b68-7872-4094-8e63-d0dd59896a83"
WRITES_MAX = 10

REGISTERED = NamespaceState.NAMESPACE_STATE_REGISTERED
DELETED = NamespaceState.NAMESPACE_STATE_DELETED


@dataclass(slots=True)
class Entry:
    """One namespace: what decisions need of it, everything else, and the record's version."""

    namespace: Namespace
    described: DescribeNamespaceResponse
    version: int

    @property
    def state(self) -> int:
        return self.described.namespace_info.state


class Namespaces:
    """All namespaces. Lookups never wait; changes return once they are durable. Implements server.faces.Namespaces."""

    def __init__(self, store: Store, environment: Environment, limits_of: Callable[[str], Limits]) -> None:
        self._store = store
        self._environment = environment
        self._limits_of = limits_of
        self._by_id: dict[str, Entry] = {}
        self._ids: dict[str, str] = {}  # by name, as decisions see them
        self.endpoints: dict[str, str] = {}  # Nexus endpoints likewise; theirs is server.endpoints
        self._by_name: dict[str, Entry] = {}
        self.changed: Callable[[], None] = lambda: None  # called after this process has changed a record

    async def load(self) -> None:
        """Reads all records, and again where others change them. Raises drivers.base.Unavailable."""
        after, found = "", set[str]()
        known = set(self._by_name)
        while page := await self._environment.blocking(self._store.records, KIND, after, PAGE):
            for record in page:
                self._keep(record)
            found.update(record.id for record in page)
            after = page[-1].id
        for name in known - found:
            self._replace(name, None)

    def by_id(self, namespace_id: str) -> Namespace:
        """See server.faces.Namespaces; the id may be that of entities of no workflow. Raises NamespaceNotFound."""
        entry = self.entry_by_id(base_of(namespace_id))
        return entry.namespace if namespace_id == entry.namespace.id else replace(entry.namespace, id=namespace_id)

    def set_limits(self) -> None:
        """The limits are what the configuration says now."""
        for entry in self._by_id.values():
            entry.namespace = replace(entry.namespace, limits=self._limits_of(entry.namespace.name))

    def by_name(self, name: str) -> Namespace:
        """Raises NamespaceNotFound."""
        return self.entry(name).namespace

    def entry(self, name: str) -> Entry:
        """Raises NamespaceNotFound."""
        found = self._by_name.get(name)
        if found is None:
            raise NamespaceNotFound(name)
        return found

    def entry_by_id(self, namespace_id: str) -> Entry:
        """Raises NamespaceNotFound."""
        found = self._by_id.get(namespace_id)
        if found is None:
            raise NamespaceNotFound(namespace_id)
        return found

    def all(self) -> Iterable[Entry]:
        """Every namespace, by name."""
        return (self._by_name[name] for name in sorted(self._by_name))

    async def create(self, described: DescribeNamespaceResponse) -> Entry:
        """Raises NamespaceAlreadyExists; drivers.base.Fault."""
        name = described.namespace_info.name
        try:
            return await self._put(described, 0)
        except Conflict as conflict:
            self._replace(name, conflict.found)
            raise NamespaceAlreadyExists(f'Namespace "{name}" already exists') from None

    async def update(self, name: str, change: Callable[[DescribeNamespaceResponse], None]) -> Entry:
        """Changes the record by `change`, which may be called again on a newer one. Raises NamespaceNotFound, what `change` raises;
        drivers.base.Fault."""
        for _ in range(WRITES_MAX):
            entry = self.entry(name)
            described = DescribeNamespaceResponse()
            described.CopyFrom(entry.described)
            change(described)
            try:
                return await self._put(described, entry.version)
            except Conflict as conflict:
                self._replace(name, conflict.found)
        msg = "the namespace is being changed by others, try again"
        raise Unavailable(msg)

    async def rename(self, name: str, described: DescribeNamespaceResponse) -> Entry:
        """The namespace goes on under the name and in the state that `described` says. Raises NamespaceNotFound; drivers.base.Fault."""
        entry = self.entry(name)
        renamed = await self._put(described, 0)
        await self._environment.writing(self._store.put_record, KIND, name, None, entry.version)
        del self._by_name[name], self._ids[name]
        return renamed

    async def remove(self, name: str) -> None:
        """Forgets the namespace. Raises NamespaceNotFound; drivers.base.Fault."""
        entry = self.entry(name)
        await self._environment.writing(self._store.put_record, KIND, name, None, entry.version)
        self._replace(name, None)
        self.changed()

    async def _put(self, described: DescribeNamespaceResponse, expected: int) -> Entry:
        name, data = described.namespace_info.name, described.SerializeToString()
        version = await self._environment.writing(self._store.put_record, KIND, name, data, expected)
        entry = self._keep(Record(KIND, name, version, data))
        self.changed()
        return entry

    def _replace(self, name: str, found: object) -> None:
        if isinstance(found, Record):
            self._keep(found)
        elif entry := self._by_name.pop(name, None):
            self._by_id.pop(entry.namespace.id, None)
            self._ids.pop(name, None)

    def _keep(self, record: Record) -> Entry:
        described = DescribeNamespaceResponse.FromString(record.data)
        info, config = described.namespace_info, described.config
        namespace = Namespace(
            info.id,
            info.name,
            config.workflow_execution_retention_ttl.ToNanoseconds(),
            self._limits_of(info.name),
            {**search_attributes.PREDEFINED, **search_attributes.custom(config.custom_search_attribute_aliases)},
            self._ids,
            self.endpoints,
        )
        entry = Entry(namespace, described, record.version)
        before = self._by_name.get(info.name)
        if before is not None and before.version > record.version and before.namespace.id == info.id:
            return before  # a reading that was overtaken
        self._by_id[info.id] = self._by_name[info.name] = entry
        self._ids[info.name] = info.id
        return entry


def described(id: str, name: str, retention_seconds: int) -> DescribeNamespaceResponse:
    """A new namespace of this cluster, as it is kept."""
    found = DescribeNamespaceResponse()
    found.namespace_info.id = id
    found.namespace_info.name = name
    found.namespace_info.state = REGISTERED
    found.config.workflow_execution_retention_ttl.seconds = retention_seconds
    found.config.bad_binaries.SetInParent()
    found.config.history_archival_state = ArchivalState.ARCHIVAL_STATE_DISABLED
    found.config.visibility_archival_state = ArchivalState.ARCHIVAL_STATE_DISABLED
    found.replication_config.active_cluster_name = CLUSTER
    found.replication_config.clusters.add(cluster_name=CLUSTER)
    return found
