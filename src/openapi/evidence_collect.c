/* The table of places and the walk over a value. See evidence_collect.h. */
#include "openapi/evidence_collect.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "schema/declared.h"
#include "schema/pointer.h"

#define SLOTS       (2 * GH_EVIDENCE_PLACES_MAX)
#define KINDS       5 /* of enum gh_evidence_kind */
#define NO_PLACE    UINT32_MAX
#define NUMBER_TEXT 64

static const struct gh_str ANY = GH_STR_INIT("*");

struct bounds {
    double min, max;
    uint64_t count;
};

struct gh_evidence_counts {
    struct bounds seen[KINDS];
    bool extra;
};

/* What stands here is set once, before the place is counted. */
struct place {
    const struct gh_openapi_operation *operation;
    enum gh_input_part part;
    uint32_t parent;    /* NO_PLACE: the whole value */
    struct gh_str name; /* of the parameter */
    struct gh_str step; /* the last of the pointer, not escaped; of the whole value empty */
    size_t pointer_bytes;
};

struct gh_evidence_collector {
    const struct gh_openapi *openapi;
    atomic_flag is_in_use; /* guards the rest but without_room */
    struct place *places;
    struct gh_evidence_counts *counts;
    uint32_t place_count;
    uint32_t *slots;        /* place + 1; 0: empty */
    uint32_t *of_operation; /* places */
    bool is_changed;
    atomic_uint_fast64_t without_room;
};

struct gh_evidence_collector *gh_evidence_collector_new(struct gh_arena *arena,
                                                        const struct gh_openapi *openapi)
{
    struct gh_evidence_collector *collector = gh_arena_zalloc(arena, 1, sizeof(*collector));
    if (!collector)
        return NULL;
    collector->openapi = openapi;
    collector->places = gh_arena_zalloc(arena, GH_EVIDENCE_PLACES_MAX, sizeof(struct place));
    collector->counts =
        gh_arena_zalloc(arena, GH_EVIDENCE_PLACES_MAX, sizeof(struct gh_evidence_counts));
    collector->slots = gh_arena_zalloc(arena, SLOTS, sizeof(uint32_t));
    collector->of_operation = gh_arena_zalloc(arena, openapi->operation_count, sizeof(uint32_t));
    atomic_flag_clear(&collector->is_in_use);
    atomic_init(&collector->without_room, 0);
    bool good =
        collector->places && collector->counts && collector->slots && collector->of_operation;
    return good ? collector : NULL;
}

static bool enter(struct gh_evidence_collector *collector)
{
    return !atomic_flag_test_and_set_explicit(&collector->is_in_use, memory_order_acquire);
}

static void leave(struct gh_evidence_collector *collector)
{
    atomic_flag_clear_explicit(&collector->is_in_use, memory_order_release);
}

/* ---- Places ---- */

static uint32_t hash_of(const struct place *place)
{
    uint64_t hash = (uint64_t)(uintptr_t)place->operation ^ (uint64_t)place->part << 1;
    hash = (hash ^ place->parent) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= gh_json_name_hash(place->parent == NO_PLACE ? place->name : place->step);
    return (uint32_t)(hash * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static bool same_place(const struct place *a, const struct place *b)
{
    return a->parent == b->parent && a->operation == b->operation && a->part == b->part &&
           gh_str_eq(a->step, b->step) && gh_str_eq(a->name, b->name);
}

static bool has_room(const struct gh_evidence_collector *collector, const struct place *wanted)
{
    size_t operation = (size_t)(wanted->operation - collector->openapi->operations);
    return collector->place_count < GH_EVIDENCE_PLACES_MAX &&
           collector->of_operation[operation] < GH_EVIDENCE_OPERATION_PLACES_MAX &&
           wanted->pointer_bytes <= GH_SCHEMA_POINTER_BYTES_MAX;
}

static uint32_t find_place(struct gh_evidence_collector *collector, const struct place *wanted)
{
    uint32_t at = hash_of(wanted) % SLOTS;
    for (; collector->slots[at]; at = (at + 1) % SLOTS)
        if (same_place(&collector->places[collector->slots[at] - 1], wanted))
            return collector->slots[at] - 1;
    if (!has_room(collector, wanted)) {
        atomic_fetch_add_explicit(&collector->without_room, 1, memory_order_relaxed);
        return NO_PLACE;
    }
    uint32_t place = collector->place_count++;
    collector->of_operation[wanted->operation - collector->openapi->operations]++;
    collector->slots[at] = place + 1;
    collector->places[place] = *wanted;
    return place;
}

static uint32_t find_child(struct gh_evidence_collector *collector, uint32_t parent,
                           struct gh_str step)
{
    struct place wanted = collector->places[parent];
    wanted.parent = parent;
    wanted.step = step;
    wanted.pointer_bytes += 1 + 2 * step.len; /* if all of it has to be escaped */
    return find_place(collector, &wanted);
}

/* ---- Bounds ---- */

static void widen(struct bounds *bounds, const struct bounds *seen)
{
    if (!seen->count)
        return;
    if (!bounds->count || seen->min < bounds->min)
        bounds->min = seen->min;
    if (!bounds->count || seen->max > bounds->max)
        bounds->max = seen->max;
    uint64_t room = GH_EVIDENCE_COUNT_MAX - bounds->count;
    bounds->count += seen->count < room ? seen->count : room;
}

static double length_of(struct gh_str text)
{
    size_t length = 0;
    for (size_t i = 0; i < text.len; i++)
        length += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return (double)length;
}

/* A number that a double can't hold is none: what is proposed of it nobody could write. */
static bool read_number(struct gh_str text, double *out)
{
    char memory[NUMBER_TEXT];
    if (text.len >= sizeof(memory))
        return false;
    memcpy(memory, text.ptr, text.len);
    memory[text.len] = 0;
    *out = strtod(memory, NULL);
    return isfinite(*out);
}

static void see(struct gh_evidence_collector *collector, uint32_t place, enum gh_evidence_kind kind,
                double measure)
{
    const struct bounds seen = {measure, measure, 1};
    widen(&collector->counts[place].seen[kind], &seen);
}

static void see_value(struct gh_evidence_collector *collector, uint32_t place,
                      const struct gh_json_value *value)
{
    double number;
    switch (value->kind) {
    case GH_JSON_NULL:
    case GH_JSON_BOOL:
        break;
    case GH_JSON_NUMBER:
        if (read_number(value->text, &number))
            see(collector, place, value->is_integer ? GH_EVIDENCE_INTEGER : GH_EVIDENCE_NUMBER,
                number);
        break;
    case GH_JSON_STRING:
        see(collector, place, GH_EVIDENCE_STRING, length_of(value->text));
        break;
    case GH_JSON_ARRAY:
        see(collector, place, GH_EVIDENCE_ARRAY, value->count);
        break;
    case GH_JSON_OBJECT:
        see(collector, place, GH_EVIDENCE_OBJECT, value->count);
        break;
    }
}

/* ---- The walk ---- */

/* A container whose children are being looked at. */
struct level {
    uint32_t end;             /* index behind it */
    uint32_t place;           /* its own; of an array: that of its items */
    struct gh_schema_set set; /* the same */
    bool is_array;
};

struct walk {
    struct gh_evidence_collector *collector;
    const struct gh_schemas *schemas;
    struct level levels[GH_EVIDENCE_DEPTH_MAX];
    unsigned depth;
};

/* Where the next value stands and which schemas it has, by the container it is in. */
static uint32_t find_member(const struct walk *walk, const struct gh_json_value *value,
                            struct gh_schema_set *out_set)
{
    const struct level *level = &walk->levels[walk->depth - 1];
    struct gh_str step = ANY;
    if (level->is_array) {
        *out_set = level->set;
        return level->place;
    }
    enum gh_schema_declared declared = gh_schema_set_member(walk->schemas, &level->set, value->name,
                                                            value->name_hash, &step, out_set);
    if (declared == GH_SCHEMA_NOT_DECLARED)
        walk->collector->counts[level->place].extra = true;
    return find_child(walk->collector, level->place, step);
}

/* False: it has no children that are looked at. */
static bool go_down(struct walk *walk, const struct gh_json_value *value, uint32_t place,
                    const struct gh_schema_set *set)
{
    bool is_array = value->kind == GH_JSON_ARRAY;
    if ((!is_array && value->kind != GH_JSON_OBJECT) || !value->count ||
        walk->depth == GH_EVIDENCE_DEPTH_MAX)
        return false;
    struct level *level = &walk->levels[walk->depth];
    level->end = value->next;
    level->is_array = is_array;
    level->place = is_array ? find_child(walk->collector, place, ANY) : place;
    if (level->place == NO_PLACE)
        return false;
    if (is_array)
        gh_schema_set_items(walk->schemas, set, &level->set);
    else
        level->set = *set;
    walk->depth++;
    return true;
}

static void walk_value(struct gh_evidence_collector *collector, uint32_t root,
                       const struct gh_evidence_note *note)
{
    struct walk walk = {.collector = collector, .schemas = collector->openapi->schemas};
    const struct gh_json_value *values = note->doc.values;
    struct gh_schema_set set = {.count = 0};
    uint32_t place = root;
    gh_schema_set_add(walk.schemas, &set, note->schema);
    for (uint32_t i = 0, left = GH_EVIDENCE_VALUES_MAX; i < note->doc.count && left; left--) {
        while (walk.depth && i >= walk.levels[walk.depth - 1].end)
            walk.depth--;
        if (walk.depth)
            place = find_member(&walk, &values[i], &set);
        if (place != NO_PLACE)
            see_value(collector, place, &values[i]);
        bool is_inside = place != NO_PLACE && go_down(&walk, &values[i], place, &set);
        i = is_inside ? i + 1 : values[i].next;
    }
}

void gh_evidence_note(struct gh_evidence_collector *collector,
                      const struct gh_openapi_operation *operation,
                      const struct gh_evidence_note *notes)
{
    if (!notes || !enter(collector))
        return;
    for (const struct gh_evidence_note *note = notes; note; note = note->next) {
        const struct place whole = {
            .operation = operation, .part = note->part, .parent = NO_PLACE, .name = note->name};
        uint32_t place = find_place(collector, &whole);
        if (place != NO_PLACE)
            walk_value(collector, place, note);
    }
    collector->is_changed = true;
    leave(collector);
}

/* ---- Taking ---- */

struct gh_evidence_counts *gh_evidence_counts_new(struct gh_arena *arena)
{
    return gh_arena_alloc(arena, GH_EVIDENCE_PLACES_MAX * sizeof(struct gh_evidence_counts));
}

bool gh_evidence_take(struct gh_evidence_collector *collector, struct gh_evidence_counts *room,
                      struct gh_evidence_taken *out_taken)
{
    if (!enter(collector))
        return false;
    *out_taken = (struct gh_evidence_taken){room, 0};
    if (collector->is_changed) {
        out_taken->count = collector->place_count;
        memcpy(room, collector->counts, out_taken->count * sizeof(*room));
        memset(collector->counts, 0, out_taken->count * sizeof(*room));
        collector->is_changed = false;
    }
    leave(collector);
    return true;
}

bool gh_evidence_give_back(struct gh_evidence_collector *collector,
                           const struct gh_evidence_taken *taken)
{
    if (!enter(collector))
        return false;
    for (size_t i = 0; i < taken->count; i++) {
        for (unsigned kind = 0; kind < KINDS; kind++)
            widen(&collector->counts[i].seen[kind], &taken->counts[i].seen[kind]);
        collector->counts[i].extra |= taken->counts[i].extra;
    }
    collector->is_changed |= taken->count > 0;
    leave(collector);
    return true;
}

/* ptr NULL: no memory. */
static struct gh_str pointer_of(const struct gh_evidence_collector *collector, uint32_t index,
                                struct gh_arena *arena)
{
    uint32_t way[2 * GH_EVIDENCE_DEPTH_MAX];
    unsigned count = 0;
    char memory[GH_SCHEMA_POINTER_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    for (; collector->places[index].parent != NO_PLACE; index = collector->places[index].parent)
        way[count++] = index;
    while (count)
        gh_json_pointer_put_name(&buf, collector->places[way[--count]].step);
    return buf.len ? gh_arena_dup(arena, gh_buf_str(&buf)) : GH_STR("");
}

static bool was_seen(const struct gh_evidence_counts *counts)
{
    for (unsigned kind = 0; kind < KINDS; kind++)
        if (counts->seen[kind].count)
            return true;
    return false;
}

/* Of the places that were taken nothing changes any more but the counts. */
static bool add_lines(const struct gh_evidence_collector *collector, uint32_t index,
                      const struct gh_evidence_counts *counts, struct gh_arena *arena,
                      struct gh_evidence_line *lines, size_t *line_count)
{
    const struct place *place = &collector->places[index];
    const struct gh_openapi_operation *operation = place->operation;
    if (!was_seen(counts))
        return true;
    struct gh_str pointer = pointer_of(collector, index, arena), label = operation->id;
    if (!label.len)
        label = gh_arena_format(arena, "%.*s %.*s", GH_STR_ARG(operation->method),
                                GH_STR_ARG(operation->path));
    for (unsigned kind = 0; kind < KINDS; kind++)
        if (counts->seen[kind].count)
            lines[(*line_count)++] = (struct gh_evidence_line){
                .operation = label,
                .location = gh_input_part_name(place->part),
                .name = place->name,
                .pointer = pointer,
                .kind = (enum gh_evidence_kind)kind,
                .min = counts->seen[kind].min,
                .max = counts->seen[kind].max,
                .count = counts->seen[kind].count,
                .extra = kind == GH_EVIDENCE_OBJECT && counts->extra,
            };
    return pointer.ptr && label.ptr;
}

enum gh_err gh_evidence_lines_of(const struct gh_evidence_collector *collector,
                                 const struct gh_evidence_taken *taken, struct gh_arena *arena,
                                 struct gh_evidence *out_evidence)
{
    struct gh_evidence_line *lines =
        gh_arena_zalloc(arena, taken->count * KINDS + 1, sizeof(*lines));
    size_t count = 0;
    if (!lines)
        return GH_ERR_MEMORY;
    for (size_t i = 0; i < taken->count; i++)
        if (!add_lines(collector, (uint32_t)i, &taken->counts[i], arena, lines, &count))
            return GH_ERR_MEMORY;
    *out_evidence = (struct gh_evidence){lines, count};
    return GH_OK;
}

uint64_t gh_evidence_without_room(const struct gh_evidence_collector *collector)
{
    return atomic_load_explicit(&collector->without_room, memory_order_relaxed);
}
