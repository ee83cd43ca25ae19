/* What was found, as a list with an end. */
#include <stdarg.h>
#include <stdio.h>

#include "openapi/check_job.h"
#include "schema/decimal.h"
#include "schema/pointer.h"

/* A sentence of ours, with names of parameters at most. */
#define MESSAGE_BYTES_MAX 256

const struct gh_input_limits gh_input_usual = {
    .json = {.bytes_max = 1024 * 1024, .depth_max = 64, .values_max = 65536, .members_max = 4096},
    .form = {.bytes_max = 64 * 1024, .fields_max = 256, .name_bytes_max = 256},
    .multipart = {.bytes_max = 16 * 1024 * 1024,
                  .part_bytes_max = 8 * 1024 * 1024,
                  .parts_max = 64,
                  .head_bytes_max = 1024,
                  .name_bytes_max = 255},
    .schema = {.steps_max = 2000000, .depth_max = GH_SCHEMA_DEPTH_MAX, .violations_max = 20},
    .violations_max = 20,
};

struct gh_str gh_input_part_name(enum gh_input_part part)
{
    switch (part) {
    case GH_INPUT_PATH:
        return GH_STR("path");
    case GH_INPUT_QUERY:
        return GH_STR("query");
    case GH_INPUT_HEADER:
        return GH_STR("header");
    case GH_INPUT_COOKIE:
        return GH_STR("cookie");
    case GH_INPUT_BODY:
        return GH_STR("body");
    }
    return GH_STR("");
}

void gh_input_report_init(struct gh_input_report *report, const struct gh_input_limits *limits)
{
    /* One at least: an invalid request must not look like a valid one. */
    *report = (struct gh_input_report){.max = limits->violations_max ? limits->violations_max : 1};
}

bool gh_input_goes_on(const struct gh_input_job *job)
{
    return !job->is_out_of_memory && job->report->count < job->report->max;
}

/* A list is taken when there is something to put in it: most requests are valid. */
static struct gh_input_violation *add(struct gh_input_job *job)
{
    struct gh_input_report *report = job->report;
    if (!gh_input_goes_on(job))
        return NULL;
    if (!report->violations)
        report->violations = gh_arena_zalloc(job->arena, report->max, sizeof(*report->violations));
    job->is_out_of_memory |= !report->violations;
    return report->violations ? &report->violations[report->count++] : NULL;
}

void gh_input_add(struct gh_input_job *job, struct gh_input_place place, struct gh_str rule,
                  const char *format, ...)
{
    char message[MESSAGE_BYTES_MAX];
    va_list arguments;
    struct gh_input_violation *violation = add(job);
    if (!violation)
        return;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    *violation = (struct gh_input_violation){
        .part = place.part,
        .name = place.name.ptr ? place.name : GH_STR(""),
        .pointer = place.pointer.ptr ? place.pointer : GH_STR(""),
        .rule = rule,
        .message = gh_arena_dup(job->arena, gh_str_from_c(message)),
    };
    if (!violation->message.ptr)
        job->is_out_of_memory = true;
}

void gh_input_add_status(struct gh_input_job *job, struct gh_input_place place,
                         enum gh_parameter_status status)
{
    struct gh_str rule = GH_STR("style");
    if (status == GH_PARAMETER_NO_MEMORY) {
        job->is_out_of_memory = true;
        return;
    }
    if (status == GH_PARAMETER_ABSENT)
        rule = GH_STR("required");
    if (status == GH_PARAMETER_JSON)
        rule = GH_STR("syntax");
    if (status == GH_PARAMETER_TOO_LARGE)
        rule = GH_STR("too_complex");
    gh_input_add(job, place, rule, "%.*s", GH_STR_ARG(gh_parameter_status_text(status)));
}

void gh_input_add_json_status(struct gh_input_job *job, struct gh_input_place place,
                              enum gh_json_status status, size_t offset)
{
    bool is_limit = status == GH_JSON_TOO_DEEP || status == GH_JSON_TOO_LARGE;
    if (status == GH_JSON_MEMORY) {
        job->is_out_of_memory = true;
        return;
    }
    gh_input_add(job, place, is_limit ? GH_STR("too_complex") : GH_STR("syntax"),
                 "is not JSON that we take: %.*s at byte %zu",
                 GH_STR_ARG(gh_json_status_text(status)), offset);
}

void gh_input_add_form_status(struct gh_input_job *job, struct gh_input_place place,
                              enum gh_form_status status, size_t offset)
{
    bool is_limit =
        status == GH_FORM_TOO_LONG || status == GH_FORM_TOO_MANY || status == GH_FORM_NAME_TOO_LONG;
    if (status == GH_FORM_NO_MEMORY) {
        job->is_out_of_memory = true;
        return;
    }
    gh_input_add(job, place, is_limit ? GH_STR("too_complex") : GH_STR("syntax"),
                 "is not well-formed: %.*s at byte %zu", GH_STR_ARG(gh_form_status_text(status)),
                 offset);
}

/* Of a member that is missing: where it would stand, so that a form finds its field. What is too
   long stays the object. */
static struct gh_str pointer_of(struct gh_input_job *job, const struct gh_schema_violation *found)
{
    char memory[GH_SCHEMA_POINTER_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    if (!found->name.ptr)
        return found->pointer;
    gh_buf_put(&buf, found->pointer);
    gh_json_pointer_put_name(&buf, found->name);
    if (buf.overflow)
        return found->pointer;
    struct gh_str pointer = gh_arena_dup(job->arena, gh_buf_str(&buf));
    job->is_out_of_memory |= !pointer.ptr;
    return pointer.ptr ? pointer : found->pointer;
}

static void add_schema_violation(struct gh_input_job *job, enum gh_input_part part,
                                 struct gh_str name, const struct gh_schema_violation *found,
                                 bool is_too_complex)
{
    struct gh_input_violation *violation = add(job);
    if (!violation)
        return;
    *violation = (struct gh_input_violation){
        .part = part,
        .name = name.ptr ? name : GH_STR(""),
        .pointer = pointer_of(job, found),
        .rule = is_too_complex || !found->keyword.ptr ? GH_STR("too_complex") : found->keyword,
        .message = found->message,
    };
}

/* Longer integers, and what has an exponent, are looked at. */
#define SAFE_DIGITS 300

/* Is it infinite to a reader that takes numbers for IEEE 754 doubles, as nearly all do? */
static bool is_beyond_double(const struct gh_json_value *value)
{
    static const struct gh_str GREATEST = GH_STR_INIT("1.7976931348623158e308");
    if (value->kind != GH_JSON_NUMBER || (value->is_integer && value->text.len <= SAFE_DIGITS))
        return false;
    struct gh_decimal number = gh_decimal_read(value->text), greatest = gh_decimal_read(GREATEST);
    number.is_negative = false;
    return !number.is_small && gh_decimal_compare(&number, &greatest) > 0;
}

/* No schema need say it: what passes as 1e400 here is Infinity, an error or null behind us. */
static void check_numbers(struct gh_input_job *job, enum gh_input_part part, struct gh_str name,
                          const struct gh_json_doc *doc)
{
    char memory[GH_SCHEMA_POINTER_BYTES_MAX];
    for (uint32_t i = 0; i < doc->count; i++) {
        if (!is_beyond_double(&doc->values[i]))
            continue;
        struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
        (void)gh_json_pointer_put(&buf, doc, i);
        struct gh_input_place place = {part, name, gh_arena_dup(job->arena, gh_buf_str(&buf))};
        gh_input_add(job, place, GH_STR("range"), "is a number that no double holds");
        return;
    }
}

/* Kept until the whole request is found good: one that is refused is no evidence. */
static void note(struct gh_input_job *job, enum gh_input_part part, struct gh_str name,
                 uint32_t schema, const struct gh_json_doc *doc)
{
    struct gh_evidence_note *own = gh_arena_alloc(job->arena, sizeof(*own));
    if (!own)
        return;
    *own = (struct gh_evidence_note){
        .next = *job->notes, .part = part, .name = name, .schema = schema, .doc = *doc};
    *job->notes = own;
}

void gh_input_judge(struct gh_input_job *job, enum gh_input_part part, struct gh_str name,
                    uint32_t schema, const struct gh_json_doc *doc)
{
    check_numbers(job, part, name, doc);
    if (!gh_input_goes_on(job) || schema == GH_OPENAPI_NO_SCHEMA || !job->schemas)
        return;
    struct gh_schema_check_options options = {.limits = job->limits->schema,
                                              .direction = job->direction};
    struct gh_schema_report found;
    options.limits.violations_max = job->report->max - job->report->count;
    enum gh_schema_outcome outcome =
        gh_schema_check(job->schemas, schema, doc, doc->values, &options, job->arena, &found);
    if (outcome == GH_SCHEMA_NO_MEMORY)
        job->is_out_of_memory = true;
    if (outcome == GH_SCHEMA_VALID && job->evidence)
        note(job, part, name, schema, doc);
    for (size_t i = 0; i < found.count && outcome != GH_SCHEMA_VALID; i++)
        add_schema_violation(job, part, name, &found.violations[i],
                             outcome == GH_SCHEMA_TOO_COMPLEX);
}

enum gh_input_outcome gh_input_outcome_of(const struct gh_input_job *job)
{
    if (job->is_out_of_memory)
        return GH_INPUT_NO_MEMORY;
    return job->report->count ? GH_INPUT_VIOLATIONS : GH_INPUT_OK;
}

enum gh_input_outcome gh_input_conclude(struct gh_input_job *job)
{
    enum gh_input_outcome outcome = gh_input_outcome_of(job);
    if (!job->evidence)
        return outcome;
    if (outcome == GH_INPUT_OK)
        gh_evidence_note(job->evidence, job->operation, *job->notes);
    *job->notes = NULL; /* once; and their memory may go now */
    return outcome;
}

struct gh_input_place gh_input_member(struct gh_input_job *job, struct gh_str name)
{
    struct gh_input_place place = {.part = GH_INPUT_BODY};
    char memory[GH_SCHEMA_POINTER_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_json_pointer_put_name(&buf, name);
    if (buf.overflow)
        return place;
    place.pointer = gh_arena_dup(job->arena, gh_buf_str(&buf));
    job->is_out_of_memory |= !place.pointer.ptr;
    return place;
}
