/*
 * How many of something each client address has over all workers: open connections
 * (`limits.connections_per_client`), bodies that are judged as they come, or bytes of bodies that
 * are held. Fixed memory: when a bucket is full of other clients, the newcomer is admitted
 * uncounted, so that the table can't be used to lock strangers out; the process-wide cap still
 * holds.
 */
#ifndef GH_GATEWAY_CLIENT_COUNT_H
#define GH_GATEWAY_CLIENT_COUNT_H

#include "base/err.h"
#include "base/hash.h"
#include "base/ip.h"

struct gh_client_count;

GH_MUST_USE enum gh_err gh_client_count_open(struct gh_hash_key key,
                                             struct gh_client_count **out_table);
void gh_client_count_close(struct gh_client_count *table);

/* What was decided; who takes it back must know. */
enum gh_client_entry { GH_CLIENT_REFUSED, GH_CLIENT_COUNTED, GH_CLIENT_UNCOUNTED };

/* Counts `amount` more of `ip` (IPv6 by /64) unless they come to more than `max`. */
enum gh_client_entry gh_client_count_add(struct gh_client_count *table, const struct gh_ip *ip,
                                         uint64_t amount, uint64_t max);
/* Only what was GH_CLIENT_COUNTED. */
void gh_client_count_remove(struct gh_client_count *table, const struct gh_ip *ip, uint64_t amount);
/* The same for one of them. */
enum gh_client_entry gh_client_count_enter(struct gh_client_count *table, const struct gh_ip *ip,
                                           uint64_t max);
void gh_client_count_leave(struct gh_client_count *table, const struct gh_ip *ip);
/* How many of `ip` are counted. */
uint64_t gh_client_count_of(struct gh_client_count *table, const struct gh_ip *ip);

#endif
