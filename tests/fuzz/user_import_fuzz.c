/* Lines of `user import`: what is taken says exactly what it said, written again or not; what is
   refused says why. */
#include "base/assert.h"
#include "crypto/password.h"
#include "identity/admin.h"
#include "json/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ARENA_BYTES (4u * 1024 * 1024)

static void put_again(struct gh_buf *buf, const struct gh_user_import *user,
                      const struct gh_role_names *names)
{
    gh_buf_put_char(buf, '{');
    gh_json_put_member(buf, GH_STR("email"), user->email);
    gh_json_put_member(buf, GH_STR("password_hash"), user->password_hash);
    gh_json_put_member(buf, GH_STR("totp_secret"), user->totp_secret);
    gh_json_put_member(buf, GH_STR("name"), user->name);
    gh_json_put_member_bool(buf, GH_STR("email_verified"), user->email_verified);
    gh_json_put_name(buf, GH_STR("roles"));
    gh_buf_put_char(buf, '[');
    bool first = true;
    for (size_t i = 0; i < names->count; i++) {
        if (!(user->roles & (gh_roles)1 << i))
            continue;
        gh_buf_put(buf, first ? GH_STR("") : GH_STR(","));
        gh_json_put_string(buf, names->names[i]);
        first = false;
    }
    gh_buf_put(buf, GH_STR("]}"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gh_str NAMES[] = {GH_STR_INIT("user"), GH_STR_INIT("admin"),
                                          GH_STR_INIT("editor")};
    struct gh_identity_settings settings = {.role_names = {NAMES, 3}};
    struct gh_user_import user, again;
    struct gh_password_cost cost;
    struct gh_arena arena;
    gh_arena_init(&arena, 64 * 1024, ARENA_BYTES);
    struct gh_identity_call call = {.arena = &arena, .settings = &settings};
    enum gh_identity_result result =
        gh_user_import_parse(&call, gh_str_of((const char *)data, size), &user);
    GH_ASSERT(result == GH_IDENTITY_OK || (result == GH_IDENTITY_INVALID && call.why));
    if (result == GH_IDENTITY_OK) {
        char *memory = gh_arena_alloc(&arena, size * 6 + 1024);
        GH_ASSERT(memory);
        struct gh_buf buf = gh_buf_over(memory, size * 6 + 1024);
        GH_ASSERT(user.email.len && user.roles < 8);
        (void)gh_password_cost_of(user.password_hash, &cost);
        put_again(&buf, &user, &settings.role_names);
        GH_ASSERT(!buf.overflow);
        result = gh_user_import_parse(&call, gh_buf_str(&buf), &again);
        /* written with more escapes it may be over the bound of a line */
        GH_ASSERT(result == GH_IDENTITY_OK || buf.len > 16 * 1024);
        if (result == GH_IDENTITY_OK) {
            GH_ASSERT(gh_str_eq(user.email, again.email) && gh_str_eq(user.name, again.name));
            GH_ASSERT(gh_str_eq(user.password_hash, again.password_hash));
            GH_ASSERT(gh_str_eq(user.totp_secret, again.totp_secret));
            GH_ASSERT(user.roles == again.roles && user.email_verified == again.email_verified);
        }
    }
    gh_arena_done(&arena);
    return 0;
}
