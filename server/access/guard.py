"""Whether a call goes on: who makes it, what it needs, and a line in the log when it is denied.

Source: common/authorization/interceptor.go, default_authorizer.go. A caller is told no more than that it may not; the log tells why.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, NoReturn

import grpc
from temporalio.api.enums.v1 import CommandType

from server import tokens
from server.access.api_keys import ApiKeys
from server.access.claims import Caller, Claims, NotAdmitted, Target
from server.access.hooks import load
from server.access.permissions import CLUSTER, OPEN, PERMISSIONS, WORKFLOW_SERVICE, Permission
from server.core.limits import SECOND
from server.core.rejected import PermissionDenied
from server.environment import Environment
from server.namespaces import Namespaces
from server.settings import Settings, SettingsError

UNAUTHORIZED = "Request unauthorized."
KNOWN_MAX = 10_000  # callers whose claims are kept
COMPLETED = f"/{WORKFLOW_SERVICE}/RespondWorkflowTaskCompleted"
# Commands that reach into the namespace that they name, and the RPC that would do the same.
REACHING = {
    CommandType.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION: "SignalWorkflowExecution",
    CommandType.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION: "StartWorkflowExecution",
    CommandType.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION: "RequestCancelWorkflowExecution",
}

Context = grpc.aio.ServicerContext[Any, Any]
Check = Callable[[Any, Context], Awaitable[None]]
Mapper = Callable[[Caller], Any]
log = logging.getLogger(__name__)


class Guard:
    """Access control as the settings have it. Raises SettingsError."""

    def __init__(self, settings: Settings, environment: Environment, namespaces: Namespaces) -> None:
        self._environment = environment
        self._namespaces = namespaces
        self._known: dict[Caller, Claims] = {}
        self._plugin: Any = load(settings.auth_plugin).hook if settings.auth_plugin else None
        self._sources: list[Any] = []
        if settings.auth_api_keys:
            self._sources.append(ApiKeys(settings.auth_api_keys, environment, self._known.clear))
        if settings.auth_jwks:
            self._sources.append(_tokens(settings, environment, self._known.clear))
        self._mappers: list[Mapper] = [source.claims for source in self._sources]
        if self._plugin is not None:
            self._mappers.insert(0, lambda caller: self._plugin.map_claims(caller=caller))

    async def start(self, stack: AsyncExitStack) -> None:
        """Reads what it needs, and keeps that up to date until the stack ends. Raises SettingsError."""
        keeping: list[Coroutine[Any, Any, None]] = [await source.start() for source in self._sources]
        tasks = [asyncio.create_task(each) for each in keeping]

        async def stop() -> None:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        stack.push_async_callback(stop)

    def check(self, rpc: str, request_type: Any) -> Check:
        """What raises PermissionDenied for a call of `rpc` (full name; KeyError when no permission is stated) that must not go on."""
        permission = PERMISSIONS[rpc]
        fields = request_type.fields_by_name
        named, tokened = "namespace" in fields, "task_token" in fields
        open_to_all = rpc in OPEN

        async def check(request: Any, context: Context) -> None:
            claims = await self._claims(rpc, context)
            if open_to_all:
                return
            namespace = request.namespace if named else ""
            if tokened and not namespace and claims is not None:
                namespace = self._of_token(request)
            await self._require(claims, Target(rpc, namespace, request), permission, context)
            if rpc == COMPLETED:
                for target in _reached(request, namespace):
                    await self._require(claims, target, PERMISSIONS[target.rpc], context)

        return check

    async def check_unread(self, rpc: str, context: Context) -> None:
        """Like what `check` returns, for a call whose request is of no namespace. One without a stated permission is denied."""
        claims = await self._claims(rpc, context)
        if rpc not in OPEN:
            permission = PERMISSIONS.get(rpc)
            if permission is None:
                _deny("no permission is stated for it", rpc, "", context)
            await self._require(claims, Target(rpc, "", None), permission, context)

    def _of_token(self, request: Any) -> str:
        """The name of the namespace that the task is of. Raises InvalidArgument, NamespaceNotFound."""
        return self._namespaces.by_id(tokens.decode_task(request.task_token).namespace_id).name

    async def _require(self, claims: Claims | None, target: Target, permission: Permission, context: Context) -> None:
        allowed: bool | None = None
        if self._plugin is not None:
            try:
                allowed = await _awaited(self._plugin.authorize(claims=claims, target=target, permission=permission))
            except Exception:
                log.exception("the plugin for access control failed")
                allowed = False
        if allowed is None:
            allowed = claims is not None and holds(claims, permission, target.namespace)
        if not allowed:
            who = f"{claims.subject!r} may not" if claims is not None else "no credentials"
            _deny(who, target.rpc, target.namespace, context)

    async def _claims(self, rpc: str, context: Context) -> Claims | None:
        caller = self._caller(context)
        known = self._known.get(caller)
        if known is not None and known.until * SECOND > self._environment.now():
            return known
        try:
            claims = await self._mapped(caller)
        except NotAdmitted as error:
            _deny(str(error), rpc, "", context)
        except Exception:
            log.exception("the credentials of a caller could not be mapped")
            _deny("its credentials could not be mapped", rpc, "", context)
        if claims is not None and claims.until:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[caller] = claims
        return claims

    async def _mapped(self, caller: Caller) -> Claims | None:
        for claims_of in self._mappers:
            claims: Claims | None = await _awaited(claims_of(caller))
            if claims is not None:
                return claims
        if caller.authorization:
            raise NotAdmitted("nobody knows its credentials")
        return None

    def _caller(self, context: Context) -> Caller:
        authorization = extras = subject = ""
        for key, value in context.invocation_metadata() or ():
            if key == "authorization":
                authorization = str(value)
            elif key == "authorization-extras" and self._plugin is not None:
                extras = str(value)
        if self._plugin is not None:
            subject = _subject(context)
        return Caller(authorization, extras, subject)


def holds(claims: Claims, permission: Permission, namespace: str) -> bool:
    """Whether the claims have the permission. What is granted in the whole system holds in each namespace."""
    in_namespace = permission.scope != CLUSTER and claims.namespaces.get(namespace, 0) >= permission.role
    return in_namespace or claims.system >= permission.role


def _reached(request: Any, namespace: str) -> list[Target]:
    """What the commands of a workflow task would do in other namespaces."""
    found = dict[tuple[str, str], Target]()
    for command in request.commands:
        if rpc := REACHING.get(command.command_type):
            other = getattr(command, command.WhichOneof("attributes") or "", command).namespace
            if other not in ("", namespace):
                found[rpc, other] = Target(f"/{WORKFLOW_SERVICE}/{rpc}", other, request)
    return list(found.values())


def _tokens(settings: Settings, environment: Environment, changed: Callable[[], None]) -> Any:
    try:
        from server.access.tokens import Tokens  # its library is an extra
    except ImportError:
        raise SettingsError("tokens need a library: pip install 'tctl[jwt]'") from None
    return Tokens(settings, environment, changed)


async def _awaited(answer: Any) -> Any:
    return await answer if inspect.isawaitable(answer) else answer


def _subject(context: Context) -> str:
    found = (context.auth_context() or {}).get("x509_subject", ())
    return b"".join(found).decode(errors="replace")


def _deny(why: str, rpc: str, namespace: str, context: Context) -> NoReturn:
    log.warning("denied: %s in namespace %r from %s: %s", rpc.rpartition("/")[2], namespace, context.peer(), why)
    raise PermissionDenied(UNAUTHORIZED)
