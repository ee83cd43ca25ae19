#include "store/postgres_libpq.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* Of the pipeline mode. */
#define VERSION_MIN 140000

/* Written once, by load, before anybody reads it: the one piece of process state here, because a
   library can be loaded only once. */
static struct gh_libpq library;
static bool loaded;
static pthread_once_t load_once = PTHREAD_ONCE_INIT;

static bool find_all(void *handle)
{
    const struct {
        const char *name;
        void *slot;
    } symbols[] = {
#define X(member, result, parameters) {"PQ" #member, &library.member},
        GH_LIBPQ_FUNCTIONS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        void *found = dlsym(handle, symbols[i].name);
        if (!found)
            return false;
        memcpy(symbols[i].slot, &found, sizeof(found)); /* ISO C has no such cast */
    }
    return true;
}

static void load(void)
{
    void *handle = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    loaded =
        handle && find_all(handle) && library.isthreadsafe() && library.libVersion() >= VERSION_MIN;
    if (loaded)
        library.initOpenSSL(0, 0); /* OpenSSL is there already, and ours to set up */
}

const struct gh_libpq *gh_libpq_get(void)
{
    pthread_once(&load_once, load);
    return loaded ? &library : NULL;
}
