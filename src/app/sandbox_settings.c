#include "app/sandbox_settings.h"

#include <stddef.h>

static const char *const MODES[] = {
    [GH_SANDBOX_ENFORCE] = "enforce",
    [GH_SANDBOX_LOG] = "log",
    [GH_SANDBOX_OFF] = "off",
    NULL,
};

const char *gh_sandbox_mode_name(enum gh_sandbox_mode mode)
{
    return MODES[mode];
}

static const struct gh_config_field PATH_ITEM = {.type = GH_CONFIG_TYPE_STRING};
static const struct gh_config_field PORT_ITEM = {
    .type = GH_CONFIG_TYPE_INTEGER, .min = 1, .max = UINT16_MAX};

#define SANDBOX(member) .offset = offsetof(struct gh_sandbox_settings, member)
static const struct gh_config_field FIELDS[] = {
    {.name = "mode",
     .type = GH_CONFIG_TYPE_ENUM,
     SANDBOX(mode),
     .names = MODES,
     .default_yaml = "enforce",
     .doc = "`enforce`: other files and ports are out of reach, and a system call that gatehouse "
            "never makes ends the process. `log`: nothing is stopped, the kernel logs those calls "
            "(`journalctl -k`), and the list of files and ports is logged at the start. `off`: "
            "neither. Changes with a restart only."},
    {.name = "required",
     .type = GH_CONFIG_TYPE_BOOL,
     SANDBOX(required),
     .doc = "Where the kernel has no Landlock or no seccomp: do not start. Without it, the start "
            "says so in a warning."},
    {.name = "read",
     .type = GH_CONFIG_TYPE_LIST,
     SANDBOX(read),
     .item = &PATH_ITEM,
     .one_or_list = true,
     .doc =
         "Directories and files that a later reload may name, to be read by the server. None with "
         "private keys: see `certificates`."},
    {.name = "certificates",
     .type = GH_CONFIG_TYPE_LIST,
     SANDBOX(certificates),
     .item = &PATH_ITEM,
     .one_or_list = true,
     .doc = "Directories of certificates and keys that a later reload may name, to be read by the "
            "process that keeps TLS keys, and by no other."},
    {.name = "write",
     .type = GH_CONFIG_TYPE_LIST,
     SANDBOX(write),
     .item = &PATH_ITEM,
     .one_or_list = true,
     .doc = "The same, to be written: of evidence, of the audit log's copies, of sockets."},
    {.name = "connect",
     .type = GH_CONFIG_TYPE_LIST,
     SANDBOX(connect),
     .item = &PORT_ITEM,
     .one_or_list = true,
     .doc = "TCP ports that upstreams and other servers of a later reload may have."},
    {.name = "listen",
     .type = GH_CONFIG_TYPE_LIST,
     SANDBOX(listen),
     .item = &PORT_ITEM,
     .one_or_list = true,
     .doc = "TCP ports that listeners of a later reload may have."},
};

const struct gh_config_table gh_sandbox_table = {
    .name = "sandbox",
    .doc = "What the process gives up once it serves. What this file names stays in reach; see "
           "docs/sandbox.md.",
    .size = sizeof(struct gh_sandbox_settings),
    .fields = FIELDS,
    .field_count = sizeof(FIELDS) / sizeof(FIELDS[0]),
    .short_form = "mode",
};
