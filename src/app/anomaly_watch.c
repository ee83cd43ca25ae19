#include "app/anomaly_watch.h"

#include <stdlib.h>

#include "app/anomaly_claims.h"
#include "base/assert.h"
#include "json/parse.h"
#include "json/writer.h"

#define SECOND_US           1000000ull
#define MUTED_BYTES_MAX     32 /* `,"muted":N` */
#define SCRATCH_BLOCK_BYTES (16u << 10)
#define SCRATCH_BYTES_MAX   (256u << 10)
#define KEY_BYTES_MAX       (GH_ANOMALY_METADATA_BYTES_MAX + GH_ANOMALY_ACCOUNT_BYTES_MAX)

struct waiting {
    char account[GH_ANOMALY_ACCOUNT_BYTES_MAX];
    char metadata[GH_ANOMALY_METADATA_BYTES_MAX + MUTED_BYTES_MAX];
};

struct gh_anomaly_watch {
    struct gh_anomaly_config config;
    struct gh_anomaly *anomaly;
    struct gh_sanctions *sanctions;
    bool quiet;      /* a replay */
    bool caught_up;  /* with what was there at the start */
    bool shared;     /* what is found all processes find that read this log */
    uint64_t now_us; /* of this turn */
    unsigned place;  /* of this process in line; 0: the first */
    struct gh_anomaly_claims *claims;
    struct gh_hash_key key;
    struct gh_arena scratch; /* of one record's metadata */
    uint64_t muted;          /* since the last finding that was kept */
    struct gh_anomaly_watch_counts counts;
    struct gh_audit_record records[GH_ANOMALY_WAITING_MAX]; /* texts in `texts` of the same place */
    struct waiting texts[GH_ANOMALY_WAITING_MAX];
    size_t waiting_count;
};

struct gh_anomaly_watch *gh_anomaly_watch_new(const struct gh_anomaly_config *config,
                                              struct gh_sanctions *sanctions,
                                              struct gh_hash_key key)
{
    struct gh_anomaly_watch *watch = calloc(1, sizeof(*watch));
    const struct gh_anomaly_settings rules = gh_anomaly_config_rules(config);
    if (!watch)
        return NULL;
    watch->config = *config;
    watch->sanctions = sanctions;
    watch->key = key;
    gh_arena_init(&watch->scratch, SCRATCH_BLOCK_BYTES, SCRATCH_BYTES_MAX);
    watch->anomaly = gh_anomaly_new(&rules, key, (struct gh_anomaly_sizes){.networks = 0});
    watch->claims = gh_anomaly_claims_new();
    if (sanctions)
        gh_sanctions_set_pace(sanctions, config->pace_ms);
    if (watch->anomaly && watch->claims)
        return watch;
    gh_anomaly_watch_free(watch);
    return NULL;
}

void gh_anomaly_watch_free(struct gh_anomaly_watch *watch)
{
    if (!watch)
        return;
    gh_anomaly_free(watch->anomaly);
    gh_anomaly_claims_free(watch->claims);
    gh_arena_done(&watch->scratch);
    free(watch);
}

void gh_anomaly_watch_set(struct gh_anomaly_watch *watch, const struct gh_anomaly_config *config)
{
    const struct gh_anomaly_settings rules = gh_anomaly_config_rules(config);
    bool taken_back = false;
    for (unsigned i = 0; i < GH_ANOMALY_RULE_COUNT; i++)
        taken_back |= watch->config.actions[i] > GH_ANOMALY_LOG &&
                      watch->config.actions[i] != config->actions[i];
    if (taken_back) /* whose sanction came from which rule is not kept */
        gh_sanctions_clear(watch->sanctions);
    watch->config = *config;
    gh_sanctions_set_pace(watch->sanctions, config->pace_ms);
    gh_anomaly_set(watch->anomaly, &rules);
}

/* ---- Sanctions ---- */

/* False: the action is none. */
static bool find_term(const struct gh_anomaly_watch *watch,
                      const struct gh_anomaly_finding *finding, struct gh_sanction_term *out)
{
    uint64_t ms = 0;
    switch (watch->config.actions[finding->rule]) {
    case GH_ANOMALY_OFF:
    case GH_ANOMALY_LOG:
        return false;
    case GH_ANOMALY_SECOND_FACTOR:
        out->kind = GH_SANCTION_SECOND_FACTOR;
        ms = watch->config.second_factor_ms;
        break;
    case GH_ANOMALY_SLOW:
        out->kind = GH_SANCTION_SLOW;
        ms = watch->config.slow_ms;
        break;
    case GH_ANOMALY_BLOCK:
        out->kind = GH_SANCTION_BLOCK;
        ms = watch->config.block_ms;
        break;
    }
    out->since_s = finding->time_us / SECOND_US;
    out->until_s = out->since_s + ms / 1000;
    return true;
}

/* False: there is nobody to put it on. */
static bool find_whom(const struct gh_anomaly_watch *watch,
                      const struct gh_anomaly_finding *finding, uint64_t *out)
{
    enum gh_anomaly_scope target = gh_anomaly_rule_facts(finding->rule)->target;
    struct gh_ip_network network;
    bool of_account =
        target == GH_ANOMALY_OF_ACCOUNT || (target == GH_ANOMALY_OF_CALLER && finding->account.len);
    if (of_account && finding->account.len) {
        *out = gh_sanctions_account(watch->sanctions, finding->account);
        return true;
    }
    if (of_account || !gh_ip_network_parse(finding->network, &network))
        return false;
    *out = gh_sanctions_network(watch->sanctions, &network.base);
    return true;
}

/* ---- Findings ---- */

/* Of everybody's findings the network is one of many. */
static bool names_network(const struct gh_anomaly_finding *finding)
{
    return finding->network.len &&
           gh_anomaly_rule_facts(finding->rule)->scope != GH_ANOMALY_OF_EVERYBODY;
}

static void put_metadata(struct gh_buf *buf, const struct gh_anomaly_finding *finding,
                         enum gh_anomaly_action action)
{
    gh_buf_put_char(buf, '{');
    gh_json_put_member(buf, GH_STR("rule"), gh_anomaly_rule_facts(finding->rule)->name);
    if (finding->account.len)
        gh_json_put_member(buf, GH_STR("account"), finding->account);
    if (names_network(finding))
        gh_json_put_member(buf, GH_STR("network"), finding->network);
    gh_json_put_member(buf, GH_STR("action"), gh_str_from_c(gh_anomaly_action_name(action)));
    gh_json_put_name(buf, GH_STR("evidence"));
    gh_buf_put(buf, finding->evidence);
    gh_buf_put_char(buf, '}');
}

/* False: no id of ours: somebody wrote into the store. */
static bool describe(const struct gh_anomaly_watch *watch, const struct gh_anomaly_finding *finding,
                     struct gh_anomaly_kept *out)
{
    struct gh_buf account = gh_buf_over(out->account, sizeof(out->account));
    struct gh_buf metadata = gh_buf_over(out->metadata, sizeof(out->metadata));
    gh_buf_put(&account, finding->account);
    put_metadata(&metadata, finding, watch->config.actions[finding->rule]);
    out->time_us = finding->time_us;
    out->rule = finding->rule;
    out->account_len = account.len;
    out->metadata_len = metadata.len;
    return !account.overflow && !metadata.overflow;
}

/* What stands in the first record since says how many were left to others. */
static void put_with_muted(struct gh_buf *buf, struct gh_str metadata, uint64_t muted)
{
    gh_buf_put(buf, gh_str_of(metadata.ptr, metadata.len - (muted > 0)));
    if (!muted)
        return;
    gh_buf_put(buf, GH_STR(",\"muted\":"));
    gh_buf_put_u64(buf, muted);
    gh_buf_put_char(buf, '}');
}

static void keep_for_log(struct gh_anomaly_watch *watch, const struct gh_anomaly_kept *kept)
{
    watch->counts.found[kept->rule]++;
    if (watch->waiting_count == GH_ANOMALY_WAITING_MAX) {
        watch->counts.lost++;
        return;
    }
    struct waiting *texts = &watch->texts[watch->waiting_count];
    struct gh_buf account = gh_buf_over(texts->account, sizeof(texts->account));
    struct gh_buf metadata = gh_buf_over(texts->metadata, sizeof(texts->metadata));
    gh_buf_put(&account, gh_str_of(kept->account, kept->account_len));
    put_with_muted(&metadata, gh_str_of(kept->metadata, kept->metadata_len), watch->muted);
    watch->muted = 0;
    watch->records[watch->waiting_count++] = (struct gh_audit_record){
        .time_us = kept->time_us,
        .event = GH_AUDIT_ANOMALY_DETECTED,
        .user_id = gh_buf_str(&account),
        .outcome = GH_AUDIT_SUCCESS,
        .metadata = gh_buf_str(&metadata),
    };
}

static void mute(struct gh_anomaly_watch *watch)
{
    watch->counts.muted++;
    watch->muted++;
}

/* ---- Who records it ---- */

/* The same for what is found and for the record of it. */
static uint64_t key_of(const struct gh_anomaly_watch *watch, struct gh_str rule,
                       struct gh_str account, struct gh_str network)
{
    char memory[KEY_BYTES_MAX];
    struct gh_buf key = gh_buf_over(memory, sizeof(memory));
    gh_buf_put(&key, rule);
    gh_buf_put_char(&key, '\n');
    gh_buf_put(&key, account);
    gh_buf_put_char(&key, '\n');
    gh_buf_put(&key, network);
    return gh_hash64(watch->key, gh_buf_str(&key));
}

static void claim(struct gh_anomaly_watch *watch, const struct gh_anomaly_finding *finding)
{
    uint64_t key = key_of(watch, gh_anomaly_rule_facts(finding->rule)->name, finding->account,
                          names_network(finding) ? finding->network : GH_STR(""));
    struct gh_anomaly_kept kept;
    if (!describe(watch, finding, &kept)) {
        watch->counts.found[finding->rule]++;
        watch->counts.lost++;
        return;
    }
    if (!watch->shared) {
        gh_anomaly_claims_mine(watch->claims, key, watch->now_us);
        keep_for_log(watch, &kept);
        return;
    }
    switch (gh_anomaly_claims_found(watch->claims, key, watch->place, watch->now_us, &kept)) {
    case GH_ANOMALY_CLAIM_OURS:
        keep_for_log(watch, &kept);
        break;
    case GH_ANOMALY_CLAIM_THEIRS:
        mute(watch);
        break;
    case GH_ANOMALY_CLAIM_WAITS:
        break;
    }
}

/* Some process has recorded it. */
static void note_recorded(struct gh_anomaly_watch *watch, struct gh_str metadata)
{
    struct gh_json_doc doc;
    gh_arena_reset(&watch->scratch);
    if (gh_json_parse(&watch->scratch, metadata, &gh_json_small, &doc, NULL) != GH_JSON_OK)
        return;
    const struct gh_json_value *root = gh_json_root(&doc);
    uint64_t key = key_of(watch, gh_json_string(gh_json_get(&doc, root, GH_STR("rule"))),
                          gh_json_string(gh_json_get(&doc, root, GH_STR("account"))),
                          gh_json_string(gh_json_get(&doc, root, GH_STR("network"))));
    if (gh_anomaly_claims_recorded(watch->claims, key, watch->now_us))
        mute(watch);
}

void gh_anomaly_watch_claim(struct gh_anomaly_watch *watch, bool last)
{
    struct gh_anomaly_kept kept;
    while (gh_anomaly_claims_due(watch->claims, last ? UINT64_MAX : watch->now_us, &kept))
        keep_for_log(watch, &kept);
}

static void found(void *context, const struct gh_anomaly_finding *finding)
{
    struct gh_anomaly_watch *watch = context;
    struct gh_sanction_term term;
    uint64_t whom;
    if (find_term(watch, finding, &term) && find_whom(watch, finding, &whom))
        gh_sanctions_put(watch->sanctions, whom, &term);
    if (finding->onset && !watch->quiet)
        claim(watch, finding);
}

/* ---- Feeding ---- */

void gh_anomaly_watch_record(struct gh_anomaly_watch *watch, const struct gh_audit_record *record,
                             bool quiet)
{
    watch->quiet = quiet;
    watch->shared = true;
    watch->caught_up |= !quiet;
    if (record->event == GH_AUDIT_ANOMALY_DETECTED && !quiet)
        note_recorded(watch, record->metadata);
    gh_anomaly_record(watch->anomaly, record, found, watch);
}

void gh_anomaly_watch_turn(struct gh_anomaly_watch *watch, uint64_t now_us, unsigned place)
{
    watch->now_us = now_us;
    watch->place = place;
}

void gh_anomaly_watch_caught_up(struct gh_anomaly_watch *watch)
{
    watch->caught_up = true;
}

void gh_anomaly_watch_traffic(struct gh_anomaly_watch *watch,
                              const struct gh_anomaly_requests *traffic)
{
    if (!watch->caught_up)
        return;
    watch->quiet = watch->shared = false;
    gh_anomaly_traffic(watch->anomaly, traffic, found, watch);
}

const struct gh_audit_record *gh_anomaly_watch_findings(struct gh_anomaly_watch *watch,
                                                        size_t *out_count)
{
    *out_count = watch->waiting_count;
    return watch->records;
}

void gh_anomaly_watch_written(struct gh_anomaly_watch *watch, size_t count)
{
    GH_ASSERT(count == watch->waiting_count); /* all or none, as a unit of the store is */
    watch->waiting_count = 0;
}

struct gh_anomaly_watch_counts gh_anomaly_watch_counts(const struct gh_anomaly_watch *watch)
{
    return watch->counts;
}
