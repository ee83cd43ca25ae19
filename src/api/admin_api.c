/* /admin/users */
#include "identity/admin.h"
#include "api/endpoint.h"
#include "json/writer.h"

#define PAGE_FRAME_BYTES_MAX 128

static void reply_page(struct gh_api_request *request, const struct gh_account_view *users,
                       size_t count, size_t limit)
{
    size_t bytes_max = PAGE_FRAME_BYTES_MAX;
    for (size_t i = 0; i < count; i++)
        bytes_max += gh_api_user_bytes_max(request, &users[i]);
    struct gh_buf json = gh_api_buf(request, bytes_max);
    gh_buf_put(&json, GH_STR("{\"users\":["));
    for (size_t i = 0; i < count; i++) {
        if (i)
            gh_buf_put_char(&json, ',');
        gh_api_put_user(&json, request, &users[i]);
    }
    gh_buf_put_char(&json, ']');
    if (count == limit)
        gh_json_put_member(&json, GH_STR("next"), gh_id_str(&users[count - 1].id));
    else
        gh_buf_put(&json, GH_STR(",\"next\":null"));
    gh_buf_put_char(&json, '}');
    gh_api_reply_json(request, 200, &json);
}

void gh_api_users(struct gh_api_request *request)
{
    static const char *const NAMES[] = {"email", "role", "after", "limit", NULL};
    struct gh_str values[4];
    struct gh_account_view *users;
    size_t count = 0;
    uint64_t limit;
    struct gh_user_query query;
    if (!gh_api_read_query(request, NAMES, values) ||
        !gh_api_read_id(request, values[2], &query.after) ||
        !gh_api_read_number(request, values[3], GH_API_PAGE_MAX, GH_API_PAGE_DEFAULT, &limit))
        return;
    query.email = values[0].ptr ? values[0] : GH_STR("");
    query.role = values[1].ptr ? values[1] : GH_STR("");
    query.limit = (size_t)limit;
    if (gh_api_is_ok(request, gh_users_page(&request->identity, &query, &users, &count)))
        reply_page(request, users, count, (size_t)limit);
}

void gh_api_user(struct gh_api_request *request)
{
    struct gh_account_view user = {0};
    gh_api_reply_user(request, gh_user_get(&request->identity, gh_api_param(request, "id"), &user),
                      &user);
}

/* False: a name that is no role; it answered. */
static bool read_roles(struct gh_api_request *request, gh_roles *out_roles)
{
    const struct gh_api_body *body = &request->body;
    const struct gh_role_names *names = &request->call->identity->role_names;
    const struct gh_str *items = body->role.ptr ? &body->role : body->roles;
    size_t count = body->role.ptr ? 1 : body->role_count;
    *out_roles = 0;
    if ((body->role.ptr != NULL) == body->roles_given || count == 0) {
        gh_api_reply_problem(request, 422, GH_STR("Give either role or roles."));
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        gh_roles bit = gh_role_bit(names, items[i]);
        if (!bit) {
            gh_api_reply_problem(request, 422, GH_STR("There is no such role."));
            return false;
        }
        *out_roles |= bit;
    }
    return true;
}

void gh_api_user_role(struct gh_api_request *request)
{
    struct gh_account_view user = {0};
    gh_roles roles;
    if (!read_roles(request, &roles))
        return;
    gh_api_reply_user(
        request, gh_user_set_roles(&request->identity, gh_api_param(request, "id"), roles, &user),
        &user);
}

typedef enum gh_identity_result one_account(struct gh_identity_call *call, struct gh_str id);

static void change(struct gh_api_request *request, one_account *fn, struct gh_str done)
{
    gh_api_reply_message(request, fn(&request->identity, gh_api_param(request, "id")), done);
}

void gh_api_user_unlock(struct gh_api_request *request)
{
    change(request, gh_user_unlock, GH_STR("The account is not delayed any more."));
}

void gh_api_user_reset_two_factor(struct gh_api_request *request)
{
    change(request, gh_user_reset_two_factor, GH_STR("The second factor is taken away."));
}

void gh_api_user_reset_password(struct gh_api_request *request)
{
    change(request, gh_user_reset_password, GH_STR("A link is on its way to the owner."));
}

void gh_api_user_disable(struct gh_api_request *request)
{
    change(request, gh_user_disable, GH_STR("The account is disabled."));
}

void gh_api_user_enable(struct gh_api_request *request)
{
    change(request, gh_user_enable, GH_STR("The account may sign in again."));
}

void gh_api_user_delete(struct gh_api_request *request)
{
    change(request, gh_user_delete, GH_STR("The account is deleted."));
}

void gh_api_user_end_sessions(struct gh_api_request *request)
{
    uint64_t count = 0;
    enum gh_identity_result result =
        gh_user_end_sessions(&request->identity, gh_api_param(request, "id"), &count);
    gh_api_reply_ended(request, result, count);
}
