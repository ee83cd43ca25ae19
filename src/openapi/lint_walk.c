/*
 * Along a schema and all below it: properties, items, alternatives. What is still to be looked at
 * stands in a list, so that depth costs no stack; a schema is looked at once for each operation,
 * and again where examples or evidence say more of it.
 */
#include "openapi/lint_state.h"

#define ALTERNATIVES_DEPTH_MAX 6

struct walk {
    struct gh_lint *lint;
    struct gh_lint_item *first, **end;
};

#define KIND(name) (1u << GH_JSON_##name)

struct gh_str gh_lint_where(struct gh_lint *lint, const struct gh_lint_item *item)
{
    struct gh_str where = gh_arena_format(
        &lint->scratch, "%.*s%s%.*s%s%.*s", GH_STR_ARG(item->place), item->field.len ? " " : "",
        GH_STR_ARG(item->field), item->pointer.len ? " " : "", GH_STR_ARG(item->pointer));
    return where.ptr ? where : GH_STR("");
}

struct gh_openapi_at gh_lint_owner(const struct gh_lint_view *view)
{
    struct gh_openapi_at part = view->root;
    gh_lint_view_get(view, GH_STR("type"), &part);
    return part;
}

/* ---- The list ---- */

static struct gh_lint_item *add_item(struct walk *walk, const struct gh_lint_item *from,
                                     const struct gh_openapi_at *schemas, size_t schema_count)
{
    struct gh_arena *scratch = &walk->lint->scratch;
    struct gh_lint_item *item = gh_arena_alloc(scratch, sizeof(*item));
    struct gh_openapi_at *own = gh_arena_zalloc(scratch, schema_count, sizeof(*own));
    if (!item || !own) {
        walk->lint->no_memory = true;
        return NULL;
    }
    memcpy(own, schemas, schema_count * sizeof(*own));
    *item = *from;
    item->next = NULL;
    item->schemas = own;
    item->schema_count = schema_count;
    *walk->end = item;
    walk->end = &item->next;
    return item;
}

static struct gh_str pointer_below(struct gh_lint *lint, struct gh_str pointer, struct gh_str name)
{
    size_t room = pointer.len + 2 * name.len + 1;
    char *memory = gh_arena_alloc(&lint->scratch, room);
    struct gh_buf buf = gh_buf_over(memory, memory ? room : 0);
    gh_buf_put(&buf, pointer);
    gh_buf_put_char(&buf, '/');
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c == '~' || c == '/')
            gh_buf_put(&buf, c == '~' ? GH_STR("~0") : GH_STR("~1"));
        else
            gh_buf_put_char(&buf, c);
    }
    lint->no_memory |= buf.overflow;
    return gh_buf_str(&buf);
}

/* ---- Arrays ---- */

static void add_items(struct walk *walk, const struct gh_lint_item *item,
                      const struct gh_lint_view *view)
{
    struct gh_lint_item below = *item;
    struct gh_openapi_at part = view->root;
    below.pointer = pointer_below(walk->lint, item->pointer, GH_STR("*"));
    below.name = GH_STR("");
    below.required = false;
    below.samples = gh_lint_samples_items(walk->lint, item->samples);
    const struct gh_json_value *items = gh_lint_view_get(view, GH_STR("items"), &part);
    const struct gh_json_value *prefix = gh_lint_view_get(view, GH_STR("prefixItems"), NULL);
    struct gh_openapi_at any = {part.file, items};
    if (items)
        add_item(walk, &below, &any, 1);
    else if (!prefix)
        gh_lint_tell(walk->lint, GH_LINT_SCHEMA_NO_TYPE, gh_lint_owner(view), false,
                     gh_lint_where(walk->lint, item), "the items of the array may be anything");
    gh_lint_view_get(view, GH_STR("prefixItems"), &part);
    const struct gh_json_doc *doc = &part.file->doc;
    for (const struct gh_json_value *one = prefix ? gh_json_first(doc, prefix) : NULL; one;
         one = gh_json_after(doc, prefix, one)) {
        any = (struct gh_openapi_at){part.file, one};
        add_item(walk, &below, &any, 1);
    }
}

static bool is_bounded_tuple(const struct gh_lint_view *view)
{
    const struct gh_json_value *items = gh_lint_view_get(view, GH_STR("items"), NULL);
    return gh_lint_view_get(view, GH_STR("prefixItems"), NULL) && items &&
           items->kind == GH_JSON_BOOL && !items->boolean;
}

static void judge_array(struct walk *walk, const struct gh_lint_item *item,
                        const struct gh_lint_view *view)
{
    struct gh_lint *lint = walk->lint;
    struct gh_openapi_at owner = gh_lint_owner(view);
    struct gh_lint_seen *seen = gh_lint_seen_of(lint, owner, item, KIND(ARRAY));
    for (size_t i = 0; seen && i < item->samples.count; i++) {
        const struct gh_json_value *sample = item->samples.items[i].value;
        if (sample->kind == GH_JSON_ARRAY && sample->count > seen->example_items_max)
            seen->example_items_max = sample->count;
    }
    bool is_bounded = gh_lint_view_get(view, GH_STR("maxItems"), NULL) || is_bounded_tuple(view);
    struct gh_lint_finding *finding =
        gh_lint_tell(lint, GH_LINT_ARRAY_NO_MAX_ITEMS, owner, is_bounded, gh_lint_where(lint, item),
                     "the array has no maxItems");
    if (finding) {
        finding->fixable = true;
        finding->seen = seen;
        finding->length_min = gh_lint_view_get(view, GH_STR("minItems"), NULL);
    }
    add_items(walk, item, view);
}

/* ---- Objects ---- */

static const struct gh_json_value *properties_of(struct gh_openapi_at part)
{
    const struct gh_json_value *properties = gh_lint_get(part, GH_STR("properties"));
    return properties && properties->kind == GH_JSON_OBJECT ? properties : NULL;
}

static bool is_required(const struct gh_lint_view *view, struct gh_str name)
{
    for (size_t i = 0; i < view->count; i++) {
        const struct gh_json_doc *doc = &view->parts[i].file->doc;
        const struct gh_json_value *list = gh_lint_get(view->parts[i], GH_STR("required"));
        if (!list || list->kind != GH_JSON_ARRAY)
            continue;
        for (const struct gh_json_value *one = gh_json_first(doc, list); one;
             one = gh_json_after(doc, list, one))
            if (gh_json_string(one).ptr && gh_str_eq(one->text, name))
                return true;
    }
    return false;
}

/* The schemas that the parts from `from` on give a property. */
static size_t schemas_of(const struct gh_lint_view *view, size_t from, struct gh_str name,
                         struct gh_openapi_at *out)
{
    size_t count = 0;
    for (size_t i = from; i < view->count; i++) {
        const struct gh_json_value *properties = properties_of(view->parts[i]);
        const struct gh_json_value *one =
            properties ? gh_json_get(&view->parts[i].file->doc, properties, name) : NULL;
        if (one)
            out[count++] = (struct gh_openapi_at){view->parts[i].file, one};
    }
    return count;
}

static bool is_declared(const struct gh_lint_view *view, size_t before, struct gh_str name)
{
    for (size_t i = 0; i < before; i++) {
        const struct gh_json_value *properties = properties_of(view->parts[i]);
        if (properties && gh_json_get(&view->parts[i].file->doc, properties, name))
            return true;
    }
    return false;
}

static void add_properties(struct walk *walk, const struct gh_lint_item *item,
                           const struct gh_lint_view *view, size_t index)
{
    const struct gh_json_value *properties = properties_of(view->parts[index]);
    const struct gh_json_doc *doc = &view->parts[index].file->doc;
    struct gh_openapi_at schemas[GH_LINT_VIEW_MAX];
    for (const struct gh_json_value *one = properties ? gh_json_first(doc, properties) : NULL;
         one && !walk->lint->no_memory; one = gh_json_after(doc, properties, one)) {
        struct gh_lint_item below = *item;
        if (is_declared(view, index, one->name))
            continue;
        below.pointer = pointer_below(walk->lint, item->pointer, one->name);
        below.name = one->name;
        below.required = is_required(view, one->name);
        below.samples = gh_lint_samples_members(walk->lint, item->samples, one->name);
        add_item(walk, &below, schemas, schemas_of(view, index, one->name, schemas));
    }
}

/* additionalProperties and patternProperties with schemas: any member. */
static void add_map(struct walk *walk, const struct gh_lint_item *item, struct gh_openapi_at schema)
{
    struct gh_lint_item below = *item;
    below.pointer = pointer_below(walk->lint, item->pointer, GH_STR("*"));
    below.name = GH_STR("");
    below.required = false;
    below.samples = (struct gh_lint_samples){NULL, 0};
    add_item(walk, &below, &schema, 1);
}

static void add_maps(struct walk *walk, const struct gh_lint_item *item,
                     const struct gh_lint_view *view)
{
    for (size_t i = 0; i < view->count; i++) {
        struct gh_openapi_at part = view->parts[i];
        const struct gh_json_value *any = gh_lint_get(part, GH_STR("additionalProperties"));
        const struct gh_json_value *named = gh_lint_get(part, GH_STR("patternProperties"));
        if (any && any->kind == GH_JSON_OBJECT && any->count)
            add_map(walk, item, (struct gh_openapi_at){part.file, any});
        const struct gh_json_doc *doc = &part.file->doc;
        for (const struct gh_json_value *one = named ? gh_json_first(doc, named) : NULL; one;
             one = gh_json_after(doc, named, one))
            add_map(walk, item, (struct gh_openapi_at){part.file, one});
    }
}

/* How an object stands to members that it does not declare. */
struct openness {
    bool is_closed, is_map, declares;
    size_t bearing;            /* parts that declare members */
    struct gh_openapi_at only; /* the last of them */
    struct gh_openapi_at open; /* the part that says so: `additionalProperties: true` */
};

static bool is_false(const struct gh_json_value *value)
{
    return value && value->kind == GH_JSON_BOOL && !value->boolean;
}

static struct openness openness_of(const struct gh_lint_view *view)
{
    struct openness result = {.only = view->root};
    for (size_t i = 0; i < view->count; i++) {
        struct gh_openapi_at part = view->parts[i];
        const struct gh_json_value *any = gh_lint_get(part, GH_STR("additionalProperties"));
        const struct gh_json_value *named = gh_lint_get(part, GH_STR("patternProperties"));
        if (!any)
            any = gh_lint_get(part, GH_STR("unevaluatedProperties"));
        bool typed = any && any->kind == GH_JSON_OBJECT && any->count;
        result.is_closed |= is_false(any);
        result.is_map |= typed || named;
        if (any && !typed && !is_false(any))
            result.open = part;
        if (properties_of(part) || named || typed) {
            result.bearing++;
            result.only = part;
            result.declares |= properties_of(part) != NULL;
        }
    }
    return result;
}

static void mark_composed(struct gh_lint *lint, const struct gh_lint_view *view)
{
    bool is_fresh;
    for (size_t i = 0; i < view->count; i++)
        if (view->parts[i].value != view->root.value &&
            !gh_lint_table_put(&lint->table, lint->arena, view->parts[i].value,
                               GH_LINT_TAG_COMPOSED, &is_fresh))
            lint->no_memory = true;
}

/* An example of one alternative is none of another, whose required members it lacks. */
static bool has_required(const struct gh_lint_view *view, struct gh_openapi_at sample)
{
    for (size_t i = 0; i < view->count; i++) {
        const struct gh_json_doc *doc = &view->parts[i].file->doc;
        const struct gh_json_value *list = gh_lint_get(view->parts[i], GH_STR("required"));
        if (!list || list->kind != GH_JSON_ARRAY)
            continue;
        for (const struct gh_json_value *one = gh_json_first(doc, list); one;
             one = gh_json_after(doc, list, one))
            if (gh_json_string(one).ptr && !gh_lint_get(sample, one->text))
                return false;
    }
    return true;
}

static void see_members(struct gh_lint_seen *seen, const struct gh_lint_item *item,
                        const struct gh_lint_view *view)
{
    for (size_t i = 0; seen && i < item->samples.count; i++) {
        struct gh_openapi_at at = item->samples.items[i];
        if (at.value->kind != GH_JSON_OBJECT || (view->is_alternative && !has_required(view, at)))
            continue;
        if (at.value->count > seen->example_members_max)
            seen->example_members_max = at.value->count;
        for (const struct gh_json_value *one = gh_json_first(&at.file->doc, at.value); one;
             one = gh_json_after(&at.file->doc, at.value, one))
            seen->has_other_members |= !is_declared(view, view->count, one->name);
    }
}

static void judge_open(struct gh_lint *lint, const struct gh_lint_item *item,
                       const struct gh_lint_view *view, const struct openness *open,
                       const struct gh_lint_seen *seen)
{
    bool composed = open->bearing > 1;
    struct gh_openapi_at at = open->open.value ? open->open : composed ? view->root : open->only;
    if (composed)
        mark_composed(lint, view);
    const char *message = open->declares ? "the object takes members that are not declared"
                                         : "the object takes any members and declares none";
    struct gh_lint_finding *finding =
        gh_lint_tell(lint, GH_LINT_OBJECT_OPEN, at, open->is_closed || open->is_map,
                     gh_lint_where(lint, item), "%s", message);
    if (!finding)
        return;
    finding->use_unevaluated = composed;
    finding->open = gh_lint_get(at, GH_STR("additionalProperties"));
    finding->seen = seen;
    finding->fixable = open->declares && !(composed && (lint->openapi->is_3_0 || finding->open));
}

static void judge_object(struct walk *walk, const struct gh_lint_item *item,
                         const struct gh_lint_view *view)
{
    struct gh_lint *lint = walk->lint;
    struct openness open = openness_of(view);
    struct gh_openapi_at owner = gh_lint_owner(view);
    struct gh_lint_seen *seen = gh_lint_seen_of(lint, owner, item, KIND(OBJECT));
    see_members(seen, item, view);
    judge_open(lint, item, view, &open, seen);
    if (open.is_map) {
        struct gh_lint_finding *finding = gh_lint_tell(
            lint, GH_LINT_MAP_NO_MAX_PROPERTIES, owner,
            gh_lint_view_get(view, GH_STR("maxProperties"), NULL) != NULL,
            gh_lint_where(lint, item), "the object has free names and no maxProperties");
        if (finding) {
            finding->fixable = true;
            finding->seen = seen;
            finding->length_min = gh_lint_view_get(view, GH_STR("minProperties"), NULL);
        }
    }
    for (size_t i = 0; i < view->count; i++)
        add_properties(walk, item, view, i);
    add_maps(walk, item, view);
}

/* ---- Views ---- */

/* `own`: the part that is told when there is no type. */
static void judge_kinds(struct walk *walk, const struct gh_lint_item *item,
                        const struct gh_lint_view *view, struct gh_openapi_at own)
{
    struct gh_lint *lint = walk->lint;
    bool integer = false;
    unsigned kinds = gh_lint_view_types(view, &integer), implied = gh_lint_view_implied(view);
    bool is_file = item->binary && (gh_lint_view_get(view, GH_STR("contentMediaType"), NULL) ||
                                    !gh_lint_view_get(view, GH_STR("type"), NULL));
    if (is_file && !implied)
        return;
    gh_lint_tell(lint, GH_LINT_SCHEMA_NO_TYPE, own,
                 gh_lint_view_get(view, GH_STR("type"), NULL) != NULL, gh_lint_where(lint, item),
                 implied ? "the schema has no type: other kinds of values pass unseen"
                         : "the schema takes any value");
    if (!kinds)
        kinds = implied;
    if (kinds & KIND(STRING))
        gh_lint_string(lint, item, view);
    if (kinds & KIND(NUMBER))
        gh_lint_number(lint, item, view, integer);
    if (kinds & KIND(ARRAY))
        judge_array(walk, item, view);
    if (kinds & KIND(OBJECT))
        judge_object(walk, item, view);
}

static void judge_view(struct walk *walk, const struct gh_lint_item *item,
                       const struct gh_lint_view *view, size_t from, unsigned depth);

/* Each of anyOf and oneOf in the parts from `from` on; false: there are none. */
static bool judge_alternatives(struct walk *walk, const struct gh_lint_item *item,
                               const struct gh_lint_view *view, size_t from, unsigned depth)
{
    static const char *const NAMES[] = {"anyOf", "oneOf"};
    bool any = false;
    for (size_t i = from; i < view->count; i++) {
        struct gh_openapi_at part = view->parts[i];
        for (size_t k = 0; k < 2; k++) {
            const struct gh_json_value *list = gh_lint_get(part, gh_str_from_c(NAMES[k]));
            const struct gh_json_doc *doc = &part.file->doc;
            const struct gh_json_value *one = list ? gh_json_first(doc, list) : NULL;
            for (; one && !walk->lint->no_memory; one = gh_json_after(doc, list, one)) {
                struct gh_lint_view with = *view;
                any = with.is_alternative = true;
                if (!gh_lint_view_add(&with, (struct gh_openapi_at){part.file, one}))
                    continue;
                judge_view(walk, item, &with, view->count, depth + 1);
            }
        }
    }
    return any;
}

static void judge_view(struct walk *walk, const struct gh_lint_item *item,
                       const struct gh_lint_view *view, size_t from, unsigned depth)
{
    struct gh_lint *lint = walk->lint;
    if (lint->no_memory || view->is_false || lint->steps++ >= GH_LINT_STEPS_MAX)
        return;
    if (view->not_followed)
        gh_lint_tell(lint, GH_LINT_SCHEMA_NOT_FOLLOWED, view->reference, false,
                     gh_lint_where(lint, item), "what this refers to was not judged");
    if (gh_lint_view_get(view, GH_STR("enum"), NULL) ||
        gh_lint_view_get(view, GH_STR("const"), NULL))
        return;
    if (depth < ALTERNATIVES_DEPTH_MAX && judge_alternatives(walk, item, view, from, depth))
        return;
    judge_kinds(walk, item, view, from ? view->parts[from] : view->root);
}

static void judge_item(struct walk *walk, struct gh_lint_item *item)
{
    struct gh_lint *lint = walk->lint;
    struct gh_lint_view view = {.openapi = lint->openapi};
    bool is_fresh = false;
    for (size_t i = 0; i < item->schema_count; i++)
        gh_lint_view_add(&view, item->schemas[i]);
    struct gh_lint_entry *entry =
        gh_lint_table_put(&lint->visited, &lint->scratch, item->schemas[0].value,
                          item->required ? GH_LINT_TAG_REQUIRED : GH_LINT_TAG_VISITED, &is_fresh);
    const char *skipped = item->response ? "writeOnly" : "readOnly";
    const struct gh_json_value *other_way = gh_lint_view_get(&view, gh_str_from_c(skipped), NULL);
    lint->no_memory |= !entry;
    if ((other_way && other_way->kind == GH_JSON_BOOL && other_way->boolean) ||
        (!is_fresh && !item->samples.count && !gh_lint_has_evidence(lint, item)))
        return;
    if (is_fresh)
        item->samples = gh_lint_samples_own(lint, &view, item->samples);
    judge_view(walk, item, &view, 0, 0);
}

void gh_lint_walk(struct gh_lint *lint, const struct gh_lint_item *item)
{
    struct walk walk = {.lint = lint};
    walk.end = &walk.first;
    add_item(&walk, item, item->schemas, item->schema_count);
    while (walk.first && !lint->no_memory && lint->steps < GH_LINT_STEPS_MAX) {
        struct gh_lint_item *next = walk.first;
        walk.first = next->next;
        if (!walk.first)
            walk.end = &walk.first;
        judge_item(&walk, next);
    }
}
