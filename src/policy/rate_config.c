/* The settings of rate limits: their table, and their compilation into frozen policies. */
#include "policy/rate.h"

#include "http/field.h"

#define HEADER_PREFIX GH_STR("header:")
#define BODY_PREFIX   GH_STR("body:")

/* Kinds that a key may be made of, for "did you mean". */
static const char *const KEY_NAMES[] = {"client", "user", "session", "route"};

static const struct {
    struct gh_str name;
    enum gh_rate_key_kind kind;
} PLAIN_KEYS[] = {
    {GH_STR_INIT("client"), GH_RATE_KEY_CLIENT},
    {GH_STR_INIT("user"), GH_RATE_KEY_USER},
    {GH_STR_INIT("session"), GH_RATE_KEY_SESSION},
    {GH_STR_INIT("route"), GH_RATE_KEY_ROUTE},
};

#define KEY_REMEDY "use client, user, session, route, header:NAME or body:FIELD"

static struct gh_config_place place_of(const struct gh_config_load *load,
                                       const struct gh_rate_settings *settings, const void *member)
{
    struct gh_config_place place = gh_config_where(load, member);
    return place.line ? place : gh_config_where(load, settings);
}

/* Names stand in a structured field, in a metric label and in the file's lists. */
static bool is_name(struct gh_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = gh_ascii_lower(name.ptr[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return name.len > 0 && name.len <= 64;
}

/* ---- Keys ---- */

static bool read_header_key(struct gh_config_load *load, struct gh_str name,
                            struct gh_config_place place, struct gh_rate_key *out_key)
{
    if (!gh_is_token(name)) {
        gh_config_problem_add(load, GH_CONFIG_ERROR, place, "write header:NAME",
                              "\"%.*s\" is no field name", GH_STR_ARG(name));
        return false;
    }
    struct gh_str lower = gh_arena_dup(load->arena, name);
    if (!lower.ptr)
        return false;
    for (size_t i = 0; i < lower.len; i++)
        ((char *)(uintptr_t)lower.ptr)[i] = gh_ascii_lower(lower.ptr[i]);
    *out_key = (struct gh_rate_key){GH_RATE_KEY_HEADER, lower};
    return true;
}

static bool read_body_key(struct gh_config_load *load, struct gh_str name,
                          struct gh_config_place place, struct gh_rate_key *out_key)
{
    if (!name.len) {
        gh_config_problem_add(load, GH_CONFIG_ERROR, place, "write body:FIELD, as in body:email",
                              "the key body: names no field");
        return false;
    }
    /* Readers differ about brackets: "[a][b]" and JSON's {"a":{"b":...}} are "a[b]", too. */
    if (gh_str_find_char(name, '[') < name.len || gh_str_find_char(name, ']') < name.len) {
        gh_config_problem_add(load, GH_CONFIG_ERROR, place, "name a field that is in no other one",
                              "the key body:%.*s is a field within another", GH_STR_ARG(name));
        return false;
    }
    *out_key = (struct gh_rate_key){.kind = GH_RATE_KEY_BODY, .name = name};
    return true;
}

static bool read_key(struct gh_config_load *load, struct gh_str text, struct gh_config_place place,
                     struct gh_rate_key *out_key)
{
    for (size_t i = 0; i < sizeof(PLAIN_KEYS) / sizeof(PLAIN_KEYS[0]); i++) {
        if (gh_str_eq(text, PLAIN_KEYS[i].name)) {
            *out_key = (struct gh_rate_key){.kind = PLAIN_KEYS[i].kind};
            return true;
        }
    }
    if (gh_str_starts_with(text, HEADER_PREFIX))
        return read_header_key(load, gh_str_skip(text, HEADER_PREFIX.len), place, out_key);
    if (gh_str_starts_with(text, BODY_PREFIX))
        return read_body_key(load, gh_str_skip(text, BODY_PREFIX.len), place, out_key);
    const char *nearest = gh_nearest(text, KEY_NAMES, sizeof(KEY_NAMES) / sizeof(KEY_NAMES[0]));
    const char *remedy = KEY_REMEDY;
    if (nearest)
        remedy = gh_arena_format(load->arena, "did you mean \"%s\"?", nearest).ptr;
    gh_config_problem_add(load, GH_CONFIG_ERROR, place, remedy, "\"%.*s\" is nothing to count by",
                          GH_STR_ARG(text));
    return false;
}

/* When all keys are known. */
static enum gh_rate_point point_of(const struct gh_rate_key *keys, size_t count)
{
    enum gh_rate_point point = GH_RATE_AT_HEAD;
    for (size_t i = 0; i < count; i++) {
        bool subject = keys[i].kind == GH_RATE_KEY_USER || keys[i].kind == GH_RATE_KEY_SESSION;
        if (keys[i].kind == GH_RATE_KEY_BODY)
            return GH_RATE_AT_BODY;
        if (subject)
            point = GH_RATE_AT_SUBJECT;
    }
    return point;
}

static bool compile_keys(struct gh_config_load *load, const struct gh_rate_settings *settings,
                         struct gh_rate_policy *policy)
{
    const struct gh_str *items = settings->key.items;
    size_t count = settings->key.count;
    bool good = true;
    struct gh_rate_key *keys = gh_arena_zalloc(load->arena, count, sizeof(*keys));
    if (!keys)
        return false;
    if (count == 0 || count > GH_RATE_KEYS_MAX) {
        gh_config_problem_add(load, GH_CONFIG_ERROR, place_of(load, settings, &settings->key),
                              KEY_REMEDY ", or several of them", "a key has 1 to %d parts",
                              GH_RATE_KEYS_MAX);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        good &= read_key(load, items[i], gh_config_where(load, &items[i]), &keys[i]);
    policy->keys = keys;
    policy->key_count = count;
    policy->point = point_of(keys, count);
    return good;
}

/* ---- Rules and texts ---- */

static bool compile_rule(struct gh_config_load *load, const struct gh_rate_settings *settings,
                         struct gh_rate_policy *policy)
{
    const struct gh_config_rate *limit = &settings->limit;
    if (limit->count <= UINT32_MAX && settings->burst <= UINT32_MAX) {
        policy->rule = (struct gh_limit_rule){
            .kind = settings->burst ? GH_LIMIT_GCRA : GH_LIMIT_EXACT,
            .count = (uint32_t)limit->count,
            .window_ms = limit->window_ms,
            .burst = (uint32_t)settings->burst,
        };
        if (gh_limit_rule_prepare(&policy->rule))
            return true;
    }
    gh_config_problem_add(load, GH_CONFIG_ERROR, place_of(load, settings, &settings->limit),
                          "at least 1, at most 4294967295, in at most 30 days; a burst must come "
                          "back within ten years",
                          "the limit \"%.*s\" can't be counted", GH_STR_ARG(policy->name));
    return false;
}

/* "minute", "30 seconds": what follows "per". */
static void put_window(struct gh_buf *out, uint64_t window_ms)
{
    static const struct {
        uint64_t ms;
        const char *name;
    } units[] = {{86400000, "day"},
                 {3600000, "hour"},
                 {60000, "minute"},
                 {1000, "second"},
                 {1, "millisecond"}};
    size_t unit = 0;
    while (window_ms % units[unit].ms)
        unit++;
    if (window_ms == units[unit].ms)
        gh_buf_format(out, "%s", units[unit].name);
    else
        gh_buf_format(out, "%llu %ss", (unsigned long long)(window_ms / units[unit].ms),
                      units[unit].name);
}

static bool compile_texts(struct gh_config_load *load, struct gh_rate_policy *policy)
{
    const struct gh_limit_rule *rule = &policy->rule;
    char text[96];
    struct gh_buf window = gh_buf_over(text, sizeof(text) - 1);
    put_window(&window, rule->window_ms);
    policy->detail =
        gh_arena_format(load->arena, "Rate limit exceeded: %u request%s per %.*s", rule->count,
                        rule->count == 1 ? "" : "s", GH_STR_ARG(gh_buf_str(&window)));
    policy->policy_field =
        gh_arena_format(load->arena, "\"%.*s\";q=%u;w=%llu", GH_STR_ARG(policy->name), rule->count,
                        (unsigned long long)((rule->window_ms + 999) / 1000));
    policy->quoted_name = gh_arena_format(load->arena, "\"%.*s\"", GH_STR_ARG(policy->name));
    return policy->detail.ptr && policy->policy_field.ptr && policy->quoted_name.ptr;
}

/* What a policy is told apart by, also after a reload and on another node: no secret is in it. */
static bool compile_shape(struct gh_rate_policy *policy)
{
    const struct gh_limit_rule *rule = &policy->rule;
    char memory[64 + 64 + GH_RATE_KEYS_MAX * 80];
    struct gh_buf text = gh_buf_over(memory, sizeof(memory));
    gh_buf_format(&text, "%.*s %d %u %llu %u", GH_STR_ARG(policy->name), (int)rule->kind,
                  rule->count, (unsigned long long)rule->window_ms, rule->burst);
    for (size_t i = 0; i < policy->key_count; i++)
        gh_buf_format(
            &text, " %d:%016llx", (int)policy->keys[i].kind,
            (unsigned long long)gh_hash64((struct gh_hash_key){0, 0}, policy->keys[i].name));
    policy->shape = gh_hash64((struct gh_hash_key){0, 0}, gh_buf_str(&text));
    return !text.overflow;
}

static bool compile_policy(struct gh_config_load *load, struct gh_str name,
                           struct gh_config_place place, const struct gh_rate_settings *settings,
                           struct gh_rate_policy *policy)
{
    policy->name = name;
    policy->mode = settings->mode;
    if (!is_name(name)) {
        gh_config_problem_add(load, GH_CONFIG_ERROR, place,
                              "use letters, digits, - and _, at most 64",
                              "\"%.*s\" is no name for a rate limit", GH_STR_ARG(name));
        return false;
    }
    bool good = compile_keys(load, settings, policy);
    good &= compile_rule(load, settings, policy);
    return good && compile_texts(load, policy) && compile_shape(policy);
}

/* A limit by user or session where nobody signs in counts clients. */
static void warn_without_identity(struct gh_config_load *load, struct gh_config_place place,
                                  const struct gh_rate_policy *policy)
{
    for (size_t i = 0; i < policy->key_count; i++) {
        if (policy->keys[i].kind != GH_RATE_KEY_USER && policy->keys[i].kind != GH_RATE_KEY_SESSION)
            continue;
        gh_config_problem_add(load, GH_CONFIG_WARNING, place, "use client, or switch identity on",
                              "nobody can sign in, so \"%.*s\" is counted by client",
                              GH_STR_ARG(policy->name));
        return;
    }
}

bool gh_rate_compile(struct gh_config_load *load, const struct gh_config_map *settings,
                     bool identity, const struct gh_rate_policy **out_policies, size_t *out_count)
{
    const struct gh_rate_settings *items = settings->items;
    struct gh_rate_policy *policies =
        gh_arena_zalloc(load->arena, settings->count, sizeof(*policies));
    if (!policies)
        return false;
    bool good = true;
    for (size_t i = 0; i < settings->count; i++) {
        struct gh_config_place place =
            settings->places ? settings->places[i] : (struct gh_config_place){0};
        good &= compile_policy(load, settings->keys[i], place, &items[i], &policies[i]);
        if (!identity)
            warn_without_identity(load, place, &policies[i]);
    }
    *out_policies = policies;
    *out_count = settings->count;
    return good;
}

/* ---- The table ---- */

static const struct gh_config_field STRING_ITEM = {.type = GH_CONFIG_TYPE_STRING};

#define RATE(member) .offset = offsetof(struct gh_rate_settings, member)

static const struct gh_config_field RATE_FIELDS[] = {
    {.name = "limit",
     .type = GH_CONFIG_TYPE_RATE,
     RATE(limit),
     .required = true,
     .doc = "How many in how long: `5/minute`. Exact: no window of that length ever admits more."},
    {.name = "burst",
     .type = GH_CONFIG_TYPE_INTEGER,
     RATE(burst),
     .min = 1,
     .max = 1000000000,
     .doc = "How many at once; they come back at the rate of `limit` (GCRA). Without it the limit "
            "is exact."},
    {.name = "key",
     .type = GH_CONFIG_TYPE_LIST,
     RATE(key),
     .item = &STRING_ITEM,
     .one_or_list = true,
     .default_yaml = "client",
     .doc = "Whom it is counted for: `client` (IPv6 by /64), `user` and `session` (callers who are "
            "not signed in: client), `route`, `header:NAME`, `body:FIELD` (a field of a JSON, form "
            "or multipart body of up to 64 KiB, or of the query, in any spelling that a backend "
            "may take for it; where it is missing: client; where it is unclear the request is "
            "refused: see "
            "configuration.md), or a list, which counts each combination."},
    {.name = "mode",
     .type = GH_CONFIG_TYPE_ENUM,
     RATE(mode),
     .names = gh_mode_names,
     .doc = "observe: counted and logged, nobody is refused."},
};

const struct gh_config_table gh_rate_table = {
    .name = "rate_limits",
    .doc = "A rate limit. It is counted once for the whole gateway, not per route.",
    .size = sizeof(struct gh_rate_settings),
    .fields = RATE_FIELDS,
    .field_count = sizeof(RATE_FIELDS) / sizeof(RATE_FIELDS[0]),
};
