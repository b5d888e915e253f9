"""What the server answers when a request cannot be served: one exception a kind, named for the gRPC status or the official detail.

    Rejected
    ├── InvalidArgument            ├── AlreadyStarted       WorkflowExecutionAlreadyStartedFailure
    ├── NotFound                   ├── AlreadyExists        ├── NamespaceAlreadyExists
    │   ├── Missing                ├── FailedPrecondition   ├── QueryFailed
    │   └── NamespaceNotFound      │                        │
    ├── ResourceExhausted          ├── WorkflowNotReady     ├── CancellationAlreadyRequested
    │                              ├── NamespaceInvalidState │
    ├── PermissionDenied           ├── Aborted              ├── Unavailable
    ├── Unimplemented              ├── DeadlineExceeded     └── Internal

A decision that raises one has changed nothing. server/frontend/errors.py turns them into a status with its official details.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from temporalio.api.enums.v1 import NamespaceState
from temporalio.api.failure.v1 import Failure

if TYPE_CHECKING:
    from server.core.step import Step


class Rejected(Exception):
    """The request was not served; nothing has changed."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidArgument(Rejected):
    """The request can never be served as it stands."""


class NotFound(Rejected):
    """The workflow, task or other thing named does not exist (any more)."""


class Missing(NotFound):
    """There is no such workflow, or no such run of it: the official sentences name which."""

    @classmethod
    def run(cls, workflow_id: str, run_id: str) -> Missing:
        """The run does not exist (common/persistence/execution_manager.go)."""
        return cls(f'workflow execution not found for workflow ID "{workflow_id}" and run ID "{run_id}"')

    @classmethod
    def workflow(cls, workflow_id: str) -> Missing:
        """The workflow id has no run."""
        return cls(f"workflow not found for ID: {workflow_id}")

    @classmethod
    def entity(cls, namespace_id: str, id: str, run_id: str = "") -> Missing:
        """The same of any entity; the ending of the namespace's id in its key tells which kind it is of (outcome.base_of)."""
        noun = {"a": "activity", "n": "operation"}.get(namespace_id.partition("/")[2])
        if noun is not None:
            return cls(f"{noun} not found for ID: {id}")
        return cls.run(id, run_id) if run_id else cls.workflow(id)


class NamespaceNotFound(NotFound):
    """The namespace does not exist."""

    def __init__(self, namespace: str) -> None:
        super().__init__(f"Namespace {namespace} is not found.")
        self.namespace = namespace


class AlreadyStarted(Rejected):
    """The workflow id is in use and the id policies do not allow another run."""

    def __init__(self, message: str, start_request_id: str, run_id: str, first_run_id: str) -> None:
        super().__init__(message)
        self.start_request_id = start_request_id
        self.run_id = run_id
        self.first_run_id = first_run_id


class ActivityAlreadyStarted(Rejected):
    """The activity id is taken by an activity of no workflow."""

    def __init__(self, start_request_id: str, run_id: str) -> None:
        super().__init__("activity execution already started")
        self.start_request_id = start_request_id
        self.run_id = run_id


class OperationAlreadyStarted(Rejected):
    """The operation id is taken by a Nexus operation of no workflow."""

    def __init__(self, start_request_id: str, run_id: str) -> None:
        super().__init__(f"nexus operation execution already started: request_id={start_request_id}, run_id={run_id}")
        self.start_request_id = start_request_id
        self.run_id = run_id


class AlreadyExists(Rejected):
    """The thing to make is there."""


class NamespaceAlreadyExists(AlreadyExists):
    """The namespace is there."""


class FailedPrecondition(Rejected):
    """The state of the thing does not allow this now."""


class NamespaceInvalidState(FailedPrecondition):
    """The namespace is not in a state in which this is allowed. States are numbers of NamespaceState."""

    def __init__(self, namespace: str, state: int, allowed: Sequence[int]) -> None:
        names = " or ".join(map(_state, allowed))
        super().__init__(f"Namespace has invalid state: {_state(state)}. Must be {names}.")
        self.namespace = namespace
        self.state = state
        self.allowed = allowed


def _state(state: int) -> str:
    """As Go prints it: NAMESPACE_STATE_REGISTERED is Registered."""
    return NamespaceState.Name(state).removeprefix("NAMESPACE_STATE_").capitalize()  # type: ignore[arg-type]


class WorkflowNotReady(FailedPrecondition):
    """The workflow cannot serve this yet; the client retries."""


class CancellationAlreadyRequested(Rejected):
    """The run was asked to cancel before."""


class QueryFailed(Rejected):
    """The worker answered the query with a failure."""

    def __init__(self, message: str, failure: Failure | None = None) -> None:
        super().__init__(message)
        self.failure = failure


class ResourceExhausted(Rejected):
    """A limit is reached. `cause` and `scope` are numbers of ResourceExhaustedCause and ResourceExhaustedScope."""

    def __init__(self, message: str, cause: int = 0, scope: int = 0) -> None:
        super().__init__(message)
        self.cause = cause
        self.scope = scope


class PermissionDenied(Rejected):
    """The caller may not do this."""


class Aborted(Rejected):
    """The request lost a race; the client retries."""


class MultiOperationAborted(Aborted):
    """This operation was given up because another one of the same request failed."""

    def __init__(self) -> None:
        super().__init__("Operation was aborted.")


class MultiOperationFailed(Rejected):
    """Of several operations in one request at least one failed: `errors` has one entry each, None for what was done."""

    def __init__(self, *errors: Rejected | None) -> None:
        super().__init__("Update-with-Start could not be executed.")
        self.errors = errors


class Unavailable(Rejected):
    """Not now; the client retries."""


class Moved(Unavailable):
    """The shard is, or is about to be, in another process: ask there."""

    def __init__(self) -> None:
        super().__init__("the workflow is moving to another process of the cluster, try again")


class DeadlineExceeded(Rejected):
    """The time that the caller gave is over."""


class Unimplemented(Rejected):
    """This server does not serve that RPC."""


class Internal(Rejected):
    """A broken promise inside the server."""


class BadCommand(Exception):
    """A command cannot be carried out; the workflow task fails with `cause`, a WorkflowTaskFailedCause number. Where it `terminates`,
    the run is terminated as well (payloads over the limit)."""

    def __init__(self, cause: int, message: str = "", *, terminates: bool = False) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.terminates = terminates


class Discard(Exception):
    """The state of the step is spoiled: drop it, load the committed one, and decide `instead` on a fresh Step."""

    def __init__(self, instead: Callable[[Step], object]) -> None:
        super().__init__("decide again on the committed state")
        self.instead = instead
