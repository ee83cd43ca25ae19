/* The inside of gh_lint_run, for its files only. */
#ifndef GH_OPENAPI_LINT_STATE_H
#define GH_OPENAPI_LINT_STATE_H

#include "base/buf.h"
#include "openapi/lint.h"
#include "openapi/lint_view.h"

/* A document of a hundred operations takes some thousand. */
#define GH_LINT_STEPS_MAX 2000000

/* ---- lint_table.c: what is known of a value ---- */

/* Tags beside those of rules. */
enum gh_lint_tag {
    GH_LINT_TAG_SEEN = GH_LINT_RULE_COUNT,
    GH_LINT_TAG_COMPOSED, /* a part of something bigger: it can't be closed alone */
    GH_LINT_TAG_VISITED,
    GH_LINT_TAG_REQUIRED, /* visited as something required */
};

struct gh_lint_entry {
    const struct gh_json_value *value;
    unsigned tag;
    uint32_t operation, bad_operation; /* the last that met it, and that found it bad */
    uint32_t finding;                  /* UINT32_MAX: none */
    struct gh_lint_seen *seen;
};

struct gh_lint_table {
    struct gh_lint_entry *entries;
    size_t count, room; /* room: a power of two */
};

/* Found or made (zeroed but for value and tag, *out_fresh). NULL: no memory. */
struct gh_lint_entry *gh_lint_table_put(struct gh_lint_table *table, struct gh_arena *arena,
                                        const struct gh_json_value *value, unsigned tag,
                                        bool *out_fresh);
const struct gh_lint_entry *gh_lint_table_find(const struct gh_lint_table *table,
                                               const struct gh_json_value *value, unsigned tag);

/* ---- lint.c ---- */

struct gh_lint {
    struct gh_arena *arena;
    struct gh_arena scratch; /* of one operation */
    const struct gh_openapi *openapi;
    const struct gh_lint_options *options;
    struct gh_lint_table table;
    struct gh_lint_table visited; /* of one operation, in scratch */
    struct gh_lint_finding *findings;
    size_t count, room;
    struct gh_lint_report *report;
    struct gh_lint_tally *tallies;
    uint32_t operation;                    /* that is looked at, or GH_LINT_NO_OPERATION */
    const struct gh_evidence_line **lines; /* of that operation */
    size_t line_count;
    uint64_t weight[2], passed[2]; /* by enum gh_lint_part */
    uint64_t steps;
    bool no_memory;
};

/*
 * One check of one rule at one value, counted once for the document and once for each operation.
 * The finding for the caller to fill, where it is a new one; NULL else.
 */
struct gh_lint_finding *gh_lint_check(struct gh_lint *lint, enum gh_lint_rule rule,
                                      struct gh_openapi_at at, bool is_good);
/* The same with its texts. `where` and what the format makes live in the arena. */
struct gh_lint_finding *gh_lint_tell(struct gh_lint *lint, enum gh_lint_rule rule,
                                     struct gh_openapi_at at, bool is_good, struct gh_str where,
                                     const char *format, ...) __attribute__((format(printf, 6, 7)));

/* ---- lint_walk.c: schemas and what hangs below them ---- */

struct gh_lint_samples {
    const struct gh_openapi_at *items;
    size_t count;
};
#define GH_LINT_SAMPLES_MAX 32

/* A schema to be looked at. */
struct gh_lint_item {
    struct gh_lint_item *next;
    struct gh_openapi_at *schemas; /* several: all must be satisfied */
    size_t schema_count;
    struct gh_str place;             /* "body", "query" */
    struct gh_str field;             /* of a parameter, else empty */
    struct gh_str pointer;           /* with "*" for items */
    struct gh_str name;              /* of the property or parameter; empty: none */
    bool required, response, binary; /* binary: files may stand here */
    struct gh_lint_samples samples;
};

/* Looks at it and all below. */
void gh_lint_walk(struct gh_lint *lint, const struct gh_lint_item *item);
/* "body /owner/email" */
struct gh_str gh_lint_where(struct gh_lint *lint, const struct gh_lint_item *item);
/* Where a missing keyword belongs: the part with the type. */
struct gh_openapi_at gh_lint_owner(const struct gh_lint_view *view);

/* ---- lint_seen.c ---- */

/* What is known of values there; NULL: nothing, or no memory. `kind`: 1 << enum gh_json_kind. */
struct gh_lint_seen *gh_lint_seen_of(struct gh_lint *lint, struct gh_openapi_at owner,
                                     const struct gh_lint_item *item, unsigned kind);
/* Finds the evidence of an operation, before its schemas are walked. */
void gh_lint_evidence_begin(struct gh_lint *lint, const struct gh_openapi_operation *operation);
/* Is there evidence of it or of what is below? */
bool gh_lint_has_evidence(const struct gh_lint *lint, const struct gh_lint_item *item);
/* `example`, `examples` of a parameter or media. */
struct gh_lint_samples gh_lint_samples_of(struct gh_lint *lint, struct gh_openapi_at at);
/* What the parts of a schema give as examples themselves, beside those from above. */
struct gh_lint_samples gh_lint_samples_own(struct gh_lint *lint, const struct gh_lint_view *view,
                                           struct gh_lint_samples given);
/* The items of those that are arrays, and the members of a name. */
struct gh_lint_samples gh_lint_samples_items(struct gh_lint *lint, struct gh_lint_samples given);
struct gh_lint_samples gh_lint_samples_members(struct gh_lint *lint, struct gh_lint_samples given,
                                               struct gh_str name);

/* lint_scalar.c */
void gh_lint_string(struct gh_lint *lint, const struct gh_lint_item *item,
                    const struct gh_lint_view *view);
void gh_lint_number(struct gh_lint *lint, const struct gh_lint_item *item,
                    const struct gh_lint_view *view, bool integer);

/* ---- lint_operation.c, lint_security.c ---- */

void gh_lint_operation(struct gh_lint *lint, const struct gh_openapi_operation *operation);
void gh_lint_security(struct gh_lint *lint);
void gh_lint_operation_security(struct gh_lint *lint, const struct gh_openapi_operation *operation);

#endif
