-- Everything that a first server needs: leases, runs and what hangs on them, tasks, lists of workflows, small records, members.

CREATE TABLE lease (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    range_id INTEGER NOT NULL,
    owner TEXT NOT NULL,
    runs INTEGER NOT NULL -- how many run numbers it has given out
);

-- A run's number is its lease's number, then a count: 40 bits. New runs stand together at the end of every table.
CREATE TABLE run (
    number INTEGER PRIMARY KEY,
    lease INTEGER NOT NULL,
    namespace_id TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    core BLOB, -- NULL: only history or a list entry of it is stored
    wake_at INTEGER,
    UNIQUE (lease, namespace_id, workflow_id, run_id)
);

CREATE INDEX run_wake ON run (lease, wake_at) WHERE wake_at IS NOT NULL;

CREATE TABLE pointer (
    lease INTEGER NOT NULL,
    namespace_id TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (lease, namespace_id, workflow_id)
);

CREATE TABLE pending (
    run INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    id TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (run, kind, id)
);

CREATE TABLE history (
    run INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (run, first)
);

CREATE TABLE task (
    lease INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (lease, kind, id)
);

CREATE TABLE visible (
    run INTEGER PRIMARY KEY,
    namespace_id TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    workflow_type TEXT NOT NULL,
    task_queue TEXT NOT NULL,
    status INTEGER NOT NULL,
    start_time INTEGER NOT NULL,
    execution_time INTEGER NOT NULL,
    close_time INTEGER, -- NULL: open
    closed INTEGER NOT NULL, -- close_time for sorting: the highest number when open
    history_length INTEGER NOT NULL,
    history_size_bytes INTEGER NOT NULL,
    state_transition_count INTEGER NOT NULL,
    parent_workflow_id TEXT,
    parent_run_id TEXT,
    root_workflow_id TEXT,
    root_run_id TEXT,
    memo BLOB NOT NULL,
    attributes BLOB NOT NULL,
    search TEXT NOT NULL -- the custom search attributes as JSON, to be given back
);

CREATE INDEX visible_order ON visible (namespace_id, closed, start_time, run_id);

CREATE INDEX visible_workflow ON visible (namespace_id, workflow_id);

-- The custom search attributes again, one row a value, to be searched.
CREATE TABLE search (
    run INTEGER NOT NULL,
    name TEXT NOT NULL,
    position INTEGER NOT NULL,
    word TEXT,
    whole INTEGER,
    fraction REAL,
    PRIMARY KEY (run, name, position)
);

CREATE TABLE record (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (kind, id)
);

CREATE TABLE member (
    id TEXT PRIMARY KEY,
    data BLOB NOT NULL,
    expires_at REAL NOT NULL
);
