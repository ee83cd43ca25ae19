/* What the C library and the others read of the system while a server runs: names and addresses,
   certificate authorities, time zones. And what they would load then, which can't be any more. */
#ifndef GH_SANDBOX_SYSTEM_H
#define GH_SANDBOX_SYSTEM_H

#include "sandbox/rules.h"

void gh_sandbox_allow_system(struct gh_sandbox_rules *rules);

/* Loads the modules of name look-up that /etc/nsswitch.conf names: glibc would load them with the
   first name. Before the process is held. */
void gh_sandbox_load_name_services(void);

#endif
