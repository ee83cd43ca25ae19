/*
 * The command `access review`: who holds which role, since when, granted by whom, and whether it is
 * used (SPEC section 1). Grants are read from the audit log, so that they show what happened, not
 * what somebody wrote down.
 */
#include <string.h>

#include "app/operator.h"
#include "identity/admin.h"

#define PAGE_ROWS       200
#define UNUSED_AFTER_US (90ull * 24 * 3600 * 1000000)

static const char HELP[] =
    "Usage: gatehouse access review [--config FILE]\n"
    "\n"
    "A table in Markdown of every role that is not that of ordinary accounts: who holds it, since\n"
    "when, granted by whom, the last sign-in. Marked: grants not used for 90 days, admins without\n"
    "a second factor, disabled accounts that keep a role. Exit status 1 when something is "
    "marked.\n";

struct review {
    struct gh_operator *op;
    uint64_t now_us;
    unsigned grants, marked;
};

/* ---- The last change of an account's roles ---- */

struct grant {
    struct gh_str user_id;
    bool known;
    uint64_t time_us;
    struct gh_str by;
};

static enum gh_err find_grant(struct gh_tx *tx, void *args)
{
    static const enum gh_audit_event EVENTS[] = {GH_AUDIT_ROLE_CHANGED, GH_AUDIT_SIGNUP};
    struct grant *grant = args;
    grant->known = false;
    for (size_t i = 0; i < sizeof(EVENTS) / sizeof(EVENTS[0]) && !grant->known; i++) {
        struct gh_audit_query query = {
            .every_chain = true,
            .user_id = grant->user_id,
            .event = gh_audit_event_facts(EVENTS[i])->name,
            .limit = 1,
        };
        struct gh_audit_row *rows;
        size_t count;
        enum gh_err err = tx->ops->audit_page(tx, &query, &rows, &count);
        if (err != GH_OK)
            return err;
        if (!count)
            continue;
        grant->known = true;
        grant->time_us = rows[0].record.time_us;
        grant->by = rows[0].record.actor_id.len ? rows[0].record.actor_id : GH_STR("the operator");
    }
    return GH_OK;
}

/* ---- The table ---- */

static void put_day(char *text, size_t cap, uint64_t time_us)
{
    struct gh_buf buf = gh_buf_over(text, cap);
    if (time_us)
        gh_audit_put_time(&buf, time_us);
    else
        gh_buf_put(&buf, GH_STR("never"));
    text[time_us ? 10 : buf.len] = 0;
}

static const char *mark_of(const struct review *review, const struct gh_account_view *user)
{
    if (user->disabled)
        return "disabled, keeps the role";
    if (user->must_enrol)
        return "no second factor";
    uint64_t used_us = user->last_login_us ? user->last_login_us : user->created_us;
    return review->now_us > used_us + UNUSED_AFTER_US ? "unused for 90 days" : "";
}

static void print_grants(struct review *review, struct gh_identity_call *call,
                         const struct gh_account_view *user)
{
    const struct gh_identity_settings *settings = review->op->settings;
    gh_roles roles = user->roles & ~settings->default_roles;
    struct grant grant = {.user_id = gh_id_str(&user->id)};
    char since[GH_AUDIT_TIME_LEN + 1], used[GH_AUDIT_TIME_LEN + 1];
    if (!roles || call->identity->store->ops->read(call->identity->store, find_grant, &grant,
                                                   call->arena) != GH_OK)
        return;
    put_day(since, sizeof(since), grant.known ? grant.time_us : user->created_us);
    put_day(used, sizeof(used), user->last_login_us);
    const char *mark = mark_of(review, user);
    for (size_t i = 0; i < settings->role_names.count; i++) {
        if (!(roles & ((gh_roles)1 << i)))
            continue;
        fprintf(review->op->out, "| %.*s | %.*s | %s | %.*s | %s | %s |\n",
                GH_STR_ARG(settings->role_names.names[i]), GH_STR_ARG(user->email), since,
                GH_STR_ARG(grant.known ? grant.by : GH_STR("not recorded")), used, mark);
        review->grants++;
        review->marked += mark[0] != 0;
    }
}

static enum gh_identity_result print_page(struct review *review, struct gh_id *after,
                                          size_t *out_count)
{
    struct gh_identity_call call;
    struct gh_account_view *users;
    struct gh_user_query query = {.after = gh_id_str(after), .limit = PAGE_ROWS};
    gh_operator_call(review->op, &call);
    review->now_us = call.now_us;
    enum gh_identity_result result = gh_users_page(&call, &query, &users, out_count);
    for (size_t i = 0; result == GH_IDENTITY_OK && i < *out_count; i++) {
        print_grants(review, &call, &users[i]);
        *after = users[i].id;
    }
    if (result != GH_IDENTITY_OK)
        gh_operator_refused(review->op, &call, result, NULL);
    gh_operator_call_end(review->op, &call);
    return result;
}

int gh_operator_access(struct gh_operator *op, int argc, char **argv)
{
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(HELP, op->out);
        return 0;
    }
    if (argc != 2 || strcmp(argv[1], "review") != 0) {
        fprintf(op->err, "gatehouse access: say `access review`; see gatehouse access --help\n");
        return 2;
    }
    struct review review = {.op = op};
    struct gh_id after = {{0}};
    size_t count = 0;
    fputs("# Access review\n\n"
          "| role | account | since | granted by | last sign-in | mark |\n"
          "|---|---|---|---|---|---|\n",
          op->out);
    enum gh_identity_result result;
    do
        result = print_page(&review, &after, &count);
    while (result == GH_IDENTITY_OK && count == PAGE_ROWS);
    fprintf(op->out, "\n%u grants, %u marked\n", review.grants, review.marked);
    return result == GH_IDENTITY_OK && !review.marked ? 0 : 1;
}
