#include "app/operator.h"

#include <string.h>

#include "identity/admin.h"

static const struct {
    const char *name;
    int (*run)(struct gh_operator *op, int argc, char **argv);
} COMMANDS[] = {
    {"user", gh_operator_user},
    {"access", gh_operator_access},
    {"audit", gh_operator_audit},
    {"secrets", gh_operator_secrets},
};

int gh_operator_run(struct gh_operator *op, int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++)
        if (argc > 0 && strcmp(argv[0], COMMANDS[i].name) == 0)
            return COMMANDS[i].run(op, argc, argv);
    fprintf(op->err, "gatehouse: this server does not know the command\n");
    return 2;
}

void gh_operator_call(struct gh_operator *op, struct gh_identity_call *out_call)
{
    gh_arena_reset(&op->arena);
    gh_identity_host_call(op->host, op->settings, &op->arena, out_call);
}

void gh_operator_call_end(struct gh_operator *op, struct gh_identity_call *call)
{
    gh_identity_host_keys_give(op->host, call->keys);
    call->keys = NULL;
}

static const char *reason_of(enum gh_identity_result result)
{
    switch (result) {
    case GH_IDENTITY_OK:
        return "done";
    case GH_IDENTITY_EMAIL_TAKEN:
        return "there is an account with this address already";
    case GH_IDENTITY_NOT_FOUND:
        return "there is no such account";
    case GH_IDENTITY_WEAK_PASSWORD:
        return "this password is too weak";
    case GH_IDENTITY_INVALID:
        return "a value can't be taken";
    case GH_IDENTITY_CONFLICT:
        return "it can't be done as things are";
    case GH_IDENTITY_FORBIDDEN:
        return "it is not allowed";
    case GH_IDENTITY_UNAVAILABLE:
        return "the store failed";
    case GH_IDENTITY_BAD_CREDENTIALS:
    case GH_IDENTITY_THROTTLED:
    case GH_IDENTITY_BAD_CODE:
    case GH_IDENTITY_BAD_TOKEN:
    case GH_IDENTITY_SESSION_ENDED:
    case GH_IDENTITY_SESSION_REUSED:
        break;
    }
    return "it was refused";
}

int gh_operator_refused(struct gh_operator *op, const struct gh_identity_call *call,
                        enum gh_identity_result result, const char *who)
{
    fprintf(op->err, "gatehouse: %s%s%s\n", who ? who : "", who ? ": " : "",
            call->why ? call->why : reason_of(result));
    return 1;
}

enum gh_identity_result gh_operator_find(struct gh_identity_call *call, const char *who,
                                         struct gh_account_view *out_user)
{
    struct gh_id id;
    if (gh_id_parse(gh_str_from_c(who), &id))
        return gh_user_get(call, gh_id_str(&id), out_user);
    struct gh_user_query query = {.email = gh_str_from_c(who), .limit = 1};
    struct gh_account_view *users;
    size_t count = 0;
    enum gh_identity_result result = gh_users_page(call, &query, &users, &count);
    if (result != GH_IDENTITY_OK)
        return result;
    if (!count)
        return GH_IDENTITY_NOT_FOUND;
    *out_user = users[0];
    return GH_IDENTITY_OK;
}
