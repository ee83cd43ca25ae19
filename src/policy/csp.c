/*
 * Content-Security-Policy: the policy that is enforced, the one that is only reported, and where
 * reports go. And the table of `csp`. Directives are known by name so that a misspelt one, which
 * browsers ignore in silence, is found when the configuration is loaded.
 */
#include "policy/csp.h"

/* Most text one policy may have: more would not fit into clients' header limits anyway. */
#define CSP_BYTES_MAX 8192
#define ENDPOINT_NAME "csp"

/* CSP3 section 6, with the extensions that browsers implement. */
static const char *const DIRECTIVES[] = {
    "default-src",
    "script-src",
    "script-src-elem",
    "script-src-attr",
    "style-src",
    "style-src-elem",
    "style-src-attr",
    "img-src",
    "font-src",
    "connect-src",
    "media-src",
    "object-src",
    "frame-src",
    "child-src",
    "worker-src",
    "manifest-src",
    "fenced-frame-src",
    "base-uri",
    "form-action",
    "frame-ancestors",
    "sandbox",
    "report-uri",
    "report-to",
    "upgrade-insecure-requests",
    "require-trusted-types-for",
    "trusted-types",
};
#define DIRECTIVE_COUNT (sizeof(DIRECTIVES) / sizeof(DIRECTIVES[0]))

/* What means something only in single quotes. */
static const struct gh_str KEYWORDS[] = {
    GH_STR_INIT("self"),           GH_STR_INIT("none"),          GH_STR_INIT("unsafe-inline"),
    GH_STR_INIT("unsafe-eval"),    GH_STR_INIT("unsafe-hashes"), GH_STR_INIT("wasm-unsafe-eval"),
    GH_STR_INIT("strict-dynamic"), GH_STR_INIT("report-sample"),
};
static const struct gh_str KEYWORD_PREFIXES[] = {
    GH_STR_INIT("nonce-"),
    GH_STR_INIT("sha256-"),
    GH_STR_INIT("sha384-"),
    GH_STR_INIT("sha512-"),
};

static bool is_bare_keyword(struct gh_str source)
{
    for (size_t i = 0; i < sizeof(KEYWORDS) / sizeof(KEYWORDS[0]); i++)
        if (gh_str_ieq(source, KEYWORDS[i]))
            return true;
    for (size_t i = 0; i < sizeof(KEYWORD_PREFIXES) / sizeof(KEYWORD_PREFIXES[0]); i++)
        if (gh_str_starts_with(source, KEYWORD_PREFIXES[i]))
            return true;
    return false;
}

/* Bytes that would end the source, the directive or the policy. */
static bool is_source(struct gh_str source)
{
    for (size_t i = 0; i < source.len; i++) {
        char c = source.ptr[i];
        if (c <= 0x20 || c == 0x7f || c == ';' || c == ',')
            return false;
    }
    return source.len > 0;
}

struct gh_str gh_csp_directive(struct gh_str name)
{
    for (size_t i = 0; i < DIRECTIVE_COUNT; i++)
        if (gh_str_eq(name, gh_str_from_c(DIRECTIVES[i])))
            return gh_str_from_c(DIRECTIVES[i]);
    return GH_STR("");
}

static void check_directive(struct gh_config_load *load, struct gh_str name,
                            struct gh_config_place place)
{
    if (gh_csp_directive(name).len)
        return;
    if (!gh_is_token(name)) {
        gh_config_problem_add(load, GH_CONFIG_ERROR, place, NULL, "\"%.*s\" is no CSP directive",
                              GH_STR_ARG(name));
        return;
    }
    char remedy[64] = "browsers ignore directives that they do not know";
    const char *nearest = gh_nearest(name, DIRECTIVES, DIRECTIVE_COUNT);
    if (nearest) {
        struct gh_buf buf = gh_buf_over(remedy, sizeof(remedy) - 1);
        gh_buf_format(&buf, "did you mean \"%s\"?", nearest);
        remedy[buf.len] = 0;
    }
    gh_config_problem_add(load, GH_CONFIG_WARNING, place, remedy, "unknown CSP directive \"%.*s\"",
                          GH_STR_ARG(name));
}

static void check_sources(struct gh_config_load *load, const struct gh_config_list *sources,
                          struct gh_config_place place)
{
    const struct gh_str *items = sources->items;
    for (size_t i = 0; i < sources->count; i++) {
        struct gh_config_place at = gh_config_where(load, &items[i]);
        if (!at.line)
            at = place;
        if (!is_source(items[i]))
            gh_config_problem_add(load, GH_CONFIG_ERROR, at,
                                  "write one source an item, without spaces, ; and ,",
                                  "\"%.*s\" is no CSP source", GH_STR_ARG(items[i]));
        else if (is_bare_keyword(items[i]))
            gh_config_problem_add(load, GH_CONFIG_WARNING, at,
                                  "write it in single quotes inside double ones: \"'self'\"",
                                  "\"%.*s\" without quotes is a host name to browsers",
                                  GH_STR_ARG(items[i]));
    }
}

static struct gh_str finish(struct gh_arena *arena, const struct gh_buf *buf)
{
    return gh_arena_dup(arena, gh_buf_str(buf));
}

/* The directives in the order of the file. */
static void write_directives(struct gh_config_load *load, const struct gh_config_map *directives,
                             struct gh_buf *out)
{
    const struct gh_config_list *lists = directives->items;
    for (size_t i = 0; i < directives->count; i++) {
        struct gh_config_place place =
            directives->places ? directives->places[i] : (struct gh_config_place){0};
        check_directive(load, directives->keys[i], place);
        check_sources(load, &lists[i], place);
        gh_buf_put(out, i ? GH_STR("; ") : GH_STR(""));
        gh_buf_put(out, directives->keys[i]);
        const struct gh_str *sources = lists[i].items;
        for (size_t k = 0; k < lists[i].count; k++) {
            gh_buf_put_char(out, ' ');
            gh_buf_put(out, sources[k]);
        }
    }
}

/* The value of one directive of a written policy; ptr NULL: it has none of that name. */
static struct gh_str directive_of(struct gh_str policy, struct gh_str name)
{
    for (struct gh_str rest = policy; rest.ptr;) {
        struct gh_str part = gh_str_trim_ows(gh_str_split(&rest, ';'));
        size_t end = gh_str_find_char(part, ' ');
        if (gh_str_ieq(gh_str_first(part, end), name))
            return gh_str_trim_ows(gh_str_skip(part, end));
    }
    return (struct gh_str){0};
}

/* What can be enforced while the rest is only watched: nothing that pages load depends on it. */
static void write_baseline(struct gh_str strict, const struct gh_preset *preset, struct gh_buf *out)
{
    const struct {
        struct gh_str name, value;
    } parts[] = {
        {GH_STR("object-src"), GH_STR("'none'")},
        {GH_STR("base-uri"), GH_STR("'none'")},
        {GH_STR("form-action"), preset->form_action},
        {GH_STR("frame-ancestors"), GH_STR("'none'")},
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct gh_str value = directive_of(strict, parts[i].name);
        gh_buf_put(out, i ? GH_STR("; ") : GH_STR(""));
        gh_buf_put(out, parts[i].name);
        gh_buf_put_char(out, ' ');
        gh_buf_put(out, value.len ? value : parts[i].value);
    }
}

/* Both ways of reporting: browsers that know report-to ignore report-uri. */
static void write_reporting(struct gh_arena *arena, struct gh_str path, struct gh_buf *policy,
                            struct gh_csp_headers *out_headers)
{
    struct gh_str written = gh_buf_str(policy);
    bool has_uri = directive_of(written, GH_STR("report-uri")).ptr;
    if (!path.len || directive_of(written, GH_STR("report-to")).ptr)
        return;
    if (!has_uri) {
        gh_buf_put(policy, GH_STR("; report-uri "));
        gh_buf_put(policy, path);
    }
    gh_buf_put(policy, GH_STR("; report-to " ENDPOINT_NAME));
    out_headers->endpoints = gh_arena_format(arena, ENDPOINT_NAME "=\"%.*s\"", GH_STR_ARG(path));
}

static bool compile_report_only(struct gh_config_load *load, const struct gh_header_source *source,
                                const struct gh_preset *preset, struct gh_str strict, bool own,
                                struct gh_csp_headers *out_headers)
{
    char text[CSP_BYTES_MAX];
    struct gh_buf baseline = gh_buf_over(text, sizeof(text));
    write_baseline(strict, preset, &baseline);
    out_headers->enforced = finish(load->arena, &baseline);
    struct gh_buf reported = gh_buf_over(text, sizeof(text));
    gh_buf_put(&reported, strict);
    if (!own && preset->trusted_types.len) {
        gh_buf_put(&reported, GH_STR("; "));
        gh_buf_put(&reported, preset->trusted_types);
    }
    write_reporting(load->arena, source->report_path, &reported, out_headers);
    out_headers->reported = finish(load->arena, &reported);
    return out_headers->enforced.ptr && out_headers->reported.ptr;
}

static bool compile_enforced(struct gh_config_load *load, const struct gh_header_source *source,
                             const struct gh_preset *preset, struct gh_str strict, bool own,
                             struct gh_csp_headers *out_headers)
{
    out_headers->enforced = strict;
    if (own || !preset->trusted_types.len)
        return true;
    char text[CSP_BYTES_MAX];
    struct gh_buf reported = gh_buf_over(text, sizeof(text));
    gh_buf_put(&reported, preset->trusted_types);
    write_reporting(load->arena, source->report_path, &reported, out_headers);
    out_headers->reported = finish(load->arena, &reported);
    return out_headers->reported.ptr;
}

bool gh_csp_compile(struct gh_config_load *load, const struct gh_header_source *source,
                    const struct gh_preset *preset, struct gh_csp_headers *out_headers)
{
    const struct gh_csp_settings *csp = source->csp;
    *out_headers = (struct gh_csp_headers){0};
    bool own = csp && csp->directives.count;
    struct gh_str strict = preset->csp;
    if (own) {
        char text[CSP_BYTES_MAX];
        struct gh_buf buf = gh_buf_over(text, sizeof(text));
        write_directives(load, &csp->directives, &buf);
        if (buf.overflow)
            gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &csp->directives),
                                  NULL, "the CSP is longer than %d bytes", CSP_BYTES_MAX);
        strict = finish(load->arena, &buf);
        if (!strict.ptr)
            return false;
    }
    enum gh_csp_mode mode = csp && csp->mode != GH_CSP_UNSET ? csp->mode : preset->csp_mode;
    if (mode == GH_CSP_OFF)
        return true;
    if (!strict.len) {
        if (csp && csp->mode != GH_CSP_UNSET)
            gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &csp->mode),
                                  "write csp.directives",
                                  "csp has no directives and the preset "
                                  "off has none either");
        return true;
    }
    if (mode == GH_CSP_REPORT_ONLY)
        return compile_report_only(load, source, preset, strict, own, out_headers);
    return compile_enforced(load, source, preset, strict, own, out_headers);
}

static const char *const CSP_MODE_NAMES[] = {"default", "off", "report_only", "enforce", NULL};

static const struct gh_config_field STRING_ITEM = {.type = GH_CONFIG_TYPE_STRING};
static const struct gh_config_field SOURCES_ITEM = {
    .type = GH_CONFIG_TYPE_LIST, .item = &STRING_ITEM, .one_or_list = true};

static const struct gh_config_field CSP_FIELDS[] = {
    {.name = "mode",
     .type = GH_CONFIG_TYPE_ENUM,
     .offset = offsetof(struct gh_csp_settings, mode),
     .names = CSP_MODE_NAMES,
     .doc = "report_only: the policy is only reported, beside an enforced baseline (object-src, "
            "base-uri, form-action, frame-ancestors). default: enforce, but report_only for "
            "preset spa in front of an upstream."},
    {.name = "directives",
     .type = GH_CONFIG_TYPE_MAP,
     .offset = offsetof(struct gh_csp_settings, directives),
     .item = &SOURCES_ITEM,
     .doc = "Replaces the preset's policy whole, in this order. Keywords stand in single quotes: "
            "`default-src: [\"'self'\"]`; `[]` for a directive without value."},
    {.name = "report_path",
     .type = GH_CONFIG_TYPE_STRING,
     .offset = offsetof(struct gh_csp_settings, report_path),
     .default_yaml = "/csp-report",
     .doc = "Where we take reports; \"\" takes none."},
};

const struct gh_config_table gh_csp_table = {
    .name = "csp",
    .doc = "Content-Security-Policy.",
    .size = sizeof(struct gh_csp_settings),
    .fields = CSP_FIELDS,
    .field_count = sizeof(CSP_FIELDS) / sizeof(CSP_FIELDS[0]),
};
