"""What Prometheus can read of this process: the official names of request metrics, and the process's own figures, at /metrics.

A request costs one dictionary look-up and a few additions; the text is made when it is asked for. Source: common/metrics/metric_defs.go.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
NO_NAMESPACE: Final = "_unknown_"
REQUEST_SECONDS_MAX: Final = 10.0
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Operation:
    """The figures of one RPC in one namespace."""

    __slots__ = ("buckets", "errors", "pending", "requests", "seconds")

    def __init__(self) -> None:
        self.requests = 0
        self.pending = 0
        self.seconds = 0.0
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.errors: dict[str, int] = {}

    def ended(self, seconds: float) -> None:
        """A request has been answered."""
        self.requests += 1
        self.seconds += seconds
        self.buckets[bisect_left(BUCKETS, seconds)] += 1

    def failed(self, kind: str) -> None:
        """A request was answered with an error of that type (serviceerror_NotFound)."""
        self.errors[kind] = self.errors.get(kind, 0) + 1


class Telemetry:
    """All figures of the process."""

    def __init__(self) -> None:
        self._operations: dict[tuple[str, str], Operation] = {}

    def operation(self, name: str, namespace: str) -> Operation:
        """The figures of an RPC in a namespace; made when asked for first."""
        key = (name, namespace)
        found = self._operations.get(key)
        if found is None:
            found = self._operations[key] = Operation()
        return found

    def text(self) -> str:
        """Everything, in Prometheus's text format."""
        lines = [*self._requests(), *_process(), ""]
        return "\n".join(lines)

    def _requests(self) -> Iterator[str]:
        used = ((key, op) for key, op in sorted(self._operations.items()) if op.requests or op.pending)
        each = [(_labels(name, namespace), op) for (name, namespace), op in used]
        yield "# TYPE service_requests counter"
        yield from (f"service_requests{{{labels}}} {op.requests}" for labels, op in each)
        yield "# TYPE service_pending_requests gauge"
        yield from (f"service_pending_requests{{{labels}}} {op.pending}" for labels, op in each)
        yield "# TYPE service_errors counter"
        yield from (f"service_errors{{{labels}}} {sum(op.errors.values())}" for labels, op in each if op.errors)
        yield "# TYPE service_error_with_type counter"
        for labels, op in each:
            for kind, count in op.errors.items():
                yield f'service_error_with_type{{error_type="{kind}",{labels}}} {count}'
        yield "# TYPE service_latency histogram"
        for labels, op in each:
            yield from _histogram("service_latency", labels, op)


def _histogram(name: str, labels: str, op: Operation) -> Iterator[str]:
    total = 0
    for bound, count in zip((*BUCKETS, "+Inf"), op.buckets, strict=True):
        total += count
        yield f'{name}_bucket{{{labels},le="{bound}"}} {total}'
    yield f"{name}_sum{{{labels}}} {op.seconds}"
    yield f"{name}_count{{{labels}}} {total}"


def _labels(operation: str, namespace: str) -> str:
    escaped = namespace.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f'namespace="{escaped}",operation="{operation}",service_name="frontend"'


def _process() -> Iterator[str]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures: Mapping[str, tuple[str, float]] = {
        "process_cpu_seconds_total": ("counter", used.ru_utime + used.ru_stime),
        "process_resident_memory_bytes": ("gauge", _resident()),
        "process_start_time_seconds": ("gauge", _STARTED),
    }
    for name, (kind, value) in figures.items():
        yield f"# TYPE {name} {kind}"
        yield f"{name} {value}"


def _resident() -> int:
    with contextlib.suppress(OSError):  # only Linux has it
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0


async def serve(telemetry: Telemetry, host: str, port: int) -> asyncio.Server:
    """Answers GET /metrics over HTTP/1.1, a connection a request. Raises OSError."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            async with asyncio.timeout(REQUEST_SECONDS_MAX):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(_response(request.split(b" ", 2)[1].partition(b"?")[0], telemetry))
                await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, host, port)


def _response(path: bytes, telemetry: Telemetry) -> bytes:
    known = path == b"/metrics"
    body = telemetry.text().encode() if known else b"not found\n"
    head = [
        "HTTP/1.1 200 OK" if known else "HTTP/1.1 404 Not Found",
        f"Content-Type: {CONTENT_TYPE}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


_STARTED = time.time()
