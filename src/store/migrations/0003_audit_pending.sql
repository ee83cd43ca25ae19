-- Refusals of the running minute, counted and not in the log yet: what their records will be, one for
-- each kind. ip_address and user_agent are commitments, which `sealed` opens, as in the log.
CREATE TABLE audit_pending (
    place INTEGER NOT NULL PRIMARY KEY,
    event_type TEXT NOT NULL,
    user_id TEXT,
    actor_id TEXT,
    ip_address TEXT,
    user_agent TEXT,
    session TEXT,
    request_id TEXT,
    outcome TEXT NOT NULL CHECK (outcome IN ('success', 'failure')),
    metadata TEXT NOT NULL,
    sealed BLOB
) STRICT;
