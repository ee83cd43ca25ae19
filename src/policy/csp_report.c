#include "policy/csp_report.h"

#include "json/parse.h"
#include "policy/csp.h"

#define OTHER GH_STR("other")

/* "script-src 'self'" in the older form. */
static struct gh_str directive_of(struct gh_str text)
{
    struct gh_str name = gh_csp_directive(gh_str_first(text, gh_str_find_char(text, ' ')));
    return name.len ? name : OTHER;
}

static size_t read_older(const struct gh_json_doc *doc, const struct gh_json_value *report,
                         struct gh_str *out)
{
    struct gh_str text = gh_json_string(gh_json_get(doc, report, GH_STR("effective-directive")));
    if (!text.len)
        text = gh_json_string(gh_json_get(doc, report, GH_STR("violated-directive")));
    out[0] = directive_of(text);
    return 1;
}

static size_t read_list(const struct gh_json_doc *doc, struct gh_str *out)
{
    const struct gh_json_value *root = gh_json_root(doc);
    size_t count = 0;
    for (const struct gh_json_value *report = gh_json_first(doc, root);
         report && count < GH_CSP_REPORTS_MAX; report = gh_json_after(doc, root, report)) {
        const struct gh_json_value *body = gh_json_get(doc, report, GH_STR("body"));
        struct gh_str type = gh_json_string(gh_json_get(doc, report, GH_STR("type")));
        if (gh_str_eq(type, GH_STR("csp-violation")))
            out[count++] =
                directive_of(gh_json_string(gh_json_get(doc, body, GH_STR("effectiveDirective"))));
    }
    return count;
}

size_t gh_csp_report_read(struct gh_arena *arena, struct gh_str body,
                          struct gh_str out_directives[GH_CSP_REPORTS_MAX])
{
    struct gh_json_doc doc;
    if (gh_json_parse(arena, body, &gh_json_small, &doc, NULL) != GH_JSON_OK)
        return 0;
    const struct gh_json_value *root = gh_json_root(&doc);
    if (root->kind == GH_JSON_ARRAY)
        return read_list(&doc, out_directives);
    const struct gh_json_value *report = gh_json_get(&doc, root, GH_STR("csp-report"));
    return report && report->kind == GH_JSON_OBJECT ? read_older(&doc, report, out_directives) : 0;
}
