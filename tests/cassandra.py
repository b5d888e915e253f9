"""A Cassandra server for the tests: its jars from Maven, one process with a folder and ports of its own, and a small heap."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import closing
from functools import cache
from pathlib import Path

from tests.servers import free_port
from tests.stores import Database, program

VERSION = "5.0.6"
_JARS = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tctl-tests" / f"cassandra-{VERSION}"
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tests</groupId><artifactId>cassandra</artifactId><version>1</version><dependencies><dependency>
<groupId>org.apache.cassandra</groupId><artifactId>cassandra-all</artifactId><version>{VERSION}</version>
</dependency></dependencies></project>"""
_CONFIG = """
cluster_name: tests
num_tokens: 1
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
listen_address: 127.0.0.1
rpc_address: 127.0.0.1
native_transport_port: {port}
storage_port: {storage_port}
commitlog_sync: {sync}
endpoint_snitch: SimpleSnitch
auto_snapshot: false
disk_access_mode: standard
concurrent_reads: 8
concurrent_writes: 8
memtable_flush_writers: 1
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: 127.0.0.1:{storage_port}
"""
# Every write is synced to disk before it is acknowledged: kill -9 of the server must lose nothing.
_SYNC = "group\ncommitlog_sync_group_window: 1ms"
_EXPORTS = [
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.rmi/sun.rmi.transport",
    "java.rmi/sun.rmi.transport.tcp",
    "java.sql/java.sql",
    "jdk.unsupported/sun.misc",
    "jdk.attach/sun.tools.attach",
    "jdk.compiler/com.sun.tools.javac.file",
]
_OPENS = [
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.lang.reflect",
    "java.base/java.math",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.util.jar",
    "java.base/sun.nio.ch",
    "jdk.management/com.sun.management.internal",
]


class Cassandra(Database):
    """One node. Its data outlives `kill` and `stop`."""

    def __init__(self, port: int = 0, heap: str = "640m") -> None:
        super().__init__(port=port)
        self.heap = heap
        config = _CONFIG.format(port=self.port, storage_port=free_port(), sync=_SYNC)
        (self.folder / "cassandra.yaml").write_text(config)

    def command(self) -> Sequence[str]:
        jars = _jars()
        return [
            program("java", "openjdk-17-jre-headless"),
            f"-Xmx{self.heap}",
            f"-Xms{self.heap}",
            "-Xss512k",
            f"-javaagent:{next(jars.glob('jamm-*.jar'))}",
            f"-Dcassandra.config=file://{self.folder}/cassandra.yaml",
            f"-Dcassandra.storagedir={self.folder}/data",
            "-Dcassandra-foreground=yes",
            "-Dcassandra.skip_wait_for_gossip_to_settle=0",
            "-Dcassandra.ring_delay_ms=1",
            "-Djdk.attach.allowAttachSelf=true",
            *(f"--add-exports={name}=ALL-UNNAMED" for name in _EXPORTS),
            *(f"--add-opens={name}=ALL-UNNAMED" for name in _OPENS),
            "-cp",
            f"{jars}/*",
            "org.apache.cassandra.service.CassandraDaemon",
        ]

    def create(self) -> str:
        """The URL of a keyspace that has to be made."""
        return f"cassandra://127.0.0.1:{self.port}/tests"

    def check(self) -> None:
        """It listens for clients only once it can serve them."""
        with closing(socket.create_connection(("127.0.0.1", self.port), 1)):
            pass


@cache
def _jars() -> Path:
    """The folder of Cassandra's jars, fetched once for every test run of this machine."""
    if not _JARS.exists():
        _JARS.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=_JARS.parent))
        (folder / "pom.xml").write_text(_POM)
        fetch = [program("mvn", "maven"), "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=."]
        result = subprocess.run(fetch, cwd=folder, capture_output=True, text=True, check=False)
        if result.returncode:
            shutil.rmtree(folder)
            said = re.sub(r"\s+", " ", result.stdout + result.stderr)[-500:]
            raise RuntimeError(f"Cassandra {VERSION} cannot be fetched with Maven: {said}")
        try:
            folder.rename(_JARS)
        except OSError:  # another test run was faster
            shutil.rmtree(folder)
    return _JARS
