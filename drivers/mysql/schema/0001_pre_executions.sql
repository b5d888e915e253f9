-- Everything that a first server needs: leases, runs and what hangs on them, tasks, lists of workflows, small records, members.
-- Text is VARBINARY, which compares by its bytes in UTF-8, with no regard to collations and blanks at the end.

CREATE TABLE lease (
    number BIGINT AUTO_INCREMENT PRIMARY KEY,
    name VARBINARY(1000) NOT NULL UNIQUE,
    range_id BIGINT NOT NULL,
    owner VARBINARY(1000) NOT NULL,
    runs BIGINT NOT NULL -- how many run numbers it has given out
);

-- A run's number is its lease's number, then a count: 40 bits. New runs stand together at the end of every table.
CREATE TABLE run (
    number BIGINT PRIMARY KEY,
    lease BIGINT NOT NULL,
    namespace_id VARBINARY(1000) NOT NULL,
    workflow_id VARBINARY(1000) NOT NULL,
    run_id VARBINARY(1000) NOT NULL,
    core LONGBLOB, -- NULL: only history or a list entry of it is stored
    wake_at BIGINT
);

CREATE UNIQUE INDEX run_key ON run (lease, run_id, workflow_id, namespace_id);

CREATE INDEX run_wake ON run (lease, wake_at);

CREATE TABLE pointer (
    lease BIGINT NOT NULL,
    namespace_id VARBINARY(1000) NOT NULL,
    workflow_id VARBINARY(1000) NOT NULL,
    run_id VARBINARY(1000) NOT NULL,
    data LONGBLOB NOT NULL,
    PRIMARY KEY (lease, namespace_id, workflow_id)
);

CREATE TABLE pending (
    run BIGINT NOT NULL,
    kind INT NOT NULL,
    id VARBINARY(1000) NOT NULL,
    data LONGBLOB NOT NULL,
    PRIMARY KEY (run, kind, id)
);

CREATE TABLE history (
    run BIGINT NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    data LONGBLOB NOT NULL,
    PRIMARY KEY (run, first)
);

CREATE TABLE task (
    lease BIGINT NOT NULL,
    kind VARBINARY(1000) NOT NULL,
    id BIGINT NOT NULL,
    data LONGBLOB NOT NULL,
    PRIMARY KEY (lease, kind, id)
);

CREATE TABLE visible (
    run BIGINT PRIMARY KEY,
    namespace_id VARBINARY(1000) NOT NULL,
    workflow_id VARBINARY(1000) NOT NULL,
    run_id VARBINARY(1000) NOT NULL,
    workflow_type VARBINARY(1000) NOT NULL,
    task_queue VARBINARY(1000) NOT NULL,
    status INT NOT NULL,
    start_time BIGINT NOT NULL,
    execution_time BIGINT NOT NULL,
    close_time BIGINT, -- NULL: open
    closed BIGINT NOT NULL, -- close_time for sorting: the highest number when open
    history_length BIGINT NOT NULL,
    history_size_bytes BIGINT NOT NULL,
    state_transition_count BIGINT NOT NULL,
    parent_workflow_id VARBINARY(1000),
    parent_run_id VARBINARY(1000),
    root_workflow_id VARBINARY(1000),
    root_run_id VARBINARY(1000),
    memo LONGBLOB NOT NULL,
    attributes LONGBLOB NOT NULL,
    search LONGBLOB NOT NULL -- the custom search attributes as JSON, to be given back
);

CREATE INDEX visible_order ON visible (namespace_id, closed, start_time, run_id);

CREATE INDEX visible_workflow ON visible (namespace_id, workflow_id);

CREATE INDEX visible_status ON visible (namespace_id, status, workflow_type);

-- The custom search attributes again, one row a value, to be searched.
CREATE TABLE search (
    run BIGINT NOT NULL,
    name VARBINARY(1000) NOT NULL,
    position INT NOT NULL,
    word VARBINARY(8000),
    whole BIGINT,
    fraction DOUBLE,
    PRIMARY KEY (run, name, position)
);

CREATE INDEX search_word ON search (name (100), word (500), run);

CREATE INDEX search_whole ON search (name, whole, run);

CREATE INDEX search_fraction ON search (name, fraction, run);

CREATE TABLE record (
    kind VARBINARY(1000) NOT NULL,
    id VARBINARY(1000) NOT NULL,
    version BIGINT NOT NULL,
    data LONGBLOB NOT NULL,
    PRIMARY KEY (kind, id)
);

CREATE TABLE member (
    id VARBINARY(1000) PRIMARY KEY,
    data LONGBLOB NOT NULL,
    expires_at DOUBLE NOT NULL
);
