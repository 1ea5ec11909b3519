/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/crypto/fixture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct party party_make(struct arena *a, enum pki_kind kind, const char *cn, const struct party *issuer, int64_t from, int64_t to)
{
	const struct pki_cert c = { .kind = kind, .cn = cn, .not_before = from, .not_after = to };
	const struct bytes none = { 0 };
	struct party p = { .key = ec_key_new() };
	struct cert_info info;

	cr_assert(pki_cert_make(a, &c, p.key, issuer ? issuer->key : p.key, issuer ? issuer->der : none, &p.pem));
	cr_assert(cert_read(a, p.pem.data, p.pem.len, &info));
	p.der = info.der;
	return p;
}

void party_drop(struct party *p)
{
	ec_key_freep(&p->key);
}

struct pki pki_make(void)
{
	struct pki p = { .a = arena_new() };

	p.root = party_make(p.a, PKI_ROOT, "Test CI", NULL, NOW - 1000 * DAY_US, NOW + 1000 * DAY_US);
	p.stranger = party_make(p.a, PKI_ROOT, "Test CI", NULL, NOW - 1000 * DAY_US, NOW + 1000 * DAY_US);
	return p;
}

void pki_drop(struct pki *p)
{
	party_drop(&p->root);
	party_drop(&p->stranger);
	arena_freep(&p->a);
}

struct bytes crl_with(struct arena *a, const struct party *issuer, const struct party *revoked)
{
	const struct bytes none = { 0 };
	struct bytes crl;

	cr_assert(pki_crl_make(a, issuer->key, issuer->der, none, revoked->der, NOW, NOW + DAY_US, &crl));
	return crl;
}

char *file_put(struct arena *a, const char *name, const void *data, size_t n)
{
	char *path = arena_printf(a, "/tmp/rsp-crypto-%d-%s", (int)getpid(), name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, data, n), (ssize_t)n);
	close(fd);
	return path;
}

struct bytes file_get(struct arena *a, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct bytes out = { 0 };
	struct stat st;
	uint8_t *data;

	if (fd < 0)
		return out;
	cr_assert_eq(fstat(fd, &st), 0);
	data = arena_alloc(a, (size_t)st.st_size);
	cr_assert_eq(read(fd, data, (size_t)st.st_size), (ssize_t)st.st_size);
	close(fd);
	return (struct bytes){ data, (size_t)st.st_size };
}

struct bytes with(struct arena *a, struct bytes text, const char *from, const char *to)
{
	char *s = arena_strndup(a, (const char *)text.data, text.len);
	char *at = strstr(s, from);
	char *out;

	cr_assert(at, "%s is not in %s", from, s);
	out = arena_printf(a, "%.*s%s%s", (int)(at - s), s, to, at + strlen(from));
	return (struct bytes){ (uint8_t *)out, strlen(out) };
}
