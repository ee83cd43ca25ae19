/* See claims.h. */
#include "session/claims.h"

#include "json/writer.h"

static const struct gh_json_value *find(const struct gh_json_doc *claims, struct gh_str name)
{
    return gh_json_get(claims, gh_json_root(claims), name);
}

bool gh_claims_text(const struct gh_json_doc *claims, struct gh_str name, struct gh_str *out_text)
{
    const struct gh_json_value *value = find(claims, name);
    *out_text = value ? gh_json_string(value) : GH_STR("");
    return out_text->ptr != NULL;
}

bool gh_claims_time(const struct gh_json_doc *claims, struct gh_str name, uint64_t *out_s)
{
    const struct gh_json_value *value = find(claims, name);
    int64_t seconds = 0;
    if (value && (!gh_json_int64(value, &seconds) || seconds < 0))
        return false;
    *out_s = (uint64_t)seconds;
    return true;
}

bool gh_claims_bool(const struct gh_json_doc *claims, struct gh_str name, bool *out_value)
{
    const struct gh_json_value *value = find(claims, name);
    *out_value = value && value->boolean;
    return !value || value->kind == GH_JSON_BOOL;
}

bool gh_claims_is_list(const struct gh_json_doc *claims, struct gh_str name)
{
    const struct gh_json_value *list = find(claims, name);
    if (!list)
        return true;
    if (list->kind != GH_JSON_ARRAY)
        return false;
    const struct gh_json_value *item = gh_json_first(claims, list);
    for (; item; item = gh_json_after(claims, list, item))
        if (item->kind != GH_JSON_STRING)
            return false;
    return true;
}

bool gh_claims_list_has(const struct gh_json_doc *claims, struct gh_str name, struct gh_str text)
{
    const struct gh_json_value *list = find(claims, name);
    if (!list || list->kind != GH_JSON_ARRAY)
        return false;
    const struct gh_json_value *item = gh_json_first(claims, list);
    for (; item; item = gh_json_after(claims, list, item))
        if (item->kind == GH_JSON_STRING && gh_str_eq(item->text, text))
            return true;
    return false;
}

gh_roles gh_claims_roles(const struct gh_json_doc *claims, struct gh_str name,
                         const struct gh_role_names *names)
{
    const struct gh_json_value *list = find(claims, name);
    gh_roles roles = 0;
    if (!list || list->kind != GH_JSON_ARRAY)
        return 0;
    const struct gh_json_value *item = gh_json_first(claims, list);
    for (; item; item = gh_json_after(claims, list, item))
        if (item->kind == GH_JSON_STRING)
            roles |= gh_role_bit(names, item->text);
    return roles;
}

static void put_roles(struct gh_buf *buf, const struct gh_role_names *names, gh_roles roles)
{
    bool first = true;
    gh_json_put_name(buf, GH_STR("roles"));
    gh_buf_put_char(buf, '[');
    for (size_t i = 0; i < names->count && i < GH_ROLES_MAX; i++) {
        if (!(roles >> i & 1))
            continue;
        if (!first)
            gh_buf_put_char(buf, ',');
        gh_json_put_string(buf, names->names[i]);
        first = false;
    }
    gh_buf_put_char(buf, ']');
}

/* How another issuer made sure of somebody is known in so far as it says "two factors". */
static void put_methods(struct gh_buf *buf, const struct gh_subject *subject)
{
    struct gh_str own = subject->two_factor ? GH_STR("[\"pwd\",\"otp\"]") : GH_STR("[\"pwd\"]");
    if (subject->issuer.len && !subject->two_factor)
        return;
    gh_json_put_name(buf, GH_STR("amr"));
    gh_buf_put(buf, subject->issuer.len ? GH_STR("[\"mfa\"]") : own);
}

void gh_claims_put_subject(struct gh_buf *buf, const struct gh_role_names *names,
                           const struct gh_subject *subject)
{
    if (subject->authenticated_s)
        gh_json_put_member_u64(buf, GH_STR("auth_time"), subject->authenticated_s);
    put_methods(buf, subject);
    put_roles(buf, names, subject->roles);
    if (subject->email.len)
        gh_json_put_member(buf, GH_STR("email"), subject->email);
}
