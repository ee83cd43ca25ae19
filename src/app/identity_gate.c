/* What tokens are judged by, made from the keys of the moment and the settings: a copy that lives
   as long as its last reader. */
#include "app/identity_state.h"

#include "crypto/secret.h"

static bool copy_set(struct gh_arena *arena, const struct gh_token_key_set *from,
                     struct gh_token_key_set *to)
{
    struct gh_token_key *keys = gh_arena_zalloc(arena, from->count + 1, sizeof(*keys));
    if (!keys)
        return false;
    *to = (struct gh_token_key_set){keys, 0};
    for (size_t i = 0; i < from->count; i++) {
        keys[i] = from->keys[i];
        if (keys[i].pkey)
            gh_pkey_ref(keys[i].pkey);
        keys[i].kid = gh_arena_dup(arena, from->keys[i].kid);
        keys[i].secret = gh_secret_dup(from->keys[i].secret);
        to->count = i + 1;
        if (!keys[i].kid.ptr || keys[i].secret.len != from->keys[i].secret.len)
            return false;
    }
    return true;
}

static void set_done(struct gh_token_key_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        gh_secret_free((char *)set->keys[i].secret.ptr);
    gh_token_key_set_done(set);
}

static void release(struct gh_gate_version *version)
{
    set_done(&version->rules.cookie_keys);
    set_done(&version->rules.bearer_keys);
    for (size_t i = 0; i < version->rules.issuer_count; i++)
        if (version->rules.issuers[i].keys)
            set_done((struct gh_token_key_set *)version->rules.issuers[i].keys);
}

static uint32_t algorithms_of(const struct gh_config_list *names)
{
    const struct gh_str *items = names->items;
    uint32_t mask = 0;
    for (size_t i = 0; i < names->count; i++) {
        enum gh_token_alg alg;
        if (gh_token_alg_parse(items[i], &alg))
            mask |= 1u << alg;
    }
    return mask;
}

/* Under the lock. */
static bool copy_issuer(const struct gh_identity_host *host, struct gh_arena *arena,
                        const struct gh_issuer_settings *from, struct gh_gate_issuer *to)
{
    *to = (struct gh_gate_issuer){
        .issuer = gh_arena_dup(arena, from->issuer),
        .audience = gh_arena_dup(arena, from->audience),
        .algorithms = algorithms_of(&from->algorithms),
        .roles_claim = gh_arena_dup(arena, from->roles_claim),
    };
    for (size_t i = 0; i < host->issuer_count; i++) {
        const struct gh_issuer_state *state = &host->issuers[i];
        if (!state->known || !gh_str_eq(state->issuer, from->issuer))
            continue;
        struct gh_token_key_set *keys = gh_arena_zalloc(arena, 1, sizeof(*keys));
        if (!keys || !copy_set(arena, &state->keys, keys))
            return false;
        to->keys = keys;
    }
    return to->issuer.ptr && to->audience.ptr && to->roles_claim.ptr;
}

static bool copy_issuers(const struct gh_identity_host *host,
                         const struct gh_identity_settings *settings,
                         struct gh_gate_version *version)
{
    const struct gh_issuer_settings *from = settings->issuers.items;
    struct gh_gate_issuer *to =
        gh_arena_zalloc(&version->arena, settings->issuers.count + 1, sizeof(*to));
    if (!to)
        return false;
    version->rules.issuers = to;
    for (size_t i = 0; i < settings->issuers.count; i++) {
        bool copied = copy_issuer(host, &version->arena, &from[i], &to[i]);
        version->rules.issuer_count = i + 1;
        if (!copied)
            return false;
    }
    return true;
}

static bool copy_names(struct gh_arena *arena, const struct gh_role_names *from,
                       struct gh_role_names *to)
{
    struct gh_str *names = gh_arena_zalloc(arena, from->count + 1, sizeof(*names));
    if (!names)
        return false;
    *to = (struct gh_role_names){names, from->count};
    for (size_t i = 0; i < from->count; i++) {
        names[i] = gh_arena_dup(arena, from->names[i]);
        if (!names[i].ptr)
            return false;
    }
    return true;
}

/* Under the lock. */
static bool fill(struct gh_identity_host *host, const struct gh_identity_settings *settings,
                 struct gh_gate_version *version)
{
    struct gh_gate_rules *rules = &version->rules;
    rules->issuer = gh_arena_dup(&version->arena, settings->public_url);
    rules->audience = gh_arena_dup(&version->arena, settings->tokens.audience);
    rules->access_s = settings->tokens.access_ms / 1000;
    rules->leeway_s = host->identity.store->shared ? GH_CLOCKS_APART_S : 0;
    rules->epoch = ++host->epoch;
    return rules->issuer.ptr && rules->audience.ptr &&
           copy_names(&version->arena, &settings->role_names, &rules->roles) &&
           copy_set(&version->arena, &host->keys->keys.cookie, &rules->cookie_keys) &&
           copy_set(&version->arena, &host->keys->keys.ring, &rules->bearer_keys) &&
           copy_issuers(host, settings, version);
}

struct gh_gate_version *gh_identity_host_gate(struct gh_identity_host *host,
                                              const struct gh_identity_settings *settings)
{
    struct gh_gate_version *version = gh_gate_version_new();
    if (!version)
        return NULL;
    version->done = release;
    pthread_mutex_lock(&host->lock);
    bool filled = fill(host, settings, version);
    pthread_mutex_unlock(&host->lock);
    if (filled)
        return version;
    gh_gate_version_unref(version);
    return NULL;
}

bool gh_identity_host_publish(struct gh_identity_host *host,
                              const struct gh_identity_settings *settings)
{
    pthread_mutex_lock(&host->loading); /* of two threads the later one knows more */
    struct gh_gate_version *version = gh_identity_host_gate(host, settings);
    if (version)
        gh_server_set_gate_rules(host->server, version);
    pthread_mutex_unlock(&host->loading);
    return version != NULL;
}
