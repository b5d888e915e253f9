"""Access control for the services that are not ours (health, reflection): they are libraries', so that a call is checked before it reaches them."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from server.access.guard import Guard
from server.core.rejected import PermissionDenied
from server.frontend.errors import refuse

KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
Handler = Any  # grpc.RpcMethodHandler, which is generic for the checker only
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]


class Guarded(grpc.aio.ServerInterceptor):
    """Leaves the calls of `services` (full names) alone: they check for themselves, when they have read the request."""

    def __init__(self, guard: Guard, services: tuple[str, ...]) -> None:
        self._guard = guard
        self._own = tuple(f"/{name}/" for name in services)

    async def intercept_service(self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None or handler_call_details.method.startswith(self._own):
            return handler
        rpc = str(handler_call_details.method)
        kind = next(kind for kind in KINDS if getattr(handler, kind) is not None)
        return handler._replace(**{kind: self._checked(rpc, getattr(handler, kind))})  # type: ignore[attr-defined]

    def _checked(self, rpc: str, inner: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Awaitable[Any]]:
        async def serve(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            try:
                await self._guard.check_unread(rpc, context)
            except PermissionDenied as error:
                await refuse(context, error)
            answer = inner(request, context)
            if not inspect.isasyncgen(answer):
                return await answer
            async for reply in answer:
                await context.write(reply)
            return None

        return serve
