/* SPDX-License-Identifier: Apache-2.0 */
#include "common/soap/envelope.h"

#include <criterion/criterion.h>
#include <string.h>

static struct arena *a;
static struct soap_doc *docs[64];
static size_t n_docs;

static void start(void)
{
	a = arena_new();
}

static void stop(void)
{
	while (n_docs > 0)
		soap_doc_free(docs[--n_docs]);
	arena_free(a);
}

TestSuite(envelope, .init = start, .fini = stop);

static struct soap_doc *doc(const char *text)
{
	const char *why = "";
	struct soap_doc *d = soap_doc_parse(a, text, strlen(text), &SOAP_LIMITS, &why);

	cr_assert_not_null(d, "%s: %s", text, why);
	cr_assert_lt(n_docs, LEN(docs));
	return docs[n_docs++] = d;
}

#define OPEN(header, body)                                                                                                      \
	"<s:Envelope xmlns:s='" NS_SOAP12 "' xmlns:w='" NS_WSA "' xmlns:x='urn:x'><s:Header>" header "</s:Header><s:Body>" body \
	"</s:Body></s:Envelope>"
#define FROM "<w:From><w:Address>https://eum.example/es1?EntityId=1.3.6.1</w:Address></w:From>"
#define TO "<w:To s:mustUnderstand='true'>https://smsr.example/</w:To>"
#define ID "<w:MessageID>//eum/1</w:MessageID>"
#define ACTION "<w:Action s:mustUnderstand='1'>http://gsma.com/x</w:Action>"

static struct envelope good(const char *text)
{
	struct envelope e;
	struct soap_fault f = { "", "" };

	cr_assert(envelope_parse(a, doc(text), &e, &f), "%s: %s", text, f.reason);
	return e;
}

static void refused(const char *text, const char *code, const char *part)
{
	struct envelope e;
	struct soap_fault f = { "", "" };

	cr_assert(!envelope_parse(a, doc(text), &e, &f), "%s was taken", text);
	cr_assert_str_eq(f.code, code, "%s: %s", text, f.reason);
	cr_assert(strstr(f.reason, part), "%s: %s", text, f.reason);
}

static void same(const char *got, const char *want)
{
	if (want)
		cr_assert(got && !strcmp(got, want), "%s instead of %s", got, want);
	else
		cr_assert_null(got, "%s instead of nothing", got);
}

Test(envelope, all_headers_in_any_order_with_either_separator)
{
	static const char *const separators[] = { "?", "&amp;" };

	for (size_t i = 0; i < LEN(separators); i++) {
		const char *s = separators[i];
		struct envelope e = good(arena_printf(
			a,
			OPEN("<w:Action>http://gsma.com/ES4/x</w:Action>"
			     "<w:RelatesTo RelationshipType='" NS_WSA "/reply'>//p/1%sMessageDate=d</w:RelatesTo>"
			     "<w:MessageID>//eum/"
			     "1?TransactionId=t-1%sContextID=c-1%sMessageDate=2026-01-15T09:30:00Z%sProfileType=3G</w:MessageID>"
			     "<w:To>\n https://smsr.example/es4?EntityId=1.2 </w:To>"
			     "<w:From><w:Address>https://mno.example/es4 ?entityid=1.3%sEntityName=MNO one "
			     "?UserName=user1%sX-Vendor-Id=9</w:Address>"
			     "<w:ReferenceParameters/><w:Metadata/></w:From>"
			     "<w:ReplyTo><w:Address>https://mno.example/cb?EntityId=1.3</w:Address></w:ReplyTo><w:FaultTo/>",
			     "<x:y/>"),
			s, s, s, s, s, s));

		same(e.from, "https://mno.example/es4");
		same(e.from_entity, "1.3");
		same(e.from_name, "MNO one");
		same(e.user_name, "user1");
		same(e.to, "https://smsr.example/es4");
		same(e.to_entity, "1.2");
		same(e.reply_to, "https://mno.example/cb?EntityId=1.3");
		same(e.transaction_id, "t-1");
		same(e.context_id, "c-1");
		same(e.message_date, "2026-01-15T09:30:00Z");
		same(e.profile_type, "3G");
		same(e.action, "http://gsma.com/ES4/x");
		same(e.relates_to, i ? "//p/1&MessageDate=d" : "//p/1?MessageDate=d");
		cr_assert(!strncmp(e.message_id, "//eum/1?TransactionId=t-1", 25) && strstr(e.message_id, "ProfileType=3G"));
		cr_assert_str_eq(soap_name(e.body), "y");
	}
}

Test(envelope, spellings_repeats_and_empty_parameters)
{
	struct envelope e = good(OPEN("<w:MessageID>//p/1?TransactionID=a?transactionid=b?ContextId=</w:MessageID>", "<x:y/>"));

	same(e.transaction_id, "a");
	same(e.context_id, NULL);
	same(e.from, NULL);
	e = good(OPEN("<w:MessageID>//p/1????&amp;&amp;=x?y</w:MessageID>", "<x:y/>"));
	same(e.transaction_id, NULL);
}

Test(envelope, an_anonymous_reply_address_is_none_and_a_polling_one_stays)
{
#define REPLY(address) OPEN("<w:ReplyTo><w:Address>" address "</w:Address></w:ReplyTo>", "<x:y/>")
	same(good(REPLY(WSA_ANONYMOUS)).reply_to, NULL);
	same(good(REPLY("http://www.w3.org/2005/08/addressing/Anonymous")).reply_to, NULL);
	same(good(REPLY("")).reply_to, NULL);
	same(good(REPLY(NS_WSMC "/anonymous?id=7")).reply_to, NS_WSMC "/anonymous?id=7");
}

Test(envelope, what_is_no_soap_12_envelope_is_refused)
{
	refused("<x/>", "Sender", "not a SOAP envelope");
	refused("<e:Envelope xmlns:e='" NS_SOAP11 "'><e:Body><x/></e:Body></e:Envelope>", "VersionMismatch", "SOAP 1.2");
	refused("<Envelope><Body/></Envelope>", "VersionMismatch", "SOAP 1.2");
	refused("<s:Envelope xmlns:s='" NS_SOAP12 "'/>", "Sender", "no Body");
	refused("<s:Envelope xmlns:s='" NS_SOAP12 "'><s:Header/></s:Envelope>", "Sender", "no Body");
	refused("<s:Envelope xmlns:s='" NS_SOAP12 "'><s:Header/><s:Header/><s:Body><x/></s:Body></s:Envelope>", "Sender",
		"no Body");
	refused("<s:Envelope xmlns:s='" NS_SOAP12 "'><s:Body><x/></s:Body><y/></s:Envelope>", "Sender", "behind the Body");
	refused(OPEN("", ""), "Sender", "Body is empty");
	refused(OPEN("", "text"), "Sender", "Body is empty");
	refused(OPEN("", "<x:y/><x:y/>"), "Sender", "more than one child");
	refused(OPEN(TO TO, "<x:y/>"), "Sender", "wsa:To is there twice");
	refused(OPEN("<w:From/>", "<x:y/>"), "Sender", "wsa:From has no Address");
	refused(OPEN("<w:To><x:y/></w:To>", "<x:y/>"), "Sender", "wsa:To is not a URI");
	refused(OPEN("<w:MessageID> </w:MessageID>", "<x:y/>"), "Sender", "wsa:MessageID");
	good("<s:Envelope xmlns:s='" NS_SOAP12 "'><s:Body><x/></s:Body></s:Envelope>");
}

Test(envelope, only_unknown_headers_for_us_must_be_understood)
{
	refused(OPEN("<x:h s:mustUnderstand='true'/>", "<x:y/>"), "MustUnderstand", "the header h");
	refused(OPEN("<x:h s:mustUnderstand='1' s:role='" NS_SOAP12 "/role/next'/>", "<x:y/>"), "MustUnderstand", "the header h");
	refused(OPEN("<x:To s:mustUnderstand='1'/>", "<x:y/>"), "MustUnderstand", "the header To");
	good(OPEN("<x:h s:mustUnderstand='1' s:role='urn:other'/>", "<x:y/>"));
	good(OPEN("<x:h s:mustUnderstand='0'/><x:i s:mustUnderstand='false'/><x:k/><x:l mustUnderstand='1'/>", "<x:y/>"));
	good(OPEN(TO ACTION, "<x:y/>"));
}

Test(envelope, demand_names_what_is_missing)
{
	static const struct {
		const char *text, *missing;
	} cases[] = {
		{ OPEN(TO ID ACTION, "<x:y/>"), "wsa:From is missing" },
		{ OPEN("<w:From><w:Address>https://a/</w:Address></w:From>" TO ID ACTION, "<x:y/>"),
		  "EntityId of wsa:From is missing" },
		{ OPEN(FROM ID ACTION, "<x:y/>"), "wsa:To is missing" },
		{ OPEN(FROM TO ACTION, "<x:y/>"), "wsa:MessageID is missing" },
		{ OPEN(FROM TO ID, "<x:y/>"), "wsa:Action is missing" },
		{ OPEN(FROM TO ID "<w:Action/>", "<x:y/>"), "wsa:Action is missing" },
		{ "<s:Envelope xmlns:s='" NS_SOAP12 "'><s:Body><x/></s:Body></s:Envelope>", "wsa:From is missing" },
	};
	struct soap_fault f;
	struct envelope e = good(OPEN(FROM TO ID ACTION, "<x:y/>"));

	cr_assert(envelope_demand(a, &e, &f));
	for (size_t i = 0; i < LEN(cases); i++) {
		e = good(cases[i].text);
		cr_assert(!envelope_demand(a, &e, &f));
		cr_assert_str_eq(f.code, "Sender");
		cr_assert_str_eq(f.reason, cases[i].missing);
	}
}

Test(envelope, what_is_written_reads_back_the_same)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct envelope in = { .from = "https://smsr.example/es4",
			       .from_entity = "1.2",
			       .from_name = "SM<SR>",
			       .user_name = "u&v",
			       .to = "https://mno.example/",
			       .to_entity = "1.3",
			       .message_id = "//1.2/x?TransactionID=t?MessageDate=d",
			       .action = "http://gsma.com/a",
			       .relates_to = "//p/1?a=b&c",
			       .reply_to = "https://smsr.example/cb" };
	struct envelope e;

	envelope_open(&b, &in, NS_RPS_DEFAULT);
	buf_str(&b, "<rps:x/>");
	envelope_close(&b);
	e = good(b.data);
	same(e.from, in.from);
	same(e.from_entity, in.from_entity);
	same(e.from_name, in.from_name);
	same(e.to, in.to);
	same(e.to_entity, in.to_entity);
	same(e.message_id, in.message_id);
	same(e.transaction_id, "t");
	same(e.action, in.action);
	same(e.relates_to, in.relates_to);
	same(e.reply_to, in.reply_to);
	cr_assert_str_eq(soap_namespace(e.body), NS_RPS_DEFAULT);
	cr_assert(strstr(b.data, "https://smsr.example/es4?EntityId=1.2?EntityName=SM&lt;SR&gt;?UserName=u&amp;v<"));
	cr_assert_lt(strstr(b.data, "<wsa:From>"), strstr(b.data, "<wsa:To>"));
	cr_assert_lt(strstr(b.data, "<wsa:Action>"), strstr(b.data, "<wsa:RelatesTo>"));
}

Test(envelope, faults_are_written_and_recognised)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct soap_fault in = { "Sender", "a <b> & c" }, out = { "", "" };
	struct envelope e;

	envelope_fault(&b, &in, "//p/1?x");
	e = good(b.data);
	same(e.relates_to, "//p/1?x");
	same(e.action, NS_WSA "/fault");
	cr_assert(envelope_is_fault(a, &e, &out));
	same(out.code, "Sender");
	same(out.reason, "a <b> & c");
	e = good(OPEN("", "<s:Fault/>"));
	cr_assert(envelope_is_fault(a, &e, &out));
	same(out.code, "Receiver");
	e = good(OPEN("", "<x:Fault/>"));
	cr_assert(!envelope_is_fault(a, &e, &out));
}

Test(envelope, a_new_message_id_has_its_parameters)
{
	const char *id = message_id_new(a, "1.2.3", NULL, NULL), *other = message_id_new(a, "1.2.3", NULL, NULL);
	struct envelope e = good(arena_printf(a, OPEN("<w:MessageID>%s</w:MessageID>", "<x:y/>"), id));

	cr_assert(!strncmp(id, "//1.2.3/", 8) && strcmp(id, other) != 0);
	cr_assert_eq(strlen(e.transaction_id), 36);
	same(e.context_id, NULL);
	cr_assert_not_null(e.message_date);
	id = message_id_new(a, "1.2.3", "tx", "cx");
	e = good(arena_printf(a, OPEN("<w:MessageID>%s</w:MessageID>", "<x:y/>"), id));
	same(e.transaction_id, "tx");
	same(e.context_id, "cx");
}
