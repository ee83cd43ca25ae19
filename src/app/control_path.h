/* Where the control socket of a deployment lies: beside its store. */
#ifndef GH_APP_CONTROL_PATH_H
#define GH_APP_CONTROL_PATH_H

#include "app/store_open.h"

/* A store that several processes may open has none: each command opens it, too, and what it does is
   seen by those who serve within a second. */
static inline bool gh_control_is_used(struct gh_str store)
{
    return !gh_store_setting_is_shared(store);
}

/* In `arena`, NUL behind it; ptr NULL: the arena is full; empty: there is none. */
static inline struct gh_str gh_control_path(struct gh_arena *arena, struct gh_str store)
{
    struct gh_str directory = gh_store_setting_directory(arena, store);
    return directory.len ? gh_arena_format(arena, "%.*scontrol.sock", GH_STR_ARG(directory))
                         : directory;
}

#endif
