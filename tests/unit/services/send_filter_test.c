/* SPDX-License-Identifier: Apache-2.0 */
/* What an SM-DP may send through us (decisions.md C4), and that none of the ES5 commands of card.md 2 is among it. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/card/isdp_commands.h"
#include "common/card/key_agreement.h"
#include "common/card/tlv.h"
#include "services/sm-sr/send_filter.h"

static struct buf data;

static struct aid isdp(void)
{
	return aid_isdp(0x12);
}

static struct bytes bytes_of(const struct buf *b)
{
	return (struct bytes){ (const uint8_t *)b->data, b->len };
}

static void add_hex(struct buf *out, const char *hex)
{
	uint8_t raw[1200];

	cr_assert(strlen(hex) / 2 <= sizeof(raw) && hex_decode(hex, strlen(hex), raw));
	buf_add(out, raw, strlen(hex) / 2);
}

static void add_apdu(struct buf *out, const struct buf *apdu)
{
	tlv_add(out, 0x22, apdu->data, apdu->len);
}

static void add_install(struct buf *out, const struct aid *aid)
{
	CLEANUP(buf_free) struct buf apdu = { 0 };

	ka_install_build(&apdu, aid);
	add_apdu(out, &apdu);
}

static void add_certificate(struct buf *out)
{
	static const uint8_t cert[] = { 0x7F, 0x21, 0x03, 0x42, 0x01, 0x01 };
	CLEANUP(buf_free) struct buf apdu = { 0 };

	cr_assert(ka_certificate_build(&apdu, (struct bytes){ cert, sizeof(cert) }));
	add_apdu(out, &apdu);
}

static void add_agreement(struct buf *out)
{
	CLEANUP(buf_free) struct buf apdu = { 0 };
	struct ka_request r = { .template = ka_template_isdp(0x30), .form = KA_POINT_FORM };

	r.point[0] = 4;
	cr_assert(ka_request_build(&apdu, &r));
	add_apdu(out, &apdu);
}

static enum send_kind judge(const struct aid *sd, struct aid *out)
{
	const char *why = NULL;
	enum send_kind kind = send_filter(sd, bytes_of(&data), out, &why);

	cr_assert((kind == SEND_REFUSED) == (why != NULL));
	return kind;
}

static enum send_kind judge_hex(const struct aid *sd, const char *hex)
{
	struct aid out = { .len = 0 };

	buf_clear(&data);
	add_hex(&data, hex);
	return judge(sd, &out);
}

static void drop(void)
{
	buf_free(&data);
}

TestSuite(send_filter, .fini = drop);

Test(send_filter, key_establishment_is_install_and_two_store_data)
{
	const struct aid it = isdp();
	struct aid out = { .len = 0 };

	add_install(&data, &it);
	cr_expect_eq(judge(&AID_ISDR, &out), SEND_REFUSED); /* alone */
	add_certificate(&data);
	cr_expect_eq(judge(&AID_ISDR, &out), SEND_CERTIFICATE);
	cr_expect(aid_equal(&out, &it));
	cr_expect_eq(judge(&it, &out), SEND_REFUSED); /* it goes to the ISD-R */
	add_agreement(&data);
	cr_expect_eq(judge(&AID_ISDR, &out), SEND_REFUSED); /* nobody can know the challenge yet */
	buf_clear(&data);
	add_agreement(&data);
	cr_expect_eq(judge(&AID_ISDR, &out), SEND_AGREEMENT);
	cr_expect_eq(out.len, 0);
	add_agreement(&data);
	cr_expect_eq(judge(&AID_ISDR, &out), SEND_REFUSED);
	buf_clear(&data);
	add_certificate(&data);
	cr_expect_eq(judge(&AID_ISDR, &out), SEND_REFUSED); /* for nobody */
	buf_clear(&data);
	add_install(&data, &it);
	add_install(&data, &it);
	add_certificate(&data);
	cr_expect_eq(judge(&AID_ISDR, &out), SEND_REFUSED);
	buf_clear(&data);
	add_install(&data, &AID_ISDR);
	add_certificate(&data);
	cr_expect_eq(judge(&AID_ISDR, &out), SEND_REFUSED);
	buf_clear(&data);
	add_install(&data, &AID_ECASD);
	add_certificate(&data);
	cr_expect_eq(judge(&AID_ISDR, &out), SEND_REFUSED);
}

Test(send_filter, an_isd_p_gets_what_is_secured)
{
	const struct aid it = isdp();
	static const char segment[] = "8618"
				      "92D41D5EE541E3283FEA1C37BDC091D4"
				      "411FED39E079B9D6";

	cr_expect_eq(judge_hex(&it, "840A3001B4BBD029BDC3558F"), SEND_SEGMENTS);
	cr_expect_eq(judge_hex(&it, "851133C01EF6806B012375313193718385FBD2"), SEND_SEGMENTS);
	cr_expect_eq(judge_hex(&it, segment), SEND_SEGMENTS);
	cr_expect_eq(judge_hex(&it, "840A3001B4BBD029BDC3558F851133C01EF6806B012375313193718385FBD2"), SEND_SEGMENTS);
	cr_expect_eq(judge_hex(&it, "220E8050300008B4BBD029BDC3558F00"), SEND_SCP03);
	cr_expect_eq(judge_hex(&it, "22168482330010C01EF6806B012375313193718385FBD200"), SEND_SCP03);
	cr_expect_eq(judge_hex(&it, "22148482330010C01EF6806B012375313193718385FB"), SEND_REFUSED); /* cut off */
	cr_expect_eq(judge_hex(&it, "22158482330010C01EF6806B012375313193718385FBD2"), SEND_SCP03);
	cr_expect_eq(judge_hex(&it, "221584E2880010C01EF6806B012375313193718385FBD2"), SEND_SCP03);
	/* Not both, nothing else between, no length but its own, no container. */
	cr_expect_eq(judge_hex(&it, "840A3001B4BBD029BDC3558F220E8050300008B4BBD029BDC3558F00"), SEND_REFUSED);
	cr_expect_eq(judge_hex(&it, "84093001B4BBD029BDC355"), SEND_REFUSED);
	cr_expect_eq(judge_hex(&it, "851033C01EF6806B012375313193718385FB"), SEND_REFUSED);
	cr_expect_eq(judge_hex(&it, "8617"
				    "92D41D5EE541E3283FEA1C37BDC091"
				    "411FED39E079B9D6"),
		     SEND_REFUSED);
	cr_expect_eq(judge_hex(&it, "8608411FED39E079B9D6"), SEND_REFUSED);
	cr_expect_eq(judge_hex(&it, "870A3001B4BBD029BDC3558F"), SEND_REFUSED);
	cr_expect_eq(judge_hex(&it, "AE80840A3001B4BBD029BDC3558F0000"), SEND_REFUSED);
	cr_expect_eq(judge_hex(&it, "840A3001B4BBD029BDC3558F00"), SEND_REFUSED);
	cr_expect_eq(judge_hex(&it, "221584E4004010C01EF6806B012375313193718385FBD2"), SEND_REFUSED); /* a secured DELETE */
	/* Neither the ISD-R nor anybody else takes it. */
	cr_expect_eq(judge_hex(&AID_ISDR, segment), SEND_REFUSED);
	cr_expect_eq(judge_hex(&AID_ECASD, segment), SEND_REFUSED);
	cr_expect_eq(judge_hex(&AID_ISDR, "221584E2880010C01EF6806B012375313193718385FBD2"), SEND_REFUSED);
}

typedef void command(struct buf *out);

static void create(struct buf *out)
{
	const struct aid it = isdp();

	isdr_create_isdp(out, &it, 1000);
}

#define OF_ISDP(name, build)                  \
	static void name(struct buf *out)     \
	{                                     \
		const struct aid it = isdp(); \
                                              \
		build(out, &it);              \
	}
OF_ISDP(enable, isdr_enable_profile)
OF_ISDP(disable, isdr_disable_profile)
OF_ISDP(set_fallback, isdr_set_fallback)
OF_ISDP(delete, isdr_delete_profile)

static void status(struct buf *out)
{
	isdr_get_status(out, NULL, false);
}

static void confirm(struct buf *out)
{
	isdr_confirm_notification(out, 1);
}

static void certificate_of_ecasd(struct buf *out)
{
	ecasd_get_data(out, ECASD_CERTIFICATE);
}

/* Those that nobody builds yet, from card.md 2. */
static const char *const more[] = {
	"80E2880007"
	"3A0704A302"
	"0600", /* SM-SR address */
	"80E2880007"
	"3A0704A002"
	"0600", /* connectivity, unsecured */
	"80E4004004"
	"4F02A000", /* any application */
	"80E4004008"
	"4F02A000"
	"9E02AABB", /* Master Delete */
	"80D8008118"
	"4185"
	"10"
	"00000000000000000000000000000000"
	"03000000"
	"00", /* PUT KEY */
	"80E400000A"
	"F203010103"
	"F203410102", /* end of an SM-SR change */
	"80E6200004"
	"00000000",
	"80E28801"
	"04"
	"3A0201AA",
	"00A4040000",
};

Test(send_filter, no_command_of_es5_passes)
{
	static command *const commands[] = {
		create, enable, disable, set_fallback, delete, status, isdr_get_resources, confirm, certificate_of_ecasd
	};
	const struct aid it = isdp(), *const targets[] = { &AID_ISDR, &it };
	struct aid out = { .len = 0 };

	for (size_t t = 0; t < LEN(targets); t++)
		for (size_t i = 0; i < LEN(commands) + LEN(more); i++) {
			CLEANUP(buf_free) struct buf apdu = { 0 };

			buf_clear(&data);
			if (i < LEN(commands))
				commands[i](&apdu);
			else
				add_hex(&apdu, more[i - LEN(commands)]);
			add_apdu(&data, &apdu);
			cr_expect_eq(judge(targets[t], &out), SEND_REFUSED, "command %zu to target %zu", i, t);
			/* Nor behind what passes. */
			buf_clear(&data);
			if (t == 0) {
				add_install(&data, &it);
				add_certificate(&data);
			} else {
				add_hex(&data, "220E8050300008B4BBD029BDC3558F00");
			}
			cr_assert_neq(judge(targets[t], &out), SEND_REFUSED);
			add_apdu(&data, &apdu);
			cr_expect_eq(judge(targets[t], &out), SEND_REFUSED, "command %zu behind, target %zu", i, t);
		}
}

Test(send_filter, parts_end_between_commands)
{
	struct bytes rest, part;

	add_hex(&data, "84021111"
		       "85022222"
		       "86023333");
	rest = bytes_of(&data);
	cr_assert(send_part(&rest, 9, &part));
	cr_expect_eq(part.len, 8);
	cr_assert(send_part(&rest, 9, &part));
	cr_expect_eq(part.len, 4);
	cr_expect_eq(part.data[0], 0x86);
	cr_expect_not(send_part(&rest, 9, &part));
	rest = bytes_of(&data);
	for (int i = 0; i < 3; i++) { /* one that is longer goes alone */
		cr_assert(send_part(&rest, 1, &part));
		cr_expect_eq(part.len, 4);
	}
	rest = bytes_of(&data);
	cr_assert(send_part(&rest, 12, &part));
	cr_expect_eq(part.len, 12);
}

static bool stopped(const char *hex)
{
	buf_clear(&data);
	add_hex(&data, hex);
	return send_stopped(bytes_of(&data));
}

Test(send_filter, an_error_stops_the_rest)
{
	cr_expect_not(stopped("8500"
			      "8600"));
	cr_expect_not(stopped("2304AABB9000"));
	cr_expect(stopped("8500"
			  "9F460102"));
	cr_expect(stopped("23026A80"));
	cr_expect(stopped("2301AA"));
}
