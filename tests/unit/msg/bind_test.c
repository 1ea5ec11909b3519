/* SPDX-License-Identifier: Apache-2.0 */
/* The codec: each kind of error names its parameter, each leniency holds, secrets are masked. */
#include "common/msg/bind.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/msg/messages.h"
#include "common/soap/envelope.h"

#define EID_TEXT "89049032000500881234567890123492"
#define AID_TEXT(tar) "A0000005591010FFFFFFFF89" tar "00"

static const char card[] =
	"<FunctionCallIdentifier>f</FunctionCallIdentifier><Eis><EumSignedInfo><Eid>" EID_TEXT "</Eid><Eum-id>1.1</Eum-id>"
	"<ProductionDate>2026-01-15T09:30:00</ProductionDate><PlatformType>p</PlatformType><PlatformVersion>1.0.0</PlatformVersion>"
	"<Isd-p-loadfile-aid>" AID_TEXT("00000D") "</Isd-p-loadfile-aid><Isd-p-module-aid>" AID_TEXT(
		"00000E") "</Isd-p-module-aid>"
			  "<Ecasd><Aid>" AID_TEXT(
				  "000002") "</Aid><Sin/><Sdin>00</Sdin><Role>ECASD</Role><Keyset><Version>116</Version>"
					    "<Certificate><Index>1</Index><CaId>1.1</CaId><Value>7f21</Value></Certificate></"
					    "Keyset></Ecasd>"
					    "<EuiccCapabilities><CattpSupport>0</CattpSupport><HttpSupport>1</"
					    "HttpSupport><SecurePacketVersion>9.0.0</SecurePacketVersion>"
					    "<RemoteProvisioningVersion>3.2.0</RemoteProvisioningVersion></EuiccCapabilities></"
					    "EumSignedInfo>"
					    "<EumSignature><x xmlns='urn:x'/></EumSignature><RemainingMemory>1</RemainingMemory>"
					    "<AvailableMemoryForProfiles>2</AvailableMemoryForProfiles><Smsr-id>1.2</Smsr-id>"
					    "<ProfileInfo><Iccid>8933010000000000010F</Iccid><Isd-p-aid>" AID_TEXT(
						    "000010") "</Isd-p-aid><Mno-id>1.5</Mno-id>"
							      "<FallbackAttribute>true</FallbackAttribute><SubscriptionAddress/"
							      "><State>Enabled</State><AllocatedMemory>1</AllocatedMemory>"
							      "<pol2/></ProfileInfo><ProfileInfo><Iccid>8933010000000000028</"
							      "Iccid><Isd-p-aid>" AID_TEXT(
								      "000011") "</Isd-p-aid>"
										"<Mno-id>1.5</Mno-id><FallbackAttribute>false</"
										"FallbackAttribute><SubscriptionAddress><Imsi>"
										"00101</Imsi><Msisdn>882990</Msisdn>"
										"</SubscriptionAddress><State>Disabled</"
										"State><Smdp-id>1.4</Smdp-id><ProfileType>t</"
										"ProfileType>"
										"<AllocatedMemory>1</"
										"AllocatedMemory><FreeMemory>0</"
										"FreeMemory><pol2><Rule><Subject>PROFILE</"
										"Subject><Action>DISABLE</Action>"
										"<Qualification>Auto-Delete</Qualification></"
										"Rule></pol2></ProfileInfo>"
										"<Isd-r><Aid>" AID_TEXT(
											"000001") "</Aid><Tar>000001</"
												  "Tar><Tar>b20100</Tar><Sin>89</"
												  "Sin><Sdin>01</Sdin><Role>ISD-R</"
												  "Role>"
												  "<Keyset><Version>1</"
												  "Version><Type>SCP80</"
												  "Type><Cntr>7</Cntr><Key "
												  "kcv='010203'><Index>1</Index>"
												  "<KeyComponents type='88' "
												  "value='C0FFEE01'/></"
												  "Key><Certificate><Index>2</"
												  "Index><CaId>1.1</"
												  "CaId><Value>7F21</Value></"
												  "Certificate>"
												  "<Key "
												  "kcv='040506'><Index>3</"
												  "Index><KeyComponents type='88' "
												  "value='C0FFEE02'/></Key></"
												  "Keyset></Isd-r>"
												  "<AdditionalProperties><Property "
												  "key='k' "
												  "value=''/></"
												  "AdditionalProperties></Eis>";

static struct arena *a;
static struct soap_doc *last;

static void start(void)
{
	a = arena_new();
	last = NULL;
}

static void stop(void)
{
	soap_doc_free(last);
	arena_free(a);
}

TestSuite(bind_decode, .init = start, .fini = stop);
TestSuite(bind_encode, .init = start, .fini = stop);

static result decode_as(const struct bind_message *m, const char *content, const char *ns, const struct bind_dialect *dialect,
			void *out)
{
	const char *text =
		arena_printf(a, "<r:%s xmlns:r='%s' xmlns='%s'>%s</r:%s>", m->root, NS_RPS_DEFAULT, ns, content, m->root);
	const char *why = "";

	soap_doc_free(last);
	last = soap_doc_parse(a, text, strlen(text), &SOAP_LIMITS, &why);
	cr_assert_not_null(last, "%s: %s", text, why);
	return bind_decode(a, m, soap_doc_root(last), NS_RPS_DEFAULT, dialect, out);
}

static result decode_card(const char *content, struct es1_register_eis_rq *out)
{
	return decode_as(message_request(FN_ES1_RegisterEIS), content, NS_RPS_DEFAULT, NULL, out);
}

/* The card with its nth occurrence of `from` (from 1) replaced. */
static const char *changed(const char *from, unsigned nth, const char *to)
{
	const char *at = card - 1;

	for (unsigned i = 0; i < nth; i++) {
		at = strstr(at + 1, from);
		cr_assert_not_null(at, "%s is not there %u times", from, nth);
	}
	return arena_printf(a, "%.*s%s%s", (int)(at - card), card, to, at + strlen(from));
}

Test(bind_decode, a_whole_card_with_every_leniency_of_the_types)
{
	struct es1_register_eis_rq rq;
	result r = decode_card(card, &rq);
	const struct eis *e = &rq.eis;

	cr_assert(r == OK, "%s", r ? r->message : "");
	cr_assert_eq(e->info.production_date, INT64_C(1768469400000000), "no zone is UTC");
	cr_assert(!e->info.capabilities.cattp_support && e->info.capabilities.http_support);
	cr_assert(e->info.ecasd.sin.len == 0 && e->info.ecasd.sin.data);
	cr_assert_arr_eq(e->info.ecasd.keysets[0].certificates[0].value.data, "\x7F\x21", 2);
	cr_assert_str_eq(e->profiles[0].iccid.text, "8933010000000000010", "padding is dropped");
	cr_assert_null(e->profiles[0].address.imsi);
	cr_assert_eq(e->profiles[0].pol2.n_rules, 0);
	cr_assert_null(e->profiles[0].smdp);
	cr_assert_str_eq(e->profiles[1].smdp->text, "1.4");
	cr_assert_eq(*e->profiles[1].free_memory, 0);
	cr_assert_eq(e->profiles[1].pol2.rules[0].qualification, POL2_AUTO_DELETE);
	cr_assert_eq(e->isdr.n_tars, 2);
	cr_assert_eq(e->isdr.keysets[0].n_keys, 2, "keys and certificates may come mixed");
	cr_assert_eq(e->isdr.keysets[0].n_certificates, 1);
	cr_assert_eq(e->isdr.keysets[0].keys[1].index, 3);
	cr_assert_eq(*e->isdr.keysets[0].counter, 7);
	cr_assert_null(e->audit_trail);
	cr_assert_str_eq(e->properties->items[0].value, "");
	cr_assert_not_null(e->info_node);
	cr_assert_str_eq(soap_name(e->info_node), "EumSignedInfo");
	cr_assert(!strncmp((const char *)e->info_octets.data, "<EumSignedInfo xmlns=\"" NS_RPS_DEFAULT "\"><Eid>", 60));
}

struct wrong {
	const char *from;
	unsigned nth;
	const char *to;
	enum code code;
	const char *subject, *message;
};

static void all_refused(const struct wrong *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct es1_register_eis_rq rq;
		result r = decode_card(changed(cases[i].from, cases[i].nth, cases[i].to), &rq);

		cr_assert(r != OK, "%s was taken for %s", cases[i].to, cases[i].from);
		cr_assert_eq(r->code, cases[i].code, "%s", r->message);
		cr_assert_str_eq(r->subject_id, cases[i].subject, "%s: %s", r->subject_id, r->message);
		cr_assert_str_eq(r->message, cases[i].message);
	}
}

#define MISSING CODE_PARAM_MISSING
#define INVALID CODE_PARAM_INVALID

Test(bind_decode, what_is_missing_is_named_with_its_path)
{
	static const struct wrong cases[] = {
		{ "<FunctionCallIdentifier>f</FunctionCallIdentifier>", 1, "", MISSING, "FunctionCallIdentifier",
		  "FunctionCallIdentifier: missing" },
		{ "<Eum-id>1.1</Eum-id>", 1, "", MISSING, "Eum-id", "Eis/EumSignedInfo/Eum-id: missing" },
		{ "<Iccid>8933010000000000028</Iccid>", 1, "", MISSING, "Iccid", "Eis/ProfileInfo[2]/Iccid: missing" },
		{ "<pol2/>", 1, "", MISSING, "pol2", "Eis/ProfileInfo[1]/pol2: missing" },
		{ " kcv='040506'", 1, "", MISSING, "kcv", "Eis/Isd-r/Keyset[1]/Key[2]/kcv: missing" },
		{ " type='88'", 1, "", MISSING, "type", "Eis/Isd-r/Keyset[1]/Key[1]/KeyComponents[1]/type: missing" },
		{ "<KeyComponents type='88' value='C0FFEE01'/>", 1, "", MISSING, "KeyComponents",
		  "Eis/Isd-r/Keyset[1]/Key[1]/KeyComponents: missing" },
		{ "<Property key='k' value=''/>", 1, "", MISSING, "Property", "Eis/AdditionalProperties/Property: missing" },
		{ "<EumSignature><x xmlns='urn:x'/></EumSignature>", 1, "", MISSING, "EumSignature", "Eis/EumSignature: missing" },
	};

	all_refused(cases, LEN(cases));
}

Test(bind_decode, what_is_invalid_is_named_with_its_path_and_why)
{
	static const struct wrong cases[] = {
		{ ">f<", 1, "><", INVALID, "FunctionCallIdentifier", "FunctionCallIdentifier: empty" },
		{ "92</Eid>", 1, "93</Eid>", INVALID, "Eid", "Eis/EumSignedInfo/Eid: wrong check digits" },
		{ "92</Eid>", 1, "9</Eid>", INVALID, "Eid", "Eis/EumSignedInfo/Eid: not 32 digits" },
		{ ">1.1<", 1, ">1..1<", INVALID, "Eum-id", "Eis/EumSignedInfo/Eum-id: not numbers with dots between" },
		{ "T09:30", 1, " 09:30", INVALID, "ProductionDate", "Eis/EumSignedInfo/ProductionDate: not a date and time" },
		{ ">1.0.0<", 1, ">1.0<", INVALID, "PlatformVersion", "Eis/EumSignedInfo/PlatformVersion: not of the form 1.2.3" },
		{ "A0000005591010FFFFFFFF8900000D00", 1, "A0", INVALID, "Isd-p-loadfile-aid",
		  "Eis/EumSignedInfo/Isd-p-loadfile-aid: not 5 to 16 bytes in hexadecimal digits" },
		{ ">7f21<", 1, ">7f2<", INVALID, "Value",
		  "Eis/EumSignedInfo/Ecasd/Keyset[1]/Certificate[1]/Value: not pairs of hexadecimal digits" },
		{ "<CattpSupport>0", 1, "<CattpSupport>yes", INVALID, "CattpSupport",
		  "Eis/EumSignedInfo/EuiccCapabilities/CattpSupport: neither true nor false" },
		{ ">116<", 1, ">128<", INVALID, "Version", "Eis/EumSignedInfo/Ecasd/Keyset[1]/Version: not from 1 to 127" },
		{ ">116<", 1, ">0x74<", INVALID, "Version", "Eis/EumSignedInfo/Ecasd/Keyset[1]/Version: not a whole number" },
		{ "<RemainingMemory>1", 1, "<RemainingMemory>-1", INVALID, "RemainingMemory", "Eis/RemainingMemory: less than 0" },
		{ "<RemainingMemory>1", 1, "<RemainingMemory>99999999999999999999", INVALID, "RemainingMemory",
		  "Eis/RemainingMemory: too large" },
		{ "<RemainingMemory>1", 1, "<RemainingMemory><x/>", INVALID, "RemainingMemory",
		  "Eis/RemainingMemory: it has child elements" },
		{ "8933010000000000028", 1, "7733010000000000028", INVALID, "Iccid",
		  "Eis/ProfileInfo[2]/Iccid: not 6 to 20 digits that start with 89" },
		{ ">Disabled<", 1, ">In-Creation<", INVALID, "State",
		  "Eis/ProfileInfo[2]/State: none of Created, Disabled, Enabled" },
		{ ">DISABLE<", 1, ">disable<", INVALID, "Action",
		  "Eis/ProfileInfo[2]/pol2/Rule[1]/Action: none of ENABLE, DISABLE, DELETE" },
		{ ">00101<", 1, ">0010100000000000<", INVALID, "Imsi",
		  "Eis/ProfileInfo[2]/SubscriptionAddress/Imsi: not up to 15 digits" },
		{ ">882990<", 1, ">+88299<", INVALID, "Msisdn",
		  "Eis/ProfileInfo[2]/SubscriptionAddress/Msisdn: not 3 to 15 digits" },
		{ ">b20100<", 1, ">b201<", INVALID, "Tar", "Eis/Isd-r/Tar[2]: not 3 bytes" },
		{ "<Sin>89", 1, "<Sin>0102030405060708090A0B0C0D0E0F1011", INVALID, "Sin", "Eis/Isd-r/Sin: not 0 to 16 bytes" },
		{ "type='88'", 2, "type='8888'", INVALID, "type", "Eis/Isd-r/Keyset[1]/Key[2]/KeyComponents[1]/type: not 1 bytes" },
		{ "key='k'", 1, "key=''", INVALID, "key", "Eis/AdditionalProperties/Property[1]/key: empty" },
	};

	all_refused(cases, LEN(cases));
}

Test(bind_decode, a_secret_that_is_wrong_does_not_stand_in_the_message)
{
	struct es1_register_eis_rq rq;
	result r = decode_card(changed("C0FFEE02", 1, "C0FFEE0X"), &rq);

	cr_assert(r != OK);
	cr_assert_str_eq(r->subject_id, "value");
	cr_assert(!strstr(r->message, "C0FFEE"));
}

Test(bind_decode, order_and_repeats)
{
	static const struct wrong cases[] = {
		{ "<Smsr-id>1.2</Smsr-id>", 1, "<New/><Smsr-id>1.2</Smsr-id>", INVALID, "New", "Eis/New: not expected here" },
		{ "<Smsr-id>1.2</Smsr-id>", 1, "<Smsr-id>1.2</Smsr-id><Smsr-id>1.2</Smsr-id>", INVALID, "Smsr-id",
		  "Eis/Smsr-id: not expected here" },
		{ "<AvailableMemoryForProfiles>2</AvailableMemoryForProfiles><Smsr-id>1.2</Smsr-id>", 1,
		  "<Smsr-id>1.2</Smsr-id><AvailableMemoryForProfiles>2</AvailableMemoryForProfiles>", INVALID, "Smsr-id",
		  "Eis/Smsr-id: not expected here" },
		{ "<AdditionalProperties>", 1, "<New/><AdditionalProperties>", INVALID, "New", "Eis/New: not expected here" },
		{ "</AdditionalProperties>", 1, "</AdditionalProperties><LastAuditDate>x</LastAuditDate>", INVALID, "LastAuditDate",
		  "Eis/LastAuditDate: not expected here" },
		{ "<Role>ISD-R</Role>", 1, "<Role>ISD-R</Role><Tar>000001</Tar>", INVALID, "Tar",
		  "Eis/Isd-r/Tar: not expected here" },
	};

	all_refused(cases, LEN(cases));
}

Test(bind_decode, occurs_are_bounded)
{
	CLEANUP(buf_free) struct buf keys = { 0 };
	struct es1_register_eis_rq rq;
	result r;

	for (int i = 0; i < 127; i++)
		buf_str(&keys, "<Key kcv=''><Index>1</Index><KeyComponents type='88' value=''/></Key>");
	r = decode_card(changed("<Version>116</Version>", 1, arena_printf(a, "<Version>116</Version>%s", keys.data)), &rq);
	cr_assert(r == OK, "%s", r ? r->message : "");
	cr_assert_eq(rq.eis.info.ecasd.keysets[0].n_keys, 127);
	buf_str(&keys, "<Key kcv=''><Index>1</Index><KeyComponents type='88' value=''/></Key>");
	r = decode_card(changed("<Version>116</Version>", 1, arena_printf(a, "<Version>116</Version>%s", keys.data)), &rq);
	cr_assert(r != OK && r->code == INVALID);
	cr_assert_str_eq(r->message, "Eis/EumSignedInfo/Ecasd/Keyset[1]/Key: more than 128");
}

Test(bind_decode, what_newer_peers_append_is_ignored_and_known_spellings_are_taken)
{
	struct es1_register_eis_rq rq;

	cr_assert(decode_card(changed("</Eis>", 1, "<New><Eid>x</Eid></New></Eis><More/>"), &rq) == OK);
	cr_assert(decode_card(changed("<Smsr-id>1.2</Smsr-id>", 1, "<SmSr-id>1.2</SmSr-id>"), &rq) == OK);
	cr_assert_str_eq(rq.eis.smsr.text, "1.2");
	cr_assert(decode_card(changed("<Eid>", 1, "<!-- c --><Eid>\n "), &rq) == OK);
	cr_assert(decode_card(changed(EID_TEXT, 1, "<![CDATA[" EID_TEXT "]]>"), &rq) == OK);
	cr_assert(decode_card(changed(EID_TEXT, 1, "3839303439303332303030353030383831323334353637383930313233343932"), &rq) == OK);
	cr_assert_str_eq(rq.eis.info.eid.text, EID_TEXT);
}

Test(bind_decode, children_without_namespace_only_for_peers_that_need_it)
{
	const struct bind_message *m = message_request(FN_ES4_GetEIS);
	const char *content = "<FunctionCallIdentifier>f</FunctionCallIdentifier><Eid>" EID_TEXT "</Eid>";
	const struct bind_dialect lenient = { .unqualified = true };
	struct es4_get_eis_rq rq;
	result r = decode_as(m, content, "", NULL, &rq);

	cr_assert(r && r->code == INVALID);
	cr_assert_str_eq(r->message, "FunctionCallIdentifier: not in the namespace of the message");
	cr_assert(decode_as(m, content, "", &lenient, &rq) == OK);
	cr_assert(decode_as(m, content, "urn:other", &lenient, &rq) != OK);
	cr_assert(decode_as(m, content, NS_RPS_DEFAULT, &lenient, &rq) == OK);
	r = decode_as(m,
		      "<FunctionCallIdentifier>f</FunctionCallIdentifier><ValidityPeriod>0</ValidityPeriod><Eid>" EID_TEXT "</Eid>",
		      NS_RPS_DEFAULT, NULL, &rq);
	cr_assert_str_eq(r->message, "ValidityPeriod: less than 1");
	cr_assert(decode_as(m, arena_printf(a, "<FunctionCallIdentifier>%0257d</FunctionCallIdentifier>", 0), NS_RPS_DEFAULT, NULL,
			    &rq) != OK);
}

Test(bind_encode, secrets_are_masked_in_the_journal_and_only_there)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	const struct bind_message *m = message_request(FN_ES1_RegisterEIS);
	struct es1_register_eis_rq rq;

	cr_assert(decode_card(card, &rq) == OK);
	bind_encode(&b, m, &rq, BIND_PLAIN);
	cr_assert(strstr(b.data, "value=\"C0FFEE01\"") && strstr(b.data, "value=\"C0FFEE02\""));
	buf_clear(&b);
	bind_encode(&b, m, &rq, BIND_MASKED);
	cr_assert(!strstr(b.data, "C0FFEE"), "%s", b.data);
	cr_assert(strstr(b.data, "<rps:KeyComponents type=\"88\" value=\"\"/>"));
	cr_assert(strstr(b.data, EID_TEXT));
	cr_assert(bind_has_secret(m));
	cr_assert(!bind_has_secret(message_request(FN_ES4_GetEIS)));
	cr_assert(bind_has_secret(message_response(FN_ES4_GetEIS)), "its rows could carry keys, though D2 takes them out");
}

Test(bind_encode, kept_octets_are_written_as_they_are_and_an_eum_builds_without_them)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct es1_register_eis_rq rq;

	cr_assert(decode_card(card, &rq) == OK);
	rq.eis.info_octets = (struct bytes){ (const uint8_t *)"<kept/>", 7 };
	bind_encode(&b, message_request(FN_ES1_RegisterEIS), &rq, BIND_PLAIN);
	cr_assert(strstr(b.data, "<rps:Eis><kept/><EumSignature"), "%s", b.data);
	rq.eis.info_octets = (struct bytes){ 0 };
	buf_clear(&b);
	bind_encode(&b, message_request(FN_ES1_RegisterEIS), &rq, BIND_PLAIN);
	cr_assert(strstr(b.data, "<rps:Eis><rps:EumSignedInfo><rps:Eid>" EID_TEXT "</rps:Eid>"));
	buf_clear(&b);
	bind_encode_group(&b, "EumSignedInfo", NS_RPS_DEFAULT, &eum_signed_info_group, &rq.eis.info);
	cr_assert(!strncmp(b.data, "<rps:EumSignedInfo xmlns:rps=\"" NS_RPS_DEFAULT "\"><rps:Eid>", 80));
	cr_assert(!strchr(b.data, '\n'), "compact: white space would be signed");
}

static const char *digest(const char *content)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	struct es1_register_eis_rq rq;

	cr_assert(decode_card(content, &rq) == OK, "%s", content);
	bind_digest_input(&b, message_request(FN_ES1_RegisterEIS), &rq);
	return arena_strndup(a, b.data, b.len);
}

Test(bind_encode, the_digest_input_sees_every_value_and_nothing_else)
{
	static const struct {
		const char *from, *to;
		bool same;
	} cases[] = {
		{ ">f<", ">other<", true },
		{ "<Eis>", "<ValidityPeriod>9</ValidityPeriod><Eis>", true },
		{ "<RemainingMemory>1<", "<RemainingMemory> +1 <", true },
		{ ">7f21<", ">7F21<", true },
		{ "8933010000000000010F", "8933010000000000010", true },
		{ "T09:30:00<", "T10:30:00+01:00<", true },
		{ "<RemainingMemory>1<", "<RemainingMemory>3<", false },
		{ "C0FFEE01", "C0FFEE03", false },
		{ "<FreeMemory>0</FreeMemory>", "", false },
		{ "key='k' value=''", "key='k[1]0:value' value=''", false },
		{ "<x xmlns='urn:x'/>", "<x xmlns='urn:x'>1</x>", false },
	};
	const char *plain = digest(card);

	for (size_t i = 0; i < LEN(cases); i++)
		cr_assert_eq(!strcmp(digest(changed(cases[i].from, 1, cases[i].to)), plain), cases[i].same, "%s", cases[i].to);
}
