#include "app/audit_stretches.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define ROOM_MIN 4

void gh_audit_stretches_done(struct gh_audit_stretches *stretches)
{
    free(stretches->items);
    *stretches = (struct gh_audit_stretches){.items = NULL};
}

static bool make_room(struct gh_audit_stretches *stretches, size_t count)
{
    size_t room = stretches->room ? stretches->room : ROOM_MIN;
    while (room < count)
        room *= 2;
    if (room == stretches->room)
        return true;
    struct gh_audit_stretch *items = realloc(stretches->items, room * sizeof(*items));
    if (!items)
        return false;
    stretches->items = items;
    stretches->room = room;
    return true;
}

/* The one that these records go on with. */
static struct gh_audit_stretch *find(const struct gh_audit_stretches *stretches, uint32_t chain,
                                     uint64_t after, uint64_t through)
{
    bool apart = stretches->count < GH_AUDIT_STRETCHES_APART_MAX;
    for (size_t i = 0; i < stretches->count; i++) {
        struct gh_audit_stretch *stretch = &stretches->items[i];
        bool touches = after <= stretch->through && stretch->from <= through;
        if (stretch->chain == chain && (touches || !apart))
            return stretch;
    }
    return NULL;
}

bool gh_audit_stretches_add(struct gh_audit_stretches *stretches, uint32_t chain, uint64_t after,
                            uint64_t through)
{
    struct gh_audit_stretch *known = find(stretches, chain, after, through);
    GH_ASSERT(through != GH_AUDIT_STRETCH_OPEN || !gh_audit_stretches_open(stretches));
    if (!known) {
        if (!make_room(stretches, stretches->count + 1))
            return false;
        stretches->items[stretches->count++] = (struct gh_audit_stretch){
            .chain = chain, .from = after, .after = after, .through = through};
        return true;
    }
    if (after < known->from)
        known->from = known->after = after;
    if (through > known->through)
        known->through = through;
    return true;
}

const struct gh_audit_stretch *gh_audit_stretches_open(const struct gh_audit_stretches *stretches)
{
    for (size_t i = 0; i < stretches->count; i++)
        if (stretches->items[i].through == GH_AUDIT_STRETCH_OPEN)
            return &stretches->items[i];
    return NULL;
}

size_t gh_audit_stretches_next(const struct gh_audit_stretches *stretches)
{
    size_t next = stretches->count;
    for (size_t i = 0; i < stretches->count; i++) {
        next = i;
        if (stretches->items[i].through != GH_AUDIT_STRETCH_OPEN)
            break;
    }
    return next;
}

void gh_audit_stretches_end(struct gh_audit_stretches *stretches, uint64_t through)
{
    for (size_t i = 0; i < stretches->count; i++)
        if (stretches->items[i].through == GH_AUDIT_STRETCH_OPEN)
            stretches->items[i].through = through;
}

void gh_audit_stretches_remove(struct gh_audit_stretches *stretches, size_t index)
{
    GH_ASSERT(index < stretches->count);
    stretches->count--;
    memmove(stretches->items + index, stretches->items + index + 1,
            (stretches->count - index) * sizeof(*stretches->items));
}

bool gh_audit_stretches_copy(struct gh_audit_stretches *to, const struct gh_audit_stretches *from)
{
    GH_ASSERT(!to->count);
    if (!make_room(to, from->count))
        return false;
    if (from->count)
        memcpy(to->items, from->items, from->count * sizeof(*to->items));
    to->count = from->count;
    return true;
}
