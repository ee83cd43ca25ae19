/*
 * Accounts of an existing system, one line of JSON each. What is imported is judged before it is
 * stored: a hash that costs too much would let its owner's sign-ins stop the others'.
 */
#include "identity/admin.h"

#include "base/base64.h"
#include "base/utf8.h"
#include "identity/fernet_import.h"
#include "identity/new_account.h"

#define NAME_CHARS_MAX   100
#define SECRET_BYTES_MIN 16
#define SECRET_BYTES_MAX 64
/* Of a line: more than all members can hold together. */
static const struct gh_json_limits LINE_LIMITS = {
    .bytes_max = 16 * 1024,
    .depth_max = 3,
    .values_max = 128,
    .members_max = 16,
};

static enum gh_identity_result invalid(struct gh_identity_call *call, const char *why)
{
    call->why = why;
    return GH_IDENTITY_INVALID;
}

/* ---- Values ---- */

static bool is_name(struct gh_str name)
{
    size_t chars = 0;
    for (struct gh_str rest = name; rest.len; chars++) {
        size_t len = gh_utf8_sequence_len(rest);
        if (!len || (unsigned char)rest.ptr[0] < ' ' || rest.ptr[0] == 0x7f)
            return false;
        rest = gh_str_skip(rest, len);
    }
    return chars <= NAME_CHARS_MAX;
}

/* NULL: it is fine. */
static const char *judge_hash(struct gh_str hash)
{
    struct gh_password_cost cost;
    if (!hash.len)
        return NULL;
    if (!gh_password_cost_of(hash, &cost))
        return "password_hash: not a bcrypt or argon2 hash";
    return gh_password_cost_is_acceptable(&cost) ? NULL
                                                 : "password_hash: its cost is out of bounds";
}

static const char *read_secret(struct gh_identity_call *call, struct gh_str text,
                               struct gh_str *out_secret)
{
    uint8_t secret[SECRET_BYTES_MAX];
    size_t len = 0;
    *out_secret = GH_STR("");
    if (!text.len)
        return NULL;
    if (!gh_base32_decode(text, secret, sizeof(secret), &len) || len < SECRET_BYTES_MIN)
        return "totp_secret: not Base32 of 16 to 64 bytes";
    *out_secret = gh_arena_dup(call->arena, gh_str_of((char *)secret, len));
    gh_wipe(secret, sizeof(secret));
    return out_secret->ptr ? NULL : "out of memory";
}

/* ---- One account ---- */

struct importing {
    struct gh_identity_call *call;
    struct gh_new_account from;
    struct gh_account account;
    bool taken;
};

static enum gh_err import(struct gh_tx *tx, void *args)
{
    struct importing *importing = args;
    enum gh_err err =
        gh_new_account_insert(tx, importing->call, &importing->from, &importing->account);
    importing->taken = err == GH_ERR_EXISTS;
    return err;
}

static enum gh_identity_result judge_import(struct gh_identity_call *call,
                                            const struct gh_user_import *user,
                                            struct gh_new_account *out_from)
{
    struct gh_new_account from = {
        .name = user->name,
        .password_hash = user->password_hash,
        .roles = user->roles ? user->roles : call->settings->default_roles,
        .email_verified = user->email_verified,
    };
    if (!gh_email_normalise(call->arena, user->email, &from.email))
        return invalid(call, "email: not an address");
    if (!is_name(user->name))
        return invalid(call, "name: over 100 characters, or not text");
    const char *why = judge_hash(user->password_hash);
    if (!why)
        why = read_secret(call, user->totp_secret, &from.totp_secret);
    if (why)
        return invalid(call, why);
    *out_from = from;
    return GH_IDENTITY_OK;
}

enum gh_identity_result gh_user_import(struct gh_identity_call *call,
                                       const struct gh_user_import *user,
                                       struct gh_account_view *out_user)
{
    struct importing importing = {.call = call};
    struct gh_user_import opened = *user;
    if (!gh_fernet_import(call, &opened))
        return GH_IDENTITY_INVALID;
    enum gh_identity_result result = judge_import(call, &opened, &importing.from);
    if (result != GH_IDENTITY_OK)
        return result;
    if (!gh_new_account_prepare(call, &importing.from, &importing.account))
        return GH_IDENTITY_UNAVAILABLE;
    importing.account.password_changed_us = 0; /* never here: it is no sign-up */
    result = gh_identity_run(call, import, &importing);
    if (importing.taken)
        return GH_IDENTITY_EMAIL_TAKEN;
    atomic_store(&call->identity->hash_costs.stale, true);
    if (result == GH_IDENTITY_OK && !gh_account_view_of(call, &importing.account, out_user))
        return GH_IDENTITY_UNAVAILABLE;
    return result;
}

/* ---- A line ---- */

/* False: `why` says what is wrong with the member. */
static bool read_text(struct gh_identity_call *call, const struct gh_json_value *value,
                      struct gh_str *out)
{
    if (value->kind == GH_JSON_NULL)
        return true;
    struct gh_str text = gh_json_string(value);
    if (text.ptr) {
        *out = text;
        return true;
    }
    call->why = gh_arena_format(call->arena, "%.*s: not a string", GH_STR_ARG(value->name)).ptr;
    return false;
}

static bool read_roles(struct gh_identity_call *call, const struct gh_json_doc *doc,
                       const struct gh_json_value *list, gh_roles *out_roles)
{
    const struct gh_role_names *names = &call->settings->role_names;
    if (list->kind == GH_JSON_NULL)
        return true;
    call->why = "roles: not a list of strings";
    if (list->kind != GH_JSON_ARRAY)
        return false;
    for (const struct gh_json_value *item = gh_json_first(doc, list); item;
         item = gh_json_after(doc, list, item)) {
        struct gh_str name = gh_json_string(item);
        if (!name.ptr)
            return false;
        gh_roles bit = gh_role_bit(names, name);
        if (!bit) {
            call->why = gh_arena_format(call->arena, "roles: \"%.*s\" is not in identity.roles",
                                        GH_STR_ARG(gh_config_show(call->arena, name)))
                            .ptr;
            return false;
        }
        *out_roles |= bit;
    }
    return true;
}

static bool read_member(struct gh_identity_call *call, const struct gh_json_doc *doc,
                        const struct gh_json_value *member, struct gh_user_import *user)
{
    struct gh_str *texts[] = {&user->email, &user->password_hash, &user->totp_secret, &user->name};
    static const struct gh_str NAMES[] = {GH_STR_INIT("email"), GH_STR_INIT("password_hash"),
                                          GH_STR_INIT("totp_secret"), GH_STR_INIT("name")};
    for (size_t i = 0; i < 4; i++)
        if (gh_str_eq(member->name, NAMES[i]))
            return read_text(call, member, texts[i]);
    if (gh_str_eq(member->name, GH_STR("roles")))
        return read_roles(call, doc, member, &user->roles);
    if (gh_str_eq(member->name, GH_STR("email_verified"))) {
        user->email_verified = member->kind == GH_JSON_BOOL && member->boolean;
        call->why = "email_verified: not true or false";
        return member->kind == GH_JSON_BOOL || member->kind == GH_JSON_NULL;
    }
    call->why = gh_arena_format(call->arena, "unknown member \"%.*s\"",
                                GH_STR_ARG(gh_config_show(call->arena, member->name)))
                    .ptr;
    return false;
}

enum gh_identity_result gh_user_import_parse(struct gh_identity_call *call, struct gh_str line,
                                             struct gh_user_import *out_user)
{
    struct gh_json_doc doc;
    size_t offset = 0;
    struct gh_user_import user = {.email = GH_STR(""),
                                  .password_hash = GH_STR(""),
                                  .totp_secret = GH_STR(""),
                                  .name = GH_STR("")};
    enum gh_json_status status = gh_json_parse(call->arena, line, &LINE_LIMITS, &doc, &offset);
    if (status != GH_JSON_OK) {
        call->why = gh_arena_format(call->arena, "JSON, byte %zu: %.*s", offset,
                                    GH_STR_ARG(gh_json_status_text(status)))
                        .ptr;
        return GH_IDENTITY_INVALID;
    }
    const struct gh_json_value *root = gh_json_root(&doc);
    if (!root || root->kind != GH_JSON_OBJECT)
        return invalid(call, "not an object");
    for (const struct gh_json_value *member = gh_json_first(&doc, root); member;
         member = gh_json_after(&doc, root, member)) {
        if (!read_member(call, &doc, member, &user))
            return GH_IDENTITY_INVALID;
    }
    if (!user.email.len)
        return invalid(call, "email: missing");
    call->why = NULL;
    *out_user = user;
    return GH_IDENTITY_OK;
}
