/*
 * Response headers: compiles `headers` and `csp` into the block of a route. And the table of
 * `headers`. The presets' contents are in header_presets.c.
 */
#include "policy/headers.h"

#include "base/assert.h"
#include "http/field.h"
#include "policy/csp.h"
#include "policy/header_presets.h"

#define LINES_MAX 96

struct draft {
    struct gh_config_load *load;
    const struct gh_header_source *source;
    struct gh_header_line lines[LINES_MAX];
    size_t count;
};

static const struct gh_str CSP = GH_STR_INIT("Content-Security-Policy");
static const struct gh_str CSP_REPORT_ONLY = GH_STR_INIT("Content-Security-Policy-Report-Only");
static const struct gh_str REPORTING_ENDPOINTS = GH_STR_INIT("Reporting-Endpoints");
static const struct gh_str HSTS = GH_STR_INIT("Strict-Transport-Security");
static const struct gh_str PERMISSIONS_POLICY = GH_STR_INIT("Permissions-Policy");

enum gh_header_preset gh_header_preset_of(const struct gh_header_source *source)
{
    if (source->route_headers && source->route_headers->preset != GH_PRESET_UNSET)
        return source->route_headers->preset;
    return source->headers->preset == GH_PRESET_UNSET ? GH_PRESET_API : source->headers->preset;
}

static bool is_written(const struct gh_config_load *load, const void *field)
{
    return gh_config_where(load, field).line != 0;
}

static enum gh_hsts_when hsts_when(const struct draft *draft)
{
    const struct gh_headers_settings *route = draft->source->route_headers;
    if (route && (route->hsts.when != GH_HSTS_HTTPS || is_written(draft->load, &route->hsts.when)))
        return route->hsts.when;
    return draft->source->headers->hsts.when;
}

static void set_when(const struct draft *draft, struct gh_header_line *line)
{
    line->when[0] = line->when[1] = true;
    if (!gh_str_ieq(line->name, HSTS))
        return;
    bool production = draft->source->environment == GH_PRODUCTION;
    enum gh_hsts_when when = hsts_when(draft);
    line->when[0] = when == GH_HSTS_ALWAYS || (when == GH_HSTS_PRODUCTION && production);
    line->when[1] = when == GH_HSTS_ALWAYS || production;
}

/* One line of a name: a later one takes the place of an earlier one; an empty value takes the name
   out. */
static void put_line(struct draft *draft, struct gh_str name, struct gh_str value, bool if_silent)
{
    size_t at = 0;
    while (at < draft->count && !gh_str_ieq(draft->lines[at].name, name))
        at++;
    if (!value.len) {
        if (at < draft->count) {
            draft->count--;
            memmove(&draft->lines[at], &draft->lines[at + 1],
                    (draft->count - at) * sizeof(draft->lines[0]));
        }
        return;
    }
    if (at == LINES_MAX) {
        gh_config_problem_add(draft->load, GH_CONFIG_ERROR, (struct gh_config_place){0}, NULL,
                              "more than %d response headers", LINES_MAX);
        return;
    }
    struct gh_header_line *line = &draft->lines[at];
    *line = (struct gh_header_line){.name = name, .value = value, .if_silent = if_silent};
    line->joins_list = gh_str_ieq(name, CSP) || gh_str_ieq(name, CSP_REPORT_ONLY) ||
                       gh_str_ieq(name, PERMISSIONS_POLICY);
    set_when(draft, line);
    if (at == draft->count)
        draft->count++;
}

/* ---- Permissions-Policy ---- */

static bool is_allowed_feature(const struct gh_config_list *allowed, struct gh_str item)
{
    const struct gh_str *names = allowed->items;
    struct gh_str name = gh_str_first(item, gh_str_find_char(item, '='));
    for (size_t i = 0; i < allowed->count; i++)
        if (gh_str_eq(names[i], name))
            return true;
    return false;
}

static void check_features(struct gh_config_load *load, const struct gh_config_list *allowed,
                           struct gh_str policy)
{
    const struct gh_str *names = allowed->items;
    for (size_t i = 0; i < allowed->count; i++) {
        bool known = false;
        struct gh_str item;
        for (struct gh_str rest = policy; gh_str_next_list_item(&rest, &item);)
            known |= gh_str_eq(names[i], gh_str_first(item, gh_str_find_char(item, '=')));
        if (!known)
            gh_config_problem_add(load, GH_CONFIG_WARNING, gh_config_where(load, &names[i]),
                                  "leave it out", "the preset does not turn \"%.*s\" off",
                                  GH_STR_ARG(names[i]));
    }
}

/* The preset's list, with the features that the site uses open to the site itself. */
static struct gh_str permissions_value(struct draft *draft, struct gh_str policy)
{
    const struct gh_header_source *source = draft->source;
    const struct gh_config_list *allowed = &source->headers->permissions;
    if (source->route_headers && source->route_headers->permissions.count)
        allowed = &source->route_headers->permissions;
    check_features(draft->load, allowed, policy);
    if (!allowed->count || !policy.len)
        return policy;
    char text[2048];
    struct gh_buf out = gh_buf_over(text, sizeof(text));
    struct gh_str item;
    for (struct gh_str rest = policy; gh_str_next_list_item(&rest, &item);) {
        gh_buf_put(&out, out.len ? GH_STR(", ") : GH_STR(""));
        if (is_allowed_feature(allowed, item)) {
            gh_buf_put(&out, gh_str_first(item, gh_str_find_char(item, '=')));
            gh_buf_put(&out, GH_STR("=(self)"));
        } else {
            gh_buf_put(&out, item);
        }
    }
    GH_ASSERT(!out.overflow); /* longer than any preset by 4 bytes a name */
    return gh_arena_dup(draft->load->arena, gh_buf_str(&out));
}

/* ---- headers.set ---- */

/* Fields that frame the message, or that the gateway makes by rules of its own. */
static const struct gh_str NOT_SETTABLE[] = {
    GH_STR_INIT("connection"),
    GH_STR_INIT("content-length"),
    GH_STR_INIT("content-type"),
    GH_STR_INIT("keep-alive"),
    GH_STR_INIT("content-encoding"),
    GH_STR_INIT("trailer"),
    GH_STR_INIT("date"),
    GH_STR_INIT("transfer-encoding"),
    GH_STR_INIT("upgrade"),
    GH_STR_INIT("vary"),
    GH_STR_INIT("x-request-id"),
    GH_STR_INIT("set-cookie"),
    GH_STR_INIT("proxy-connection"),
};

static bool is_settable(struct gh_str name)
{
    for (size_t i = 0; i < sizeof(NOT_SETTABLE) / sizeof(NOT_SETTABLE[0]); i++)
        if (gh_str_ieq(name, NOT_SETTABLE[i]))
            return false;
    return name.len < 15 || !gh_str_ieq(gh_str_first(name, 15), GH_STR("access-control-"));
}

static bool is_field_value(struct gh_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = (uint8_t)value.ptr[i];
        if ((c < 0x20 && c != '\t') || c >= 0x7f)
            return false;
    }
    return gh_str_trim_ows(value).len == value.len;
}

static bool check_set(struct gh_config_load *load, struct gh_config_place place, struct gh_str name,
                      struct gh_str value)
{
    if (!gh_is_token(name))
        gh_config_problem_add(load, GH_CONFIG_ERROR, place, NULL,
                              "\"%.*s\" is no header field name", GH_STR_ARG(name));
    else if (!is_settable(name))
        gh_config_problem_add(load, GH_CONFIG_ERROR, place,
                              "Access-Control headers come from cors; the gateway makes Vary and "
                              "the message's own fields itself",
                              "%.*s can't be set here", GH_STR_ARG(name));
    else if (!is_field_value(value))
        gh_config_problem_add(load, GH_CONFIG_ERROR, place,
                              "use visible ASCII, on one line, without spaces around it",
                              "the value of %.*s is no header field value", GH_STR_ARG(name));
    else
        return true;
    return false;
}

static bool is_csp_name(struct gh_str name)
{
    return gh_str_ieq(name, CSP) || gh_str_ieq(name, CSP_REPORT_ONLY);
}

static struct gh_config_place place_of(const struct gh_config_map *map, size_t i)
{
    return map->places ? map->places[i] : (struct gh_config_place){0};
}

/* True when `set` has a CSP line, which then holds instead of the preset's. */
static bool sets_csp(const struct gh_headers_settings *headers)
{
    for (size_t i = 0; headers && i < headers->set.count; i++)
        if (gh_str_ieq(headers->set.keys[i], CSP))
            return true;
    return false;
}

/* `csp_given`: a csp section stands on the same level; two policies would then contradict. */
static void put_set(struct draft *draft, const struct gh_config_map *set, bool csp_given,
                    bool skip_csp)
{
    const struct gh_str *values = set->items;
    for (size_t i = 0; i < set->count; i++) {
        struct gh_config_place place = place_of(set, i);
        if (!check_set(draft->load, place, set->keys[i], values[i]))
            continue;
        if (is_csp_name(set->keys[i]) && csp_given) {
            gh_config_problem_add(draft->load, GH_CONFIG_ERROR, place, "keep one of the two",
                                  "%.*s stands in headers.set although there is a csp section",
                                  GH_STR_ARG(set->keys[i]));
            continue;
        }
        if (!(is_csp_name(set->keys[i]) && skip_csp))
            put_line(draft, set->keys[i], values[i], false);
    }
}

/* ---- The block ---- */

static struct gh_str hsts_value(const struct gh_header_source *source,
                                const struct gh_preset *preset)
{
    struct gh_str value = source->headers->hsts.value;
    if (source->route_headers && source->route_headers->hsts.value.len)
        value = source->route_headers->hsts.value;
    if (!value.len)
        return preset->hsts;
    return gh_str_eq(value, GH_STR("off")) ? GH_STR("") : value;
}

static bool draft_lines(struct draft *draft)
{
    const struct gh_header_source *source = draft->source;
    const struct gh_headers_settings *route = source->route_headers;
    const struct gh_preset *preset = gh_preset_of(gh_header_preset_of(source));
    struct gh_csp_headers csp;
    struct gh_header_source csp_source = *source;
    bool route_sets_csp = sets_csp(route) && !source->csp_of_route;
    bool file_sets_csp = sets_csp(source->headers) && !source->csp;
    if (!gh_csp_compile(draft->load, &csp_source, preset, &csp))
        return false;
    if (route_sets_csp || file_sets_csp)
        csp = (struct gh_csp_headers){0};
    struct gh_str hsts = hsts_value(source, preset);
    if (!is_field_value(hsts))
        gh_config_problem_add(draft->load, GH_CONFIG_ERROR,
                              gh_config_where(draft->load, &source->headers->hsts.value), NULL,
                              "headers.hsts.value is no header field value");
    put_line(draft, HSTS, hsts, false);
    for (size_t i = 0; i < preset->line_count; i++)
        put_line(draft, preset->lines[i].name, preset->lines[i].value, preset->lines[i].if_silent);
    put_line(draft, PERMISSIONS_POLICY, permissions_value(draft, preset->permissions), false);
    put_line(draft, CSP, csp.enforced, false);
    put_line(draft, CSP_REPORT_ONLY, csp.reported, false);
    put_line(draft, REPORTING_ENDPOINTS, csp.endpoints, false);
    put_set(draft, &source->headers->set, source->csp && !source->csp_of_route,
            source->csp_of_route);
    if (route)
        put_set(draft, &route->set, source->csp_of_route, false);
    return true;
}

static size_t add_names(struct gh_str *names, size_t count, const struct gh_str *more,
                        size_t more_count)
{
    if (more_count)
        memcpy(names + count, more, more_count * sizeof(*names));
    return count + more_count;
}

/* Ours first: of equal names the first counts, so that what is set is never just removed. */
static bool build_names(struct draft *draft, struct gh_header_block *block)
{
    const struct gh_header_source *source = draft->source;
    const struct gh_config_list *remove = &source->headers->remove;
    const struct gh_config_list *more =
        source->route_headers ? &source->route_headers->remove : NULL;
    struct gh_arena *arena = draft->load->arena;
    size_t cap = draft->count + remove->count + (more ? more->count : 0) + gh_leaking_name_count +
                 gh_obsolete_name_count;
    struct gh_str *names = gh_arena_zalloc(arena, cap + 1, sizeof(*names));
    if (!names)
        return false;
    size_t count = 0;
    for (; count < draft->count; count++)
        names[count] = block->lines[count].name;
    count = add_names(names, count, remove->items, remove->count);
    if (more)
        count = add_names(names, count, more->items, more->count);
    if (gh_preset_of(gh_header_preset_of(source))->removes_leaks) {
        count = add_names(names, count, gh_leaking_names, gh_leaking_name_count);
        count = add_names(names, count, gh_obsolete_names, gh_obsolete_name_count);
    }
    return gh_name_set_build(&block->names, arena, names, count, true);
}

static void check_remove(struct gh_config_load *load, const struct gh_config_list *remove)
{
    const struct gh_str *items = remove->items;
    for (size_t i = 0; i < remove->count; i++)
        if (!gh_is_token(items[i]))
            gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &items[i]), NULL,
                                  "\"%.*s\" is no header field name", GH_STR_ARG(items[i]));
}

/* Writes the lines for one scheme; those for a silent upstream last. */
static bool write_bytes(struct gh_arena *arena, struct gh_header_block *block, unsigned https)
{
    size_t cap = 1, count = 0;
    for (size_t i = 0; i < block->line_count; i++)
        cap += block->lines[i].name.len + block->lines[i].value.len + 4;
    char *memory = gh_arena_alloc(arena, cap);
    struct gh_field *fields = gh_arena_zalloc(arena, block->line_count + 1, sizeof(*fields));
    if (!memory || !fields)
        return false;
    struct gh_buf out = gh_buf_over(memory, cap);
    for (unsigned if_silent = 0; if_silent < 2; if_silent++) {
        for (size_t i = 0; i < block->line_count; i++) {
            const struct gh_header_line *line = &block->lines[i];
            if (!line->when[https] || line->if_silent != (bool)if_silent)
                continue;
            gh_buf_put(&out, line->name);
            gh_buf_put(&out, GH_STR(": "));
            gh_buf_put(&out, line->value);
            gh_buf_put(&out, GH_STR("\r\n"));
            fields[count++] = (struct gh_field){
                .name = line->name, .value = line->value, .id = gh_field_id_of(line->name)};
        }
        if (!if_silent) {
            block->always_len[https] = out.len;
            block->always_count[https] = count;
        }
    }
    GH_ASSERT(!out.overflow);
    block->bytes[https] = gh_buf_str(&out);
    block->fields[https] = fields;
    block->field_count[https] = count;
    return true;
}

const struct gh_header_block *gh_header_block_compile(struct gh_config_load *load,
                                                      const struct gh_header_source *source)
{
    struct draft draft = {.load = load, .source = source};
    struct gh_header_block *block = gh_arena_zalloc(load->arena, 1, sizeof(*block));
    if (!block || !draft_lines(&draft))
        return NULL;
    check_remove(load, &source->headers->remove);
    const struct gh_headers_settings *route = source->route_headers;
    if (route)
        check_remove(load, &route->remove);
    struct gh_header_line *lines = gh_arena_zalloc(load->arena, draft.count + 1, sizeof(*lines));
    if (!lines)
        return NULL;
    memcpy(lines, draft.lines, draft.count * sizeof(*lines));
    block->lines = lines;
    block->line_count = draft.count;
    block->on_conflict = source->headers->on_conflict;
    if (route &&
        (route->on_conflict != GH_CONFLICT_REPLACE || is_written(load, &route->on_conflict)))
        block->on_conflict = route->on_conflict;
    return build_names(&draft, block) && write_bytes(load->arena, block, 0) &&
                   write_bytes(load->arena, block, 1)
               ? block
               : NULL;
}

/* ---- The table ---- */

#define HEADERS(field) offsetof(struct gh_headers_settings, field)
#define HSTS_BASE      offsetof(struct gh_headers_settings, hsts)

static const char *const PRESET_NAMES[] = {"inherit", "api", "spa", "owasp", "off", NULL};
static const char *const HSTS_WHEN_NAMES[] = {"https", "production", "always", NULL};
static const char *const CONFLICT_NAMES[] = {"replace", "keep", NULL};
static const struct gh_config_field STRING_ITEM = {.type = GH_CONFIG_TYPE_STRING};

static const struct gh_config_field HSTS_FIELDS[] = {
    {.name = "value",
     .type = GH_CONFIG_TYPE_STRING,
     .offset = HEADERS(hsts.value) - HSTS_BASE,
     .doc = "Value of Strict-Transport-Security instead of the preset's; `off` sends none."},
    {.name = "when",
     .type = GH_CONFIG_TYPE_ENUM,
     .offset = HEADERS(hsts.when) - HSTS_BASE,
     .names = HSTS_WHEN_NAMES,
     .doc = "https: in production, where the scheme is https. production: on every answer in "
            "production. always: on every answer."},
};

static const struct gh_config_table HSTS_TABLE = {
    .name = "hsts",
    .doc = "Strict-Transport-Security.",
    .size = sizeof(((struct gh_headers_settings *)NULL)->hsts),
    .fields = HSTS_FIELDS,
    .field_count = sizeof(HSTS_FIELDS) / sizeof(HSTS_FIELDS[0]),
    .short_form = "value",
};

static const struct gh_config_field HEADERS_FIELDS[] = {
    {.name = "preset",
     .type = GH_CONFIG_TYPE_ENUM,
     .offset = HEADERS(preset),
     .names = PRESET_NAMES,
     .doc = "A complete set of headers: api (the default), spa, owasp, or off. On a route, "
            "inherit takes the file's."},
    {.name = "hsts",
     .type = GH_CONFIG_TYPE_TABLE,
     .offset = HEADERS(hsts),
     .table = &HSTS_TABLE,
     .doc = "Strict-Transport-Security."},
    {.name = "on_conflict",
     .type = GH_CONFIG_TYPE_ENUM,
     .offset = HEADERS(on_conflict),
     .names = CONFLICT_NAMES,
     .doc = "When the backend sends a header that we send: replace it, or keep the backend's."},
    {.name = "set",
     .type = GH_CONFIG_TYPE_MAP,
     .offset = HEADERS(set),
     .item = &STRING_ITEM,
     .doc = "Headers of your own, in place of the preset's of that name; \"\" takes one out."},
    {.name = "remove",
     .type = GH_CONFIG_TYPE_LIST,
     .offset = HEADERS(remove),
     .item = &STRING_ITEM,
     .one_or_list = true,
     .doc = "Headers to take from the backend's answers, beside those that leak what it runs."},
    {.name = "permissions",
     .type = GH_CONFIG_TYPE_LIST,
     .offset = HEADERS(permissions),
     .item = &STRING_ITEM,
     .one_or_list = true,
     .doc = "Browser features that the preset turns off and the site may use all the same."},
};

const struct gh_config_table gh_headers_table = {
    .name = "headers",
    .doc = "Headers of every response, also of refusals and redirects.",
    .size = sizeof(struct gh_headers_settings),
    .fields = HEADERS_FIELDS,
    .field_count = sizeof(HEADERS_FIELDS) / sizeof(HEADERS_FIELDS[0]),
};
