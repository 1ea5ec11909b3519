/* SPDX-License-Identifier: Apache-2.0 */
/* Packages that others made: split, checked and read as their value notation says. */
#include "common/card/profile_package.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/card/profile_file.h"
#include "tests/unit/card/known.h"
#include "tests/unit/card/packages.h"

static const struct profile_element *element(const struct profile_package *p, enum pe_kind kind)
{
	const struct profile_element *e = profile_element_find(p, kind, 0);

	cr_assert(e, "%s", pe_kind_name(kind));
	return e;
}

static bool bytes_are(struct arena *a, struct bytes b, const char *hex)
{
	return !strcmp(hex_text(a, b.data, b.len), hex);
}

Test(profile_package, the_published_ones_are_whole_and_right)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();

	for (size_t i = 0; i < REAL_PACKAGES; i++) {
		struct bytes in = real_package(a, i);
		struct profile_package p = parsed(a, in);
		struct profile_fault fault = { 0 };
		size_t at = 0;

		cr_assert(profile_package_check(&p, &fault), "%zu: %s", i, profile_fault_text(a, &fault));
		cr_assert(p.elements[0].kind == PE_HEADER && p.elements[p.n - 1].kind == PE_END);
		for (size_t k = 0; k < p.n; k++) {
			cr_assert_eq((size_t)(p.elements[k].whole.data - in.data), at);
			at += p.elements[k].whole.len;
			cr_assert(p.elements[k].kind != PE_UNKNOWN);
			cr_assert_eq(p.elements[k].identification == PE_NO_IDENTIFICATION, k == 0);
			cr_assert_eq(p.elements[k].mandated, k > 0);
		}
		cr_assert_eq(at, in.len);
	}
}

Test(profile_package, elements_are_those_of_the_value_notation)
{
	static const struct {
		const char *name;
		int32_t identification;
	} want[] = {
		{ "header", -1 },
		{ "mf", 4 },
		{ "pukCodes", 5 },
		{ "pinCodes", 2 },
		{ "telecom", 7 },
		{ "pinCodes", 3 },
		{ "genericFileManagement", 23 },
		{ "usim", 8 },
	};
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = parsed(a, real_package(a, 0));

	cr_assert_eq(p.n, 30);
	for (size_t i = 0; i < LEN(want); i++) {
		cr_assert_str_eq(p.elements[i].name, want[i].name);
		cr_assert_eq(p.elements[i].identification, want[i].identification);
	}
	cr_assert_str_eq(p.elements[24].name, "securityDomain");
	cr_assert_eq(p.elements[29].identification, 31);
}

Test(profile_package, the_header_is_read)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = parsed(a, real_package(a, 0));
	const struct profile_header *h = &p.header;
	struct iccid iccid;

	cr_assert(h->major == 2 && h->minor == 3);
	cr_assert(h->profile_type.len == 31 && !memcmp(h->profile_type.data, "GSMA Generic eUICC Test Profile", 31));
	cr_assert(profile_header_iccid(h, &iccid));
	cr_assert_str_eq(iccid.text, "89000123456789012341");
	cr_assert(!h->pol.data && profile_header_pol1(h) == 0 && !h->connectivity.data && h->n_aids == 0);
	cr_assert_eq(h->services, 1ull << SERVICE_USIM | 1ull << SERVICE_ISIM | 1ull << SERVICE_CSIM |
					  1ull << SERVICE_USIM_TEST_ALGORITHM | 1ull << SERVICE_BER_TLV |
					  1ull << SERVICE_GET_IDENTITY | 1ull << SERVICE_PROFILE_A_X25519 |
					  1ull << SERVICE_PROFILE_B_P256);
	cr_assert_eq(h->n_templates, 11);
	cr_assert(bytes_are(a, h->templates[10], "67810F01020E"));
	cr_assert_str_eq(pe_service_name(SERVICE_USIM_TEST_ALGORITHM), "usim-test-algorithm");
	cr_assert_null(pe_service_name(SERVICES_KNOWN));
}

Test(profile_package, keys_and_codes_are_read)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = parsed(a, real_package(a, 0));
	struct profile_fault fault = { 0 };
	struct profile_code_entry *codes;
	struct profile_aka aka;
	struct profile_sd sd;
	char aid[2 * AID_MAX + 1];
	size_t n;

	cr_assert(profile_aka_decode(a, element(&p, PE_AKA_PARAMETER), &aka, &fault));
	cr_assert(!aka.mapped && aka.algorithm == ALGORITHM_USIM_TEST && !aka.n_sqn_init && !aka.xoring.data);
	cr_assert(bytes_are(a, aka.key, "000102030405060708090A0B0C0D0E0F") && aka.opc.len == 16);
	cr_assert(profile_codes_decode(a, element(&p, PE_PUK_CODES), &codes, &n, &fault));
	cr_assert(n == 2 && codes[1].reference == 129 && codes[1].tries == 170 && bytes_are(a, codes[1].value, "3232323232323232"));
	cr_assert(profile_codes_decode(a, element(&p, PE_PIN_CODES), &codes, &n, &fault));
	cr_assert(n == 3 && codes[0].reference == 1 && codes[0].puk == 1 && codes[0].attributes == 6 && codes[0].tries == 51);
	cr_assert(codes[2].reference == 11 && codes[2].puk == 0 && bytes_are(a, codes[2].value, "3636363636363636"));
	cr_assert(profile_sd_decode(a, element(&p, PE_SECURITY_DOMAIN), &sd, &fault));
	aid_format(&sd.instance, aid);
	cr_assert_str_eq(aid, "A000000151000000");
	cr_assert(sd.n_keys == 6 && sd.keys[3].version == 2 && sd.keys[3].id == 1 && bytes_are(a, sd.privileges, "82DC00"));
	cr_assert(sd.keys[5].n_components == 1 && bytes_are(a, sd.keys[5].components[0].type, "88") &&
		  sd.keys[5].components[0].mac_length == 8);
	cr_assert(!profile_sd_decode(a, element(&p, PE_MF), &sd, &fault));
	cr_assert_str_eq(fault.element, "mf");
}

Test(profile_file, contents_are_put_together)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct profile_package p = parsed(a, real_package(a, 0));
	struct profile_fault fault = { 0 };
	char imsi[IMSI_MAX + 1];
	struct profile_file f;

	cr_assert(profile_file_find(a, element(&p, PE_USIM), "ef-imsi", &f, &fault));
	cr_assert(profile_file_content(&b, &f) && b.len == 9);
	cr_assert(profile_imsi_text((struct bytes){ (const uint8_t *)b.data, b.len }, imsi));
	cr_assert_str_eq(imsi, "001010123456789");
	cr_assert(bytes_are(a, f.fcp.file_id, "6F07") && bytes_are(a, f.fcp.security, "6F060A") && !f.fcp.special.data);
	buf_clear(&b);
	/* three records of 33 bytes: the offsets skip from where the last content ended */
	cr_assert(profile_file_find(a, element(&p, PE_MF), "ef-dir", &f, &fault));
	cr_assert(f.n_fills == 3 && f.fills[1].at == 33 && f.fills[2].at == 66 && profile_file_size(&f) == 0x84);
	cr_assert(profile_file_content(&b, &f) && b.len == 0x84);
	cr_assert(!memcmp(b.data + 33, "\x61\x14\x4F\x0C", 4) && b.data[22] == (char)0xFF && b.data[0x83] == (char)0xFF);
	buf_clear(&b);
	cr_assert(profile_file_find(a, element(&p, PE_MF), "ef-pl", &f, &fault));
	cr_assert(profile_file_content(&b, &f));
	cr_assert_str_eq(built(a, &b), "656EFFFFFFFF");
	cr_assert(!profile_file_find(a, element(&p, PE_MF), "ef-nothing", &f, &fault) && !fault.what);
}

Test(profile_file, files_made_by_commands_know_where_they_stand)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = parsed(a, real_package(a, 0));
	struct profile_fault fault = { 0 };
	struct profile_file *files;
	size_t n, directories = 0;

	cr_assert(profile_files_decode(a, element(&p, PE_GENERIC_FILE_MANAGEMENT), &files, &n, &fault));
	cr_assert(bytes_are(a, files[0].fcp.file_id, "2FFB") && files[0].path_len == 0 && profile_file_size(&files[0]) == 0x4D8);
	cr_assert(bytes_are(a, files[1].fcp.file_id, "6F44") && files[1].path_len == 2 && !memcmp(files[1].path, "\x7F\x10", 2));
	cr_assert(bytes_are(a, files[2].fcp.file_id, "4F09") && files[2].path_len == 4);
	/* ten fills of two bytes into 4F16 */
	cr_assert(bytes_are(a, files[8].fcp.file_id, "4F16") && files[8].n_fills == 10 && files[8].fills[9].at == 18);
	for (size_t i = 0; i < n; i++)
		directories += profile_file_is_directory(&files[i]);
	cr_assert_geq(directories, 3);
	cr_assert(profile_files_decode(a, element(&p, PE_END), &files, &n, &fault) && n == 0);
}

static bool parse_and_check(struct bytes in)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_fault fault = { 0 };
	struct profile_package p;

	if (!profile_package_parse(a, in, &p, &fault)) {
		cr_assert(fault.what && *profile_fault_text(a, &fault));
		return false;
	}
	return profile_package_check(&p, &fault) || !fault.what;
}

Test(profile_package, no_beginning_of_one_is_one)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct bytes in = real_package(a, 1);

	cr_assert(parse_exactly(parse_and_check, in));
	for (size_t n = 0; n < in.len; n += 7)
		cr_assert(!parse_exactly(parse_and_check, (struct bytes){ in.data, n }), "%zu", n);
}

Test(profile_package, single_bytes_changed_never_read_beyond)
{
	static const uint8_t nasty[] = { 0x00, 0x7F, 0x80, 0x81, 0x84, 0xA0, 0xBF, 0xFF };
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct bytes in = real_package(a, 0);
	uint8_t *copy = arena_memdup(a, in.data, in.len);
	size_t refused = 0, step = 5 * depth_divisor();

	for (size_t i = 0; i < in.len; i += step) {
		copy[i] = nasty[i % sizeof(nasty)];
		refused += !parse_exactly(parse_and_check, (struct bytes){ copy, in.len });
		copy[i] = in.data[i];
	}
	cr_assert_gt(refused, 2500 / step);
}
