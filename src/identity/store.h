/*
 * The port of identity to its memory: rows and what can be done with them inside a transaction.
 * Adapters are in store/; one suite of tests (store/contract_suite.h) holds for all of them.
 *
 * A unit is a short deterministic function that reads, decides and writes; it never hashes a
 * password, waits or does I/O of its own, and may be run twice. All rows that it returns live in
 * the unit's `arena`.
 *
 * An operation that fails has changed nothing, and the unit may go on (but for recovery_set, after
 * which it must fail). A unit that hides a failure of the store itself (GH_ERR_IO, GH_ERR_FULL,
 * GH_ERR_MEMORY) can't commit. Updates replace all but the key of a row.
 */
#ifndef GH_IDENTITY_STORE_H
#define GH_IDENTITY_STORE_H

#include "audit/record.h"
#include "base/arena.h"
#include "base/err.h"
#include "crypto/hash.h"
#include "session/subject.h"

struct gh_tx;

/* GH_OK commits, anything else rolls back and is what gh_store_run returns. */
typedef enum gh_err gh_store_unit(struct gh_tx *tx, void *args);

/* ---- Rows. Times are microseconds since 1970, 0: never. Sealed texts are opaque bytes here.
   Numbers are at most INT64_MAX. Those of status and purposes are on disks: never reorder. ---- */

enum gh_account_status { GH_ACCOUNT_ACTIVE, GH_ACCOUNT_DISABLED };

struct gh_account {
    struct gh_id id;
    uint8_t email_index[GH_SHA256_BYTES]; /* keyed hash of the normalised address: unique */
    struct gh_str email;                  /* sealed */
    uint64_t email_verified_us;
    struct gh_str password_hash; /* empty: none, sign-in only after a reset */
    uint64_t password_changed_us;
    struct gh_str name;   /* display name, sealed; empty: none */
    struct gh_str locale; /* "de", "en-GB"; empty: none */
    struct gh_str roles;  /* names, comma-separated: "user,admin" */
    enum gh_account_status status;
    uint64_t created_us, last_login_us;
    struct gh_str totp_secret; /* sealed; empty: none */
    bool totp_enabled;         /* false with a secret: enrolment has begun */
    uint64_t totp_last_step;   /* codes of this step and before it are used up */
};

struct gh_session_row {
    struct gh_id family;     /* stays; refresh tokens hang on it */
    struct gh_id session_id; /* changes at step-up and role change; access tokens name it */
    struct gh_id account;
    struct gh_str secret;                /* of the family, sealed */
    uint64_t counter;                    /* of the current refresh token */
    uint8_t token_hash[GH_SHA256_BYTES]; /* of the current refresh token */
    uint64_t rotations_us[8];            /* when the counter k came: at k % 8 */
    uint64_t created_us, last_used_us, expires_us;
    uint64_t authenticated_us; /* password or code given */
    uint64_t idle_us;          /* the bound that holds for this session */
    bool two_factor, remember;
    uint64_t revoked_us;
    struct gh_str device; /* user agent, sealed; shown in the list */
    struct gh_str ip;     /* sealed */
};

/* Purposes of one-time tokens and challenges. */
enum gh_ticket_purpose {
    GH_TICKET_CONFIRM_EMAIL, /* of a new account */
    GH_TICKET_CHANGE_EMAIL,  /* data: the new address, sealed */
    GH_TICKET_RESET,
    GH_TICKET_CHALLENGE, /* the second step of a login */
    GH_TICKET_SETUP,     /* the first admin; no account */
};
struct gh_ticket {
    uint8_t hash[GH_SHA256_BYTES]; /* of the token: the key */
    enum gh_ticket_purpose purpose;
    struct gh_id account; /* empty text: none */
    struct gh_str data;   /* empty: none */
    unsigned tries;
    uint64_t created_us, expires_us;
};

/* A counter of failures; the key is a keyed hash of what is counted. */
struct gh_throttle_row {
    uint8_t key[16];
    uint64_t failures;
    uint64_t first_us, last_us;
    uint64_t blocked_until_us;
};

struct gh_device_row {
    uint8_t hash[GH_SHA256_BYTES]; /* of the cookie's value: the key */
    struct gh_id account;
    uint64_t created_us, last_used_us;
    struct gh_str label; /* user agent, sealed */
};

struct gh_mail_row {
    struct gh_id id;         /* also of the Message-ID */
    struct gh_id account;    /* empty text: none */
    struct gh_str recipient; /* sealed */
    struct gh_str message;   /* subject and text, sealed */
    unsigned attempts;
    uint64_t created_us, next_us;
};

enum gh_key_purpose {
    GH_KEY_FIELD,   /* seals fields */
    GH_KEY_INDEX,   /* keyed hashes: e-mail, throttles */
    GH_KEY_COOKIE,  /* HS256 of the access cookie */
    GH_KEY_SIGNING, /* PKCS#8 of the key ring */
    GH_KEY_AUDIT,   /* PKCS#8 of what signs checkpoints */
};
struct gh_key_row {
    uint64_t id; /* 1, 2, ...: given by the store when 0 is inserted */
    enum gh_key_purpose purpose;
    struct gh_str alg;     /* SIGNING: "EdDSA"; else empty */
    struct gh_str kid;     /* SIGNING */
    struct gh_str wrapped; /* sealed under a key derived from the root */
    uint64_t created_us;
    uint64_t retired_us; /* makes nothing new from then on; 0: in use */
};

struct gh_revocation_row {
    struct gh_id session_id;
    uint64_t until_us;
};

/* What opens the personal values that the audit log has of somebody (audit/personal.h). */
struct gh_person_key_row {
    struct gh_str person;  /* an account's id, or "day:2026-01-31": the key */
    struct gh_str wrapped; /* sealed */
    uint64_t created_us;
};

/* Refusals that are alike and counted, but not in the log yet: the record that they will be, kept
   so that the count outlives a process that is killed. Protected as records are (audit/personal.h).
 */
struct gh_audit_pending {
    uint64_t place;          /* the key */
    struct gh_audit_row row; /* number, time and hashes are not kept */
};

/*
 * All columns that gh_vault_seal's texts stand in, for a rotation of its keys:
 * X(also, enumerator, table, column, key column, TEXT or BLOB of the key, column whose value is the
 * `row` of the seal, its `field`). `also` is handed through.
 */
#define GH_SEALED_COLUMNS(X, also)                                                                 \
    X(also, ACCOUNT_EMAIL, accounts, email, id, TEXT, id, "accounts.email")                        \
    X(also, ACCOUNT_NAME, accounts, name, id, TEXT, id, "accounts.name")                           \
    X(also, ACCOUNT_TOTP, accounts, totp_secret, id, TEXT, id, "accounts.totp_secret")             \
    X(also, SESSION_SECRET, sessions, secret, family, TEXT, family, "sessions.secret")             \
    X(also, SESSION_DEVICE, sessions, device, family, TEXT, family, "sessions.device")             \
    X(also, SESSION_IP, sessions, ip, family, TEXT, family, "sessions.ip")                         \
    X(also, TICKET_DATA, tickets, data, hash, BLOB, account, "tickets.data")                       \
    X(also, DEVICE_LABEL, devices, label, hash, BLOB, account, "devices.label")                    \
    X(also, MAIL_RECIPIENT, mails, recipient, id, TEXT, id, "mails.recipient")                     \
    X(also, MAIL_MESSAGE, mails, message, id, TEXT, id, "mails.message")                           \
    X(also, PERSON_KEY, person_keys, wrapped, person, TEXT, person, "person_keys")

enum gh_sealed_column {
#define X(also, id, table, column, key, type, row, field) GH_SEALED_##id,
    GH_SEALED_COLUMNS(X, )
#undef X
        GH_SEALED_COLUMN_COUNT
};
struct gh_sealed_row {
    struct gh_str key;    /* of its table: opaque */
    struct gh_str row;    /* as gh_vault_seal was given it */
    struct gh_str sealed; /* never empty */
};

/* ---- What can be asked of accounts and audit in pages ---- */

struct gh_account_query {
    uint8_t email_index[GH_SHA256_BYTES]; /* used where by_email */
    bool by_email;
    struct gh_str role; /* empty: any */
    struct gh_id after; /* cursor: ids greater than this; empty text: from the start */
    size_t limit;
};

/* The log is one chain of records for each process that writes at a time: one chain in all, number
   1, where the store belongs to one process. A process has a chain to itself while it runs; the
   next one goes on with it. */
enum gh_audit_holder {
    GH_AUDIT_HELD_BY_ANOTHER,
    GH_AUDIT_HELD_BY_NOBODY, /* its process ended, or was killed */
    GH_AUDIT_HELD_HERE,
};
struct gh_audit_chain {
    uint32_t id; /* 1, 2, ... */
    enum gh_audit_holder holder;
    bool
        invented; /* the store knows of no such chain: somebody else wrote what the log has of it */
    /* The last record by what is kept beside the log, if that is kept; it is as old as this
       reading. 0: it is not, or there is none. */
    uint64_t head_seq;
    uint8_t head_hash[GH_SHA256_BYTES];
};

/* The chain that this process writes, and how many times it took one. A process that lost its chain
   may have the same one again, and somebody else may have written it meanwhile. */
struct gh_audit_own {
    uint32_t chain;
    uint64_t times;
};
/* Where this process has written the log: behind `after_seq` of that chain. */
struct gh_audit_written {
    uint64_t number; /* 1, 2, ...: as they came */
    uint32_t chain;
    uint64_t after_seq;
    uint64_t through_seq; /* of a chain that it does not hold; 0: it took it, and writes it until it
                             takes another one */
};
#define GH_AUDIT_WRITTEN_MAX 256

/* Rows that can be no records: somebody else wrote them. */
struct gh_audit_passed {
    uint64_t count;
    uint64_t last_seq; /* of the one that was met last */
};

struct gh_audit_query {
    bool every_chain;      /* by position, in about the order in which they were written; else by
                              number in the chain of the transaction */
    struct gh_str user_id; /* speaks of, or was done by; empty: any */
    struct gh_str event;   /* name; empty: any */
    struct gh_str session; /* as records have it; empty: any */
    bool by_outcome;       /* only those of this one: */
    enum gh_audit_outcome outcome;
    uint64_t since_us, until_us; /* from, and before; 0: open */
    bool oldest_first;           /* else the newest */
    uint64_t after_seq;          /* later than this; a position where it is of every chain */
    uint64_t before_seq;         /* earlier than this; 0: open; as above */
    size_t limit;
    bool strict;                    /* such a row is an error; else it is passed over */
    struct gh_audit_passed *passed; /* is told what was passed over; NULL: nobody asks */
};

/* How many records of one kind a day (UTC) has. */
struct gh_audit_day_count {
    uint64_t day_us; /* when the day began */
    enum gh_audit_event event;
    enum gh_audit_outcome outcome;
    uint64_t count;
};

/* ---- Operations. GH_OK, GH_ERR_NOT_FOUND (also the account that a new row should hang on),
   GH_ERR_EXISTS (a unique key is taken), GH_ERR_INVALID (an id or hash that is none, or a change
   while reading), GH_ERR_MEMORY, GH_ERR_IO (the store failed), GH_ERR_FULL (the disk). What
   deletes all of a kind is content with none. ---- */

struct gh_tx_ops {
    enum gh_err (*account_insert)(struct gh_tx *tx, const struct gh_account *account);
    enum gh_err (*account_by_id)(struct gh_tx *tx, struct gh_str id, struct gh_account *out);
    enum gh_err (*account_by_email)(struct gh_tx *tx, const uint8_t index[GH_SHA256_BYTES],
                                    struct gh_account *out);
    enum gh_err (*account_update)(struct gh_tx *tx, const struct gh_account *account);
    /* With sessions, tickets, devices, recovery codes and mails that hang on it, and the person's
       key. */
    enum gh_err (*account_delete)(struct gh_tx *tx, struct gh_str id);
    /* In the order of ids. *out_rows is an array of *out_count in the unit's arena. */
    enum gh_err (*account_page)(struct gh_tx *tx, const struct gh_account_query *query,
                                struct gh_account **out_rows, size_t *out_count);
    /* Active ones that have the role. */
    enum gh_err (*account_count)(struct gh_tx *tx, struct gh_str role, uint64_t *out_count);

    enum gh_err (*session_insert)(struct gh_tx *tx, const struct gh_session_row *session);
    enum gh_err (*session_by_family)(struct gh_tx *tx, struct gh_str family,
                                     struct gh_session_row *out);
    enum gh_err (*session_by_id)(struct gh_tx *tx, struct gh_str session_id,
                                 struct gh_session_row *out);
    enum gh_err (*session_update)(struct gh_tx *tx, const struct gh_session_row *session);
    /* Not revoked ones, newest first. */
    enum gh_err (*sessions_of)(struct gh_tx *tx, struct gh_str account,
                               struct gh_session_row **out_rows, size_t *out_count);

    enum gh_err (*ticket_insert)(struct gh_tx *tx, const struct gh_ticket *ticket);
    enum gh_err (*ticket_get)(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES],
                              struct gh_ticket *out);
    enum gh_err (*ticket_update)(struct gh_tx *tx, const struct gh_ticket *ticket);
    enum gh_err (*ticket_delete)(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES]);
    enum gh_err (*tickets_delete_of)(struct gh_tx *tx, struct gh_str account,
                                     enum gh_ticket_purpose purpose);

    /* Replaces all codes of the account. */
    enum gh_err (*recovery_set)(struct gh_tx *tx, struct gh_str account,
                                const uint8_t (*hashes)[GH_SHA256_BYTES], size_t count);
    /* Removes one; GH_ERR_NOT_FOUND: it was not there. */
    enum gh_err (*recovery_take)(struct gh_tx *tx, struct gh_str account,
                                 const uint8_t hash[GH_SHA256_BYTES]);
    enum gh_err (*recovery_count)(struct gh_tx *tx, struct gh_str account, uint64_t *out_count);

    enum gh_err (*throttle_get)(struct gh_tx *tx, const uint8_t key[16],
                                struct gh_throttle_row *out);
    enum gh_err (*throttle_put)(struct gh_tx *tx, const struct gh_throttle_row *row);
    enum gh_err (*throttle_delete)(struct gh_tx *tx, const uint8_t key[16]);

    enum gh_err (*device_put)(struct gh_tx *tx, const struct gh_device_row *device);
    enum gh_err (*device_get)(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES],
                              struct gh_device_row *out);
    enum gh_err (*device_delete)(struct gh_tx *tx, const uint8_t hash[GH_SHA256_BYTES]);
    /* Newest first. */
    enum gh_err (*devices_of)(struct gh_tx *tx, struct gh_str account,
                              struct gh_device_row **out_rows, size_t *out_count);
    enum gh_err (*devices_delete_of)(struct gh_tx *tx, struct gh_str account);

    enum gh_err (*mail_insert)(struct gh_tx *tx, const struct gh_mail_row *mail);
    /* The due one that waits longest; its next_us becomes `lease_until_us` (it is tried by one
       sender at a time, and again when that one dies). */
    enum gh_err (*mail_take)(struct gh_tx *tx, uint64_t now_us, uint64_t lease_until_us,
                             struct gh_mail_row *out);
    enum gh_err (*mail_update)(struct gh_tx *tx, const struct gh_mail_row *mail);
    enum gh_err (*mail_delete)(struct gh_tx *tx, struct gh_str id);
    enum gh_err (*mail_count)(struct gh_tx *tx, uint64_t *out_count);

    enum gh_err (*key_insert)(struct gh_tx *tx, const struct gh_key_row *key, uint64_t *out_id);
    enum gh_err (*key_update)(struct gh_tx *tx, const struct gh_key_row *key);
    enum gh_err (*key_delete)(struct gh_tx *tx, uint64_t id);
    enum gh_err (*keys_all)(struct gh_tx *tx, struct gh_key_row **out_rows, size_t *out_count);

    /* A second one of a session keeps the later end. */
    enum gh_err (*revocation_insert)(struct gh_tx *tx, const struct gh_revocation_row *row);
    /* Those that end later than `now_us` and have come, or got a later end, since the reading that
       gave `cursor` as its *out_cursor (0: all). Some may be given again; none is ever missed that
       was committed before this reading began, however long its unit had run and whatever clock it
       went by. So a cursor is neither a time nor a number of a sequence, which do not follow the
       order of commits. PostgreSQL: each row has the pg_current_xact_id() that put it; the cursor
       is pg_snapshot_xmin(pg_current_snapshot()) of this reading and which server gave it, and the
       next one gives what has that number or a greater one, or all of another server. A store of
       one process may give all, every time. */
    enum gh_err (*revocations_since)(struct gh_tx *tx, uint64_t cursor, uint64_t now_us,
                                     struct gh_revocation_row **out_rows, size_t *out_count,
                                     uint64_t *out_cursor);

    /* By number. */
    enum gh_err (*audit_chains)(struct gh_tx *tx, struct gh_audit_chain **out_rows,
                                size_t *out_count);
    /* GH_ERR_NOT_FOUND: it writes none. A unit of run_bulk commits while this holds, or not. */
    enum gh_err (*audit_own)(struct gh_tx *tx, struct gh_audit_own *out);
    /* What it has written since it opened the store, in order, behind the one of that number; the
       newest GH_AUDIT_WRITTEN_MAX of them. One may speak of more than was written, never of less,
       and is there once what it speaks of has committed. */
    enum gh_err (*audit_written)(struct gh_tx *tx, uint64_t number,
                                 struct gh_audit_written **out_rows, size_t *out_count);
    /*
     * The row commits with the rest; the log gives it chain, number and hashes (gh_audit_link),
     * after the last one, without gaps: in a unit of run_bulk at once, so that the unit sees it; in
     * one of run not later than a unit sees the log that begins after this one's commit. Empty
     * metadata become "{}". GH_ERR_NOT_FOUND: no such chain; GH_ERR_EXISTS: another process holds
     * it; GH_ERR_INVALID: nobody does, and this is no unit of run_bulk. A unit that appends and
     * looks at the log, or drops, is one of run_bulk.
     */
    enum gh_err (*audit_append)(struct gh_tx *tx, const struct gh_audit_row *row);
    /* Rows that can be no records are no part of it, and fill no place of the limit; GH_ERR_INVALID
       where the query is strict. */
    enum gh_err (*audit_page)(struct gh_tx *tx, const struct gh_audit_query *query,
                              struct gh_audit_row **out_rows, size_t *out_count);
    /* The newest record's number and hash. GH_ERR_INVALID, with the number (0: none that a record
       can have): it can be no record. So of the oldest one. */
    enum gh_err (*audit_head)(struct gh_tx *tx, uint64_t *out_seq,
                              uint8_t out_hash[GH_SHA256_BYTES]);
    /* The oldest record's number, and the hash before it. */
    enum gh_err (*audit_first)(struct gh_tx *tx, uint64_t *out_seq,
                               uint8_t out_prev_hash[GH_SHA256_BYTES]);
    /* The newest record of the event that is older than `before_us` (0: of any time), and can be
       read. */
    enum gh_err (*audit_last_of)(struct gh_tx *tx, enum gh_audit_event event, uint64_t before_us,
                                 struct gh_audit_row *out);
    /* Removes the oldest records, at most `limit`, through `through_seq`; never the newest of its
       chain, which the next one links to. Of which chain, as audit_append. */
    enum gh_err (*audit_drop)(struct gh_tx *tx, uint64_t through_seq, size_t limit,
                              uint64_t *out_removed);
    /* Of what happened since then, by day, event and outcome; the oldest day first. As above
       without rows that can be no records. */
    enum gh_err (*audit_count)(struct gh_tx *tx, uint64_t since_us,
                               struct gh_audit_day_count **out_rows, size_t *out_count);

    /* Each chain has places of its own; what changes them may as audit_append. Replaces what is at
       its place. */
    enum gh_err (*pending_put)(struct gh_tx *tx, const struct gh_audit_pending *pending);
    /* Its metadata alone. */
    enum gh_err (*pending_set)(struct gh_tx *tx, uint64_t place, struct gh_str metadata);
    enum gh_err (*pending_delete)(struct gh_tx *tx, uint64_t place);
    /* Some of them, in no order. */
    enum gh_err (*pending_some)(struct gh_tx *tx, size_t limit, struct gh_audit_pending **out_rows,
                                size_t *out_count);

    enum gh_err (*person_key_get)(struct gh_tx *tx, struct gh_str person,
                                  struct gh_person_key_row *out);
    /* GH_ERR_NOT_FOUND: neither a day nor an account that is there; GH_ERR_EXISTS: has one, which
       stays. */
    enum gh_err (*person_key_insert)(struct gh_tx *tx, const struct gh_person_key_row *row);
    enum gh_err (*person_key_delete)(struct gh_tx *tx, struct gh_str person);
    /* Those of days before this one ("day:2026-01-31"). */
    enum gh_err (*person_keys_drop_days)(struct gh_tx *tx, struct gh_str before,
                                         uint64_t *out_removed);

    /* What is not empty in a column, in the order of keys, behind `after_key` (empty: from the
       start). */
    enum gh_err (*sealed_page)(struct gh_tx *tx, enum gh_sealed_column column,
                               struct gh_str after_key, size_t limit,
                               struct gh_sealed_row **out_rows, size_t *out_count);
    /* `sealed` takes the place of what was read; GH_ERR_NOT_FOUND: that is not there any more, and
       nothing changed. */
    enum gh_err (*sealed_put)(struct gh_tx *tx, enum gh_sealed_column column,
                              const struct gh_sealed_row *read, struct gh_str sealed);

    /* Removes what has run out at `now_us`: tickets, sessions, revocations, throttles quiet
       for a day, devices unused for 180 days; at most `limit` rows. */
    enum gh_err (*purge)(struct gh_tx *tx, uint64_t now_us, size_t limit, uint64_t *out_removed);
};

/* Adapters put it first into their own struct. */
struct gh_tx {
    const struct gh_tx_ops *ops;
    struct gh_arena *arena; /* of what is read; the caller's of run and read */
    /* The chain that operations on the log and on what is pending speak of; the unit may set it,
       and begins with 0: the one that this process writes. */
    uint32_t chain;
};

struct gh_store;
struct gh_store_ops {
    /*
     * Runs `unit` in a write transaction and returns when it is durable. Any thread but an event
     * loop's, and never inside a unit. What the unit read lives in `arena`. GH_ERR_FULL: too many
     * wait already, or the disk is full; GH_ERR_IO; GH_ERR_INVALID: open for reading only. After
     * GH_ERR_IO from the commit itself it is not known what a crash would leave.
     */
    enum gh_err (*run)(struct gh_store *store, gh_store_unit *unit, void *args,
                       struct gh_arena *arena);
    /* The same for work that can wait: one unit at a time, behind those of `run`, but not for
       ever. What is long comes as many short units. Has a queue of its own. */
    enum gh_err (*run_bulk)(struct gh_store *store, gh_store_unit *unit, void *args,
                            struct gh_arena *arena);
    /* The same over a consistent view, without writing. */
    enum gh_err (*read)(struct gh_store *store, gh_store_unit *unit, void *args,
                        struct gh_arena *arena);
    /* Afterwards no byte of what had been deleted or replaced is left in the store's files. Waits
       as `run` does. GH_ERR_TIMEOUT: a reader still sees it, try again; GH_ERR_IO, GH_ERR_INVALID.
     */
    enum gh_err (*scrub)(struct gh_store *store);
    /* The process ends: from now on a store that does not answer is given up soon. NULL: it never
       lets anybody wait for long. From any thread. */
    void (*hurry)(struct gh_store *store);
    void (*close)(struct gh_store *store);
};
struct gh_store {
    const struct gh_store_ops *ops;
    /* Other processes write it, too: what this one keeps of it in memory grows old, and has to be
       looked up again. Set by the adapter before anybody uses it; SQLite: never; PostgreSQL:
       always. */
    bool shared;
};

#endif
