/*
 * The inside of the schema module: the registry, and the program that the compiler writes and the
 * validator runs. A schema is a node; a node has operations, ordered by the kind of value they look
 * at. A place of a document is a document and the index of a value on its tape.
 */
#ifndef GH_SCHEMA_PROGRAM_H
#define GH_SCHEMA_PROGRAM_H

#include "schema/decimal.h"
#include "schema/format.h"
#include "schema/pattern.h"
#include "schema/schema.h"

#define GH_SCHEMA_NONE UINT32_MAX

/* What a value of a schema document is to JSON Schema. */
enum gh_schema_role {
    GH_ROLE_NONE, /* not a schema, or not known to be one */
    GH_ROLE_SCHEMA,
    GH_ROLE_SCHEMA_MAP,
    GH_ROLE_SCHEMA_LIST,
};

struct gh_schema_document {
    struct gh_str uri;
    const struct gh_json_doc *doc;
    uint8_t *roles;      /* enum gh_schema_role by value */
    uint32_t *resources; /* by value: in which it stands */
    uint32_t *nodes;     /* by value: compiled as, or GH_SCHEMA_NONE */
};

/* Which vocabularies (core, section 8.1.2) are in use. */
enum gh_schema_vocabulary {
    GH_VOCABULARY_CORE = 1,
    GH_VOCABULARY_APPLICATOR = 2,
    GH_VOCABULARY_UNEVALUATED = 4,
    GH_VOCABULARY_VALIDATION = 8,
    GH_VOCABULARY_REMARKS = 16, /* meta-data, content, format-annotation: nothing to check */
    GH_VOCABULARY_FORMAT_ASSERTION = 32,
    GH_VOCABULARY_OPENAPI_30 = 64,
    GH_VOCABULARY_OPENAPI = 128, /* 3.0 and 3.1: discriminator */
};

/* A schema resource (core, section 4.3.5): a document or what has an $id of its own. */
struct gh_schema_resource {
    struct gh_str uri; /* absolute, without fragment */
    uint32_t document, root;
    uint32_t parent;       /* resource around it, or GH_SCHEMA_NONE */
    unsigned vocabularies; /* of enum gh_schema_vocabulary; 0: not looked up yet */
    bool is_used;          /* something in it is compiled */
};

struct gh_schema_anchor {
    struct gh_str name;
    uint32_t resource, value;
    bool is_dynamic;
};

struct gh_place {
    uint32_t document, value;
};

enum gh_schema_op_code {
    /* any kind of value */
    GH_OP_CONST,
    GH_OP_ENUM,
    GH_OP_REF,
    GH_OP_DYNAMIC_REF,
    GH_OP_ALL_OF,
    GH_OP_ANY_OF,
    GH_OP_ONE_OF,
    GH_OP_NOT,
    GH_OP_IF,
    /* numbers */
    GH_OP_MINIMUM,
    GH_OP_MAXIMUM,
    GH_OP_EXCLUSIVE_MINIMUM,
    GH_OP_EXCLUSIVE_MAXIMUM,
    GH_OP_MULTIPLE_OF,
    /* strings */
    GH_OP_LENGTH,
    GH_OP_PATTERN,
    GH_OP_FORMAT,
    /* arrays */
    GH_OP_MIN_ITEMS,
    GH_OP_MAX_ITEMS,
    GH_OP_ITEMS,
    GH_OP_CONTAINS,
    GH_OP_UNIQUE_ITEMS,
    /* objects */
    GH_OP_MIN_PROPERTIES,
    GH_OP_MAX_PROPERTIES,
    GH_OP_MEMBERS,
    GH_OP_DEPENDENT_REQUIRED,
    GH_OP_DEPENDENT_SCHEMAS,
    /* after all others */
    GH_OP_UNEVALUATED_ITEMS,
    GH_OP_UNEVALUATED_PROPERTIES,
};

/* A name of `properties` or `required`, found by its hash. */
struct gh_schema_member {
    struct gh_str name;
    uint32_t hash;
    uint32_t node;     /* or GH_SCHEMA_NONE */
    uint32_t required; /* index in `required`, or GH_SCHEMA_NONE */
};

struct gh_schema_member_pattern {
    const struct gh_pattern *pattern;
    uint32_t node;
};

/* properties, patternProperties, additionalProperties, propertyNames, required: one walk. */
struct gh_schema_members {
    const uint32_t *slots; /* of `members` + 1; 0: empty; NULL: no names */
    uint32_t slot_mask;
    const struct gh_schema_member *members;
    uint32_t count;
    const struct gh_schema_member_pattern *patterns;
    uint32_t pattern_count;
    uint32_t additional, names; /* nodes or GH_SCHEMA_NONE */
    uint32_t required_keyword;  /* value of the keyword */
    uint32_t required_count;
    const uint32_t *required; /* indexes in `members` */
    bool only_required;       /* nothing but `required`: no walk */
};

struct gh_schema_items {
    const uint32_t *prefix;
    uint32_t prefix_count;
    uint32_t rest; /* node or GH_SCHEMA_NONE */
};

struct gh_schema_contains {
    uint32_t node;
    uint32_t min_keyword, max_keyword;
    uint64_t min, max;
};

struct gh_schema_length {
    uint32_t min_keyword, max_keyword;
    uint64_t min, max;
};

/* dependentRequired, dependentSchemas: one entry for a name and what it asks for. */
struct gh_schema_dependency {
    struct gh_str name;
    uint32_t node;                 /* dependentSchemas */
    const struct gh_str *required; /* dependentRequired */
    uint32_t required_count;
};

struct gh_schema_choice {
    uint32_t kind;
    uint32_t value;
    uint64_t hash;
};

/* OpenAPI: a value of the member `name` and the form it stands for. */
struct gh_schema_mapping {
    struct gh_str value;
    uint32_t node;
};

struct gh_schema_discriminator {
    struct gh_str name;
    const struct gh_schema_mapping *mappings;
    uint32_t mapping_count;
    uint32_t keyword;
};

struct gh_schema_op {
    enum gh_schema_op_code code;
    uint32_t keyword; /* the keyword's value in the node's document */
    union {
        uint32_t node;
        uint64_t count;
        struct gh_decimal number;
        struct gh_schema_length length;
        const struct gh_pattern *pattern;
        const struct gh_format *format;
        const struct gh_schema_members *members;
        const struct gh_schema_items *items;
        const struct gh_schema_contains *contains;
        struct {
            const uint32_t *nodes;
            uint32_t count;
            const struct gh_schema_discriminator *discriminator; /* anyOf, oneOf; or NULL */
        } list;
        struct {
            const struct gh_schema_choice *choices;
            uint32_t count;
        } choices;
        struct {
            const struct gh_schema_dependency *entries;
            uint32_t count;
        } dependencies;
        struct {
            uint32_t condition, yes, no; /* nodes or GH_SCHEMA_NONE */
        } branch;
        struct {
            uint32_t fallback;
            struct gh_str anchor;
        } dynamic;
    } as;
};

/* Bits of gh_schema_node.kinds; the first six are 1 << enum gh_json_kind. */
#define GH_KIND_BIT(kind) (1u << (kind))
#define GH_KIND_WHOLE     GH_SCHEMA_INTEGER /* numbers, but whole ones only */
#define GH_KINDS_ALL      0x3fu

/* Bits of gh_schema_node.access. */
#define GH_ACCESS_READ_ONLY  1u
#define GH_ACCESS_WRITE_ONLY 2u

struct gh_schema_node {
    const struct gh_schema_op *ops;
    /* Operations for any value come first, then by kind; `ends` says where each group ends. */
    uint16_t any_end, number_end, string_end, array_end, object_end, all_end;
    uint8_t kinds;      /* 0: the schema false */
    uint8_t access;     /* by its own keywords */
    uint8_t all_access; /* with what $ref and allOf lead to; compile_facts.c */
    uint8_t accepts;    /* as gh_schema_kinds says; compile_facts.c */
    struct gh_place place;
    uint32_t type_keyword; /* value of `type` */
    uint32_t resource;
};

struct gh_dynamic_target {
    struct gh_str name;
    uint32_t resource, node;
};

struct gh_schemas {
    struct gh_arena *arena;
    struct gh_schema_options options;
    struct gh_pattern_space *patterns;
    struct gh_schema_document *documents;
    uint32_t document_count, document_cap;
    struct gh_schema_resource *resources;
    uint32_t resource_count, resource_cap;
    struct gh_schema_anchor *anchors;
    uint32_t anchor_count, anchor_cap;

    struct gh_schema_node *nodes;
    uint32_t node_count, node_cap;
    uint32_t compiled_count; /* nodes before it have their operations */
    uint32_t checked_count;  /* nodes before it were looked at for loops */
    struct gh_dynamic_target *dynamic;
    uint32_t dynamic_count, dynamic_cap;
    struct gh_str *dynamic_names; /* that some $dynamicRef looks for */
    uint32_t dynamic_name_count, dynamic_name_cap;
};

/* The value at a place. */
static inline const struct gh_json_value *gh_place_value(const struct gh_schemas *schemas,
                                                         struct gh_place place)
{
    return &schemas->documents[place.document].doc->values[place.value];
}

/* Room for one more in an array of the arena: *items may move. False: no memory. */
bool gh_schema_grow(struct gh_arena *arena, void *items, uint32_t count, uint32_t *cap,
                    size_t size);

/* Sets *error for a place and returns GH_ERR_INVALID (or `err`). The text is not copied. */
enum gh_err gh_schema_fail(struct gh_schemas *schemas, struct gh_place place, struct gh_str text,
                           struct gh_schema_error *error);
enum gh_err gh_schema_no_memory(struct gh_schema_error *error);

/* registry.c: what a reference from within `resource` (or GH_SCHEMA_NONE) leads to. The place is
   marked as a schema. `from`: for errors. *out_anchor: the dynamic anchor that was named, or NULL.
 */
enum gh_err gh_schema_find(struct gh_schemas *schemas, uint32_t resource, struct gh_str reference,
                           struct gh_place from, struct gh_place *out_place,
                           const struct gh_schema_anchor **out_anchor,
                           struct gh_schema_error *error);
uint32_t gh_schema_find_document(const struct gh_schemas *schemas, struct gh_str uri);
uint32_t gh_schema_find_resource(const struct gh_schemas *schemas, struct gh_str uri);

/* registry_scan.c: finds $id and anchors in the schema at `root` and what it contains. */
enum gh_err gh_schema_scan(struct gh_schemas *schemas, struct gh_place root,
                           struct gh_schema_error *error);
/* registry_dialect.c: sets the vocabularies of a resource. */
enum gh_err gh_schema_set_vocabularies(struct gh_schemas *schemas, uint32_t resource,
                                       struct gh_schema_error *error);
/* metaschema.c: the text of a metaschema of draft 2020-12; ptr NULL: no such. */
struct gh_str gh_metaschema_text(struct gh_str uri);

#endif
