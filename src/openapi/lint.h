/*
 * The audit of an OpenAPI document: what of its inputs is not bounded, and what of its security is
 * not said. It reads a document that was loaded (openapi.h) and changes nothing; fix.h writes the
 * constrained copy. The rules are one table (lint_rules.c), of which docs/openapi-lint.md is made.
 *
 * Only requests are judged, unless answers are asked for. Documents are big and odd at worst: work
 * is bounded, references may lead in circles.
 */
#ifndef GH_OPENAPI_LINT_H
#define GH_OPENAPI_LINT_H

#include <stdio.h>

#include "openapi/evidence.h"
#include "openapi/openapi.h"

enum gh_lint_rule {
    GH_LINT_STRING_NO_MAX_LENGTH,
    GH_LINT_PATTERN_NO_MAX_LENGTH,
    GH_LINT_STRING_NO_MIN_LENGTH,
    GH_LINT_STRING_UNRESTRICTED,
    GH_LINT_EMAIL_NO_FORMAT,
    GH_LINT_CODE_NO_PATTERN,
    GH_LINT_PHONE_NO_PATTERN,
    GH_LINT_PATTERN_NOT_ANCHORED,
    GH_LINT_PATTERN_EXPLODES,
    GH_LINT_NUMBER_NO_BOUNDS,
    GH_LINT_INTEGER_NO_FORMAT,
    GH_LINT_ARRAY_NO_MAX_ITEMS,
    GH_LINT_OBJECT_OPEN,
    GH_LINT_MAP_NO_MAX_PROPERTIES,
    GH_LINT_SCHEMA_NO_TYPE,
    GH_LINT_SCHEMA_NOT_FOLLOWED,
    GH_LINT_PARAMETER_NO_SCHEMA,
    GH_LINT_BODY_ANY_CONTENT_TYPE,
    GH_LINT_BODY_NO_SCHEMA,
    GH_LINT_OPERATION_NO_SECURITY,
    GH_LINT_WRITE_PUBLIC,
    GH_LINT_SECURITY_UNKNOWN,
    GH_LINT_SERVER_HTTP,
    GH_LINT_AUTH_HTTP,
    GH_LINT_AUTH_BASIC,
    GH_LINT_AUTH_WEAK_SCHEME,
    GH_LINT_API_KEY_IN_URL,
    GH_LINT_CREDENTIALS_IN_URL,
    GH_LINT_JWT_PRACTICES,
    GH_LINT_TOKEN_NO_REFRESH,
    GH_LINT_NUMERIC_ID,
    GH_LINT_URL_PARAMETER,
    GH_LINT_RESPONSE_401_MISSING,
    GH_LINT_RESPONSE_422_MISSING,
    GH_LINT_RESPONSE_429_MISSING,
    GH_LINT_RESPONSE_429_NO_RETRY,
    GH_LINT_RULE_COUNT,
};

enum gh_lint_severity { GH_LINT_WARNING, GH_LINT_ERROR };
enum gh_lint_part { GH_LINT_SECURITY, GH_LINT_DATA }; /* of the score */

struct gh_lint_rule_facts {
    const char *id; /* "string-no-max-length"; stays as it is for ever */
    enum gh_lint_severity severity;
    enum gh_lint_part part;
    bool fixable;
    const char *meaning, *remedy;
    const char *owasp; /* API Security Top 10 2023: "API4" */
    const char *asvs;  /* Application Security Verification Standard 4.0.3: "5.1.3" */
    const char *cwe;   /* "CWE-770" */
};
const struct gh_lint_rule_facts *gh_lint_rule_facts(enum gh_lint_rule rule);
/* GH_LINT_RULE_COUNT: there is none of that name. */
enum gh_lint_rule gh_lint_rule_find(struct gh_str id);

struct gh_lint_options {
    bool responses;                     /* the constraints of answers are judged too */
    bool ignored[GH_LINT_RULE_COUNT];   /* not looked at */
    const struct gh_evidence *evidence; /* for the bounds that fix proposes; NULL: none */
};

/* What examples and evidence say of the values at a place. */
struct gh_lint_seen {
    bool not_email, not_code, not_phone, has_other_members;
    uint64_t count;                /* observations in evidence */
    double length_min, length_max; /* of strings in code points */
    double number_min, number_max;
    double items_max, members_max;
    double example_length_min, example_length_max; /* of examples alone: hard limits of fix */
    double example_number_min, example_number_max;
    double example_items_max, example_members_max;
    bool any_example;
};

#define GH_LINT_NO_OPERATION UINT32_MAX

struct gh_lint_finding {
    enum gh_lint_rule rule;
    struct gh_openapi_at at; /* where it is told: the value that lacks something */
    unsigned line, column;   /* of that */
    uint32_t operation;      /* the first one concerned, or GH_LINT_NO_OPERATION: the document */
    uint32_t operation_count;
    struct gh_str where;   /* "body /owner/email", "query limit"; empty: the operation as a whole */
    struct gh_str message; /* a sentence */
    /* For fix: */
    bool fixable;
    struct gh_str name; /* of the property or parameter */
    bool integer;
    const struct gh_lint_seen *seen; /* NULL: nothing */
    /* The keywords that count there (from any part of an allOf), or NULL. */
    const struct gh_json_value *format, *minimum, *maximum, *length_min, *length_max, *open;
    bool use_unevaluated; /* of OBJECT_OPEN: additionalProperties would break the composition */
};

struct gh_lint_tally {
    uint32_t checked, errors, warnings;
};

struct gh_lint_report {
    const struct gh_lint_finding *findings; /* in the order of the files */
    size_t count;
    struct gh_lint_tally all, document;     /* places counted once; document: of no operation */
    const struct gh_lint_tally *operations; /* what each operation meets, shared things in all */
    size_t operation_count;
    unsigned score, score_security, score_data; /* of 100, 30 and 70 */
    bool is_cut; /* the document is too big: the rest was not looked at */
};

/* NULL: no memory. The report lives in `arena`. */
const struct gh_lint_report *gh_lint_run(struct gh_arena *arena, const struct gh_openapi *openapi,
                                         const struct gh_lint_options *options);

/* ---- Writing it (lint_text.c, lint_sarif.c, lint_record.c) ---- */

struct gh_lint_record {
    const struct gh_openapi *openapi;
    const struct gh_lint_report *report;
    const struct gh_lint_report *fixed; /* of the constrained copy; NULL: there is none */
    const struct gh_lint_options *options;
    enum gh_lint_severity threshold; /* what is below is not told */
    struct gh_str file;              /* for people */
    struct gh_str date;              /* "2026-01-31" */
    struct gh_str digest;            /* SHA-256 of the document in hexadecimal; may be empty */
};
void gh_lint_write_text(FILE *out, const struct gh_lint_record *record);
void gh_lint_write_json(FILE *out, const struct gh_lint_record *record);
/* SARIF 2.1.0. */
void gh_lint_write_sarif(FILE *out, const struct gh_lint_record *record);
/* Markdown for the record: what was checked, found and fixed, by which standards. */
void gh_lint_write_markdown(FILE *out, const struct gh_lint_record *record);
/* The table of rules of docs/openapi-lint.md. */
void gh_lint_write_rules(FILE *out);
/* Findings at or above the threshold. */
size_t gh_lint_count(const struct gh_lint_report *report, enum gh_lint_severity threshold);

#endif
