/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/services/smdp_card.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/base/random.h"
#include "common/card/tlv.h"

enum { ELEMENT_MAX = 64 * 1024, IDENTIFICATION = 8 };

void test_card_make(struct test_card *c, struct arena *a, const uint8_t ci_point[P256_POINT], struct ec_key *ecasd)
{
	*c = (struct test_card){ .a = a, .ecasd = ecasd };
	memcpy(c->ci_point, ci_point, P256_POINT);
	profile_reader_init(&c->reader, ELEMENT_MAX);
}

void test_card_free(struct test_card *c)
{
	profile_reader_free(&c->reader);
	buf_free(&c->package);
}

void test_card_create(struct test_card *c, const struct aid *isdp)
{
	test_card_free(c);
	profile_reader_init(&c->reader, ELEMENT_MAX);
	c->isdp = *isdp;
	c->created = true;
	c->certified = c->personalized = c->installed = false;
	c->sequence = c->segments = 0;
}

static void r_apdu(struct buf *out, const struct buf *data, uint16_t sw)
{
	CLEANUP(buf_free) struct buf value = { 0 };

	if (data)
		buf_add(&value, data->data, data->len);
	buf_char(&value, (char)(sw >> 8));
	buf_char(&value, (char)sw);
	tlv_add(out, 0x23, value.data, value.len);
}

static void certificate_take(struct test_card *c, const struct apdu *apdu, struct buf *out)
{
	CLEANUP(buf_free) struct buf answer = { 0 };
	struct bytes cert;

	cr_assert_eq(ka_certificate_parse(apdu, &cert), SW_OK);
	if (ka_certificate_check(cert, c->ci_point, GP_ROLE_SM_DP, c->dp_point) != KA_GOOD) {
		r_apdu(out, NULL, SW_BAD_DATA);
		return;
	}
	random_bytes(c->rc, sizeof(c->rc));
	c->certified = true;
	ka_challenge_build(&answer, (struct bytes){ c->rc, sizeof(c->rc) });
	r_apdu(out, &answer, SW_OK);
}

static void request_take(struct test_card *c, const struct apdu *apdu, struct buf *out)
{
	CLEANUP(buf_free) struct buf answer = { 0 };
	struct ka_received received;
	struct ka_answer receipt;

	cr_assert(c->certified, "no certificate came before");
	cr_assert_eq(ka_request_parse(apdu, &received), SW_OK);
	cr_assert_eq(
		ka_card_agree(&received, (struct bytes){ c->rc, sizeof(c->rc) }, c->dp_point, c->ecasd, NULL, &c->keys, &receipt),
		KA_GOOD);
	c->certified = false;
	c->personalized = true;
	receipt.receipt[3] ^= c->fault == CARD_BAD_RECEIPT;
	ka_answer_build(&answer, &receipt);
	r_apdu(out, &answer, SW_OK);
}

/* False: the script ends. */
static bool command_take(struct test_card *c, struct bytes value, struct buf *out)
{
	struct apdu apdu;
	struct aid isdp;

	cr_assert(apdu_parse(value, &apdu));
	switch (ka_step_of(&apdu)) {
	case KA_STEP_INSTALL:
		cr_assert_eq(ka_install_parse(&apdu, &isdp), SW_OK);
		cr_assert(c->created && aid_equal(&isdp, &c->isdp));
		r_apdu(out, NULL, c->fault == CARD_LOCKED ? SW_CONDITIONS : SW_OK);
		return c->fault != CARD_LOCKED;
	case KA_STEP_CERTIFICATE:
		certificate_take(c, &apdu, out);
		return true;
	case KA_STEP_REQUEST:
		request_take(c, &apdu, out);
		return true;
	case KA_STEP_NONE:
		break;
	}
	cr_assert_fail("a command that is none of a download");
	return false;
}

static void initialize_take(struct test_card *c, struct bytes value, struct buf *out)
{
	struct scp03_initialize asked;

	cr_assert(c->personalized);
	cr_assert_eq(scp03t_initialize_parse(value, &asked), SCP03T_OK);
	c->sequence++;
	cr_assert(scp03_begin(&c->session, &c->keys, &c->isdp, c->sequence, asked.host_challenge));
	scp03t_initialized_build(out, &c->session);
}

static void response_build(const struct test_card *c, unsigned status, struct buf *out)
{
	CLEANUP(buf_free) struct buf der = { 0 };
	struct pe_status_entry entry = { (uint16_t)status, status ? IDENTIFICATION : -1, -1, -1 };

	euicc_response_build(&der, &(const struct euicc_response){ .statuses = &entry, .n = 1, .aborted = status != 0 });
	cr_assert(scp03t_answer_build(&c->session, (struct bytes){ (const uint8_t *)der.data, der.len }, out));
	if (c->fault == CARD_BAD_RMAC)
		out->data[out->len - 1] ^= 1;
}

static bool whole(struct test_card *c)
{
	enum profile_reader_state state;
	struct profile_element e;

	while ((state = profile_reader_next(&c->reader, &e)) == PROFILE_READER_ELEMENT)
		;
	cr_assert_neq(state, PROFILE_READER_BROKEN, "%s", c->reader.fault.what);
	return state == PROFILE_READER_END;
}

static bool segment_take(struct test_card *c, struct bytes value, struct buf *out)
{
	CLEANUP(secret_free) struct secret plain = { 0 };
	bool here = ++c->segments == c->at;

	if (c->fault == CARD_BAD_SEGMENT && here) {
		scp03t_error_build(out, SCP03T_SEGMENT, SCP03T_SECURITY);
		return false;
	}
	cr_assert_eq(scp03t_segment(&c->session, value, &plain), SCP03T_OK, "segment %u", c->segments);
	if ((c->fault == CARD_PE_FAILURE || c->fault == CARD_NO_MEMORY) && here) {
		response_build(c, c->fault == CARD_NO_MEMORY ? PE_STATUS_NOT_ENOUGH_MEMORY : PE_STATUS_BAD_VALUES, out);
		return false;
	}
	buf_add(&c->package, plain.data, plain.len);
	profile_reader_feed(&c->reader, (struct bytes){ plain.data, plain.len });
	if (!whole(c) || c->fault == CARD_SILENT_END) {
		cr_assert(scp03t_answer_build(&c->session, (struct bytes){ NULL, 0 }, out));
		return true;
	}
	c->installed = true;
	response_build(c, PE_STATUS_OK, out);
	return true;
}

static bool tlv_take(struct test_card *c, const struct tlv *t, struct buf *out)
{
	if (t->tag == 0x22)
		return command_take(c, t->value, out);
	if (t->tag == SCP03T_SEGMENT)
		return segment_take(c, t->value, out);
	if (t->tag == SCP03T_INITIALIZE) {
		initialize_take(c, t->value, out);
		return true;
	}
	cr_assert_eq(t->tag, SCP03T_AUTHENTICATE);
	cr_assert_eq(scp03t_authenticate(&c->session, t->value), SCP03T_OK);
	scp03t_authenticated_build(out);
	return true;
}

struct bytes test_card_execute(struct test_card *c, const struct aid *target, struct bytes data)
{
	CLEANUP(buf_free) struct buf out = { 0 };
	struct bytes rest = data;
	struct tlv t;
	bool more = true;

	while (more && tlv_next(&rest, &t)) {
		cr_assert(aid_equal(target, t.tag == 0x22 ? &AID_ISDR : &c->isdp), "to the wrong security domain");
		more = tlv_take(c, &t, &out);
	}
	cr_assert(!more || rest.len == 0, "data behind the last TLV");
	return (struct bytes){ arena_memdup(c->a, out.data, out.len), out.len };
}
