/*
 * Authorities, origins and addresses. Properties: what is read is canonical (reading it again gives
 * the same), a name is nothing that the system's most lenient reader takes for an address, an
 * origin that is accepted is written in one way only, and addresses agree with inet_pton.
 */
#include <arpa/inet.h>

#include "base/assert.h"
#include "http/authority.h"
#include "http/origin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_BYTES_MAX = 300 };

static void put_authority(struct gh_buf *buf, struct gh_str host, uint16_t port)
{
    gh_buf_put(buf, host);
    if (port) {
        gh_buf_put_char(buf, ':');
        gh_buf_put_u64(buf, port);
    }
}

static void check_host(const struct gh_authority *authority)
{
    char name[TEXT_BYTES_MAX + 1] = "";
    struct gh_str host = authority->host;
    GH_ASSERT(host.len > 0 && host.len < sizeof(name));
    memcpy(name, host.ptr, host.len);
    bool literal = host.ptr[0] == '[';
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("-._", c);
        GH_ASSERT(plain || (literal && strchr("[]:", c)));
    }
    struct in_addr address;
    struct gh_ip ip;
    if (authority->is_ip)
        GH_ASSERT(literal || gh_ip_parse(host, &ip));
    else
        GH_ASSERT(!literal && inet_aton(name, &address) == 0);
    GH_ASSERT(gh_host_pattern_is_valid(host));
    GH_ASSERT(gh_host_matches(host, host) && gh_host_matches(GH_STR("*"), host));
    GH_ASSERT(!gh_host_matches(GH_STR("*.x"), host) || gh_str_ends_with(host, GH_STR(".x")));
}

static void check_authority(struct gh_str text)
{
    struct gh_arena arena;
    struct gh_authority authority, again;
    gh_arena_init(&arena, 1024, 4096);
    if (gh_authority_parse(text, &arena, &authority)) {
        check_host(&authority);
        char memory[TEXT_BYTES_MAX + 16];
        struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
        put_authority(&buf, authority.host, authority.port);
        GH_ASSERT(!buf.overflow && gh_authority_parse(gh_buf_str(&buf), &arena, &again));
        GH_ASSERT(gh_str_eq(again.host, authority.host) && again.port == authority.port);
        GH_ASSERT(again.is_ip == authority.is_ip);
        GH_ASSERT(again.host.ptr == memory); /* canonical: not rewritten */
    }
    gh_arena_done(&arena);
}

static void check_origin(struct gh_str text)
{
    struct gh_origin origin;
    if (gh_origin_parse(text, true, &origin) != GH_ORIGIN_OK)
        return;
    bool is_default = (origin.port == 443 && gh_str_eq(origin.scheme, GH_STR("https"))) ||
                      (origin.port == 80 && gh_str_eq(origin.scheme, GH_STR("http")));
    char memory[TEXT_BYTES_MAX + 16];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_buf_put(&buf, origin.scheme);
    gh_buf_put(&buf, GH_STR("://"));
    put_authority(&buf, origin.host, is_default ? 0 : origin.port);
    GH_ASSERT(!buf.overflow && gh_str_eq(gh_buf_str(&buf), text));
}

static void check_ip(struct gh_str text)
{
    char name[TEXT_BYTES_MAX + 1] = "";
    memcpy(name, text.ptr, text.len);
    bool has_nul = gh_str_find_char(text, '\0') < text.len;
    uint8_t bytes[16];
    struct gh_ip ip, again;
    bool ok = gh_ip_parse(text, &ip);
    bool v4 = !has_nul && inet_pton(AF_INET, name, bytes) == 1;
    bool v6 = !has_nul && !v4 && inet_pton(AF_INET6, name, bytes) == 1;
    if (gh_str_find_char(text, '%') == text.len)
        GH_ASSERT(ok == (v4 || v6));
    if (!ok)
        return;
    if (ip.family == GH_IP_V6 && v6)
        GH_ASSERT(memcmp(ip.bytes, bytes, 16) == 0);
    char memory[64];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_ip_write(&buf, &ip);
    GH_ASSERT(!buf.overflow && gh_ip_parse(gh_buf_str(&buf), &again) && gh_ip_eq(&ip, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_str text = gh_str_of((const char *)data, size);
    if (size > TEXT_BYTES_MAX)
        return 0;
    check_authority(text);
    check_origin(text);
    check_ip(text);
    struct gh_ip_network network;
    if (gh_ip_network_parse(text, &network))
        GH_ASSERT(gh_ip_network_contains(&network, &network.base));
    struct gh_ip ip;
    uint16_t port;
    if (gh_ip_parse(text, &ip))
        GH_ASSERT(gh_ip_parse_with_port(text, &ip, &port) && port == 0);
    return 0;
}
