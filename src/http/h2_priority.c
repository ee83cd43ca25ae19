#include "http/h2_priority.h"

#include "http/sfv.h"

/* Who says more says nothing: it would cost more than the order is worth. */
#define VALUE_BYTES_MAX 64

/* Members that are unknown, of another type or out of range are ignored, section 4. */
static void take_member(const struct gh_sfv_member *member, struct gh_h2_priority *priority)
{
    const struct gh_sfv_item *item = &member->item;
    if (gh_str_eq(member->key, GH_STR("u")) && item->type == GH_SFV_INTEGER && item->integer >= 0 &&
        item->integer <= GH_H2_URGENCY_MAX)
        priority->urgency = (unsigned)item->integer;
    else if (gh_str_eq(member->key, GH_STR("i")) && item->type == GH_SFV_BOOLEAN)
        priority->incremental = item->integer != 0;
}

static bool take_line(struct gh_str value, struct gh_arena *arena, struct gh_h2_priority *priority)
{
    struct gh_sfv_list members;
    if (value.len > VALUE_BYTES_MAX || !gh_sfv_parse_dictionary(value, arena, &members))
        return false;
    for (size_t i = 0; i < members.count; i++)
        take_member(&members.members[i], priority);
    return true;
}

bool gh_h2_priority_read(const struct gh_fields *fields, struct gh_arena *arena,
                         struct gh_h2_priority *out_priority)
{
    bool any = false;
    struct gh_h2_priority priority = {.urgency = GH_H2_URGENCY_DEFAULT};
    for (size_t i = 0; i < fields->count; i++) {
        const struct gh_field *field = &fields->items[i];
        if (field->id != GH_FIELD_OTHER || !gh_str_eq(field->name, GH_STR("priority")))
            continue;
        if (any || !take_line(field->value, arena, &priority))
            return false;
        any = true;
    }
    *out_priority = priority;
    return any;
}
