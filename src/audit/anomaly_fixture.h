/* A world for the tests of the anomaly rules: what happens in it, and what is found. */
#ifndef GH_AUDIT_ANOMALY_FIXTURE_H
#define GH_AUDIT_ANOMALY_FIXTURE_H

#include "audit/anomaly.h"

#define START_S  1767571200u /* 2026-01-05T00:00:00Z */
#define MINUTE_S 60u
#define HOUR_S   3600u
#define DAY_S    86400u

struct world {
    struct gh_anomaly *anomaly;
    uint32_t now_s;
    unsigned onsets[GH_ANOMALY_RULE_COUNT], more[GH_ANOMALY_RULE_COUNT];
    char account[64], network[64], evidence[512];
};

struct happened {
    enum gh_audit_event event;
    const char *user, *actor, *address, *metadata;
    enum gh_audit_outcome outcome;
};

/* For cmocka; *state is a world. */
int set_up(void **state);
int tear_down(void **state);
/* Of all rules. */
unsigned onsets(const struct world *world);
/* The evidence of the last finding has this text. */
bool evidence_says(const struct world *world, const char *member);
/* Records: now, of the shape that identity writes. */
void feed(struct world *world, const struct happened *happened);
void fail_of(struct world *world, const char *user, const char *address);
void fail_unknown(struct world *world, unsigned number, const char *address);
void sign_in(struct world *world, const char *user, const char *address);
void sign_in_anew(struct world *world, const char *user);
/* "user-7" for a format that begins with u, else an address in a network of its own. */
const char *numbered(char out[32], const char *format, unsigned number);
/* Unknown accounts from one address; spray: each from a network of its own. */
void fail_accounts(struct world *world, unsigned from, unsigned to, const char *address);
void spray(struct world *world, unsigned from, unsigned to);
/* Requests of an account, or of nobody. */
void ask(struct world *world, const char *user, uint64_t requests, uint64_t missing);

/* A test in a world of its own. */
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
