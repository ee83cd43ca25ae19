#include "audit/anomaly_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

/* ---- What is found ---- */

static void keep(char *out, size_t cap, struct gh_str text)
{
    assert_true(text.len < cap);
    memcpy(out, text.ptr ? text.ptr : "", text.len);
    out[text.len] = '\0';
}

static void note(void *context, const struct gh_anomaly_finding *finding)
{
    struct world *world = context;
    assert_int_equal(finding->time_us, (uint64_t)world->now_s * 1000000);
    keep(world->account, sizeof(world->account), finding->account);
    keep(world->network, sizeof(world->network), finding->network);
    keep(world->evidence, sizeof(world->evidence), finding->evidence);
    if (finding->onset)
        world->onsets[finding->rule]++;
    else
        world->more[finding->rule]++;
}

static const struct gh_hash_key KEY = {3, 4};

static struct world *begin(struct world *world, struct gh_anomaly_sizes sizes)
{
    struct gh_anomaly_settings settings;
    gh_anomaly_defaults(&settings);
    *world = (struct world){.now_s = START_S};
    world->anomaly = gh_anomaly_new(&settings, KEY, sizes);
    assert_non_null(world->anomaly);
    return world;
}

int set_up(void **state)
{
    static struct world world; /* one test at a time */
    *state = begin(&world, (struct gh_anomaly_sizes){256, 256, 512});
    return 0;
}

int tear_down(void **state)
{
    struct world *world = *state;
    gh_anomaly_free(world->anomaly);
    return 0;
}

unsigned onsets(const struct world *world)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < GH_ANOMALY_RULE_COUNT; i++)
        sum += world->onsets[i];
    return sum;
}

bool evidence_says(const struct world *world, const char *member)
{
    return strstr(world->evidence, member);
}

/* ---- What happens ---- */

void feed(struct world *world, const struct happened *happened)
{
    struct gh_audit_record record = {
        .time_us = (uint64_t)world->now_s * 1000000,
        .event = happened->event,
        .user_id = gh_str_from_c(happened->user),
        .actor_id = gh_str_from_c(happened->actor ? happened->actor : happened->user),
        .ip_address = gh_str_from_c(happened->address),
        .outcome = happened->outcome,
        .metadata = gh_str_from_c(happened->metadata),
    };
    gh_anomaly_record(world->anomaly, &record, note, world);
}

void fail_of(struct world *world, const char *user, const char *address)
{
    feed(world, &(struct happened){GH_AUDIT_LOGIN_FAILED, user, NULL, address,
                                   "{\"email\":\"a@example.com\",\"reason\":\"password\"}",
                                   GH_AUDIT_FAILURE});
}

void fail_unknown(struct world *world, unsigned number, const char *address)
{
    char metadata[96];
    snprintf(metadata, sizeof(metadata), "{\"email\":\"u%u@example.com\",\"reason\":\"unknown\"}",
             number);
    feed(world,
         &(struct happened){GH_AUDIT_LOGIN_FAILED, "", NULL, address, metadata, GH_AUDIT_FAILURE});
}

void sign_in(struct world *world, const char *user, const char *address)
{
    feed(world,
         &(struct happened){GH_AUDIT_LOGIN, user, NULL, address,
                            "{\"method\":\"password\",\"new_device\":false}", GH_AUDIT_SUCCESS});
}

void sign_in_anew(struct world *world, const char *user)
{
    feed(world,
         &(struct happened){GH_AUDIT_LOGIN, user, NULL, "192.0.2.1",
                            "{\"method\":\"password\",\"new_device\":true}", GH_AUDIT_SUCCESS});
}

const char *numbered(char out[32], const char *format, unsigned number)
{
    if (format[0] == 'u')
        snprintf(out, 32, "user-%u", number);
    else
        snprintf(out, 32, "10.%u.%u.1", number / 256, number % 256);
    return out;
}

void fail_accounts(struct world *world, unsigned from, unsigned to, const char *address)
{
    for (unsigned i = from; i < to; i++)
        fail_unknown(world, i, address);
}

/* Each account of its own network. */
void spray(struct world *world, unsigned from, unsigned to)
{
    char address[32];
    for (unsigned i = from; i < to; i++)
        fail_unknown(world, i, numbered(address, "10", i));
}

void ask(struct world *world, const char *user, uint64_t requests, uint64_t missing)
{
    const struct gh_anomaly_requests traffic = {
        .account = gh_str_from_c(user),
        .client = GH_STR("192.0.2.1"),
        .requests = requests,
        .missing = missing,
        .now_us = (uint64_t)world->now_s * 1000000,
    };
    gh_anomaly_traffic(world->anomaly, &traffic, note, world);
}
