/* SPDX-License-Identifier: Apache-2.0 */
/* Packages made of the stock: where each variable comes from, by type, and that nobody reads it on the way. */
#include "services/sm-dp/variables.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/card/profile_default.h"
#include "common/crypto/keys.h"
#include "tests/unit/services/stock_shop.h"

#define ALL_RANDOM "scp80=random scp03=random pin1=random pin2=random puk1=random puk2=random adm1=random"
#define ICCID_BODY "898830300000000000"

Test(stock_value, a_code_is_told_from_what_is_none)
{
	static const struct {
		const char *hex, *why;
		enum stock_use use;
	} rows[] = {
		{ "04313233340000000000000000000000", NULL, USE_PIN1 },
		{ "08313233343536373800000000000000", NULL, USE_PUK2 },
		{ "0800FFAB343536373800000000000000", NULL, USE_ADM1 },
		{ "FF00FFAB3435363738FFFFFFFFFFFFFF", NULL, USE_KI },
		{ "03313233000000000000000000000000", "length", USE_PIN1 },
		{ "09313233343536373839000000000000", "length", USE_PIN2 },
		{ "04313233340000000000000000000001", "zeros", USE_PIN1 },
		{ "0431323341000000000000000000000000", "16 bytes", USE_PIN1 },
		{ "04313233410000000000000000000000", "digits", USE_PIN1 },
		{ "04313233340000000000000000000000", "8 digits", USE_PUK1 },
		{ "FF00FFAB3435363738FFFFFFFFFFFF", "16 bytes", USE_DEK },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		CLEANUP(secret_free) struct secret value = secret_new(strlen(rows[i].hex) / 2);
		const char *why;

		cr_assert(hex_decode(rows[i].hex, strlen(rows[i].hex), value.data));
		why = stock_value_why(rows[i].use, &value);
		if (rows[i].why)
			cr_expect(why && strstr(why, rows[i].why), "row %zu: %s", i, why ? why : "(well)");
		else
			cr_expect_null(why, "row %zu: %s", i, why);
	}
}

Test(stock_value, what_is_drawn_is_well_and_never_the_same)
{
	for (unsigned use = 0; use < STOCK_USES; use++) {
		bool differs = false;

		for (unsigned i = 0; i < 40; i++) {
			CLEANUP(secret_free) struct secret one = stock_value_draw(use);
			CLEANUP(secret_free) struct secret two = stock_value_draw(use);

			cr_assert_null(stock_value_why(use, &one));
			differs = differs || memcmp(one.data, two.data, STOCK_KEY_LEN) != 0;
		}
		cr_expect(differs, "%s", stock_use_name(use));
	}
}

Test(type_variables, one_text_for_the_same_variables)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct type_variables v;
	const char *why;

	cr_assert(type_variables_parse(a, " pol1=3\nadm1=batch\tscp80=random pin1=template\r\nconnectivity=a003800101 ", &v, &why));
	cr_expect_str_eq(type_variables_text(a, &v), "kic=random kid=random kik=random adm1=batch pol1=3 connectivity=A003800101");
	cr_assert(type_variables_parse(a, type_variables_text(a, &v), &v, &why));
	cr_expect_str_eq(type_variables_text(a, &v), "kic=random kid=random kik=random adm1=batch pol1=3 connectivity=A003800101");
	cr_assert(type_variables_parse(a, NULL, &v, &why));
	cr_expect_str_eq(type_variables_text(a, &v), "");
	cr_expect(v.source[USE_KI] == SOURCE_BATCH && v.source[USE_OPC] == SOURCE_BATCH && !v.has_pol1);
}

Test(type_variables, what_is_wrong_is_named)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	static const char *const rows[][2] = {
		{ "pin1", "pin1: should be NAME=SOURCE" },
		{ "pin3=random", "pin3: no such variable" },
		{ "ki=random", "ki: no such variable" },
		{ "=random", ": no such variable" },
		{ "pin1=1234", "pin1: should be template" },
		{ "pin1=random pin1=random", "pin1: is named twice" },
		{ "scp80=batch kid=random", "kid: is named" },
		{ "pol1=8", "pol1: should be 0 to 7" },
		{ "pol1=", "pol1: should be" },
		{ "pol1=1 pol1=1", "pol1: is named twice" },
		{ "connectivity=", "connectivity: should" },

		{ "connectivity=A", "should be 1 to" },
		{ "connectivity=A0x0", "connectivity: should be in hex" },
		{ "connectivity=A0 connectivity=A0", "twice" },
	};
	struct type_variables v;
	const char *why;

	for (size_t i = 0; i < LEN(rows); i++) {
		cr_assert_not(type_variables_parse(a, rows[i][0], &v, &why), "%s", rows[i][0]);
		cr_expect(strstr(why, rows[i][1]), "%s: %s", rows[i][0], why);
	}
}

static const char *why_not(struct arena *a, struct bytes package, const char *variables)
{
	struct profile_type t = { .name = "t", .memory = 1, .pol2 = "", .package = package, .variables = variables };
	const char *why = NULL;

	return profile_type_check(a, &t, &why) ? NULL : why;
}

/* Cuts one element out of the package. */
static struct bytes without(struct arena *a, struct bytes package, enum pe_kind kind)
{
	struct profile_package p;
	struct profile_fault fault;
	const struct profile_element *e;
	uint8_t *data = arena_memdup(a, package.data, package.len);
	size_t at;

	cr_assert(profile_package_parse(a, package, &p, &fault));
	e = profile_element_find(&p, kind, 0);
	at = (size_t)(e->whole.data - package.data);
	memmove(data + at, data + at + e->whole.len, package.len - at - e->whole.len);
	return (struct bytes){ data, package.len - e->whole.len };
}

Test(type_variables, a_template_must_take_them)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf made = { 0 };
	struct bytes package, bad;
	const char *why;

	profile_default_build(&made, 0);
	package = (struct bytes){ (const uint8_t *)made.data, made.len };
	why = why_not(a, package, ALL_RANDOM " pol1=7 connectivity=A003800101");
	cr_assert_null(why, "%s", why);
	bad = without(a, package, PE_SECURITY_DOMAIN);
	cr_assert_null(why_not(a, bad, NULL));
	why = why_not(a, bad, "scp03=random");
	cr_assert(why && strstr(why, "variables: enc: the package has no place") && strstr(why, "keyList"), "%s", why);
	bad = without(a, without(a, package, PE_PIN_CODES), PE_PIN_CODES);
	why = why_not(a, bad, "adm1=batch");
	cr_assert(why && strstr(why, "variables: adm1: ") && strstr(why, "no pinCodes has this reference"), "%s", why);
	why = why_not(a, without(a, package, PE_AKA_PARAMETER), NULL);
	cr_assert(why && strstr(why, "package: ") && strstr(why, "akaParameter"), "%s", why);
	why = why_not(a, without(a, package, PE_END), NULL);
	cr_assert(why && strstr(why, "package: "), "%s", why);
}

static void kind_add(struct shop *s, const char *name, const char *variables)
{
	struct profile_type t = {
		.mno = s->mno, .name = name, .package = shop_package(s), .memory = 7, .pol2 = "", .variables = variables
	};
	enum type_added added;
	const char *why = NULL;

	cr_assert(profile_type_check(s->a, &t, &why), "%s", why);
	cr_assert_eq(profile_type_add(s->db, s->a, &t, &added), OK);
	cr_assert_eq(added, TYPE_ADDED);
	cr_assert_eq(profile_type_add(s->db, s->a, &t, &added), OK);
	cr_assert_eq(added, TYPE_SAME);
	t.variables = "pol1=1";
	cr_assert_eq(profile_type_add(s->db, s->a, &t, &added), OK);
	cr_assert_eq(added, TYPE_OTHER);
}

static struct stock_order order_of(struct shop *s, const char *type, const char *name, unsigned first)
{
	struct stock_order o = { .mno = s->mno, .type = type, .name = name, .quantity = 2 };
	struct iccid zero;

	cr_assert(iccid_complete(ICCID_BODY, &zero) && stock_iccid_at(&zero, first, &o.first));
	o.imsi = arena_printf(s->a, "90170%08u", first);
	return o;
}

static void make(struct shop *s, const struct stock_order *o)
{
	struct stock_imported done;
	result r = stock_make(&s->smdp, s->db, s->a, o, &done);

	cr_assert_eq(r, OK, "%s", r && r->cause ? r->cause : "");
	cr_assert_eq(done.end, IMPORT_DONE, "%s", done.fault.text);
}

static enum import_end import(struct shop *s, const char *type, const char *name, const char *csv, struct csv_fault *out_fault)
{
	struct stock_import in = { .mno = &s->mno, .type = type, .name = name, .file = { (const uint8_t *)csv, strlen(csv) } };
	struct stock_imported done;
	result r = stock_import(&s->smdp, s->db, s->a, &in, &done);

	cr_assert_eq(r, OK, "%s", r && r->cause ? r->cause : "");
	if (out_fault)
		*out_fault = done.fault;
	return done.end;
}

static const char *export(struct shop *s, const char *name)
{
	CLEANUP(buf_free) struct buf csv = { 0 };
	bool found;

	cr_assert_eq(stock_export(&s->smdp, s->db, s->a, &s->mno, name, &csv, &found), OK);
	cr_assert(found);
	return arena_strndup(s->a, csv.data, csv.len);
}

static bool begins(const char *text, const char *head)
{
	return !strncmp(text, head, strlen(head));
}

/* The package of an ICCID; what it was made of is in the shop's arena. */
struct made {
	struct stock_item *item;
	struct profile_type *type;
	struct secret package;
	uint8_t digest[SHA256_LEN];
	struct profile_package p;
};

static void made_free(struct made *m)
{
	secret_free(&m->package);
}

static void package_make(struct shop *s, const struct iccid *iccid, struct made *out)
{
	uint8_t digest[SHA256_LEN];
	struct profile_fault fault;
	result r;

	*out = (struct made){ 0 };
	cr_assert_eq(stock_load(s->db, s->a, iccid, &out->item), OK);
	cr_assert_eq(profile_type_load(s->db, s->a, &s->mno, out->item->type, &out->type), OK);
	r = profile_make(s->db, s->a, &s->smdp.kek, out->item, out->type, &out->package, out->digest);
	cr_assert_eq(r, OK, "%s", r && r->cause ? r->cause : "");
	sha256(out->package.data, out->package.len, digest);
	cr_assert_arr_eq(digest, out->digest, SHA256_LEN);
	cr_assert(profile_package_parse(s->a, (struct bytes){ out->package.data, out->package.len }, &out->p, &fault));
	cr_assert(profile_package_check(&out->p, &fault));
}

/* The bytes that stand in the package for a use. */
static struct bytes placed(struct shop *s, const struct profile_package *p, enum stock_use use)
{
	const struct stock_slot *slot = stock_slot_of(use);
	enum pe_kind kind = slot->place == PLACE_PIN ? PE_PIN_CODES : PE_PUK_CODES;
	uint64_t version = slot->place == PLACE_SCP80 ? PROFILE_DEFAULT_KVN_SCP80 : PROFILE_DEFAULT_KVN_SCP03;
	struct profile_fault fault;
	struct profile_aka aka;
	struct profile_sd sd;

	if (slot->place == PLACE_KI || slot->place == PLACE_OPC) {
		cr_assert(profile_aka_decode(s->a, profile_element_find(p, PE_AKA_PARAMETER, 0), &aka, &fault));
		return slot->place == PLACE_KI ? aka.key : aka.opc;
	}
	if (slot->place == PLACE_SCP80 || slot->place == PLACE_SCP03) {
		cr_assert(profile_sd_decode(s->a, profile_element_find(p, PE_SECURITY_DOMAIN, 0), &sd, &fault));
		for (size_t i = 0; i < sd.n_keys; i++)
			if (sd.keys[i].version == version && sd.keys[i].id == slot->id)
				return sd.keys[i].components[0].data;
		return (struct bytes){ 0 };
	}
	for (size_t at = 0; at < p->n; at++) {
		struct profile_code_entry *codes;
		size_t n;

		if (p->elements[at].kind != kind)
			continue;
		cr_assert(profile_codes_decode(s->a, &p->elements[at], &codes, &n, &fault));
		for (size_t i = 0; i < n; i++)
			if (codes[i].reference == slot->id)
				return codes[i].value;
	}
	return (struct bytes){ 0 };
}

static bool code_is(struct bytes field, const struct secret *value)
{
	uint8_t code[8];

	memset(code, 0xFF, sizeof(code));
	memcpy(code, value->data + 1, value->data[0]);
	return field.len == sizeof(code) && !memcmp(field.data, code, sizeof(code));
}

static bool holds(struct bytes field, enum stock_use use, const struct secret *value)
{
	return use >= USE_PIN1 ? code_is(field, value) : field.len == value->len && !memcmp(field.data, value->data, value->len);
}

/* Whether each secret of the ICCID stands at its place; which of the uses it should have one for. */
static void everything_placed(struct shop *s, const struct made *m, enum stock_use last)
{
	for (unsigned use = 0; use < STOCK_USES; use++) {
		CLEANUP(secret_free) struct secret value = { 0 };
		struct bytes field = placed(s, &m->p, use);

		cr_assert_eq(stock_secret_load(s->db, s->a, &s->smdp.kek, &m->item->iccid, use, &value), OK);
		cr_assert_eq(value.len, use <= last ? (size_t)STOCK_KEY_LEN : 0u, "%s", stock_use_name(use));
		if (value.len)
			cr_expect(holds(field, use, &value), "%s", stock_use_name(use));
		else
			cr_expect(field.len > 0, "%s", stock_use_name(use));
	}
}

/* No secret of an ICCID stands in any table, neither as it is nor as it is in a package. */
static void nowhere_in_clear(struct shop *s, const struct made *m)
{
	const char *dump = shop_dump(s);

	cr_assert(strstr(dump, m->item->iccid.text) && strstr(dump, "stock_secret"), "the dump is none");
	for (unsigned use = 0; use < STOCK_USES; use++) {
		CLEANUP(secret_free) struct secret value = { 0 };
		struct bytes field = placed(s, &m->p, use);
		char *hex;

		cr_assert_eq(stock_secret_load(s->db, s->a, &s->smdp.kek, &m->item->iccid, use, &value), OK);
		if (!value.len)
			continue;
		for (unsigned form = 0; form < 2; form++) {
			hex = form ? hex_text(s->a, field.data, field.len) : hex_text(s->a, value.data, value.len);
			for (char *c = hex; *c; c++)
				*c = (char)(*c >= 'A' && *c <= 'F' ? *c + 'a' - 'A' : *c);
			cr_expect_null(strstr(dump, hex), "%s stands in a table", stock_use_name(use));
		}
	}
}

Test(variables, a_type_of_drawn_secrets_and_one_of_the_template, .timeout = 180)
{
	struct shop *s = shop_open();
	CLEANUP(made_free) struct made drawn, again, plain;
	struct stock_order of_drawn, of_plain;
	struct iccid iccid;
	const char *csv;

	kind_add(s, "drawn", ALL_RANDOM " pol1=3 connectivity=A003800101");
	of_drawn = order_of(s, "drawn", "d", 10);
	of_plain = order_of(s, "t", "p", 20);
	make(s, &of_drawn);
	make(s, &of_plain);
	package_make(s, &of_drawn.first, &drawn);
	everything_placed(s, &drawn, USE_ADM1);
	cr_expect_eq(profile_header_pol1(&drawn.p.header), 3);
	cr_expect_eq(drawn.p.header.connectivity.len, 5);
	cr_assert(profile_header_iccid(&drawn.p.header, &iccid));
	cr_expect_str_eq(iccid.text, of_drawn.first.text);
	nowhere_in_clear(s, &drawn);
	package_make(s, &of_drawn.first, &again);
	cr_expect_arr_eq(again.digest, drawn.digest, SHA256_LEN, "a download that was cut off cannot go on");
	package_make(s, &of_plain.first, &plain);
	everything_placed(s, &plain, USE_OPC);
	nowhere_in_clear(s, &plain);
	cr_expect_null(plain.p.header.connectivity.data);
	/* Its operator gets what was drawn, and what it gets is the batch. */
	csv = export(s, "d");
	cr_expect(begins(csv, "ICCID,IMSI,MSISDN,Ki,OPc,KIC,KID,KIK,ENC,MAC,DEK,PIN1,PIN2,PUK1,PUK2,ADM1\n"), "%s", csv);
	cr_expect_eq(import(s, "drawn", "d", csv, NULL), IMPORT_REPEATED);
	cr_expect(begins(export(s, "p"), "ICCID,IMSI,MSISDN,Ki,OPc\n"));
	shop_close(s);
}

/* A line of n secrets, each the same block under the transport key. */
static const char *line(struct shop *s, const char *heads, const char *hex, unsigned n)
{
	CLEANUP(buf_free) struct buf csv = { 0 };
	uint8_t block[STOCK_KEY_LEN];
	struct bytes wrapped;
	struct iccid iccid;

	cr_assert(iccid_complete(ICCID_BODY, &iccid) && hex_decode(hex, 2 * sizeof(block), block));
	cr_assert(rfc3394_wrap(&s->transport.key, block, sizeof(block), s->a, &wrapped));
	buf_printf(&csv, "ICCID,IMSI,%s\n%s,901700000000001", heads, iccid.text);
	for (unsigned i = 0; i < n; i++) {
		buf_char(&csv, ',');
		buf_hex(&csv, wrapped.data, wrapped.len);
	}
	return arena_strndup(s->a, csv.data, csv.len);
}

Test(variables, a_batch_brings_what_its_type_takes_from_it, .timeout = 180)
{
	static const char pin[] = "04343332310000000000000000000000", code[] = "08383736353433323100000000000000";
	struct shop *s = shop_open();
	CLEANUP(made_free) struct made m;
	struct csv_fault fault;
	struct iccid iccid;
	const char *csv;

	cr_assert(iccid_complete(ICCID_BODY, &iccid));
	kind_add(s, "batch", "adm1=batch puk1=random");
	cr_expect_eq(import(s, "batch", "b", line(s, "Ki,OPc", code, 2), &fault), IMPORT_BAD);
	cr_expect(strstr(fault.text, "line 1: column ADM1 is missing"), "%s", fault.text);
	cr_expect_eq(import(s, "batch", "b", line(s, "Ki,OPc,ADM1,PUK1", pin, 4), &fault), IMPORT_BAD);
	cr_expect(strstr(fault.text, "line 2, column 6 (PUK1): should be 8 digits"), "%s", fault.text);
	cr_expect_eq(fault.line, 2);
	cr_expect_not(strstr(shop_dump(s), iccid.text), "nothing has changed");
	csv = line(s, "Ki,OPc,ADM1,PIN2", code, 4);
	cr_expect_eq(import(s, "batch", "b", csv, NULL), IMPORT_DONE);
	cr_expect_eq(import(s, "batch", "b", arena_printf(s->a, "%s\n", csv), NULL), IMPORT_REPEATED,
		     "PUK1 was drawn: nothing to compare");
	cr_expect_eq(import(s, "batch", "b", line(s, "Ki,OPc,ADM1,PIN2", pin, 4), &fault), IMPORT_OTHER);
	package_make(s, &iccid, &m);
	for (unsigned use = USE_KI; use < STOCK_USES; use++) {
		CLEANUP(secret_free) struct secret value = { 0 };
		bool has = use <= USE_OPC || use == USE_ADM1 || use == USE_PIN2 || use == USE_PUK1;

		cr_assert_eq(stock_secret_load(s->db, s->a, &s->smdp.kek, &iccid, use, &value), OK);
		cr_assert_eq(value.len > 0, has, "%s", stock_use_name(use));
		if (has)
			cr_expect(holds(placed(s, &m.p, use), use, &value), "%s", stock_use_name(use));
	}
	cr_expect_arr_eq(placed(s, &m.p, USE_ADM1).data, "87654321", 8);
	cr_expect_arr_eq(placed(s, &m.p, USE_PIN1).data, "0000\xFF\xFF\xFF\xFF", 8, "the template's");
	nowhere_in_clear(s, &m);
	shop_close(s);
}

Test(variables, a_range_of_ours_has_them_and_a_template_without_place_refuses, .timeout = 180)
{
	struct shop *s = shop_open();
	struct profile_type bare = { .mno = s->mno, .name = "bare", .memory = 7, .pol2 = "" };
	CLEANUP(secret_free) struct secret other = secret_new(32), package = { 0 };
	uint8_t digest[SHA256_LEN];
	CLEANUP(made_free) struct made m;
	struct stock_order order;
	enum type_added added;
	struct csv_fault fault;
	result r;

	kind_add(s, "batch", "adm1=batch scp80=batch");
	order = order_of(s, "batch", "m", 30);
	make(s, &order);
	package_make(s, &order.first, &m);
	cr_expect(begins(export(s, "m"), "ICCID,IMSI,MSISDN,Ki,OPc,KIC,KID,KIK,ADM1\n"));
	nowhere_in_clear(s, &m);
	r = profile_make(s->db, s->a, &other, m.item, m.type, &package, digest);
	cr_assert(r != OK && r->code == CODE_INTERNAL && strstr(r->cause, "KEK"), "another KEK");
	cr_expect_null(package.data);
	bare.package = without(s->a, shop_package(s), PE_SECURITY_DOMAIN);
	cr_assert_eq(profile_type_add(s->db, s->a, &bare, &added), OK);
	cr_expect_eq(import(s, "bare", "x", line(s, "Ki,OPc,KIC", "00112233445566778899AABBCCDDEEFF", 3), &fault), IMPORT_BAD);
	cr_expect(strstr(fault.text, "line 1, column 5 (KIC): the package of profile type bare has no place for it"), "%s",
		  fault.text);
	shop_close(s);
}
