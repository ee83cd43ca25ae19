/*
 * See throttle.h. A row lives a day after its last failure. The rows that speak of all accounts
 * have keys that no hash of a name gives but by a chance of 2^-127.
 */
#include "identity/throttle.h"

#include <endian.h>

#include "base/base64.h"

#define SECOND_US     1000000ull
#define MINUTE_US     (60 * SECOND_US)
#define DAY_US        (24 * 60 * MINUTE_US)
#define DELAY_MAX_US  (15 * MINUTE_US)
#define DELAY_DOUBLES 10 /* 1024 s is over the most */
#define FREE_FAILURES 5
#define QUIET_US      (15 * MINUTE_US) /* halves what a network has failed */
/* Of a network while all accounts together fail far more than usual. */
#define FREE_FAILURES_IN_SPRAY 1

/* Failures a minute over all accounts that are nothing to speak of however quiet it was before, and
   how many times the usual is "far more". The usual is a moving average over a day, and one minute
   counts in it with no more than the bound that held: a spray takes hours to become usual. */
#define SPRAY_FLOOR      100
#define SPRAY_TIMES      10
#define SPRAY_AVERAGE    1440 /* minutes */
#define SPRAY_USUAL_UNIT 4096 /* the average is kept in fractions */

#define EMAIL_BYTES_MAX     254
#define DEVICE_RANDOM_BYTES 16
#define DEVICE_TIME_BYTES   8 /* when it was made, microseconds, big-endian */
#define DEVICE_FACTS_BYTES  (DEVICE_RANDOM_BYTES + DEVICE_TIME_BYTES)
#define DEVICE_BYTES        (DEVICE_FACTS_BYTES + GH_SHA256_BYTES)
#define DEVICE_LIFE_US      (180 * DAY_US)

static const uint8_t SPRAY_MINUTE_KEY[16] = {[15] = 1};
static const uint8_t SPRAY_USUAL_KEY[16] = {[15] = 2};

/* ---- Keys ---- */

static void put_lower(struct gh_buf *buf, struct gh_str email)
{
    email = gh_str_first(email, EMAIL_BYTES_MAX);
    for (size_t i = 0; i < email.len; i++)
        gh_buf_put_char(buf, gh_ascii_lower(email.ptr[i]));
}

static void hash_key(const struct gh_identity_call *call, const struct gh_buf *name,
                     uint8_t out[16])
{
    uint8_t hash[GH_SHA256_BYTES];
    gh_vault_index(call->identity->vault, "throttle", gh_buf_str(name), hash);
    memcpy(out, hash, 16);
}

void gh_throttle_keys(const struct gh_identity_call *call, struct gh_str email, bool known_device,
                      struct gh_throttle_keys *out_keys)
{
    char memory[EMAIL_BYTES_MAX + GH_BASE64URL_LEN(DEVICE_BYTES) + 16];
    struct gh_buf name = gh_buf_over(memory, sizeof(memory));
    gh_buf_put(&name, known_device ? GH_STR("device ") : GH_STR("account "));
    if (known_device) {
        gh_buf_put(&name, call->device); /* of a fixed length: it was verified */
        gh_buf_put_char(&name, ' ');
    }
    put_lower(&name, email);
    hash_key(call, &name, out_keys->account);
    name = gh_buf_over(memory, sizeof(memory));
    gh_buf_put(&name, GH_STR("network "));
    gh_buf_put(&name, gh_str_first(call->network, EMAIL_BYTES_MAX));
    hash_key(call, &name, out_keys->network);
    out_keys->by_device = known_device;
}

/* ---- Rows ---- */

/* All zero but the key when there is none, or when it is forgotten. */
static enum gh_err read_row(struct gh_tx *tx, const uint8_t key[16], uint64_t now_us,
                            struct gh_throttle_row *out_row)
{
    enum gh_err err = tx->ops->throttle_get(tx, key, out_row);
    if (err == GH_ERR_NOT_FOUND || (err == GH_OK && out_row->last_us + DAY_US <= now_us)) {
        *out_row = (struct gh_throttle_row){.failures = 0};
        memcpy(out_row->key, key, sizeof(out_row->key));
        err = GH_OK;
    }
    return err;
}

/* A block of more than the longest delay is of a clock that has been set back since. */
static uint64_t blocked_for_us(const struct gh_throttle_row *row, uint64_t now_us)
{
    if (row->blocked_until_us <= now_us || row->blocked_until_us - now_us > DELAY_MAX_US)
        return 0;
    return row->blocked_until_us - now_us;
}

bool gh_throttle_admits(struct gh_tx *tx, struct gh_identity_call *call,
                        const struct gh_throttle_keys *keys)
{
    struct gh_throttle_row account, network;
    if (read_row(tx, keys->account, call->now_us, &account) != GH_OK ||
        read_row(tx, keys->network, call->now_us, &network) != GH_OK) {
        call->retry_after_s = 1; /* an unknown answer never admits */
        return false;
    }
    uint64_t wait_us = blocked_for_us(&account, call->now_us);
    uint64_t network_us = blocked_for_us(&network, call->now_us);
    /* The owner gets in on a known device whatever others do in the same network. */
    if (!keys->by_device && network_us > wait_us)
        wait_us = network_us;
    if (wait_us)
        call->retry_after_s = (wait_us + SECOND_US - 1) / SECOND_US;
    return wait_us == 0;
}

static uint64_t delay_us(uint64_t failures, uint64_t free_failures)
{
    if (failures <= free_failures)
        return 0;
    uint64_t doubles = failures - free_failures - 1;
    uint64_t delay = SECOND_US << (doubles < DELAY_DOUBLES ? doubles : DELAY_DOUBLES);
    return delay < DELAY_MAX_US ? delay : DELAY_MAX_US;
}

static enum gh_err count_failure(struct gh_tx *tx, struct gh_throttle_row *row, uint64_t now_us,
                                 uint64_t free_failures)
{
    row->failures++;
    row->first_us = row->first_us ? row->first_us : now_us;
    row->last_us = now_us;
    row->blocked_until_us = now_us + delay_us(row->failures, free_failures);
    return tx->ops->throttle_put(tx, row);
}

static enum gh_err fail_account(struct gh_tx *tx, const uint8_t key[16], uint64_t now_us)
{
    struct gh_throttle_row row;
    enum gh_err err = read_row(tx, key, now_us, &row);
    return err == GH_OK ? count_failure(tx, &row, now_us, FREE_FAILURES) : err;
}

/* Behind one address may be an office, and no success forgives its slips: half of them are
   forgotten with each quarter of an hour without a failure or a delay. Who comes back at the end of
   each delay stays where they are. */
static void calm_down(struct gh_throttle_row *network, uint64_t now_us)
{
    uint64_t end_us = network->last_us;
    if (network->blocked_until_us > end_us && network->blocked_until_us - end_us <= DELAY_MAX_US)
        end_us = network->blocked_until_us;
    uint64_t quiet = now_us > end_us ? (now_us - end_us) / QUIET_US : 0;
    network->failures = quiet < 64 ? network->failures >> quiet : 0;
}

static enum gh_err fail_network(struct gh_tx *tx, const uint8_t key[16], uint64_t now_us,
                                bool spray)
{
    struct gh_throttle_row row;
    enum gh_err err = read_row(tx, key, now_us, &row);
    if (err != GH_OK)
        return err;
    calm_down(&row, now_us);
    return count_failure(tx, &row, now_us, spray ? FREE_FAILURES_IN_SPRAY : FREE_FAILURES);
}

/* ---- Over all accounts ---- */

static uint64_t spray_bound(const struct gh_throttle_row *usual)
{
    uint64_t bound = usual->failures * SPRAY_TIMES / SPRAY_USUAL_UNIT;
    return bound > SPRAY_FLOOR ? bound : SPRAY_FLOOR;
}

/* Adds the minute that is over to the average, and the empty ones behind it. */
static enum gh_err close_minute(struct gh_tx *tx, const struct gh_throttle_row *minute,
                                uint64_t now_us, struct gh_throttle_row *usual)
{
    uint64_t bound = spray_bound(usual);
    uint64_t count = minute->failures < bound ? minute->failures : bound;
    uint64_t empty = now_us > minute->first_us ? (now_us - minute->first_us) / MINUTE_US : 1;
    empty = empty > SPRAY_AVERAGE ? SPRAY_AVERAGE : empty;
    usual->failures -= usual->failures * empty / SPRAY_AVERAGE;
    usual->failures += count * SPRAY_USUAL_UNIT / SPRAY_AVERAGE;
    usual->first_us = usual->first_us ? usual->first_us : now_us;
    usual->last_us = now_us;
    return tx->ops->throttle_put(tx, usual);
}

static enum gh_err count_over_all(struct gh_tx *tx, uint64_t now_us, bool *out_spray)
{
    struct gh_throttle_row minute, usual;
    uint64_t begin_us = now_us - now_us % MINUTE_US;
    enum gh_err err = read_row(tx, SPRAY_MINUTE_KEY, now_us, &minute);
    if (err == GH_OK)
        err = read_row(tx, SPRAY_USUAL_KEY, now_us, &usual);
    if (err == GH_OK && minute.first_us != begin_us) {
        if (minute.first_us)
            err = close_minute(tx, &minute, now_us, &usual);
        minute.failures = 0;
        minute.first_us = begin_us;
    }
    if (err != GH_OK)
        return err;
    minute.failures++;
    minute.last_us = now_us;
    *out_spray = minute.failures > spray_bound(&usual);
    return tx->ops->throttle_put(tx, &minute);
}

/* ---- Outcomes ---- */

enum gh_err gh_throttle_failed(struct gh_tx *tx, const struct gh_identity_call *call,
                               const struct gh_throttle_keys *keys)
{
    bool spray = false;
    enum gh_err err = count_over_all(tx, call->now_us, &spray);
    if (err == GH_OK)
        err = fail_account(tx, keys->account, call->now_us);
    if (err == GH_OK)
        err = fail_network(tx, keys->network, call->now_us, spray);
    return err;
}

static enum gh_err forget(struct gh_tx *tx, const uint8_t key[16])
{
    enum gh_err err = tx->ops->throttle_delete(tx, key);
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

enum gh_err gh_throttle_succeeded(struct gh_tx *tx, const struct gh_identity_call *call,
                                  const struct gh_throttle_keys *keys)
{
    (void)call;
    return forget(tx, keys->account);
}

enum gh_err gh_throttle_forgive(struct gh_tx *tx, const struct gh_identity_call *call,
                                struct gh_str email)
{
    struct gh_throttle_keys keys;
    gh_throttle_keys(call, email, false, &keys);
    return forget(tx, keys.account);
}

/* ---- The device cookie ---- */

static void device_mac(const struct gh_identity_call *call, const uint8_t facts[DEVICE_FACTS_BYTES],
                       struct gh_str email, uint8_t out[GH_SHA256_BYTES])
{
    char memory[DEVICE_FACTS_BYTES + EMAIL_BYTES_MAX];
    struct gh_buf text = gh_buf_over(memory, sizeof(memory));
    gh_buf_put(&text, gh_str_of((const char *)facts, DEVICE_FACTS_BYTES));
    put_lower(&text, email);
    gh_vault_index(call->identity->vault, "device", gh_buf_str(&text), out);
}

struct gh_str gh_device_cookie_make(const struct gh_identity_call *call, struct gh_str email)
{
    uint8_t bytes[DEVICE_BYTES];
    uint64_t made = htobe64(call->now_us);
    char *text = gh_arena_alloc(call->arena, GH_BASE64URL_LEN(DEVICE_BYTES));
    if (!text)
        return (struct gh_str){NULL, 0};
    struct gh_buf buf = gh_buf_over(text, GH_BASE64URL_LEN(DEVICE_BYTES));
    gh_random_fill(&call->identity->random, bytes, DEVICE_RANDOM_BYTES);
    memcpy(bytes + DEVICE_RANDOM_BYTES, &made, DEVICE_TIME_BYTES);
    device_mac(call, bytes, email, bytes + DEVICE_FACTS_BYTES);
    gh_base64url_put(&buf, bytes, sizeof(bytes));
    return gh_buf_str(&buf);
}

bool gh_device_cookie_is_of(const struct gh_identity_call *call, struct gh_str cookie,
                            struct gh_str email, uint64_t since_us)
{
    uint8_t bytes[DEVICE_BYTES], mac[GH_SHA256_BYTES];
    uint64_t made;
    size_t len;
    if (!cookie.ptr || !gh_base64url_decode(cookie, bytes, sizeof(bytes), &len) ||
        len != sizeof(bytes))
        return false;
    device_mac(call, bytes, email, mac);
    if (!gh_secret_eq(gh_str_of((char *)mac, sizeof(mac)),
                      gh_str_of((char *)bytes + DEVICE_FACTS_BYTES, sizeof(mac))))
        return false;
    memcpy(&made, bytes + DEVICE_RANDOM_BYTES, DEVICE_TIME_BYTES);
    made = be64toh(made);
    return made >= since_us && call->now_us < made + DEVICE_LIFE_US;
}
