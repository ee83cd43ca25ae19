/*
 * What the process with the private keys is told, by somebody who may have broken in: orders, and
 * what shall be signed. Whatever is taken lies inside of the packet, and is written the same again;
 * whatever is signed has TLS's shape.
 */
#include "base/assert.h"
#include "net/tls_keys_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(struct gh_str path, struct gh_str packet)
{
    GH_ASSERT(path.len > 0 && path.len < GH_TLS_PATH_BYTES_MAX);
    GH_ASSERT(path.ptr >= packet.ptr && path.ptr + path.len <= packet.ptr + packet.len);
    GH_ASSERT(gh_str_find_char(path, '\0') == path.len);
}

static void check_control(struct gh_str packet)
{
    struct gh_tls_control control;
    if (!gh_tls_control_read(packet, &control))
        return;
    GH_ASSERT(control.kind >= GH_TLS_CONTROL_LOAD && control.kind <= GH_TLS_CONTROL_DROP);
    GH_ASSERT(packet.len <= GH_TLS_CONTROL_BYTES_MAX);
    size_t len = sizeof(struct gh_tls_control_head);
    if (control.kind == GH_TLS_CONTROL_LOAD) {
        check_path(control.certificate_path, packet);
        check_path(control.key_path, packet);
        len += control.certificate_path.len + control.key_path.len;
    }
    GH_ASSERT(len == packet.len);
}

/* Beginning and end decide; 64 bytes of TLS 1.2's are anybody's. */
static void check_shape(struct gh_str to_sign)
{
    switch (gh_tls_shape_of(to_sign)) {
    case GH_TLS_SHAPE_NONE:
        return;
    case GH_TLS_SHAPE_CERTIFICATE_VERIFY:
        GH_ASSERT(to_sign.len == 130 || to_sign.len == 146);
        GH_ASSERT(to_sign.ptr[0] == ' ' && to_sign.ptr[63] == ' ' && to_sign.ptr[97] == '\0');
        return;
    case GH_TLS_SHAPE_KEY_EXCHANGE:
        GH_ASSERT(to_sign.len >= 100 && to_sign.len <= GH_TLS_TO_SIGN_BYTES_MAX);
        GH_ASSERT(to_sign.ptr[64] == 3);
        GH_ASSERT((size_t)(unsigned char)to_sign.ptr[67] == to_sign.len - 68);
        return;
    }
}

static void check_request(struct gh_str packet)
{
    struct gh_tls_sign_request request;
    if (!gh_tls_sign_request_read(packet, &request))
        return;
    GH_ASSERT(packet.len == sizeof request && request.len <= GH_TLS_TO_SIGN_BYTES_MAX);
    GH_ASSERT(memcmp(&request, packet.ptr, sizeof request) == 0);
    struct gh_str to_sign = gh_str_of(request.to_sign, request.len);
    const struct gh_tls_scheme *scheme = gh_tls_scheme_find(request.scheme);
    for (int kind = GH_TLS_KEY_NONE; kind <= GH_TLS_KEY_ED448 && scheme; kind++) {
        enum gh_tls_key_kind key = (enum gh_tls_key_kind)kind;
        if (!gh_tls_may_sign(key, scheme, to_sign))
            continue;
        GH_ASSERT(key != GH_TLS_KEY_NONE && gh_tls_shape_of(to_sign) != GH_TLS_SHAPE_NONE);
        /* What the other side would have called it by. */
        GH_ASSERT(gh_tls_scheme_for(key, scheme->digest, scheme->is_pss) == scheme);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_str packet = gh_str_of((const char *)data, size);
    check_control(packet);
    check_request(packet);
    check_shape(packet);
    return 0;
}
