/*
 * The body of multipart/form-data as an object of its schema's properties. Texts are kept until the
 * end; of files only the size is, so the schema sees a stand-in: a string as long as the file, and
 * a shorter one for long files.
 */
#include "json/build.h"
#include "openapi/check_job.h"

#define STAND_IN_BYTES_MAX 4096

enum part_kind { PART_TEXT, PART_JSON, PART_FILE };

struct part {
    struct gh_str name;
    enum part_kind kind;
    uint32_t schema; /* of the value: of an array's items; UINT32_MAX: not known */
    bool is_item;    /* its property can only be an array */
    bool is_taken;   /* is in the object */
    struct gh_input_text text;
    uint64_t bytes;
};

struct gh_input_parts {
    struct gh_multipart multipart;
    const struct gh_openapi_media *media;
    struct part *parts;
    size_t count, cap;
    size_t text_bytes;
    size_t violations_before;
};

struct gh_input_parts *gh_input_parts_new(struct gh_input_job *job,
                                          const struct gh_openapi_media *media,
                                          struct gh_str content_type)
{
    struct gh_input_parts *parts = gh_arena_zalloc(job->arena, 1, sizeof(*parts));
    size_t cap = job->limits->multipart.parts_max;
    if (!parts)
        return NULL;
    parts->media = media;
    parts->cap = cap;
    parts->violations_before = job->report->count;
    parts->parts = gh_arena_zalloc(job->arena, cap + 1, sizeof(*parts->parts));
    /* It was good when the media was found; if it was not, everything is refused. */
    (void)gh_multipart_init(&parts->multipart, content_type, &job->limits->multipart);
    return parts->parts ? parts : NULL;
}

/* ---- What a part is ---- */

static bool is_judged(const struct gh_input_job *job, const struct gh_input_parts *parts)
{
    return parts->media->schema != GH_OPENAPI_NO_SCHEMA && job->schemas;
}

static void find_schema(const struct gh_input_job *job, const struct gh_input_parts *parts,
                        struct part *part)
{
    uint32_t items;
    part->schema =
        is_judged(job, parts) ? gh_input_property(job, parts->media, part->name) : UINT32_MAX;
    if (part->schema == UINT32_MAX)
        return;
    unsigned kinds = gh_schema_kinds(job->schemas, part->schema) & ~(1u << GH_JSON_NULL);
    part->is_item = kinds == 1u << GH_JSON_ARRAY;
    if (part->is_item)
        part->schema = gh_schema_items(job->schemas, part->schema, &items) ? items : UINT32_MAX;
}

/* A schema that says nothing of kinds takes a file as well as a text. */
static bool takes_anything(const struct gh_input_job *job, uint32_t schema)
{
    const unsigned all = (1u << (GH_JSON_OBJECT + 1)) - 1;
    return schema == UINT32_MAX || (gh_schema_kinds(job->schemas, schema) & all) == all;
}

static bool is_file(const struct gh_input_job *job, const struct part *part,
                    const struct gh_multipart_part *head)
{
    if (part->schema != UINT32_MAX && gh_parameter_file_of(job->schemas, part->schema).is_binary)
        return true;
    return head->filename.ptr && takes_anything(job, part->schema);
}

static bool matches_any(struct gh_str ranges, struct gh_str type)
{
    struct gh_str range;
    while (gh_str_next_list_item(&ranges, &range)) {
        if (gh_media_range_matches(
                gh_str_trim_ows(gh_str_first(range, gh_str_find_char(range, ';'))), type))
            return true;
    }
    return false;
}

/* By the Encoding Object, else by what is usual for the kind (OpenAPI 3.1.1, section 4.8.15.1.1).
 */
static bool has_good_type(const struct gh_input_parts *parts, const struct part *part,
                          struct gh_str type)
{
    const struct gh_openapi_encoding *encoding = gh_input_encoding(parts->media, part->name);
    if (encoding && encoding->content_types.len)
        return type.ptr ? matches_any(encoding->content_types, type)
                        : part->kind == PART_TEXT &&
                              matches_any(encoding->content_types, GH_STR("text/plain"));
    switch (part->kind) {
    case PART_TEXT:
        return !type.ptr || gh_media_kind(type) == GH_OPENAPI_BODY_TEXT;
    case PART_JSON:
        return !type.ptr || gh_media_kind(type) == GH_OPENAPI_BODY_JSON;
    case PART_FILE:
        return true;
    }
    return false;
}

/* Strings, but no objects or arrays: a backend keeps the quotes and escapes of such a part. */
static bool is_plain_text(const struct gh_input_job *job, uint32_t schema)
{
    const unsigned containers = 1u << GH_JSON_OBJECT | 1u << GH_JSON_ARRAY;
    if (schema == UINT32_MAX)
        return false;
    unsigned kinds = gh_schema_kinds(job->schemas, schema);
    return kinds & 1u << GH_JSON_STRING && !(kinds & containers);
}

static bool is_declared_json(const struct gh_input_parts *parts, const struct part *part)
{
    const struct gh_openapi_encoding *encoding = gh_input_encoding(parts->media, part->name);
    return encoding && encoding->content_types.len &&
           gh_media_kind(encoding->content_types) == GH_OPENAPI_BODY_JSON;
}

/* The document may say so of any part, the caller only where that makes no two readings of it. */
static bool says_json(const struct gh_input_job *job, const struct gh_input_parts *parts,
                      const struct part *part, struct gh_str type)
{
    if (is_declared_json(parts, part))
        return true;
    return type.ptr && gh_media_kind(type) == GH_OPENAPI_BODY_JSON &&
           !is_plain_text(job, part->schema);
}

static enum part_kind kind_of(const struct gh_input_job *job, const struct gh_input_parts *parts,
                              const struct part *part, const struct gh_multipart_part *head)
{
    if (is_file(job, part, head))
        return PART_FILE;
    if (gh_input_is_object(job, part->schema) || says_json(job, parts, part, head->content_type))
        return PART_JSON;
    return PART_TEXT;
}

static bool begin_part(struct gh_input_job *job, struct gh_input_parts *parts)
{
    const struct gh_multipart_part *head = &parts->multipart.part;
    struct part *part = &parts->parts[parts->count++];
    *part = (struct part){.name = gh_arena_dup(job->arena, head->name)};
    if (!part->name.ptr) {
        job->is_out_of_memory = true;
        return false;
    }
    find_schema(job, parts, part);
    part->kind = kind_of(job, parts, part, head);
    if (!is_judged(job, parts))
        return true;
    /* Backends keep such a part as a file, where the schema's pattern means nothing. */
    if (head->filename.ptr && part->kind == PART_TEXT)
        gh_input_add(job, gh_input_member(job, part->name), GH_STR("style"),
                     "is a file where a value is wanted");
    else if (!has_good_type(parts, part, head->content_type))
        gh_input_add(job, gh_input_member(job, part->name), GH_STR("content_type"),
                     "has a content type that is not declared");
    return true;
}

static bool add_data(struct gh_input_job *job, struct gh_input_parts *parts, struct gh_str data)
{
    struct part *part = &parts->parts[parts->count - 1];
    part->bytes += data.len;
    if (part->kind == PART_FILE || !is_judged(job, parts))
        return true;
    parts->text_bytes += data.len;
    if (parts->text_bytes > job->limits->json.bytes_max) {
        gh_input_add(job, gh_input_member(job, part->name), GH_STR("too_complex"),
                     "its texts are longer than %zu bytes", job->limits->json.bytes_max);
        return false;
    }
    if (gh_input_text_put(job->arena, &part->text, data))
        return true;
    job->is_out_of_memory = true;
    return false;
}

/* ---- The object ---- */

/* False: no memory. */
static bool add_stand_in(struct gh_input_job *job, struct gh_json_builder *builder,
                         struct gh_str name, uint64_t len)
{
    static const char ZEROS[STAND_IN_BYTES_MAX];
    const char *bytes = ZEROS;
    if (len > sizeof(ZEROS))
        bytes = gh_arena_zalloc(job->arena, len, 1);
    if (!bytes)
        return false;
    gh_json_build_string(builder, name, gh_str_of(bytes, len));
    return true;
}

/* The length of a long file is judged here, that of a short one by the schema. */
static void add_file(struct gh_input_job *job, struct gh_json_builder *builder,
                     const struct part *part)
{
    struct gh_parameter_file file = {.bytes_max = UINT64_MAX};
    uint64_t len = part->bytes;
    if (part->schema != UINT32_MAX)
        file = gh_parameter_file_of(job->schemas, part->schema);
    if (len > STAND_IN_BYTES_MAX && len > file.bytes_max)
        gh_input_add(job, gh_input_member(job, part->name), GH_STR("maxLength"),
                     "must have at most %llu bytes, not %llu", (unsigned long long)file.bytes_max,
                     (unsigned long long)len);
    if (len > STAND_IN_BYTES_MAX && len < file.bytes_min)
        gh_input_add(job, gh_input_member(job, part->name), GH_STR("minLength"),
                     "must have at least %llu bytes, not %llu", (unsigned long long)file.bytes_min,
                     (unsigned long long)len);
    /* As short as the schema takes it. */
    if (len > STAND_IN_BYTES_MAX)
        len = len >= file.bytes_min && file.bytes_min > STAND_IN_BYTES_MAX ? file.bytes_min
                                                                           : STAND_IN_BYTES_MAX;
    if (!add_stand_in(job, builder, part->name, len))
        job->is_out_of_memory = true;
}

/* Where the schema is seen only with the whole object, as behind oneOf: a text, or texts, that only
   the caller calls JSON. */
static bool may_be_text(const struct gh_input_parts *parts, const struct part *part,
                        const struct gh_json_doc *doc)
{
    enum gh_json_kind kind = doc->values[0].kind;
    return !is_declared_json(parts, part) &&
           (kind == GH_JSON_STRING || (kind == GH_JSON_ARRAY && part->schema == UINT32_MAX));
}

static void add_json(struct gh_input_job *job, const struct gh_input_parts *parts,
                     struct gh_json_builder *builder, const struct part *part)
{
    struct gh_json_doc doc;
    size_t offset = 0;
    struct gh_str text = part->text.ptr ? gh_str_of(part->text.ptr, part->text.len) : GH_STR("");
    enum gh_json_status status = gh_json_parse(job->arena, text, &job->limits->json, &doc, &offset);
    if (status != GH_JSON_OK)
        gh_input_add_json_status(job, gh_input_member(job, part->name), status, offset);
    else if (may_be_text(parts, part, &doc))
        gh_input_add(job, gh_input_member(job, part->name), GH_STR("content_type"),
                     "has a content type that is not declared");
    else
        gh_json_build_copy(builder, part->name, &doc);
}

static void add_text(struct gh_input_job *job, struct gh_json_builder *builder,
                     const struct part *part)
{
    struct gh_json_doc doc;
    struct gh_str text = part->text.ptr ? gh_str_of(part->text.ptr, part->text.len) : GH_STR("");
    enum gh_parameter_status status =
        gh_parameter_read_value(job->schemas, part->schema, job->arena, text, &doc);
    if (status == GH_PARAMETER_OK)
        gh_json_build_copy(builder, part->name, &doc);
    else if (status == GH_PARAMETER_NO_MEMORY)
        job->is_out_of_memory = true;
    else
        gh_input_add(job, gh_input_member(job, part->name), GH_STR("syntax"), "is not UTF-8");
}

static void add_part(struct gh_input_job *job, const struct gh_input_parts *parts,
                     struct gh_json_builder *builder, struct part *part)
{
    part->is_taken = true;
    switch (part->kind) {
    case PART_TEXT:
        add_text(job, builder, part);
        break;
    case PART_JSON:
        add_json(job, parts, builder, part);
        break;
    case PART_FILE:
        add_file(job, builder, part);
        break;
    }
}

/* A whole array may come as one part of JSON. */
static bool is_array(const struct gh_input_job *job, const struct gh_input_parts *parts,
                     const struct part *part, size_t count)
{
    uint32_t schema = gh_input_property(job, parts->media, part->name);
    if (count > 1)
        return schema == UINT32_MAX || gh_schema_kinds(job->schemas, schema) & 1u << GH_JSON_ARRAY;
    return part->is_item && (part->kind != PART_JSON || gh_input_is_object(job, part->schema));
}

/* All parts of one name. */
static void add_property(struct gh_input_job *job, const struct gh_input_parts *parts,
                         struct gh_json_builder *builder, size_t first)
{
    const struct part *part = &parts->parts[first];
    size_t count = 0;
    for (size_t i = first; i < parts->count; i++)
        count += gh_str_eq(parts->parts[i].name, part->name);
    bool as_array = is_array(job, parts, part, count);
    if (count > 1 && !as_array)
        gh_input_add_status(job, gh_input_member(job, part->name), GH_PARAMETER_REPEATED);
    if (as_array)
        gh_json_build_begin(builder, part->name, GH_JSON_ARRAY);
    for (size_t i = first; i < parts->count; i++) {
        if (!gh_str_eq(parts->parts[i].name, part->name))
            continue;
        if (as_array || i == first)
            add_part(job, parts, builder, &parts->parts[i]);
        parts->parts[i].is_taken = true;
    }
    if (as_array)
        gh_json_build_end(builder);
}

/* ---- The body ---- */

static void add_status(struct gh_input_job *job, const struct gh_input_parts *parts,
                       enum gh_multipart_status status)
{
    bool is_limit = status == GH_MULTIPART_TOO_LONG || status == GH_MULTIPART_TOO_MANY_PARTS ||
                    status == GH_MULTIPART_PART_TOO_LONG || status == GH_MULTIPART_HEAD_TOO_LONG ||
                    status == GH_MULTIPART_NAME_TOO_LONG;
    gh_input_add(job, (struct gh_input_place){.part = GH_INPUT_BODY},
                 is_limit ? GH_STR("too_complex") : GH_STR("syntax"),
                 "is not well-formed: %.*s at byte %zu",
                 GH_STR_ARG(gh_multipart_status_text(status)), (size_t)parts->multipart.offset);
}

static void judge_all(struct gh_input_job *job, struct gh_input_parts *parts)
{
    struct gh_json_builder builder;
    if (!is_judged(job, parts))
        return;
    gh_json_build_init(&builder, job->arena, &job->limits->json);
    gh_json_build_begin(&builder, GH_STR(""), GH_JSON_OBJECT);
    for (size_t i = 0; i < parts->count && gh_input_goes_on(job); i++) {
        if (!parts->parts[i].is_taken)
            add_property(job, parts, &builder, i);
    }
    gh_input_judge_form(job, parts->media, &builder, parts->violations_before);
}

bool gh_input_parts_feed(struct gh_input_job *job, struct gh_input_parts *parts,
                         struct gh_str bytes)
{
    bool good = true;
    while (good) {
        struct gh_str data;
        switch (gh_multipart_read(&parts->multipart, &bytes, &data)) {
        case GH_MULTIPART_REFUSED:
            add_status(job, parts, parts->multipart.status);
            return false;
        case GH_MULTIPART_MORE:
            return true;
        case GH_MULTIPART_PART:
            good = begin_part(job, parts);
            break;
        case GH_MULTIPART_DATA:
            good = add_data(job, parts, data);
            break;
        case GH_MULTIPART_PART_END:
            break;
        case GH_MULTIPART_END:
            /* The end for a backend that reads as it comes, whatever of the body's length a caller
               still keeps back: all is judged before those bytes go on. */
            judge_all(job, parts);
            break;
        }
    }
    return false;
}

void gh_input_parts_finish(struct gh_input_job *job, struct gh_input_parts *parts)
{
    enum gh_multipart_status status = gh_multipart_finish(&parts->multipart);
    if (status != GH_MULTIPART_OK)
        add_status(job, parts, status);
}
