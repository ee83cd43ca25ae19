/*
 * Identity: what its calls share. Calls are straight-line code that blocks on the store and on
 * password hashes, so they run on lanes. Rules only: no SQL, no HTTP, no clock.
 */
#ifndef GH_IDENTITY_IDENTITY_H
#define GH_IDENTITY_IDENTITY_H

#include <stdatomic.h>

#include "identity/hash_costs.h"
#include "identity/keys.h"
#include "identity/settings.h"
#include "identity/store.h"
#include "identity/vault.h"
#include "session/revocation.h"

/* How a call ended. api gives each a status and a sentence. */
enum gh_identity_result {
    GH_IDENTITY_OK,
    GH_IDENTITY_BAD_CREDENTIALS, /* "Invalid email or password", whatever the reason was */
    GH_IDENTITY_THROTTLED,       /* call->retry_after_s */
    GH_IDENTITY_BAD_CODE,        /* a wrong or used second factor */
    GH_IDENTITY_BAD_TOKEN,       /* a link or challenge that is unknown, used or too old */
    GH_IDENTITY_SESSION_ENDED,   /* refresh: expired, revoked or unknown */
    GH_IDENTITY_SESSION_REUSED,  /* refresh: an old token came again; the family is revoked */
    GH_IDENTITY_EMAIL_TAKEN,     /* only where addresses need no confirmation */
    GH_IDENTITY_WEAK_PASSWORD,   /* call->why: a sentence for the user */
    GH_IDENTITY_INVALID,         /* call->why: a value that can't be */
    GH_IDENTITY_NOT_FOUND,
    GH_IDENTITY_FORBIDDEN,   /* call->why */
    GH_IDENTITY_CONFLICT,    /* call->why: the last admin, already on, ... */
    GH_IDENTITY_UNAVAILABLE, /* the store, a hook or the breach service failed */
};

/* Quotas that the shell keeps (exact limits in its table). True: admitted and charged; false:
 *out_retry_after_s. NULL take: none. */
struct gh_identity_quota {
    bool (*take)(void *context, const char *policy, struct gh_str key, uint64_t *out_retry_after_s);
    void *context;
};

/* Calls the backend's hooks and the breach service; GH_ERR_INVALID where there is none. */
struct gh_identity_http {
    enum gh_err (*fetch)(void *context, struct gh_arena *arena, struct gh_str url,
                         struct gh_str bearer, struct gh_str body, uint64_t timeout_ms,
                         unsigned *out_status, struct gh_str *out_body);
    void *context;
};

/* One per process. */
struct gh_identity {
    struct gh_store *store;
    struct gh_vault *vault;
    struct gh_revocations *revocations;
    struct gh_random random;
    struct gh_identity_quota quota;
    struct gh_identity_http http;
    struct gh_hash_costs hash_costs;
    /* Called after a commit when there may be mail to send, so that nobody waits for the sender's
       next look. NULL: none. */
    void (*wake)(void *context);
    void *wake_context;
    /* Called after a commit that ended sessions, with those ids and until when (revocation.h), so
       that other processes hear of it before they have read the store. Must not wait. NULL: nobody
       is told. */
    void (*revoked)(void *context, const struct gh_id *session_ids, size_t count, uint64_t until_s);
    void *revoked_context;
    atomic_bool mail_waits;  /* put since the last wake */
    atomic_bool scrub_waits; /* an account went, and the store's files may still hold it */
    /* For checks of the audit log (audit/verify.h), by the settings of now; 0: unknown. */
    atomic_uint_fast64_t audit_retention_us, audit_unsigned_max;
};

/* One call: who asks, from where, when, and under which settings. */
struct gh_identity_call {
    struct gh_identity *identity;
    const struct gh_identity_settings *settings;
    const struct gh_identity_keys *keys; /* of this moment */
    struct gh_arena *arena;              /* of everything that comes back */
    uint64_t now_us;
    const struct gh_subject *subject; /* NULL: nobody is signed in */
    struct gh_str client;             /* address, for the audit log */
    struct gh_str network;            /* address or /64, for throttles */
    struct gh_str user_agent, request_id;
    struct gh_str device;     /* the device cookie's value; ptr NULL: none */
    bool wants_second_factor; /* whoever has none is refused as for a wrong password */
    struct gh_str by;         /* empty: through the API; "command": a command of the operator */

    /* out */
    uint64_t retry_after_s;
    const char *why;
};

/* An account as it is shown to its owner and to admins. */
struct gh_account_view {
    struct gh_id id;
    struct gh_str email; /* in clear */
    bool email_verified;
    struct gh_str name, locale;
    gh_roles roles;
    bool two_factor_enabled;
    bool must_enrol; /* a role of theirs needs a second factor, and it is off */
    bool disabled, has_password;
    uint64_t created_us, last_login_us;
};

/* What a sign-in, a refresh or a step-up gives. */
struct gh_session_grant {
    struct gh_account_view account;
    struct gh_id session_id;
    struct gh_str access_token;
    struct gh_str refresh_token; /* ptr NULL: the old one stays (step-up) */
    struct gh_str device;        /* a new device cookie's value; ptr NULL: none */
    uint64_t access_s;           /* life of the access token, seconds */
    uint64_t refresh_s;          /* of the refresh cookie; 0: until the browser ends */
    uint64_t authenticated_s;    /* seconds since 1970 */
    bool two_factor;
};

/* Addresses: trimmed, at most 254 bytes, one '@', a domain of labels, no control or quoted forms;
   the domain in lower case. *out is in `arena`; the key for finding folds all of it to lower case.
   False: not an address that we take. */
bool gh_email_normalise(struct gh_arena *arena, struct gh_str text, struct gh_str *out);

/* After the commit that deleted an account: scrubs the store, so that the key that went with it is
   in none of its files. */
void gh_identity_forget(struct gh_identity *identity);
/* Again, when it could not be done then (a reader was in the way); else does nothing. For a thread
   that comes by now and then. False: it still waits. */
bool gh_identity_scrub(struct gh_identity *identity);

/* ---- For the files of identity ---- */

/* A record with the call's facts filled in, appended in `tx`. `metadata`: a JSON object or empty.
   `user_id` empty: no known account; the actor is the call's subject, else `user_id`. */
enum gh_err gh_identity_audit(struct gh_tx *tx, const struct gh_identity_call *call,
                              enum gh_audit_event event, enum gh_audit_outcome outcome,
                              struct gh_str user_id, struct gh_str metadata);
/* The same in the name of another session than the call's (one that is opened just now). */
enum gh_err gh_identity_audit_session(struct gh_tx *tx, const struct gh_identity_call *call,
                                      enum gh_audit_event event, enum gh_audit_outcome outcome,
                                      struct gh_str user_id, struct gh_str session_id,
                                      struct gh_str metadata);
/* The last record about an account that is gone: when its owner did it, nothing of the owner's
   comes into the log any more. */
enum gh_err gh_identity_audit_gone(struct gh_tx *tx, const struct gh_identity_call *call,
                                   enum gh_audit_event event, struct gh_str user_id,
                                   struct gh_str metadata);
/* Runs a unit, writing or only reading. OK, else UNAVAILABLE; a refusal is no failure of a unit:
   it commits (nothing) and leaves its result in its args. Where other processes seal, too, a unit
   that met a value under a key unknown here is undone, and run again once the key is here. */
enum gh_identity_result gh_identity_run(struct gh_identity_call *call, gh_store_unit *unit,
                                        void *args);
enum gh_identity_result gh_identity_read(struct gh_identity_call *call, gh_store_unit *unit,
                                         void *args);
/* As gh_identity_run, with the unit's or the store's own error; wakes nobody. */
GH_MUST_USE enum gh_err gh_identity_write(struct gh_identity_call *call, gh_store_unit *unit,
                                          void *args);
/* False: over the quota of `policy`; call->retry_after_s. */
bool gh_identity_take_quota(struct gh_identity_call *call, const char *policy, struct gh_str key);
/* An account as it is shown; false: its fields can't be opened. */
bool gh_account_view_of(const struct gh_identity_call *call, const struct gh_account *account,
                        struct gh_account_view *out_view);
/* The bits of an account's roles that are configured. */
gh_roles gh_account_roles(const struct gh_identity_settings *settings,
                          const struct gh_account *account);
/* A role of theirs needs a second factor, and it is off. */
bool gh_account_must_enrol(const struct gh_identity_settings *settings,
                           const struct gh_account *account);
struct gh_id gh_identity_new_id(const struct gh_identity_call *call);
/* A random token of 256 bits, base64url, in the arena. */
struct gh_str gh_identity_new_token(const struct gh_identity_call *call);

#endif
