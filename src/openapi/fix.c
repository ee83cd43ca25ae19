/* Which keywords mend a finding, and with what bounds. */
#include "openapi/fix.h"

#include <math.h>
#include <stdlib.h>

#include "openapi/fix_edit.h"
#include "openapi/lint_names.h"

/* The defaults (docs/openapi-lint.md tells them too). */
#define LENGTH_MAX    255
#define LENGTH_PROSE  16384
#define LENGTH_URL    2048
#define LENGTH_SECRET 4096
#define LENGTH_EMAIL  254 /* RFC 5321, section 4.5.3.1.3 */
#define LENGTH_PHONE  32
#define LENGTH_CODE   64
#define LENGTH_TIME   64
#define LENGTH_BYTES  65536
#define ITEMS_MAX     1000
#define MEMBERS_MAX   256
#define NUMBER_MAX    9007199254740991.0 /* 2^53 - 1: exact in every JSON reader (RFC 8259) */
#define INT32_BOUND   2147483647.0
#define PATTERN_CODE  "\"^[0-9A-Za-z ._-]+$\""
#define PATTERN_PHONE "\"^[+]?[0-9 ()./-]+$\""

struct mend {
    struct gh_fix_edits edits;
    const struct gh_lint_finding *finding;
};

static struct gh_str whole(struct mend *mend, double number)
{
    return gh_arena_format(mend->edits.arena, "%.0f", number);
}

static bool number_of(const struct gh_json_value *value, double *out)
{
    char memory[64];
    if (!value || value->kind != GH_JSON_NUMBER || value->text.len >= sizeof(memory))
        return false;
    memcpy(memory, value->text.ptr, value->text.len);
    memory[value->text.len] = 0;
    *out = strtod(memory, NULL);
    return isfinite(*out);
}

/* ---- Head room ---- */

/* A quarter more than was seen, up to the next power of two. */
static double roomy_count(double seen)
{
    double bound = 8;
    while (bound < seen * 1.25 && bound < 1e15)
        bound *= 2;
    return bound;
}

/* A quarter more than was seen, up to the next 1, 2 or 5 with noughts. */
static double roomy_number(double seen)
{
    static const double STEPS[] = {1, 2, 5};
    for (double power = 10; power < 1e18; power *= 10)
        for (size_t i = 0; i < 3; i++)
            if (power * STEPS[i] >= seen * 1.25)
                return power * STEPS[i];
    return seen;
}

/* `usual` where little was seen, and never less than what must fit. */
static double count_bound(const struct gh_lint_finding *finding, double usual, double observed,
                          double example)
{
    const struct gh_lint_seen *seen = finding->seen;
    double bound = usual, least = 0;
    if (seen && seen->count) {
        double roomy = roomy_count(observed);
        bound = seen->count >= GH_FIX_EVIDENCE_MIN || roomy > usual ? roomy : usual;
    }
    if (example > bound)
        bound = roomy_count(example);
    if (number_of(finding->length_min, &least) && least > bound)
        bound = least;
    return bound;
}

/* ---- Strings ---- */

static double usual_length(const struct gh_lint_finding *finding)
{
    static const struct {
        const char *format;
        double length;
    } FORMATS[] = {
        {"email", LENGTH_EMAIL}, {"idn-email", LENGTH_EMAIL}, {"date-time", LENGTH_TIME},
        {"time", LENGTH_TIME},   {"duration", LENGTH_TIME},   {"uri", LENGTH_URL},
        {"url", LENGTH_URL},     {"iri", LENGTH_URL},         {"uri-reference", LENGTH_URL},
        {"byte", LENGTH_BYTES},  {"binary", LENGTH_BYTES},    {"password", LENGTH_SECRET},
    };
    struct gh_str format = gh_json_string(finding->format);
    for (size_t i = 0; format.ptr && i < sizeof(FORMATS) / sizeof(FORMATS[0]); i++)
        if (gh_str_eq(format, gh_str_from_c(FORMATS[i].format)))
            return FORMATS[i].length;
    switch (gh_lint_meaning_of(finding->name)) {
    case GH_MEANS_EMAIL:
        return LENGTH_EMAIL;
    case GH_MEANS_PHONE:
        return LENGTH_PHONE;
    case GH_MEANS_CODE:
        return LENGTH_CODE;
    case GH_MEANS_URL:
        return LENGTH_URL;
    case GH_MEANS_PROSE:
        return LENGTH_PROSE;
    case GH_MEANS_SECRET:
        return LENGTH_SECRET;
    case GH_MEANS_NOTHING:
    case GH_MEANS_ID:
        break;
    }
    return LENGTH_MAX;
}

static void mend_length(struct mend *mend)
{
    const struct gh_lint_finding *finding = mend->finding;
    const struct gh_lint_seen *seen = finding->seen;
    double bound = count_bound(finding, usual_length(finding), seen ? seen->length_max : 0,
                               seen ? seen->example_length_max : 0);
    gh_fix_put(&mend->edits, finding->at, "maxLength", whole(mend, bound));
}

/* ---- Numbers ---- */

struct bounds {
    double low, high;
};

static bool is_int32(const struct gh_lint_finding *finding)
{
    return gh_str_eq(gh_json_string(finding->format), GH_STR("int32"));
}

static struct bounds bounds_of(const struct gh_lint_finding *finding)
{
    const struct gh_lint_seen *seen = finding->seen;
    double most = finding->integer && is_int32(finding) ? INT32_BOUND : NUMBER_MAX;
    struct bounds bounds = {-most - (most == INT32_BOUND), most};
    if (seen && seen->count >= GH_FIX_EVIDENCE_MIN) {
        bounds.low = seen->number_min < 0 ? -roomy_number(-seen->number_min) : 0;
        bounds.high = roomy_number(seen->number_max);
    }
    if (seen && seen->any_example && seen->example_number_min < bounds.low)
        bounds.low = -roomy_number(-seen->example_number_min);
    if (seen && seen->any_example && seen->example_number_max > bounds.high)
        bounds.high = roomy_number(seen->example_number_max);
    double given;
    if (number_of(finding->minimum, &given) && (bounds.low = given) >= bounds.high)
        bounds.high = roomy_number(given);
    if (number_of(finding->maximum, &given) && (bounds.high = given) <= bounds.low)
        bounds.low = given < 0 ? -roomy_number(-given) : given > 0 ? 0 : -1;
    return bounds;
}

static void mend_number(struct mend *mend)
{
    const struct gh_lint_finding *finding = mend->finding;
    struct bounds bounds = bounds_of(finding);
    if (!finding->minimum)
        gh_fix_put(&mend->edits, finding->at, "minimum", whole(mend, bounds.low));
    if (!finding->maximum)
        gh_fix_put(&mend->edits, finding->at, "maximum", whole(mend, bounds.high));
}

static void mend_integer_format(struct mend *mend)
{
    struct bounds bounds = bounds_of(mend->finding);
    bool narrow = bounds.low >= -INT32_BOUND - 1 && bounds.high <= INT32_BOUND;
    gh_fix_put(&mend->edits, mend->finding->at, "format",
               narrow ? GH_STR("\"int32\"") : GH_STR("\"int64\""));
}

/* ---- Objects ---- */

static void mend_open(struct mend *mend)
{
    const struct gh_lint_finding *finding = mend->finding;
    struct gh_openapi_at open = {finding->at.file, finding->open};
    if (open.value)
        gh_fix_replace(&mend->edits, open, GH_STR("false"));
    else
        gh_fix_put(&mend->edits, finding->at,
                   finding->use_unevaluated ? "unevaluatedProperties" : "additionalProperties",
                   GH_STR("false"));
}

/* ---- All ---- */

static void put(struct mend *mend, const char *key, const char *literal)
{
    gh_fix_put(&mend->edits, mend->finding->at, key, gh_str_from_c(literal));
}

static void mend_empty(struct mend *mend)
{
    put(mend, "minLength", "1");
}

static void mend_email(struct mend *mend)
{
    put(mend, "format", "\"email\"");
}

static void mend_code(struct mend *mend)
{
    put(mend, "pattern", PATTERN_CODE);
}

static void mend_phone(struct mend *mend)
{
    put(mend, "pattern", PATTERN_PHONE);
}

static void mend_items(struct mend *mend)
{
    const struct gh_lint_seen *seen = mend->finding->seen;
    double bound = count_bound(mend->finding, ITEMS_MAX, seen ? seen->items_max : 0,
                               seen ? seen->example_items_max : 0);
    gh_fix_put(&mend->edits, mend->finding->at, "maxItems", whole(mend, bound));
}

static void mend_map(struct mend *mend)
{
    const struct gh_lint_seen *seen = mend->finding->seen;
    double bound = count_bound(mend->finding, MEMBERS_MAX, seen ? seen->members_max : 0,
                               seen ? seen->example_members_max : 0);
    gh_fix_put(&mend->edits, mend->finding->at, "maxProperties", whole(mend, bound));
}

static void (*const MENDS[GH_LINT_RULE_COUNT])(struct mend *mend) = {
    [GH_LINT_STRING_NO_MAX_LENGTH] = mend_length,
    [GH_LINT_PATTERN_NO_MAX_LENGTH] = mend_length,
    [GH_LINT_STRING_NO_MIN_LENGTH] = mend_empty,
    [GH_LINT_EMAIL_NO_FORMAT] = mend_email,
    [GH_LINT_CODE_NO_PATTERN] = mend_code,
    [GH_LINT_PHONE_NO_PATTERN] = mend_phone,
    [GH_LINT_NUMBER_NO_BOUNDS] = mend_number,
    [GH_LINT_INTEGER_NO_FORMAT] = mend_integer_format,
    [GH_LINT_ARRAY_NO_MAX_ITEMS] = mend_items,
    [GH_LINT_MAP_NO_MAX_PROPERTIES] = mend_map,
    [GH_LINT_OBJECT_OPEN] = mend_open,
};

enum gh_err gh_fix_make(struct gh_arena *arena, const struct gh_openapi *openapi,
                        const struct gh_lint_report *report, struct gh_fix *out_fix)
{
    struct mend mend = {.edits.arena = arena};
    struct gh_fix_text *texts = gh_arena_zalloc(arena, openapi->file_count, sizeof(*texts));
    if (!texts)
        return GH_ERR_MEMORY;
    for (size_t i = 0; i < report->count; i++) {
        mend.finding = &report->findings[i];
        if (mend.finding->fixable && MENDS[mend.finding->rule])
            MENDS[mend.finding->rule](&mend);
    }
    *out_fix = (struct gh_fix){.texts = texts, .count = openapi->file_count};
    for (size_t i = 0; i < openapi->file_count && !mend.edits.no_memory; i++) {
        texts[i].file = openapi->files[i];
        texts[i].text = gh_fix_text_of(&mend.edits, openapi->files[i], &texts[i].edit_count);
        out_fix->edit_count += texts[i].edit_count;
        mend.edits.no_memory |= !texts[i].text.ptr;
    }
    return mend.edits.no_memory ? GH_ERR_MEMORY : GH_OK;
}
