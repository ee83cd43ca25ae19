#include "sandbox/rules.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"

#define TELL_BYTES_MAX 8192

void gh_sandbox_rules_init(struct gh_sandbox_rules *rules, struct gh_arena *arena)
{
    *rules = (struct gh_sandbox_rules){.arena = arena};
    for (int i = 0; i < GH_SANDBOX_DIRECTIONS; i++) {
        rules->ports[i] = gh_arena_zalloc(arena, GH_SANDBOX_PORT_WORDS, sizeof(uint64_t));
        rules->out_of_memory |= !rules->ports[i];
    }
}

/* ---- Paths ---- */

/* Below `directory`, or the same. */
static bool is_within(const char *path, const char *directory)
{
    struct gh_str inner = gh_str_from_c(path), outer = gh_str_from_c(directory);
    if (gh_str_eq(outer, GH_STR("/")))
        return true;
    return gh_str_starts_with(inner, outer) &&
           (inner.len == outer.len || inner.ptr[outer.len] == '/');
}

/* A file that was replaced is another one. */
static bool is_same(const struct gh_sandbox_path *held, const struct gh_sandbox_path *wanted)
{
    return held->device == wanted->device && held->inode == wanted->inode;
}

/* So is a directory that was made again. (While it is held the kernel gives its number to no
   other.) One that this user may not look at says nothing. */
static bool is_still_there(const struct gh_sandbox_path *held)
{
    struct stat status;
    if (stat(held->path, &status) != 0)
        return errno != ENOENT && errno != ENOTDIR;
    return held->device == (uint64_t)status.st_dev && held->inode == (uint64_t)status.st_ino;
}

static bool reaches(const struct gh_sandbox_path *held, const struct gh_sandbox_path *wanted)
{
    if (!held->inode) /* as little as before */
        return !wanted->inode && strcmp(held->path, wanted->path) == 0;
    return is_within(wanted->path, held->path) &&
           (held->is_directory ? is_still_there(held) : is_same(held, wanted));
}

static bool is_allowed(const struct gh_sandbox_rules *rules, const struct gh_sandbox_path *wanted)
{
    for (const struct gh_sandbox_path *rule = rules->paths; rule; rule = rule->next) {
        if (rule->access >= wanted->access && reaches(rule, wanted))
            return true;
    }
    return false;
}

static void add(struct gh_sandbox_rules *rules, enum gh_sandbox_access access, struct gh_str path,
                const char *why)
{
    struct gh_str copy = gh_arena_dup(rules->arena, path);
    struct gh_sandbox_path *rule = gh_arena_zalloc(rules->arena, 1, sizeof(*rule));
    if (!copy.ptr || !rule) {
        rules->out_of_memory = true;
        return;
    }
    struct stat status;
    *rule = (struct gh_sandbox_path){
        .path = copy.ptr, .access = access, .why = why, .is_optional = rules->optional};
    if (stat(copy.ptr, &status) == 0) {
        rule->device = (uint64_t)status.st_dev;
        rule->inode = (uint64_t)status.st_ino;
        rule->is_directory = S_ISDIR(status.st_mode);
    }
    if (is_allowed(rules, rule))
        return;
    struct gh_sandbox_path **end = &rules->paths;
    while (*end)
        end = &(*end)->next;
    *end = rule;
}

/* The path without symbolic links; as it is where it can't be followed. */
static struct gh_str resolve(struct gh_sandbox_rules *rules, struct gh_str path)
{
    char real[PATH_MAX];
    struct gh_str name = gh_arena_dup(rules->arena, path);
    if (!name.ptr) {
        rules->out_of_memory = true;
        return path;
    }
    if (!realpath(name.ptr, real))
        return name;
    return gh_arena_dup(rules->arena, gh_str_from_c(real));
}

static struct gh_str directory_of(struct gh_str path)
{
    size_t len = path.len;
    while (len && path.ptr[len - 1] != '/')
        len--;
    if (len == 0)
        return GH_STR(".");
    return gh_str_first(path, len > 1 ? len - 1 : 1);
}

/* What the hierarchy standard names, where everybody has something. */
static bool is_of_the_system(struct gh_str directory)
{
    static const char *const NAMES[] = {
        "/etc/ssl", "/etc/pki",   "/etc/pki/tls", "/",       "/bin",     "/boot",    "/dev",
        "/etc",     "/home",      "/lib",         "/media",  "/mnt",     "/opt",     "/proc",
        "/root",    "/run",       "/sbin",        "/srv",    "/sys",     "/tmp",     "/usr",
        "/usr/bin", "/usr/lib",   "/usr/local",   "/var",    "/var/lib", "/var/log", "/var/run",
        "/var/tmp", "/var/cache", "/var/spool",   "/dev/shm"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (gh_str_eq(directory, gh_str_from_c(NAMES[i])))
            return true;
    }
    return false;
}

void gh_sandbox_allow_directory(struct gh_sandbox_rules *rules, enum gh_sandbox_access access,
                                struct gh_str path, const char *why)
{
    if (path.len)
        add(rules, access, resolve(rules, path), why);
}

void gh_sandbox_allow_file(struct gh_sandbox_rules *rules, enum gh_sandbox_access access,
                           struct gh_str path, const char *why)
{
    gh_sandbox_allow_directory(rules, access, path, why);
}

static void allow_around(struct gh_sandbox_rules *rules, enum gh_sandbox_access access,
                         struct gh_str file, const char *why)
{
    struct gh_str directory = resolve(rules, directory_of(file));
    add(rules, access, is_of_the_system(directory) ? file : directory, why);
}

void gh_sandbox_allow_replaced(struct gh_sandbox_rules *rules, enum gh_sandbox_access access,
                               struct gh_str path, const char *why)
{
    if (!path.len)
        return;
    allow_around(rules, access, path, why);
    allow_around(rules, access, resolve(rules, path), why);
}

/* Without slashes at its end. */
static struct gh_str trim_slashes(struct gh_str path)
{
    while (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    return path;
}

static bool is_there(struct gh_sandbox_rules *rules, struct gh_str path)
{
    struct stat status;
    struct gh_str name = gh_arena_dup(rules->arena, path);
    return name.ptr && stat(name.ptr, &status) == 0;
}

void gh_sandbox_allow_remade(struct gh_sandbox_rules *rules, enum gh_sandbox_access access,
                             struct gh_str path, const char *why)
{
    if (!path.len)
        return;
    struct gh_str above = trim_slashes(directory_of(trim_slashes(path)));
    if (gh_str_ends_with(above, GH_STR("/.well-known")))
        above = trim_slashes(directory_of(above));
    while (above.len > 1 && !is_there(rules, above))
        above = directory_of(trim_slashes(above));
    struct gh_str real = resolve(rules, above);
    if (!is_of_the_system(real))
        add(rules, access, real, why);
    gh_sandbox_allow_directory(rules, access, path, why);
}

/* ---- Ports ---- */

void gh_sandbox_allow_port(struct gh_sandbox_rules *rules, enum gh_sandbox_direction direction,
                           uint16_t port)
{
    if (!rules->out_of_memory)
        rules->ports[direction][port / 64] |= 1ull << port % 64;
}

bool gh_sandbox_has_port(const struct gh_sandbox_rules *rules, enum gh_sandbox_direction direction,
                         uint16_t port)
{
    return rules->ports[direction] && rules->ports[direction][port / 64] >> port % 64 & 1;
}

/* ---- Comparing, telling ---- */

static const char *const ACCESS[] = {[GH_SANDBOX_READ] = "read", [GH_SANDBOX_WRITE] = "write"};
static const char *const DOING[] = {[GH_SANDBOX_READ] = "reading", [GH_SANDBOX_WRITE] = "writing"};
static const char *const ON_PORT[] = {
    [GH_SANDBOX_CONNECT] = "connect to port", [GH_SANDBOX_LISTEN] = "listen on port"};
static const char *const DOING_ON_PORT[] = {
    [GH_SANDBOX_CONNECT] = "connecting to port", [GH_SANDBOX_LISTEN] = "listening on port"};

bool gh_sandbox_rules_cover(const struct gh_sandbox_rules *held,
                            const struct gh_sandbox_rules *wanted, struct gh_arena *arena,
                            struct gh_str *out_what)
{
    for (const struct gh_sandbox_path *rule = wanted->paths; rule; rule = rule->next) {
        if (is_allowed(held, rule))
            continue;
        *out_what =
            gh_arena_format(arena, "%s %s (%s)", DOING[rule->access], rule->path, rule->why);
        return false;
    }
    for (enum gh_sandbox_direction d = 0; d < GH_SANDBOX_DIRECTIONS; d++) {
        for (unsigned port = 0; port < GH_SANDBOX_PORTS; port++) {
            if (!gh_sandbox_has_port(wanted, d, (uint16_t)port) ||
                gh_sandbox_has_port(held, d, (uint16_t)port))
                continue;
            *out_what = gh_arena_format(arena, "%s %u", DOING_ON_PORT[d], port);
            return false;
        }
    }
    return true;
}

bool gh_sandbox_rules_cover_file(const struct gh_sandbox_rules *held, enum gh_sandbox_access access,
                                 struct gh_str path, struct gh_arena *arena)
{
    struct gh_sandbox_rules wanted;
    struct gh_str what;
    gh_sandbox_rules_init(&wanted, arena);
    gh_sandbox_allow_file(&wanted, access, path, "");
    return !wanted.out_of_memory && !held->out_of_memory &&
           gh_sandbox_rules_cover(held, &wanted, arena, &what);
}

static void tell_ports(const struct gh_sandbox_rules *rules, enum gh_sandbox_direction direction,
                       gh_sandbox_tell *tell, void *context)
{
    char text[64];
    for (unsigned port = 0; port < GH_SANDBOX_PORTS; port++) {
        unsigned last = port;
        while (last < GH_SANDBOX_PORTS && gh_sandbox_has_port(rules, direction, (uint16_t)last))
            last++;
        if (last == port)
            continue;
        if (last - port > 1)
            snprintf(text, sizeof(text), "may %ss %u to %u", ON_PORT[direction], port, last - 1);
        else
            snprintf(text, sizeof(text), "may %s %u", ON_PORT[direction], port);
        tell(context, text);
        port = last;
    }
}

void gh_sandbox_rules_tell(const struct gh_sandbox_rules *rules, gh_sandbox_tell *tell,
                           void *context)
{
    char text[TELL_BYTES_MAX];
    for (const struct gh_sandbox_path *rule = rules->paths; rule; rule = rule->next) {
        snprintf(text, sizeof(text), "may %s %s (%s)", ACCESS[rule->access], rule->path, rule->why);
        tell(context, text);
    }
    for (enum gh_sandbox_direction d = 0; d < GH_SANDBOX_DIRECTIONS; d++)
        tell_ports(rules, d, tell, context);
}

void gh_sandbox_rules_tell_absent(const struct gh_sandbox_rules *rules, gh_sandbox_tell *tell,
                                  void *context)
{
    char text[TELL_BYTES_MAX];
    for (const struct gh_sandbox_path *rule = rules->paths; rule; rule = rule->next) {
        if (rule->inode || rule->is_optional)
            continue;
        snprintf(text, sizeof(text), "%s (%s)", rule->path, rule->why);
        tell(context, text);
    }
}

size_t gh_sandbox_rules_tell_replaced(struct gh_sandbox_rules *rules, gh_sandbox_tell *tell,
                                      void *context)
{
    char text[TELL_BYTES_MAX];
    size_t count = 0;
    for (struct gh_sandbox_path *rule = rules->paths; rule; rule = rule->next) {
        if (!rule->inode || rule->is_directory)
            continue;
        bool was_told = rule->is_told;
        rule->is_told = !is_still_there(rule);
        count += rule->is_told;
        if (was_told || !rule->is_told)
            continue;
        snprintf(text, sizeof(text), "%s (%s)", rule->path, rule->why);
        tell(context, text);
    }
    return count;
}
