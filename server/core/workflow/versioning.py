"""Which version of the workers a run is to run on: the override that callers set at the start or later, and what follows from it.

Overrides are kept in today's form; the fields of earlier releases are read, and shown beside. Source: common/worker_versioning,
service/history/workflow/mutable_state_impl.go updateVersioningOverride, GetEffectiveDeployment.
"""

from __future__ import annotations

from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import VersioningBehavior
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionVersioningInfo

from server.core.rejected import InvalidArgument
from server.core.state import State

B = VersioningBehavior
UNSPECIFIED, AUTO_UPGRADE = B.VERSIONING_BEHAVIOR_UNSPECIFIED, B.VERSIONING_BEHAVIOR_AUTO_UPGRADE
PINNED = B.VERSIONING_BEHAVIOR_PINNED
PINNED_OVERRIDE = VersioningOverride.PINNED_OVERRIDE_BEHAVIOR_PINNED


def check(override: VersioningOverride) -> None:
    """Raises InvalidArgument when the fields do not fit together (ValidateVersioningOverrideStructure)."""
    kind = override.WhichOneof("override")
    if kind == "auto_upgrade":
        _require(override.auto_upgrade, "auto-upgrade override must be true")
    elif kind == "pinned":
        _require(override.pinned.HasField("version"), "must provide version if override is pinned.")
        _require(override.pinned.behavior, "must specify pinned override behavior if override is pinned.")
    elif kind == "one_time":
        given = override.one_time.HasField("target_deployment_version")
        _require(given, "must provide target deployment version if override is one-time.")
    else:
        _check_old(override)


def _check_old(override: VersioningOverride) -> None:
    text, deployment = override.pinned_version, override.HasField("deployment")
    if override.behavior == PINNED and not deployment:
        _require(text, "must provide deployment (deprecated) or pinned version if behavior is 'PINNED'")
        sentence = f'invalid version string "{text}", expected format is "<deployment_name>.<build_id>"'
        _require(all(_parts(text)), sentence)
    elif override.behavior == AUTO_UPGRADE:
        _require(not deployment, "only provide deployment if behavior is 'PINNED'")
        _require(not text, "only provide pinned version if behavior is 'PINNED'")
    else:
        _require(override.behavior, "override behavior is required")
        _require(override.behavior == PINNED, f"override behavior {override.behavior} not recognized")


def _require(holds: object, sentence: str) -> None:
    if not holds:
        raise InvalidArgument(sentence)


def _parts(text: str) -> tuple[str, str]:
    name, _, build_id = text.partition("." if "." in text else ":")
    return name, build_id


def today(override: VersioningOverride) -> VersioningOverride:
    """The same override in the fields of today (ConvertOverrideToV32)."""
    if override.WhichOneof("override"):
        kept = VersioningOverride()
        kept.CopyFrom(override)
        for old in ("behavior", "deployment", "pinned_version"):
            kept.ClearField(old)  # type: ignore[arg-type]
        return kept
    if override.behavior == AUTO_UPGRADE:
        return VersioningOverride(auto_upgrade=True)
    name, build_id = override.deployment.series_name, override.deployment.build_id
    if override.pinned_version:
        name, build_id = _parts(override.pinned_version)
    return pinned(WorkerDeploymentVersion(deployment_name=name, build_id=build_id))


def pinned(version: WorkerDeploymentVersion) -> VersioningOverride:
    """Pins to the version."""
    return VersioningOverride(pinned=VersioningOverride.PinnedOverride(behavior=PINNED_OVERRIDE, version=version))


def target(override: VersioningOverride) -> WorkerDeploymentVersion | None:
    """The version that an override of today names."""
    kind = override.WhichOneof("override")
    if kind == "pinned":
        return override.pinned.version
    return override.one_time.target_deployment_version if kind == "one_time" else None


def behavior(state: State) -> VersioningBehavior.ValueType:
    """How the run moves between versions: the override says, or else its worker."""
    info = state.core.versioning_info
    kind = info.versioning_override.WhichOneof("override")
    return info.behavior if kind is None else AUTO_UPGRADE if kind == "auto_upgrade" else PINNED


def version(state: State) -> WorkerDeploymentVersion | None:
    """The version that the run is on, or is to go to."""
    info = state.core.versioning_info
    named = target(info.versioning_override) if info.HasField("versioning_override") else None
    if named is None and info.behavior and info.HasField("deployment_version"):
        return info.deployment_version
    return named


def set_override(state: State, override: VersioningOverride | None) -> bool:
    """What a fold does with a new override; None removes it. True when the run is on another version by it: its next workflow task is no
    longer for the worker that has its history."""
    core, before = state.core, (behavior(state), version(state))
    if override is not None:
        core.versioning_info.versioning_override.CopyFrom(today(override))
        named = target(core.versioning_info.versioning_override)
        core.worker_deployment_name = named.deployment_name if named else core.worker_deployment_name
    else:
        if core.HasField("versioning_info"):
            core.versioning_info.ClearField("versioning_override")
        core.worker_deployment_name = core.versioning_info.deployment_version.deployment_name
    changed = (behavior(state), version(state)) != before
    if changed:
        core.versioning_info.ClearField("deployment_transition")
        core.versioning_info.ClearField("version_transition")
        core.ClearField("sticky")
    return changed


def shown(info: WorkflowExecutionVersioningInfo) -> WorkflowExecutionVersioningInfo:
    """As callers see it: with the fields of earlier releases (AddV31VersioningInfoToV32)."""
    out = WorkflowExecutionVersioningInfo()
    out.CopyFrom(info)
    if out.HasField("deployment_version"):
        out.version = f"{out.deployment_version.deployment_name}.{out.deployment_version.build_id}"
    override = out.versioning_override
    if override.WhichOneof("override") == "auto_upgrade":
        override.behavior = AUTO_UPGRADE
    elif override.WhichOneof("override") == "pinned":
        on = override.pinned.version
        override.behavior, override.pinned_version = PINNED, f"{on.deployment_name}.{on.build_id}"
    return out
