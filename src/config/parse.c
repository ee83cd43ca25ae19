/*
 * YAML text to a tree of nodes, over libyaml's event stream. Not here: what the nodes mean.
 *
 * The tree is made by recursion that GH_CONFIG_DEPTH_MAX bounds. Trouble in the syntax or a bound
 * passed ends the reading; what merely isn't allowed (an alias, a tag, a key given twice) is told
 * and read over, so that one run finds all of it.
 */
#include "config/config.h"

#include <stdlib.h>
#include <yaml.h>

#include "config/interpolate.h"

struct reader {
    struct gh_config_load *load;
    struct gh_str text;
    yaml_parser_t parser;
    size_t node_count;
};

/* Children while their number is not known yet. */
struct child {
    struct gh_str key;
    struct gh_config_place key_place;
    struct gh_config_node node;
    struct child *next;
};

static struct gh_config_place place_of(const struct reader *reader, yaml_mark_t mark)
{
    if (reader->load->without_places)
        return (struct gh_config_place){0, 0};
    return (struct gh_config_place){(unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

/* The place of a byte of the text; columns count characters, as libyaml's marks do. */
static struct gh_config_place place_of_offset(const struct reader *reader, size_t offset)
{
    struct gh_config_place place = {1, 1};
    for (size_t i = 0; i < offset && i < reader->text.len; i++) {
        unsigned char c = (unsigned char)reader->text.ptr[i];
        if (c == '\n') {
            place.line++;
            place.column = 1;
        } else if ((c & 0xc0) != 0x80) {
            place.column++;
        }
    }
    return place;
}

static void add_error(struct reader *reader, struct gh_config_place place, const char *what,
                      const char *remedy)
{
    gh_config_problem_add(reader->load, GH_CONFIG_ERROR, place, remedy, "%s", what);
}

/* The character at a mark (marks count characters, not bytes); NUL at the end. */
static char char_at(const struct reader *reader, yaml_mark_t mark)
{
    size_t characters = 0;
    for (size_t i = 0; i < reader->text.len; i++) {
        if (((unsigned char)reader->text.ptr[i] & 0xc0) == 0x80)
            continue;
        if (characters++ == mark.index)
            return reader->text.ptr[i];
    }
    return '\0';
}

static const char *remedy_for(const struct reader *reader, yaml_mark_t mark)
{
    char at = char_at(reader, mark);
    yaml_mark_t before = mark;
    before.index -= mark.index > 0;
    if (at == '{' && char_at(reader, before) == '$')
        return "inside brackets put ${..} in quotes";
    if (at == '\t')
        return "indent with spaces, not tabs";
    if (at != '\0' && strchr("%@`", at))
        return "put the value in quotes";
    return NULL;
}

static void add_syntax_error(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    const char *what = parser->problem ? parser->problem : "the text can't be read";
    if (parser->error == YAML_READER_ERROR) {
        add_error(reader, place_of_offset(reader, parser->problem_offset), what,
                  "the file must be UTF-8 text without control characters");
        return;
    }
    char began_with = parser->context ? char_at(reader, parser->context_mark) : '\0';
    if (began_with == '*' || began_with == '&') {
        gh_config_problem_add(reader->load, GH_CONFIG_ERROR, place_of(reader, parser->context_mark),
                              "put the value in quotes", "a value can't begin with %c", began_with);
        return;
    }
    if (parser->context && strstr(parser->context, "simple key")) {
        add_error(reader, place_of(reader, parser->context_mark), what, "write \"key: value\"");
        return;
    }
    struct gh_config_place place = place_of(reader, parser->problem_mark);
    const char *remedy = remedy_for(reader, parser->problem_mark);
    if (parser->context && parser->context_mark.line != parser->problem_mark.line)
        gh_config_problem_add(reader->load, GH_CONFIG_ERROR, place, remedy, "%s, %s in line %u",
                              what, parser->context, (unsigned)parser->context_mark.line + 1);
    else
        gh_config_problem_add(reader->load, GH_CONFIG_ERROR, place, remedy, "%s%s%s", what,
                              parser->context ? ", " : "", parser->context ? parser->context : "");
}

static bool next_event(struct reader *reader, yaml_event_t *out_event)
{
    if (yaml_parser_parse(&reader->parser, out_event))
        return true;
    add_syntax_error(reader);
    return false;
}

static void add_too_large(struct reader *reader, struct gh_config_place place)
{
    add_error(reader, place, "the configuration is too large", NULL);
}

static void refuse_decoration(struct reader *reader, const yaml_event_t *event,
                              const yaml_char_t *anchor, const yaml_char_t *tag)
{
    struct gh_config_place place = place_of(reader, event->start_mark);
    if (anchor)
        add_error(reader, place, "anchors are not allowed", "write the value out where it is used");
    if (tag)
        add_error(reader, place, "tags are not allowed", "leave the tag out");
}

static bool is_null_form(struct gh_str text)
{
    return text.len == 0 || gh_str_eq(text, GH_STR("~")) || gh_str_eq(text, GH_STR("null")) ||
           gh_str_eq(text, GH_STR("Null")) || gh_str_eq(text, GH_STR("NULL"));
}

static void read_scalar(struct reader *reader, const yaml_event_t *event,
                        struct gh_config_node *out_node)
{
    struct gh_str text =
        gh_str_of((const char *)event->data.scalar.value, event->data.scalar.length);
    struct gh_config_node *node = out_node;
    refuse_decoration(reader, event, event->data.scalar.anchor, event->data.scalar.tag);
    node->kind = GH_CONFIG_SCALAR;
    node->is_broken = true;
    node->text = GH_STR("");
    if (text.len && memchr(text.ptr, '\0', text.len)) {
        add_error(reader, node->place, "a NUL byte is not allowed", NULL);
        return;
    }
    struct gh_str expanded;
    if (!gh_config_interpolate(reader->load, node->place, text, &expanded, &node->interpolated))
        return;
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE && !node->interpolated;
    node->is_null = !node->quoted && (node->interpolated ? expanded.len == 0 : is_null_form(text));
    struct gh_str copy = gh_arena_dup(reader->load->arena, expanded);
    if (!copy.ptr) {
        add_too_large(reader, node->place);
        return;
    }
    node->text = copy;
    node->is_broken = false;
}

static bool read_node(struct reader *reader, const yaml_event_t *event, unsigned depth,
                      struct gh_config_node *out_node);

/* A key of a map. False: reading can't go on. */
static bool read_key(struct reader *reader, const yaml_event_t *event, struct child *child)
{
    child->key_place = place_of(reader, event->start_mark);
    if (event->type != YAML_SCALAR_EVENT) {
        add_error(reader, child->key_place, "a key must be a plain word",
                  event->type == YAML_MAPPING_START_EVENT ? "quote a value that begins with {"
                                                          : NULL);
        return false;
    }
    struct gh_str text =
        gh_str_of((const char *)event->data.scalar.value, event->data.scalar.length);
    refuse_decoration(reader, event, event->data.scalar.anchor, event->data.scalar.tag);
    if (text.len && memchr(text.ptr, '\0', text.len))
        add_error(reader, child->key_place, "a NUL byte is not allowed", NULL);
    if (gh_str_find(text, GH_STR("${")) < text.len)
        add_error(reader, child->key_place, "environment references are not replaced in keys",
                  NULL);
    child->key = gh_arena_dup(reader->load->arena, text);
    if (!child->key.ptr)
        add_too_large(reader, child->key_place);
    return child->key.ptr != NULL;
}

/* Moves `count` children from their list into the arrays of `node`. */
static bool flatten(struct reader *reader, const struct child *children, size_t count,
                    struct gh_config_node *node)
{
    struct gh_arena *arena = reader->load->arena;
    bool is_map = node->kind == GH_CONFIG_MAP;
    if (count == 0)
        return true;
    node->items = gh_arena_zalloc(arena, count, sizeof *node->items);
    if (is_map) {
        node->keys = gh_arena_zalloc(arena, count, sizeof *node->keys);
        node->key_places = gh_arena_zalloc(arena, count, sizeof *node->key_places);
    }
    if (!node->items || (is_map && (!node->keys || !node->key_places))) {
        add_too_large(reader, node->place);
        return false;
    }
    for (const struct child *child = children; child; child = child->next) {
        node->items[node->count] = child->node;
        if (is_map) {
            node->keys[node->count] = child->key;
            node->key_places[node->count] = child->key_place;
        }
        node->count++;
    }
    return true;
}

static int compare_children(const void *a, const void *b)
{
    const struct child *left = *(const struct child *const *)a;
    const struct child *right = *(const struct child *const *)b;
    int order = gh_str_compare(left->key, right->key);
    if (order)
        return order;
    if (left->key_place.line != right->key_place.line)
        return left->key_place.line < right->key_place.line ? -1 : 1;
    return left->key_place.column < right->key_place.column ? -1 : 1;
}

/* Sorted, so that a file of a hundred thousand keys costs no more than it should. */
static void refuse_duplicates(struct reader *reader, const struct child *children, size_t count)
{
    if (count < 2)
        return;
    const struct child **sorted = calloc(count, sizeof *sorted);
    if (!sorted) {
        add_error(reader, children->key_place, "out of memory", NULL);
        return;
    }
    size_t n = 0;
    for (const struct child *child = children; child; child = child->next)
        sorted[n++] = child;
    qsort(sorted, count, sizeof *sorted, compare_children);
    for (size_t i = 1; i < count; i++) {
        if (gh_str_eq(sorted[i - 1]->key, sorted[i]->key)) {
            struct gh_str shown = gh_config_show(reader->load->arena, sorted[i]->key);
            gh_config_problem_add(reader->load, GH_CONFIG_ERROR, sorted[i]->key_place,
                                  "keep one of them",
                                  "the key \"%.*s\" stands here already, in "
                                  "line %u",
                                  GH_STR_ARG(shown), sorted[i - 1]->key_place.line);
        }
    }
    free(sorted);
}

/* The children of a list or map whose start was read, up to and with its end. */
static bool read_children(struct reader *reader, unsigned depth, struct gh_config_node *node)
{
    struct child *first = NULL, **end = &first;
    size_t count = 0;
    bool is_map = node->kind == GH_CONFIG_MAP;
    for (;;) {
        yaml_event_t event;
        if (!next_event(reader, &event))
            return false;
        if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            break;
        }
        struct child *child = gh_arena_zalloc(reader->load->arena, 1, sizeof *child);
        if (!child)
            add_too_large(reader, node->place);
        bool good = child && (!is_map || read_key(reader, &event, child));
        if (good && is_map) {
            yaml_event_delete(&event);
            if (!next_event(reader, &event))
                return false;
        }
        good = good && read_node(reader, &event, depth + 1, &child->node);
        yaml_event_delete(&event);
        if (!good)
            return false;
        *end = child;
        end = &child->next;
        count++;
    }
    if (is_map)
        refuse_duplicates(reader, first, count);
    return flatten(reader, first, count, node);
}

/* False: reading can't go on, the problem is told. */
static bool read_node(struct reader *reader, const yaml_event_t *event, unsigned depth,
                      struct gh_config_node *out_node)
{
    struct gh_config_node *node = out_node;
    *node = (struct gh_config_node){.place = place_of(reader, event->start_mark)};
    if (++reader->node_count > GH_CONFIG_NODES_MAX || depth > GH_CONFIG_DEPTH_MAX) {
        add_error(reader, node->place,
                  depth > GH_CONFIG_DEPTH_MAX ? "lists and maps are nested too deeply"
                                              : "the configuration has too many values",
                  NULL);
        return false;
    }
    if (event->type == YAML_SCALAR_EVENT) {
        read_scalar(reader, event, node);
        return true;
    }
    if (event->type == YAML_SEQUENCE_START_EVENT) {
        node->kind = GH_CONFIG_LIST;
        refuse_decoration(reader, event, event->data.sequence_start.anchor,
                          event->data.sequence_start.tag);
        return read_children(reader, depth, node);
    }
    if (event->type == YAML_MAPPING_START_EVENT) {
        node->kind = GH_CONFIG_MAP;
        refuse_decoration(reader, event, event->data.mapping_start.anchor,
                          event->data.mapping_start.tag);
        return read_children(reader, depth, node);
    }
    add_error(reader, node->place, "aliases are not allowed",
              "write the value out, or put it in quotes if it begins with *");
    node->kind = GH_CONFIG_SCALAR;
    node->text = GH_STR("");
    node->is_broken = true;
    return true;
}

/* Reads events up to and with one of `type`; a stream that has another one first has no tree. */
static bool expect_event(struct reader *reader, yaml_event_type_t type)
{
    yaml_event_t event;
    if (!next_event(reader, &event))
        return false;
    bool good = event.type == type;
    if (!good && type == YAML_STREAM_END_EVENT)
        add_error(reader, place_of(reader, event.start_mark), "a second document begins here",
                  "keep one document in the file");
    yaml_event_delete(&event);
    return good;
}

static bool read_document(struct reader *reader, struct gh_config_node *out_root)
{
    yaml_event_t event;
    if (!expect_event(reader, YAML_STREAM_START_EVENT) || !next_event(reader, &event))
        return false;
    bool is_empty = event.type == YAML_STREAM_END_EVENT;
    yaml_event_delete(&event);
    if (is_empty) {
        *out_root = (struct gh_config_node){
            .place = {1, 1}, .kind = GH_CONFIG_SCALAR, .text = GH_STR(""), .is_null = true};
        return true;
    }
    if (!next_event(reader, &event))
        return false;
    bool good = read_node(reader, &event, 0, out_root);
    yaml_event_delete(&event);
    return good && expect_event(reader, YAML_DOCUMENT_END_EVENT) &&
           expect_event(reader, YAML_STREAM_END_EVENT);
}

const struct gh_config_node *gh_config_parse(struct gh_config_load *load, struct gh_str text)
{
    struct reader reader = {.load = load, .text = text};
    const char *nul = text.len ? memchr(text.ptr, '\0', text.len) : NULL;
    if (text.len > GH_CONFIG_BYTES_MAX) {
        add_error(&reader, (struct gh_config_place){0, 0}, "the file is over 1 MiB", NULL);
        return NULL;
    }
    if (nul) {
        add_error(&reader, place_of_offset(&reader, (size_t)(nul - text.ptr)),
                  "a NUL byte is not allowed", "the file must be UTF-8 text");
        return NULL;
    }
    struct gh_config_node *root = gh_arena_zalloc(load->arena, 1, sizeof *root);
    if (!root || !yaml_parser_initialize(&reader.parser)) {
        add_error(&reader, (struct gh_config_place){0, 0}, "out of memory", NULL);
        return NULL;
    }
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text.ptr, text.len);
    bool good = read_document(&reader, root);
    yaml_parser_delete(&reader.parser);
    return good ? root : NULL;
}

const struct gh_config_node *gh_config_get(const struct gh_config_node *node, const char *key)
{
    if (!node || node->kind != GH_CONFIG_MAP)
        return NULL;
    struct gh_str wanted = gh_str_from_c(key);
    for (size_t i = 0; i < node->count; i++) {
        if (gh_str_eq(node->keys[i], wanted))
            return &node->items[i];
    }
    return NULL;
}
