#include "audit/event.h"

#include "base/assert.h"

static const struct gh_audit_event_facts FACTS[GH_AUDIT_EVENT_COUNT] = {
#define X(id, name, privileged, meaning) {GH_STR_INIT(name), privileged, GH_STR_INIT(meaning)},
    GH_AUDIT_EVENTS(X)
#undef X
};

static const struct gh_audit_member MEMBERS[] = {
#define X(event, name, type, personal, meaning)                                                    \
    {GH_AUDIT_##event, GH_STR_INIT(name), GH_AUDIT_MEMBER_##type, personal, GH_STR_INIT(meaning)},
    GH_AUDIT_MEMBERS(X)
#undef X
};
#define MEMBER_COUNT (sizeof(MEMBERS) / sizeof(MEMBERS[0]))

const struct gh_audit_event_facts *gh_audit_event_facts(enum gh_audit_event event)
{
    GH_ASSERT((unsigned)event < GH_AUDIT_EVENT_COUNT);
    return &FACTS[event];
}

bool gh_audit_event_parse(struct gh_str name, enum gh_audit_event *out_event)
{
    for (unsigned i = 0; i < GH_AUDIT_EVENT_COUNT; i++) {
        if (!gh_str_eq(FACTS[i].name, name))
            continue;
        *out_event = (enum gh_audit_event)i;
        return true;
    }
    return false;
}

const struct gh_audit_member *gh_audit_event_members(enum gh_audit_event event, size_t *out_count)
{
    size_t first = 0;
    while (first < MEMBER_COUNT && MEMBERS[first].event < event)
        first++;
    size_t end = first;
    while (end < MEMBER_COUNT && MEMBERS[end].event == event)
        end++;
    *out_count = end - first;
    return &MEMBERS[first];
}

const struct gh_audit_member *gh_audit_member_find(enum gh_audit_event event, struct gh_str name)
{
    size_t count;
    const struct gh_audit_member *members = gh_audit_event_members(event, &count);
    for (size_t i = 0; i < count; i++)
        if (gh_str_eq(members[i].name, name))
            return &members[i];
    return NULL;
}
