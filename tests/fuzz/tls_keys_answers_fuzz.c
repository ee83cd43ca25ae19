/*
 * What the process with the private keys answers. Signatures are as long as they say and no longer
 * than there is room; certificates are all of the body, or nothing is taken.
 */
#include "base/assert.h"
#include "net/tls_keys_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_signature(struct gh_str packet)
{
    struct gh_tls_sign_answer answer;
    if (!gh_tls_sign_answer_read(packet, &answer))
        return;
    GH_ASSERT(answer.len <= GH_TLS_SIGNATURE_BYTES_MAX);
    GH_ASSERT(gh_tls_sign_answer_bytes(&answer) == packet.len);
    GH_ASSERT(memcmp(&answer, packet.ptr, packet.len) == 0);
}

static void check_certificates(struct gh_str body)
{
    struct gh_tls_credential credential = {0};
    if (gh_tls_certificates_read(NULL, body, &credential)) {
        GH_ASSERT(credential.leaf && credential.chain_count <= GH_TLS_CHAIN_MAX);
        (void)gh_tls_key_kind_of(X509_get0_pubkey(credential.leaf));
    }
    gh_tls_credential_done(&credential);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_str packet = gh_str_of((const char *)data, size);
    struct gh_tls_control_answer answer;
    if (gh_tls_control_answer_read(packet, &answer))
        GH_ASSERT(answer.done <= 1 && answer.body_len <= GH_TLS_CONTROL_BODY_BYTES_MAX);
    check_signature(packet);
    check_certificates(packet);
    return 0;
}
