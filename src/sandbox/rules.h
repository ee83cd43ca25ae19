/*
 * What a process may still reach once it is held: paths, and TCP ports. A list that its owner makes
 * from the configuration before it is held, and that a later configuration is compared with, since
 * nothing can be added afterwards. Touches no right itself: landlock.c does.
 */
#ifndef GH_SANDBOX_RULES_H
#define GH_SANDBOX_RULES_H

#include <stdio.h>

#include "base/arena.h"

/* Write: read, and make, change, rename and remove files and sockets below. */
enum gh_sandbox_access { GH_SANDBOX_READ, GH_SANDBOX_WRITE };
enum gh_sandbox_direction { GH_SANDBOX_CONNECT, GH_SANDBOX_LISTEN };
#define GH_SANDBOX_DIRECTIONS 2
#define GH_SANDBOX_PORTS      65536
#define GH_SANDBOX_PORT_WORDS (GH_SANDBOX_PORTS / 64)

struct gh_sandbox_path {
    const char *path; /* without symbolic links, where it is there */
    enum gh_sandbox_access access;
    const char *why; /* for those who read the list */
    /* Of what was there, which is held itself and not its name; zeros: nothing was, and nothing is
       held. */
    uint64_t device, inode;
    bool is_directory, is_optional;
    bool is_told; /* that it was replaced */
    struct gh_sandbox_path *next;
};

struct gh_sandbox_rules {
    struct gh_arena *arena;
    struct gh_sandbox_path *paths; /* in the order they came */
    uint64_t *ports[GH_SANDBOX_DIRECTIONS];
    bool optional;      /* what is added next: nobody misses it where it is not there */
    bool out_of_memory; /* the list is not whole: it must not be used */
};

/* What is added lives in `arena`, but for `why`, which is borrowed. */
void gh_sandbox_rules_init(struct gh_sandbox_rules *rules, struct gh_arena *arena);

/* All below a directory, wherever symbolic links lead. */
void gh_sandbox_allow_directory(struct gh_sandbox_rules *rules, enum gh_sandbox_access access,
                                struct gh_str path, const char *why);
/* A file, and no other. */
void gh_sandbox_allow_file(struct gh_sandbox_rules *rules, enum gh_sandbox_access access,
                           struct gh_str path, const char *why);
/*
 * A file that may be replaced by renaming another over it, or be made later: its directory, and
 * that which a symbolic link leads to. A directory of the system (/etc, /tmp, /var/log) holds too
 * much that is others': there it is the file alone, as long as it is not replaced.
 */
void gh_sandbox_allow_replaced(struct gh_sandbox_rules *rules, enum gh_sandbox_access access,
                               struct gh_str path, const char *why);
/* A directory that others remove and make again, with a .well-known above it (RFC 8615): the
   nearest one above them that is there, unless it is the system's. */
void gh_sandbox_allow_remade(struct gh_sandbox_rules *rules, enum gh_sandbox_access access,
                             struct gh_str path, const char *why);
void gh_sandbox_allow_port(struct gh_sandbox_rules *rules, enum gh_sandbox_direction direction,
                           uint16_t port);

bool gh_sandbox_has_port(const struct gh_sandbox_rules *rules, enum gh_sandbox_direction direction,
                         uint16_t port);
/* True when `held` allows all that `wanted` does; a directory that was removed, or came later, is
   not held, whatever its name. Else *out_what, in `arena`, names the first thing
   that it doesn't: "reading /etc/other (a certificate)". */
bool gh_sandbox_rules_cover(const struct gh_sandbox_rules *held,
                            const struct gh_sandbox_rules *wanted, struct gh_arena *arena,
                            struct gh_str *out_what);

/* The same for one file alone; false also when memory ran out. */
bool gh_sandbox_rules_cover_file(const struct gh_sandbox_rules *held, enum gh_sandbox_access access,
                                 struct gh_str path, struct gh_arena *arena);

/* Each rule, for people: what(context, "may read /etc/gatehouse (the configuration)"). */
typedef void gh_sandbox_tell(void *context, const char *text);
void gh_sandbox_rules_tell(const struct gh_sandbox_rules *rules, gh_sandbox_tell *tell,
                           void *context);
/* Each path that was not there and will be missed: "/srv/acme (answers to ACME)". */
void gh_sandbox_rules_tell_absent(const struct gh_sandbox_rules *rules, gh_sandbox_tell *tell,
                                  void *context);
/* Each file alone that is no longer what it was, since it was replaced or removed: how many; and
   those that were as before when this was last called, "/etc/resolv.conf (names and addresses)". */
size_t gh_sandbox_rules_tell_replaced(struct gh_sandbox_rules *rules, gh_sandbox_tell *tell,
                                      void *context);

#endif
