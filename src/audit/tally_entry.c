#include "audit/tally_entry.h"

/* What is hashed: an event, and five texts with a length each. */
#define HASHED_BYTES_MAX                                                                           \
    (1 + 5 + GH_TALLY_REASON_MAX + GH_TALLY_DETAIL_MAX + GH_TALLY_CLIENT_MAX +                     \
     GH_TALLY_ROUTE_MAX + GH_TALLY_ID_MAX)

struct gh_tally_entry gh_tally_entry_of(const struct gh_refusal *refusal)
{
    return (struct gh_tally_entry){
        .event = refusal->event,
        .count = 1,
        .first_us = refusal->time_us,
        .last_us = refusal->time_us,
        .reason = gh_str_first(refusal->reason, GH_TALLY_REASON_MAX),
        .detail = gh_str_first(refusal->detail, GH_TALLY_DETAIL_MAX),
        .client = gh_str_first(refusal->client, GH_TALLY_CLIENT_MAX),
        .route = gh_str_first(refusal->route, GH_TALLY_ROUTE_MAX),
        .user_id = gh_str_first(refusal->user_id, GH_TALLY_ID_MAX),
        .session = gh_str_first(refusal->session, GH_TALLY_ID_MAX),
        .user_agent = gh_str_first(refusal->user_agent, GH_TALLY_USER_AGENT_MAX),
        .request_id = gh_str_first(refusal->request_id, GH_TALLY_REQUEST_ID_MAX),
    };
}

static size_t put(char *bytes, size_t at, struct gh_str text)
{
    bytes[at++] = (char)text.len; /* under 256 */
    if (text.len)
        memcpy(bytes + at, text.ptr, text.len);
    return at + text.len;
}

uint64_t gh_tally_entry_hash(struct gh_hash_key key, const struct gh_tally_entry *entry)
{
    char bytes[HASHED_BYTES_MAX];
    size_t len = 0;
    bytes[len++] = (char)entry->event;
    len = put(bytes, len, entry->reason);
    len = put(bytes, len, entry->detail);
    len = put(bytes, len, entry->client);
    len = put(bytes, len, entry->route);
    len = put(bytes, len, entry->user_id);
    return gh_hash64(key, gh_str_of(bytes, len));
}

bool gh_tally_entry_alike(const struct gh_tally_entry *a, const struct gh_tally_entry *b)
{
    return a->event == b->event && gh_str_eq(a->reason, b->reason) &&
           gh_str_eq(a->detail, b->detail) && gh_str_eq(a->client, b->client) &&
           gh_str_eq(a->route, b->route) && gh_str_eq(a->user_id, b->user_id);
}

static struct gh_str keep(char **text, struct gh_str value)
{
    struct gh_str kept = gh_str_of(*text, value.len);
    if (value.len)
        memcpy(*text, value.ptr, value.len);
    *text += value.len;
    return kept;
}

void gh_tally_entry_copy(struct gh_tally_entry *out, char text[GH_TALLY_TEXT_BYTES],
                         const struct gh_tally_entry *from)
{
    *out = *from;
    out->reason = keep(&text, from->reason);
    out->detail = keep(&text, from->detail);
    out->client = keep(&text, from->client);
    out->route = keep(&text, from->route);
    out->user_id = keep(&text, from->user_id);
    out->session = keep(&text, from->session);
    out->user_agent = keep(&text, from->user_agent);
    out->request_id = keep(&text, from->request_id);
}

uint64_t gh_tally_sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

void gh_tally_entry_add(struct gh_tally_entry *entry, const struct gh_tally_entry *more)
{
    entry->count = gh_tally_sum(entry->count, more->count);
    if (more->first_us < entry->first_us)
        entry->first_us = more->first_us;
    if (more->last_us > entry->last_us)
        entry->last_us = more->last_us;
}

size_t gh_tally_places(size_t places_max, struct gh_str user_id)
{
    return user_id.len ? places_max : places_max - places_max / 8;
}
