-- Counts of workflows by status and type, asked for all the time by dashboards, from an index instead of the whole table.

CREATE INDEX visible_status ON visible (namespace_id, status, workflow_type);
