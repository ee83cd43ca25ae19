/* From a configuration to what a process that serves it must still be able to reach. */
#ifndef GH_APP_SANDBOX_RULES_H
#define GH_APP_SANDBOX_RULES_H

#include "app/root_config.h"
#include "sandbox/rules.h"

/*
 * All that `settings` name but certificates and keys. `config_file`: its path, or NULL. References
 * are resolved with the process's environment; one that leads nowhere adds nothing. Rules live in
 * `arena`; out_of_memory tells when they are not whole.
 */
void gh_sandbox_rules_make(struct gh_sandbox_rules *rules, const struct gh_root_settings *settings,
                           const char *config_file, struct gh_arena *arena);
/* With it what this program and its libraries read of the system: all that a process is held to.
   (No reload is refused for what becomes of the system's files.) */
void gh_sandbox_rules_make_all(struct gh_sandbox_rules *rules,
                               const struct gh_root_settings *settings, const char *config_file,
                               struct gh_arena *arena);

/* The same, with the system's, for `gatehouse consume`: what its streams need. It reads no file
   again but certificate authorities, and writes none. */
void gh_sandbox_rules_make_for_consume(struct gh_sandbox_rules *rules,
                                       const struct gh_root_settings *settings,
                                       struct gh_arena *arena);

/* The same for the process that keeps the TLS keys: certificates and keys, and nothing else. */
void gh_sandbox_rules_make_for_keys(struct gh_sandbox_rules *rules,
                                    const struct gh_root_settings *settings,
                                    struct gh_arena *arena);

#endif
