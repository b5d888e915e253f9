"""Plays a program of client calls and worker answers on one server, and tells every answer and the histories that come of it.

A program is a list of steps, each a dict of JSON: `do` names a method of `Player`, the rest are its arguments. One driver is client and worker
both, one call after another; calls that block (updates, queries) run beside it and tell their answer at the end. After a step that sets other
workflows in motion the player waits until all is quiet, after one with a short time-out until that is over: so a program has one outcome.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.protocol.v1 import Message as Packet
from temporalio.api.update.v1 import Meta as UpdateMeta
from temporalio.api.update.v1 import Outcome, Request, Response
from temporalio.api.workflowservice import v1 as messages
from temporalio.api.workflowservice.v1.service_pb2_grpc import WorkflowServiceStub

from tests.core.chain import command, payload, payloads, seconds
from tests.reference.commands import (
    ENDS,
    SHORT,
    Commands,
    acceptance,
    order,
    packet,
    query_result,
    rejection,
    retry_policy,
)
from tests.reference.test_histories import BOOM
from tests.reference.world import Fields

Step = dict[str, Any]
Program = list[Step]
PATIENT_ATTEMPTS = 3
QUIET = 0.03  # for so long nothing changes
POLL = 5.0
# The official server says the first as long as it has the update in memory.
CLOSED_BEFORE, COMPLETED = "workflow update was aborted by closing workflow", "workflow execution already completed"
AGAIN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)  # which the official server tries again inside
ADMITTED = 0.1  # by then an update has come to its workflow
RETRIED = 1.5  # by then an update has come to the run that follows
NAMES = "abcd"  # workflows: a and b are started by the client, c and d by others
SCHEDULED = 1
OPEN = (1, 8)  # running, paused
INITIATED = EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED
SCHEDULED_EVENT = EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED
STARTED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED


class Server:
    """What a Teller needs of its world."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.workflows = WorkflowServiceStub(channel)


class Player(Commands):
    """One program on one server. `told` is what can be compared, one entry a step and one a run."""

    def __init__(self, server: Any, tag: str) -> None:
        super().__init__(server, tag)
        self._held: dict[str, Any] = {}
        self._stale: dict[str, Any] = {}
        self._sticky: set[str] = set()
        self._tokens: dict[tuple[str, str], bytes] = {}
        self._updates: dict[str, Request] = {}
        self._runs: dict[str, list[str]] = {name: [] for name in NAMES}
        self._beside: list[tuple[int, str, Any]] = []
        self._prompt: set[int] = set()  # steps whose call beside was answered before the next step
        self._due = 0.0
        self._index = 0
        self._refused = False
        self._moved: set[str] = set()  # whose waiting task may have been offered anew
        self._unseen: set[str] = set()  # who has updates that no task has brought

    def play(self, program: Program) -> list[Any]:
        """Everything that the server told."""
        for self._index, step in enumerate(program):
            arguments = {key: value for key, value in step.items() if key != "do"}
            self.told.append(f"step {self._index}")
            self._refused = False
            runs = [list(known) for known in self._runs.values()]
            getattr(self, step["do"])(**arguments)
            self._settle()
            self._prompt |= {index for index, _, call in self._beside if index == self._index and call.done()}
            waiting = any(w == step["w"] and not call.done() for _, w, call in self._beside)
            if (
                waiting and self._refused
            ):  # docs/differences.md: the official server forgets the updates of a workflow on any refused call
                said = [*self.told, "an update waits while a call is refused"]
                self._end()
                return said
            if waiting and (step["do"] == "options" or runs != list(self._runs.values())):
                time.sleep(RETRIED)
        self._end()
        return self.told

    # Calls -------------------------------------------------------------------------------------------------------------------------

    def _text(self, text: str) -> str:
        return super()._text(text).replace(self.tag, "<tag>")

    def _plain(self, key: str, value: Any) -> Any:
        if key == "data" and isinstance(value, str):
            return self._text(base64.b64decode(value).decode(errors="replace"))
        if key == "workflow_task_scheduled_event_attributes" and value.get("attempt", 0) > PATIENT_ATTEMPTS:
            value = {**value, "start_to_close_timeout": "*"}  # docs/differences.md: jitter
        if key == "queries":
            return [super(Player, self)._plain(key, value[id]) for id in value]
        return super()._plain(key, value)

    def _request(self, rpc: str, fields: Fields) -> Message:
        kind = getattr(messages, f"{rpc}Request")
        identity = {"identity": "me"} if "identity" in kind.DESCRIPTOR.fields_by_name else {}
        made: Message = kind(**{"namespace": "default", **identity, **fields})
        return made

    def _later(self, rpc: str, **fields: Any) -> Any:
        return getattr(self.world.workflows, rpc).future(self._request(rpc, fields), timeout=20)

    def _ask(self, rpc: str, **fields: Any) -> Any:
        """Makes the call and tells its answer; None when it is refused."""
        try:
            return self.tell(getattr(self.world.workflows, rpc)(self._request(rpc, fields), timeout=10))
        except grpc.RpcError as error:
            self._tell_error(error)
            return None

    def _tell_error(self, error: Any) -> None:
        details, self._refused = "", True
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                details = "; ".join(str(each) for each in Status.FromString(value).details)
        sentence = self._text(error.details() or "").replace(CLOSED_BEFORE, COMPLETED)
        self.told.append([error.code().name, sentence, self._text(details)])

    def _describe(self, name: str, run_id: str = "") -> Any:
        request = messages.DescribeWorkflowExecutionRequest(namespace="default")
        request.execution.workflow_id, request.execution.run_id = self._id(name), run_id
        try:
            return self.world.workflows.DescribeWorkflowExecution(request, timeout=10)
        except grpc.RpcError:
            return None

    def _events(self, name: str, run_id: str = "") -> list[HistoryEvent]:
        try:
            page = self.call("GetWorkflowExecutionHistory", execution={"workflow_id": self._id(name), "run_id": run_id})
        except grpc.RpcError:
            return []
        return list(page.history.events)

    def _expect(self, *durations: float) -> None:
        """What is set off now is over after the longest of these that are short."""
        for duration in durations:
            if 0 < duration < SHORT:
                self._due = max(self._due, time.monotonic() + duration + 0.05)

    def _settle(self) -> None:
        """Waits for what is due, and then until nothing changes."""
        time.sleep(max(0.0, self._due - time.monotonic()))
        before: Any = None
        while (now := [self._look(name) for name in NAMES]) != before:
            before = now
            time.sleep(QUIET)

    def _look(self, name: str) -> Any:
        """What changes with every transaction of the workflow."""
        described = self._describe(name)
        if described is None:
            return None
        info = described.workflow_execution_info
        self._note(name, info.execution.run_id)
        return info.execution.run_id, info.state_transition_count, info.status

    def _note(self, name: str, run_id: str) -> None:
        if run_id and run_id not in self._runs[name]:
            self._runs[name].append(run_id)

    # What clients do ---------------------------------------------------------------------------------------------------------------

    def start(self, w: str, signal: str = "", **options: Any) -> None:  # type: ignore[override]
        """Starts the workflow; with `signal` by SignalWithStart."""
        fields = self._start_fields(w, options)
        rpc = "StartWorkflowExecution"
        if signal:
            rpc, more = "SignalWithStartWorkflowExecution", {"signal_name": signal, "signal_input": payloads("2")}
            fields |= more
        reply = self._ask(rpc, **fields)
        if reply is not None:
            self._note(w, reply.run_id)

    def _start_fields(self, w: str, options: Fields) -> Fields:
        queue, kind = {"name": self._id(w)}, {"name": "Type"}
        fields: Fields = {"workflow_id": self._id(w), "task_queue": queue, "workflow_type": kind}
        fields |= {"request_id": f"{w}-{options.get('request', self._index)}", "input": payloads("1")}
        self._task_timeout[w] = options.get("task", 120)
        fields["workflow_task_timeout"] = seconds(self._task_timeout[w])
        for key, field in (("run", "workflow_run_timeout"), ("all", "workflow_execution_timeout"), ("delay", "workflow_start_delay")):  # fmt: skip
            if key in options:
                fields[field] = seconds(options[key])
                self._expect(options[key])
        if "retry" in options:
            fields["retry_policy"] = retry_policy(options["retry"])
            self._expect(options.get("run", 0) * 2 + 0.3)
        if "cron" in options:
            fields["cron_schedule"] = options["cron"]
        if "memo" in options:
            fields["memo"] = {"fields": {"m": payload(options["memo"])}}
        if "colour" in options:
            fields["search_attributes"] = {"indexed_fields": {"Colour": payload(options["colour"])}}
        fields |= {key: options[key] for key in ("workflow_id_reuse_policy", "workflow_id_conflict_policy", "on_conflict_options", "priority", "request_eager_execution") if key in options}  # fmt: skip
        return fields

    def update_with_start(self, w: str, id: str, stage: int = 2, **options: Any) -> None:
        if self._races(w, self._unseen, self._moved):
            return
        start = self._request("StartWorkflowExecution", self._start_fields(w, options))
        update = self._request("UpdateWorkflowExecution", self._update_fields(w, id, stage))
        parts = [{"start_workflow": start}, {"update_workflow": update}]
        request = messages.ExecuteMultiOperationRequest(namespace="default", operations=parts)  # type: ignore[arg-type]
        self._beside.append((self._index, w, self.world.workflows.ExecuteMultiOperation.future(request, timeout=20)))
        self._wait_for_update()

    def _update_fields(self, w: str, id: str, stage: int) -> Fields:
        request = Request(meta={"update_id": id, "identity": "me"}, input={"name": "change", "args": payloads("3")})  # type: ignore[arg-type]
        self._updates[id] = request
        return {
            "workflow_execution": {"workflow_id": self._id(w)},
            "request": request,
            "wait_policy": {"lifecycle_stage": stage},
        }

    def update(self, w: str, id: str, stage: int = 2) -> None:
        if self._races(w, self._unseen, self._moved):
            return
        call = self._later("UpdateWorkflowExecution", **self._update_fields(w, id, stage))
        self._beside.append((self._index, w, call))
        self._wait_for_update()

    def _wait_for_update(self) -> None:
        self._due = max(self._due, time.monotonic() + ADMITTED)

    def poll_update(self, w: str, id: str, stage: int = 2) -> None:
        ref = {"workflow_execution": {"workflow_id": self._id(w)}, "update_id": id}
        call = self._later("PollWorkflowExecutionUpdate", update_ref=ref, wait_policy={"lifecycle_stage": stage})
        self._beside.append((self._index, w, call))

    def signal(self, w: str, name: str = "sig", request: str = "") -> None:  # type: ignore[override]
        execution = {"workflow_id": self._id(w)}
        fields = {"signal_name": name, "request_id": request, "input": payloads("4")}
        self._ask("SignalWorkflowExecution", workflow_execution=execution, **fields)

    def cancel(self, w: str, request: str = "") -> None:
        execution = {"workflow_id": self._id(w)}
        self._ask("RequestCancelWorkflowExecution", workflow_execution=execution, request_id=request, reason="why")

    def terminate(self, w: str) -> None:
        self._ask("TerminateWorkflowExecution", workflow_execution={"workflow_id": self._id(w)}, reason="why")

    def pause(self, w: str, rpc: str = "Pause", request: str = "") -> None:
        if self._events(w) and not any(event.event_type == SCHEDULED_EVENT for event in self._events(w)):
            self.told.append("waits for its first task")  # docs/differences.md
            return
        if rpc == "Unpause" and self._races(w, self._moved, self._unseen):
            return
        fields = {"workflow_id": self._id(w), "reason": "why", "request_id": request}
        self._ask(f"{rpc}WorkflowExecution", **fields)

    def reset(self, w: str, task: int = 0, **options: Any) -> None:
        """To the `task`th workflow task of the present run that has ended."""
        described = self._describe(w)
        run_id = described.workflow_execution_info.execution.run_id if described else ""
        ends = [event.event_id for event in self._events(w) if event.event_type in (7, 8, 9)]
        if not ends or any(event.event_type == INITIATED for event in self._events(w)):
            self.told.append("nothing to reset")  # docs/differences.md: children that a reset keeps
            return
        reset = {
            "workflow_task_finish_event_id": ends[task % len(ends)],
            "reason": "why",
            "request_id": f"reset {self._index}",
        }
        execution = {"workflow_id": self._id(w), "run_id": run_id}
        reply = self._ask("ResetWorkflowExecution", workflow_execution=execution, **reset, **options)
        if reply is not None:
            self._note(w, reply.run_id)

    def query(self, w: str, how: str = "answer", reject: int = 0) -> None:
        """A query that is answered at once, with the workflow task that waits if there is one. (One that has to wait may be lost on the
        official server, whatever else is called.)"""
        if w in self._held:
            self.told.append("a task is held")
            return
        fields = {"query": {"query_type": "q", "query_args": payloads("5")}, "query_reject_condition": reject}
        call = self._later("QueryWorkflow", execution={"workflow_id": self._id(w)}, **fields)
        self._beside.append((self._index, w, call))
        time.sleep(QUIET)
        described = self._describe(w)
        if call.done() or described is None:
            return
        open = described.workflow_execution_info.status in OPEN
        if open and described.HasField("pending_workflow_task"):
            self.take(w)
            self.answer(w, queries=how)
            return
        task = self._poll(w, 2.5)
        if task is None or not task.HasField("query"):
            self.told.append("no query came")
            return
        self.tell(task)
        self._respond_query(task.task_token, how)

    def _respond_query(self, token: bytes, how: str) -> None:
        ends = {"completed_type": 1, "query_result": payloads("6")}
        if how == "fail":
            ends = {"completed_type": 2, "error_message": "boom", "failure": BOOM}
        self._ask("RespondQueryTaskCompleted", task_token=token, **ends)

    def describe(self, w: str, run_id: str = "") -> None:
        described = self._describe(w, run_id)
        if described is None:
            self.told.append("not found")
            return
        self._level(described)
        order(described.pending_activities, "activity_id")
        order(described.pending_children, "initiated_id")
        self.tell(described)

    def _level(self, described: Any) -> None:
        """Takes away what docs/differences.md explains."""
        info = described.workflow_execution_info
        if info.status not in OPEN:
            described.ClearField("pending_workflow_task")
        if not info.auto_reset_points.points:
            info.ClearField("auto_reset_points")
        for request in described.workflow_extended_info.request_id_infos.values():
            if request.event_type == STARTED:
                request.event_id = 1

    def wait(self, w: str, s: float) -> None:
        time.sleep(s)

    def activity_rpc(self, w: str, rpc: str, id: str = "", **options: Any) -> None:
        """Pause, unpause, reset, or other options, of activity `id` or of all of type Act."""
        which = {"id": id} if id else {"type": "Act"}
        self._ask(rpc, execution={"workflow_id": self._id(w)}, **which, **options)
        self._expect(0.3)

    def _races(self, w: str, mine: set[str], other: set[str]) -> bool:
        """A task that is offered anew comes without waiting updates, in some runs of the official server: docs/differences.md."""
        if w in other:
            self.told.append("an update and a task that is offered anew")
            return True
        mine.add(w)
        return False

    def options(self, w: str, priority: int = 0) -> None:
        if self._races(w, self._moved, self._unseen):
            return
        fields: Fields = {"workflow_execution_options": {"priority": {"priority_key": priority}}}
        if not priority:
            fields = {"workflow_execution_options": {"versioning_override": {"auto_upgrade": True}}}
        fields["update_mask"] = {"paths": ["priority" if priority else "versioning_override"]}
        self._ask("UpdateWorkflowExecutionOptions", workflow_execution={"workflow_id": self._id(w)}, **fields)

    def reset_sticky(self, w: str) -> None:
        self._ask("ResetStickyTaskQueue", execution={"workflow_id": self._id(w)})

    # What workers do ---------------------------------------------------------------------------------------------------------------

    def _poll(self, w: str, timeout: float = POLL) -> Any:
        """The task that the workflow's queue has, or its sticky one; None when none comes."""
        names: list[Fields] = [{"name": self._id(w)}]
        if w in self._sticky:
            names.append({"name": f"{self._id(w)}-sticky", "kind": 2, "normal_name": self._id(w)})
        stub = self.world.workflows.PollWorkflowTaskQueue
        calls = [stub.future(self._request("PollWorkflowTaskQueue", {"task_queue": n}), timeout=timeout) for n in names]
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            for call in calls:
                if call.done() and call.exception() is None and call.result().task_token:
                    for other in calls:
                        other.cancel()
                    return call.result()
            time.sleep(0.003)
        return None

    def take(self, w: str, lose: bool = False) -> None:
        """The workflow task goes to the worker, who keeps it until an answer, or loses it."""
        described = self._describe(w)
        waits = described is not None and described.workflow_execution_info.status in OPEN
        if not waits or described.pending_workflow_task.state != SCHEDULED:
            self.told.append("no task waits")
            return
        task = self._poll(w)
        if task is None:
            self.told.append("no task came")
            return
        self._moved.discard(w)
        self._unseen.discard(w)
        self.tell(task)
        self._hold(w, task)
        if lose:
            self._expect(self._task_timeout.get(w, 0) + 0.1)

    def _hold(self, w: str, task: Any) -> None:
        if w in self._held:
            self._stale[w] = self._held[w]
        self._held[w] = task

    def answer(  # type: ignore[override]
        self,
        w: str,
        commands: Iterable[list[Any]] = (),
        updates: str = "complete",
        finish: Iterable[str] = (),
        queries: str = "answer",
        **options: Any,
    ) -> None:
        """Answers the task that is held (or, with `stale`, the one before)."""
        task = self._stale.get(w) if options.get("stale") else self._held.pop(w, None)
        if task is None:
            self.told.append("no task is held")
            return
        self._stale[w] = task
        packets = self._packets(task, updates, finish)
        made = [self._command(w, *each) for each in commands]
        protocol = [command("protocol_message", message_id=packet.id) for packet in packets]
        fields: Fields = {"task_token": task.task_token, "messages": packets, "commands": [*protocol, *made]}
        if task.queries and queries != "ignore":
            fields["query_results"] = {id: query_result(queries) for id in task.queries}
        if options.get("heartbeat"):
            fields["force_create_new_workflow_task"] = True
        if options.get("more"):
            fields["return_new_workflow_task"] = True
        if options.get("sticky"):
            queue = {"name": f"{self._id(w)}-sticky", "kind": 2, "normal_name": self._id(w)}
            fields["sticky_attributes"] = {"worker_task_queue": queue, "schedule_to_start_timeout": seconds(60)}
            self._sticky.add(w)
        reply = self._ask("RespondWorkflowTaskCompleted", **fields)
        if reply is not None and reply.HasField("workflow_task"):
            self._hold(w, reply.workflow_task)

    def _packets(self, task: Any, how: str, finish: Iterable[str]) -> list[Packet]:
        out = [packet(id, Response(meta=UpdateMeta(update_id=id), outcome=Outcome(success=payloads("7")))) for id in finish]  # fmt: skip
        for message in task.messages:
            id, request = message.protocol_instance_id, Request()
            message.body.Unpack(request)
            about: Fields = {"event": message.event_id, "id": message.id, "request": request}
            if how == "reject":
                out.append(packet(id, rejection(about)))
            if how in ("accept", "complete"):
                out.append(packet(id, acceptance(about)))
            if how == "complete":
                outcome = Outcome(success=payloads("7"))
                out.append(packet(id, Response(meta=request.meta, outcome=outcome)))
        return out

    def fail(self, w: str, cause: int = 14) -> None:
        task = self._held.pop(w, None)
        if task is None:
            self.told.append("no task is held")
            return
        self._stale[w] = task
        self._ask("RespondWorkflowTaskFailed", task_token=task.task_token, cause=cause, failure=BOOM)

    def take_activity(self, w: str, id: str) -> None:
        described = self._describe(w)
        open = described is not None and described.workflow_execution_info.status in OPEN
        pending = {a.activity_id: a for a in described.pending_activities} if open else {}
        if id not in pending or pending[id].state != SCHEDULED:
            self.told.append("no activity waits")
            return
        queue = {"name": f"{self._id(w)}-{id}"}
        request = self._request("PollActivityTaskQueue", {"task_queue": queue})
        try:
            task = self.tell(self.world.workflows.PollActivityTaskQueue(request, timeout=POLL))
        except grpc.RpcError:
            self.told.append("no activity came")
            return
        self._tokens[w, id] = task.task_token
        self._expect(*self._limits.get((w, id), ()))

    def activity(self, w: str, id: str, how: str, by_id: bool = False) -> None:
        """Completes, fails or cancels an activity that was taken, or tells of its progress."""
        rpc, fields = ENDS[how]
        if by_id:
            rpc += "ById"
            fields = fields | {"workflow_id": self._id(w), "activity_id": id}
        elif (w, id) in self._tokens:
            fields = fields | {"task_token": self._tokens[w, id]}
        else:
            self.told.append("no activity is held")
            return
        self._ask(rpc, **fields)
        self._expect(*self._limits.get((w, id), ()), 0.15)

    # The end -----------------------------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """Describes every run, terminates what is open, and tells the answers of calls that ran beside and all histories."""
        self.told.append("end")
        runs = [(name, run_id) for name in NAMES for run_id in self._chain(name)]
        for name, run_id in runs:
            self.describe(name, run_id)
        for name in NAMES:
            request = {"workflow_execution": {"workflow_id": self._id(name)}, "reason": "end"}
            try:
                self.call("TerminateWorkflowExecution", **request)
            except grpc.RpcError:
                continue
            self._settle()
        self._tell_beside()
        for name, run_id in runs:
            self.told.append(f"history of {name}")
            for event in self._events(name, run_id):
                self.tell(event)

    def _tell_beside(self) -> None:
        """A call that was refused late is like one that still waits: the official server tries some of them again, until it has no time."""
        time.sleep(QUIET if all(call.done() for _, _, call in self._beside) else 0.3)
        for index, w, call in self._beside:
            self.told.append(f"answer to step {index} on {w}")
            late = index not in self._prompt
            if not call.done() or (call.exception() and (late or call.code() in AGAIN)):
                call.cancel()
                self.told.append("not served")
            elif call.exception() is not None:
                self._tell_error(call.exception())
            else:
                reply = call.result()
                if isinstance(reply, messages.QueryWorkflowResponse):
                    reply.ClearField("link")  # docs/differences.md
                self.tell(reply)

    def _chain(self, name: str) -> list[str]:
        """Every run that the workflow has had, oldest first."""
        born: dict[str, int] = {}
        wanted = list(self._runs[name])
        while wanted:
            run_id = wanted.pop()
            events = self._events(name, run_id) if run_id not in born else []
            if not events:
                continue
            born[run_id] = events[0].event_time.ToNanoseconds()
            started = events[0].workflow_execution_started_event_attributes
            last = getattr(events[-1], events[-1].WhichOneof("attributes") or "")
            wanted += [
                id for id in (started.continued_execution_run_id, getattr(last, "new_execution_run_id", "")) if id
            ]
        return sorted(born, key=lambda run_id: born[run_id])
