/*
 * From libyaml's events to a tape, without recursion: open containers are a stack of bounded depth.
 * Trouble in the syntax or a bound passed ends the reading; what merely isn't allowed is told and
 * read over.
 */
#include "openapi/yaml_read.h"

#include <stdlib.h>
#include <yaml.h>

#include "openapi/place.h"
#include "openapi/yaml_names.h"

#define ANCHORS_MAX   1000
#define FEW_VALUES    256
#define KEY_BYTES_MAX 4096

struct anchor {
    struct gh_str name;
    uint32_t value;
    bool is_open; /* its value is not complete yet */
};

struct frame {
    uint32_t value;
    bool is_object, has_name;
    struct gh_str name;
};

struct reader {
    struct gh_arena *arena;
    struct gh_openapi_file *file;
    struct gh_openapi_problems *problems;
    yaml_parser_t parser;
    struct gh_json_value *values;
    uint32_t count, cap;
    uint32_t aliased; /* values that aliases stood for */
    struct frame frames[GH_OPENAPI_DEPTH_MAX];
    unsigned depth;
    struct anchor *anchors;
    size_t anchor_count;
    size_t last_end;          /* behind what was read last, without space and remarks */
    size_t characters, bytes; /* one and the same place in the text, near the last mark */
    bool good;
};

/* libyaml counts characters, we count bytes. Marks are asked for roughly in order. */
static size_t offset_of(struct reader *reader, yaml_mark_t mark)
{
    struct gh_str text = reader->file->text;
    while (reader->characters < mark.index && reader->bytes < text.len) {
        do
            reader->bytes++;
        while (reader->bytes < text.len && ((unsigned char)text.ptr[reader->bytes] & 0xc0) == 0x80);
        reader->characters++;
    }
    while (reader->characters > mark.index && reader->bytes > 0) {
        do
            reader->bytes--;
        while (reader->bytes > 0 && ((unsigned char)text.ptr[reader->bytes] & 0xc0) == 0x80);
        reader->characters--;
    }
    return reader->bytes;
}

/* Always false. */
static bool refuse(struct reader *reader, size_t offset, const char *remedy, const char *what)
{
    gh_openapi_problem_put(reader->problems, reader->arena, GH_OPENAPI_ERROR, reader->file, offset,
                           remedy, "%s", what);
    reader->good = false;
    return false;
}

static bool refuse_at(struct reader *reader, yaml_mark_t mark, const char *remedy, const char *what)
{
    return refuse(reader, offset_of(reader, mark), remedy, what);
}

static bool refuse_syntax(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    const char *what = parser->problem ? parser->problem : "the text can't be read";
    if (parser->error == YAML_MEMORY_ERROR)
        return refuse(reader, GH_OPENAPI_NO_OFFSET, NULL, "no memory to read the file");
    if (parser->error == YAML_READER_ERROR)
        return refuse(reader, parser->problem_offset,
                      "the file must be UTF-8 text without control characters", what);
    size_t offset = offset_of(reader, parser->problem_mark);
    struct gh_str text = reader->file->text;
    bool is_tab = offset < text.len && text.ptr[offset] == '\t';
    const char *remedy = is_tab ? "indent with spaces, not tabs" : NULL;
    if (parser->context)
        gh_openapi_problem_put(reader->problems, reader->arena, GH_OPENAPI_ERROR, reader->file,
                               offset, remedy, "%s, %s", what, parser->context);
    else
        return refuse(reader, offset, remedy, what);
    reader->good = false;
    return false;
}

static bool next_event(struct reader *reader, yaml_event_t *out_event)
{
    return yaml_parser_parse(&reader->parser, out_event) || refuse_syntax(reader);
}

static bool refuse_memory(struct reader *reader)
{
    return refuse(reader, GH_OPENAPI_NO_OFFSET, NULL, "the document takes too much memory");
}

/* Room for `more` values. */
static bool make_room(struct reader *reader, uint32_t more, size_t offset)
{
    if (more > GH_OPENAPI_VALUES_MAX - reader->count)
        return refuse(reader, offset, "cut the document into several files",
                      "the document has too many values");
    if (reader->count + more <= reader->cap)
        return true;
    uint32_t cap = reader->cap ? reader->cap : FEW_VALUES;
    while (cap < reader->count + more)
        cap *= 2;
    struct gh_json_value *values = gh_arena_zalloc(reader->arena, cap, sizeof(*values));
    if (!values)
        return refuse_memory(reader);
    if (reader->count)
        memcpy(values, reader->values, reader->count * sizeof(*values));
    reader->values = values;
    reader->cap = cap;
    return true;
}

/* The value gets the name that was read before it, and its container one child more. */
static void attach(struct reader *reader, struct gh_json_value *value)
{
    value->name = (struct gh_str){0};
    value->name_hash = 0;
    if (reader->depth == 0)
        return;
    struct frame *frame = &reader->frames[reader->depth - 1];
    reader->values[frame->value].count++;
    if (frame->is_object) {
        value->name = frame->name;
        value->name_hash = gh_json_name_hash(frame->name);
        frame->has_name = false;
    }
}

static bool add_anchor(struct reader *reader, const yaml_event_t *event, const yaml_char_t *name)
{
    if (!name)
        return true;
    if (!reader->anchors)
        reader->anchors = gh_arena_zalloc(reader->arena, ANCHORS_MAX, sizeof(*reader->anchors));
    struct gh_str copy = gh_arena_dup(reader->arena, gh_str_from_c((const char *)name));
    if (!reader->anchors || !copy.ptr)
        return refuse_memory(reader);
    if (reader->anchor_count == ANCHORS_MAX)
        return refuse_at(reader, event->start_mark, NULL, "the document has too many anchors");
    reader->anchors[reader->anchor_count++] =
        (struct anchor){.name = copy, .value = reader->count, .is_open = true};
    return true;
}

static void close_anchors(struct reader *reader, uint32_t value)
{
    for (size_t i = reader->anchor_count; i > 0; i--) {
        if (reader->anchors[i - 1].value == value)
            reader->anchors[i - 1].is_open = false;
        else if (reader->anchors[i - 1].value < value)
            break;
    }
}

#define CORE_TAG "tag:yaml.org,2002:"

/* The kind that a tag asks for. False: it is none of the core schema's. */
static bool kind_of_tag(const yaml_char_t *tag, enum gh_json_kind *out_kind)
{
    static const struct {
        const char *name;
        enum gh_json_kind kind;
    } TAGS[] = {
        {CORE_TAG "null", GH_JSON_NULL},  {CORE_TAG "bool", GH_JSON_BOOL},
        {CORE_TAG "int", GH_JSON_NUMBER}, {CORE_TAG "float", GH_JSON_NUMBER},
        {CORE_TAG "str", GH_JSON_STRING}, {CORE_TAG "seq", GH_JSON_ARRAY},
        {CORE_TAG "map", GH_JSON_OBJECT},
    };
    for (size_t i = 0; i < sizeof(TAGS) / sizeof(TAGS[0]); i++) {
        if (strcmp((const char *)tag, TAGS[i].name) == 0) {
            *out_kind = TAGS[i].kind;
            return true;
        }
    }
    return false;
}

static void check_tag(struct reader *reader, const yaml_event_t *event, const yaml_char_t *tag,
                      enum gh_json_kind kind)
{
    enum gh_json_kind wanted;
    if (!tag)
        return;
    if (!kind_of_tag(tag, &wanted))
        refuse_at(reader, event->start_mark, "leave the tag out",
                  "tags other than those of YAML's core schema are not allowed");
    else if (wanted != kind)
        refuse_at(reader, event->start_mark, "leave the tag out",
                  "the value is not of the kind that its tag names");
}

static bool read_scalar(struct reader *reader, const yaml_event_t *event,
                        struct gh_json_value *value)
{
    struct gh_str text =
        gh_str_of((const char *)event->data.scalar.value, event->data.scalar.length);
    const yaml_char_t *tag = event->data.scalar.tag;
    bool is_text = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE ||
                   (tag && strcmp((const char *)tag, CORE_TAG "str") == 0);
    value->kind = GH_JSON_STRING;
    value->text = gh_arena_dup(reader->arena, text);
    if (!value->text.ptr)
        return refuse_memory(reader);
    if (!is_text) {
        switch (gh_openapi_yaml_scalar(reader->arena, value->text, value)) {
        case GH_OPENAPI_SCALAR_OK:
            break;
        case GH_OPENAPI_SCALAR_NOT_FINITE:
            refuse_at(reader, event->start_mark, "put it in quotes if it is a string",
                      "JSON has no infinity and no NaN");
            break;
        case GH_OPENAPI_SCALAR_TOO_LARGE:
            refuse_at(reader, event->start_mark, "write it in decimal",
                      "the number is over 64 bits");
            break;
        case GH_OPENAPI_SCALAR_MEMORY:
            return refuse_memory(reader);
        }
    }
    check_tag(reader, event, tag, value->kind);
    return true;
}

static bool add_scalar(struct reader *reader, const yaml_event_t *event)
{
    size_t start = offset_of(reader, event->start_mark);
    size_t end = offset_of(reader, event->end_mark);
    if (!make_room(reader, 1, start) || !add_anchor(reader, event, event->data.scalar.anchor))
        return false;
    struct gh_json_value *value = &reader->values[reader->count];
    *value = (struct gh_json_value){.start = (uint32_t)start, .end = (uint32_t)end};
    if (!read_scalar(reader, event, value))
        return false;
    reader->last_end = end;
    attach(reader, value);
    close_anchors(reader, reader->count);
    value->next = ++reader->count;
    return true;
}

static bool open_container(struct reader *reader, const yaml_event_t *event, bool is_object)
{
    size_t start = offset_of(reader, event->start_mark);
    const yaml_char_t *anchor =
        is_object ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    enum gh_json_kind kind = is_object ? GH_JSON_OBJECT : GH_JSON_ARRAY;
    check_tag(reader, event,
              is_object ? event->data.mapping_start.tag : event->data.sequence_start.tag, kind);
    if (reader->depth == GH_OPENAPI_DEPTH_MAX)
        return refuse(reader, start, NULL, "lists and maps are nested too deeply");
    if (!make_room(reader, 1, start) || !add_anchor(reader, event, anchor))
        return false;
    struct gh_json_value *value = &reader->values[reader->count];
    *value = (struct gh_json_value){.kind = kind, .start = (uint32_t)start};
    attach(reader, value);
    reader->frames[reader->depth++] =
        (struct frame){.value = reader->count++, .is_object = is_object};
    return true;
}

static void close_container(struct reader *reader, const yaml_event_t *event)
{
    struct frame *frame = &reader->frames[--reader->depth];
    struct gh_json_value *value = &reader->values[frame->value];
    value->next = reader->count;
    if (event->end_mark.index > event->start_mark.index) /* "]" or "}" */
        reader->last_end = offset_of(reader, event->end_mark);
    value->end = (uint32_t)reader->last_end;
    uint32_t repeated;
    if (!frame->is_object)
        ;
    else if (!gh_openapi_yaml_names(reader->values, frame->value, &repeated))
        refuse_memory(reader);
    else if (repeated) {
        struct gh_json_value *again = &reader->values[repeated];
        gh_openapi_problem_put(reader->problems, reader->arena, GH_OPENAPI_ERROR, reader->file,
                               gh_openapi_name_offset(reader->file, again), "keep one of them",
                               "the key \"%.*s\" stands in this map already",
                               GH_STR_ARG(again->name));
        reader->good = false;
    }
    close_anchors(reader, frame->value);
}

static bool copy_alias(struct reader *reader, const yaml_event_t *event, uint32_t from)
{
    uint32_t length = reader->values[from].next - from, to = reader->count;
    if (length > GH_OPENAPI_ALIAS_VALUES_MAX - reader->aliased)
        return refuse_at(reader, event->start_mark, "use $ref to schemas instead",
                         "the aliases of the document stand for too many values");
    if (!make_room(reader, length, offset_of(reader, event->start_mark)))
        return false;
    memcpy(&reader->values[to], &reader->values[from], length * sizeof(*reader->values));
    for (uint32_t i = to; i < to + length; i++)
        reader->values[i].next += to - from;
    attach(reader, &reader->values[to]);
    reader->count += length;
    reader->aliased += length;
    reader->last_end = offset_of(reader, event->end_mark);
    return true;
}

/* How deep the values are that `value` contains. */
static unsigned depth_below(const struct gh_json_value *values, uint32_t value)
{
    uint32_t ends[GH_OPENAPI_DEPTH_MAX];
    unsigned depth = 0, deepest = 0;
    for (uint32_t i = value; i < values[value].next; i++) {
        while (depth > 0 && i >= ends[depth - 1])
            depth--;
        if (values[i].kind != GH_JSON_ARRAY && values[i].kind != GH_JSON_OBJECT)
            continue;
        ends[depth++] = values[i].next;
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest;
}

static bool add_alias(struct reader *reader, const yaml_event_t *event)
{
    struct gh_str name = gh_str_from_c((const char *)event->data.alias.anchor);
    const struct anchor *anchor = NULL;
    for (size_t i = reader->anchor_count; i > 0 && !anchor; i--) {
        if (gh_str_eq(reader->anchors[i - 1].name, name))
            anchor = &reader->anchors[i - 1];
    }
    if (!anchor)
        return refuse_at(reader, event->start_mark, "put the value in quotes if it begins with *",
                         "there is no anchor of this name before it");
    if (anchor->is_open)
        return refuse_at(reader, event->start_mark, "use $ref to schemas instead",
                         "the alias stands within what it names");
    if (reader->depth + depth_below(reader->values, anchor->value) > GH_OPENAPI_DEPTH_MAX)
        return refuse_at(reader, event->start_mark, NULL, "lists and maps are nested too deeply");
    return copy_alias(reader, event, anchor->value);
}

/* The key of the map that is open. */
static bool read_key(struct reader *reader, const yaml_event_t *event)
{
    struct frame *frame = &reader->frames[reader->depth - 1];
    if (event->type != YAML_SCALAR_EVENT)
        return refuse_at(reader, event->start_mark, "quote a value that begins with { or [ or *",
                         "a key must be one word");
    struct gh_str text =
        gh_str_of((const char *)event->data.scalar.value, event->data.scalar.length);
    bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (is_plain && gh_str_eq(text, GH_STR("<<")))
        refuse_at(reader, event->start_mark, "write the members out, or use allOf in schemas",
                  "merge keys are not part of YAML 1.2");
    if (event->data.scalar.anchor || event->data.scalar.tag)
        refuse_at(reader, event->start_mark, NULL, "a key can't have an anchor or a tag");
    if (text.len > KEY_BYTES_MAX)
        return refuse_at(reader, event->start_mark, NULL, "the key is too long");
    frame->name = gh_arena_dup(reader->arena, text);
    if (!frame->name.ptr)
        return refuse_memory(reader);
    frame->has_name = true;
    return true;
}

/* False: reading can't go on. */
static bool take_event(struct reader *reader, const yaml_event_t *event)
{
    const struct frame *frame = reader->depth ? &reader->frames[reader->depth - 1] : NULL;
    if (event->type == YAML_MAPPING_END_EVENT || event->type == YAML_SEQUENCE_END_EVENT) {
        close_container(reader, event);
        return true;
    }
    if (frame && frame->is_object && !frame->has_name)
        return read_key(reader, event);
    if (event->type == YAML_SCALAR_EVENT)
        return add_scalar(reader, event);
    if (event->type == YAML_ALIAS_EVENT)
        return add_alias(reader, event);
    return open_container(reader, event, event->type == YAML_MAPPING_START_EVENT);
}

/* Reads an event that must be of `type`. */
static bool expect(struct reader *reader, yaml_event_type_t type)
{
    yaml_event_t event;
    if (!next_event(reader, &event))
        return false;
    bool good = event.type == type;
    if (!good && event.type == YAML_STREAM_END_EVENT)
        refuse(reader, GH_OPENAPI_NO_OFFSET, NULL, "the file is empty");
    else if (!good)
        refuse_at(reader, event.start_mark, "keep one document in the file",
                  "a second document begins here");
    yaml_event_delete(&event);
    return good;
}

static bool read_document(struct reader *reader)
{
    if (!expect(reader, YAML_STREAM_START_EVENT) || !expect(reader, YAML_DOCUMENT_START_EVENT))
        return false;
    do {
        yaml_event_t event;
        if (!next_event(reader, &event))
            return false;
        bool good = take_event(reader, &event);
        yaml_event_delete(&event);
        if (!good)
            return false;
    } while (reader->depth > 0);
    return expect(reader, YAML_DOCUMENT_END_EVENT) && expect(reader, YAML_STREAM_END_EVENT);
}

bool gh_openapi_yaml_read(struct gh_arena *arena, struct gh_openapi_file *file,
                          struct gh_openapi_problems *problems)
{
    struct reader *reader = gh_arena_zalloc(arena, 1, sizeof(*reader));
    if (!reader) {
        gh_openapi_problem_put(problems, arena, GH_OPENAPI_ERROR, file, GH_OPENAPI_NO_OFFSET, NULL,
                               "the document takes too much memory");
        return false;
    }
    reader->arena = arena;
    reader->file = file;
    reader->problems = problems;
    reader->good = true;
    if (!yaml_parser_initialize(&reader->parser))
        return refuse_memory(reader);
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader->parser, (const unsigned char *)file->text.ptr,
                                 file->text.len);
    bool good = read_document(reader) && reader->good;
    yaml_parser_delete(&reader->parser);
    if (good)
        file->doc = (struct gh_json_doc){reader->values, reader->count};
    return good;
}
