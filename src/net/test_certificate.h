/* For tests: certificates made on the spot, in a directory of their own. */
#ifndef GH_NET_TEST_CERTIFICATE_H
#define GH_NET_TEST_CERTIFICATE_H

struct test_certificates {
    char directory[64];
};

void test_certificates_open(struct test_certificates *certificates);
void test_certificates_close(struct test_certificates *certificates);
/* Writes NAME.crt and NAME.key, self-signed, for `alt_names` ("DNS:a.test,IP:127.0.0.1"), valid
   from and to so many seconds from now. */
void test_certificate_make(struct test_certificates *certificates, const char *name,
                           const char *alt_names, long from_seconds, long to_seconds);
/* The same with a key of some kind: "RSA", "P-256", "P-384", "P-521", "ED25519", "ED448",
   "secp256k1". */
void test_certificate_make_of(struct test_certificates *certificates, const char *name,
                              const char *alt_names, const char *kind);
/* The path of a file in the directory; in static memory of 8 turns. */
const char *test_certificate_path(const struct test_certificates *certificates, const char *file);

#endif
