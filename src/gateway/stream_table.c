#include "gateway/stream_table.h"

#include <stdlib.h>

#include "base/assert.h"

/* Open addressing, probed one by one; the number of places is a power of two. */
struct view {
    struct gh_stream_place *places;
    size_t mask;
};

static struct view view_of(const struct gh_stream_table *table)
{
    if (table->heap)
        return (struct view){table->heap, table->places - 1};
    return (struct view){(struct gh_stream_place *)table->first, GH_STREAM_TABLE_FIRST - 1};
}

static size_t home_of(struct view view, gh_stream_id id)
{
    return (id >> 1) & view.mask;
}

/* Where `id` stands, or the free place where it would. */
static size_t place_of(struct view view, gh_stream_id id)
{
    size_t at = home_of(view, id);
    while (view.places[at].exchange && view.places[at].id != id)
        at = (at + 1) & view.mask;
    return at;
}

static bool grow(struct gh_stream_table *table)
{
    struct view from = view_of(table);
    size_t places = (from.mask + 1) * 2;
    if (places > GH_STREAM_TABLE_MAX)
        return false;
    struct view to = {calloc(places, sizeof(*to.places)), places - 1};
    if (!to.places)
        return false;
    for (size_t i = 0; i <= from.mask; i++)
        if (from.places[i].exchange)
            to.places[place_of(to, from.places[i].id)] = from.places[i];
    memset(table->first, 0, sizeof(table->first)); /* it is used again some time */
    free(table->heap);
    table->heap = to.places;
    table->places = places;
    return true;
}

bool gh_stream_table_put(struct gh_stream_table *table, gh_stream_id id,
                         struct gh_exchange *exchange)
{
    struct view view = view_of(table);
    if (table->count >= (view.mask + 1) / 4 * 3) {
        if (!grow(table))
            return false;
        view = view_of(table);
    }
    struct gh_stream_place *place = &view.places[place_of(view, id)];
    GH_ASSERT(!place->exchange);
    *place = (struct gh_stream_place){id, exchange};
    table->count++;
    return true;
}

struct gh_exchange *gh_stream_table_find(const struct gh_stream_table *table, gh_stream_id id)
{
    struct view view = view_of(table);
    return view.places[place_of(view, id)].exchange;
}

void gh_stream_table_remove(struct gh_stream_table *table, gh_stream_id id)
{
    struct view view = view_of(table);
    size_t hole = place_of(view, id);
    if (!view.places[hole].exchange)
        return;
    /* What was probed past the hole comes back to it. */
    for (size_t at = (hole + 1) & view.mask; view.places[at].exchange; at = (at + 1) & view.mask) {
        size_t home = home_of(view, view.places[at].id);
        if (((at - home) & view.mask) >= ((at - hole) & view.mask)) {
            view.places[hole] = view.places[at];
            hole = at;
        }
    }
    view.places[hole].exchange = NULL;
    if (--table->count == 0) {
        free(table->heap);
        table->heap = NULL;
    }
}
