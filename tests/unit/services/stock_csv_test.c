/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-dp/stock_csv.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/card/profile_default.h"
#include "services/sm-dp/profile_type.h"

#define HEAD "ICCID,IMSI,Ki,OPc\n"
#define ICCID "8988303000000614224"
#define KEY "000102030405060708090A0B0C0D0E0F0001020304050607"
#define SHORT "000102030405060708090a0b0c0d0e0f"
#define LINE ICCID ",901700000000001," KEY "," KEY "\n"

static struct bytes text_of(const char *text)
{
	return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

/* The fault of a whole file; NULL: it has none. */
static const char *fault_of(struct bytes file, enum stock_wrap wrap, struct csv_fault *fault)
{
	struct stock_csv csv;
	struct stock_row row;
	enum csv_next next = CSV_BAD;

	if (stock_csv_open(file, wrap, &csv, fault))
		while ((next = stock_csv_next(&csv, &row, fault)) == CSV_ROW)
			;
	return next == CSV_END ? NULL : fault->text;
}

Test(stock_csv, columns_come_in_any_order)
{
	static const char file[] = "\xEF\xBB\xBF"
				   "OPc,MSISDN,\"IMSI\",KIK,ICCID,Ki\r\n" SHORT ",\"882\",901700,\"" SHORT "\"," ICCID ","
				   "FF0102030405060708090A0B0C0D0E0F\r\n" SHORT ",,901701," SHORT "," ICCID "," SHORT;
	struct csv_fault fault;
	struct stock_csv csv;
	struct stock_row row;

	cr_assert(stock_csv_open(text_of(file), STOCK_WRAP_ECB, &csv, &fault), "%s", fault.text);
	cr_expect(stock_csv_has(&csv, USE_KI) && stock_csv_has(&csv, USE_KIK) && !stock_csv_has(&csv, USE_KIC));
	cr_assert_eq(stock_csv_next(&csv, &row, &fault), CSV_ROW, "%s", fault.text);
	cr_expect_eq(row.line, 2);
	cr_expect_str_eq(row.iccid.text, ICCID);
	cr_expect_str_eq(row.imsi, "901700");
	cr_expect_str_eq(row.msisdn, "882");
	cr_expect_eq(row.wrapped[USE_KI][0], 0xFF);
	cr_expect_eq(row.wrapped[USE_OPC][15], 0x0F);
	cr_assert_eq(stock_csv_next(&csv, &row, &fault), CSV_ROW, "%s", fault.text);
	cr_expect_str_eq(row.msisdn, "");
	cr_expect_eq(row.line, 3);
	cr_expect_eq(stock_csv_next(&csv, &row, &fault), CSV_END);
	cr_expect_eq(stock_csv_next(&csv, &row, &fault), CSV_END);
}

Test(stock_csv, a_fault_names_line_and_column)
{
	static const struct {
		const char *file, *says;
		size_t line;
		unsigned column;
	} rows[] = {
		{ "", "empty", 1, 0 },
		{ "\n", "no such heading", 1, 1 },
		{ "ICCID,IMSI,Ki\n", "missing", 1, 0 },
		{ "ICCID,IMSI,Ki,OPc,PIN\n", "no such heading", 1, 5 },
		{ "ICCID,IMSI,Ki,OPc,Ki\n", "Ki is column 3 already", 1, 5 },
		{ HEAD LINE "\n", "1 cells", 3, 0 },
		{ HEAD "1,2,3,4,5\n", "5 cells", 2, 0 },
		{ HEAD LINE "8988303000000614225,901700000000001," KEY "," KEY "\n", "Luhn", 3, 1 },
		{ HEAD "89,901700000000001," KEY "," KEY "\n", "start with 89", 2, 1 },
		{ HEAD ICCID ",90170," KEY "," KEY "\n", "6 to 15 digits", 2, 2 },
		{ HEAD ICCID ",901700000000001 ," KEY "," KEY "\n", "6 to 15 digits", 2, 2 },
		{ HEAD ICCID ",901700000000001," KEY "0," KEY "\n", "48 hex digits", 2, 3 },
		{ HEAD ICCID ",901700000000001," KEY ",\n", "48 hex digits", 2, 4 },
		{ HEAD ICCID ",901700000000001," KEY "," SHORT "\n", "AES key wrap", 2, 4 },
	};
	struct csv_fault fault;

	cr_assert_null(fault_of(text_of(HEAD LINE), STOCK_WRAP_KW, &fault));
	for (size_t i = 0; i < LEN(rows); i++) {
		const char *said = fault_of(text_of(rows[i].file), STOCK_WRAP_KW, &fault);

		cr_assert_not_null(said, "%s", rows[i].file);
		cr_expect(strstr(said, rows[i].says), "%s", said);
		cr_expect_eq(fault.line, rows[i].line, "%s", said);
		cr_expect_eq(fault.column, rows[i].column, "%s", said);
	}
}

/* Nothing a file holds, cut anywhere or with any octet in it, is read beyond its end (ASan), and no key is told. */
Test(stock_csv, any_octets_are_no_harm)
{
	static const char file[] =
		"ICCID,IMSI,MSISDN,Ki,OPc\r\n" ICCID ",\"901700000000001\",," KEY "," KEY "\r\n" ICCID ",\"\",\"," KEY;
	struct csv_fault fault;

	for (size_t n = 0; n < sizeof(file); n++) {
		uint8_t *copy = malloc(n + 1);

		memcpy(copy, file, n);
		(void)fault_of((struct bytes){ copy, n }, STOCK_WRAP_KW, &fault);
		for (unsigned octet = 0; n && octet < 256; octet++) {
			copy[n - 1] = (uint8_t)octet;
			if (fault_of((struct bytes){ copy, n }, STOCK_WRAP_KW, &fault))
				cr_assert_null(strstr(fault.text, "090A0B"));
		}
		free(copy);
	}
}

Test(profile_type, its_package_is_whole)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf made = { 0 };
	struct profile_type t = { .name = "t", .memory = 1, .pol2 = "" };
	const char *why;

	profile_default_build(&made, 0);
	buf_char(&made, '\0'); /* behind its end */
	t.package = (struct bytes){ (const uint8_t *)made.data, made.len };
	cr_expect_not(profile_type_check(a, &t, &why), "something behind its end");
	t.package.len = made.len - 1;
	cr_assert(profile_type_check(a, &t, &why), "%s", why);
	for (size_t n = 0; n < made.len - 1; n += 7) {
		t.package.len = n;
		cr_expect_not(profile_type_check(a, &t, &why), "%zu", n);
		cr_expect(strstr(why, "package: "), "%s", why);
	}
	t.package.len = made.len - 1;
	t.pol2 = "DISABLE:Not-Allowed DISABLE:Not-Allowed";
	cr_expect_not(profile_type_check(a, &t, &why));
	t.pol2 = "DISABLE:Not-Allowed DISABLE:Auto-Delete";
	cr_expect(profile_type_check(a, &t, &why), "%s", why);
}
