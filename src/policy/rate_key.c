/*
 * Whom a rate limit counts a request for: the client, who is signed in, a header, a field of the
 * body (rate_body.h).
 */
#include "policy/rate.h"

#include "policy/policy.h"
#include "policy/rate_body.h"
#include "policy/rate_spelling.h"

/* What a client that is one of many behind a prefix is counted by (SPEC stage 3). */
#define V4_BITS 32
#define V6_BITS 64

struct making {
    const struct gh_request *request;
    const struct gh_rate_body *body;
    struct gh_hash_key secret;
};

/* ---- What is in the head ---- */

/* False: there are several lines of it, and another reader may take another one. An absent one
   counts as empty. */
static bool header_part(const struct making *making, const struct gh_rate_key *key,
                        struct gh_hash128 *out_part)
{
    const struct gh_fields *fields = &making->request->head->fields;
    const struct gh_field *found = NULL;
    for (size_t i = 0; i < fields->count; i++) {
        const struct gh_field *field = &fields->items[i];
        if (field->dropped || !gh_str_ieq(field->name, key->name))
            continue;
        if (found)
            return false;
        found = field;
    }
    *out_part = gh_hash128(making->secret, found ? found->value : GH_STR(""));
    return true;
}

static struct gh_hash128 client_part(const struct gh_request *request)
{
    struct gh_ip network = gh_ip_mask(&request->client, V4_BITS, V6_BITS);
    struct gh_hash128 part = {(uint64_t)network.family, 0};
    if (network.family == GH_IP_V4)
        memcpy(&part.hi, network.bytes, V4_BITS / 8);
    else
        memcpy(&part.hi, network.bytes, V6_BITS / 8);
    return part;
}

/* Two issuers may use one id for two people. */
static struct gh_hash128 user_part(const struct making *making)
{
    const struct gh_request *request = making->request;
    if (!request->signed_in)
        return client_part(request);
    const struct gh_hash128 both[] = {gh_hash128(making->secret, request->subject.issuer),
                                      gh_hash128(making->secret, request->subject.id)};
    return gh_hash128(making->secret, gh_str_of((const char *)both, sizeof(both)));
}

static struct gh_hash128 session_part(const struct making *making)
{
    const struct gh_request *request = making->request;
    if (!request->signed_in || !request->subject.session_id.len)
        return user_part(making);
    return gh_hash128(making->secret, request->subject.session_id);
}

/* ---- What is in the body ---- */

/* What an e-mail is called. */
static bool is_mail(struct gh_arena *arena, struct gh_str name)
{
    struct gh_str folded = gh_rate_fold(arena, name);
    return gh_str_find(folded, GH_STR("mail")) < folded.len;
}

static bool is_ascii(struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((uint8_t)text.ptr[i] >= 0x80)
            return false;
    return true;
}

/* One spelling of an address. Databases compare them by collations that drop control characters and
   take more for one letter than is known here: what folding leaves outside of ASCII, or is in
   another charset, is counted as one for all. False: it is not clear. */
static bool fold_mail(const struct making *making, struct gh_str *value)
{
    bool may_be_other = making->body->other_charset && !is_ascii(*value);
    struct gh_str folded = gh_rate_fold(making->request->arena, *value);
    bool is_service = making->request->target == GH_TARGET_SERVICE; /* which compares bytes */
    if (!is_service && !may_be_other && !gh_rate_is_plain(*value))
        return false;
    *value = !is_service && (may_be_other || !is_ascii(folded)) ? GH_STR("\xff") : folded;
    return value->ptr != NULL;
}

/* False: it is not clear. A missing or empty value falls back to the client. */
static bool body_part(const struct making *making, const struct gh_rate_key *key,
                      struct gh_hash128 *out_part)
{
    const struct gh_request *request = making->request;
    struct gh_str value = {0};
    enum gh_rate_found found = gh_rate_body_find(making->body, request->arena, key->name, &value);
    /* The service answers itself what is not as it should be. */
    if (found == GH_RATE_UNCLEAR && request->target != GH_TARGET_SERVICE)
        return false;
    if (found != GH_RATE_FOUND) {
        *out_part = client_part(request);
        return true;
    }
    if (is_mail(request->arena, key->name) && !fold_mail(making, &value))
        return false;
    *out_part = gh_hash128(making->secret, value);
    return true;
}

/* ---- The key ---- */

static bool key_part(const struct making *making, const struct gh_rate_key *key,
                     struct gh_hash128 *out_part)
{
    const struct gh_request *request = making->request;
    switch (key->kind) {
    case GH_RATE_KEY_CLIENT:
        *out_part = client_part(request);
        return true;
    case GH_RATE_KEY_ROUTE:
        *out_part = gh_hash128(making->secret, request->route->pattern);
        return true;
    case GH_RATE_KEY_HEADER:
        return header_part(making, key, out_part);
    case GH_RATE_KEY_USER:
        *out_part = user_part(making);
        return true;
    case GH_RATE_KEY_SESSION:
        *out_part = session_part(making);
        return true;
    case GH_RATE_KEY_BODY:
        break;
    }
    return body_part(making, key, out_part);
}

/* Policy and source in one: each part has a fixed length, and the shape says what they are. */
bool gh_rate_key_make(const struct gh_request *request, const struct gh_rate_policy *policy,
                      const struct gh_rate_body *body, struct gh_hash_key secret,
                      struct gh_hash128 *out_key)
{
    const struct making making = {request, body, secret};
    uint64_t words[1 + 2 * GH_RATE_KEYS_MAX];
    size_t count = 0;
    words[count++] = policy->shape;
    for (size_t i = 0; i < policy->key_count; i++) {
        struct gh_hash128 part;
        if (!key_part(&making, &policy->keys[i], &part))
            return false;
        words[count++] = part.lo;
        words[count++] = part.hi;
    }
    *out_key = gh_hash128(making.secret, gh_str_of((const char *)words, count * sizeof(words[0])));
    return true;
}
