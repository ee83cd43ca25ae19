#include "app/config_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

bool gh_config_file_read(const char *path, struct gh_arena *arena, struct gh_str *out_text,
                         const char **out_message)
{
    char *memory = gh_arena_alloc(arena, GH_CONFIG_BYTES_MAX + 1);
    FILE *file = fopen(path, "re");
    if (!file || !memory) {
        *out_message = file ? "out of memory" : strerror(errno);
        if (file)
            fclose(file);
        return false;
    }
    errno = 0;
    size_t len = fread(memory, 1, GH_CONFIG_BYTES_MAX + 1, file);
    bool failed = ferror(file) != 0;
    *out_message = errno ? strerror(errno) : "it can't be read";
    fclose(file);
    if (failed)
        return false;
    if (len > GH_CONFIG_BYTES_MAX) {
        *out_message = "it is over 1 MiB";
        return false;
    }
    *out_text = gh_str_of(memory, len);
    return true;
}

const char *gh_environment_get(void *context, const char *name)
{
    (void)context;
    return getenv(name);
}
