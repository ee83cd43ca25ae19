/* The parameters of a request: those that are declared, and names that are not. */
#include "base/buf.h"
#include "openapi/check_job.h"

/* Of an undeclared name, in a report. */
#define NAME_BYTES_MAX 64

struct parameters {
    struct gh_input_job *job;
    const struct gh_input_request *request;
    struct gh_form form; /* of the query, or the cookies */
    bool *used;
};

static struct gh_parameter reading_of(const struct gh_openapi_parameter *declared)
{
    return (struct gh_parameter){
        .name = declared->name,
        .in = declared->in,
        .style = declared->style,
        .explode = declared->explode,
        .is_json = declared->is_json,
        .schema = declared->schema,
    };
}

static enum gh_input_part part_of(enum gh_parameter_in in)
{
    switch (in) {
    case GH_IN_PATH:
        return GH_INPUT_PATH;
    case GH_IN_QUERY:
        return GH_INPUT_QUERY;
    case GH_IN_HEADER:
        return GH_INPUT_HEADER;
    case GH_IN_COOKIE:
        return GH_INPUT_COOKIE;
    }
    return GH_INPUT_PATH;
}

static void settle(struct gh_input_job *job, const struct gh_openapi_parameter *declared,
                   enum gh_parameter_status status, const struct gh_json_doc *doc)
{
    struct gh_input_place place = {.part = part_of(declared->in), .name = declared->name};
    if (status == GH_PARAMETER_OK)
        gh_input_judge(job, place.part, place.name, declared->schema, doc);
    else if (status != GH_PARAMETER_ABSENT || declared->required)
        gh_input_add_status(job, place, status);
}

/* ---- Path ---- */

static void check_path(struct parameters *p, const struct gh_openapi_parameter *declared)
{
    const struct gh_parameter parameter = reading_of(declared);
    enum gh_parameter_status status = GH_PARAMETER_ABSENT;
    struct gh_json_doc doc;
    if (declared->path_index < p->request->path_value_count)
        status = gh_parameter_read_text(p->job->schemas, &parameter, p->job->arena,
                                        p->request->path_values[declared->path_index], &doc);
    settle(p->job, declared, status, &doc);
}

/* ---- Query ---- */

static bool is_open_object(const struct parameters *p, const struct gh_openapi_parameter *declared)
{
    return declared->style == GH_STYLE_FORM && declared->explode && !declared->is_json &&
           declared->schema != GH_OPENAPI_NO_SCHEMA &&
           gh_schema_kinds(p->job->schemas, declared->schema) & 1u << GH_JSON_OBJECT;
}

/* "?flag" where no value is allowed. */
static bool is_allowed_empty(const struct parameters *p,
                             const struct gh_openapi_parameter *declared)
{
    size_t count = 0, found = 0;
    for (size_t i = 0; i < p->form.count && declared->allow_empty; i++) {
        if (gh_str_eq(p->form.fields[i].name, declared->name)) {
            found = i;
            count++;
        }
    }
    if (count != 1 || p->form.fields[found].raw_value.len)
        return false;
    p->used[found] = true;
    return true;
}

static void check_fields(struct parameters *p, const struct gh_openapi_parameter *declared)
{
    const struct gh_parameter parameter = reading_of(declared);
    struct gh_json_doc doc;
    if (declared->in == GH_IN_QUERY && is_allowed_empty(p, declared))
        return;
    enum gh_parameter_status status =
        gh_parameter_read_form(p->job->schemas, &parameter, p->job->arena, &p->form, p->used, &doc);
    settle(p->job, declared, status, &doc);
}

/* Objects that take what is left come last. */
static void check_fields_in(struct parameters *p, enum gh_parameter_in in)
{
    const struct gh_openapi_operation *operation = p->request->operation;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < operation->parameter_count && gh_input_goes_on(p->job); i++) {
            const struct gh_openapi_parameter *declared = &operation->parameters[i];
            if (declared->in == in && is_open_object(p, declared) == (pass == 1))
                check_fields(p, declared);
        }
    }
}

/* Fit to be shown: it is the client's. */
static struct gh_str shown_name(struct gh_str name)
{
    name = gh_str_first(name, NAME_BYTES_MAX);
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] < ' ' || name.ptr[i] > '~')
            return GH_STR("");
    }
    return name;
}

/* Is an equal name before it? Once is enough in a report. */
static bool was_named(const struct parameters *p, size_t field)
{
    for (size_t i = 0; i < field; i++) {
        if (!p->used[i] && gh_str_eq(p->form.fields[i].name, p->form.fields[field].name))
            return true;
    }
    return false;
}

/* A key that a security scheme declares to be there (OpenAPI 3.1.1, section 4.8.27). */
static bool is_api_key(const struct parameters *p, enum gh_input_part part, struct gh_str name)
{
    const struct gh_openapi *openapi = p->request->openapi;
    if (!openapi->file_count)
        return false;
    const struct gh_json_doc *doc = &openapi->files[0]->doc;
    const struct gh_json_value *components =
        gh_json_get(doc, gh_json_root(doc), GH_STR("components"));
    const struct gh_json_value *schemes = gh_json_get(doc, components, GH_STR("securitySchemes"));
    const struct gh_json_value *scheme = schemes ? gh_json_first(doc, schemes) : NULL;
    for (; scheme; scheme = gh_json_after(doc, schemes, scheme)) {
        struct gh_str type = gh_json_string(gh_json_get(doc, scheme, GH_STR("type")));
        struct gh_str in = gh_json_string(gh_json_get(doc, scheme, GH_STR("in")));
        struct gh_str key = gh_json_string(gh_json_get(doc, scheme, GH_STR("name")));
        if (key.ptr && gh_str_eq(key, name) && gh_str_eq(type, GH_STR("apiKey")) &&
            gh_str_eq(in, gh_input_part_name(part)))
            return true;
    }
    return false;
}

static void add_undeclared(struct parameters *p, enum gh_input_part part)
{
    for (size_t i = 0; i < p->form.count && gh_input_goes_on(p->job); i++) {
        if (p->used[i] || was_named(p, i) || is_api_key(p, part, p->form.fields[i].name))
            continue;
        struct gh_input_place place = {.part = part, .name = shown_name(p->form.fields[i].name)};
        gh_input_add(p->job, place, GH_STR("undeclared"), "is not declared");
    }
}

static bool take_used(struct parameters *p)
{
    p->used = gh_arena_zalloc(p->job->arena, p->form.count + 1, sizeof(*p->used));
    p->job->is_out_of_memory |= !p->used;
    return p->used != NULL;
}

static void check_query(struct parameters *p)
{
    size_t offset = 0;
    struct gh_str query = p->request->query.ptr ? p->request->query : GH_STR("");
    enum gh_form_status status =
        gh_form_parse(p->job->arena, query, &p->job->limits->form, &p->form, &offset);
    if (status != GH_FORM_OK) {
        gh_input_add_form_status(p->job, (struct gh_input_place){.part = GH_INPUT_QUERY}, status,
                                 offset);
        return;
    }
    if (!take_used(p))
        return;
    check_fields_in(p, GH_IN_QUERY);
    if (p->request->undeclared.query)
        add_undeclared(p, GH_INPUT_QUERY);
}

/* ---- Header ---- */

static bool is_no_parameter(struct gh_str name)
{
    enum gh_field_id id = gh_field_id_of(name);
    return id == GH_FIELD_ACCEPT || id == GH_FIELD_CONTENT_TYPE || id == GH_FIELD_AUTHORIZATION;
}

/* Several lines of one name are one list (RFC 9110 section 5.3); ptr NULL: no memory. */
static struct gh_str join_lines(struct parameters *p, struct gh_str name, size_t bytes)
{
    const struct gh_fields *fields = p->request->fields;
    char *memory = gh_arena_alloc(p->job->arena, bytes ? bytes : 1);
    struct gh_buf buf = gh_buf_over(memory, memory ? bytes : 0);
    for (size_t i = 0; i < fields->count && memory; i++) {
        if (fields->items[i].dropped || !gh_str_ieq(fields->items[i].name, name))
            continue;
        if (buf.len)
            gh_buf_put_char(&buf, ',');
        gh_buf_put(&buf, fields->items[i].value);
    }
    return gh_buf_str(&buf);
}

static bool is_list(const struct parameters *p, const struct gh_openapi_parameter *declared)
{
    if (declared->is_json || declared->schema == GH_OPENAPI_NO_SCHEMA)
        return false;
    unsigned kinds = gh_schema_kinds(p->job->schemas, declared->schema);
    return kinds & (1u << GH_JSON_ARRAY | 1u << GH_JSON_OBJECT) && !(kinds & 1u << GH_JSON_STRING);
}

static enum gh_parameter_status read_header(struct parameters *p,
                                            const struct gh_openapi_parameter *declared,
                                            struct gh_json_doc *out_doc)
{
    const struct gh_parameter parameter = reading_of(declared);
    const struct gh_fields *fields = p->request->fields;
    struct gh_str text = {0};
    size_t lines = 0, bytes = 0;
    for (size_t i = 0; i < fields->count; i++) {
        if (fields->items[i].dropped || !gh_str_ieq(fields->items[i].name, declared->name))
            continue;
        text = fields->items[i].value;
        bytes += text.len + 1;
        lines++;
    }
    if (!lines)
        return GH_PARAMETER_ABSENT;
    if (lines > 1 && !is_list(p, declared))
        return GH_PARAMETER_REPEATED;
    if (lines > 1) {
        text = join_lines(p, declared->name, bytes);
        if (!text.ptr)
            return GH_PARAMETER_NO_MEMORY;
    }
    return gh_parameter_read_text(p->job->schemas, &parameter, p->job->arena, text, out_doc);
}

/* "X_Trace" or "X.Trace" for X-Trace: one name to those who pass fields on as variables (RFC 3875,
   section 4.1.18). */
static bool is_other_spelling(struct gh_str name, struct gh_str declared)
{
    bool differs = false;
    for (size_t i = 0; i < name.len && name.len == declared.len; i++) {
        bool is_stand_in = declared.ptr[i] == '-' && (name.ptr[i] == '_' || name.ptr[i] == '.');
        if (!is_stand_in && gh_ascii_lower(name.ptr[i]) != gh_ascii_lower(declared.ptr[i]))
            return false;
        differs |= is_stand_in;
    }
    return differs;
}

static bool is_declared_header(const struct parameters *p, struct gh_str name)
{
    const struct gh_openapi_operation *operation = p->request->operation;
    for (size_t i = 0; i < operation->parameter_count; i++) {
        if (operation->parameters[i].in == GH_IN_HEADER &&
            gh_str_ieq(operation->parameters[i].name, name))
            return true;
    }
    return false;
}

static bool has_other_spelling(const struct parameters *p, struct gh_str declared)
{
    const struct gh_fields *fields = p->request->fields;
    for (size_t i = 0; i < fields->count; i++) {
        const struct gh_field *field = &fields->items[i];
        if (!field->dropped && is_other_spelling(field->name, declared) &&
            !is_declared_header(p, field->name))
            return true;
    }
    return false;
}

static void check_header(struct parameters *p, const struct gh_openapi_parameter *declared)
{
    const struct gh_input_place place = {.part = GH_INPUT_HEADER, .name = declared->name};
    struct gh_json_doc doc;
    if (is_no_parameter(declared->name))
        return;
    settle(p->job, declared, read_header(p, declared, &doc), &doc);
    if (has_other_spelling(p, declared->name))
        gh_input_add(p->job, place, GH_STR("style"),
                     "is there with \"_\" or \".\" for \"-\", which may be read as the same name");
}

/* ---- Cookies ---- */

/* A value that nobody can decode: readers of cookies take such a pair in different ways. */
static const struct gh_str UNREADABLE = GH_STR_INIT("%");

/* Foreign cookies may be odd; one of a declared name must be what all readers understand. */
static struct gh_form_field read_cookie(struct gh_str pair)
{
    size_t equals = gh_str_find_char(pair, '=');
    struct gh_str name = gh_str_trim_ows(gh_str_first(pair, equals));
    struct gh_str value = gh_str_skip(pair, equals == pair.len ? equals : equals + 1);
    bool is_plain = equals < pair.len && name.len == equals &&
                    gh_str_find_char(value, '"') == value.len &&
                    gh_str_find_char(value, '\\') == value.len;
    return (struct gh_form_field){.name = name, .raw_value = is_plain ? value : UNREADABLE};
}

static size_t count_cookies(const struct gh_fields *fields)
{
    size_t count = 0;
    for (const struct gh_field *line = gh_fields_find(fields, GH_FIELD_COOKIE); line;
         line = gh_fields_find_next(fields, line)) {
        count++;
        for (size_t i = 0; i < line->value.len; i++)
            count += line->value.ptr[i] == ';';
    }
    return count;
}

static bool read_cookies(struct parameters *p)
{
    const struct gh_fields *fields = p->request->fields;
    size_t max = count_cookies(fields);
    if (max > p->job->limits->form.fields_max) {
        gh_input_add(p->job, (struct gh_input_place){.part = GH_INPUT_COOKIE},
                     GH_STR("too_complex"), "there are too many");
        return false;
    }
    struct gh_form_field *items = gh_arena_zalloc(p->job->arena, max + 1, sizeof(*items));
    p->form = (struct gh_form){.fields = items};
    p->job->is_out_of_memory |= !items;
    for (const struct gh_field *line = gh_fields_find(fields, GH_FIELD_COOKIE); line && items;
         line = gh_fields_find_next(fields, line)) {
        for (struct gh_str rest = line->value; rest.ptr;) {
            struct gh_str pair = gh_str_trim_ows(gh_str_split(&rest, ';'));
            if (pair.len)
                items[p->form.count++] = read_cookie(pair);
        }
    }
    return items && take_used(p);
}

static void check_cookies(struct parameters *p, bool is_any_declared)
{
    if ((!is_any_declared && !p->request->undeclared.cookies) || !read_cookies(p))
        return;
    check_fields_in(p, GH_IN_COOKIE);
    if (p->request->undeclared.cookies)
        add_undeclared(p, GH_INPUT_COOKIE);
}

void gh_input_check_parameters(struct gh_input_job *job, const struct gh_input_request *request)
{
    const struct gh_openapi_operation *operation = request->operation;
    struct parameters p = {.job = job, .request = request};
    bool has_cookies = false;
    for (size_t i = 0; i < operation->parameter_count && gh_input_goes_on(job); i++) {
        has_cookies |= operation->parameters[i].in == GH_IN_COOKIE;
        if (operation->parameters[i].in == GH_IN_PATH)
            check_path(&p, &operation->parameters[i]);
    }
    if (gh_input_goes_on(job))
        check_query(&p);
    for (size_t i = 0; i < operation->parameter_count && gh_input_goes_on(job); i++) {
        if (operation->parameters[i].in == GH_IN_HEADER)
            check_header(&p, &operation->parameters[i]);
    }
    if (gh_input_goes_on(job))
        check_cookies(&p, has_cookies);
}
