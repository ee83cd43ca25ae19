#include "sandbox/system.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

#define LINE_BYTES_MAX 512
#define SERVICES_MAX   16

static const char NAMES[] = "names and addresses";
static const char AUTHORITIES[] = "certificate authorities";
static const char TIME_ZONE[] = "the time zone";
static const char LIBRARIES[] = "the libraries' own use";

static void allow_file(struct gh_sandbox_rules *rules, const char *path, const char *why)
{
    gh_sandbox_allow_file(rules, GH_SANDBOX_READ, gh_str_from_c(path), why);
}

static void allow_directory(struct gh_sandbox_rules *rules, const char *path, const char *why)
{
    gh_sandbox_allow_directory(rules, GH_SANDBOX_READ, gh_str_from_c(path), why);
}

/* A resolv.conf that is a link into a directory of its own may be replaced there; one in /etc may
   be written anew in place. */
static void allow_names(struct gh_sandbox_rules *rules)
{
    static const char *const FILES[] = {"/etc/hosts",    "/etc/nsswitch.conf", "/etc/host.conf",
                                        "/etc/gai.conf", "/etc/services",      "/etc/protocols"};
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++)
        allow_file(rules, FILES[i], NAMES);
    gh_sandbox_allow_replaced(rules, GH_SANDBOX_READ, GH_STR("/etc/resolv.conf"), NAMES);
}

/* Where Debian, Red Hat and Alpine keep them, and where the environment says. Not /etc/ssl: there
   are private keys. */
static void allow_authorities(struct gh_sandbox_rules *rules)
{
    static const char *const DIRECTORIES[] = {"/etc/ssl/certs", "/usr/share/ca-certificates",
                                              "/usr/local/share/ca-certificates",
                                              "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted"};
    static const char *const FILES[] = {"/etc/ssl/openssl.cnf", "/etc/ssl/cert.pem",
                                        "/etc/pki/tls/openssl.cnf", "/etc/pki/tls/cert.pem"};
    for (size_t i = 0; i < sizeof(DIRECTORIES) / sizeof(DIRECTORIES[0]); i++)
        allow_directory(rules, DIRECTORIES[i], AUTHORITIES);
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++)
        allow_file(rules, FILES[i], AUTHORITIES);
    gh_sandbox_allow_replaced(rules, GH_SANDBOX_READ, gh_str_from_c(getenv("SSL_CERT_FILE")),
                              AUTHORITIES);
    for (struct gh_str rest = gh_str_from_c(getenv("SSL_CERT_DIR")); rest.ptr;)
        gh_sandbox_allow_directory(rules, GH_SANDBOX_READ, gh_str_split(&rest, ':'), AUTHORITIES);
    gh_sandbox_allow_file(rules, GH_SANDBOX_READ, gh_str_from_c(getenv("OPENSSL_CONF")),
                          AUTHORITIES);
}

void gh_sandbox_allow_system(struct gh_sandbox_rules *rules)
{
    rules->optional = true;
    allow_names(rules);
    allow_authorities(rules);
    tzset();
    allow_file(rules, "/etc/localtime", TIME_ZONE);
    allow_directory(rules, "/usr/share/zoneinfo", TIME_ZONE);
    allow_file(rules, "/dev/urandom", LIBRARIES);
    gh_sandbox_allow_file(rules, GH_SANDBOX_WRITE, GH_STR("/dev/null"), LIBRARIES);
    gh_sandbox_allow_port(rules, GH_SANDBOX_CONNECT, 53); /* answers too long for a datagram */
#ifdef GH_SANDBOX_SANITIZER
    /* Stacks with names, and the threads that the leak checker looks at. */
    allow_directory(rules, "/proc", "the sanitizers");
    allow_directory(rules, "/usr/lib", "the sanitizers");
    allow_file(rules, "/proc/self/exe", "the sanitizers");
#endif
    rules->optional = false;
}

/* "mdns4_minimal" of "hosts: files mdns4_minimal [NOTFOUND=return] dns" becomes
   libnss_mdns4_minimal.so.2. Those that are part of glibc are there already; one that is not
   installed is none of our business. */
static void load_service(struct gh_str name)
{
    char file[64];
    if (!name.len || name.ptr[0] == '[' || gh_str_find_char(name, '/') < name.len)
        return;
    int len = snprintf(file, sizeof(file), "libnss_%.*s.so.2", GH_STR_ARG(name));
    if (len > 0 && (size_t)len < sizeof(file))
        (void)dlopen(file, RTLD_NOW); /* stays loaded */
}

void gh_sandbox_load_name_services(void)
{
    char line[LINE_BYTES_MAX];
    FILE *file = fopen("/etc/nsswitch.conf", "re");
    if (!file)
        return;
    while (fgets(line, sizeof(line), file)) {
        struct gh_str rest = gh_str_from_c(line), database = gh_str_split(&rest, ':');
        if (!gh_str_eq(gh_str_trim_ows(database), GH_STR("hosts")))
            continue;
        for (char *at = line; *at; at++)
            *at = *at == '\t' || *at == '\n' ? ' ' : *at;
        for (int i = 0; rest.ptr && i < SERVICES_MAX; i++)
            load_service(gh_str_split(&rest, ' '));
    }
    fclose(file);
}
