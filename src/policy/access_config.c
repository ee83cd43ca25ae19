/*
 * `access` of a route: how it is written, its table, what must hold of it, and its text for
 * `check`. The stage that judges by it is access.c.
 */
#include "policy/identity_rules.h"

#include "policy/route_pattern.h"

static const char *const WORDS[] = {"public", "signed_in"};

const char gh_access_schema[] =
    "{\"oneOf\":[{\"enum\":[\"public\",\"signed_in\"]},"
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"signed_in\":{\"const\":true},"
    "\"role\":{\"oneOf\":[{\"type\":\"string\"},"
    "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]},"
    "\"two_factor\":{\"type\":\"boolean\"},\"fresh\":{\"type\":\"boolean\"},"
    "\"owner\":{\"type\":\"string\"},\"owner_issuer\":{\"type\":\"string\"},"
    "\"or_role\":{\"oneOf\":[{\"type\":\"string\"},"
    "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]},"
    "\"mode\":{\"enum\":[\"enforce\",\"observe\",\"off\"]}}}]}";

/* ---- Reading ---- */

static void read_map(struct gh_config_load *load, const struct gh_config_node *node,
                     struct gh_access_settings *access)
{
    unsigned errors_before = load->error_count;
    gh_config_bind(load, &gh_access_table, node, access);
    if (load->error_count == errors_before && !access->signed_in)
        gh_config_problem_add(load, GH_CONFIG_ERROR, node->place, "write access: public",
                              "signed_in: false is no access rule");
}

void gh_access_read(struct gh_config_load *load, const struct gh_config_node *node, void *out)
{
    struct gh_access_settings *access = out;
    access->given = true;
    if (node->kind == GH_CONFIG_MAP) {
        read_map(load, node, access);
        return;
    }
    bool scalar = node->kind == GH_CONFIG_SCALAR;
    if (scalar && gh_str_eq(node->text, GH_STR("signed_in")))
        return;
    if (scalar && gh_str_eq(node->text, GH_STR("public"))) {
        access->kind = GH_ACCESS_PUBLIC;
        return;
    }
    const char *nearest =
        scalar ? gh_nearest(node->text, WORDS, sizeof(WORDS) / sizeof(WORDS[0])) : NULL;
    const char *remedy = "write public, signed_in, or a map as in {role: admin}";
    if (nearest)
        remedy = gh_arena_format(load->arena, "did you mean \"%s\"?", nearest).ptr;
    gh_config_problem_add(
        load, GH_CONFIG_ERROR, node->place, remedy, "this is no access rule: \"%.*s\"",
        GH_STR_ARG(scalar ? gh_config_show(load->arena, node->text) : GH_STR("a list")));
}

/* ---- Compiling ---- */

struct compile {
    struct gh_config_load *load;
    const struct gh_route_settings *route;
    const struct gh_route_context *context;
    struct gh_access_rule *rule;
};

/* The place of a part of the rule, or of the whole. */
static struct gh_config_place place_of(const struct compile *compile, const void *member)
{
    struct gh_config_place place = gh_config_where(compile->load, member);
    if (!place.line)
        place = gh_config_where(compile->load, &compile->route->access);
    return place.line ? place : gh_config_where(compile->load, &compile->route->path);
}

static bool refuse(const struct compile *compile, const void *member, const char *remedy,
                   const char *what)
{
    gh_config_problem_add(compile->load, GH_CONFIG_ERROR, place_of(compile, member), remedy, "%s",
                          what);
    return false;
}

static bool refuse_role(const struct compile *compile, const struct gh_str *name)
{
    const struct gh_role_names *roles = &compile->context->identity->roles;
    struct gh_arena *arena = compile->load->arena;
    const char *known[GH_ROLES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < roles->count && count < GH_ROLES_MAX; i++) {
        struct gh_str copy = gh_arena_dup(arena, roles->names[i]);
        if (copy.ptr)
            known[count++] = copy.ptr;
    }
    const char *nearest = gh_nearest(*name, known, count);
    const char *remedy = "list it in identity.roles";
    if (nearest)
        remedy = gh_arena_format(arena, "did you mean \"%s\"?", nearest).ptr;
    gh_config_problem_add(compile->load, GH_CONFIG_ERROR, place_of(compile, name), remedy,
                          "identity.roles has no \"%.*s\"",
                          GH_STR_ARG(gh_config_show(arena, *name)));
    return false;
}

static bool compile_roles(const struct compile *compile, const struct gh_config_list *list,
                          gh_roles *out_roles)
{
    const struct gh_role_names *names = &compile->context->identity->roles;
    const struct gh_str *items = list->items;
    bool good = true;
    for (size_t i = 0; i < list->count; i++) {
        gh_roles bit = 0;
        for (size_t at = 0; at < names->count && at < GH_ROLES_MAX; at++)
            if (gh_str_eq(names->names[at], items[i]))
                bit = (gh_roles)1 << at;
        good &= bit || refuse_role(compile, &items[i]);
        *out_roles |= bit;
    }
    return good;
}

static bool has_parameter(const struct compile *compile, struct gh_str name)
{
    struct gh_route_pattern pattern;
    /* a pattern that is malformed is told where the tree is built */
    if (gh_route_pattern_parse(compile->route->path, compile->load->arena, &pattern))
        return true;
    for (size_t i = 0; i < pattern.count; i++)
        if (pattern.segments[i].is_param && gh_str_eq(pattern.segments[i].text, name))
            return true;
    return false;
}

static bool compile_owner(const struct compile *compile)
{
    const struct gh_access_settings *access = &compile->route->access;
    if (access->owner.len && !has_parameter(compile, access->owner)) {
        gh_config_problem_add(compile->load, GH_CONFIG_ERROR, place_of(compile, &access->owner),
                              "name a {parameter} of the route's path",
                              "the path %.*s has no parameter \"%.*s\"",
                              GH_STR_ARG(compile->route->path), GH_STR_ARG(access->owner));
        return false;
    }
    if (!access->owner.len && access->or_role.count)
        return refuse(compile, &access->or_role, "name the owner, or write role",
                      "or_role means nothing without owner");
    if (!access->owner.len && access->owner_issuer.len)
        return refuse(compile, &access->owner_issuer, "name the owner, too",
                      "owner_issuer means nothing without owner");
    compile->rule->owner = access->owner;
    compile->rule->owner_issuer = access->owner_issuer;
    return true;
}

static bool check_mode(const struct compile *compile)
{
    const struct gh_route_context *context = compile->context;
    enum gh_mode mode = compile->route->access.mode;
    if (mode == GH_MODE_ENFORCE || !context->production || context->unsafe_observe_access)
        return true;
    return refuse(compile, &compile->route->access.mode,
                  "take the mode out, or write unsafe_observe_access: true at the top of the file",
                  "in production access rules are enforced");
}

bool gh_access_compile(struct gh_config_load *load, const struct gh_route_settings *route,
                       const struct gh_route_context *context, struct gh_access_rule *out_rule)
{
    const struct gh_access_settings *access = &route->access;
    const struct compile compile = {load, route, context, out_rule};
    *out_rule = (struct gh_access_rule){.kind = access->kind, .mode = access->mode};
    if (!context->identity) {
        out_rule->kind = GH_ACCESS_PUBLIC;
        if (!access->given || access->kind == GH_ACCESS_PUBLIC)
            return true;
        return refuse(&compile, access, "write access: public, or switch identity on",
                      "nobody can sign in: identity is not enabled");
    }
    if (access->kind == GH_ACCESS_PUBLIC)
        return true;
    out_rule->two_factor = access->two_factor;
    out_rule->fresh = access->fresh;
    bool good = compile_roles(&compile, &access->role, &out_rule->roles);
    good &= compile_roles(&compile, &access->or_role, &out_rule->or_roles);
    good &= compile_owner(&compile);
    return check_mode(&compile) && good;
}

/* ---- In words ---- */

static void put_roles(struct gh_buf *buf, const struct gh_role_names *names, gh_roles roles)
{
    bool first = true;
    for (size_t i = 0; i < names->count && i < GH_ROLES_MAX; i++) {
        if (!(roles >> i & 1))
            continue;
        gh_buf_put(buf, first ? GH_STR("") : GH_STR(" or "));
        gh_buf_put(buf, names->names[i]);
        first = false;
    }
}

void gh_access_put(struct gh_buf *buf, const struct gh_role_names *roles,
                   const struct gh_access_rule *rule)
{
    if (rule->kind == GH_ACCESS_PUBLIC) {
        gh_buf_put(buf, GH_STR("public"));
        return;
    }
    gh_buf_put(buf, rule->roles ? GH_STR("role ") : GH_STR("signed_in"));
    put_roles(buf, roles, rule->roles);
    if (rule->owner.len) {
        gh_buf_put(buf, GH_STR(", owner "));
        gh_buf_put(buf, rule->owner);
        gh_buf_put(buf, rule->owner_issuer.len ? GH_STR(" of ") : GH_STR(""));
        gh_buf_put(buf, rule->owner_issuer);
        gh_buf_put(buf, rule->or_roles ? GH_STR(" or role ") : GH_STR(""));
        put_roles(buf, roles, rule->or_roles);
    }
    gh_buf_put(buf, rule->two_factor ? GH_STR(", two_factor") : GH_STR(""));
    gh_buf_put(buf, rule->fresh ? GH_STR(", fresh") : GH_STR(""));
    if (rule->mode != GH_MODE_ENFORCE)
        gh_buf_put(buf, rule->mode == GH_MODE_OBSERVE ? GH_STR(" (observe)") : GH_STR(" (off)"));
}

/* ---- The table ---- */

static const struct gh_config_field STRING_ITEM = {.type = GH_CONFIG_TYPE_STRING};

#define ACCESS(member) .offset = offsetof(struct gh_access_settings, member)

static const struct gh_config_field ACCESS_FIELDS[] = {
    {.name = "signed_in",
     .type = GH_CONFIG_TYPE_BOOL,
     ACCESS(signed_in),
     .default_yaml = "true",
     .doc = "Somebody must be signed in; every other key asks for that, too."},
    {.name = "role",
     .type = GH_CONFIG_TYPE_LIST,
     ACCESS(role),
     .item = &STRING_ITEM,
     .one_or_list = true,
     .doc = "One of these roles of `identity.roles`."},
    {.name = "two_factor",
     .type = GH_CONFIG_TYPE_BOOL,
     ACCESS(two_factor),
     .doc = "Signed in with a second factor."},
    {.name = "fresh",
     .type = GH_CONFIG_TYPE_BOOL,
     ACCESS(fresh),
     .doc = "Password or code were given within `identity.sessions.fresh`."},
    {.name = "owner",
     .type = GH_CONFIG_TYPE_STRING,
     ACCESS(owner),
     .doc = "A {parameter} of the path that must be the caller's own id."},
    {.name = "owner_issuer",
     .type = GH_CONFIG_TYPE_STRING,
     ACCESS(owner_issuer),
     .doc = "With `owner`: the ids are those of this one of `identity.issuers`. Default: of the "
            "accounts here; callers of other issuers are then never the owner."},
    {.name = "or_role",
     .type = GH_CONFIG_TYPE_LIST,
     ACCESS(or_role),
     .item = &STRING_ITEM,
     .one_or_list = true,
     .doc = "With `owner`: these roles need not be the owner."},
    {.name = "mode",
     .type = GH_CONFIG_TYPE_ENUM,
     ACCESS(mode),
     .names = gh_mode_names,
     .doc = "observe: decided and logged, let pass. In production only with "
            "`unsafe_observe_access: true`."},
};

const struct gh_config_table gh_access_table = {
    .name = "access",
    .doc = "Who may call a route.",
    .size = sizeof(struct gh_access_settings),
    .fields = ACCESS_FIELDS,
    .field_count = sizeof(ACCESS_FIELDS) / sizeof(ACCESS_FIELDS[0]),
};
