"""Calls to the other processes of the cluster: one channel to each, and what goes wrong as Rejected.

A process that is not a member any more is not waited for: its channel is closed, and calls under way end as Unavailable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from server.cluster import peers_pb2 as p
from server.cluster.members import Members, Process
from server.core.rejected import Moved, Rejected, Unavailable
from server.tls import Certificates

SERVICE = p.DESCRIPTOR.services_by_name["Peer"]
UNREACHABLE = "another process of the cluster could not be reached, try again"
NOBODY = "no process of the cluster serves this now, try again"
MOVED = "temporal-moved"  # trailing metadata: nothing was done, ask the owner
CALL_SECONDS, NOTICE_SECONDS = 10.0, 2.0
OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]

Metadata = Sequence[tuple[str, str | bytes]]
Call = Callable[..., Any]


class Passed(Rejected):
    """What another process has refused, to be told to the client as it is."""

    def __init__(self, code: grpc.StatusCode, message: str, trailer: Metadata) -> None:
        super().__init__(message)
        self.code = code
        self.trailer = trailer


class Peers:
    """Ways to the other processes; without `certificates` in plain text."""

    def __init__(self, certificates: Certificates | None = None) -> None:
        self._certificates = certificates
        self._options = [*OPTIONS, *(certificates.options() if certificates is not None else [])]
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._calls: dict[tuple[str, str], Call] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def ask(
        self,
        process: Process,
        method: str,
        request: Message,
        timeout: float | None = CALL_SECONDS,
        metadata: Metadata = (),
    ) -> Any:
        """The reply to a method of Peer; typed Any: each caller knows its own. Raises Unavailable, Moved, Passed."""
        call = self._calls.get((process.address, method)) or self._prepare(process.address, method)
        try:
            return await call(request, timeout=timeout, metadata=tuple(metadata))
        except grpc.aio.AioRpcError as error:
            raise _rejected(error) from error
        except asyncio.CancelledError:
            if process.address in self._channels:
                raise
            raise Unavailable(UNREACHABLE) from None  # it was closed: the process has left

    async def ask_all(self, members: Members, method: str, request: Message, role: str = "matching") -> list[Any]:
        """The replies of all others with the role ("": of any), None of those that fail."""

        async def one(process: Process) -> Any:
            try:
                return await self.ask(process, method, request, NOTICE_SECONDS)
            except Rejected:
                return None

        me = members.me.id
        others = [each for each in members.view if each.id != me and (not role or role in each.roles)]
        return await asyncio.gather(*map(one, others))

    def _prepare(self, address: str, method: str) -> Call:
        channel = self._channels.get(address)
        if channel is None:
            channel = self._channels[address] = self._open(address)
        descriptor = SERVICE.methods_by_name[method]
        reply: type[Message] = GetMessageClass(descriptor.output_type)
        call: Call = channel.unary_unary(
            f"/{SERVICE.full_name}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=reply.FromString,
        )
        self._calls[address, method] = call
        return call

    def _open(self, address: str) -> grpc.aio.Channel:
        if self._certificates is None:
            return grpc.aio.insecure_channel(address, options=self._options)
        return grpc.aio.secure_channel(address, self._certificates.channel(), options=self._options)

    def renew(self) -> None:
        """The next calls show the certificate as it is now; those under way end as they would have."""
        channels, self._channels, self._calls = list(self._channels.values()), {}, {}
        for channel in channels:
            self._close(channel, CALL_SECONDS)

    def _close(self, channel: grpc.aio.Channel, grace: float | None) -> None:
        closing = asyncio.get_running_loop().create_task(channel.close(grace))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def keep(self, there: Iterable[Process]) -> None:
        """Only these are members: who waits for another waits no more."""
        addresses = {process.address for process in there}
        for address in set(self._channels) - addresses:
            channel = self._channels.pop(address)
            self._calls = {key: call for key, call in self._calls.items() if key[0] != address}
            self._close(channel, None)

    async def close(self) -> None:
        """Closes every channel."""
        self.keep(())
        await asyncio.gather(*self._closing, return_exceptions=True)


def _rejected(error: grpc.aio.AioRpcError) -> Rejected:
    trailer: Mapping[str, Any] = dict(error.trailing_metadata() or ())
    if MOVED in trailer:
        return Moved()
    message, code = error.details() or "", error.code()
    if code is grpc.StatusCode.UNAVAILABLE and not trailer:
        return Unavailable(UNREACHABLE)
    passed = [(key, value) for key, value in trailer.items() if key == "grpc-status-details-bin"]
    return Passed(code, message, passed)
