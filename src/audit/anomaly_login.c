/*
 * Rules about signing in. A failure counts until it is old, or until the same account signs in from
 * the same network: people who mistype get in some minutes later, guesses do not.
 */
#include "audit/anomaly_state.h"

#include "json/writer.h"

#define DAY_S           86400u
#define HOUR_S          3600u
#define DAYS_COMPARED   7u
#define BITMAP_BITS     (64u * GH_ANOMALY_BITMAP_WORDS)
#define TAKES_PART_MIN  2u /* accounts, or failures, before an action is put on a network */
#define TAKES_PART_PART 4u /* of brute force: that part of the failures */

static void put(struct gh_buf *evidence, const char *name, uint64_t value)
{
    gh_json_put_member_u64(evidence, gh_str_from_c(name), value);
}

/* ---- Credential stuffing: one network ---- */

static void turn_over(struct gh_anomaly *anomaly, struct gh_anomaly_network *network)
{
    uint32_t turn = anomaly->now_s / gh_anomaly_value(anomaly, GH_ANOMALY_STUFFING_WINDOW);
    if (turn <= network->turn)
        return;
    if (turn - network->turn > 1)
        memset(network->turns, 0, sizeof(network->turns));
    memset(&network->turns[turn % 2], 0, sizeof(network->turns[0]));
    network->turn = turn;
}

static void note_failed(struct gh_anomaly_network *network, uint32_t account, uint32_t now_s)
{
    unsigned place = 0;
    for (unsigned i = 0; i < GH_ANOMALY_FAILED_MAX; i++) {
        if (network->failed[i].account == account) {
            place = i;
            break;
        }
        if (network->failed[i].at_s < network->failed[place].at_s)
            place = i;
    }
    network->failed[place].account = account;
    network->failed[place].at_s = now_s;
}

static uint32_t count_failed(const struct gh_anomaly *anomaly,
                             const struct gh_anomaly_network *network)
{
    uint32_t count = 0;
    uint32_t window_s = gh_anomaly_value(anomaly, GH_ANOMALY_STUFFING_WINDOW);
    for (unsigned i = 0; i < GH_ANOMALY_FAILED_MAX; i++)
        count += gh_anomaly_is_within(network->failed[i].at_s, anomaly->now_s, window_s) != 0;
    return count;
}

static uint32_t count_signed_in(const struct gh_anomaly_network *network)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < GH_ANOMALY_BITMAP_WORDS; i++)
        count += (uint32_t)__builtin_popcountll(network->turns[0].signed_in[i] |
                                                network->turns[1].signed_in[i]);
    return count;
}

/* True: it fires now, so that its failures are no spray. */
static bool judge_stuffing(struct gh_anomaly *anomaly, const struct gh_anomaly_event *event,
                           struct gh_anomaly_network *network)
{
    uint32_t limit = gh_anomaly_value(anomaly, GH_ANOMALY_STUFFING_ACCOUNTS);
    uint32_t share_min = gh_anomaly_value(anomaly, GH_ANOMALY_STUFFING_SHARE);
    uint32_t failed = count_failed(anomaly, network), signed_in = count_signed_in(network);
    uint32_t share = failed * 100 / (failed + signed_in);
    network->slot.weight = failed;
    /* A full set has seen more than it can say. */
    if (failed < limit || (share < share_min && failed < GH_ANOMALY_FAILED_MAX))
        return false;
    struct gh_buf evidence = gh_anomaly_evidence(anomaly);
    put(&evidence, "accounts_failed", failed);
    put(&evidence, "accounts_signed_in", signed_in);
    put(&evidence, "share_percent", share);
    put(&evidence, "failures", network->turns[0].failures + network->turns[1].failures);
    put(&evidence, "failures_of_unknown", network->turns[0].unknown + network->turns[1].unknown);
    put(&evidence, "threshold_accounts", limit);
    put(&evidence, "threshold_share_percent", share_min);
    gh_anomaly_found(anomaly,
                     &(struct gh_anomaly_found){
                         .rule = GH_ANOMALY_CREDENTIAL_STUFFING,
                         .quiet_at_s = &network->quiet_at_s[GH_ANOMALY_CREDENTIAL_STUFFING],
                         .window_s = gh_anomaly_value(anomaly, GH_ANOMALY_STUFFING_WINDOW),
                         .base = &event->base,
                     },
                     &evidence);
    return true;
}

static bool look_for_stuffing(struct gh_anomaly *anomaly, const struct gh_anomaly_event *event,
                              struct gh_anomaly_network *network)
{
    turn_over(anomaly, network);
    struct gh_anomaly_turn *turn = &network->turns[network->turn % 2];
    turn->failures++;
    turn->unknown += !event->account.len;
    note_failed(network, gh_anomaly_short(event->account_key), anomaly->now_s);
    return judge_stuffing(anomaly, event, network);
}

/* ---- Password spraying: all networks together ---- */

static uint32_t spray_step(const struct gh_anomaly *anomaly)
{
    return anomaly->now_s /
           (gh_anomaly_value(anomaly, GH_ANOMALY_SPRAYING_WINDOW) / GH_ANOMALY_SPRAY_STEPS);
}

static void spray_roll(struct gh_anomaly_spray *spray, uint32_t step, uint32_t hour)
{
    if (step - spray->step >= GH_ANOMALY_SPRAY_STEPS)
        memset(spray->counts, 0, sizeof(spray->counts));
    else
        for (uint32_t at = spray->step + 1; at <= step; at++)
            spray->counts[at % GH_ANOMALY_SPRAY_STEPS] = 0;
    if (hour - spray->hour >= GH_ANOMALY_HOURS)
        memset(spray->hours, 0, sizeof(spray->hours));
    else
        for (uint32_t at = spray->hour + 1; at <= hour; at++)
            spray->hours[at % GH_ANOMALY_HOURS] = 0;
    spray->step = step;
    spray->hour = hour;
}

static bool is_recent(const struct gh_anomaly_spray *spray,
                      const struct gh_anomaly_address *address)
{
    return address->failures && spray->step - address->step < GH_ANOMALY_SPRAY_STEPS;
}

static void uncount(struct gh_anomaly_spray *spray, struct gh_anomaly_address *address)
{
    if (address->counted && is_recent(spray, address))
        spray->counts[address->step % GH_ANOMALY_SPRAY_STEPS]--;
    address->counted = false;
}

static uint32_t spray_accounts(const struct gh_anomaly_spray *spray)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < GH_ANOMALY_SPRAY_STEPS; i++)
        sum += spray->counts[i];
    return sum;
}

/* The most of this hour of the day and the two beside it, in the week before. */
static uint32_t spray_usual(const struct gh_anomaly_spray *spray)
{
    uint32_t usual = 0;
    for (uint32_t day = 1; day <= DAYS_COMPARED; day++)
        for (uint32_t near = 0; near < 3; near++) {
            uint32_t hour = spray->hour - 24 * day + near - 1;
            uint32_t most = spray->hours[hour % GH_ANOMALY_HOURS];
            usual = most > usual ? most : usual;
        }
    return usual;
}

static void judge_spraying(struct gh_anomaly *anomaly, const struct gh_anomaly_event *event,
                           const struct gh_anomaly_network *network)
{
    struct gh_anomaly_spray *spray = &anomaly->spray;
    uint32_t accounts = spray_accounts(spray), usual = spray_usual(spray);
    uint32_t limit = gh_anomaly_value(anomaly, GH_ANOMALY_SPRAYING_ACCOUNTS);
    uint32_t factor = gh_anomaly_value(anomaly, GH_ANOMALY_SPRAYING_FACTOR);
    limit = factor * usual > limit ? factor * usual : limit;
    uint32_t *most = &spray->hours[spray->hour % GH_ANOMALY_HOURS];
    if (accounts < limit) {
        *most = accounts > *most ? accounts : *most; /* an attack raises it to the limit at most */
        return;
    }
    uint32_t failed = network ? count_failed(anomaly, network) : 0;
    bool takes_part = failed >= TAKES_PART_MIN && count_signed_in(network) < failed;
    struct gh_buf evidence = gh_anomaly_evidence(anomaly);
    put(&evidence, "accounts_failed", accounts);
    put(&evidence, "failures_each_at_most",
        gh_anomaly_value(anomaly, GH_ANOMALY_SPRAYING_FAILURES));
    put(&evidence, "usual_accounts", usual);
    put(&evidence, "threshold_accounts", limit);
    gh_anomaly_found(anomaly,
                     &(struct gh_anomaly_found){
                         .rule = GH_ANOMALY_PASSWORD_SPRAYING,
                         .quiet_at_s = &spray->quiet_at_s,
                         .window_s = gh_anomaly_value(anomaly, GH_ANOMALY_SPRAYING_WINDOW),
                         .base = takes_part ? &event->base : NULL,
                     },
                     &evidence);
}

static void look_for_spraying(struct gh_anomaly *anomaly, const struct gh_anomaly_event *event,
                              const struct gh_anomaly_network *network, bool stuffed)
{
    struct gh_anomaly_spray *spray = &anomaly->spray;
    struct gh_anomaly_address evicted;
    spray_roll(spray, spray_step(anomaly), anomaly->now_s / HOUR_S);
    struct gh_anomaly_address *address =
        gh_anomaly_table_place(&anomaly->addresses, event->account_key, anomaly->now_s, &evicted);
    uncount(spray, &evicted);
    uncount(spray, address);
    address->failures = is_recent(spray, address) ? address->failures + 1 : 1;
    address->step = spray->step;
    address->counted =
        !stuffed && address->failures <= gh_anomaly_value(anomaly, GH_ANOMALY_SPRAYING_FAILURES);
    if (!address->counted)
        return;
    spray->counts[spray->step % GH_ANOMALY_SPRAY_STEPS]++;
    judge_spraying(anomaly, event, network);
}

/* ---- Brute force: one account ---- */

/* An address without an account has nobody to be warned or kept safe. */
static void look_for_brute_force(struct gh_anomaly *anomaly, const struct gh_anomaly_event *event)
{
    uint32_t networks, window_s = gh_anomaly_value(anomaly, GH_ANOMALY_BRUTE_WINDOW);
    uint32_t limit = gh_anomaly_value(anomaly, GH_ANOMALY_BRUTE_FAILURES);
    uint32_t from = gh_anomaly_short(event->network_key), from_here = 0;
    struct gh_anomaly_account *account = gh_anomaly_account_of(anomaly, event);
    struct gh_anomaly_instants *failures = &account->failures;
    gh_anomaly_instants_add(failures, anomaly->now_s, from);
    uint32_t count = gh_anomaly_instants_within(failures, anomaly->now_s, window_s, &networks);
    account->slot.weight = count;
    if (count < limit)
        return;
    for (unsigned i = 0; i < GH_ANOMALY_INSTANTS; i++)
        from_here += failures->from[i] == from && failures->at_s[i];
    bool takes_part = from_here >= TAKES_PART_MIN && from_here >= limit / TAKES_PART_PART;
    struct gh_buf evidence = gh_anomaly_evidence(anomaly);
    put(&evidence, "failures", count);
    put(&evidence, "networks", networks);
    put(&evidence, "failures_from_this_network", from_here);
    put(&evidence, "threshold_failures", limit);
    gh_anomaly_found(anomaly,
                     &(struct gh_anomaly_found){
                         .rule = GH_ANOMALY_BRUTE_FORCE,
                         .quiet_at_s = &account->quiet_at_s[GH_ANOMALY_BRUTE_FORCE],
                         .window_s = window_s,
                         .account = event->account,
                         .base = takes_part ? &event->base : NULL,
                     },
                     &evidence);
}

/* ---- What the log says ---- */

void gh_anomaly_login_failed(struct gh_anomaly *anomaly, const struct gh_anomaly_event *event)
{
    struct gh_anomaly_network *network = gh_anomaly_network_of(anomaly, event);
    bool stuffed = network && look_for_stuffing(anomaly, event, network);
    look_for_spraying(anomaly, event, network, stuffed);
    if (event->account.len)
        look_for_brute_force(anomaly, event);
}

/* What failed from there was its owner. */
static void forgive(struct gh_anomaly *anomaly, const struct gh_anomaly_event *event)
{
    struct gh_anomaly_network *network = gh_anomaly_network_of(anomaly, event);
    struct gh_anomaly_address *address =
        gh_anomaly_table_find(&anomaly->addresses, event->account_key);
    uint32_t account = gh_anomaly_short(event->account_key);
    gh_anomaly_instants_forgive(&gh_anomaly_account_of(anomaly, event)->failures,
                                gh_anomaly_short(event->network_key));
    spray_roll(&anomaly->spray, spray_step(anomaly), anomaly->now_s / HOUR_S);
    if (address) {
        uncount(&anomaly->spray, address);
        address->failures = 0;
    }
    if (!network)
        return;
    turn_over(anomaly, network);
    for (unsigned i = 0; i < GH_ANOMALY_FAILED_MAX; i++)
        if (network->failed[i].account == account)
            network->failed[i].account = network->failed[i].at_s = 0;
    unsigned bit = account / 2 % BITMAP_BITS; /* the last bit is always set */
    network->turns[network->turn % 2].signed_in[bit / 64] |= 1ull << bit % 64;
}

void gh_anomaly_login(struct gh_anomaly *anomaly, const struct gh_anomaly_event *event)
{
    forgive(anomaly, event);
    if (!event->new_device)
        return;
    struct gh_anomaly_account *account = gh_anomaly_account_of(anomaly, event);
    bool is_first = gh_anomaly_is_within(account->signed_up_s, anomaly->now_s, DAY_S);
    account->signed_up_s = 0;
    if (is_first)
        return;
    struct gh_buf evidence = gh_anomaly_evidence(anomaly);
    put(&evidence, "failures_before",
        gh_anomaly_instants_within(&account->failures, anomaly->now_s, DAY_S, NULL));
    gh_anomaly_found(anomaly,
                     &(struct gh_anomaly_found){
                         .rule = GH_ANOMALY_NEW_DEVICE,
                         .quiet_at_s = &account->quiet_at_s[GH_ANOMALY_NEW_DEVICE],
                         .window_s = gh_anomaly_value(anomaly, GH_ANOMALY_DEVICE_WINDOW),
                         .account = event->account,
                         .base = &event->base,
                     },
                     &evidence);
}

void gh_anomaly_reused(struct gh_anomaly *anomaly, const struct gh_anomaly_event *event)
{
    struct gh_anomaly_account *account = gh_anomaly_account_of(anomaly, event);
    struct gh_buf evidence = gh_anomaly_evidence(anomaly);
    put(&evidence, "sessions_ended", event->count);
    put(&evidence, "threshold_reuses", 1);
    gh_anomaly_found(anomaly,
                     &(struct gh_anomaly_found){
                         .rule = GH_ANOMALY_REFRESH_REUSE,
                         .quiet_at_s = &account->quiet_at_s[GH_ANOMALY_REFRESH_REUSE],
                         .window_s = gh_anomaly_value(anomaly, GH_ANOMALY_REUSE_WINDOW),
                         .account = event->account,
                         .base = &event->base,
                     },
                     &evidence);
}
