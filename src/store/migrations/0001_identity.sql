-- Accounts, what hangs on them, and the audit log. Times are microseconds since 1970, 0: never.
-- Sealed fields are BLOB. The numbers of status and purpose are those of identity/store.h.

CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    email_index BLOB NOT NULL UNIQUE CHECK (length(email_index) = 32),
    email BLOB,
    email_verified_us INTEGER NOT NULL,
    password_hash TEXT,
    password_changed_us INTEGER NOT NULL,
    name BLOB,
    locale TEXT,
    roles TEXT,
    status INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    last_login_us INTEGER NOT NULL,
    totp_secret BLOB,
    totp_enabled INTEGER NOT NULL,
    totp_last_step INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    family TEXT NOT NULL PRIMARY KEY CHECK (length(family) = 36),
    session_id TEXT NOT NULL UNIQUE CHECK (length(session_id) = 36),
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    secret BLOB,
    counter INTEGER NOT NULL,
    token_hash BLOB NOT NULL CHECK (length(token_hash) = 32),
    rotations BLOB NOT NULL CHECK (length(rotations) = 64), -- eight times, big-endian
    created_us INTEGER NOT NULL,
    last_used_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL,
    authenticated_us INTEGER NOT NULL,
    idle_us INTEGER NOT NULL,
    two_factor INTEGER NOT NULL,
    remember INTEGER NOT NULL,
    revoked_us INTEGER NOT NULL,
    device BLOB,
    ip BLOB
) STRICT;
CREATE INDEX sessions_account ON sessions (account);
CREATE INDEX sessions_expires ON sessions (expires_us);

CREATE TABLE tickets (
    hash BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    purpose INTEGER NOT NULL,
    account TEXT REFERENCES accounts (id) ON DELETE CASCADE,
    data BLOB,
    tries INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tickets_account ON tickets (account);
CREATE INDEX tickets_expires ON tickets (expires_us);

CREATE TABLE recovery_codes (
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (account, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE throttles (
    key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 16),
    failures INTEGER NOT NULL,
    first_us INTEGER NOT NULL,
    last_us INTEGER NOT NULL,
    blocked_until_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX throttles_last ON throttles (last_us);

CREATE TABLE devices (
    hash BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_us INTEGER NOT NULL,
    last_used_us INTEGER NOT NULL,
    label BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX devices_account ON devices (account);
CREATE INDEX devices_last_used ON devices (last_used_us);

CREATE TABLE mails (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    account TEXT REFERENCES accounts (id) ON DELETE CASCADE,
    recipient BLOB,
    message BLOB,
    attempts INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    next_us INTEGER NOT NULL
) STRICT;
CREATE INDEX mails_account ON mails (account);
CREATE INDEX mails_next ON mails (next_us);

-- AUTOINCREMENT: what a deleted key sealed must never be opened with another of its number.
CREATE TABLE keys (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    purpose INTEGER NOT NULL,
    alg TEXT,
    kid TEXT,
    wrapped BLOB,
    created_us INTEGER NOT NULL,
    retired_us INTEGER NOT NULL
) STRICT;

CREATE TABLE revocations (
    session_id TEXT NOT NULL PRIMARY KEY CHECK (length(session_id) = 36),
    until_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX revocations_until ON revocations (until_us);

-- Append-only; AUTOINCREMENT gives numbers without a gap and never one twice.
CREATE TABLE security_audit_log (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
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
    prev_hash BLOB,
    hash BLOB
) STRICT;
-- Over records without an account too: one that names none must not be cheaper to write, or the
-- time of a failed sign-in would tell that there is no such account.
CREATE INDEX security_audit_log_user ON security_audit_log (user_id);
CREATE INDEX security_audit_log_actor ON security_audit_log (actor_id);
CREATE INDEX security_audit_log_event ON security_audit_log (event_type);
