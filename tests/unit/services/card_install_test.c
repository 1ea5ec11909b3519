/* SPDX-License-Identifier: Apache-2.0 */
/* Packages on their way into a card: what becomes a profile, what is refused and how that is said, what a kill leaves. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/unit/card/packages.h"
#include "tests/unit/services/download.h"

#define NEW_ICCID "89001234567890123458"

static void check_profile(struct download *d, struct bytes package)
{
	const struct card_profile *p = download_profile(d);
	uint8_t digest[SHA256_LEN];

	sha256(package.data, package.len, digest);
	cr_assert_eq(p->state, ISDP_DISABLED);
	cr_assert(!memcmp(p->domain->digest, digest, sizeof(digest)));
	cr_assert_eq(p->domain->bytes, package.len);
	cr_assert_eq(p->domain->n_elements, parsed(d->a, package).n);
	cr_assert_eq(d->c->installs, 1);
}

/* The elements themselves, as they are kept for this ISD-P. */
static void check_stored(struct download *d, struct bytes package)
{
	const char *path = arena_printf(d->a, "%s/%s-1-%u", d->isdps, d->c->eid.text, d->c->domain_versions[1]);
	CLEANUP(secret_free) struct secret all = { 0 };

	cr_assert_eq(secret_read_file(path, 1 << 20, &all), 0);
	cr_assert_gt(all.len, package.len + SHA256_LEN);
	cr_assert(!memcmp(all.data + all.len - SHA256_LEN - package.len, package.data, package.len));
}

Test(card_install, a_package_becomes_a_profile)
{
	CLEANUP(download_close) struct download d;
	const struct card_profile *p;
	struct bytes package;

	download_open(&d);
	package = download_default(&d, NEW_ICCID, 0, 30000);
	cr_assert_geq(package.len, 30000);
	download_all(&d, 40000, package);
	check_profile(&d, package);
	check_stored(&d, package);
	download_reload(&d);
	check_profile(&d, package);
	p = download_profile(&d);
	cr_assert_str_eq(p->iccid.text, NEW_ICCID);
	cr_assert_str_eq(p->imsi, "001019876543210");
	cr_assert_str_eq(p->msisdn, p->imsi, "the package says no number");
	cr_assert_eq(p->pol1, 0);
	cr_assert_eq(p->memory, 40000);
	cr_assert_eq(d.c->remaining_memory, DOWNLOAD_MEMORY - BOOT_MEMORY - 40000);
	/* It is used as any other. */
	cr_assert_eq(download_platform(&d, isdr_enable_profile), SW_OK);
	card_refresh(d.c);
	cr_assert(card_attached(d.c, true));
	cr_assert_eq(d.c->pending, NOTE_CHANGE_OK);
	cr_assert_eq(download_platform(&d, isdr_delete_profile), SW_CONDITIONS);
	cr_assert_eq(download_platform(&d, isdr_disable_profile), SW_OK);
}

Test(card_install, pieces_may_end_anywhere)
{
	const size_t pieces[] = { 1000, 999, 256, 61 };

	for (size_t i = 0; i < LEN(pieces); i++) {
		CLEANUP(download_close) struct download d;
		struct euicc_response r;
		struct bytes package;

		download_open(&d);
		package = download_default(&d, NEW_ICCID, 0, 0);
		download_agree(&d, -1);
		download_session(&d);
		r = download_package(&d, package, pieces[i]);
		cr_assert(euicc_response_ok(&r), "%s", euicc_response_explain(d.a, &r, NULL));
		check_profile(&d, package);
		cr_assert_eq(download_profile(&d)->memory, (int64_t)package.len, "what is stored is granted");
		cr_assert_eq(d.c->remaining_memory, DOWNLOAD_MEMORY - BOOT_MEMORY - (int64_t)package.len);
		cr_assert_eq(download_platform(&d, isdr_delete_profile), SW_OK);
		cr_assert_eq(d.c->remaining_memory, DOWNLOAD_MEMORY - BOOT_MEMORY);
	}
}

static void published(size_t i)
{
	CLEANUP(download_close) struct download d;
	struct bytes package;

	download_open(&d);
	package = real_package(d.a, i);
	download_all(&d, -1, package);
	check_profile(&d, package);
	check_stored(&d, package);
	cr_assert_str_eq(download_profile(&d)->iccid.text, "89000123456789012341");
	cr_assert_str_eq(download_profile(&d)->imsi, "001010123456789");
}

Test(card_install, the_first_published_package)
{
	published(0);
}

Test(card_install, the_second_published_package)
{
	published(1);
}

/* The published package with a first record in its EF.MSISDN, of which only the descriptor is there: octets that make the file longer, and
 * with it the element, whose length has two octets. */
static struct bytes with_number(struct arena *a, struct bytes package)
{
	static const uint8_t file[] = { 0xA7, 0x16, 0xA1, 0x14, 0x82, 0x04, 0x42, 0x21, 0x00, 0x27, 0x83, 0x02, 0x6F, 0x40 };
	enum { FILE_LEN = 2 + 0x16, RECORD = 0x27, ADDED = 2 + RECORD };
	struct profile_package p = parsed(a, package);
	const struct profile_element *e = profile_element_find(&p, PE_OPT_USIM, 0);
	uint8_t *made = arena_alloc(a, package.len + ADDED);
	const uint8_t *at;
	static const uint8_t number[] = { 0x07, 0x91, 0x94, 0x71, 0x21, 0x43, 0x65, 0xF7 };
	size_t element = (size_t)(e->whole.data - package.data), behind, length;

	at = memmem(package.data, package.len, file, sizeof(file));
	cr_assert_not_null(at);
	behind = (size_t)(at - package.data) + FILE_LEN;
	memcpy(made, package.data, behind);
	memset(made + behind, 0xFF, ADDED);
	made[behind] = 0x83;
	made[behind + 1] = RECORD;
	memcpy(made + behind + ADDED - 14, number, sizeof(number));
	memcpy(made + behind + ADDED, package.data + behind, package.len - behind);
	made[behind - FILE_LEN + 1] += ADDED;
	cr_assert_eq(made[element + 1], 0x82);
	length = (size_t)(made[element + 2] << 8 | made[element + 3]) + ADDED;
	made[element + 2] = (uint8_t)(length >> 8);
	made[element + 3] = (uint8_t)length;
	return (struct bytes){ made, package.len + ADDED };
}

Test(card_install, the_number_of_a_package_is_the_networks)
{
	CLEANUP(download_close) struct download d;

	download_open(&d);
	download_all(&d, -1, with_number(d.a, real_package(d.a, 0)));
	cr_assert_str_eq(download_profile(&d)->msisdn, "49171234567");
}

Test(card_install, pol1_of_the_header_is_kept)
{
	CLEANUP(download_close) struct download d;

	download_open(&d);
	download_all(&d, -1, download_default(&d, NEW_ICCID, POL1_NO_DELETE | POL1_NO_DISABLE, 0));
	cr_assert_eq(download_platform(&d, isdr_delete_profile), SW_POL1);
	download_reload(&d);
	cr_assert_eq(download_platform(&d, isdr_delete_profile), SW_POL1);
	cr_assert_eq(download_platform(&d, isdr_enable_profile), SW_OK);
	card_refresh(d.c);
	cr_assert(card_attached(d.c, true));
	cr_assert_eq(download_platform(&d, isdr_disable_profile), SW_POL1);
}

/* What the card says of a package, which it refuses; the ISD-P stays, without a profile, and can only be deleted. */
static struct euicc_response refused(struct download *d, struct bytes package, int64_t quota)
{
	struct euicc_response r, again;
	struct bytes good = download_default(d, "89001234567890123466", 0, 0);

	download_agree(d, quota);
	download_session(d);
	r = download_package(d, package, SCP03T_PLAIN_MAX);
	cr_assert_not(euicc_response_ok(&r));
	cr_assert(r.aborted);
	cr_assert_eq(download_profile(d)->state, ISDP_PERSONALIZED);
	cr_assert_not(download_segment(d, (struct bytes){ package.data, 10 }), "the session has ended");
	download_session(d);
	again = download_package(d, good, SCP03T_PLAIN_MAX);
	cr_assert(again.aborted, "what failed is not begun again");
	cr_assert_eq(d->c->installs, 0);
	cr_assert_eq(download_platform(d, isdr_enable_profile), SW_CONDITIONS);
	download_reload(d);
	cr_assert_eq(download_profile(d)->state, ISDP_PERSONALIZED);
	cr_assert_eq(download_platform(d, isdr_delete_profile), SW_OK);
	cr_assert_eq(d->c->remaining_memory, DOWNLOAD_MEMORY - BOOT_MEMORY);
	return r;
}

static void check_refused(struct download *d, struct bytes package, int64_t quota, unsigned status, int32_t identification)
{
	struct euicc_response r = refused(d, package, quota);

	cr_assert_eq(r.n, 1);
	cr_assert_eq(r.statuses[0].status, status, "%s", euicc_response_explain(d->a, &r, NULL));
	cr_assert_eq(r.statuses[0].identification, identification, "%s", euicc_response_explain(d->a, &r, NULL));
}

Test(card_install, what_is_wrong_with_a_package_is_said)
{
	CLEANUP(download_close) struct download d;
	struct bytes good, package;
	struct profile_package p;

	download_open(&d);
	good = download_default(&d, NEW_ICCID, 0, 0);
	p = parsed(d.a, good);
	check_refused(&d, download_default(&d, BOOT_ICCID, 0, 0), -1, PE_STATUS_INVALID_PARAMETER, -1);
	package = with_element(d.a, &p, 0, (struct bytes){ 0 });
	check_refused(&d, package, -1, PE_STATUS_INVALID_REQUEST_FORMAT, p.elements[1].identification);
	package = with_before(d.a, &p, 3, p.elements[0].whole);
	check_refused(&d, package, -1, PE_STATUS_INVALID_REQUEST_FORMAT, -1);
	package = with_before(d.a, &p, p.n - 1, p.elements[1].whole);
	check_refused(&d, package, -1, PE_STATUS_INVALID_REQUEST_FORMAT, p.elements[1].identification);
	check_refused(&d, good, (int64_t)good.len - 1, PE_STATUS_NOT_ENOUGH_MEMORY, p.elements[p.n - 1].identification);
}

/* The header's list of mandatory services, which is usim and milenage, with these two instead. */
static struct bytes with_services(struct download *d, enum pe_service first, enum pe_service second)
{
	struct bytes good = download_default(d, NEW_ICCID, 0, 0);
	const uint8_t from[] = { 0x80 | SERVICE_USIM, 0, 0x80 | SERVICE_MILENAGE, 0 };
	const uint8_t to[] = { (uint8_t)(0x80 | first), 0, (uint8_t)(0x80 | second), 0 };

	return with_bytes(d->a, good, (struct bytes){ from, sizeof(from) }, (struct bytes){ to, sizeof(to) });
}

Test(card_install, mandatory_services_must_be_there)
{
	CLEANUP(download_close) struct download d;

	download_open(&d);
	check_refused(&d, with_services(&d, SERVICE_CONTACTLESS, SERVICE_USIM), -1, PE_STATUS_FEATURE_NOT_SUPPORTED, -1);
	check_refused(&d, with_services(&d, SERVICE_USIM, SERVICE_JAVACARD), -1, PE_STATUS_RUNTIME_NOT_SUPPORTED, -1);
}

Test(card_install, a_test_may_make_an_element_fail)
{
	CLEANUP(download_close) struct download d;
	struct bytes good;
	struct profile_package p;

	download_open(&d);
	good = download_default(&d, NEW_ICCID, 0, 0);
	p = parsed(d.a, good);
	for (size_t n = 2; n <= p.n; n += 3) {
		d.faults[CARD_FAULT_ELEMENT] = 1;
		d.element = n;
		check_refused(&d, good, -1, PE_STATUS_MEMORY_FAILURE, p.elements[n - 1].identification);
	}
	d.faults[CARD_FAULT_FULL] = 1;
	check_refused(&d, good, 100000, PE_STATUS_NOT_ENOUGH_MEMORY, -1);
}

Test(card_install, bytes_behind_the_end_spoil_it)
{
	CLEANUP(download_close) struct download d;
	struct bytes good;
	uint8_t *longer;

	download_open(&d);
	good = download_default(&d, NEW_ICCID, 0, 0);
	longer = arena_alloc(d.a, good.len + 2);
	memcpy(longer, good.data, good.len);
	memset(longer + good.len, 0, 2);
	cr_assert_neq(good.len % SCP03T_PLAIN_MAX, 0);
	check_refused(&d, (struct bytes){ longer, good.len + 2 }, -1, PE_STATUS_INVALID_REQUEST_FORMAT, -1);
}

Test(card_install, a_reset_amid_it_leaves_what_can_only_be_deleted)
{
	CLEANUP(download_close) struct download d;
	struct euicc_response r;
	struct bytes good;

	download_open(&d);
	good = download_default(&d, NEW_ICCID, 0, 0);
	for (unsigned kill = 0; kill < 2; kill++) {
		download_agree(&d, -1);
		download_session(&d);
		cr_assert(download_segment(&d, (struct bytes){ good.data, 700 }));
		if (kill)
			download_reload(&d);
		else
			card_power(d.c, true);
		cr_assert_not(download_segment(&d, (struct bytes){ good.data + 700, 700 }), "the session is gone");
		cr_assert_eq(download_profile(&d)->state, ISDP_PERSONALIZED);
		download_session(&d);
		r = download_package(&d, good, SCP03T_PLAIN_MAX);
		cr_assert(r.aborted);
		cr_assert_eq(r.statuses[0].status, PE_STATUS_INVALID_REQUEST_FORMAT);
		cr_assert_eq(download_platform(&d, isdr_delete_profile), SW_OK);
		cr_assert_eq(d.c->remaining_memory, DOWNLOAD_MEMORY - BOOT_MEMORY);
	}
	download_all(&d, -1, good);
}
