#include "audit/event.h"

#include "base/assert.h"

static const struct gh_audit_event_facts FACTS[GH_AUDIT_EVENT_COUNT] = {
#define X(id, name, privileged, members, meaning)                                                  \
    {GH_STR_INIT(name), privileged, GH_STR_INIT(members), GH_STR_INIT(meaning)},
    GH_AUDIT_EVENTS(X)
#undef X
};

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
