/* Two processes' worth of tables over a real redis-server: what one ends the other refuses; what
   strangers say counts for nothing; what is published while somebody is away is asked for again. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/redis_client_fixture.h"
#include "store/redis_revocations.h"

#define ALARM_S 60
#define LIFE_S  3600

static const uint8_t SECRET[GH_KEY_BYTES] = {1, 2, 3};
static const uint8_t OTHER_SECRET[GH_KEY_BYTES] = {3, 2, 1};

/* One process. */
struct peer {
    struct gh_revocations *table;
    struct gh_redis_revocations *revocations;
    struct gh_metrics *metrics;
    struct gh_redis_revocations_slots slots;
    bool up;
    unsigned changes, listenings;
    char why[128];
};

/* The client of the fixture is who writes to Redis without being one of us. */
struct rig {
    struct client_test client;
    struct gh_redis_server server;
    struct gh_redis_url url;
    struct peer peers[2];
    uint64_t now_s;
};

static void on_change(void *context, bool up, const char *why)
{
    struct peer *peer = context;
    peer->up = up;
    peer->changes++;
    snprintf(peer->why, sizeof(peer->why), "%s", why);
}

static void on_listening(void *context)
{
    struct peer *peer = context;
    peer->listenings++;
}

static void open_peer(struct rig *rig, struct peer *peer, const uint8_t *secret)
{
    struct gh_str message;
    struct gh_redis_options redis = rig->client.options;
    redis.url = &rig->url;
    *peer = (struct peer){.table = gh_revocations_new(64, (struct gh_hash_key){1, 2})};
    assert_int_equal(gh_metrics_open(1, &peer->metrics), GH_OK);
    assert_int_equal(gh_redis_revocations_define(peer->metrics, &peer->slots), GH_OK);
    struct gh_redis_revocations_options options = {
        .redis = &redis,
        .secret = secret,
        .revocations = peer->table,
        .metrics = peer->metrics,
        .slots = &peer->slots,
        .on_listening = on_listening,
        .on_change = on_change,
        .context = peer,
    };
    assert_int_equal(gh_redis_revocations_open(rig->client.loop, &options, &rig->client.arena,
                                               &peer->revocations, &message),
                     GH_OK);
    assert_int_equal(peer->changes, 0);
}

static void close_peer(struct peer *peer)
{
    gh_redis_revocations_close(peer->revocations);
    gh_metrics_close(peer->metrics);
    gh_revocations_free(peer->table);
}

static void open_rig(struct rig *rig)
{
    char url[128];
    *rig = (struct rig){.now_s = gh_wall_now_us() / 1000000};
    alarm(ALARM_S);
    gh_redis_server_open(&rig->server, NULL);
    client_test_open(&rig->client);
    snprintf(url, sizeof(url), "unix:%s", rig->server.path);
    assert_null(gh_redis_url_parse(gh_str_from_c(url), &rig->client.arena, &rig->url));
    for (size_t i = 0; i < 2; i++)
        open_peer(rig, &rig->peers[i], SECRET);
    client_test_connect_ready(&rig->client, url);
}

static void open_ready(struct rig *rig)
{
    open_rig(rig);
    CLIENT_RUN_UNTIL(&rig->client, rig->peers[0].up && rig->peers[1].up);
}

static void close_rig(struct rig *rig)
{
    for (size_t i = 0; i < 2; i++)
        close_peer(&rig->peers[i]);
    client_test_close(&rig->client);
    gh_redis_server_close(&rig->server);
    alarm(0);
}

static struct gh_revocation_note note(const struct rig *rig, unsigned number)
{
    uint8_t random[16] = {(uint8_t)number, (uint8_t)(number >> 8)};
    return (struct gh_revocation_note){gh_id_make(random), rig->now_s + LIFE_S};
}

static bool knows(const struct rig *rig, const struct peer *peer, unsigned number)
{
    struct gh_revocation_note one = note(rig, number);
    return gh_revocations_has(peer->table, gh_id_str(&one.session_id), rig->now_s, rig->now_s);
}

static void publish(struct rig *rig, struct peer *peer, unsigned number)
{
    struct gh_revocation_note one = note(rig, number);
    gh_redis_revocations_publish(peer->revocations, &one, 1);
}

/* Messages of this result, as a scrape tells them. */
static unsigned counted(const struct peer *peer, const char *result)
{
    char *text, wanted[96];
    size_t len;
    unsigned value = 0;
    FILE *out = open_memstream(&text, &len);
    gh_metrics_write(peer->metrics, out);
    fclose(out);
    snprintf(wanted, sizeof(wanted), "gatehouse_revocation_messages_total{result=\"%s\"} ", result);
    const char *found = strstr(text, wanted);
    assert_non_null(found);
    value = (unsigned)strtoul(found + strlen(wanted), NULL, 10);
    free(text);
    return value;
}

/* The stranger publishes bytes on our channel, and they have reached everybody. */
static void say(struct rig *rig, const void *bytes, size_t len)
{
    struct client_answer answer = {.test = &rig->client};
    const struct gh_str argv[] = {
        GH_STR("PUBLISH"),
        gh_str_from_c(gh_redis_revocations_channel(rig->peers[0].revocations)),
        gh_str_of(bytes, len),
    };
    assert_int_equal(
        gh_redis_call(rig->client.redis, argv, 3, 20000, client_test_on_answer, &answer), GH_OK);
    CLIENT_RUN_UNTIL(&rig->client, answer.calls);
    assert_int_equal(answer.err, GH_OK);
    assert_int_equal(answer.integer, 2);
}

/* ---- Told and heard ---- */

static void what_one_ends_the_other_refuses(void **state)
{
    (void)state;
    struct rig rig;
    open_ready(&rig);
    assert_int_equal(rig.peers[1].listenings, 1);
    publish(&rig, &rig.peers[0], 1);
    CLIENT_RUN_UNTIL(&rig.client, knows(&rig, &rig.peers[1], 1));
    assert_false(knows(&rig, &rig.peers[1], 2));
    CLIENT_RUN_UNTIL(&rig.client, counted(&rig.peers[0], "published") == 1);
    assert_int_equal(counted(&rig.peers[1], "received"), 1);
    assert_int_equal(counted(&rig.peers[1], "refused"), 0);
    close_rig(&rig);
}

static void many_go_in_few_messages(void **state)
{
    (void)state;
    struct rig rig;
    struct gh_revocation_note notes[2 * GH_REVOCATION_NOTES_MAX + 1];
    size_t count = sizeof(notes) / sizeof(notes[0]);
    open_ready(&rig);
    for (size_t i = 0; i < count; i++)
        notes[i] = note(&rig, (unsigned)i);
    gh_redis_revocations_publish(rig.peers[0].revocations, notes, count);
    CLIENT_RUN_UNTIL(&rig.client, counted(&rig.peers[1], "received") == 3);
    for (size_t i = 0; i < count; i++)
        assert_true(knows(&rig, &rig.peers[1], (unsigned)i));
    close_rig(&rig);
}

static void hearing_does_not_make_a_table_complete(void **state)
{
    (void)state;
    struct rig rig;
    open_ready(&rig);
    gh_revocations_share(rig.peers[1].table, 1000);
    publish(&rig, &rig.peers[0], 1);
    CLIENT_RUN_UNTIL(&rig.client, knows(&rig, &rig.peers[1], 1));
    assert_false(gh_revocations_is_current(rig.peers[1].table, gh_monotonic_now_ms()));
    close_rig(&rig);
}

static void nobody_keeps_a_place_longer_than_a_token_lives(void **state)
{
    (void)state;
    struct rig rig;
    open_ready(&rig);
    struct gh_revocation_note forever = note(&rig, 1), past = note(&rig, 2);
    forever.until_s = UINT64_MAX;
    past.until_s = rig.now_s - 1;
    gh_redis_revocations_publish(rig.peers[0].revocations, &past, 1);
    gh_redis_revocations_publish(rig.peers[0].revocations, &forever, 1);
    CLIENT_RUN_UNTIL(&rig.client, knows(&rig, &rig.peers[1], 1));
    assert_false(gh_revocations_has(rig.peers[1].table, gh_id_str(&forever.session_id), rig.now_s,
                                    rig.now_s + 3 * (uint64_t)LIFE_S));
    assert_int_equal(gh_revocations_count(rig.peers[1].table), 1);
    close_rig(&rig);
}

/* ---- Strangers ---- */

static void a_message_under_another_key_counts_for_nothing(void **state)
{
    (void)state;
    struct rig rig;
    uint8_t message[GH_REVOCATION_MESSAGE_BYTES_MAX];
    open_ready(&rig);
    struct gh_revocation_note one = note(&rig, 1);
    size_t len = gh_revocation_message_write(OTHER_SECRET, &one, 1, message);
    say(&rig, message, len);
    CLIENT_RUN_UNTIL(&rig.client, counted(&rig.peers[1], "refused") == 1);
    assert_false(knows(&rig, &rig.peers[1], 1));
    assert_int_equal(gh_revocations_count(rig.peers[1].table), 0);
    assert_true(rig.peers[1].up);
    close_rig(&rig);
}

static void another_system_on_the_same_redis_is_not_heard(void **state)
{
    (void)state;
    struct rig rig;
    struct peer other;
    open_ready(&rig);
    open_peer(&rig, &other, OTHER_SECRET);
    CLIENT_RUN_UNTIL(&rig.client, other.up);
    assert_string_not_equal(gh_redis_revocations_channel(other.revocations),
                            gh_redis_revocations_channel(rig.peers[0].revocations));
    publish(&rig, &rig.peers[0], 1);
    CLIENT_RUN_UNTIL(&rig.client, knows(&rig, &rig.peers[1], 1));
    publish(&rig, &other, 2);
    CLIENT_RUN_UNTIL(&rig.client, counted(&other, "received") == 1);
    assert_false(knows(&rig, &other, 1));
    assert_int_equal(counted(&rig.peers[1], "received"), 1);
    close_peer(&other);
    close_rig(&rig);
}

/* What a node has published, as somebody in between would have heard it. */
static size_t overhear(struct rig *rig, unsigned number, uint8_t *out_message)
{
    struct gh_revocation_note one = note(rig, number);
    uint8_t key[GH_KEY_BYTES];
    gh_derive_key(SECRET, GH_STR("revocations mac"), key);
    return gh_revocation_message_write(key, &one, 1, out_message);
}

static void a_message_that_comes_again_changes_nothing(void **state)
{
    (void)state;
    struct rig rig;
    uint8_t message[GH_REVOCATION_MESSAGE_BYTES_MAX];
    open_ready(&rig);
    size_t len = overhear(&rig, 1, message);
    say(&rig, message, len);
    CLIENT_RUN_UNTIL(&rig.client, counted(&rig.peers[1], "received") == 1);
    assert_true(knows(&rig, &rig.peers[1], 1));
    uint64_t version = gh_revocations_version(rig.peers[1].table);
    for (unsigned i = 0; i < 50; i++)
        say(&rig, message, len);
    CLIENT_RUN_UNTIL(&rig.client, counted(&rig.peers[1], "received") == 51);
    assert_int_equal(gh_revocations_version(rig.peers[1].table), version);
    assert_int_equal(gh_revocations_count(rig.peers[1].table), 1);
    close_rig(&rig);
}

static void no_bit_of_a_message_can_be_changed(void **state)
{
    (void)state;
    struct rig rig;
    uint8_t message[GH_REVOCATION_MESSAGE_BYTES_MAX];
    unsigned said = 0;
    open_ready(&rig);
    size_t len = overhear(&rig, 1, message);
    for (size_t bit = 0; bit < 8 * len; bit++, said++) {
        message[bit / 8] ^= (uint8_t)(1 << bit % 8);
        say(&rig, message, len);
        message[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t short_len = 0; short_len < len; short_len++, said++)
        say(&rig, message, short_len);
    message[len] = 0;
    say(&rig, message, len + 1);
    CLIENT_RUN_UNTIL(&rig.client, counted(&rig.peers[1], "refused") == said + 1);
    assert_int_equal(gh_revocations_count(rig.peers[1].table), 0);
    assert_int_equal(counted(&rig.peers[1], "received"), 0);
    close_rig(&rig);
}

static void long_messages_are_refused_and_giant_ones_cost_the_connection(void **state)
{
    (void)state;
    struct rig rig;
    size_t giant = 400u * 1024;
    open_ready(&rig);
    char *bytes = calloc(1, giant);
    assert_non_null(bytes);
    bytes[0] = 1;
    say(&rig, bytes, 32u * 1024);
    CLIENT_RUN_UNTIL(&rig.client, counted(&rig.peers[1], "refused") == 1);
    assert_int_equal(rig.peers[1].listenings, 1);
    say(&rig, bytes, giant);
    CLIENT_RUN_UNTIL(&rig.client, rig.peers[0].listenings == 2 && rig.peers[1].listenings == 2);
    publish(&rig, &rig.peers[0], 1);
    CLIENT_RUN_UNTIL(&rig.client, knows(&rig, &rig.peers[1], 1));
    free(bytes);
    close_rig(&rig);
}

/* ---- Away ---- */

static void asks_to_read_back_each_time_it_listens_again(void **state)
{
    (void)state;
    struct rig rig;
    open_ready(&rig);
    gh_redis_server_kill(&rig.server);
    CLIENT_RUN_UNTIL(&rig.client, !rig.peers[0].up && !rig.peers[1].up);
    assert_int_not_equal(rig.peers[1].why[0], 0);
    publish(&rig, &rig.peers[0], 1);
    CLIENT_RUN_UNTIL(&rig.client, counted(&rig.peers[0], "unpublished") == 1);
    unsigned listenings = rig.peers[1].listenings;
    gh_redis_server_start(&rig.server);
    CLIENT_RUN_UNTIL(&rig.client, rig.peers[0].up && rig.peers[1].up);
    assert_int_equal(rig.peers[1].listenings, listenings + 1);
    assert_false(knows(&rig, &rig.peers[1], 1)); /* only the store has it */
    publish(&rig, &rig.peers[0], 2);
    CLIENT_RUN_UNTIL(&rig.client, knows(&rig, &rig.peers[1], 2));
    close_rig(&rig);
}

static void a_server_that_hangs_holds_up_nobody(void **state)
{
    (void)state;
    struct rig rig;
    open_ready(&rig);
    gh_redis_server_freeze(&rig.server);
    uint64_t begun_ms = gh_monotonic_now_ms();
    for (unsigned i = 0; i < 2000; i++)
        publish(&rig, &rig.peers[0], i);
    assert_true(gh_monotonic_now_ms() - begun_ms < 5000);
    assert_true(counted(&rig.peers[0], "unpublished") > 0); /* the queue has an end */
    CLIENT_RUN_UNTIL(&rig.client, counted(&rig.peers[0], "unpublished") == 2000);
    CLIENT_RUN_UNTIL(&rig.client, !rig.peers[0].up && !rig.peers[1].up);
    gh_redis_server_thaw(&rig.server);
    CLIENT_RUN_UNTIL(&rig.client, rig.peers[0].up && rig.peers[1].up);
    assert_true(rig.peers[1].listenings > 1);
    close_rig(&rig);
}

static void says_so_when_it_was_never_there(void **state)
{
    (void)state;
    struct rig rig;
    struct peer lone;
    open_ready(&rig);
    gh_redis_server_kill(&rig.server);
    open_peer(&rig, &lone, SECRET);
    CLIENT_RUN_UNTIL(&rig.client, lone.changes == 1);
    assert_false(lone.up);
    assert_int_equal(lone.listenings, 0);
    close_peer(&lone);
    close_rig(&rig);
}

static void a_user_who_may_not_publish_is_told_of_and_looked_at_again(void **state)
{
    (void)state;
    struct rig rig;
    open_ready(&rig);
    client_test_expect(&rig.client, "ACL SETUSER default -publish", "OK");
    publish(&rig, &rig.peers[0], 1);
    CLIENT_RUN_UNTIL(&rig.client, !rig.peers[0].up);
    assert_string_equal(rig.peers[0].why, "noperm");
    assert_int_equal(counted(&rig.peers[0], "unpublished"), 1);
    client_test_expect(&rig.client, "ACL SETUSER default +publish", "OK");
    CLIENT_RUN_UNTIL(&rig.client, rig.peers[0].up);
    publish(&rig, &rig.peers[0], 2);
    CLIENT_RUN_UNTIL(&rig.client, knows(&rig, &rig.peers[1], 2));
    close_rig(&rig);
}

static void what_is_under_way_may_be_closed(void **state)
{
    (void)state;
    struct rig rig;
    open_ready(&rig);
    publish(&rig, &rig.peers[0], 1);
    close_rig(&rig);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        TEST(what_one_ends_the_other_refuses),
        TEST(many_go_in_few_messages),
        TEST(hearing_does_not_make_a_table_complete),
        TEST(nobody_keeps_a_place_longer_than_a_token_lives),
        TEST(a_message_under_another_key_counts_for_nothing),
        TEST(another_system_on_the_same_redis_is_not_heard),
        TEST(a_message_that_comes_again_changes_nothing),
        TEST(no_bit_of_a_message_can_be_changed),
        TEST(long_messages_are_refused_and_giant_ones_cost_the_connection),
        TEST(asks_to_read_back_each_time_it_listens_again),
        TEST(a_server_that_hangs_holds_up_nobody),
        TEST(says_so_when_it_was_never_there),
        TEST(a_user_who_may_not_publish_is_told_of_and_looked_at_again),
        TEST(what_is_under_way_may_be_closed),
    };
    gh_crypto_init();
    if (!gh_redis_server_is_installed()) {
        print_message("skipped: there is no redis-server here\n");
        return 0;
    }
    return cmocka_run_group_tests_name("redis_revocations", TESTS, NULL, NULL);
}
