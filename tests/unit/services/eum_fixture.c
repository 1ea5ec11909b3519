/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/services/eum_fixture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "common/crypto/pki.h"

#define DAY_US (INT64_C(86400) * 1000000)

struct oid oid_of(const char *text)
{
	struct oid oid;

	cr_assert(oid_parse(text, &oid));
	return oid;
}

static void file_put(const char *path, const void *data, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, data, n), (ssize_t)n);
	close(fd);
}

/* The signer reads files. */
static struct xml_signer *signer_of(struct fixture *f, struct bytes eum_pem)
{
	const char *key = arena_printf(f->a, "/tmp/rsp-eum-%d.key", (int)getpid());
	const char *cert = arena_printf(f->a, "/tmp/rsp-eum-%d.pem", (int)getpid());
	CLEANUP(secret_free) struct secret pem = pki_key_pem(f->issuer.key);
	struct xml_signer *signer;
	char error[256] = "";

	file_put(key, pem.data, pem.len);
	file_put(cert, eum_pem.data, eum_pem.len);
	signer = xml_signer_open(key, cert, error);
	cr_assert_not_null(signer, "%s", error);
	unlink(key);
	unlink(cert);
	return signer;
}

static void issuer_make(struct fixture *f)
{
	int64_t now = clock_wall_us();
	const struct pki_cert ci = {
		.kind = PKI_ROOT, .cn = "Test CI", .not_before = now - DAY_US, .not_after = now + 3650 * DAY_US
	};
	const struct pki_cert eum = {
		.kind = PKI_SUB_CA, .cn = "Test EUM", .alt_names = "RID:1.3.6.1.4.1.99999.1", .not_before = now - DAY_US,
		.not_after = now + 3650 * DAY_US
	};
	struct ec_key *ci_key = f->ci_key = ec_key_new();
	struct cert_info ci_info, eum_info;
	struct bytes eum_pem;

	f->issuer.key = ec_key_new();
	cr_assert(pki_cert_make(f->a, &ci, ci_key, ci_key, (struct bytes){ 0 }, &f->ci_pem));
	cr_assert(cert_read(f->a, f->ci_pem.data, f->ci_pem.len, &ci_info));
	cr_assert(pki_cert_make(f->a, &eum, f->issuer.key, ci_key, ci_info.der, &eum_pem));
	cr_assert(cert_read(f->a, eum_pem.data, eum_pem.len, &eum_info));
	cr_assert(cert_ski(eum_info.der, f->issuer.key_id));
	ec_key_public(ci_key, f->issuer.ci_point);
	ec_key_public(f->issuer.key, f->eum_point);
	f->issuer.oid = oid_of("1.3.6.1.4.1.99999.1");
	f->issuer.ca_id = eum_ca_id(f->a, &f->issuer.oid, f->issuer.key_id);
	f->issuer.cert_years = 30;
	f->issuer.kek = secret_new(32);
	random_bytes(f->issuer.kek.data, 32);
	f->issuer.signer = signer_of(f, eum_pem);
}

static void order_make(struct fixture *f)
{
	struct eum_profile_order *p = arena_array(f->a, 2, sizeof(*p));
	struct properties *properties = ARENA_NEW(f->a, struct properties);

	p[0] = (struct eum_profile_order){ .mno = oid_of("1.3.6.1.4.1.99999.5"),
					   .profile_type = "BOOTSTRAP",
					   .iccid_prefix = "893301",
					   .imsi_prefix = "00101",
					   .msisdn_prefix = "88299",
					   .enabled = true,
					   .memory = 65536 };
	p[1] = (struct eum_profile_order){ .mno = oid_of("1.3.6.1.4.1.99999.6"),
					   .iccid_prefix = "894902",
					   .imsi_prefix = "00102",
					   .msisdn_prefix = "88288",
					   .memory = 32768 };
	properties->items = ARENA_NEW(f->a, struct property);
	properties->items[0] = (struct property){ "example.lot", "4 & 2" };
	properties->n_items = 1;
	f->order = (struct eum_create_batch_rq){ .base = { .fci = "order-1" },
						 .name = "first",
						 .quantity = 3,
						 .smsr = oid_of("1.3.6.1.4.1.99999.2"),
						 .eid_prefix = "890490320005008812",
						 .platform_type = "Example",
						 .platform_version = "1.0.0",
						 .memory = 327680,
						 .http_support = true,
						 .profiles = p,
						 .n_profiles = 2,
						 .properties = properties };
	f->facts = (struct eum_order_facts){ .smsr_known = true, .smsr_reachable = true, .transport_key = true };
}

struct fixture fixture_make(void)
{
	struct fixture f = { .a = arena_new() };

	cr_assert(xmldsig_open());
	issuer_make(&f);
	f.transport = secret_new(16);
	random_bytes(f.transport.data, 16);
	order_make(&f);
	return f;
}

void fixture_drop(struct fixture *f)
{
	xml_signer_free(f->issuer.signer);
	ec_key_free(f->issuer.key);
	ec_key_free(f->ci_key);
	secret_free(&f->issuer.kek);
	secret_free(&f->transport);
	arena_free(f->a);
	xmldsig_close();
}
