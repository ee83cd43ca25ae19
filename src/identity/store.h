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

/* ---- What can be asked of accounts and audit in pages ---- */

struct gh_account_query {
    uint8_t email_index[GH_SHA256_BYTES]; /* used where by_email */
    bool by_email;
    struct gh_str role; /* empty: any */
    struct gh_id after; /* cursor: ids greater than this; empty text: from the start */
    size_t limit;
};

struct gh_audit_query {
    struct gh_str user_id;       /* speaks of, or was done by; empty: any */
    struct gh_str event;         /* name; empty: any */
    uint64_t since_us, until_us; /* from, and before; 0: open */
    uint64_t before_seq;         /* cursor, newest first; 0: from the newest */
    size_t limit;
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
    /* With sessions, tickets, devices, recovery codes and mails that hang on it. */
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
    /* Those that end later than `now_us`. */
    enum gh_err (*revocations_since)(struct gh_tx *tx, uint64_t now_us,
                                     struct gh_revocation_row **out_rows, size_t *out_count);

    /* The record gets its number from the log, without gaps; it commits with the rest. Metadata
       come back as "{}" where there were none. */
    enum gh_err (*audit_append)(struct gh_tx *tx, const struct gh_audit_record *record);
    enum gh_err (*audit_page)(struct gh_tx *tx, const struct gh_audit_query *query,
                              struct gh_audit_record **out_rows, size_t *out_count);

    /* Removes what has run out at `now_us`: tickets, sessions, revocations, throttles quiet
       for a day, devices unused for 180 days; at most `limit` rows. */
    enum gh_err (*purge)(struct gh_tx *tx, uint64_t now_us, size_t limit, uint64_t *out_removed);
};

/* Adapters put it first into their own struct. */
struct gh_tx {
    const struct gh_tx_ops *ops;
    struct gh_arena *arena; /* of what is read; the caller's of run and read */
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
    /* The same over a consistent view, without writing. */
    enum gh_err (*read)(struct gh_store *store, gh_store_unit *unit, void *args,
                        struct gh_arena *arena);
    void (*close)(struct gh_store *store);
};
struct gh_store {
    const struct gh_store_ops *ops;
};

#endif
