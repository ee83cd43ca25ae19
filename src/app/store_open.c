#include "app/store_open.h"

#include "store/memory.h"
#include "store/sqlite.h"

static const struct gh_str SQLITE = GH_STR_INIT("sqlite:");
static const struct gh_str MEMORY = GH_STR_INIT("memory:");
static const struct gh_str POSTGRESQL = GH_STR_INIT("postgresql:");
static const struct gh_str POSTGRES = GH_STR_INIT("postgres:");

static bool is_postgresql(struct gh_str setting)
{
    return gh_str_starts_with(setting, POSTGRESQL) || gh_str_starts_with(setting, POSTGRES);
}

void gh_store_setting_check(struct gh_config_load *load, struct gh_config_place place,
                            struct gh_str setting, bool production)
{
    if (is_postgresql(setting)) {
        gh_config_problem_add(load, GH_CONFIG_ERROR, place,
                              "use sqlite:/var/lib/gatehouse/gatehouse.db meanwhile",
                              "PostgreSQL is not available yet");
        return;
    }
    if (gh_str_starts_with(setting, MEMORY)) {
        if (production)
            gh_config_problem_add(load, GH_CONFIG_ERROR, place, "write sqlite:PATH",
                                  "a store in memory forgets all accounts at every restart");
        return;
    }
    if (!gh_str_starts_with(setting, SQLITE) || setting.len == SQLITE.len)
        gh_config_problem_add(load, GH_CONFIG_ERROR, place,
                              "write sqlite:/var/lib/gatehouse/gatehouse.db",
                              "the store is neither sqlite:PATH nor memory:");
}

enum gh_err gh_store_setting_open(struct gh_str setting, bool exclusive, struct gh_arena *arena,
                                  struct gh_store **out_store, struct gh_str *out_message)
{
    *out_message = GH_STR("out of memory");
    if (gh_str_starts_with(setting, MEMORY)) {
        *out_store = gh_memory_store_open();
        return *out_store ? GH_OK : GH_ERR_MEMORY;
    }
    struct gh_sqlite_options options = {
        .path = gh_str_skip(setting, SQLITE.len),
        .exclusive = exclusive,
    };
    return gh_sqlite_open(&options, arena, out_store, out_message);
}

struct gh_str gh_store_setting_directory(struct gh_arena *arena, struct gh_str setting)
{
    if (gh_str_starts_with(setting, MEMORY)) {
        struct gh_str directory = gh_str_skip(setting, MEMORY.len);
        return directory.len ? gh_arena_format(arena, "%.*s/", GH_STR_ARG(directory)) : GH_STR("");
    }
    struct gh_str path = gh_str_skip(setting, SQLITE.len);
    size_t len = path.len;
    while (len && path.ptr[len - 1] != '/')
        len--;
    return gh_arena_dup(arena, len ? gh_str_first(path, len) : GH_STR("./"));
}
