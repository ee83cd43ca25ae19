/* A body as it arrives, by its kind. */
#include "base/utf8.h"
#include "openapi/check_job.h"

#define TEXT_BYTES_MIN 512

static const struct gh_input_place BODY = {.part = GH_INPUT_BODY};

bool gh_input_text_put(struct gh_arena *arena, struct gh_input_text *text, struct gh_str bytes)
{
    if (bytes.len > text->cap - text->len) {
        size_t cap = text->cap ? text->cap : TEXT_BYTES_MIN;
        while (cap - text->len < bytes.len)
            cap *= 2;
        char *memory = gh_arena_alloc(arena, cap);
        if (!memory)
            return false;
        if (text->len)
            memcpy(memory, text->ptr, text->len);
        text->ptr = memory;
        text->cap = cap;
    }
    if (bytes.len)
        memcpy(text->ptr + text->len, bytes.ptr, bytes.len);
    text->len += bytes.len;
    return true;
}

bool gh_input_stream_init(struct gh_input_stream *stream, const struct gh_input_job *job,
                          const struct gh_input_checked *checked, bool is_required)
{
    *stream = (struct gh_input_stream){
        .job = *job, .media = checked->media, .kind = checked->kind, .is_required = is_required};
    if (stream->kind == GH_OPENAPI_BODY_MULTIPART) {
        stream->parts = gh_input_parts_new(&stream->job, checked->media, checked->content_type);
        return stream->parts != NULL;
    }
    return true;
}

/* The parser and its memory come with the first bytes: a body that is whole needs neither. */
static void feed_json(struct gh_input_stream *stream, struct gh_str bytes)
{
    if (!stream->json)
        stream->json = gh_json_parser_new(stream->job.arena, &stream->job.limits->json);
    if (!stream->json) {
        stream->job.is_out_of_memory = true;
        return;
    }
    enum gh_json_status status = gh_json_feed(stream->json, bytes);
    if (status == GH_JSON_OK)
        return;
    stream->is_stopped = true;
    gh_input_add_json_status(&stream->job, BODY, status, gh_json_error_offset(stream->json));
}

static size_t text_bytes_max(const struct gh_input_stream *stream)
{
    const struct gh_input_limits *limits = stream->job.limits;
    return stream->kind == GH_OPENAPI_BODY_FORM ? limits->form.bytes_max : limits->json.bytes_max;
}

static bool is_too_long(struct gh_input_stream *stream)
{
    if (stream->bytes <= text_bytes_max(stream))
        return false;
    stream->is_stopped = true;
    gh_input_add(&stream->job, BODY, GH_STR("too_complex"), "is longer than %zu bytes",
                 text_bytes_max(stream));
    return true;
}

static void feed_text(struct gh_input_stream *stream, struct gh_str bytes)
{
    if (is_too_long(stream))
        return;
    if (!stream->text)
        stream->text = gh_arena_zalloc(stream->job.arena, 1, sizeof(*stream->text));
    if (!stream->text || !gh_input_text_put(stream->job.arena, stream->text, bytes))
        stream->job.is_out_of_memory = true;
}

enum gh_input_outcome gh_input_stream_feed(struct gh_input_stream *stream, struct gh_str bytes)
{
    if (stream->is_stopped || stream->job.is_out_of_memory || !bytes.len)
        return gh_input_outcome_of(&stream->job);
    stream->bytes += bytes.len;
    switch (stream->kind) {
    case GH_OPENAPI_BODY_JSON:
        feed_json(stream, bytes);
        break;
    case GH_OPENAPI_BODY_MULTIPART:
        stream->is_stopped = !gh_input_parts_feed(&stream->job, stream->parts, bytes);
        break;
    case GH_OPENAPI_BODY_FORM:
    case GH_OPENAPI_BODY_TEXT:
        feed_text(stream, bytes);
        break;
    case GH_OPENAPI_BODY_OPAQUE:
        break;
    }
    return gh_input_outcome_of(&stream->job);
}

static void check_text(struct gh_input_stream *stream, struct gh_str text)
{
    struct gh_json_doc doc;
    enum gh_parameter_status status;
    if (!gh_utf8_is_valid(text)) {
        gh_input_add(&stream->job, BODY, GH_STR("syntax"), "is not UTF-8");
        return;
    }
    if (stream->media->schema == GH_OPENAPI_NO_SCHEMA || !stream->job.schemas)
        return;
    status = gh_parameter_read_value(stream->job.schemas, stream->media->schema, stream->job.arena,
                                     text, &doc);
    if (status == GH_PARAMETER_OK)
        gh_input_judge(&stream->job, GH_INPUT_BODY, GH_STR(""), stream->media->schema, &doc);
    else
        gh_input_add_status(&stream->job, BODY, status);
}

static void judge_json(struct gh_input_stream *stream, enum gh_json_status status, size_t offset,
                       const struct gh_json_doc *doc)
{
    if (status == GH_JSON_OK)
        gh_input_judge(&stream->job, GH_INPUT_BODY, GH_STR(""), stream->media->schema, doc);
    else
        gh_input_add_json_status(&stream->job, BODY, status, offset);
}

static void finish_json(struct gh_input_stream *stream)
{
    struct gh_json_doc doc;
    if (stream->json) {
        enum gh_json_status status = gh_json_finish(stream->json, &doc);
        judge_json(stream, status, gh_json_error_offset(stream->json), &doc);
    }
}

static void check_collected(struct gh_input_stream *stream, struct gh_str text)
{
    if (stream->kind == GH_OPENAPI_BODY_FORM)
        gh_input_check_form(&stream->job, stream->media, text);
    else
        check_text(stream, text);
}

/* No bytes are no JSON and no multipart, but a text or a form they can be. */
static bool is_nothing(struct gh_input_stream *stream)
{
    bool is_empty = stream->bytes == 0 && (stream->kind == GH_OPENAPI_BODY_JSON ||
                                           stream->kind == GH_OPENAPI_BODY_MULTIPART);
    is_empty |= stream->bytes == 0 && !stream->is_required;
    if (is_empty && stream->is_required)
        gh_input_add(&stream->job, BODY, GH_STR("required"), "is missing");
    return is_empty;
}

enum gh_input_outcome gh_input_stream_finish(struct gh_input_stream *stream)
{
    if (stream->is_stopped || stream->job.is_out_of_memory || is_nothing(stream))
        return gh_input_conclude(&stream->job);
    stream->is_stopped = true;
    switch (stream->kind) {
    case GH_OPENAPI_BODY_JSON:
        finish_json(stream);
        break;
    case GH_OPENAPI_BODY_MULTIPART:
        gh_input_parts_finish(&stream->job, stream->parts);
        break;
    case GH_OPENAPI_BODY_FORM:
    case GH_OPENAPI_BODY_TEXT:
        check_collected(stream, stream->text ? gh_str_of(stream->text->ptr, stream->text->len)
                                             : GH_STR(""));
        break;
    case GH_OPENAPI_BODY_OPAQUE:
        break;
    }
    return gh_input_conclude(&stream->job);
}

/* What is there as a whole is read where it stands. */
enum gh_input_outcome gh_input_check_whole(struct gh_input_stream *stream, struct gh_str body)
{
    struct gh_json_doc doc;
    size_t offset = 0;
    bool is_collected =
        stream->kind == GH_OPENAPI_BODY_FORM || stream->kind == GH_OPENAPI_BODY_TEXT;
    if (stream->kind != GH_OPENAPI_BODY_JSON && !is_collected) {
        (void)gh_input_stream_feed(stream, body);
        return gh_input_stream_finish(stream);
    }
    stream->bytes = body.len;
    if (is_nothing(stream) || (is_collected && is_too_long(stream)))
        return gh_input_conclude(&stream->job);
    if (is_collected) {
        check_collected(stream, body.ptr ? body : GH_STR(""));
        return gh_input_conclude(&stream->job);
    }
    enum gh_json_status status =
        gh_json_parse(stream->job.arena, body, &stream->job.limits->json, &doc, &offset);
    judge_json(stream, status, offset, &doc);
    return gh_input_conclude(&stream->job);
}
