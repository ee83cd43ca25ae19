/*
 * A provider of OpenSSL's (provider(7)) for keys whose private half is in another process: it knows
 * the public half, and has signatures made elsewhere. Nothing else: no generation, no decryption,
 * no digests of its own. libssl signs what TLS says in one call, so the bytes themselves reach us
 * and not their hash, and whoever keeps the key can look at them.
 *
 * It lives in a library context of its own, beside OpenSSL's default provider, which is preferred
 * for all that both have: keys of the handshake, verification, public halves.
 */
#include "net/tls_keys_state.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/provider.h>
#include <stdlib.h>

#define PROVIDER_NAME "gatehouse"
#define PROPERTIES    "provider=" PROVIDER_NAME
/* How gh_tls_remote_key_wrap hands a key to key_import: the bytes of a pointer to where the key is,
   which key_import empties. */
#define PARAM_REMOTE_KEY "gatehouse-remote-key"

typedef void generic_fn(void);
#define ENTRY(id, fn)                                                                              \
    {                                                                                              \
        id, (generic_fn *)(fn)                                                                     \
    }
#define ENTRY_END                                                                                  \
    {                                                                                              \
        0, NULL                                                                                    \
    }

/* ---- Key management ---- */

/* What OpenSSL holds as a key. */
struct key_handle {
    struct gh_tls_remote_key *remote;
};

static void *key_new(void *provider)
{
    (void)provider;
    return calloc(1, sizeof(struct key_handle));
}

static void key_free(void *data)
{
    struct key_handle *handle = data;
    if (handle && handle->remote)
        gh_tls_remote_key_free(handle->remote);
    free(handle);
}

static int key_has(const void *data, int selection)
{
    (void)selection;
    return ((const struct key_handle *)data)->remote != NULL;
}

static int key_match(const void *data, const void *other, int selection)
{
    (void)selection;
    const struct key_handle *a = data, *b = other;
    return a->remote && b->remote && EVP_PKEY_eq(a->remote->public, b->remote->public) == 1;
}

static int key_get_params(void *data, OSSL_PARAM params[])
{
    const struct key_handle *handle = data;
    return handle->remote && EVP_PKEY_get_params(handle->remote->public, params);
}

static const OSSL_PARAM *key_gettable_params(void *provider)
{
    (void)provider;
    static const OSSL_PARAM PARAMS[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
        OSSL_PARAM_END,
    };
    return PARAMS;
}

static int key_import(void *data, int selection, const OSSL_PARAM params[])
{
    (void)selection;
    struct key_handle *handle = data;
    struct gh_tls_remote_key **from;
    const OSSL_PARAM *param = OSSL_PARAM_locate_const(params, PARAM_REMOTE_KEY);
    if (!param || param->data_size != sizeof from || handle->remote)
        return 0;
    memcpy(&from, param->data, sizeof from);
    handle->remote = *from;
    *from = NULL;
    return 1;
}

/* The public half only: it is how OpenSSL compares keys of different providers, and asks another
   one to sign. */
static int key_export(void *data, int selection, OSSL_CALLBACK *callback, void *arg)
{
    const struct key_handle *handle = data;
    OSSL_PARAM *params = NULL;
    if (!handle->remote || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) ||
        EVP_PKEY_todata(handle->remote->public, selection, &params) != 1)
        return 0;
    int done = callback(params, arg);
    OSSL_PARAM_free(params);
    return done;
}

static const OSSL_PARAM *key_import_types(int selection)
{
    (void)selection;
    static const OSSL_PARAM PARAMS[] = {
        OSSL_PARAM_octet_string(PARAM_REMOTE_KEY, NULL, 0),
        OSSL_PARAM_END,
    };
    return PARAMS;
}

static const OSSL_PARAM *key_export_types(int selection)
{
    static const OSSL_PARAM PUBLIC[] = {
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
        OSSL_PARAM_END,
    };
    return selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY ? NULL : PUBLIC;
}

static const char *ec_signature_name(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

#define KEY_ENTRIES                                                                                \
    ENTRY(OSSL_FUNC_KEYMGMT_NEW, key_new), ENTRY(OSSL_FUNC_KEYMGMT_FREE, key_free),                \
        ENTRY(OSSL_FUNC_KEYMGMT_HAS, key_has), ENTRY(OSSL_FUNC_KEYMGMT_MATCH, key_match),          \
        ENTRY(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),                                       \
        ENTRY(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable_params),                             \
        ENTRY(OSSL_FUNC_KEYMGMT_IMPORT, key_import),                                               \
        ENTRY(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_import_types),                                   \
        ENTRY(OSSL_FUNC_KEYMGMT_EXPORT, key_export),                                               \
        ENTRY(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_export_types)

static const OSSL_DISPATCH KEY_FUNCTIONS[] = {KEY_ENTRIES, ENTRY_END};
static const OSSL_DISPATCH EC_KEY_FUNCTIONS[] = {
    KEY_ENTRIES, ENTRY(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, ec_signature_name), ENTRY_END};

/* The names by which libssl knows a certificate's kind. */
static const OSSL_ALGORITHM KEYS[] = {
    {"RSA:rsaEncryption", PROPERTIES, KEY_FUNCTIONS, NULL},
    {"EC:id-ecPublicKey", PROPERTIES, EC_KEY_FUNCTIONS, NULL},
    {"ED25519", PROPERTIES, KEY_FUNCTIONS, NULL},
    {"ED448", PROPERTIES, KEY_FUNCTIONS, NULL},
    {NULL, NULL, NULL, NULL},
};

/* ---- Signatures ---- */

struct signer {
    const struct gh_tls_remote_key *key; /* held by OpenSSL for as long as this */
    char digest[16];                     /* empty: none was named */
    bool is_pss;
};

static void *signer_new(void *provider, const char *properties)
{
    (void)provider, (void)properties;
    return calloc(1, sizeof(struct signer));
}

static void signer_free(void *data)
{
    free(data);
}

/* Signatures are as TLS has them: of PSS only those whose salt is as long as the digest. */
static int signer_set_params(void *data, const OSSL_PARAM params[])
{
    struct signer *signer = data;
    const OSSL_PARAM *mode =
        params ? OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE) : NULL;
    const OSSL_PARAM *salt =
        params ? OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN) : NULL;
    int number = 0;
    const char *text = NULL;
    if (mode && OSSL_PARAM_get_int(mode, &number))
        signer->is_pss = number == RSA_PKCS1_PSS_PADDING;
    else if (mode && OSSL_PARAM_get_utf8_string_ptr(mode, &text))
        signer->is_pss = strcmp(text, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0;
    else if (mode)
        return 0;
    if (mode && !signer->is_pss && number != RSA_PKCS1_PADDING &&
        (!text || strcmp(text, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) != 0))
        return 0;
    if (!salt)
        return 1;
    if (OSSL_PARAM_get_int(salt, &number))
        return number == RSA_PSS_SALTLEN_DIGEST;
    return OSSL_PARAM_get_utf8_string_ptr(salt, &text) &&
           strcmp(text, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0;
}

static const OSSL_PARAM *signer_settable_params(void *data, void *provider)
{
    (void)data, (void)provider;
    static const OSSL_PARAM PARAMS[] = {
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
        OSSL_PARAM_END,
    };
    return PARAMS;
}

static int signer_init(void *data, const char *digest, void *key, const OSSL_PARAM params[])
{
    struct signer *signer = data;
    if (key)
        signer->key = ((struct key_handle *)key)->remote;
    if (!signer->key || (digest && strlen(digest) >= sizeof signer->digest))
        return 0;
    signer->is_pss = false;
    strcpy(signer->digest, digest ? digest : "");
    return signer_set_params(signer, params);
}

/* OpenSSL's other name for it. */
static const char *digest_name(const struct signer *signer)
{
    static const char *const NAMES[][2] = {
        {"SHA2-256", "SHA256"}, {"SHA2-384", "SHA384"}, {"SHA2-512", "SHA512"}};
    for (size_t i = 0; i < 3; i++)
        if (strcmp(signer->digest, NAMES[i][0]) == 0)
            return NAMES[i][1];
    return signer->digest[0] ? signer->digest : NULL;
}

static int signer_sign(void *data, unsigned char *signature, size_t *len, size_t size,
                       const unsigned char *to_sign, size_t to_sign_len)
{
    const struct signer *signer = data;
    size_t max = (size_t)EVP_PKEY_get_size(signer->key->public);
    if (!signature) {
        *len = max;
        return 1;
    }
    unsigned char made[GH_TLS_SIGNATURE_BYTES_MAX];
    const struct gh_tls_scheme *scheme =
        gh_tls_scheme_for(signer->key->kind, digest_name(signer), signer->is_pss);
    if (!scheme)
        return 0;
    size_t made_len =
        gh_tls_keys_sign(signer->key, scheme, gh_str_of((const char *)to_sign, to_sign_len), made);
    if (made_len == 0 || made_len > max || made_len > size)
        return 0;
    memcpy(signature, made, made_len);
    *len = made_len;
    return 1;
}

static const OSSL_DISPATCH SIGNATURE_FUNCTIONS[] = {
    ENTRY(OSSL_FUNC_SIGNATURE_NEWCTX, signer_new),
    ENTRY(OSSL_FUNC_SIGNATURE_FREECTX, signer_free),
    ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signer_init),
    ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, signer_sign),
    ENTRY(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signer_set_params),
    ENTRY(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signer_settable_params),
    ENTRY_END,
};

static const OSSL_ALGORITHM SIGNATURES[] = {
    {"RSA:rsaEncryption", PROPERTIES, SIGNATURE_FUNCTIONS, NULL},
    {"ECDSA", PROPERTIES, SIGNATURE_FUNCTIONS, NULL},
    {"ED25519", PROPERTIES, SIGNATURE_FUNCTIONS, NULL},
    {"ED448", PROPERTIES, SIGNATURE_FUNCTIONS, NULL},
    {NULL, NULL, NULL, NULL},
};

/* ---- The provider ---- */

static const OSSL_ALGORITHM *query(void *provider, int operation, int *out_may_not_store)
{
    (void)provider;
    *out_may_not_store = 0;
    if (operation == OSSL_OP_KEYMGMT)
        return KEYS;
    return operation == OSSL_OP_SIGNATURE ? SIGNATURES : NULL;
}

static int init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                void **out_context)
{
    (void)in;
    static const OSSL_DISPATCH FUNCTIONS[] = {ENTRY(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
                                              ENTRY_END};
    *out = FUNCTIONS;
    *out_context = (void *)(uintptr_t)handle;
    return 1;
}

bool gh_tls_library_open(struct gh_tls_library *library)
{
    *library = (struct gh_tls_library){.context = OSSL_LIB_CTX_new()};
    if (!library->context)
        return false;
    library->ordinary = OSSL_PROVIDER_load(library->context, "default");
    if (OSSL_PROVIDER_add_builtin(library->context, PROVIDER_NAME, init) == 1)
        library->own = OSSL_PROVIDER_load(library->context, PROVIDER_NAME);
    if (library->ordinary && library->own &&
        EVP_set_default_properties(library->context, "?provider=default") == 1)
        return true;
    gh_tls_library_close(library);
    return false;
}

void gh_tls_library_close(struct gh_tls_library *library)
{
    if (library->own)
        OSSL_PROVIDER_unload(library->own);
    if (library->ordinary)
        OSSL_PROVIDER_unload(library->ordinary);
    OSSL_LIB_CTX_free(library->context);
    *library = (struct gh_tls_library){0};
}

EVP_PKEY *gh_tls_remote_key_wrap(OSSL_LIB_CTX *library, struct gh_tls_remote_key *key)
{
    static const char *const NAMES[] = {
        [GH_TLS_KEY_NONE] = NULL,     [GH_TLS_KEY_RSA] = "RSA", [GH_TLS_KEY_P256] = "EC",
        [GH_TLS_KEY_P384] = "EC",     [GH_TLS_KEY_P521] = "EC", [GH_TLS_KEY_ED25519] = "ED25519",
        [GH_TLS_KEY_ED448] = "ED448",
    };
    EVP_PKEY *wrapped = NULL;
    struct gh_tls_remote_key **from = &key;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(PARAM_REMOTE_KEY, &from, sizeof from),
        OSSL_PARAM_construct_end(),
    };
    const char *name = NAMES[key->kind];
    EVP_PKEY_CTX *context = name ? EVP_PKEY_CTX_new_from_name(library, name, PROPERTIES) : NULL;
    if (!context || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &wrapped, EVP_PKEY_KEYPAIR, params) != 1)
        wrapped = NULL;
    EVP_PKEY_CTX_free(context);
    if (key)
        gh_tls_remote_key_free(key);
    return wrapped;
}
