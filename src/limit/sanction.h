/*
 * Sanctions: networks and accounts that are slowed down, blocked, or must show a second factor, for
 * a time. A table of fixed size, shared by all threads. One asks without a lock; while there is
 * none, which is nearly always, asking costs one load.
 *
 * Times are UTC seconds, but for the pace, which is monotonic. Who puts them and why is no business
 * of this module (app/anomaly_watch.h).
 */
#ifndef GH_LIMIT_SANCTION_H
#define GH_LIMIT_SANCTION_H

#include "base/hash.h"
#include "base/ip.h"

enum gh_sanction_kind {
    GH_SANCTION_SECOND_FACTOR,
    GH_SANCTION_SLOW,
    GH_SANCTION_BLOCK,
    GH_SANCTION_KIND_COUNT
};

struct gh_sanctions;

/* Holds at least `capacity`; when a place is full the one that ends first makes room. NULL without
   memory. */
struct gh_sanctions *gh_sanctions_new(size_t capacity, struct gh_hash_key key);
void gh_sanctions_free(struct gh_sanctions *sanctions); /* NULL is fine */

/* Whom one speaks of. A network is an address under /24 of IPv4, /56 of IPv6, as the rules that
   find anomalies count. */
#define GH_SANCTION_V4_BITS 24
#define GH_SANCTION_V6_BITS 56
uint64_t gh_sanctions_network(const struct gh_sanctions *sanctions, const struct gh_ip *client);
uint64_t gh_sanctions_account(const struct gh_sanctions *sanctions, struct gh_str id);

/* Until then at least. One that holds already keeps its beginning. */
struct gh_sanction_term {
    enum gh_sanction_kind kind;
    uint64_t since_s, until_s;
};
void gh_sanctions_put(struct gh_sanctions *sanctions, uint64_t whom,
                      const struct gh_sanction_term *term);
/* Ends all of them. */
void gh_sanctions_clear(struct gh_sanctions *sanctions);

/* False: there is none for anybody. */
bool gh_sanctions_any(const struct gh_sanctions *sanctions, uint64_t now_s);
/* What holds; until_s 0: nothing of that kind. */
struct gh_sanction {
    uint64_t since_s[GH_SANCTION_KIND_COUNT], until_s[GH_SANCTION_KIND_COUNT];
};
struct gh_sanction gh_sanctions_find(const struct gh_sanctions *sanctions, uint64_t whom,
                                     uint64_t now_s);

/* The pace of those who are slowed: one request in so long. At first 2 s. */
void gh_sanctions_set_pace(struct gh_sanctions *sanctions, uint64_t interval_ms);
/* True: this request may pass, and counts; false: *out_wait_ms. Who is not there passes. */
bool gh_sanctions_pace(struct gh_sanctions *sanctions, uint64_t whom, uint64_t now_ms,
                       uint64_t *out_wait_ms);

#endif
