/*
 * How many of something each client address has over all workers: open connections
 * (`limits.connections_per_client`), or bodies that are judged as they come. Fixed
 * memory: when a bucket is full of other clients, the newcomer is admitted uncounted, so that the
 * table can't be used to lock strangers out; the process-wide cap still holds.
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

/* What `enter` decided; `leave` needs it back. */
enum gh_client_entry { GH_CLIENT_REFUSED, GH_CLIENT_COUNTED, GH_CLIENT_UNCOUNTED };

/* Counts one more connection of `ip` (IPv6 by /64) unless it has `max` already. */
enum gh_client_entry gh_client_count_enter(struct gh_client_count *table, const struct gh_ip *ip,
                                           uint64_t max);
/* Only after GH_CLIENT_COUNTED. */
void gh_client_count_leave(struct gh_client_count *table, const struct gh_ip *ip);
/* How many of `ip` are counted. */
uint64_t gh_client_count_of(struct gh_client_count *table, const struct gh_ip *ip);

#endif
