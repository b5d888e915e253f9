"""The limits that decisions look at, with the official defaults. Each field names its dynamic-config key, its unit is last in the name.

Source of keys and defaults: common/dynamicconfig/constants.go.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
KIB = 1024
MIB = 1024 * KIB


def _key(name: str, default: float | bool) -> int:
    """A limit with its dynamic-config key (typed int for the checker; the default's type is what the field holds)."""
    value: int = field(default=default, metadata={"key": name})  # type: ignore[assignment]
    return value


@dataclass(frozen=True, slots=True)
class Limits:
    """What one namespace may do."""

    id_length_max: int = _key("limit.maxIDLength", 1000)
    blob_size_bytes_warn: int = _key("limit.blobSize.warn", 512 * KIB)
    blob_size_bytes_max: int = _key("limit.blobSize.error", 2 * MIB)
    memo_size_bytes_max: int = _key("limit.memoSize.error", 2 * MIB)
    history_size_bytes_suggest: int = _key("limit.historySize.suggestContinueAsNew", 4 * MIB)
    history_count_suggest: int = _key("limit.historyCount.suggestContinueAsNew", 4 * KIB)
    history_size_bytes_max: int = _key("limit.historySize.error", 50 * MIB)
    history_count_max: int = _key("limit.historyCount.error", 50 * KIB)
    pending_activities_max: int = _key("limit.numPendingActivities.error", 2000)
    pending_signals_max: int = _key("limit.numPendingSignals.error", 2000)
    pending_cancels_max: int = _key("limit.numPendingCancelRequests.error", 2000)
    pending_children_max: int = _key("limit.numPendingChildExecutions.error", 2000)
    updates_in_flight_max: int = _key("history.maxInFlightUpdates", 10)
    updates_in_flight_bytes_max: int = _key("history.maxInFlightUpdatePayloads", 20 * MIB)
    updates_max: int = _key("history.maxTotalUpdates", 2000)
    updates_suggest_fraction: float = _key("history.maxTotalUpdates.suggestContinueAsNewThreshold", 0.9)
    speculative_events_max: int = _key("history.discardSpeculativeWorkflowTaskMaximumEventsCount", 10)
    signals_max: int = _key("history.maximumSignalsPerExecution", 10000)
    buffered_events_max: int = _key("history.maximumBufferedEventsBatch", 100)
    buffered_bytes_max: int = _key("history.maximumBufferedEventsSizeInBytes", 2 * MIB)
    buffered_queries_max: int = _key("history.MaxBufferedQueryCount", 1)
    activity_retry_initial_interval: int = SECOND
    activity_retry_interval_coefficient: float = 2.0
    activity_retry_interval_factor_max: float = 100.0
    workflow_start_interval_min: int = _key("history.workflowIdReuseMinimalInterval", SECOND)
    workflow_task_timeout: int = _key("history.defaultWorkflowTaskTimeout", 10 * SECOND)
    workflow_task_timeout_max: int = 120 * SECOND
    workflow_task_heartbeat_timeout: int = _key("history.workflowTaskHeartbeatTimeout", 30 * MINUTE)
    workflow_task_retry_max_interval: int = _key("history.workflowTaskRetryMaxInterval", 10 * MINUTE)
    search_attributes_keys_max: int = _key("frontend.searchAttributesNumberOfKeysLimit", 100)
    search_attributes_value_bytes_max: int = _key("frontend.searchAttributesSizeOfValueLimit", 2 * KIB)
    search_attributes_total_bytes_max: int = _key("frontend.searchAttributesTotalSizeLimit", 40 * KIB)
    workflow_pause: int = _key("frontend.WorkflowPauseEnabled", False)
    nexus_operations_max: int = _key("component.nexusoperations.limit.operation.concurrency", 30)
    nexus_service_length_max: int = _key("component.nexusoperations.limit.service.name.length", 1000)
    nexus_operation_length_max: int = _key("component.nexusoperations.limit.operation.name.length", 1000)
    nexus_token_length_max: int = _key("component.nexusoperations.limit.operation.token.length", 4096)
    nexus_header_bytes_max: int = _key("component.nexusoperations.limit.header.size", 8192)
    nexus_request_timeout: int = _key("component.nexusoperations.request.timeout", 10 * SECOND)
    nexus_request_timeout_min: int = _key("component.nexusoperations.limit.request.timeout.min", 1500 * SECOND // 1000)
    callbacks_max: int = _key("system.maxCallbacksPerWorkflow", 32)
    callback_url_length_max: int = _key("frontend.callbackURLMaxLength", 1000)
    callback_header_bytes_max: int = _key("frontend.callbackHeaderMaxLength", 8 * KIB)
    callback_request_timeout: int = _key("component.callbacks.request.timeout", 10 * SECOND)
    callback_addresses: tuple[
        tuple[str, bool], ...
    ] = ()  # component.callbacks.allowedAddresses: pattern, whether http will do
    failure_size_bytes_max: int = _key("limit.mutableStateActivityFailureSize.error", 4 * KIB)


KEYS = {f.metadata["key"]: f.name for f in fields(Limits) if "key" in f.metadata}
