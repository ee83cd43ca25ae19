/* Files and ports by Landlock. The structures are those of the kernel's interface, written out
   here because the headers of Debian 12 end before ports and scopes. */
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/sandbox.h"

#define CREATE_RULESET_VERSION (1u << 0)

enum rule_type { RULE_PATH_BENEATH = 1, RULE_NET_PORT = 2 };

#define FS_EXECUTE     (1ull << 0)
#define FS_WRITE_FILE  (1ull << 1)
#define FS_READ_FILE   (1ull << 2)
#define FS_READ_DIR    (1ull << 3)
#define FS_REMOVE_DIR  (1ull << 4)
#define FS_REMOVE_FILE (1ull << 5)
#define FS_MAKE_CHAR   (1ull << 6)
#define FS_MAKE_DIR    (1ull << 7)
#define FS_MAKE_REG    (1ull << 8)
#define FS_MAKE_SOCK   (1ull << 9)
#define FS_MAKE_FIFO   (1ull << 10)
#define FS_MAKE_BLOCK  (1ull << 11)
#define FS_MAKE_SYM    (1ull << 12)
#define FS_REFER       (1ull << 13) /* renaming into another directory */
#define FS_TRUNCATE    (1ull << 14)
#define FS_IOCTL_DEV   (1ull << 15)

#define NET_BIND_TCP    (1ull << 0)
#define NET_CONNECT_TCP (1ull << 1)

#define SCOPE_ABSTRACT_UNIX (1ull << 0)
#define SCOPE_SIGNAL        (1ull << 1)

/* Rights that the first version knows; later ones came with the versions named beside them. */
#define FS_FIRST      (FS_REFER - 1)
#define ABI_REFER     2
#define ABI_TRUNCATE  3
#define ABI_PORTS     4
#define ABI_IOCTL_DEV 5
#define ABI_SCOPES    6

#define FS_OF_FILES (FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE)
#define FS_READ     (FS_READ_FILE | FS_READ_DIR)
#define FS_WRITE                                                                                   \
    (FS_READ | FS_WRITE_FILE | FS_TRUNCATE | FS_MAKE_REG | FS_MAKE_SOCK | FS_MAKE_DIR |            \
     FS_REMOVE_FILE)

struct ruleset_attr {
    uint64_t handled_access_fs, handled_access_net, scoped;
};
struct path_beneath_attr {
    uint64_t allowed_access;
    int32_t parent_fd;
} __attribute__((packed));
struct net_port_attr {
    uint64_t allowed_access, port;
};

static struct ruleset_attr handled_by(long abi)
{
    struct ruleset_attr attr = {.handled_access_fs = FS_FIRST};
    if (abi >= ABI_REFER)
        attr.handled_access_fs |= FS_REFER;
    if (abi >= ABI_TRUNCATE)
        attr.handled_access_fs |= FS_TRUNCATE;
    if (abi >= ABI_PORTS)
        attr.handled_access_net = NET_BIND_TCP | NET_CONNECT_TCP;
    if (abi >= ABI_IOCTL_DEV)
        attr.handled_access_fs |= FS_IOCTL_DEV;
    if (abi >= ABI_SCOPES)
        attr.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
    return attr;
}

/* A path that is not there is passed over: there is nothing to reach. */
static bool add_path(int ruleset, const struct ruleset_attr *handled,
                     const struct gh_sandbox_path *rule)
{
    struct stat status;
    int fd = open(rule->path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES || errno == ELOOP;
    uint64_t wanted = rule->access == GH_SANDBOX_WRITE ? FS_WRITE : FS_READ;
    if (fstat(fd, &status) != 0 || !S_ISDIR(status.st_mode))
        wanted &= FS_OF_FILES;
    struct path_beneath_attr attr = {wanted & handled->handled_access_fs, fd};
    bool added = syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &attr, 0) == 0;
    /* EBADFD: a pipe or the like, reached through /proc: Landlock lets those be. */
    added = added || errno == EBADFD;
    int error = errno;
    close(fd);
    errno = error;
    return added;
}

static bool add_ports(int ruleset, const struct gh_sandbox_rules *rules)
{
    for (unsigned port = 0; port < GH_SANDBOX_PORTS; port++) {
        struct net_port_attr attr = {.port = port};
        if (gh_sandbox_has_port(rules, GH_SANDBOX_CONNECT, (uint16_t)port))
            attr.allowed_access |= NET_CONNECT_TCP;
        if (gh_sandbox_has_port(rules, GH_SANDBOX_LISTEN, (uint16_t)port))
            attr.allowed_access |= NET_BIND_TCP;
        if (attr.allowed_access &&
            syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &attr, 0) != 0)
            return false;
    }
    return true;
}

static bool add_all(int ruleset, const struct ruleset_attr *handled,
                    const struct gh_sandbox_rules *rules)
{
    for (const struct gh_sandbox_path *rule = rules->paths; rule; rule = rule->next) {
        if (!add_path(ruleset, handled, rule))
            return false;
    }
    return !handled->handled_access_net || add_ports(ruleset, rules);
}

enum gh_err gh_sandbox_hold_files(const struct gh_sandbox_rules *rules, bool *out_ports)
{
    if (rules->out_of_memory)
        return GH_ERR_MEMORY;
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    if (abi < 1)
        return GH_ERR_NOT_FOUND;
    struct ruleset_attr handled = handled_by(abi);
    /* Older kernels take a longer structure as long as what they don't know is zero. */
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
    if (ruleset < 0)
        return GH_ERR_IO;
    bool held = add_all(ruleset, &handled, rules) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    int error = errno;
    close(ruleset);
    errno = error;
    if (!held)
        return GH_ERR_IO;
    *out_ports = handled.handled_access_net != 0;
    return GH_OK;
}
