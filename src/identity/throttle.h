/*
 * Failures counted where they would hurt: per account as submitted (known or not), per account and
 * known device, per network, over all accounts. After five free failures growing delays, 1 s
 * doubling to 15 min; never a lock that others could put on an owner: a valid device cookie has a
 * budget of its own. An account's failures are forgotten by a success or after a day, half of a
 * network's with each quiet quarter of an hour. Kept in the store: it survives a restart.
 */
#ifndef GH_IDENTITY_THROTTLE_H
#define GH_IDENTITY_THROTTLE_H

#include "identity/identity.h"

/* What a try counts against. */
struct gh_throttle_keys {
    uint8_t account[16]; /* or account and device */
    uint8_t network[16];
    bool by_device;
};

/* Of an address as submitted. `known_device`: call->device is one of that account's. */
void gh_throttle_keys(const struct gh_identity_call *call, struct gh_str email, bool known_device,
                      struct gh_throttle_keys *out_keys);
/* True: the try may go on; false: call->retry_after_s. Reads only. */
bool gh_throttle_admits(struct gh_tx *tx, struct gh_identity_call *call,
                        const struct gh_throttle_keys *keys);
enum gh_err gh_throttle_failed(struct gh_tx *tx, const struct gh_identity_call *call,
                               const struct gh_throttle_keys *keys);
/* A success forgives the account's failures (not the network's). */
enum gh_err gh_throttle_succeeded(struct gh_tx *tx, const struct gh_identity_call *call,
                                  const struct gh_throttle_keys *keys);
/* An admin, or the owner by a reset. */
enum gh_err gh_throttle_forgive(struct gh_tx *tx, const struct gh_identity_call *call,
                                struct gh_str email);

/* The device cookie: random, when it was made, and a keyed hash of both and the account's address,
   so that it can be judged without a row of its own. Good for 180 days, and when it was made at
   `since_us` or later: the account's password_changed_us, for a new password ends the devices. */
struct gh_str gh_device_cookie_make(const struct gh_identity_call *call, struct gh_str email);
bool gh_device_cookie_is_of(const struct gh_identity_call *call, struct gh_str cookie,
                            struct gh_str email, uint64_t since_us);

#endif
