/* SPDX-License-Identifier: Apache-2.0 */
/* The card's side: elements out of pieces, EUICCResponse; and packages as text. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/card/profile_default.h"
#include "common/card/profile_reader.h"
#include "common/card/profile_show.h"
#include "tests/unit/card/known.h"
#include "tests/unit/card/packages.h"

static struct profile_package default_package(struct arena *a, size_t bytes)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	profile_default_build(&b, bytes);
	return parsed(a, (struct bytes){ arena_memdup(a, b.data, b.len), b.len });
}

/* Takes what is whole; the elements must be those of p from *at on. */
static enum profile_reader_state drain(struct profile_reader *r, const struct profile_package *p, size_t *at)
{
	enum profile_reader_state state;
	struct profile_element e;

	while ((state = profile_reader_next(r, &e)) == PROFILE_READER_ELEMENT) {
		const struct profile_element *want = &p->elements[*at];

		cr_assert_lt(*at, p->n);
		cr_assert(e.kind == want->kind && e.whole.len == want->whole.len &&
			  !memcmp(e.whole.data, want->whole.data, e.whole.len));
		cr_assert(e.identification == want->identification && e.value.len == want->value.len);
		++*at;
	}
	return state;
}

Test(profile_reader, any_split_gives_the_same_elements)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = default_package(a, 0);

	for (size_t split = 0; split <= p.whole.len; split++) {
		CLEANUP(profile_reader_free) struct profile_reader r;
		size_t at = 0;

		profile_reader_init(&r, 4096);
		profile_reader_feed(&r, (struct bytes){ p.whole.data, split });
		cr_assert_eq(drain(&r, &p, &at), split == p.whole.len ? PROFILE_READER_END : PROFILE_READER_MORE);
		profile_reader_feed(&r, (struct bytes){ p.whole.data + split, p.whole.len - split });
		cr_assert_eq(drain(&r, &p, &at), PROFILE_READER_END);
		cr_assert(at == p.n && r.n == p.n);
	}
}

Test(profile_reader, pieces_of_any_size)
{
	static const size_t sizes[] = { 1, 2, 7, 255, 1000, 20000 };
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = default_package(a, 30000);

	for (size_t i = 0; i < LEN(sizes); i++) {
		CLEANUP(profile_reader_free) struct profile_reader r;
		size_t at = 0;

		profile_reader_init(&r, 8192);
		for (size_t from = 0; from < p.whole.len; from += sizes[i]) {
			size_t left = p.whole.len - from;

			profile_reader_feed(&r, (struct bytes){ p.whole.data + from, left < sizes[i] ? left : sizes[i] });
			cr_assert_neq(drain(&r, &p, &at), PROFILE_READER_BROKEN);
			cr_assert_leq(r.cap, 2 * (8192 + sizes[i]));
		}
		cr_assert(at == p.n && drain(&r, &p, &at) == PROFILE_READER_END);
	}
}

Test(profile_reader, what_breaks_it_stays_broken)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = default_package(a, 0);
	const struct profile_element *e = p.elements;
	const struct {
		struct bytes in;
		const char *why;
		unsigned status;
	} bad[] = {
		{ e[1].whole, "element 1, mf (identification 1): comes first: the header must", PE_STATUS_INVALID_REQUEST_FORMAT },
		{ known(a, "A0820401"), "the package: an element longer than this card takes", PE_STATUS_NOT_ENOUGH_MEMORY },
		{ known(a, "A084FFFFFFFF"), "the package: an element longer than this card takes", PE_STATUS_NOT_ENOUGH_MEMORY },
		{ known(a, "A08500"), "the package: an element longer than this card takes", PE_STATUS_NOT_ENOUGH_MEMORY },
		{ known(a, "A080"), "the package: cut off or no TLV", PE_STATUS_INVALID_REQUEST_FORMAT },
		{ known(a, "3000"), "the package: a tag that no profile element has", PE_STATUS_INVALID_REQUEST_FORMAT },
		{ known(a, "A000"), "element 1, header, major-version: missing", PE_STATUS_BAD_VALUES },
		{ with_before(a, &p, 1, e[0].whole), "element 2, header: a second one", PE_STATUS_INVALID_REQUEST_FORMAT },
		{ with_element(a, &p, 8, known(a, "AA07A005800081010800")), "the package: something is behind the end element",
		  PE_STATUS_INVALID_REQUEST_FORMAT },
	};

	for (size_t i = 0; i < LEN(bad); i++) {
		CLEANUP(profile_reader_free) struct profile_reader r;
		enum profile_reader_state state;
		struct profile_element out;

		profile_reader_init(&r, 1024);
		profile_reader_feed(&r, bad[i].in);
		while ((state = profile_reader_next(&r, &out)) == PROFILE_READER_ELEMENT)
			;
		cr_assert_eq(state, PROFILE_READER_BROKEN, "%zu", i);
		cr_assert_str_eq(profile_fault_text(a, &r.fault), bad[i].why, "%zu", i);
		cr_assert_eq(r.fault.status, bad[i].status, "%zu", i);
		profile_reader_feed(&r, p.whole);
		cr_assert_eq(profile_reader_next(&r, &out), PROFILE_READER_BROKEN);
		cr_assert_eq(r.len, 0);
	}
}

Test(euicc_response, the_recorded_one)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct pe_status_entry ok = { PE_STATUS_OK, -1, -1, -1 };
	struct euicc_response r = { .statuses = &ok, .n = 1 };
	const char *why = NULL;

	euicc_response_build(&b, &r);
	cr_assert_str_eq(built(a, &b), "3007A0053003800100");
	r.n = 0;
	cr_assert(euicc_response_parse(a, known(a, "3007A0053003800100"), &r, &why), "%s", why);
	cr_assert(r.n == 1 && r.statuses[0].status == 0 && r.statuses[0].identification == -1 && !r.aborted && !r.message.data);
	cr_assert(euicc_response_ok(&r) && !euicc_response_failure(&r));
}

Test(euicc_response, everything_in_it_goes_both_ways)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct profile_package p = default_package(a, 0);
	struct pe_status_entry statuses[] = { { PE_STATUS_OK, 1, -1, -1 },
					      { PE_STATUS_NOT_ENOUGH_MEMORY, 4, 200, 0x12345 },
					      { 0x6A84, 32767, 0, 0 } };
	struct euicc_response r = { statuses, LEN(statuses), true, known(a, "6E6F20726F6F6D22") }, q;
	const char *why = NULL;
	struct bytes in;

	euicc_response_build(&b, &r);
	in = (struct bytes){ (const uint8_t *)b.data, b.len };
	cr_assert(euicc_response_parse(a, in, &q, &why), "%s", why);
	cr_assert_eq(q.n, LEN(statuses));
	for (size_t i = 0; i < q.n; i++)
		cr_assert(q.statuses[i].status == statuses[i].status &&
			  q.statuses[i].identification == statuses[i].identification &&
			  q.statuses[i].additional == statuses[i].additional && q.statuses[i].offset == statuses[i].offset);
	cr_assert(q.aborted && q.message.len == 8 && !euicc_response_ok(&q));
	cr_assert_eq(euicc_response_failure(&q), &q.statuses[1]);
	cr_assert_str_eq(
		euicc_response_explain(a, &q, &p),
		"element 5 of 9, usim (identification 4), not-enough-memory (4), additional information 200, at byte 74565, "
		"installation aborted; the card says \"no room?\"");
	cr_assert_str_eq(euicc_response_explain(a, &q, NULL),
			 "identification 4, not-enough-memory (4), additional information 200, at byte 74565, "
			 "installation aborted; the card says \"no room?\"");
	for (size_t n = 0; n < in.len; n++)
		cr_assert(!euicc_response_parse(a, (struct bytes){ in.data, n }, &q, &why), "%zu", n);
}

Test(euicc_response, what_is_none_is_refused)
{
	static const char *const bad[] = {
		"",
		"3000",
		"3107A0053003800100",
		"3007A005300380010000",
		"3007A0053003800180",
		"3009A007300580030100 00",
		"300AA00830068001 00810180",
		"300AA00830068001 00820180",
		"3006A0043002 8000",
		"3005A003810100",
		"3004A0023000",
	};
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct euicc_response r = { .n = 77 };

	for (size_t i = 0; i < LEN(bad); i++) {
		const char *why = NULL;

		if (i == 9) { /* a list without a status is read, and is no success */
			cr_assert(euicc_response_parse(a, known(a, bad[i]), &r, &why) && r.n == 0 && !euicc_response_ok(&r));
			cr_assert_str_eq(euicc_response_explain(a, &r, NULL), "no status");
			r.n = 77;
			continue;
		}
		cr_assert(!euicc_response_parse(a, known(a, bad[i]), &r, &why) && why && r.n == 77, "%s", bad[i]);
	}
	cr_assert_str_eq(pe_status_text(0x6A84), "status word");
	cr_assert_str_eq(pe_status_text(0xA001), "of the card's own");
	cr_assert_str_eq(pe_status_text(12), "reserved");
}

Test(profile_show, names_elements_and_hides_secrets)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct profile_package p = default_package(a, 2000);
	static const char *const there[] = {
		"1 header, ",
		"  profileType: \"m2m-rsp default USIM\"\n",
		"  iccid: 89000000000000000000\n",
		"    usim\n    milenage\n",
		"    templateID: 2.23.143.1.2.4\n",
		"5 usim, identification 4, mandated, ",
		"  ef-imsi\n    fileDescriptor\n      fileDescriptor: 4121\n      fileID: 6F07\n",
		"pinValue: (8 bytes hidden)\n",
		"key: (16 bytes hidden)\n      opc: (16 bytes hidden)\n",
		"keyData: (16 bytes hidden)\n",
		"genericFileManagement, identification 100, ",
		"9 securityDomain, ",
		"10 end, identification 8, mandated, 9 bytes\n",
	};

	profile_show(&b, &p, 0);
	for (size_t i = 0; i < LEN(there); i++)
		cr_assert(strstr(b.data, there[i]), "%s in\n%s", there[i], b.data);
	cr_assert(!strstr(b.data, "30303030FFFFFFFF") && strstr(b.data, "bytes)\n"));
	buf_clear(&b);
	profile_show(&b, &p, PROFILE_SHOW_SECRETS | PROFILE_SHOW_WHOLE);
	cr_assert(strstr(b.data, "pinValue: 30303030FFFFFFFF\n") && !strstr(b.data, "hidden"));
	cr_assert(!strstr(b.data, "bytes)\n"));
	buf_clear(&b);
	profile_show_list(&b, &p);
	cr_assert(strstr(b.data, "7 akaParameter, identification 6, mandated, ") && !strstr(b.data, "iccid"));
}

Test(profile_show, all_fields_of_the_published_ones_have_names)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();

	for (size_t i = 0; i < REAL_PACKAGES; i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		struct profile_package p = parsed(a, real_package(a, i));

		profile_show(&b, &p, 0);
		cr_assert(!strstr(b.data, "unknown") && !strstr(b.data, "cannot be read"));
		cr_assert(strstr(b.data, "ef-suci-calc-info-usim") || i == 1);
		cr_assert(strstr(b.data, "mobileIPAuthenticationData: (") && !strstr(b.data, "000102030405060708090A0B0C0D0E0F"));
	}
}

/* Values that DER leaves out because they are the default; the notation spells them out. */
static bool is_default(const char *name, size_t n, const char *hex)
{
	static const struct {
		const char *name, *hex;
	} defaults[] = {
		{ "lcsi", "05'" },
		{ "specialFileInformation", "00'" },
		{ "keyAccess", "00'" },
		{ "rotationConstants", "4000204060'" },
		{ "xoringConstants", "0000000000000000" },
		{ "sqnOptions", "02'" },
		{ "sqnDelta", "000010000000'" },
		{ "sqnAgeLimit", "000010000000'" },
	};

	for (size_t i = 0; i < LEN(defaults); i++)
		if (strlen(defaults[i].name) == n && !strncmp(defaults[i].name, name, n))
			return !strncmp(hex, defaults[i].hex, strlen(defaults[i].hex));
	return false;
}

/* The value on the next line of the text that begins with this name; NULL: none. */
static const char *value_behind(const char *text, const char *name, size_t n)
{
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += strspn(line, " \n");
		if (!strncmp(line, name, n) && line[n] == ':')
			return line + n + strspn(line + n, ": ");
	}
	return NULL;
}

/* The word in front of what is at p: its beginning, and its length; 0: an item of a list. */
static size_t name_before(const char *begin, const char *p, const char **out)
{
	const char *end = p;

	while (end > begin && strchr(" :", end[-1]))
		end--;
	for (p = end; p > begin && !strchr(" \n", p[-1]); p--)
		;
	*out = p;
	return (size_t)(end - p);
}

/* Each "name 'HEX'H" of the notation is the next line "name: HEX" of ours. */
Test(profile_show, says_what_the_value_notation_says)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct profile_package p = parsed(a, real_package(a, 0));
	const char *values = real_values(a), *at, *end;
	size_t compared = 0;

	profile_show(&b, &p, PROFILE_SHOW_SECRETS | PROFILE_SHOW_WHOLE);
	at = b.data;
	for (const char *quote = strchr(values, '\''); quote; quote = strchr(end + 1, '\'')) {
		const char *hex = quote + 1, *name;
		size_t n = name_before(values, quote, &name), digits;

		end = strchr(hex, '\'');
		cr_assert(end);
		digits = (size_t)(end - hex);
		if (n == 0 || is_default(name, n, hex))
			continue;
		at = value_behind(at, name, n);
		cr_assert(at, "no %.*s", (int)n, name);
		cr_assert(digits ? !strncmp(at, hex, digits) && at[digits] == '\n' : !strncmp(at, "(empty)\n", 8), "%.*s: %.*s",
			  (int)n, name, (int)digits, hex);
		compared++;
	}
	cr_assert_gt(compared, 1400);
}

Test(profile_show, elements_that_are_rare)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p = default_package(a, 0);
	static const struct {
		const char *in, *text;
	} all[] = {
		{ "A833A0058000810140A10C4F05A000000001C403010203A21C301A4F05A0000000014F05A0000000014F05A000000001820100C900",
		  "9 application, identification 64, mandated, 53 bytes\n  app-Header\n    mandated\n    identification: 64\n  "
		  "loadBlock\n"
		  "    loadPackageAID: A000000001\n    loadBlockObject: 010203\n  instanceList\n    instance\n"
		  "      applicationLoadPackageAID: A000000001\n      classAID: A000000001\n      instanceAID: A000000001\n"
		  "      applicationPrivileges: 00\n      applicationSpecificParametersC9: (empty)\n" },
		{ "A90EA00381014081032A0304820100", NULL },
		{ "A90DA003810140 81032A0304 8201FF", "issuerID: 1.2.3.4\n  content: (1 bytes hidden)\n" },
		{ "A20DA0058000810140A10481027FD0", "  pinCodes\n    filePath: 7FD0\n" },
		{ "AB00", "9 rfu1, 2 bytes\n" },
		{ "BF2207A0058000810140", "9 unknown, identification 64, mandated, 10 bytes\n" },
		{ "BF1F11A0058000810140810467810F01A203A10180", NULL },
		{ "BF1F11A0058000810140810467810F01A202A100", "9 df-5gprose, identification 64" },
		{ "AA0AA0058000810140850100", "  unknown tag 85: (1 bytes)\n" },
	};

	for (size_t i = 0; i < LEN(all); i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		struct bytes in = with_before(a, &p, 8, known(a, all[i].in));
		struct profile_fault fault = { 0 };
		struct profile_package q;

		if (!strncmp(all[i].in, "AA", 2))
			in = with_element(a, &p, 8, known(a, all[i].in));
		cr_assert_eq(profile_package_parse(a, in, &q, &fault), all[i].text != NULL, "%zu: %s", i, fault.what);
		if (!all[i].text)
			continue;
		profile_show(&b, &q, 0);
		cr_assert(strstr(b.data, all[i].text), "%zu:\n%s", i, b.data);
	}
}

/* The text of a package must not steer the terminal of who looks at it. */
Test(profile_show, text_is_printable)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf b = { 0 };
	struct profile_package p = default_package(a, 0), q;

	q = parsed(a, with_bytes(a, p.whole, known(a, "6D326D2D"), known(a, "22C29B5C")));
	profile_show(&b, &q, 0);
	cr_assert(strstr(b.data, "profileType: \"\\x22\\xC2\\x9B\\x5Crsp default USIM\"\n"), "%s", b.data);
}
