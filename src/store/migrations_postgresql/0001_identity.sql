-- Accounts, what hangs on them, and keys. Times are microseconds since 1970, 0: never. Sealed fields
-- are bytea. The numbers of status and purpose are those of identity/store.h. Keys are compared by
-- their bytes, whatever the database's collation.

CREATE TABLE accounts (
    id text COLLATE "C" NOT NULL PRIMARY KEY CHECK (octet_length(id) = 36),
    email_index bytea NOT NULL UNIQUE CHECK (octet_length(email_index) = 32),
    email bytea,
    email_verified_us bigint NOT NULL,
    password_hash text,
    password_changed_us bigint NOT NULL,
    name bytea,
    locale text,
    roles text,
    status bigint NOT NULL,
    created_us bigint NOT NULL,
    last_login_us bigint NOT NULL,
    totp_secret bytea,
    totp_enabled boolean NOT NULL,
    totp_last_step bigint NOT NULL
);

CREATE TABLE sessions (
    family text COLLATE "C" NOT NULL PRIMARY KEY CHECK (octet_length(family) = 36),
    session_id text COLLATE "C" NOT NULL UNIQUE CHECK (octet_length(session_id) = 36),
    account text COLLATE "C" NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    secret bytea,
    counter bigint NOT NULL,
    token_hash bytea NOT NULL CHECK (octet_length(token_hash) = 32),
    rotations bytea NOT NULL CHECK (octet_length(rotations) = 64), -- eight times, big-endian
    created_us bigint NOT NULL,
    last_used_us bigint NOT NULL,
    expires_us bigint NOT NULL,
    authenticated_us bigint NOT NULL,
    idle_us bigint NOT NULL,
    two_factor boolean NOT NULL,
    remember boolean NOT NULL,
    revoked_us bigint NOT NULL,
    device bytea,
    ip bytea
);
CREATE INDEX sessions_account ON sessions (account);
CREATE INDEX sessions_expires ON sessions (expires_us);

CREATE TABLE tickets (
    hash bytea NOT NULL PRIMARY KEY CHECK (octet_length(hash) = 32),
    purpose bigint NOT NULL,
    account text COLLATE "C" REFERENCES accounts (id) ON DELETE CASCADE,
    data bytea,
    tries bigint NOT NULL,
    created_us bigint NOT NULL,
    expires_us bigint NOT NULL
);
CREATE INDEX tickets_account ON tickets (account);
CREATE INDEX tickets_expires ON tickets (expires_us);

CREATE TABLE recovery_codes (
    account text COLLATE "C" NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (account, hash)
);

CREATE TABLE throttles (
    key bytea NOT NULL PRIMARY KEY CHECK (octet_length(key) = 16),
    failures bigint NOT NULL,
    first_us bigint NOT NULL,
    last_us bigint NOT NULL,
    blocked_until_us bigint NOT NULL
);
CREATE INDEX throttles_last ON throttles (last_us);

CREATE TABLE devices (
    hash bytea NOT NULL PRIMARY KEY CHECK (octet_length(hash) = 32),
    account text COLLATE "C" NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_us bigint NOT NULL,
    last_used_us bigint NOT NULL,
    label bytea
);
CREATE INDEX devices_account ON devices (account);
CREATE INDEX devices_last_used ON devices (last_used_us);

CREATE TABLE mails (
    id text COLLATE "C" NOT NULL PRIMARY KEY CHECK (octet_length(id) = 36),
    account text COLLATE "C" REFERENCES accounts (id) ON DELETE CASCADE,
    recipient bytea,
    message bytea,
    attempts bigint NOT NULL,
    created_us bigint NOT NULL,
    next_us bigint NOT NULL
);
CREATE INDEX mails_account ON mails (account);
CREATE INDEX mails_next ON mails (next_us);

CREATE TABLE keys (
    id bigint NOT NULL PRIMARY KEY CHECK (id > 0),
    purpose bigint NOT NULL,
    alg text,
    kid text,
    wrapped bytea,
    created_us bigint NOT NULL,
    retired_us bigint NOT NULL
);
-- The greatest number that a key ever had: what a deleted key sealed must never be opened with
-- another of its number. No sequence, because a unit that is run twice would skip numbers.
CREATE TABLE key_number (
    single boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (single),
    last bigint NOT NULL
);
INSERT INTO key_number (last) VALUES (0);

-- Whoever reads what is new asks for the numbers of transactions (put_by) that were under way, or
-- had not begun, when it read last: times and sequences do not follow the order of commits.
CREATE TABLE revocations (
    session_id text COLLATE "C" NOT NULL PRIMARY KEY CHECK (octet_length(session_id) = 36),
    until_us bigint NOT NULL,
    put_by bigint NOT NULL DEFAULT 0 -- 0: came from another store
);
CREATE INDEX revocations_until ON revocations (until_us);
CREATE INDEX revocations_put_by ON revocations (put_by);

-- Of an account (its id) or of a day ("day:2026-01-31"). What the log has of somebody is gone when
-- the key is.
CREATE TABLE person_keys (
    person text COLLATE "C" NOT NULL PRIMARY KEY,
    wrapped bytea NOT NULL,
    created_us bigint NOT NULL
);

-- Transactions that wrote, kept with what they wrote: whoever lost the answer to a COMMIT looks here,
-- and takes the id (abandoned) so that the transaction can't commit any more if it has not. The ids
-- begin with their time: the oldest go first.
CREATE TABLE units (
    id uuid NOT NULL PRIMARY KEY,
    abandoned boolean NOT NULL DEFAULT false
);
