/*
 * Configuration: YAML text to typed settings, with every problem found in one run, each with its
 * place, what is wrong and how to mend it.
 *
 * This is mechanism only. What settings exist stands in tables (`struct gh_config_table`) beside
 * the features that use them; from the same tables come the JSON Schema for editors and the
 * reference page. Nothing here reads a file or the environment: both are passed in.
 *
 * Three steps: `gh_config_parse` makes a tree of nodes, `gh_config_bind` fills a struct from it by
 * a table, the caller then checks settings against each other and adds problems of its own.
 */
#ifndef GH_CONFIG_CONFIG_H
#define GH_CONFIG_CONFIG_H

#include "base/arena.h"
#include "base/nearest.h"

/* Bounds on the text, against files that are no configuration. */
#define GH_CONFIG_BYTES_MAX (1024 * 1024)
#define GH_CONFIG_DEPTH_MAX 16
#define GH_CONFIG_NODES_MAX 100000
/* Of one scalar after environment references are replaced. */
#define GH_CONFIG_SCALAR_BYTES_MAX (64 * 1024)
/* Problems kept and shown; further ones are only counted. */
#define GH_CONFIG_PROBLEMS_MAX 100

enum gh_config_node_kind { GH_CONFIG_SCALAR, GH_CONFIG_MAP, GH_CONFIG_LIST };

/* A place in the file; line 0: none (a default, an environment variable). */
struct gh_config_place {
    unsigned line, column;
};

struct gh_config_node {
    enum gh_config_node_kind kind;
    struct gh_config_place place;
    struct gh_str text; /* of a scalar, environment references replaced */
    bool quoted;        /* a quoted scalar is a string whatever it looks like */
    bool is_null;       /* an empty plain scalar, ~ or null */
    bool interpolated;  /* an environment reference was replaced; such a scalar counts as plain, so
                           that an empty result is the same as leaving the key out */
    bool is_broken;     /* its problem is already told; binding passes over it */
    /* children of a list, or values of a map with their keys */
    struct gh_config_node *items;
    struct gh_str *keys;
    struct gh_config_place *key_places;
    size_t count;
};

/* The value of a key of a map, or NULL (also when `node` is no map). */
const struct gh_config_node *gh_config_get(const struct gh_config_node *node, const char *key);

enum gh_config_severity { GH_CONFIG_ERROR, GH_CONFIG_WARNING };

struct gh_config_problem {
    enum gh_config_severity severity;
    struct gh_str file; /* one that the configuration names; empty: the configuration itself */
    struct gh_config_place place;
    struct gh_str what;   /* "unknown key \"hosst\"" */
    struct gh_str remedy; /* "did you mean \"hosts\"?"; may be empty */
    struct gh_config_problem *next;
};

/* What the environment says: a NUL-terminated value, or NULL. */
typedef const char *gh_config_getenv(void *context, const char *name);

/* One load: where results go, what was found, what the environment is. */
struct gh_config_load {
    struct gh_arena *arena; /* of the settings: texts and lists live here */
    const char *file_name;  /* for messages */
    gh_config_getenv *getenv;
    void *getenv_context;
    struct gh_config_problem *problems, **problems_end;
    unsigned error_count, warning_count;
    struct gh_config_origins *origins; /* settings field -> place */
    bool without_places; /* the text is one of ours: nodes and problems get no place */
};

void gh_config_load_init(struct gh_config_load *load, struct gh_arena *arena, const char *file_name,
                         gh_config_getenv *getenv, void *getenv_context);
/* Adds a problem; `remedy` may be NULL. Formats are printf's. */
void gh_config_problem_add(struct gh_config_load *load, enum gh_config_severity severity,
                           struct gh_config_place place, const char *remedy, const char *format,
                           ...) __attribute__((format(printf, 5, 6)));
/* The same for a place in another file, which the configuration names. */
void gh_config_problem_add_in(struct gh_config_load *load, struct gh_str file,
                              enum gh_config_severity severity, struct gh_config_place place,
                              struct gh_str what, struct gh_str remedy);
/* Puts the problems into the order of the file, those without a place first; those of other files
   stand behind, each file's together. */
void gh_config_problems_sort(struct gh_config_load *load);
/*
 * `text` as it may stand in a message: at most 60 bytes, control bytes escaped, and nothing that
 * looks like a secret (a long random word, the password in a URL).
 */
struct gh_str gh_config_show(struct gh_arena *arena, struct gh_str text);
/* True for scheme://user:password@host and scheme://host?password=..., however they are encoded. */
bool gh_config_has_url_password(struct gh_str text);
/* Where the value stored at `field` (an address inside the bound struct) was written; line 0 when
   it is a default or from the environment. A struct and its first field have one address: the
   field's place is given if it was written. */
struct gh_config_place gh_config_where(const struct gh_config_load *load, const void *field);

/*
 * Reads one YAML document (1.1 syntax, 1.2 core scalars). Refused with a problem each: several
 * documents, anchors, aliases, tags, duplicate keys, keys that are no plain scalars, NUL bytes,
 * and the bounds above. `${NAME}` and `${NAME:-default}` in scalars are replaced (`$${` stands for
 * a literal `${`); an unset NAME without default is a problem. NULL when no tree could be made.
 */
const struct gh_config_node *gh_config_parse(struct gh_config_load *load, struct gh_str text);

/* ---- Tables ---- */

/* How often in how long: `5/minute`. */
struct gh_config_rate {
    uint64_t count;
    uint64_t window_ms;
};

/* A list: `items` is an array of the item's C type. */
struct gh_config_list {
    void *items;
    size_t count;
};

/* An ordered map: entry i is keys[i] with the i-th item of the item's C type. */
struct gh_config_map {
    struct gh_str *keys;
    struct gh_config_place *places;
    void *items;
    size_t count;
};

enum gh_config_type {
    GH_CONFIG_TYPE_BOOL,     /* bool */
    GH_CONFIG_TYPE_STRING,   /* struct gh_str */
    GH_CONFIG_TYPE_INTEGER,  /* uint64_t, min..max */
    GH_CONFIG_TYPE_DURATION, /* uint64_t milliseconds: 500ms 10s 15m 12h 30d, min..max */
    GH_CONFIG_TYPE_SIZE,     /* uint64_t bytes: 512 or 64KiB 1MiB 2GiB, min..max */
    GH_CONFIG_TYPE_RATE,     /* struct gh_config_rate: N/second minute hour day */
    GH_CONFIG_TYPE_ENUM,     /* enum (int): index into names */
    GH_CONFIG_TYPE_TABLE,    /* the struct of `table`, in place */
    GH_CONFIG_TYPE_LIST,     /* struct gh_config_list of `item` */
    GH_CONFIG_TYPE_MAP,      /* struct gh_config_map of `item` */
    GH_CONFIG_TYPE_CUSTOM,   /* read by `custom` */
    GH_CONFIG_TYPE_LATER,    /* a known key of a coming version: "not available yet" */
};

struct gh_config_table;

/* Reads a node into *out itself, adding problems. */
typedef void gh_config_custom(struct gh_config_load *load, const struct gh_config_node *node,
                              void *out);

struct gh_config_field {
    const char *name;
    enum gh_config_type type;
    size_t offset;            /* in the struct */
    const char *default_yaml; /* as it would be written in the file; NULL: all bytes zero */
    const char *doc;          /* one or two sentences for the reference page */
    const char *const *names; /* ENUM: NULL-terminated; index 0 is the zero of the C enum; an empty
                                 name is a value that can't be written ("unset") */
    const struct gh_config_table *table; /* TABLE, and items that are tables */
    const struct gh_config_field *item;  /* LIST, MAP: type of the items (name NULL, offset 0) */
    gh_config_custom *custom;
    const char *custom_schema; /* CUSTOM: JSON Schema text of what it accepts */
    const char *env;           /* environment variable that wins over the file unless empty */
    uint64_t min, max;         /* INTEGER, DURATION, SIZE; max 0: no bound */
    bool required;
    bool one_or_list;       /* LIST: a single item may stand without brackets */
    bool env_is_comma_list; /* LIST of STRING: how `env` is written */
    size_t custom_size;     /* CUSTOM as the item of a LIST or MAP: size of its C type */
};

struct gh_config_table {
    const char *name; /* for messages and the reference: "cors" */
    const char *doc;
    size_t size; /* of the struct */
    const struct gh_config_field *fields;
    size_t field_count;
    /* When not NULL: a list or scalar in place of the map is taken as the value of this field
       (the short form of `hosts: [..]`). */
    const char *short_form;
};

/*
 * Fills *out (zeroed by the caller) from `node` by `table`: defaults, environment, types, ranges,
 * unknown keys with the nearest known one, missing required keys. All problems are added; *out is
 * usable only when there were no errors. `node` may be NULL: all defaults. A key with an empty
 * value (null) counts as left out.
 */
void gh_config_bind(struct gh_config_load *load, const struct gh_config_table *table,
                    const struct gh_config_node *node, void *out);
/* Binds one value by a field's description (for custom readers). */
void gh_config_bind_value(struct gh_config_load *load, const struct gh_config_field *field,
                          const struct gh_config_node *node, void *out);

/* Scalars, for tests and for other readers; false: not of that form. */
bool gh_config_read_duration(struct gh_str text, uint64_t *out_ms);
bool gh_config_read_size(struct gh_str text, uint64_t *out_bytes);
bool gh_config_read_rate(struct gh_str text, struct gh_config_rate *out_rate);
bool gh_config_read_bool(struct gh_str text, bool *out_value);

/* The other way: "1500ms", "30s", "2h", "64KiB", the shortest exact form, in `arena`. */
struct gh_str gh_config_format_duration(struct gh_arena *arena, uint64_t ms);
struct gh_str gh_config_format_size(struct gh_arena *arena, uint64_t bytes);

/* The control of a stage (SPEC section 3): enforce is the zero value. */
enum gh_mode { GH_MODE_ENFORCE, GH_MODE_OBSERVE, GH_MODE_OFF };
extern const char *const gh_mode_names[]; /* "enforce", "observe", "off", NULL */

#endif
