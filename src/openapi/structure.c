/*
 * The walk over a document: every object is looked at as what its place makes it, and what it
 * refers to as the same. A list of places yet to be seen takes the place of recursion; each value
 * is seen once as each kind, so it ends.
 */
#include "openapi/structure.h"

#include "base/buf.h"
#include "base/nearest.h"

#define FIRST_CAP 1024

/* A place yet to be seen. */
struct visit {
    struct gh_openapi_at at;
    enum gh_openapi_kind kind;
    enum gh_openapi_form form;
    bool input;    /* it is of requests */
    bool is_again; /* of an object that was seen before: what is wrong was told */
    bool has_id;   /* it is within a schema with an $id: references are the compiler's */
};

struct walk {
    struct gh_openapi_loader *loader;
    struct visit *visits;
    size_t count, cap;
};

static void push(struct walk *walk, struct visit visit)
{
    if (walk->count == walk->cap) {
        size_t cap = walk->cap ? walk->cap * 2 : FIRST_CAP;
        struct visit *visits = gh_arena_zalloc(walk->loader->arena, cap, sizeof(*visits));
        if (!visits) {
            gh_openapi_no_memory(walk->loader);
            return;
        }
        if (walk->count)
            memcpy(visits, walk->visits, walk->count * sizeof(*visits));
        walk->visits = visits;
        walk->cap = cap;
    }
    walk->visits[walk->count++] = visit;
}

/* The last comes first off the list: this puts those behind `first` into the document's order. */
static void reverse(struct walk *walk, size_t first)
{
    for (size_t end = walk->count; end > first + 1; first++, end--) {
        struct visit visit = walk->visits[first];
        walk->visits[first] = walk->visits[end - 1];
        walk->visits[end - 1] = visit;
    }
}

static const char *kind_name(enum gh_json_kind kind)
{
    switch (kind) {
    case GH_JSON_NULL:
        return "null";
    case GH_JSON_BOOL:
        return "a boolean";
    case GH_JSON_NUMBER:
        return "a number";
    case GH_JSON_STRING:
        return "a string";
    case GH_JSON_ARRAY:
        return "a list";
    case GH_JSON_OBJECT:
        return "a map";
    }
    return "";
}

static void tell_kind(struct walk *walk, struct gh_openapi_at at, const char *wanted)
{
    const char *found = kind_name(at.value->kind);
    if (at.value->name.ptr)
        gh_openapi_error(walk->loader, at, NULL, "\"%.*s\" must be %s, not %s",
                         GH_STR_ARG(at.value->name), wanted, found);
    else
        gh_openapi_error(walk->loader, at, NULL, "this must be %s, not %s", wanted, found);
}

static void check_scalar(struct walk *walk, struct gh_openapi_at at, enum gh_openapi_kind kind)
{
    enum gh_json_kind found = at.value->kind;
    if (kind == GH_KIND_BOOL && found != GH_JSON_BOOL)
        tell_kind(walk, at, "true or false");
    else if (kind == GH_KIND_VERSION && (found == GH_JSON_NUMBER || found == GH_JSON_BOOL))
        gh_openapi_warning(walk->loader, at, "put it in quotes",
                           "\"%.*s\" must be a string, not %s", GH_STR_ARG(at.value->name),
                           kind_name(found));
    else if ((kind == GH_KIND_TEXT || kind == GH_KIND_VERSION) && found != GH_JSON_STRING)
        tell_kind(walk, at, "a string");
}

static bool is_extension(struct gh_str name)
{
    return gh_str_starts_with(name, GH_STR("x-"));
}

static const struct gh_openapi_field *find_field(const struct gh_openapi_object *object,
                                                 struct gh_str name)
{
    for (size_t i = 0; i < object->field_count; i++) {
        if (gh_str_eq(name, gh_str_from_c(object->fields[i].name)))
            return &object->fields[i];
    }
    return NULL;
}

/* More members than any object has. */
#define FIELDS_MAX 96

static const char *nearest_of(const struct gh_openapi_object *object, struct gh_str name)
{
    const char *names[FIELDS_MAX];
    size_t count = object->field_count < FIELDS_MAX ? object->field_count : FIELDS_MAX;
    for (size_t i = 0; i < count; i++)
        names[i] = object->fields[i].name;
    return gh_nearest(name, names, count);
}

static void tell_unknown(struct walk *walk, struct gh_openapi_at at,
                         const struct gh_openapi_object *object)
{
    char remedy[64] = "";
    const char *nearest = nearest_of(object, at.value->name);
    struct gh_buf buf = gh_buf_over(remedy, sizeof(remedy) - 1);
    if (nearest)
        gh_buf_format(&buf, "did you mean \"%s\"?", nearest);
    if (nearest || !object->is_open || walk->loader->is_3_0)
        gh_openapi_warning_at_name(walk->loader, at, nearest ? remedy : NULL,
                                   "%s has no member \"%.*s\"", object->noun,
                                   GH_STR_ARG(at.value->name));
}

/* Is the member of the version that the document is of? */
static bool check_version(struct walk *walk, struct gh_openapi_at at,
                          const struct gh_openapi_field *field)
{
    bool is_3_0 = walk->loader->is_3_0;
    if (!(field->flags & (is_3_0 ? GH_FIELD_ONLY_31 : GH_FIELD_ONLY_30)))
        return true;
    bool nullable = strcmp(field->name, "nullable") == 0;
    gh_openapi_warning_at_name(
        walk->loader, at, nullable ? "write \"type: [string, 'null']\" or the like" : NULL,
        "\"%s\" has no meaning in OpenAPI %s", field->name, is_3_0 ? "3.0" : "3.1");
    return false;
}

static void check_required(struct walk *walk, struct gh_openapi_at at,
                           const struct gh_openapi_object *object)
{
    for (size_t i = 0; i < object->field_count; i++) {
        const struct gh_openapi_field *field = &object->fields[i];
        unsigned error = GH_FIELD_REQUIRED | (walk->loader->is_3_0 ? GH_FIELD_REQUIRED_30 : 0);
        if (!(field->flags & (error | GH_FIELD_WANTED)) || gh_openapi_member(at, field->name).value)
            continue;
        if (field->flags & error)
            gh_openapi_error_at_name(walk->loader, at, NULL, "%s must have \"%s\"", object->noun,
                                     field->name);
        else
            gh_openapi_warning_at_name(walk->loader, at, NULL, "%s must have \"%s\"", object->noun,
                                       field->name);
    }
}

/* Members of one that is seen the first time are judged; later ones only lead on. */
static void visit_members(struct walk *walk, const struct visit *visit, bool is_first)
{
    const struct gh_openapi_object *object = &gh_openapi_objects[visit->kind];
    const struct gh_json_doc *doc = &visit->at.file->doc;
    size_t first = walk->count;
    if (is_first)
        check_required(walk, visit->at, object);
    for (const struct gh_json_value *member = gh_json_first(doc, visit->at.value); member;
         member = gh_json_after(doc, visit->at.value, member)) {
        struct visit next = {.at = {visit->at.file, member},
                             .kind = object->rest,
                             .form = object->rest_form,
                             .input = visit->input,
                             .is_again = !is_first,
                             .has_id = visit->has_id};
        const struct gh_openapi_field *field = find_field(object, member->name);
        if (field) {
            next.kind = field->kind;
            next.form = field->form;
            if (is_first && !check_version(walk, next.at, field))
                continue;
            if (!is_first && field->kind > GH_KIND_OBJECTS)
                continue;
        } else if (is_extension(member->name) || gh_str_eq(member->name, GH_STR("$ref"))) {
            continue;
        } else if (next.kind == GH_KIND_OBJECTS) {
            if (is_first)
                tell_unknown(walk, next.at, object);
            continue;
        }
        if (next.kind == GH_KIND_PATHS)
            next.input = true;
        if (next.kind == GH_KIND_RESPONSES || next.kind == GH_KIND_CALLBACK)
            next.input = false;
        push(walk, next);
    }
    reverse(walk, first);
}

static bool is_remark(struct gh_str name)
{
    static const char *const REMARKS[] = {"$ref",    "summary",    "description", "title",
                                          "example", "deprecated", "xml",         "externalDocs"};
    for (size_t i = 0; i < sizeof(REMARKS) / sizeof(REMARKS[0]); i++) {
        if (gh_str_eq(name, gh_str_from_c(REMARKS[i])))
            return true;
    }
    return is_extension(name);
}

/* What stands beside a $ref and is ignored, though it was meant to say something. */
static void check_siblings(struct walk *walk, const struct visit *visit)
{
    const struct gh_json_doc *doc = &visit->at.file->doc;
    for (const struct gh_json_value *member = gh_json_first(doc, visit->at.value); member;
         member = gh_json_after(doc, visit->at.value, member)) {
        struct gh_openapi_at at = {visit->at.file, member};
        if (is_remark(member->name))
            continue;
        if (visit->kind == GH_KIND_PATH_ITEM)
            gh_openapi_error_at_name(walk->loader, at, "move it to where the reference leads",
                                     "\"%.*s\" stands beside a $ref, which is undefined for paths",
                                     GH_STR_ARG(member->name));
        else
            gh_openapi_warning_at_name(
                walk->loader, at,
                visit->kind == GH_KIND_SCHEMA ? "put the reference into an allOf" : NULL,
                "\"%.*s\" stands beside a $ref and is ignored", GH_STR_ARG(member->name));
    }
}

static bool is_circle(struct walk *walk, struct gh_openapi_at at)
{
    for (unsigned i = 0; i <= GH_OPENAPI_REFERENCES_MAX; i++) {
        if (!at.value || !gh_openapi_reference_of(at).ptr)
            return false;
        at = gh_openapi_target(walk->loader, at, GH_ASKER_AGAIN);
    }
    return true;
}

static void visit_reference(struct walk *walk, const struct visit *visit, bool is_first)
{
    bool is_schema = visit->kind == GH_KIND_SCHEMA;
    struct gh_openapi_at keyword = gh_openapi_member(visit->at, "$ref");
    if (is_schema && visit->has_id)
        return;
    if (!gh_json_string(keyword.value).ptr) {
        if (is_first)
            tell_kind(walk, keyword, "a string");
        return;
    }
    enum gh_openapi_asker asker = !is_first   ? GH_ASKER_AGAIN
                                  : is_schema ? GH_ASKER_SCHEMA
                                              : GH_ASKER_OBJECT;
    struct visit target = *visit;
    target.at = gh_openapi_target(walk->loader, visit->at, asker);
    target.has_id = false;
    if (is_first && !is_schema && target.at.value && is_circle(walk, visit->at))
        gh_openapi_error(walk->loader, keyword, NULL, "\"%.*s\" leads in a circle",
                         GH_STR_ARG(keyword.value->text));
    if (target.at.value)
        push(walk, target);
}

static void visit_object(struct walk *walk, struct visit *visit)
{
    struct gh_openapi_loader *loader = walk->loader;
    const struct gh_openapi_object *object = &gh_openapi_objects[visit->kind];
    size_t file = gh_openapi_file_index(loader, visit->at.file);
    uint64_t *mark = &loader->marks[file][visit->at.value - visit->at.file->doc.values];
    bool is_schema = visit->kind == GH_KIND_SCHEMA;
    bool is_first = !(*mark & GH_MARK_ANY(visit->kind));
    if (*mark & GH_MARK(visit->kind, visit->input))
        return;
    *mark |= GH_MARK(visit->kind, visit->input);
    if (is_schema && visit->at.value->kind == GH_JSON_BOOL)
        return;
    if (visit->at.value->kind != GH_JSON_OBJECT) {
        if (is_first)
            tell_kind(walk, visit->at, is_schema ? "a schema" : "a map");
        return;
    }
    bool is_reference =
        (is_schema || object->can_be_reference) && gh_openapi_member(visit->at, "$ref").value;
    bool reads_siblings = is_schema && !loader->is_3_0;
    if (is_schema && !loader->is_3_0 && gh_openapi_member(visit->at, "$id").value)
        visit->has_id = true;
    if (is_reference)
        visit_reference(walk, visit, is_first);
    if (is_reference && !reads_siblings && is_first)
        check_siblings(walk, visit);
    if (!is_reference || reads_siblings)
        visit_members(walk, visit, is_first);
}

static void visit_container(struct walk *walk, const struct visit *visit)
{
    const struct gh_json_doc *doc = &visit->at.file->doc;
    bool is_list = visit->form == GH_FORM_LIST;
    size_t first = walk->count;
    if (visit->at.value->kind != (is_list ? GH_JSON_ARRAY : GH_JSON_OBJECT)) {
        if (!visit->is_again)
            tell_kind(walk, visit->at, is_list ? "a list" : "a map");
        return;
    }
    for (const struct gh_json_value *child = gh_json_first(doc, visit->at.value); child;
         child = gh_json_after(doc, visit->at.value, child)) {
        struct visit next = *visit;
        next.at.value = child;
        next.form = GH_FORM_ONE;
        push(walk, next);
    }
    reverse(walk, first);
}

void gh_openapi_walk(struct gh_openapi_loader *loader)
{
    struct walk walk = {.loader = loader};
    const struct gh_openapi_file *file = loader->files[0];
    push(&walk, (struct visit){.at = {file, gh_json_root(&file->doc)}, .kind = GH_KIND_DOCUMENT});
    while (walk.count > 0 && !loader->no_memory) {
        struct visit visit = walk.visits[--walk.count];
        if (visit.form != GH_FORM_ONE)
            visit_container(&walk, &visit);
        else if (visit.kind > GH_KIND_OBJECTS)
            check_scalar(&walk, visit.at, visit.kind);
        else
            visit_object(&walk, &visit);
    }
}
