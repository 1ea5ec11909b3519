/* SPDX-License-Identifier: Apache-2.0 */
#include "common/soap/doc.h"

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/soap/writer.h"

static struct arena *a;

static void start(void)
{
	a = arena_new();
}

static void stop(void)
{
	arena_free(a);
}

TestSuite(soap_doc, .init = start, .fini = stop);
TestSuite(soap_writer, .init = start, .fini = stop);

static struct soap_doc *parse(const char *text, const char **why)
{
	return soap_doc_parse(a, text, strlen(text), &SOAP_LIMITS, why);
}

static struct soap_doc *good(const char *text)
{
	const char *why = "";
	struct soap_doc *d = parse(text, &why);

	cr_assert_not_null(d, "%s: %s", text, why);
	return d;
}

static void refused(const char *text, const char *part)
{
	const char *why = NULL;

	cr_assert_null(parse(text, &why), "%s was taken", text);
	cr_assert(why && strstr(why, part), "%s: %s", text, why);
}

Test(soap_doc, names_text_attributes_and_children)
{
	CLEANUP(soap_doc_freep)
	struct soap_doc *d = good("<a xmlns='urn:x' p:q=' 2 ' q='1' xmlns:p='urn:p'>\n <!-- no --> <b> t<!-- c -->u \n</b>"
				  "<c><![CDATA[<&]]>&amp;&#65;</c><p:d/>tail</a>");
	const struct soap_node *root = soap_doc_root(d), *b = soap_first(root), *c = soap_next(b);

	cr_assert_str_eq(soap_name(root), "a");
	cr_assert_str_eq(soap_namespace(root), "urn:x");
	cr_assert_str_eq(soap_attribute(a, root, "q"), "1");
	cr_assert_str_eq(soap_attribute_ns(a, root, "urn:p", "q"), " 2 ");
	cr_assert_null(soap_attribute(a, root, "r"));
	cr_assert_null(soap_attribute_ns(a, root, "urn:x", "q"));
	cr_assert_null(soap_text(a, root), "an element with children has no text");
	cr_assert_str_eq(soap_text(a, b), "tu");
	cr_assert_str_eq(soap_text_raw(a, b), " tu \n");
	cr_assert_str_eq(soap_text(a, c), "<&&A");
	cr_assert_str_eq(soap_name(soap_next(c)), "d");
	cr_assert_str_eq(soap_namespace(soap_next(c)), "urn:p");
	cr_assert_str_eq(soap_text(a, soap_next(c)), "");
	cr_assert_null(soap_next(soap_next(c)));
	cr_assert_null(soap_first(b));
}

Test(soap_doc, no_dtd_pi_or_entity_gets_in)
{
	refused("<!DOCTYPE a><a/>", "a DTD is not allowed");
	refused("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", "a DTD is not allowed");
	refused("<!DOCTYPE a [<!ENTITY % p SYSTEM 'file:///etc/passwd'> %p;]><a/>", "a DTD is not allowed");
	refused("<!DOCTYPE a SYSTEM 'http://127.0.0.1:9/x.dtd'><a/>", "a DTD is not allowed");
	refused("<!DOCTYPE a PUBLIC 'p' '/etc/passwd'><a/>", "a DTD is not allowed");
	refused("<?php x?><a/>", "a processing instruction is not allowed");
	refused("<a><?x y?></a>", "a processing instruction is not allowed");
	refused("<a/><?x y?>", "a processing instruction is not allowed");
	refused("<a>&e;</a>", "not well-formed XML at line 1");
	refused("<a b='&e;'/>", "not well-formed XML");
}

Test(soap_doc, what_is_not_well_formed_is_refused_with_its_line)
{
	refused("", "empty");
	refused("x", "not well-formed");
	refused("<a>\n<b></a>", "not well-formed XML at line 2");
	refused("<a/><b/>", "not well-formed");
	refused("<p:a/>", "not well-formed");
	refused("<a b='1' b='2'/>", "not well-formed");
	refused("<a>\x01</a>", "not well-formed");
	refused("<a>\xC3\x28</a>", "not well-formed");
	refused("<a>&#0;</a>", "not well-formed");
	refused("<a xmlns:p='urn:x' xmlns:q='urn:x' p:b='1' q:b='2'/>", "not well-formed");
}

Test(soap_doc, a_nul_byte_is_refused_wherever_it_stands)
{
	static const char text[] = "<a><b>x</b></a>";
	const char *why;

	for (size_t i = 0; i < sizeof(text); i++) {
		char copy[sizeof(text)];

		memcpy(copy, text, sizeof(text));
		copy[i] = '\0';
		cr_assert_null(soap_doc_parse(a, copy, sizeof(text), &SOAP_LIMITS, &why), "NUL at %zu", i);
	}
}

static const char *nested(unsigned depth)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	for (unsigned i = 0; i < depth; i++)
		buf_str(&b, "<a>");
	for (unsigned i = 0; i < depth; i++)
		buf_str(&b, "</a>");
	return arena_strdup(a, b.data);
}

static const char *repeated(const char *before, const char *fmt, unsigned n, const char *after)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	buf_str(&b, before);
	for (unsigned i = 0; i < n; i++) {
		const char *d = strchr(fmt, '#');

		buf_printf(&b, "%.*s%u%s", (int)(d - fmt), fmt, i, d + 1);
	}
	buf_str(&b, after);
	return arena_strdup(a, b.data);
}

Test(soap_doc, depth_nodes_and_attributes_are_bounded)
{
	soap_doc_free(good(nested(32)));
	refused(nested(33), "more than 32 levels of elements");
	refused(nested(5000), "more than 32 levels of elements");
	soap_doc_free(good(repeated("<a>", "<b>#</b>", 19999, "</a>")));
	refused(repeated("<a>", "<b>#</b>", 20000, "</a>"), "more than 20000 elements");
	soap_doc_free(good(repeated("<a", " x#='1'", 32, "/>")));
	refused(repeated("<a", " x#='1'", 33, "/>"), "more than 32 attributes in one element");
	refused(repeated("<a", " xmlns:x#='urn:#'", 33, "/>") /* the first # only */, "attributes in one element");
	soap_doc_free(good(repeated("<a>", "<b x='#' y=\"'='='='\"/>", 3000, "<!-- ' ' ' \" --><![CDATA[' ' \" <a ' ]]></a>")));
}

/* 200,000 attributes would keep libxml2's check for double names busy for minutes. */
Test(soap_doc, very_many_attributes_are_refused_at_once, .timeout = 60)
{
	clock_t before = clock(); /* of our own processor: the machine may be busy */

	refused(repeated("<a", " x#='1'", 200000, "/>"), "too many attributes in one element");
	refused(repeated("<a", " xmlns:x#=''", 200000, "/>"), "too many attributes in one element");
	cr_assert_lt(clock() - before, 2 * CLOCKS_PER_SEC);
}

static struct bytes utf16(const char *ascii, bool big, bool mark)
{
	size_t n = strlen(ascii), at = 0;
	uint8_t *out = arena_alloc(a, 2 * n + 2);

	if (mark) {
		out[at++] = big ? 0xFE : 0xFF;
		out[at++] = big ? 0xFF : 0xFE;
	}
	for (size_t i = 0; i < n; i++) {
		out[at++] = big ? 0 : (uint8_t)ascii[i];
		out[at++] = big ? (uint8_t)ascii[i] : 0;
	}
	return (struct bytes){ out, at };
}

Test(soap_doc, utf16_is_read_and_bounded_like_utf8)
{
	const char *many = repeated("<a", " x#='1'", 5000, "/>"), *why;
	struct soap_doc *d;

	for (int form = 0; form < 4; form++) {
		struct bytes in = utf16("<?xml version='1.0' encoding='UTF-16'?><a>\n<b>text</b></a>", form & 1, form & 2);

		if (!(form & 2))
			in = utf16("<a>\n<b>text</b></a>", form & 1, false);
		d = soap_doc_parse(a, in.data, in.len, &SOAP_LIMITS, &why);
		cr_assert_not_null(d, "form %d: %s", form, why);
		cr_assert_str_eq(soap_text(a, soap_first(soap_doc_root(d))), "text");
		soap_doc_free(d);
		cr_assert_null(soap_doc_parse(a, in.data, in.len - 1, &SOAP_LIMITS, &why));
		in = utf16(many, form & 1, form & 2);
		cr_assert_null(soap_doc_parse(a, in.data, in.len, &SOAP_LIMITS, &why));
		cr_assert(strstr(why, "too many attributes"), "%s", why);
	}
	/* a pair of surrogates, then a lone one */
	d = soap_doc_parse(a, "\xFF\xFE<\0a\0>\0\x3D\xD8\x00\xDE<\0/\0a\0>\0", 20, &SOAP_LIMITS, &why);
	cr_assert_str_eq(soap_text(a, soap_doc_root(d)), "\xF0\x9F\x98\x80");
	soap_doc_free(d);
	cr_assert_null(soap_doc_parse(a, "\xFF\xFE<\0a\0>\0\x3D\xD8<\0/\0a\0>\0", 18, &SOAP_LIMITS, &why));
	soap_doc_free(good("\xEF\xBB\xBF<a/>")); /* a mark in UTF-8 */
}

static const char sample[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c --><s:E xmlns:s='urn:s' xmlns=\"urn:d\">"
			     "<s:H a='1' s:b='&lt;&#x41;'>t\xC3\xA9<![CDATA[x]]></s:H>\n<B><c d=''/>&amp;</B></s:E>\n";

Test(soap_doc, cut_off_at_every_byte_and_damaged_at_every_byte_never_crashes)
{
	const char *why;
	size_t whole = strlen(sample);

	for (size_t n = 0; n < whole - 1; n++) {
		/* an exact heap copy: a read beyond its end is seen by the sanitizer */
		char *copy = strndup(sample, n);

		cr_assert_null(soap_doc_parse(a, copy, n, &SOAP_LIMITS, &why), "cut at %zu", n);
		cr_assert_not_null(why);
		free(copy);
	}
	for (size_t at = 0; at < whole; at++) {
		for (const char *c = "<>&'\"/!?=[]- \x80\xFF"; *c; c++) {
			char *copy = strdup(sample);

			copy[at] = *c;
			soap_doc_free(soap_doc_parse(a, copy, whole, &SOAP_LIMITS, &why));
			free(copy);
		}
	}
}

Test(soap_doc, canonical_forms_differ_as_they_must)
{
	CLEANUP(soap_doc_freep)
	struct soap_doc *d = good("<e:E xmlns:e='urn:e' xmlns:u='urn:u'><r:I xmlns:r='urn:r' b='2' a=\"1\">\n<r:x/><!-- c --></r:I>"
				  "<r:S xmlns:r='urn:r' xmlns:ds='urn:ds'><ds:v>1</ds:v></r:S></e:E>");
	const struct soap_node *info = soap_first(soap_doc_root(d)), *signature = soap_next(info);
	static const struct {
		enum soap_c14n mode;
		const char *octets;
	} want[] = {
		{ C14N_EXCLUSIVE, "<r:I xmlns:r=\"urn:r\" a=\"1\" b=\"2\">\n<r:x></r:x></r:I>" },
		{ C14N_INCLUSIVE,
		  "<r:I xmlns:e=\"urn:e\" xmlns:r=\"urn:r\" xmlns:u=\"urn:u\" a=\"1\" b=\"2\">\n<r:x></r:x></r:I>" },
		{ C14N_INCLUSIVE_DETACHED, "<r:I xmlns:r=\"urn:r\" a=\"1\" b=\"2\">\n<r:x></r:x></r:I>" },
	};
	struct bytes o;

	for (size_t i = 0; i < LEN(want); i++) {
		o = soap_canonical(a, info, want[i].mode);
		cr_assert_eq(o.len, strlen(want[i].octets), "%zu: %.*s", i, (int)o.len, (const char *)o.data);
		cr_assert_arr_eq(o.data, want[i].octets, o.len);
	}
	o = soap_canonical(a, signature, C14N_EXCLUSIVE);
	cr_assert_str_eq(arena_strndup(a, (const char *)o.data, o.len),
			 "<r:S xmlns:r=\"urn:r\"><ds:v xmlns:ds=\"urn:ds\">1</ds:v></r:S>");
	/* what is emitted alone has the same exclusive form: it can be checked again anywhere */
	{
		CLEANUP(soap_doc_freep) struct soap_doc *again = NULL;
		const char *why;
		struct bytes first = soap_canonical(a, info, C14N_EXCLUSIVE);

		again = soap_doc_parse(a, first.data, first.len, &SOAP_LIMITS, &why);
		o = soap_canonical(a, soap_doc_root(again), C14N_EXCLUSIVE);
		cr_assert_eq(o.len, first.len);
		cr_assert_arr_eq(o.data, first.data, o.len);
	}
}

Test(soap_doc, a_message_of_3_kb_takes_microseconds)
{
	const char *text =
		repeated("<s:E xmlns:s='urn:s'>", "<s:Element-of-a-message a='1'>value #</s:Element-of-a-message>", 50, "</s:E>");
	const char *why;
	int64_t best = INT64_MAX;

	for (int i = 0; i < 20; i++) {
		int64_t t = clock_us();

		soap_doc_free(soap_doc_parse(a, text, strlen(text), &SOAP_LIMITS, &why));
		t = clock_us() - t;
		best = t < best ? t : best;
	}
	/* the budget is 30 without sanitizers; with them and a busy machine only an order of magnitude can be told */
	cr_assert_lt(best, 2000, "%lld us for %zu bytes", (long long)best, strlen(text));
}

Test(soap_writer, what_is_written_reads_back_the_same)
{
	static const char *const values[] = {
		"", "a<b>&\"'", "tab\there", "line\nend", "cr\rlf\r\n", " blanks ", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"
	};

	for (size_t i = 0; i < LEN(values); i++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		CLEANUP(soap_doc_freep) struct soap_doc *d = NULL;
		struct xml_writer w = { &b, "p" };

		xw_start(&w, "r");
		xw_attr(&w, "xmlns:p", "urn:p");
		xw_attr(&w, "v", values[i]);
		xw_end(&w, 0);
		xw_text(&w, "t", values[i]);
		w.prefix = "";
		xw_open(&w, "n");
		xw_close(&w, "n");
		w.prefix = "p";
		xw_close(&w, "r");
		d = good(b.data);
		cr_assert_str_eq(soap_attribute(a, soap_doc_root(d), "v"), values[i]);
		cr_assert_str_eq(soap_text_raw(a, soap_first(soap_doc_root(d))), values[i]);
	}
}

Test(soap_writer, characters_that_xml_forbids_are_replaced)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "a\x01z", "a\xEF\xBF\xBDz" },
		{ "\x1F", "\xEF\xBF\xBD" },
		{ "\xC3", "\xEF\xBF\xBD" },
		{ "\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD" },
		{ "\xED\xA0\x80x", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDx" },
		{ "\xEF\xBF\xBE", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
		{ "\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
		{ "\xE2\x82", "\xEF\xBF\xBD\xEF\xBF\xBD" },
	};

	for (size_t i = 0; i < LEN(cases); i++) {
		CLEANUP(buf_free) struct buf b = { 0 };

		xml_escape(&b, cases[i].in);
		cr_assert_str_eq(b.data, cases[i].out, "case %zu", i);
	}
}
