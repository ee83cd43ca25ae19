/*
 * A tree of nodes into a struct, by the tables of the features. Recursion follows the tables and
 * the tree, whose depth is bounded. Scalars are read in bind_scalar.c.
 */
#include "config/config.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/buf.h"
#include "config/bind_scalar.h"
#include "config/origins.h"

#define REMEDY_BYTES_MAX 400
#define LABEL_BYTES_MAX  80

static void bind_value(struct gh_config_load *load, const struct gh_config_field *field,
                       const char *label, const struct gh_config_node *node, void *out);

/* ---- what goes wrong ---- */

static const char *kind_text(const struct gh_config_node *node)
{
    switch (node->kind) {
    case GH_CONFIG_SCALAR:
        return node->is_null ? "nothing" : "a single value";
    case GH_CONFIG_MAP:
        return "a map";
    case GH_CONFIG_LIST:
        return "a list";
    }
    return "";
}

static void add_wrong_kind(struct gh_config_load *load, const char *label,
                           const struct gh_config_node *node, const char *expected,
                           const char *remedy)
{
    gh_config_problem_add(load, GH_CONFIG_ERROR, node->place, remedy, "%s: expected %s, found %s",
                          label, expected, kind_text(node));
}

static void add_unknown_key(struct gh_config_load *load, const struct gh_config_table *table,
                            struct gh_str key, struct gh_config_place place)
{
    const char *names[64];
    char remedy[REMEDY_BYTES_MAX];
    struct gh_buf known = gh_buf_over(remedy, sizeof remedy - 1);
    GH_ASSERT(table->field_count <= sizeof names / sizeof names[0]);
    gh_buf_put(&known, GH_STR("known here are: "));
    for (size_t i = 0; i < table->field_count; i++) {
        names[i] = table->fields[i].name;
        gh_buf_format(&known, "%s%s", i ? ", " : "", names[i]);
    }
    remedy[known.len] = '\0';
    const char *nearest = gh_nearest(key, names, table->field_count);
    if (nearest)
        snprintf(remedy, sizeof remedy, "did you mean \"%s\"?", nearest);
    struct gh_str shown = gh_config_show(load->arena, key);
    bool is_root = !table->name || !table->name[0];
    gh_config_problem_add(load, GH_CONFIG_ERROR, place, remedy, "unknown key \"%.*s\"%s%s",
                          GH_STR_ARG(shown), is_root ? "" : " in ", is_root ? "" : table->name);
}

static void add_no_memory(struct gh_config_load *load, struct gh_config_place place)
{
    gh_config_problem_add(load, GH_CONFIG_ERROR, place, NULL, "the configuration is too large");
}

/* ---- lists and maps ---- */

static size_t item_size(const struct gh_config_field *item)
{
    switch (item->type) {
    case GH_CONFIG_TYPE_BOOL:
        return sizeof(bool);
    case GH_CONFIG_TYPE_STRING:
        return sizeof(struct gh_str);
    case GH_CONFIG_TYPE_INTEGER:
    case GH_CONFIG_TYPE_DURATION:
    case GH_CONFIG_TYPE_SIZE:
        return sizeof(uint64_t);
    case GH_CONFIG_TYPE_RATE:
        return sizeof(struct gh_config_rate);
    case GH_CONFIG_TYPE_ENUM:
        return sizeof(int);
    case GH_CONFIG_TYPE_TABLE:
        return item->table->size;
    case GH_CONFIG_TYPE_LIST:
        return sizeof(struct gh_config_list);
    case GH_CONFIG_TYPE_MAP:
        return sizeof(struct gh_config_map);
    case GH_CONFIG_TYPE_CUSTOM:
        GH_ASSERT(item->custom_size > 0);
        return item->custom_size;
    case GH_CONFIG_TYPE_LATER:
        break;
    }
    GH_ASSERT(!"an item has a type of values");
    return 0;
}

/* `key_place` is line 0 in a list. */
static void bind_item(struct gh_config_load *load, const struct gh_config_field *item,
                      const char *label, const struct gh_config_node *node,
                      struct gh_config_place key_place, void *out)
{
    bool is_table = item->type == GH_CONFIG_TYPE_TABLE;
    if (node->is_null && !node->is_broken && !is_table) {
        gh_config_problem_add(load, GH_CONFIG_ERROR, key_place.line ? key_place : node->place,
                              "write a value, or leave the entry out", "%s: an empty entry", label);
        return;
    }
    gh_config_origin_add(load, out, is_table && key_place.line ? key_place : node->place);
    bind_value(load, item, label, node, out);
}

static void bind_list(struct gh_config_load *load, const struct gh_config_field *field,
                      const char *label, const struct gh_config_node *node,
                      struct gh_config_list *out)
{
    const struct gh_config_node *items = node->items;
    size_t count = node->count;
    if (node->kind != GH_CONFIG_LIST && field->one_or_list) {
        items = node;
        count = 1;
    } else if (node->kind != GH_CONFIG_LIST) {
        add_wrong_kind(load, label, node, "a list", "write it in brackets: [..]");
        return;
    }
    size_t size = item_size(field->item);
    char *values = gh_arena_zalloc(load->arena, count ? count : 1, size);
    if (!values) {
        add_no_memory(load, node->place);
        return;
    }
    for (size_t i = 0; i < count; i++)
        bind_item(load, field->item, label, &items[i], (struct gh_config_place){0, 0},
                  values + i * size);
    *out = (struct gh_config_list){values, count};
}

static void bind_map(struct gh_config_load *load, const struct gh_config_field *field,
                     const char *label, const struct gh_config_node *node,
                     struct gh_config_map *out)
{
    if (node->kind != GH_CONFIG_MAP) {
        add_wrong_kind(load, label, node, "a map", "write lines of \"name: value\"");
        return;
    }
    size_t size = item_size(field->item);
    char *values = gh_arena_zalloc(load->arena, node->count ? node->count : 1, size);
    if (!values) {
        add_no_memory(load, node->place);
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        char item_label[LABEL_BYTES_MAX];
        snprintf(item_label, sizeof item_label, "%s.%.*s", label, GH_STR_ARG(node->keys[i]));
        bind_item(load, field->item, item_label, &node->items[i], node->key_places[i],
                  values + i * size);
    }
    *out = (struct gh_config_map){node->keys, node->key_places, values, node->count};
}

/* ---- one value ---- */

static void bind_value(struct gh_config_load *load, const struct gh_config_field *field,
                       const char *label, const struct gh_config_node *node, void *out)
{
    if (node->is_broken)
        return;
    switch (field->type) {
    case GH_CONFIG_TYPE_BOOL:
    case GH_CONFIG_TYPE_STRING:
    case GH_CONFIG_TYPE_INTEGER:
    case GH_CONFIG_TYPE_DURATION:
    case GH_CONFIG_TYPE_SIZE:
    case GH_CONFIG_TYPE_RATE:
    case GH_CONFIG_TYPE_ENUM:
        if (node->kind == GH_CONFIG_SCALAR)
            (void)gh_config_bind_scalar(load, field, label, node, out);
        else
            add_wrong_kind(load, label, node, "a single value", NULL);
        break;
    case GH_CONFIG_TYPE_TABLE:
        gh_config_bind(load, field->table, node, out);
        break;
    case GH_CONFIG_TYPE_LIST:
        bind_list(load, field, label, node, out);
        break;
    case GH_CONFIG_TYPE_MAP:
        bind_map(load, field, label, node, out);
        break;
    case GH_CONFIG_TYPE_CUSTOM:
        field->custom(load, node, out);
        break;
    case GH_CONFIG_TYPE_LATER:
        gh_config_problem_add(load, GH_CONFIG_ERROR, node->place,
                              "leave it out; it comes with a later version",
                              "%s is not available yet", label);
        break;
    }
}

void gh_config_bind_value(struct gh_config_load *load, const struct gh_config_field *field,
                          const struct gh_config_node *node, void *out)
{
    bind_value(load, field, field->name ? field->name : "value", node, out);
}

/* ---- defaults and environment ---- */

static struct gh_config_node scalar_node(struct gh_str text)
{
    return (struct gh_config_node){.kind = GH_CONFIG_SCALAR, .text = text, .interpolated = true};
}

/* A word that needs no YAML parser to be read; most defaults are, and a file has many routes. */
static bool is_plain_word(struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = gh_ascii_lower(text.ptr[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '/' || c == '_'))
            return false;
    }
    return text.len > 0;
}

/* The default of a field as a node without place. */
static const struct gh_config_node *default_node(struct gh_config_load *load, const char *text)
{
    if (is_plain_word(gh_str_from_c(text))) {
        struct gh_config_node *word = gh_arena_alloc(load->arena, sizeof *word);
        if (word)
            *word = scalar_node(gh_str_from_c(text));
        else
            add_no_memory(load, (struct gh_config_place){0, 0});
        return word;
    }
    struct gh_config_load own;
    gh_config_load_init(&own, load->arena, "", NULL, NULL);
    own.without_places = true;
    const struct gh_config_node *node = gh_config_parse(&own, gh_str_from_c(text));
    if (!node)
        add_no_memory(load, (struct gh_config_place){0, 0});
    return node;
}

/* "a, b" as a list of scalars; empty entries are passed over. NULL: no memory. */
static const struct gh_config_node *comma_list_node(struct gh_arena *arena, struct gh_str text)
{
    size_t count_max = 1;
    for (size_t i = 0; i < text.len; i++)
        count_max += text.ptr[i] == ',';
    struct gh_config_node *list = gh_arena_zalloc(arena, 1, sizeof *list);
    struct gh_config_node *items = gh_arena_zalloc(arena, count_max, sizeof *items);
    if (!list || !items)
        return NULL;
    *list = (struct gh_config_node){.kind = GH_CONFIG_LIST, .items = items};
    for (struct gh_str rest = text, item; gh_str_next_list_item(&rest, &item);)
        items[list->count++] = scalar_node(item);
    return list;
}

/* What the environment says for a field, or NULL. */
static const char *environment_value(const struct gh_config_load *load,
                                     const struct gh_config_field *field)
{
    if (!field->env || !load->getenv)
        return NULL;
    const char *value = load->getenv(load->getenv_context, field->env);
    return value && value[0] ? value : NULL;
}

/* Takes the field's value from the environment. False: there is none. */
static bool bind_environment(struct gh_config_load *load, const struct gh_config_field *field,
                             void *out)
{
    const char *value = environment_value(load, field);
    if (!value)
        return false;
    char label[LABEL_BYTES_MAX];
    snprintf(label, sizeof label, "environment variable %s", field->env);
    struct gh_str text = gh_arena_dup(load->arena, gh_str_from_c(value));
    struct gh_config_node scalar = scalar_node(text);
    const struct gh_config_node *node = &scalar;
    if (field->env_is_comma_list && text.ptr)
        node = comma_list_node(load->arena, text);
    if (!text.ptr || !node) {
        add_no_memory(load, (struct gh_config_place){0, 0});
        return true;
    }
    bind_value(load, field, label, node, out);
    return true;
}

static void bind_default(struct gh_config_load *load, const struct gh_config_field *field,
                         void *out)
{
    if (field->default_yaml) {
        const struct gh_config_node *node = default_node(load, field->default_yaml);
        if (node && !node->is_null)
            bind_value(load, field, field->name, node, out);
    } else if (field->type == GH_CONFIG_TYPE_TABLE) {
        gh_config_bind(load, field->table, NULL, out);
    }
}

/* ---- tables ---- */

/* One field: from the environment, else from `node` (NULL: not written), else its default. */
static void bind_field(struct gh_config_load *load, const struct gh_config_field *field,
                       const struct gh_config_node *node, struct gh_config_place key_place,
                       void *out)
{
    if (bind_environment(load, field, out))
        return;
    if (!node || (node->is_null && !node->is_broken)) {
        bind_default(load, field, out);
        return;
    }
    bool is_table = field->type == GH_CONFIG_TYPE_TABLE && key_place.line;
    bool is_later = field->type == GH_CONFIG_TYPE_LATER;
    if (!is_later)
        gh_config_origin_add(load, out, is_table ? key_place : node->place);
    struct gh_config_node at_key = *node;
    if (is_later && key_place.line)
        at_key.place = key_place;
    bind_value(load, field, field->name, is_later ? &at_key : node, out);
}

static void refuse_missing(struct gh_config_load *load, const struct gh_config_table *table,
                           const struct gh_config_node *node)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct gh_config_field *field = &table->fields[i];
        const struct gh_config_node *value = gh_config_get(node, field->name);
        if (!field->required || environment_value(load, field) ||
            (value && (!value->is_null || value->is_broken)))
            continue;
        bool is_root = !table->name || !table->name[0];
        gh_config_problem_add(load, GH_CONFIG_ERROR,
                              node ? node->place : (struct gh_config_place){0, 0}, field->doc,
                              "missing key \"%s\"%s%s", field->name, is_root ? "" : " in ",
                              is_root ? "" : table->name);
    }
}

static const struct gh_config_field *field_named(const struct gh_config_table *table,
                                                 struct gh_str name)
{
    for (size_t i = 0; i < table->field_count; i++) {
        if (gh_str_eq(name, gh_str_from_c(table->fields[i].name)))
            return &table->fields[i];
    }
    return NULL;
}

static void refuse_unknown(struct gh_config_load *load, const struct gh_config_table *table,
                           const struct gh_config_node *node)
{
    for (size_t i = 0; node && i < node->count; i++) {
        if (!field_named(table, node->keys[i]))
            add_unknown_key(load, table, node->keys[i], node->key_places[i]);
    }
}

static struct gh_config_place key_place_of(const struct gh_config_node *map,
                                           const struct gh_config_node *value)
{
    if (!map || !value || value < map->items || value >= map->items + map->count)
        return (struct gh_config_place){0, 0};
    return map->key_places[value - map->items];
}

void gh_config_bind(struct gh_config_load *load, const struct gh_config_table *table,
                    const struct gh_config_node *node, void *out)
{
    const struct gh_config_node *map = node, *short_value = NULL;
    if (node && (node->is_broken || node->is_null))
        map = NULL;
    if (map && map->kind != GH_CONFIG_MAP) {
        if (!table->short_form) {
            add_wrong_kind(load, table->name && table->name[0] ? table->name : "the file", node,
                           "a map", "write lines of \"key: value\"");
            return;
        }
        short_value = node;
        map = NULL;
    }
    refuse_unknown(load, table, map);
    if (!short_value)
        refuse_missing(load, table, map ? map : node);
    for (size_t i = 0; i < table->field_count; i++) {
        const struct gh_config_field *field = &table->fields[i];
        const struct gh_config_node *value = gh_config_get(map, field->name);
        if (short_value && strcmp(field->name, table->short_form) == 0)
            value = short_value;
        bind_field(load, field, value, key_place_of(map, value), (char *)out + field->offset);
    }
}
