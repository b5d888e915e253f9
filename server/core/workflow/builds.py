"""Which builds of a worker have worked on a run: the points to which it can be reset automatically, and what its search attributes say of it.

Source: service/history/workflow/mutable_state_impl.go addResetPointFromCompletion, updateBuildIdsAndDeploymentSearchAttributes.
"""

from __future__ import annotations

import json

from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import VersioningBehavior
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import ResetPointInfo

from server.core import payloads
from server.core.state import State
from server.core.workflow import versioning

BUILD_IDS, BINARY_CHECKSUMS = "BuildIds", "BinaryChecksums"
DEPLOYMENT, VERSION = "TemporalWorkerDeployment", "TemporalWorkerDeploymentVersion"
BEHAVIOR = "TemporalWorkflowVersioningBehavior"
UNVERSIONED, PINNED = "unversioned", "pinned:"
POINTS_MAX = 20  # history.historyMaxAutoResetPoints
VALUE_BYTES_MAX = 2048  # frontend.searchAttributesSizeOfValueLimit


def note_completed(state: State, event: HistoryEvent) -> None:
    """A workflow task was completed by some build: the first of each build is kept."""
    a, core = event.workflow_task_completed_event_attributes, state.core
    points = core.auto_reset_points.points
    build_id = a.worker_version.build_id
    new = all(p.binary_checksum != a.binary_checksum or p.build_id != build_id for p in points)
    if new:
        point = ResetPointInfo(
            binary_checksum=a.binary_checksum,
            build_id=build_id,
            run_id=state.key.run_id,
            first_workflow_task_completed_id=event.event_id,
            create_time=event.event_time,
            resettable=True,
        )
        points.append(point)
        del points[:-POINTS_MAX]
        if a.binary_checksum:
            payloads.set_keyword(
                core.search_attributes, BINARY_CHECKSUMS, [p.binary_checksum for p in points if p.binary_checksum]
            )
    if new or BUILD_IDS not in core.search_attributes.indexed_fields:
        _note_build(state, build_id, versioned=a.worker_version.use_versioning)


def _note_build(state: State, build_id: str, *, versioned: bool) -> None:
    known = state.core.search_attributes.indexed_fields
    before: list[str] = json.loads(known[BUILD_IDS].data) if BUILD_IDS in known else []
    build = f"{'versioned' if versioned else UNVERSIONED}:{build_id}" if build_id else ""
    values = [value for value in before if value != UNVERSIONED and not value.startswith(PINNED)]
    if build and build not in values:
        values.append(build)
    while len(json.dumps(values)) > VALUE_BYTES_MAX:
        del values[0]
    if versioning.behavior(state) == versioning.PINNED:
        values.insert(0, PINNED + _name(versioning.version(state)))
    elif not versioned and not versioning.behavior(state):
        values.insert(0, UNVERSIONED)
    payloads.set_keyword(state.core.search_attributes, BUILD_IDS, values)


def note_version(state: State) -> None:
    """The run is on another version now."""
    known, on, kind = state.core.search_attributes, versioning.version(state), versioning.behavior(state)
    _note_build(state, "", versioned=False)
    payloads.set_keyword(known, DEPLOYMENT, on.deployment_name if on else "")
    payloads.set_keyword(known, VERSION, _name(on))
    name = VersioningBehavior.Name(kind).removeprefix("VERSIONING_BEHAVIOR_").title().replace("_", "")
    payloads.set_keyword(known, BEHAVIOR, name if kind else "")


def _name(version: WorkerDeploymentVersion | None) -> str:
    return f"{version.deployment_name}:{version.build_id}" if version else ""
