-- The audit log: one chain of records for each process that writes at a time. Times are
-- microseconds since 1970.

-- The newest record of each chain (seq 0: none yet). Who writes one holds the advisory lock
-- (oid of this table, id).
CREATE TABLE audit_chains (
    id bigint NOT NULL PRIMARY KEY CHECK (id > 0 AND id < 2147483648),
    seq bigint NOT NULL CHECK (seq >= 0),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);

-- What units have appended, until the process's sealer gives it its place in the chain. `refused`:
-- it can be no record of the version that looked at it last.
CREATE TABLE audit_unsealed (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chain bigint NOT NULL,
    time bigint NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    user_id text COLLATE "C",
    actor_id text COLLATE "C",
    ip_address text,
    user_agent text,
    session text,
    request_id text,
    outcome text NOT NULL CHECK (outcome IN ('success', 'failure')),
    metadata text NOT NULL,
    sealed bytea,
    refused boolean NOT NULL DEFAULT false
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000); -- all rows go
CREATE INDEX audit_unsealed_chain ON audit_unsealed (chain, id) WHERE NOT refused;

-- Append-only, but for the oldest of each chain, which retention drops. ip_address, user_agent and
-- personal members of metadata are commitments, which `sealed` opens. `position` is for pages of
-- every chain; no hash covers it, so that verification looks whether it rises along each chain.
CREATE TABLE security_audit_log (
    chain bigint NOT NULL CHECK (chain > 0),
    seq bigint NOT NULL CHECK (seq > 0),
    position bigint GENERATED ALWAYS AS IDENTITY UNIQUE CHECK (position > 0),
    time bigint NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    user_id text COLLATE "C",
    actor_id text COLLATE "C",
    ip_address text,
    user_agent text,
    session text,
    request_id text,
    outcome text NOT NULL CHECK (outcome IN ('success', 'failure')),
    metadata text NOT NULL,
    prev_hash bytea NOT NULL CHECK (octet_length(prev_hash) = 32),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    sealed bytea,
    PRIMARY KEY (chain, seq)
);
-- Over records without an account too: one that names none must not be cheaper to write, or the
-- time of a failed sign-in would tell that there is no such account. Who did it is somebody else in
-- few records; the others (both the same, or both nobody) are found by whom they speak of. In one
-- chain positions are in the order of numbers.
CREATE INDEX security_audit_log_user ON security_audit_log (user_id, position);
CREATE INDEX security_audit_log_actor ON security_audit_log (actor_id, position)
    WHERE actor_id IS DISTINCT FROM user_id;
CREATE INDEX security_audit_log_event ON security_audit_log (event_type, position);
-- The newest one is looked for whenever one is signed, the newest before a time for retention.
CREATE INDEX security_audit_log_checkpoint ON security_audit_log (chain, seq) INCLUDE (time)
    WHERE event_type = 'audit_checkpoint';

-- Refusals of the running minute, counted and not in the log yet: what their records will be, one
-- for each kind. ip_address and user_agent are commitments, which `sealed` opens, as in the log.
CREATE TABLE audit_pending (
    chain bigint NOT NULL,
    place bigint NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    user_id text COLLATE "C",
    actor_id text COLLATE "C",
    ip_address text,
    user_agent text,
    session text,
    request_id text,
    outcome text NOT NULL CHECK (outcome IN ('success', 'failure')),
    metadata text NOT NULL,
    sealed bytea,
    PRIMARY KEY (chain, place)
);
