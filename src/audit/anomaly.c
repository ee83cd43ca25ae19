/* The life of the state, and which rules look at which record. */
#include "audit/anomaly.h"

#include <stdlib.h>

#include "audit/anomaly_state.h"
#include "base/assert.h"
#include "json/writer.h"

#define SECOND_US       1000000ull
#define CLOCK_BACK_S    3600u
#define DAY_S           86400u
#define NETWORKS        4096
#define ACCOUNTS        16384
#define ADDRESSES       16384
#define METADATA_ARENA  (32u * 1024)
#define ADDRESS_LEN_MAX 254

/* What a table must not forget while it is idle, in favour of newcomers. */
#define NETWORK_KEEP_S (2 * DAY_S)
#define ACCOUNT_KEEP_S (GH_ANOMALY_DAYS * DAY_S)
#define ADDRESS_KEEP_S DAY_S

struct gh_anomaly *gh_anomaly_new(const struct gh_anomaly_settings *settings,
                                  struct gh_hash_key key, struct gh_anomaly_sizes sizes)
{
    struct gh_anomaly *anomaly = calloc(1, sizeof(*anomaly));
    if (!anomaly)
        return NULL;
    anomaly->settings = *settings;
    anomaly->key = key;
    gh_arena_init(&anomaly->scratch, METADATA_ARENA, 4 * METADATA_ARENA);
    bool ok = gh_anomaly_table_init(&anomaly->networks, sizeof(struct gh_anomaly_network),
                                    sizes.networks ? sizes.networks : NETWORKS, NETWORK_KEEP_S);
    ok &= gh_anomaly_table_init(&anomaly->accounts, sizeof(struct gh_anomaly_account),
                                sizes.accounts ? sizes.accounts : ACCOUNTS, ACCOUNT_KEEP_S);
    ok &= gh_anomaly_table_init(&anomaly->addresses, sizeof(struct gh_anomaly_address),
                                sizes.addresses ? sizes.addresses : ADDRESSES, ADDRESS_KEEP_S);
    if (ok)
        return anomaly;
    gh_anomaly_free(anomaly);
    return NULL;
}

void gh_anomaly_free(struct gh_anomaly *anomaly)
{
    if (!anomaly)
        return;
    gh_anomaly_table_done(&anomaly->networks);
    gh_anomaly_table_done(&anomaly->accounts);
    gh_anomaly_table_done(&anomaly->addresses);
    gh_arena_done(&anomaly->scratch);
    free(anomaly);
}

static void forget(struct gh_anomaly *anomaly)
{
    gh_anomaly_table_clear(&anomaly->networks);
    gh_anomaly_table_clear(&anomaly->accounts);
    gh_anomaly_table_clear(&anomaly->addresses);
    memset(&anomaly->spray, 0, sizeof(anomaly->spray));
}

/* Counts of other windows mean nothing. */
void gh_anomaly_set(struct gh_anomaly *anomaly, const struct gh_anomaly_settings *settings)
{
    if (memcmp(anomaly->settings.values, settings->values, sizeof(settings->values)) != 0)
        forget(anomaly);
    anomaly->settings = *settings;
}

/* ---- Who ---- */

static void set_network(struct gh_anomaly *anomaly, struct gh_anomaly_event *event,
                        struct gh_str client)
{
    struct gh_ip ip;
    event->base = (struct gh_ip){.family = GH_IP_NONE};
    if (!gh_ip_parse(client, &ip))
        return;
    event->base = gh_ip_mask(&ip, GH_ANOMALY_V4_BITS, GH_ANOMALY_V6_BITS);
    char name[1 + sizeof(event->base.bytes)] = {(char)event->base.family};
    memcpy(name + 1, event->base.bytes, sizeof(event->base.bytes));
    event->network_key = gh_hash64(anomaly->key, gh_str_of(name, sizeof(name)));
}

struct gh_anomaly_network *gh_anomaly_network_of(struct gh_anomaly *anomaly,
                                                 const struct gh_anomaly_event *event)
{
    if (event->base.family == GH_IP_NONE)
        return NULL;
    return gh_anomaly_table_place(&anomaly->networks, event->network_key, anomaly->now_s, NULL);
}

struct gh_anomaly_account *gh_anomaly_account_of(struct gh_anomaly *anomaly,
                                                 const struct gh_anomaly_event *event)
{
    return gh_anomaly_table_place(&anomaly->accounts, event->account_key, anomaly->now_s, NULL);
}

/* An address as it was submitted; letters of either case are one account's. */
static uint64_t address_key(const struct gh_anomaly *anomaly, struct gh_str address)
{
    char lower[ADDRESS_LEN_MAX + 1];
    struct gh_buf buf = gh_buf_over(lower, sizeof(lower));
    gh_buf_put_char(&buf, '@'); /* no id of an account begins so */
    address = gh_str_first(address, ADDRESS_LEN_MAX);
    for (size_t i = 0; i < address.len; i++)
        gh_buf_put_char(&buf, gh_ascii_lower(address.ptr[i]));
    return gh_hash64(anomaly->key, gh_buf_str(&buf));
}

static void set_account(struct gh_anomaly *anomaly, struct gh_anomaly_event *event,
                        struct gh_str account, struct gh_str address)
{
    event->account = account;
    event->account_key = account.len ? gh_hash64(anomaly->key, account) : 0;
    if (!account.len && address.len)
        event->account_key = address_key(anomaly, address);
}

/* ---- Findings ---- */

struct gh_buf gh_anomaly_evidence(struct gh_anomaly *anomaly)
{
    struct gh_buf buf = gh_buf_over(anomaly->evidence, sizeof(anomaly->evidence));
    gh_buf_put_char(&buf, '{');
    return buf;
}

void gh_anomaly_found(struct gh_anomaly *anomaly, const struct gh_anomaly_found *found,
                      struct gh_buf *evidence)
{
    char memory[64];
    struct gh_buf network = gh_buf_over(memory, sizeof(memory));
    bool onset = anomaly->now_s >= *found->quiet_at_s;
    *found->quiet_at_s = anomaly->now_s + found->window_s;
    if (anomaly->settings.actions[found->rule] == GH_ANOMALY_OFF)
        return;
    if (found->base && found->base->family != GH_IP_NONE) {
        gh_ip_write(&network, found->base);
        gh_buf_put_char(&network, '/');
        gh_buf_put_u64(&network,
                       found->base->family == GH_IP_V4 ? GH_ANOMALY_V4_BITS : GH_ANOMALY_V6_BITS);
    }
    gh_json_put_member_u64(evidence, GH_STR("window_s"), found->window_s);
    gh_buf_put_char(evidence, '}');
    GH_ASSERT(!evidence->overflow);
    struct gh_anomaly_finding finding = {
        .rule = found->rule,
        .onset = onset,
        .time_us = anomaly->now_us,
        .account = found->account,
        .network = gh_buf_str(&network),
        .evidence = gh_buf_str(evidence),
    };
    anomaly->report(anomaly->report_context, &finding);
}

/* ---- Feeding ---- */

static void begin(struct gh_anomaly *anomaly, uint64_t time_us, gh_anomaly_report *report,
                  void *context)
{
    uint32_t now_s = (uint32_t)(time_us / SECOND_US);
    anomaly->report = report;
    anomaly->report_context = context;
    anomaly->now_us = time_us;
    if (now_s < anomaly->now_s && anomaly->now_s - now_s > CLOCK_BACK_S) {
        forget(anomaly);
        anomaly->now_s = now_s;
    }
    if (now_s > anomaly->now_s)
        anomaly->now_s = now_s;
}

/* What metadata say; what they do not say stays as it was. */
struct metadata {
    struct gh_str email, reason;
    uint64_t count;
    bool new_device, step_up;
};

static bool is_true(const struct gh_json_doc *doc, struct gh_str name)
{
    const struct gh_json_value *value = gh_json_get(doc, gh_json_root(doc), name);
    return value && value->kind == GH_JSON_BOOL && value->boolean;
}

static void read_metadata(struct gh_anomaly *anomaly, struct gh_str text, struct metadata *out)
{
    struct gh_json_doc doc;
    int64_t count;
    *out = (struct metadata){.count = 1};
    gh_arena_reset(&anomaly->scratch);
    if (!text.len ||
        gh_json_parse(&anomaly->scratch, text, &gh_json_small, &doc, NULL) != GH_JSON_OK)
        return;
    const struct gh_json_value *root = gh_json_root(&doc);
    out->email = gh_json_string(gh_json_get(&doc, root, GH_STR("email")));
    out->reason = gh_json_string(gh_json_get(&doc, root, GH_STR("reason")));
    if (gh_json_int64(gh_json_get(&doc, root, GH_STR("count")), &count) && count > 0)
        out->count = (uint64_t)count;
    out->new_device = is_true(&doc, GH_STR("new_device"));
    out->step_up = is_true(&doc, GH_STR("step_up"));
}

/* Refusals that say: this is another's. A stranger who is not signed in meets other reasons all
   day long, so these are no sign. */
static bool is_of_another(struct gh_str reason)
{
    return gh_str_eq(reason, GH_STR("not_owner")) || gh_str_eq(reason, GH_STR("role_missing"));
}

/* These had the right password: of an address that is not confirmed; without the second factor that
   an action of ours asks for. */
static bool is_guess(struct gh_str reason)
{
    return !gh_str_eq(reason, GH_STR("unverified")) && !gh_str_eq(reason, GH_STR("second_factor"));
}

/* Whom it speaks of. */
static void look_at_subject(struct gh_anomaly *anomaly, struct gh_anomaly_event *event,
                            const struct metadata *metadata)
{
    enum gh_audit_event kind = event->record->event;
    bool success = event->record->outcome == GH_AUDIT_SUCCESS;
    set_account(anomaly, event, event->record->user_id, metadata->email);
    if ((kind == GH_AUDIT_LOGIN_FAILED && is_guess(metadata->reason)) ||
        kind == GH_AUDIT_TWO_FACTOR_FAILED)
        gh_anomaly_login_failed(anomaly, event);
    else if (kind == GH_AUDIT_LOGIN && success && event->account.len)
        gh_anomaly_login(anomaly, event);
    else if (kind == GH_AUDIT_SIGNUP && success && event->account.len)
        gh_anomaly_account_of(anomaly, event)->signed_up_s = anomaly->now_s;
    else if (kind == GH_AUDIT_SESSION_REVOKED && event->account.len &&
             gh_str_eq(metadata->reason, GH_STR("refresh_reuse")))
        gh_anomaly_reused(anomaly, event);
}

/* Who did it. */
static void look_at_actor(struct gh_anomaly *anomaly, struct gh_anomaly_event *event,
                          const struct metadata *metadata)
{
    enum gh_audit_event kind = event->record->event;
    struct gh_str actor =
        event->record->actor_id.len ? event->record->actor_id : event->record->user_id;
    if (kind == GH_AUDIT_ACCESS_DENIED && is_of_another(metadata->reason)) {
        set_account(anomaly, event, actor, GH_STR(""));
        const struct gh_anomaly_amounts amounts = {.of[GH_ANOMALY_REFUSED] = event->count};
        gh_anomaly_scanned(anomaly, event, &amounts);
    } else if (kind == GH_AUDIT_DATA_EXPORT && event->record->outcome == GH_AUDIT_SUCCESS &&
               event->record->actor_id.len) {
        set_account(anomaly, event, actor, GH_STR(""));
        gh_anomaly_exported(anomaly, event);
    }
}

void gh_anomaly_record(struct gh_anomaly *anomaly, const struct gh_audit_record *record,
                       gh_anomaly_report *report, void *context)
{
    struct gh_anomaly_event event = {.record = record};
    struct metadata metadata;
    if (record->event == GH_AUDIT_ANOMALY_DETECTED || record->event == GH_AUDIT_AUDIT_CHECKPOINT)
        return;
    begin(anomaly, record->time_us, report, context);
    read_metadata(anomaly, record->metadata, &metadata);
    event.count = metadata.count;
    event.new_device = metadata.new_device && !metadata.step_up;
    set_network(anomaly, &event, record->ip_address);
    look_at_subject(anomaly, &event, &metadata);
    look_at_actor(anomaly, &event, &metadata);
}

void gh_anomaly_traffic(struct gh_anomaly *anomaly, const struct gh_anomaly_requests *traffic,
                        gh_anomaly_report *report, void *context)
{
    struct gh_anomaly_event event = {.record = NULL};
    begin(anomaly, traffic->now_us, report, context);
    set_account(anomaly, &event, traffic->account, GH_STR(""));
    set_network(anomaly, &event, traffic->client);
    const struct gh_anomaly_amounts amounts = {
        .of = {[GH_ANOMALY_REQUESTS] = traffic->requests, [GH_ANOMALY_MISSING] = traffic->missing}};
    gh_anomaly_scanned(anomaly, &event, &amounts);
    if (event.account.len)
        gh_anomaly_requested(anomaly, &event, traffic->requests);
}
