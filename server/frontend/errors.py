"""What a client is told when a request cannot be served: a gRPC status with the official details, which SDKs turn into their own errors.

One table maps each kind of Rejected to its status, another to its detail message. Source: go.temporal.io/api/serviceerror.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from temporalio.api.errordetails import v1 as details
from temporalio.api.failure.v1 import MultiOperationExecutionAborted

from drivers.base import Fault, Refused
from server.cluster.peers import Passed
from server.core import rejected as r

log = logging.getLogger(__name__)
Code = grpc.StatusCode
DETAILS = "grpc-status-details-bin"

CODES: dict[type[r.Rejected], Code] = {
    r.InvalidArgument: Code.INVALID_ARGUMENT,
    r.NotFound: Code.NOT_FOUND,
    r.AlreadyStarted: Code.ALREADY_EXISTS,
    r.ActivityAlreadyStarted: Code.ALREADY_EXISTS,
    r.OperationAlreadyStarted: Code.ALREADY_EXISTS,
    r.AlreadyExists: Code.ALREADY_EXISTS,
    r.FailedPrecondition: Code.FAILED_PRECONDITION,
    r.CancellationAlreadyRequested: Code.ALREADY_EXISTS,
    r.QueryFailed: Code.INVALID_ARGUMENT,
    r.ResourceExhausted: Code.RESOURCE_EXHAUSTED,
    r.PermissionDenied: Code.PERMISSION_DENIED,
    r.Aborted: Code.ABORTED,
    r.Unavailable: Code.UNAVAILABLE,
    r.DeadlineExceeded: Code.DEADLINE_EXCEEDED,
    r.Unimplemented: Code.UNIMPLEMENTED,
    r.Internal: Code.INTERNAL,
    r.MultiOperationFailed: Code.ABORTED,
}

# Typed Any: each function gets the kind that it stands beside.
FAILURES: dict[type[r.Rejected], Callable[[Any], Message]] = {
    r.NotFound: lambda _: details.NotFoundFailure(),
    r.NamespaceNotFound: lambda e: details.NamespaceNotFoundFailure(namespace=e.namespace),
    r.NamespaceInvalidState: lambda e: details.NamespaceInvalidStateFailure(
        namespace=e.namespace, state=e.state, allowed_states=e.allowed
    ),
    r.AlreadyStarted: lambda e: details.WorkflowExecutionAlreadyStartedFailure(
        start_request_id=e.start_request_id, run_id=e.run_id, first_execution_run_id=e.first_run_id
    ),
    r.ActivityAlreadyStarted: lambda e: details.ActivityExecutionAlreadyStartedFailure(
        start_request_id=e.start_request_id, run_id=e.run_id
    ),
    r.OperationAlreadyStarted: lambda e: details.NexusOperationExecutionAlreadyStartedFailure(
        start_request_id=e.start_request_id, run_id=e.run_id
    ),
    r.NamespaceAlreadyExists: lambda _: details.NamespaceAlreadyExistsFailure(),
    r.WorkflowNotReady: lambda _: details.WorkflowNotReadyFailure(),
    r.CancellationAlreadyRequested: lambda _: details.CancellationAlreadyRequestedFailure(),
    r.QueryFailed: lambda e: details.QueryFailedFailure(failure=e.failure),
    r.ResourceExhausted: lambda e: details.ResourceExhaustedFailure(cause=e.cause, scope=e.scope),
    r.PermissionDenied: lambda _: details.PermissionDeniedFailure(),
    r.MultiOperationAborted: lambda _: MultiOperationExecutionAborted(),
}


def _operations(error: r.MultiOperationFailed) -> details.MultiOperationExecutionFailure:
    failure = details.MultiOperationExecutionFailure()
    for each in error.errors:
        status = Status() if each is None else status_of(each)
        failure.statuses.add(code=status.code, message=status.message, details=status.details)
    return failure


FAILURES[r.MultiOperationFailed] = _operations


def answered(error: Exception) -> r.Rejected:
    """The error as the caller may see it: a fault of the store is Unavailable, a bug is logged and told without its details."""
    if isinstance(error, r.Rejected):
        return error
    if isinstance(error, Refused):
        return r.InvalidArgument(str(error))
    if isinstance(error, Fault):
        return r.Unavailable("the store cannot serve this now, try again")
    log.error("a request failed unexpectedly", exc_info=error)
    return r.Internal("the server could not carry out this request")


def code_of(error: r.Rejected) -> Code:
    """The status of the nearest kind in CODES; of several operations, that of the first that failed by itself."""
    if isinstance(error, r.MultiOperationFailed):
        failed = (e for e in error.errors if e is not None and not isinstance(e, r.MultiOperationAborted))
        return next(map(code_of, failed), Code.ABORTED)
    return next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)


def status_of(error: r.Rejected) -> Status:
    """The whole status, with details where the kind has one."""
    code: int = code_of(error).value[0]
    status = Status(code=code, message=error.message)
    failure = next((FAILURES[kind] for kind in type(error).__mro__ if kind in FAILURES), None)
    if failure is not None:
        packed = Packed()
        packed.Pack(failure(error))
        status.details.append(packed)
    return status


async def refuse(context: grpc.aio.ServicerContext[Any, Any], error: r.Rejected) -> NoReturn:
    """Ends the call with the error's status, or with the one that another process has found."""
    if isinstance(error, Passed):
        await context.abort(error.code, error.message, tuple(error.trailer))
    status = status_of(error)
    trailer = ((DETAILS, status.SerializeToString()),) if status.details else ()
    await context.abort(code_of(error), error.message, trailer)
