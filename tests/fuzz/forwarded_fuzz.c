/*
 * Who is calling. The property that matters: whatever a client writes into the header, the address
 * that our trusted proxy adds behind it is the one we take, or, when the client's bytes make the
 * line unreadable, the proxy itself; never one that the client chose.
 */
#include "base/assert.h"
#include "http/forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINE_BYTES_MAX = 1024 };

struct line {
    struct gh_str name, value;
};

static struct gh_forwarded_result walk(enum gh_forwarded_header header, const struct line *lines,
                                       size_t count)
{
    struct gh_ip_network proxies;
    struct gh_ip socket;
    GH_ASSERT(gh_ip_network_parse(GH_STR("10.0.0.0/8"), &proxies));
    GH_ASSERT(gh_ip_parse(GH_STR("10.0.0.1"), &socket));
    struct gh_trusted_proxies trusted = {&proxies, 1, header};
    struct gh_field items[8];
    struct gh_fields fields;
    gh_fields_init(&fields, items, 8);
    for (size_t i = 0; i < count; i++)
        GH_ASSERT(gh_fields_add(&fields, lines[i].name, lines[i].value));
    struct gh_forwarded_result result = gh_forwarded_walk(&fields, &trusted, &socket);
    GH_ASSERT(result.client.family != GH_IP_NONE);
    GH_ASSERT(gh_str_eq(result.proto, GH_STR("")) || gh_str_eq(result.proto, GH_STR("http")) ||
              gh_str_eq(result.proto, GH_STR("https")));
    return result;
}

static bool is_address(const struct gh_ip *ip, struct gh_str text)
{
    struct gh_ip expected;
    GH_ASSERT(gh_ip_parse(text, &expected));
    return gh_ip_eq(ip, &expected);
}

/* The client's line as it came, and with what the proxy adds on the same line or on its own. */
static void check(enum gh_forwarded_header header, struct gh_str name, struct gh_str client_value,
                  struct gh_str proxy_value)
{
    char memory[LINE_BYTES_MAX + 128];
    struct gh_buf joined = gh_buf_over(memory, sizeof(memory));
    gh_buf_put(&joined, client_value);
    gh_buf_put(&joined, GH_STR(", "));
    gh_buf_put(&joined, proxy_value);
    GH_ASSERT(!joined.overflow);
    struct line lines[] = {{name, client_value}, {name, proxy_value}, {name, gh_buf_str(&joined)}};
    walk(header, lines, 1);
    struct gh_forwarded_result apart = walk(header, lines, 2);
    GH_ASSERT(is_address(&apart.client, GH_STR("203.0.113.7")));
    struct gh_forwarded_result together = walk(header, lines + 2, 1);
    bool open_quote =
        header == GH_FORWARDED_FORWARDED && is_address(&together.client, GH_STR("10.0.0.1"));
    GH_ASSERT(open_quote || is_address(&together.client, GH_STR("203.0.113.7")));
    if (header == GH_FORWARDED_FORWARDED) {
        GH_ASSERT(gh_str_eq(apart.proto, GH_STR("https")));
        GH_ASSERT(open_quote || gh_str_eq(together.proto, GH_STR("https")));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > LINE_BYTES_MAX)
        return 0;
    struct gh_str value = gh_str_of((const char *)data, size);
    check(GH_FORWARDED_X_FORWARDED_FOR, GH_STR("X-Forwarded-For"), value, GH_STR("203.0.113.7"));
    check(GH_FORWARDED_FORWARDED, GH_STR("Forwarded"), value,
          GH_STR("for=\"203.0.113.7:80\";proto=https"));
    struct line scheme = {GH_STR("X-Forwarded-Proto"), value};
    walk(GH_FORWARDED_X_FORWARDED_FOR, &scheme, 1);
    return 0;
}
