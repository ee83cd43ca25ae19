/*
 * See window.h. A place holds one kind from its first refusal until a minute has passed in which
 * nothing was left to write: free places are a list, those in use hang on chains by a keyed hash.
 */
#include "audit/window.h"

#include <stdlib.h>

#include "audit/tally_entry.h"
#include "base/assert.h"

#define SECOND_US UINT64_C(1000000)
#define NONE      UINT32_MAX
#define KINDS_MAX (1u << 24)

/* The rhythm of one kind. */
struct beat {
    uint64_t began_us; /* the minute */
    bool first;        /* nothing of it was written yet */
    uint64_t reported; /* of the count: due, and not yet said to be written */
    uint64_t saved;    /* the count that is saved; 0: none */
    uint64_t saving;   /* the count that was not, and is not yet said to be */
};

struct place {
    struct gh_tally_entry entry; /* count: not written */
    struct beat beat;
    uint32_t bucket, next; /* of the chain, or of the free list */
    bool used;
    char text[GH_TALLY_TEXT_BYTES];
};

struct gh_window {
    struct gh_hash_key key;
    size_t kinds_max;
    uint32_t mask;
    uint32_t *heads;
    struct place *places;
    size_t places_touched; /* those behind were never used */
    uint32_t free;
    size_t used_count;
    struct gh_window_pace pace; /* none: any number of kinds at any time */
    uint64_t next_us;           /* when the next kind is due at that pace (GCRA) */
    /* What found no place, by event. */
    struct gh_tally_entry crowd[GH_AUDIT_EVENT_COUNT];
    struct beat crowd_beats[GH_AUDIT_EVENT_COUNT];
};

struct gh_window *gh_window_new(size_t kinds_max, struct gh_hash_key key)
{
    GH_ASSERT(kinds_max > 0 && kinds_max <= KINDS_MAX);
    size_t buckets = 1;
    while (buckets < kinds_max)
        buckets *= 2;
    struct gh_window *window = calloc(1, sizeof(*window));
    if (!window)
        return NULL;
    window->heads = malloc(buckets * sizeof(*window->heads));
    window->places = calloc(kinds_max, sizeof(*window->places));
    if (!window->heads || !window->places) {
        gh_window_free(window);
        return NULL;
    }
    for (size_t i = 0; i < buckets; i++)
        window->heads[i] = NONE;
    window->key = key;
    window->kinds_max = kinds_max;
    window->mask = (uint32_t)(buckets - 1);
    window->free = NONE;
    for (unsigned event = 0; event < GH_AUDIT_EVENT_COUNT; event++) {
        window->crowd[event].event = (enum gh_audit_event)event;
        window->crowd_beats[event].first = true;
    }
    return window;
}

void gh_window_free(struct gh_window *window)
{
    if (!window)
        return;
    free(window->heads);
    free(window->places);
    free(window);
}

/* ---- Places ---- */

static struct place *find(struct gh_window *window, const struct gh_tally_entry *entry,
                          uint32_t bucket)
{
    for (uint32_t i = window->heads[bucket]; i != NONE; i = window->places[i].next)
        if (gh_tally_entry_alike(&window->places[i].entry, entry))
            return &window->places[i];
    return NULL;
}

static uint32_t free_place(struct gh_window *window)
{
    uint32_t index = window->free;
    if (index != NONE)
        window->free = window->places[index].next;
    else if (window->places_touched < window->kinds_max)
        index = (uint32_t)window->places_touched++;
    return index;
}

void gh_window_set_pace(struct gh_window *window, struct gh_window_pace pace)
{
    GH_ASSERT(pace.kinds_per_second <= SECOND_US && pace.kinds_at_once <= KINDS_MAX);
    window->pace = pace;
}

/* May a new kind begin? */
static bool is_in_pace(struct gh_window *window, struct gh_str user_id, uint64_t now_us)
{
    if (!window->pace.kinds_per_second)
        return true;
    uint64_t interval = SECOND_US / window->pace.kinds_per_second;
    uint64_t ahead_max = interval * window->pace.kinds_at_once;
    if (window->next_us < now_us || window->next_us - now_us > ahead_max) /* the clock went back */
        window->next_us = now_us;
    if (window->next_us - now_us >= interval * gh_tally_places(window->pace.kinds_at_once, user_id))
        return false;
    window->next_us += interval;
    return true;
}

/* False: there is no place. */
static bool keep(struct gh_window *window, const struct gh_tally_entry *entry, uint32_t bucket,
                 uint64_t now_us)
{
    if (window->used_count >= gh_tally_places(window->kinds_max, entry->user_id) ||
        !is_in_pace(window, entry->user_id, now_us))
        return false;
    uint32_t index = free_place(window);
    if (index == NONE)
        return false;
    struct place *place = &window->places[index];
    gh_tally_entry_copy(&place->entry, place->text, entry);
    place->beat = (struct beat){.began_us = now_us, .first = true};
    place->used = true;
    place->bucket = bucket;
    place->next = window->heads[bucket];
    window->heads[bucket] = index;
    window->used_count++;
    return true;
}

static void give_back(struct gh_window *window, uint32_t index)
{
    struct place *place = &window->places[index];
    uint32_t *link = &window->heads[place->bucket];
    while (*link != index)
        link = &window->places[*link].next;
    *link = place->next;
    place->used = false;
    place->next = window->free;
    window->free = index;
    window->used_count--;
}

/* ---- The rhythm ---- */

static bool is_over(struct beat *beat, uint64_t now_us)
{
    if (now_us < beat->began_us) /* the clock went back */
        beat->began_us = now_us;
    return now_us - beat->began_us >= GH_WINDOW_US;
}

/* The first of what was not written yet says when that began. */
static void add(struct gh_tally_entry *entry, struct beat *beat, const struct gh_tally_entry *more,
                uint64_t now_us)
{
    if (entry->count == 0) {
        entry->first_us = entry->last_us = more->first_us;
        if (beat->first || is_over(beat, now_us)) {
            beat->began_us = now_us;
            beat->first = true;
        }
    }
    gh_tally_entry_add(entry, more);
}

static bool report(const struct gh_tally_entry *entry, struct beat *beat, uint64_t now_us, bool all)
{
    bool due = entry->count && (all || beat->first || is_over(beat, now_us));
    beat->reported = due ? entry->count : 0;
    return due;
}

/* The minute of a first that could not be written for long begins when it is. */
static void settle(struct gh_tally_entry *entry, struct beat *beat, uint64_t now_us)
{
    if (!beat->reported)
        return;
    entry->count -= beat->reported;
    entry->request_id = GH_STR("");
    beat->reported = beat->saved = beat->saving = 0;
    if (beat->first && is_over(beat, now_us))
        beat->began_us = now_us;
    beat->first = false;
}

/* ---- Adding ---- */

static void add_to_crowd(struct gh_window *window, const struct gh_tally_entry *more,
                         uint64_t now_us)
{
    struct gh_tally_entry nameless = {
        .count = more->count, .first_us = more->first_us, .last_us = more->last_us};
    add(&window->crowd[more->event], &window->crowd_beats[more->event], &nameless, now_us);
}

void gh_window_add(struct gh_window *window, const struct gh_tally_taken *taken, uint64_t now_us)
{
    for (size_t i = 0; i < taken->entry_count; i++) {
        const struct gh_tally_entry *entry = &taken->entries[i];
        uint32_t bucket = (uint32_t)gh_tally_entry_hash(window->key, entry) & window->mask;
        struct place *place = find(window, entry, bucket);
        if (place)
            add(&place->entry, &place->beat, entry, now_us);
        else if (!keep(window, entry, bucket, now_us))
            add_to_crowd(window, entry, now_us);
    }
    for (unsigned event = 0; event < GH_AUDIT_EVENT_COUNT; event++) {
        struct gh_tally_entry more = {.event = (enum gh_audit_event)event,
                                      .count = taken->overflow[event],
                                      .first_us = now_us,
                                      .last_us = now_us};
        if (more.count)
            add_to_crowd(window, &more, now_us);
    }
}

/* ---- What is due ---- */

/* Is there nothing to write, and is the minute over? */
static bool is_quiet(struct place *place, uint64_t now_us)
{
    return place->entry.count == 0 && is_over(&place->beat, now_us);
}

/* The crowd's places come behind those of kinds, by event. */
static struct gh_window_entry entry_at(const struct gh_window *window, size_t index)
{
    bool is_crowd = index >= window->kinds_max;
    const struct gh_tally_entry *entry =
        is_crowd ? &window->crowd[index - window->kinds_max] : &window->places[index].entry;
    const struct beat *beat =
        is_crowd ? &window->crowd_beats[index - window->kinds_max] : &window->places[index].beat;
    return (struct gh_window_entry){*entry, (uint32_t)index, beat->saved > 0};
}

size_t gh_window_due(struct gh_window *window, uint64_t now_us, bool all,
                     struct gh_window_entry *out_entries, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < window->places_touched; i++) {
        struct place *place = &window->places[i];
        place->beat.reported = 0;
        if (place->used && is_quiet(place, now_us))
            give_back(window, (uint32_t)i);
        else if (place->used && count < max && report(&place->entry, &place->beat, now_us, all))
            out_entries[count++] = entry_at(window, i);
    }
    for (unsigned event = 0; event < GH_AUDIT_EVENT_COUNT; event++) {
        window->crowd_beats[event].reported = 0;
        if (count < max && report(&window->crowd[event], &window->crowd_beats[event], now_us, all))
            out_entries[count++] = entry_at(window, window->kinds_max + event);
    }
    return count;
}

void gh_window_written(struct gh_window *window, uint64_t now_us)
{
    for (size_t i = 0; i < window->places_touched; i++) {
        struct place *place = &window->places[i];
        if (!place->used)
            continue;
        settle(&place->entry, &place->beat, now_us);
        if (is_quiet(place, now_us))
            give_back(window, (uint32_t)i);
    }
    for (unsigned event = 0; event < GH_AUDIT_EVENT_COUNT; event++)
        settle(&window->crowd[event], &window->crowd_beats[event], now_us);
}

/* ---- What is saved meanwhile ---- */

uint32_t gh_window_places(const struct gh_window *window)
{
    return (uint32_t)window->kinds_max + GH_AUDIT_EVENT_COUNT;
}

static bool note_unsaved(const struct gh_tally_entry *entry, struct beat *beat, bool room)
{
    bool unsaved = room && entry->count && entry->count != beat->saved;
    beat->saving = unsaved ? entry->count : 0;
    return unsaved;
}

size_t gh_window_unsaved(struct gh_window *window, struct gh_window_entry *out_entries, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < window->places_touched; i++) {
        struct place *place = &window->places[i];
        if (place->used && note_unsaved(&place->entry, &place->beat, count < max))
            out_entries[count++] = entry_at(window, i);
    }
    for (unsigned event = 0; event < GH_AUDIT_EVENT_COUNT; event++)
        if (note_unsaved(&window->crowd[event], &window->crowd_beats[event], count < max))
            out_entries[count++] = entry_at(window, window->kinds_max + event);
    return count;
}

static void note_saved(struct beat *beat)
{
    if (beat->saving)
        beat->saved = beat->saving;
    beat->saving = 0;
}

void gh_window_saved(struct gh_window *window)
{
    for (size_t i = 0; i < window->places_touched; i++)
        if (window->places[i].used)
            note_saved(&window->places[i].beat);
    for (unsigned event = 0; event < GH_AUDIT_EVENT_COUNT; event++)
        note_saved(&window->crowd_beats[event]);
}

/* What was asked for last is no longer as it was told. */
static void disown(struct gh_tally_entry *entry, struct beat *beat)
{
    if (beat->saved) {
        entry->count -= beat->saved;
        entry->request_id = GH_STR("");
    }
    beat->reported = beat->saved = beat->saving = 0;
}

void gh_window_disown_saved(struct gh_window *window)
{
    for (size_t i = 0; i < window->places_touched; i++)
        if (window->places[i].used)
            disown(&window->places[i].entry, &window->places[i].beat);
    for (unsigned event = 0; event < GH_AUDIT_EVENT_COUNT; event++)
        disown(&window->crowd[event], &window->crowd_beats[event]);
}

struct gh_window_state gh_window_state(const struct gh_window *window)
{
    struct gh_window_state state = {.kinds = window->used_count};
    for (size_t i = 0; i < window->places_touched; i++)
        if (window->places[i].used)
            state.waiting = gh_tally_sum(state.waiting, window->places[i].entry.count);
    for (unsigned event = 0; event < GH_AUDIT_EVENT_COUNT; event++)
        state.waiting = gh_tally_sum(state.waiting, window->crowd[event].count);
    return state;
}
