/* test_ca.h - certificates for tests, made at run time. */
#ifndef KDP_TEST_CA_H
#define KDP_TEST_CA_H

struct test_ca; /* a root that nobody else knows */
/* test_ca_new writes the root's certificate to path. */
struct test_ca *test_ca_new(const char *name, const char *path);
void test_ca_free(struct test_ca *ca);
/* test_ca_issue writes a certificate and its key; names as OpenSSL has them ("DNS:localhost,IP:127.0.0.1"), valid from_s to
 * to_s seconds from now. */
void test_ca_issue(struct test_ca *ca, const char *names, long from_s, long to_s, const char *cert_path,
                   const char *key_path);

#endif
