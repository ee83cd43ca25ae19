#include "net/tls_keys_wire.h"

#include <strings.h>

/* ---- Schemes ---- */

static const struct gh_tls_scheme SCHEMES[] = {
    {0x0401, GH_TLS_KEY_RSA, "SHA256", false, false},
    {0x0501, GH_TLS_KEY_RSA, "SHA384", false, false},
    {0x0601, GH_TLS_KEY_RSA, "SHA512", false, false},
    {0x0804, GH_TLS_KEY_RSA, "SHA256", true, true},
    {0x0805, GH_TLS_KEY_RSA, "SHA384", true, true},
    {0x0806, GH_TLS_KEY_RSA, "SHA512", true, true},
    {0x0403, GH_TLS_KEY_P256, "SHA256", false, true},
    {0x0503, GH_TLS_KEY_P384, "SHA384", false, true},
    {0x0603, GH_TLS_KEY_P521, "SHA512", false, true},
    {0x0807, GH_TLS_KEY_ED25519, NULL, false, true},
    {0x0808, GH_TLS_KEY_ED448, NULL, false, true},
};
#define SCHEME_COUNT (sizeof SCHEMES / sizeof SCHEMES[0])

static bool is_ecdsa(enum gh_tls_key_kind kind)
{
    return kind == GH_TLS_KEY_P256 || kind == GH_TLS_KEY_P384 || kind == GH_TLS_KEY_P521;
}

/* In TLS 1.2 a scheme of ECDSA names the digest only (RFC 8446 section 4.2.3). */
static bool fits(enum gh_tls_key_kind kind, const struct gh_tls_scheme *scheme)
{
    return kind == scheme->kind || (is_ecdsa(kind) && is_ecdsa(scheme->kind));
}

const struct gh_tls_scheme *gh_tls_scheme_find(uint16_t code)
{
    for (size_t i = 0; i < SCHEME_COUNT; i++)
        if (SCHEMES[i].code == code)
            return &SCHEMES[i];
    return NULL;
}

static bool same_digest(const char *a, const char *b)
{
    return a && b ? strcasecmp(a, b) == 0 : !a && !b;
}

const struct gh_tls_scheme *gh_tls_scheme_for(enum gh_tls_key_kind kind, const char *digest,
                                              bool is_pss)
{
    for (size_t i = 0; i < SCHEME_COUNT; i++) {
        const struct gh_tls_scheme *scheme = &SCHEMES[i];
        if (fits(kind, scheme) && scheme->is_pss == is_pss && same_digest(scheme->digest, digest))
            return scheme;
    }
    return NULL;
}

/* ---- Shapes ---- */

#define RANDOM_BYTES 32
#define NAMED_CURVE  3 /* ECCurveType (RFC 8422 section 5.4) */

/* NamedGroup, and the length of a point in its only form that is allowed (RFC 8422). */
static const struct {
    uint16_t group;
    uint8_t point_len;
    bool is_uncompressed; /* begins with 4 */
} CURVES[] = {
    {23, 65, true}, {24, 97, true}, {25, 133, true}, {29, 32, false}, {30, 56, false},
};

/* ServerECDHParams: the curve's type and name, a point. */
static bool is_ecdh_params(struct gh_str params)
{
    const unsigned char *bytes = (const unsigned char *)params.ptr;
    if (params.len < 5 || bytes[0] != NAMED_CURVE)
        return false;
    uint16_t group = (uint16_t)(bytes[1] << 8 | bytes[2]);
    for (size_t i = 0; i < sizeof CURVES / sizeof CURVES[0]; i++) {
        if (CURVES[i].group == group)
            return bytes[3] == CURVES[i].point_len && params.len == 4u + CURVES[i].point_len &&
                   (!CURVES[i].is_uncompressed || bytes[4] == 4);
    }
    return false;
}

/* 64 spaces, the context, a NUL, and a hash of the two lengths that TLS 1.3's suites have. */
static bool is_certificate_verify(struct gh_str bytes)
{
    static const char PREFIX[] = "                                "
                                 "                                "
                                 "TLS 1.3, server CertificateVerify";
    size_t len = sizeof PREFIX; /* with its NUL */
    return (bytes.len == len + 32 || bytes.len == len + 48) && memcmp(bytes.ptr, PREFIX, len) == 0;
}

enum gh_tls_shape gh_tls_shape_of(struct gh_str to_sign)
{
    if (is_certificate_verify(to_sign))
        return GH_TLS_SHAPE_CERTIFICATE_VERIFY;
    if (to_sign.len > 2 * RANDOM_BYTES && is_ecdh_params(gh_str_skip(to_sign, 2 * RANDOM_BYTES)))
        return GH_TLS_SHAPE_KEY_EXCHANGE;
    return GH_TLS_SHAPE_NONE;
}

bool gh_tls_may_sign(enum gh_tls_key_kind kind, const struct gh_tls_scheme *scheme,
                     struct gh_str to_sign)
{
    switch (gh_tls_shape_of(to_sign)) {
    case GH_TLS_SHAPE_NONE:
        return false;
    case GH_TLS_SHAPE_KEY_EXCHANGE:
        return fits(kind, scheme);
    case GH_TLS_SHAPE_CERTIFICATE_VERIFY:
        return scheme->is_of_tls13 && kind == scheme->kind;
    }
    return false;
}

/* ---- Messages ---- */

bool gh_tls_sign_request_read(struct gh_str bytes, struct gh_tls_sign_request *out_request)
{
    struct gh_tls_sign_request request;
    if (bytes.len != sizeof request)
        return false;
    memcpy(&request, bytes.ptr, sizeof request);
    if (request.len > GH_TLS_TO_SIGN_BYTES_MAX)
        return false;
    *out_request = request;
    return true;
}

bool gh_tls_sign_answer_read(struct gh_str bytes, struct gh_tls_sign_answer *out_answer)
{
    struct gh_tls_sign_answer answer;
    if (bytes.len < GH_TLS_SIGN_ANSWER_HEAD_BYTES || bytes.len > sizeof answer)
        return false;
    memcpy(&answer, bytes.ptr, bytes.len);
    if (answer.len != bytes.len - GH_TLS_SIGN_ANSWER_HEAD_BYTES)
        return false;
    memcpy(out_answer, &answer, bytes.len);
    return true;
}

static bool is_path(struct gh_str path)
{
    return path.len > 0 && path.len < GH_TLS_PATH_BYTES_MAX &&
           gh_str_find_char(path, '\0') == path.len;
}

bool gh_tls_control_read(struct gh_str bytes, struct gh_tls_control *out_control)
{
    struct gh_tls_control_head head;
    if (bytes.len < sizeof head || bytes.len > GH_TLS_CONTROL_BYTES_MAX)
        return false;
    memcpy(&head, bytes.ptr, sizeof head);
    struct gh_str paths = gh_str_skip(bytes, sizeof head);
    if (head.certificate_len > paths.len || head.key_len != paths.len - head.certificate_len)
        return false;
    struct gh_tls_control control = {
        .kind = (enum gh_tls_control_kind)head.kind,
        .key = head.key,
        .certificate_path = gh_str_first(paths, head.certificate_len),
        .key_path = gh_str_skip(paths, head.certificate_len),
    };
    bool has_key = head.key.slot || head.key.number;
    bool fine = false;
    if (head.kind == GH_TLS_CONTROL_LOAD)
        fine = !has_key && is_path(control.certificate_path) && is_path(control.key_path);
    else if (head.kind == GH_TLS_CONTROL_SEAL)
        fine = !has_key && paths.len == 0;
    else if (head.kind == GH_TLS_CONTROL_DROP)
        fine = paths.len == 0;
    if (fine)
        *out_control = control;
    return fine;
}

bool gh_tls_control_answer_read(struct gh_str bytes, struct gh_tls_control_answer *out_answer)
{
    struct gh_tls_control_answer answer;
    if (bytes.len != sizeof answer)
        return false;
    memcpy(&answer, bytes.ptr, sizeof answer);
    if (answer.done > 1 || answer.body_len > GH_TLS_CONTROL_BODY_BYTES_MAX)
        return false;
    *out_answer = answer;
    return true;
}
