"""Where a Cassandra cluster is, and how it is talked to: `cassandra://user:password@host1,host2:9042/keyspace?option=value`.

Reads and writes are at `consistency`, conditions at `serial_consistency`. The defaults keep every promise in any cluster; LOCAL_QUORUM with
LOCAL_SERIAL is faster in a cluster of several data centres and keeps them while all servers use one data centre.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cassandra import ConsistencyLevel, ProtocolVersion
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.policies import (
    DCAwareRoundRobinPolicy,
    ExponentialReconnectionPolicy,
    FallthroughRetryPolicy,
    RoundRobinPolicy,
    TokenAwarePolicy,
)
from cassandra.query import tuple_factory

from drivers.base import Refused, Unavailable
from drivers.sql.url import Address

_PORT = 9042
_OPTIONS = {
    "consistency": "QUORUM",
    "serial_consistency": "SERIAL",
    "local_dc": "",
    "local_rack": "",
    "replication": "1",
    "ssl": "",
    "ssl_ca": "",
    "ssl_cert": "",
    "ssl_key": "",
    "compression": "",
    "pool_size": "",  # one connection to a node carries thousands of requests
}
_SERIAL = ("SERIAL", "LOCAL_SERIAL")
_PLAIN = ("ONE", "LOCAL_ONE", "QUORUM", "LOCAL_QUORUM", "EACH_QUORUM", "ALL")
_KEYSPACE = re.compile(r"[A-Za-z]\w{0,47}")
_CENTRES = re.compile(r"\d+|[\w.-]+:\d+(,[\w.-]+:\d+)*")


class RackAwarePolicy(TokenAwarePolicy):  # type: ignore[misc]
    """Of the nodes that hold a row, those of our rack first."""

    def __init__(self, near: object, rack: str) -> None:
        super().__init__(near)
        self._rack = rack

    def make_query_plan(self, working_keyspace: str | None = None, query: Any = None) -> Iterator[Any]:
        """The nodes to try, in order."""
        plan = list(super().make_query_plan(working_keyspace, query))
        keyspace = (query and query.keyspace) or working_keyspace
        key = query and query.routing_key
        holding = set(self._cluster_metadata.get_replicas(keyspace, key)) if keyspace and key else set()
        return iter(sorted(plan, key=lambda node: (node not in holding, node.rack != self._rack)))


@dataclass(frozen=True)
class Place:
    """A keyspace of a cluster."""

    address: Address = field(repr=False)
    keyspace: str
    consistency: int
    serial_consistency: int

    @classmethod
    def parse(cls, url: str, options: Mapping[str, str]) -> Place:
        """Raises Refused."""
        address = Address.parse(url, options, _OPTIONS)
        if not _KEYSPACE.fullmatch(address.database):
            raise Refused(f"A keyspace is named by letters, digits and underscores, not {address.database!r}.")
        if not _CENTRES.fullmatch(address.options["replication"]):
            raise Refused("The option replication is a number of copies, or data centres with theirs: dc1:3,dc2:3.")
        if "pool_size" in address.options:
            raise Refused("Cassandra's driver has no option pool_size.")
        if len({port for _, port in _hosts(address)}) > 1:
            raise Refused("All nodes of a Cassandra cluster listen on one port.")
        if "local_rack" in address.options and "local_dc" not in address.options:
            raise Refused("The option local_rack goes with local_dc.")
        return cls(
            address,
            address.database,
            _level(address, "consistency", _PLAIN),
            _level(address, "serial_consistency", _SERIAL),
        )

    @property
    def replication(self) -> str:
        """The replication of a keyspace that has to be made, in CQL."""
        asked = self.address.options["replication"]
        copies = dict(part.split(":") for part in asked.split(",")) if ":" in asked else {"replication_factor": asked}
        kind = "NetworkTopologyStrategy" if ":" in asked else "SimpleStrategy"
        return str({"class": kind, **copies})

    def connect(self) -> tuple[Cluster, Session]:
        """Raises Unavailable, Refused."""
        cluster = self._cluster()
        try:
            session = cluster.connect()
        except (NoHostAvailable, OSError) as error:
            cluster.shutdown()
            reasons = error.errors.values() if isinstance(error, NoHostAvailable) and error.errors else [error]
            raise Unavailable(f"Cassandra is not reachable: {'; '.join(map(str, reasons))}.") from error
        session.use_client_timestamp = False  # the clocks of the servers that use the store do not matter
        session.default_fetch_size = None
        return cluster, session

    def _cluster(self) -> Cluster:
        address, options = self.address, self.address.options
        places = _hosts(address)
        login = PlainTextAuthProvider(address.user, address.password) if address.user else None
        profile = ExecutionProfile(
            load_balancing_policy=self._near(),
            retry_policy=FallthroughRetryPolicy(),
            consistency_level=self.consistency,
            serial_consistency_level=self.serial_consistency,
            request_timeout=address.number("statement_timeout"),
            row_factory=tuple_factory,
        )
        return Cluster(
            [name or "127.0.0.1" for name, _ in places],
            port=places[0][1],
            protocol_version=ProtocolVersion.V5,
            auth_provider=login,
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            connect_timeout=address.number("connect_timeout"),
            control_connection_timeout=address.number("connect_timeout"),
            reconnection_policy=ExponentialReconnectionPolicy(0.5, 4, None),
            # The client writes in pieces of 4 KiB; without this the kernel holds each back until the one before is acknowledged: 40 ms.
            sockopts=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            compression=options.get("compression", False),
            ssl_context=self._ssl(),
        )

    def _near(self) -> TokenAwarePolicy:
        options = self.address.options
        near = DCAwareRoundRobinPolicy(options["local_dc"]) if "local_dc" in options else RoundRobinPolicy()
        return RackAwarePolicy(near, options["local_rack"]) if "local_rack" in options else TokenAwarePolicy(near)

    def _ssl(self) -> ssl.SSLContext | None:
        options = self.address.options
        if not options.keys() & {"ssl", "ssl_ca", "ssl_cert"}:
            return None
        try:
            context = ssl.create_default_context(cafile=options.get("ssl_ca"))
            if "ssl_cert" in options:
                context.load_cert_chain(options["ssl_cert"], options.get("ssl_key"))
        except OSError as error:
            raise Refused(f"The certificates of Cassandra's clients cannot be read: {error}.") from error
        # Nodes are found by their addresses, which certificates seldom name.
        context.check_hostname = options.get("ssl") == "verify-host"
        return context


def _hosts(address: Address) -> list[tuple[str, int]]:
    return [address.host_and_port(host, _PORT) for host in address.hosts]


def _level(address: Address, option: str, known: tuple[str, ...]) -> int:
    name = address.options[option].upper()
    if name not in known:
        raise Refused(f"The option {option} is one of {', '.join(known)}, not {name!r}.")
    level: int = ConsistencyLevel.name_to_value[name]
    return level
