/*
 * What tests of identity stand on: a store in memory, a vault under a fixed root, randomness that
 * is the same in every run, cheap hashing, and time as a value.
 */
#ifndef GH_IDENTITY_IDENTITY_FIXTURE_H
#define GH_IDENTITY_IDENTITY_FIXTURE_H

#include <stdatomic.h>

#include "identity/identity.h"
#include "identity/login.h"

#define FIXTURE_SECOND    1000000ull
#define FIXTURE_MINUTE    (60 * FIXTURE_SECOND)
#define FIXTURE_HOUR      (60 * FIXTURE_MINUTE)
#define FIXTURE_DAY       (24 * FIXTURE_HOUR)
#define FIXTURE_BEGIN_US  (1800000000ull * FIXTURE_SECOND) /* 2027 */
#define FIXTURE_ROOT      GH_STR("a root secret of the tests, long enough")
#define FIXTURE_PASSWORD  GH_STR("unsung-kettle-73-orbit")
#define FIXTURE_PASSWORD2 GH_STR("marble+ferry+quarrel+19")

struct gh_identity_fixture {
    struct gh_arena arena; /* of all calls; of one thread */
    /* In memory. identity.store is this one, or, with GH_TEST_UNITS_TWICE in the environment, one
       that runs each unit twice and undoes the first, as a database may. */
    struct gh_store *store;
    struct gh_vault *vault;
    struct gh_identity identity;
    struct gh_identity_settings settings; /* change at will */
    struct gh_str roles[3];               /* user, admin, editor */
    struct gh_identity_keys keys;
    atomic_uint_fast64_t drawn;
    uint64_t now_us; /* change at will */
    bool borrowed;   /* the store is another fixture's */
};

void gh_identity_fixture_open(struct gh_identity_fixture *fixture);
void gh_identity_fixture_close(struct gh_identity_fixture *fixture);
/* The same over this store, which is shared with others and closed with the fixture. */
void gh_identity_fixture_open_over(struct gh_identity_fixture *fixture, struct gh_store *store);
/* Another process over what `first` has, which is shared from then on: with a vault, keys and
   revocations of its own, and its own clock. `store`: its way there, closed with it; NULL: that of
   `first`. Closed before `first`. */
void gh_identity_fixture_join(struct gh_identity_fixture *fixture,
                              struct gh_identity_fixture *first, struct gh_store *store);
/* As after a restart: another vault, other keys read, no revocations, over the same store. */
void gh_identity_fixture_restart(struct gh_identity_fixture *fixture);

/* A call of nobody from 192.0.2.1, now. In threads: give it an arena of their own. */
struct gh_identity_call gh_fixture_call(struct gh_identity_fixture *fixture);
/* A call of the one who holds `access_token` (as the gate would read it). Fails when it does not
   verify. */
struct gh_identity_call gh_fixture_call_as(struct gh_identity_fixture *fixture,
                                           struct gh_str access_token);
/* Is the session of that token refused by the table of this process? */
bool gh_fixture_is_revoked(struct gh_identity_fixture *fixture, struct gh_str access_token);

/* A confirmed account, put straight into the store; its id lives in the fixture's arena. */
struct gh_str gh_fixture_account(struct gh_identity_fixture *fixture, const char *email,
                                 struct gh_str password, gh_roles roles);
/* Signs in; fails unless a session comes back. */
struct gh_session_grant gh_fixture_login(struct gh_identity_fixture *fixture, const char *email,
                                         struct gh_str password);

/* Rows, read straight. False: there is none. */
bool gh_fixture_account_row(struct gh_identity_fixture *fixture, struct gh_str id,
                            struct gh_account *out_account);
void gh_fixture_account_put(struct gh_identity_fixture *fixture, const struct gh_account *account);
bool gh_fixture_session_row(struct gh_identity_fixture *fixture, struct gh_str session_id,
                            struct gh_session_row *out_session);
/* From now on somebody else is faster: behind each reading unit the account changes. NULL: no more.
 */
typedef void gh_fixture_change(struct gh_account *account);
void gh_fixture_change_after_reads(struct gh_identity_fixture *fixture, struct gh_str id,
                                   gh_fixture_change *change);
/* The same, once, behind the next writing unit. */
void gh_fixture_change_after_write(struct gh_identity_fixture *fixture, struct gh_str id,
                                   gh_fixture_change *change);
/* A link's token, as the outbox would make it when it sends the mail. */
struct gh_str gh_fixture_ticket(struct gh_identity_fixture *fixture, enum gh_ticket_purpose purpose,
                                struct gh_str account, struct gh_str data);

/* How many records of an event there are; *out_last (may be NULL): the newest, in clear. */
size_t gh_fixture_audit_count(struct gh_identity_fixture *fixture, enum gh_audit_event event,
                              struct gh_audit_record *out_last);
uint64_t gh_fixture_mail_count(struct gh_identity_fixture *fixture);

/* A store in memory alone; and one whose next `count` writes fail. */
struct gh_store *gh_fixture_store_open(void);
void gh_fixture_store_fail(struct gh_store *store, unsigned count, enum gh_err err);

#endif
