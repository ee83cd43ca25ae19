-- The log becomes a chain, and the keys of persons come. Records that are there have no hashes and
-- can't get any that prove something: the log begins anew (nothing was released with it).

DROP TABLE security_audit_log;

-- Append-only, but for the oldest ones, which retention drops. The adapter gives the numbers: the
-- one of the last record and one more, in the same transaction. ip_address, user_agent and personal
-- members of metadata are commitments, which `sealed` opens.
CREATE TABLE security_audit_log (
    seq INTEGER NOT NULL PRIMARY KEY CHECK (seq > 0),
    time INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    user_id TEXT,
    actor_id TEXT,
    ip_address TEXT,
    user_agent TEXT,
    session TEXT,
    request_id TEXT,
    outcome TEXT NOT NULL CHECK (outcome IN ('success', 'failure')),
    metadata TEXT NOT NULL,
    prev_hash BLOB NOT NULL CHECK (length(prev_hash) = 32),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    sealed BLOB
) STRICT;
-- Over records without an account too: one that names none must not be cheaper to write, or the
-- time of a failed sign-in would tell that there is no such account. Who did it is somebody else in
-- few records; the others (both the same, or both nobody) are found by whom they speak of.
CREATE INDEX security_audit_log_user ON security_audit_log (user_id);
CREATE INDEX security_audit_log_actor ON security_audit_log (actor_id)
    WHERE actor_id IS NOT user_id;
CREATE INDEX security_audit_log_event ON security_audit_log (event_type);

-- Of an account (its id) or of a day ("day:2026-01-31"). What the log has of somebody is gone when
-- the key is.
CREATE TABLE person_keys (
    person TEXT NOT NULL PRIMARY KEY,
    wrapped BLOB NOT NULL,
    created_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
