/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in package, and what is refused of packages that are not right. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/card/profile_default.h"
#include "common/card/profile_file.h"
#include "tests/unit/card/known.h"
#include "tests/unit/card/packages.h"

static struct bytes default_package(struct arena *a, size_t bytes)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	profile_default_build(&b, bytes);
	return (struct bytes){ arena_memdup(a, b.data, b.len), b.len };
}

Test(profile_default, is_a_valid_package)
{
	static const char *const names[] = { "header",   "mf",           "pukCodes",       "pinCodes", "usim",
					     "pinCodes", "akaParameter", "securityDomain", "end" };
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = parsed(a, default_package(a, 0));
	struct profile_fault fault = { 0 };
	struct iccid iccid;
	struct profile_file f;
	char imsi[IMSI_MAX + 1];

	cr_assert(profile_package_check(&p, &fault), "%s", profile_fault_text(a, &fault));
	cr_assert_eq(p.n, LEN(names));
	for (size_t i = 0; i < LEN(names); i++)
		cr_assert_str_eq(p.elements[i].name, names[i]);
	cr_assert(p.header.profile_type.len == strlen(PROFILE_DEFAULT_TYPE));
	cr_assert(!memcmp(p.header.profile_type.data, PROFILE_DEFAULT_TYPE, p.header.profile_type.len));
	cr_assert(profile_header_iccid(&p.header, &iccid));
	cr_assert_str_eq(iccid.text, "89000000000000000000");
	cr_assert(profile_file_find(a, &p.elements[4], "ef-imsi", &f, &fault) && profile_imsi_text(f.fills[0].data, imsi));
	cr_assert_str_eq(imsi, "001010000000000");
}

Test(profile_default, is_as_long_as_it_is_asked_to_be)
{
	static const size_t sizes[] = { 1, 1500, 2000, 30000, 65536, PROFILE_PACKAGE_MAX - 65536 };
	CLEANUP(arena_freep) struct arena *a = arena_new();

	for (size_t i = 0; i < LEN(sizes); i++) {
		struct profile_fault fault = { 0 };
		struct profile_package p = parsed(a, default_package(a, sizes[i]));

		cr_assert(p.whole.len >= sizes[i] && (i < 3 || p.whole.len < sizes[i] + 100), "%zu: %zu", sizes[i], p.whole.len);
		cr_assert(profile_package_check(&p, &fault), "%s", profile_fault_text(a, &fault));
	}
}

/* Why it is refused, by parse or by check; "" when it is not. */
static const char *refusal(struct arena *a, struct bytes in)
{
	struct profile_fault fault = { 0 };
	struct profile_package p = { .n = 77 };

	if (!profile_package_parse(a, in, &p, &fault)) {
		cr_assert_eq(p.n, 77);
		cr_assert_neq(fault.status, PE_STATUS_OK);
		return profile_fault_text(a, &fault);
	}
	return profile_package_check(&p, &fault) ? "" : profile_fault_text(a, &fault);
}

static struct bytes none(void)
{
	return (struct bytes){ 0 };
}

enum { HEADER, MF, PUKS, PINS, USIM, LOCAL_PINS, AKA, SD, END };

Test(profile_rules, frame)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = parsed(a, default_package(a, 0));
	struct bytes whole = p.whole;

	cr_assert_str_eq(refusal(a, whole), "");
	cr_assert_str_eq(refusal(a, none()), "the package: empty");
	cr_assert_str_eq(refusal(a, with_element(a, &p, END, none())), "the package: does not finish with the end element");
	cr_assert_str_eq(refusal(a, with_element(a, &p, HEADER, none())),
			 "element 1, mf (identification 1): comes first: the header must");
	cr_assert_str_eq(refusal(a, with_before(a, &p, MF, p.elements[HEADER].whole)), "element 2, header: a second one");
	cr_assert_str_eq(refusal(a, with_before(a, &p, SD, p.elements[END].whole)),
			 "element 8, end (identification 8): something is behind it");
	cr_assert_str_eq(refusal(a, (struct bytes){ whole.data, whole.len - 1 }), "the package: cut off or no TLV");
	cr_assert_str_eq(refusal(a, with_before(a, &p, END, known(a, "00"))), "the package: cut off or no TLV");
	cr_assert_str_eq(refusal(a, with_before(a, &p, END, known(a, "3000"))), "the package: a tag that no profile element has");
	/* a byte behind the end */
	cr_assert_str_eq(refusal(a, with_element(a, &p, END, known(a, "AA07A00580008101 0800"))), "the package: cut off or no TLV");
	for (size_t n = 0; n < whole.len; n++)
		cr_assert_str_neq(refusal(a, (struct bytes){ whole.data, n }), "", "%zu", n);
}

Test(profile_rules, der)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = parsed(a, default_package(a, 0));
	static const struct {
		const char *end, *why;
	} bad[] = {
		{ "AA8107A005800081010 8", "the package: length not in its shortest form" },
		{ "AA80A0058000810108 0000", "the package: cut off or no TLV" },
		{ "AA08A00680008102 0008", "element 9, end, identification: no number, or out of its range" },
		{ "AA08A00680008102 8008", "element 9, end, identification: no number, or out of its range" },
		{ "AA09A00780008103 008000", "element 9, end, identification: no number, or out of its range" },
		{ "AA06A004800281 01", "element 9, end, mandated: not empty" },
		{ "AA08A0068001 00810108", "element 9, end (identification 8), mandated: not empty" },
		{ "AA04A0028000", "element 9, end, identification: missing" },
		{ "AA00", "element 9, end, end-header: missing" },
		{ "AA0EA0058000810108A0058000810109", "element 9, end (identification 8), end-header: twice, or not in its place" },
		{ "AA07A0058101088000", "element 9, end (identification 8), mandated: twice, or not in its place" },
		{ "BF0A07A0058000810108", "the package: tag not in its shortest form" },
	};

	cr_assert_str_eq(refusal(a, with_element(a, &p, END, known(a, "AA07A0058000810108"))), "");
	/* EXTENSIBILITY IMPLIED: what a later version adds behind */
	cr_assert_str_eq(refusal(a, with_element(a, &p, END, known(a, "AA0AA0058000810108850100"))), "");
	for (size_t i = 0; i < LEN(bad); i++)
		cr_assert_str_eq(refusal(a, with_element(a, &p, END, known(a, bad[i].end))), bad[i].why, "%zu", i);
}

Test(profile_rules, between_elements)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = parsed(a, default_package(a, 0));

	cr_assert_str_eq(refusal(a, with_element(a, &p, END, known(a, "AA07A0058000810107"))),
			 "element 9, end (identification 7), identification: another element has it too");
	cr_assert_str_eq(refusal(a, with_element(a, &p, MF, none())), "element 4, usim (identification 4): mf must be before it");
	cr_assert_str_eq(refusal(a, with_element(a, &p, PUKS, none())),
			 "element 3, pinCodes (identification 3), unblockingPINReference: no pukCodes before it has this PUK");
	cr_assert_str_eq(refusal(a, with_bytes(a, p.whole, known(a, "8001028101038214"), known(a, "8001018101038214"))),
			 "element 1, header, major-version: not a version that is supported");
	cr_assert_str_eq(refusal(a, with_bytes(a, p.whole, known(a, "A50481008400"), known(a, "A50481008500"))),
			 "element 7, akaParameter (identification 6): the header does not list milenage as mandatory");
	cr_assert_str_eq(refusal(a, with_bytes(a, p.whole, known(a, "A50481008400"), known(a, "A50482008400"))),
			 "element 5, usim (identification 4): the header does not list usim as mandatory");
	cr_assert_str_eq(refusal(a, with_element(a, &p, USIM, none())),
			 "element 1, header, eUICC-Mandatory-services: lists usim, but there is none");
	cr_assert_str_eq(refusal(a, with_bytes(a, p.whole, known(a, "060667810F010204"), known(a, "060667810F010205"))),
			 "element 5, usim (identification 4), templateID: the header does not list it as mandatory");
	cr_assert_str_eq(
		refusal(a, with_bytes(a, p.whole, known(a, "830A89000000000000000000"), known(a, "830A89000000000000000001"))),
		"element 2, mf (identification 1), ef-iccid: not the ICCID of the header");
	cr_assert_str_eq(refusal(a, with_bytes(a, p.whole, known(a, "80010A8108"), known(a, "8001018108"))),
			 "element 4, pinCodes (identification 3), keyReference: twice in this element");
	cr_assert_str_eq(refusal(a, with_bytes(a, p.whole, known(a, "800109 8309080910"), known(a, "800108 8309080910"))),
			 "element 5, usim (identification 4), ef-imsi: filled beyond its size");
	cr_assert_str_eq(refusal(a, with_bytes(a, p.whole, known(a, "950114820102"), known(a, "950114820101"))),
			 "element 8, securityDomain (identification 7), keyList: a key is in it twice");
}

Test(profile_rules, an_element_of_a_later_version_passes)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = parsed(a, default_package(a, 0));
	struct profile_package more = parsed(a, with_before(a, &p, END, known(a, "BF7F0AA0058000810142850100")));
	struct profile_fault fault = { 0 };

	cr_assert(profile_package_check(&more, &fault), "%s", profile_fault_text(a, &fault));
	cr_assert(more.elements[END].kind == PE_UNKNOWN && more.elements[END].mandated &&
		  more.elements[END].identification == 0x42);
}

static bool parse_and_check(struct bytes in)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();

	return !*refusal(a, in);
}

Test(profile_rules, changed_bytes_never_read_beyond)
{
	static const uint8_t nasty[] = { 0x00, 0x01, 0x7F, 0x80, 0x81, 0x84, 0xA0, 0xBF, 0xFF };
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct bytes in = default_package(a, 0);
	uint8_t *copy = arena_memdup(a, in.data, in.len);
	size_t refused = 0;

	for (size_t i = 0; i < in.len; i++) {
		for (size_t k = 0; k < LEN(nasty); k++) {
			copy[i] = nasty[k];
			refused += !parse_exactly(parse_and_check, (struct bytes){ copy, in.len });
		}
		copy[i] = in.data[i];
	}
	cr_assert_gt(refused, 3000);
}
