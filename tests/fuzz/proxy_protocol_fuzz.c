/*
 * PROXY headers as they arrive. Properties: a header is taken as soon as it is whole and not a byte
 * earlier; what comes behind it changes nothing; an error is final.
 */
#include "base/assert.h"
#include "http/proxy_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool equal(const struct gh_proxy_protocol *a, const struct gh_proxy_protocol *b)
{
    return a->is_local == b->is_local && a->tls == b->tls && a->source_port == b->source_port &&
           gh_ip_eq(&a->source, &b->source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_str bytes = gh_str_of((const char *)data, size);
    struct gh_proxy_protocol whole, header;
    size_t whole_len = 0, len = 0;
    enum gh_proxy_protocol_status at_end = gh_proxy_protocol_parse(bytes, &whole, &whole_len);
    if (at_end == GH_PROXY_PROTOCOL_DONE) {
        GH_ASSERT(whole_len <= size && whole_len <= GH_PROXY_PROTOCOL_BYTES_MAX);
        GH_ASSERT(whole.is_local == (whole.source.family == GH_IP_NONE));
    }
    if (at_end == GH_PROXY_PROTOCOL_MORE)
        GH_ASSERT(size < GH_PROXY_PROTOCOL_BYTES_MAX);
    size_t upto = size < 200 ? size : 200;
    for (size_t n = 0; n < upto; n++) {
        enum gh_proxy_protocol_status status =
            gh_proxy_protocol_parse(gh_str_first(bytes, n), &header, &len);
        if (status == GH_PROXY_PROTOCOL_MORE) {
            GH_ASSERT(at_end != GH_PROXY_PROTOCOL_DONE || n < whole_len);
            continue;
        }
        GH_ASSERT(status == at_end);
        if (status == GH_PROXY_PROTOCOL_DONE)
            GH_ASSERT(len == whole_len && n >= len && equal(&header, &whole));
    }
    return 0;
}
