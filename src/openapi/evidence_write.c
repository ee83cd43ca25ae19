/* Evidence brought together and written down. See evidence.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "json/writer.h"
#include "openapi/evidence.h"

/* Of a line beside its texts, and how much longer JSON makes a byte of them. */
#define LINE_BYTES         192
#define JSON_BYTES_OF_BYTE 6
#define NUMBER_BYTES       48
/* Whole numbers up to here are written without an exponent. */
#define PLAIN_MAX 1e15

/* ---- Merging ---- */

static int compare(const void *a, const void *b)
{
    const struct gh_evidence_line *one = a, *other = b;
    int order = gh_str_compare(one->operation, other->operation);
    if (!order)
        order = gh_str_compare(one->location, other->location);
    if (!order)
        order = gh_str_compare(one->name, other->name);
    if (!order)
        order = gh_str_compare(one->pointer, other->pointer);
    return order ? order : (int)one->kind - (int)other->kind;
}

static void join(struct gh_evidence_line *line, const struct gh_evidence_line *other)
{
    uint64_t room = GH_EVIDENCE_COUNT_MAX - line->count;
    line->min = other->min < line->min ? other->min : line->min;
    line->max = other->max > line->max ? other->max : line->max;
    line->count += other->count < room ? other->count : room;
    line->extra |= other->extra;
}

enum gh_err gh_evidence_merge(struct gh_arena *arena, const struct gh_evidence *a,
                              const struct gh_evidence *b, struct gh_evidence *out_evidence)
{
    size_t all = a->count + b->count, count = 0;
    struct gh_evidence_line *lines = gh_arena_zalloc(arena, all + 1, sizeof(*lines));
    if (!lines)
        return GH_ERR_MEMORY;
    if (a->count)
        memcpy(lines, a->lines, a->count * sizeof(*lines));
    if (b->count)
        memcpy(lines + a->count, b->lines, b->count * sizeof(*lines));
    qsort(lines, all, sizeof(*lines), compare);
    for (size_t i = 0; i < all; i++) {
        if (count && compare(&lines[count - 1], &lines[i]) == 0)
            join(&lines[count - 1], &lines[i]);
        else
            lines[count++] = lines[i];
    }
    *out_evidence = (struct gh_evidence){lines, count};
    return GH_OK;
}

/* ---- Writing ---- */

/* To two digits, away from zero or towards it: an exact number may be somebody's. What overflows
   stays as it is. */
static double round_size(double size, bool away)
{
    char text[NUMBER_BYTES];
    if (size == 0)
        return 0;
    snprintf(text, sizeof(text), "%.1e", size); /* "1.2e+03" */
    int digits = (text[0] - '0') * 10 + (text[2] - '0');
    int exponent = atoi(text + 4) - 1;
    double rounded = strtod(text, NULL);
    digits += away && rounded < size ? 1 : 0;
    digits -= !away && rounded > size ? 1 : 0;
    snprintf(text, sizeof(text), "%de%d", digits, exponent);
    rounded = strtod(text, NULL);
    return isfinite(rounded) ? rounded : size;
}

static double round_outwards(double number, bool up)
{
    return number < 0 ? -round_size(-number, !up) : round_size(number, up);
}

static void put_number(struct gh_buf *out, struct gh_str name, double number)
{
    char text[NUMBER_BYTES];
    if (number == floor(number) && fabs(number) < PLAIN_MAX)
        snprintf(text, sizeof(text), "%.0f", number == 0 ? 0.0 : number);
    else
        snprintf(text, sizeof(text), "%.3g", number);
    if (strtod(text, NULL) != number)
        snprintf(text, sizeof(text), "%.17g", number);
    gh_json_put_name(out, name);
    gh_buf_put(out, gh_str_from_c(text));
}

static void put_line(struct gh_buf *out, const struct gh_evidence_line *line)
{
    bool is_number = line->kind == GH_EVIDENCE_INTEGER || line->kind == GH_EVIDENCE_NUMBER;
    gh_buf_put_char(out, '{');
    gh_json_put_member(out, GH_STR("operation"), line->operation);
    gh_json_put_member(out, GH_STR("location"), line->location);
    if (line->name.len)
        gh_json_put_member(out, GH_STR("name"), line->name);
    if (line->pointer.len)
        gh_json_put_member(out, GH_STR("pointer"), line->pointer);
    gh_json_put_member(out, GH_STR("kind"), gh_evidence_kind_name(line->kind));
    put_number(out, GH_STR("min"), is_number ? round_outwards(line->min, false) : line->min);
    put_number(out, GH_STR("max"), is_number ? round_outwards(line->max, true) : line->max);
    gh_json_put_member_u64(out, GH_STR("count"), line->count);
    if (line->extra)
        gh_json_put_member_bool(out, GH_STR("extra"), true);
    gh_buf_put(out, GH_STR("}\n"));
}

enum gh_err gh_evidence_write(struct gh_arena *arena, const struct gh_evidence *evidence,
                              size_t bytes_max, struct gh_str *out_text)
{
    size_t cap = 1;
    for (size_t i = 0; i < evidence->count; i++) {
        const struct gh_evidence_line *line = &evidence->lines[i];
        cap += LINE_BYTES +
               JSON_BYTES_OF_BYTE * (line->operation.len + line->name.len + line->pointer.len);
    }
    if (cap > bytes_max) /* mostly far less: the bound is for what is written */
        cap = bytes_max + 1;
    char *memory = gh_arena_alloc(arena, cap);
    if (!memory)
        return GH_ERR_MEMORY;
    struct gh_buf out = gh_buf_over(memory, cap);
    for (size_t i = 0; i < evidence->count; i++)
        put_line(&out, &evidence->lines[i]);
    if (out.overflow || out.len > bytes_max)
        return GH_ERR_FULL;
    *out_text = gh_buf_str(&out);
    return GH_OK;
}
