/* SPDX-License-Identifier: Apache-2.0 */
/* File identifiers of a package, and the built-in package for meters, which has files of most kinds. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/card/profile_default.h"
#include "common/card/profile_file.h"
#include "common/card/profile_internal.h"
#include "common/card/profile_personalise.h"
#include "tests/unit/card/known.h"
#include "tests/unit/card/packages.h"

enum { HEADER, MF, PINS, FILES, USIM, OPT_USIM, AKA, SD, END };

static struct profile_package meter(struct arena *a)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	profile_meter_build(&b);
	return parsed(a, (struct bytes){ arena_memdup(a, b.data, b.len), b.len });
}

/* "" when it is not refused. */
static const char *refusal(struct arena *a, struct bytes in)
{
	struct profile_package p = parsed(a, in);
	struct profile_fault fault;

	return profile_package_check(&p, &fault) ? "" : profile_fault_text(a, &fault);
}

Test(profile_meter, is_valid_and_another_than_the_default)
{
	static const char *const names[] = { "header", "mf",       "pinCodes",     "genericFileManagement",
					     "usim",   "opt-usim", "akaParameter", "securityDomain",
					     "end" };
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = meter(a);
	struct profile_fault fault;
	struct profile_file f;

	cr_assert(profile_package_check(&p, &fault), "%s", profile_fault_text(a, &fault));
	cr_assert_eq(p.n, LEN(names));
	for (size_t i = 0; i < LEN(names); i++)
		cr_expect_str_eq(p.elements[i].name, names[i]);
	cr_assert_eq(p.header.profile_type.len, strlen(PROFILE_METER_TYPE));
	cr_assert(!memcmp(p.header.profile_type.data, PROFILE_METER_TYPE, p.header.profile_type.len));
	cr_assert_eq(p.header.services, 1u << SERVICE_USIM | 1u << SERVICE_MILENAGE | 1u << SERVICE_BER_TLV);
	cr_assert(profile_file_find(a, &p.elements[OPT_USIM], "ef-nasconfig", &f, &fault));
	cr_assert(f.fcp.file_id.len == 2 && !memcmp(f.fcp.file_id.data, "\x6F\xE8", 2));
	cr_assert(profile_file_find(a, &p.elements[USIM], "ef-spn", &f, &fault) && f.do_not_create);
	cr_assert(profile_file_find(a, &p.elements[USIM], "ef-epsnsc", &f, &fault));
	cr_assert_eq(profile_file_size(&f), 54);
}

/* What personalisation does not touch stays as it is. */
Test(profile_meter, takes_a_subscription)
{
	static const uint8_t key[16] = { 1, 2, 3 };
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(secret_free) struct secret made = { 0 };
	struct profile_package p = meter(a), q;
	struct profile_key keys[3];
	struct profile_code adm = { .reference = 0x0A, .value = { 9 } };
	struct profile_variables v = {
		.imsi = "901720000000001", .ki = { key, 16 }, .opc = { key, 16 }, .pins = &adm, .n_pins = 1
	};
	struct profile_fault fault;
	struct iccid iccid;

	for (uint8_t i = 0; i < LEN(keys); i++)
		keys[i] = (struct profile_key){ PROFILE_DEFAULT_KVN_SCP80, (uint8_t)(i + 1), { key, 16 } };
	v.sd_keys = keys;
	v.n_sd_keys = LEN(keys);
	cr_assert(iccid_complete("898800000000000001", &iccid));
	v.iccid = &iccid;
	cr_assert(profile_personalise(&p, &v, &made, &fault), "%s", profile_fault_text(a, &fault));
	q = parsed(a, (struct bytes){ made.data, made.len });
	cr_assert_eq(q.n, p.n);
	for (size_t i = 0; i < p.n; i++) {
		bool same = p.elements[i].whole.len == q.elements[i].whole.len &&
			    !memcmp(p.elements[i].whole.data, q.elements[i].whole.data, p.elements[i].whole.len);

		cr_expect_eq(same, i == FILES || i == OPT_USIM || i == END, "%s", p.elements[i].name);
	}
}

Test(profile_ids, an_identifier_is_there_once_in_its_directory)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = meter(a);
	struct bytes whole = p.whole;
	static const struct {
		const char *from, *to, *why;
	} rows[] = {
		{ "83022F00", "83022FE2", "element 2, mf (identification 1), ef-dir" },
		{ "83024F02", "83024F01", "element 4, genericFileManagement (identification 3), fileID" },
		/* made by two elements: the MF's by its template and by path, the USIM's by both of its templates */
		{ "83027F6D", "83022F06", "element 4, genericFileManagement (identification 3), fileID" },
		{ "83026FE8", "83026F07", "element 6, opt-usim (identification 5), ef-nasconfig" },
		/* the USIM's temporary one is one of the MF's */
		{ "83027FD0", "83027F6D", "element 5, usim (identification 4), adf-usim" },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct bytes in = with_bytes(a, whole, known(a, rows[i].from), known(a, rows[i].to));

		cr_expect_str_eq(refusal(a, in),
				 arena_printf(a, "%s: its directory has a file of this identifier already", rows[i].why));
	}
	/* the same in another directory is another file */
	cr_expect_str_eq(refusal(a, with_bytes(a, whole, known(a, "83024F02"), known(a, "83026F07"))), "");
	cr_expect_str_eq(refusal(a, with_bytes(a, whole, known(a, "83026FE8"), known(a, "83022F06"))), "");
}

Test(profile_ids, reserved_ones_are_refused)
{
	static const char *const ids[] = { "83023F00", "83023FFF", "83027FFF", "8302FFFF" };
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = meter(a);

	for (size_t i = 0; i < LEN(ids); i++) {
		cr_expect_str_eq(refusal(a, with_bytes(a, p.whole, known(a, "83026FAD"), known(a, ids[i]))),
				 "element 5, usim (identification 4), ef-ad: a file identifier that is reserved");
		cr_expect_str_eq(refusal(a, with_bytes(a, p.whole, known(a, "83024F01"), known(a, ids[i]))),
				 "element 4, genericFileManagement (identification 3), fileID: a file identifier that is reserved");
	}
	/* of an application it is the temporary one */
	cr_expect_str_eq(refusal(a, with_bytes(a, p.whole, known(a, "83027FD0"), known(a, "83027FFF"))), "");
}

#define FILE_4F01 "620882024121 83024F01 "
#define DIRECTORY_7F11 "620882027821 83027F11 "

/* A genericFileManagement with these commands. */
static struct bytes managed(struct arena *a, const char *commands)
{
	struct bytes head = known(a, "A0058000810120"), list = known(a, commands);
	CLEANUP(buf_free) struct buf b = { 0 };

	buf_add(&b, head.data, head.len);
	buf_add(&b, list.data, list.len);
	tlv_wrap(&b, head.len, 0x30);
	tlv_wrap(&b, head.len, 0xA1);
	tlv_wrap(&b, 0, 0xA0 | PE_GENERIC_FILE_MANAGEMENT);
	return (struct bytes){ arena_memdup(a, b.data, b.len), b.len };
}

Test(profile_ids, of_managed_files_the_path_says_where)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = meter(a);
	struct bytes twice = managed(a, "8000 " FILE_4F01 "8000 " FILE_4F01);

	cr_expect_str_eq(refusal(a, with_before(a, &p, END, twice)), "element 9, genericFileManagement (identification 32), "
								     "fileID: its directory has a file of this identifier already");
	cr_expect_str_eq(refusal(a, with_before(a, &p, MF, twice)),
			 "element 2, genericFileManagement (identification 32): mf must be before it");
	/* behind a directory that was made it may be the current one */
	cr_expect_str_eq(refusal(a, with_before(a, &p, END, managed(a, "8000 " FILE_4F01 DIRECTORY_7F11 FILE_4F01))), "");
	cr_expect_str_eq(
		refusal(a, with_before(a, &p, END, managed(a, "8000 " DIRECTORY_7F11 "80027F11 " FILE_4F01 "8000 " FILE_4F01))),
		"");
	cr_expect_str_neq(refusal(a, with_before(a, &p, END, managed(a, "8000 " DIRECTORY_7F11 "80027F11 " FILE_4F01 FILE_4F01))),
			  "");
}

Test(profile_ids, the_published_packages_have_none_twice)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();

	for (size_t i = 0; i < REAL_PACKAGES; i++)
		cr_expect_str_eq(refusal(a, real_package(a, i)), "");
}

/* Names and depths change with any byte; what is refused is refused without reading beyond. */
Test(profile_ids, changed_identifiers_never_crash)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = meter(a);
	uint8_t *copy = arena_memdup(a, p.whole.data, p.whole.len);
	size_t read = 0;

	for (size_t i = 0; i < p.whole.len; i++) {
		CLEANUP(arena_freep) struct arena *b = arena_new();
		struct profile_package q;
		struct profile_fault fault;

		copy[i] ^= 0x6F;
		if (profile_package_parse(b, (struct bytes){ copy, p.whole.len }, &q, &fault)) {
			(void)profile_package_check(&q, &fault);
			read++;
		}
		copy[i] = p.whole.data[i];
	}
	cr_assert(read > 100 && read < p.whole.len, "%zu", read);
}
