/* SPDX-License-Identifier: Apache-2.0 */
/* Variables reach their fields and nothing else changes. */
#include "common/card/profile_personalise.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/card/profile_default.h"
#include "common/card/profile_file.h"
#include "tests/unit/card/known.h"
#include "tests/unit/card/packages.h"

#define KI "00112233445566778899AABBCCDDEEFF"
#define OPC "FFEEDDCCBBAA99887766554433221100"
#define SD_KEY "A0A1A2A3A4A5A6A7A8A9AAABACADAEAF"

static struct profile_package default_package(struct arena *a)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	profile_default_build(&b, 0);
	return parsed(a, (struct bytes){ arena_memdup(a, b.data, b.len), b.len });
}

/* Personalises what must work; the outcome, parsed, in a. */
static struct profile_package made(struct arena *a, const struct profile_package *p, const struct profile_variables *v)
{
	CLEANUP(secret_free) struct secret out = { 0 };
	struct profile_fault fault = { 0 };

	cr_assert(profile_personalise(p, v, &out, &fault), "%s", profile_fault_text(a, &fault));
	return parsed(a, (struct bytes){ arena_memdup(a, out.data, out.len), out.len });
}

static const char *refused(struct arena *a, const struct profile_package *p, const struct profile_variables *v)
{
	CLEANUP(secret_free) struct secret out = { 0 };
	struct profile_fault fault = { 0 };

	cr_assert(!profile_personalise(p, v, &out, &fault));
	cr_assert_null(out.data);
	return profile_fault_text(a, &fault);
}

static bool same(struct bytes x, struct bytes y)
{
	return x.len == y.len && !memcmp(x.data, y.data, x.len);
}

/* Elements that differ, as bits of enum pe_kind. */
static uint64_t changed(const struct profile_package *p, const struct profile_package *q)
{
	uint64_t kinds = 0;

	cr_assert_eq(p->n, q->n);
	for (size_t i = 0; i < p->n; i++) {
		cr_assert_eq(p->elements[i].kind, q->elements[i].kind);
		if (!same(p->elements[i].whole, q->elements[i].whole))
			kinds |= UINT64_C(1) << p->elements[i].kind;
	}
	return kinds;
}

#define KIND(kind) (UINT64_C(1) << PE_##kind)

Test(profile_personalise, without_variables_nothing_changes)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();

	for (size_t i = 0; i < REAL_PACKAGES; i++) {
		struct profile_package p = parsed(a, real_package(a, i)), q;

		q = made(a, &p, &(struct profile_variables){ 0 });
		cr_assert(same(p.whole, q.whole));
	}
}

static bool has_file(struct arena *a, const struct profile_package *p, enum pe_kind kind, const char *name, const char *hex)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct profile_fault fault = { 0 };
	struct profile_file f;

	cr_assert(profile_file_find(a, profile_element_find(p, kind, 0), name, &f, &fault) && profile_file_content(&b, &f));
	return !strcmp(built(a, &b), hex);
}

/* Rewriting a field with the value it has must give the same bytes: nothing beside it may move. */
Test(profile_personalise, the_published_values_put_in_again_give_the_same_bytes)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = parsed(a, real_package(a, 0)), q;
	struct profile_code pins[] = { { 1, "0000\xFF\xFF\xFF\xFF" }, { 129, "9999\xFF\xFF\xFF\xFF" }, { 10, "55555555" } };
	struct profile_code puks[] = { { 1, "11111111" }, { 129, "22222222" } };
	struct profile_key keys[] = { { 2, 3, known(a, "000102030405060708090A0B0C0D0E0F") },
				      { 1, 1, known(a, "000102030405060708090A0B0C0D0E0F") } };
	struct iccid iccid;
	struct profile_variables v = {
		.iccid = &iccid,
		.imsi = "001010123456789",
		.ki = known(a, "000102030405060708090A0B0C0D0E0F"),
		.opc = known(a, "00000000000000000000000000000000"),
		.pins = pins,
		.n_pins = LEN(pins),
		.puks = puks,
		.n_puks = LEN(puks),
		.sd_keys = keys,
		.n_sd_keys = LEN(keys),
	};

	cr_assert(iccid_parse("89000123456789012341", &iccid));
	q = made(a, &p, &v);
	cr_assert(same(p.whole, q.whole));
	v.ki = known(a, KI);
	q = made(a, &p, &v);
	cr_assert_eq(changed(&p, &q), KIND(AKA_PARAMETER));
}

Test(profile_personalise, each_variable_changes_its_elements_only)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = default_package(a), q;
	struct profile_fault fault = { 0 };
	struct profile_code code;
	struct profile_key key = { PROFILE_DEFAULT_KVN_SCP80, 2, known(a, SD_KEY) };
	struct iccid iccid;
	struct profile_aka aka;
	struct profile_sd sd;

	cr_assert(iccid_parse("8988211000000000017", &iccid));
	q = made(a, &p, &(struct profile_variables){ .iccid = &iccid });
	cr_assert_eq(changed(&p, &q), KIND(HEADER) | KIND(MF));
	cr_assert(has_file(a, &q, PE_MF, "ef-iccid", "988812010000000010F7"));
	cr_assert_str_eq(hex_text(a, q.header.iccid.data, 10), "8988211000000000017F");

	q = made(a, &p, &(struct profile_variables){ .imsi = "23450123456789" });
	cr_assert_eq(changed(&p, &q), KIND(USIM));
	cr_assert(has_file(a, &q, PE_USIM, "ef-imsi", "0821430521436587F9"));

	q = made(a, &p, &(struct profile_variables){ .ki = known(a, KI), .opc = known(a, OPC) });
	cr_assert_eq(changed(&p, &q), KIND(AKA_PARAMETER));
	cr_assert(profile_aka_decode(a, profile_element_find(&q, PE_AKA_PARAMETER, 0), &aka, &fault));
	cr_assert_str_eq(hex_text(a, aka.key.data, aka.key.len), KI);
	cr_assert_str_eq(hex_text(a, aka.opc.data, aka.opc.len), OPC);

	cr_assert(profile_code_make(129, "12345678", &code));
	q = made(a, &p, &(struct profile_variables){ .puks = &code, .n_puks = 1 });
	cr_assert_eq(changed(&p, &q), KIND(PUK_CODES));
	q = made(a, &p, &(struct profile_variables){ .pins = &code, .n_pins = 1 });
	cr_assert_eq(changed(&p, &q), KIND(PIN_CODES));
	cr_assert(same(p.elements[3].whole, q.elements[3].whole), "the PINs of the MF are not those of the USIM");

	q = made(a, &p, &(struct profile_variables){ .sd_keys = &key, .n_sd_keys = 1 });
	cr_assert_eq(changed(&p, &q), KIND(SECURITY_DOMAIN));
	cr_assert(profile_sd_decode(a, profile_element_find(&q, PE_SECURITY_DOMAIN, 0), &sd, &fault));
	for (size_t i = 0; i < sd.n_keys; i++)
		cr_assert_eq(!strcmp(hex_text(a, sd.keys[i].components[0].data.data, 16), SD_KEY), i == 1);
}

Test(profile_personalise, the_header_gains_and_keeps_what_is_optional)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = default_package(a), q, r;
	struct bytes connectivity = known(a, "A0070605811234F500");

	q = made(a, &p, &(struct profile_variables){ .has_pol1 = true, .pol1 = 3, .connectivity = connectivity });
	cr_assert_eq(changed(&p, &q), KIND(HEADER));
	cr_assert(profile_header_pol1(&q.header) == 3 && same(q.header.connectivity, connectivity));
	r = made(a, &q, &(struct profile_variables){ .has_pol1 = true, .pol1 = 0 });
	cr_assert(profile_header_pol1(&r.header) == 0 && r.header.pol.len == 1 && same(r.header.connectivity, connectivity));
	cr_assert(r.header.services == p.header.services && r.header.n_templates == 2);
	r = made(a, &q, &(struct profile_variables){ .connectivity = known(a, "A1") });
	cr_assert(r.header.connectivity.len == 1 && profile_header_pol1(&r.header) == 3);
}

Test(profile_personalise, long_keys_make_long_lengths)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = default_package(a), q;
	uint8_t long_value[32] = { 0x42 };
	struct profile_key keys[6];
	struct profile_fault fault = { 0 };
	struct profile_sd sd;

	for (size_t i = 0; i < LEN(keys); i++)
		keys[i] = (struct profile_key){ i < 3 ? PROFILE_DEFAULT_KVN_SCP80 : PROFILE_DEFAULT_KVN_SCP03,
						(uint8_t)(i % 3 + 1),
						{ long_value, 32 } };
	q = made(a, &p, &(struct profile_variables){ .sd_keys = keys, .n_sd_keys = LEN(keys) });
	cr_assert(q.whole.len >= p.whole.len + 6 * 16 && q.whole.len <= p.whole.len + 6 * 16 + 8);
	cr_assert(profile_sd_decode(a, profile_element_find(&q, PE_SECURITY_DOMAIN, 0), &sd, &fault) && sd.n_keys == 6);
	for (size_t i = 0; i < sd.n_keys; i++)
		cr_assert_eq(sd.keys[i].components[0].data.len, 32);
}

Test(profile_personalise, what_finds_no_place_is_named)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = default_package(a);
	struct profile_code code = { 7, "00000000" };
	struct profile_key key = { 9, 1, known(a, SD_KEY) };

	cr_assert_str_eq(refused(a, &p, &(struct profile_variables){ .imsi = "12345" }),
			 "element 5, usim (identification 4), ef-imsi: the IMSI is not 6 to 15 digits");
	cr_assert_str_eq(refused(a, &p, &(struct profile_variables){ .imsi = "00101012345678X" }),
			 "element 5, usim (identification 4), ef-imsi: the IMSI is not 6 to 15 digits");
	cr_assert_str_eq(refused(a, &p, &(struct profile_variables){ .ki = known(a, "0011") }),
			 "element 7, akaParameter (identification 6), key: Milenage has a key and an OPc of 16 bytes");
	cr_assert_str_eq(refused(a, &p, &(struct profile_variables){ .pins = &code, .n_pins = 1 }),
			 "element 4, pinCodes (identification 3), keyReference: no pinCodes has this reference");
	cr_assert_str_eq(refused(a, &p, &(struct profile_variables){ .puks = &code, .n_puks = 1 }),
			 "element 3, pukCodes (identification 2), keyReference: no pukCodes has this reference");
	cr_assert_str_eq(
		refused(a, &p, &(struct profile_variables){ .sd_keys = &key, .n_sd_keys = 1 }),
		"element 8, securityDomain (identification 7), keyList: the MNO-SD has no key of this version and identifier");
	key = (struct profile_key){ PROFILE_DEFAULT_KVN_SCP03, 1, known(a, "001122") };
	cr_assert_str_eq(refused(a, &p, &(struct profile_variables){ .sd_keys = &key, .n_sd_keys = 1 }),
			 "element 8, securityDomain (identification 7), keyData: a length that keys of this type do not have");
}

Test(profile_personalise, an_element_that_is_not_there_is_no_place)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = default_package(a), q;

	q = parsed(a, with_element(a, &p, 6, (struct bytes){ 0 }));
	cr_assert_str_eq(refused(a, &q, &(struct profile_variables){ .ki = known(a, KI) }),
			 "the package: has no akaParameter with a key of its own");
}

Test(profile_personalise, a_mapped_algorithm_has_no_key)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = default_package(a), q;
	struct profile_fault fault = { 0 };
	struct profile_aka aka;

	q = parsed(a, with_element(a, &p, 6, known(a, "A420A0058000810106A117A0158001008110A0000000871002FFFFFFFF8907090000")));
	cr_assert(profile_package_check(&q, &fault), "%s", profile_fault_text(a, &fault));
	cr_assert(profile_aka_decode(a, &q.elements[6], &aka, &fault) && aka.mapped && !aka.key.data);
	cr_assert_str_eq(
		refused(a, &q, &(struct profile_variables){ .ki = known(a, KI) }),
		"element 7, akaParameter (identification 6), algoConfiguration: has no akaParameter with a key of its own");
}

Test(profile_personalise, one_imsi_is_not_for_two_usims)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = default_package(a), q;
	struct bytes second = with_bytes(a, p.elements[4].whole, known(a, "A0058000810104"), known(a, "A0058000810114"));

	q = parsed(a, with_before(a, &p, 5, second));
	cr_assert_str_eq(refused(a, &q, &(struct profile_variables){ .imsi = "001010123456789" }),
			 "element 6, usim (identification 20), ef-imsi: a second USIM: whose the IMSI is cannot be told");
}

Test(profile_personalise, a_key_is_not_put_in_twice)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = default_package(a), q;
	struct profile_key key = { PROFILE_DEFAULT_KVN_SCP80, 1, known(a, SD_KEY) };

	q = parsed(a, with_bytes(a, p.whole, known(a, "950114820102"), known(a, "950114820101")));
	cr_assert_str_eq(refused(a, &q, &(struct profile_variables){ .sd_keys = &key, .n_sd_keys = 1 }),
			 "element 8, securityDomain (identification 7), keyList: a key is in it twice");
}

Test(profile_personalise, the_outcome_is_checked)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = default_package(a), q;
	struct bytes small = with_bytes(a, p.whole, known(a, "80010A 830A98"), known(a, "800109 830A98"));
	struct iccid iccid;

	cr_assert(iccid_parse("8988211000000000017", &iccid));
	q = parsed(a, small);
	cr_assert_str_eq(refused(a, &q, &(struct profile_variables){ .iccid = &iccid }),
			 "element 2, mf (identification 1), ef-iccid: filled beyond its size");
}

Test(profile_code, digits_only)
{
	struct profile_code code = { .reference = 99 };

	cr_assert(profile_code_make(1, "1234", &code));
	cr_assert(code.reference == 1 && !memcmp(code.value, "1234\xFF\xFF\xFF\xFF", 8));
	cr_assert(!profile_code_make(2, "123", &code) && !profile_code_make(2, "123456789", &code) &&
		  !profile_code_make(2, "12a4", &code));
	cr_assert_eq(code.reference, 1);
}

Test(profile_imsi, is_coded_and_read)
{
	static const char *const good[] = { "001010123456789", "23450123456789", "123456", "1234567" };
	char text[IMSI_MAX + 1];
	uint8_t ef[9];

	for (size_t i = 0; i < LEN(good); i++) {
		cr_assert(profile_imsi_bytes(good[i], ef));
		cr_assert(profile_imsi_text((struct bytes){ ef, sizeof(ef) }, text), "%s", good[i]);
		cr_assert_str_eq(text, good[i]);
	}
	cr_assert(!profile_imsi_bytes("1234567890123456", ef) && !profile_imsi_bytes("", ef));
	cr_assert(!profile_imsi_text((struct bytes){ ef, 1 }, text));
	ef[0] = 9;
	cr_assert(!profile_imsi_text((struct bytes){ ef, sizeof(ef) }, text));
}
