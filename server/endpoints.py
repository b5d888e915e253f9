"""The Nexus endpoints as this process knows them: a registry in memory over the store's records.

A record of the kind `nexus_endpoint` is a serialized Endpoint under the endpoint's name, so that no two can have one name. Every write is a
compare-and-set. Source: service/matching/nexus_endpoint_client.go.
"""

from __future__ import annotations

from collections.abc import Callable

from temporalio.api.nexus.v1 import Endpoint, EndpointSpec

from drivers.base import Conflict, Record, Store
from server.core.outcome import timestamp
from server.core.rejected import AlreadyExists, FailedPrecondition, NotFound
from server.environment import Environment

KIND = "nexus_endpoint"
PAGE = 1000
URL_PREFIX = "/nexus/endpoints/{}/services"


class Endpoints:
    """All endpoints. Lookups never wait; changes return once they are durable. `ids` maps names to ids, for decisions."""

    def __init__(self, store: Store, environment: Environment, ids: dict[str, str]) -> None:
        self._store = store
        self._environment = environment
        self._records: dict[str, Record] = {}
        self._by_id: dict[str, Endpoint] = {}
        self._ids = ids
        self.changed: Callable[[], None] = lambda: None  # called after this process has changed a record

    async def load(self) -> None:
        """Reads all records, and again where others change them. Raises drivers.base.Unavailable."""
        after, found = "", dict[str, Record]()
        while page := await self._environment.blocking(self._store.records, KIND, after, PAGE):
            found.update((record.id, record) for record in page)
            after = page[-1].id
        self._records = found
        self._index()

    def _index(self) -> None:
        endpoints = [Endpoint.FromString(record.data) for record in self._records.values()]
        endpoints.sort(
            key=lambda endpoint: endpoint.version
        )  # of one that was renamed when a process died, the newer counts
        self._by_id = {endpoint.id: endpoint for endpoint in endpoints}
        self._ids.clear()
        self._ids.update((endpoint.spec.name, endpoint.id) for endpoint in self._by_id.values())

    def all(self) -> list[Endpoint]:
        """Ordered by id."""
        return sorted(self._by_id.values(), key=lambda endpoint: endpoint.id)

    def by_id(self, id: str) -> Endpoint | None:
        """None: there is none."""
        return self._by_id.get(id)

    def find(self, id: str, name: str) -> Endpoint | None:
        """By id, else by name: one that was made anew takes the place of another."""
        return self._by_id.get(id) or self._by_id.get(self._ids.get(name, ""))

    async def create(self, spec: EndpointSpec) -> Endpoint:
        """Raises AlreadyExists, drivers.base.Fault."""
        made = Endpoint(version=1, id=self._environment.run_id(), spec=spec)
        made.created_time.CopyFrom(timestamp(self._environment.now()))
        made.url_prefix = URL_PREFIX.format(made.id)
        await self._put(
            spec.name, made, f"error creating Nexus endpoint. Endpoint with name {spec.name} already registered"
        )
        return made

    async def update(self, id: str, version: int, spec: EndpointSpec) -> Endpoint:
        """Raises NotFound, FailedPrecondition, AlreadyExists, drivers.base.Fault."""
        known = self._by_id.get(id)
        if known is None:
            raise NotFound(f"error updating Nexus endpoint. endpoint ID {id} not found")
        if known.version != version:
            msg = f"nexus endpoint version mismatch. received: {version} expected {known.version}"
            raise FailedPrecondition(msg)
        changed = Endpoint()
        changed.CopyFrom(known)
        changed.spec.CopyFrom(spec)
        changed.version += 1
        changed.last_modified_time.CopyFrom(timestamp(self._environment.now()))
        taken = f"error updating Nexus endpoint. Endpoint with name {spec.name} already registered"
        await self._put(spec.name, changed, taken, replaces=known.spec.name == spec.name)
        if known.spec.name != spec.name:
            await self._write(known.spec.name, None)
        return changed

    async def delete(self, id: str) -> None:
        """Raises NotFound, drivers.base.Fault."""
        known = self._by_id.get(id)
        if known is None:
            raise NotFound(f"error deleting nexus endpoint with ID: {id}")
        await self._write(known.spec.name, None)

    async def _put(self, name: str, endpoint: Endpoint, taken: str, *, replaces: bool = False) -> None:
        if not replaces and name in self._records:
            raise AlreadyExists(taken)
        try:
            await self._write(name, endpoint.SerializeToString())
        except Conflict:
            await self.load()
            raise AlreadyExists(taken) from None

    async def _write(self, name: str, data: bytes | None) -> None:
        known = self._records.get(name)
        expected = known.version if known else 0
        version = await self._environment.writing(self._store.put_record, KIND, name, data, expected)
        if data is None:
            self._records.pop(name, None)
        else:
            self._records[name] = Record(KIND, name, version, data)
        self._index()
        self.changed()
