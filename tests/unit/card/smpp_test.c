/* SPDX-License-Identifier: Apache-2.0 */
/* Two sessions that talk to each other. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/unit/card/smpp_pair.h"

static struct smpp_message command_sms(const uint8_t *data, size_t n)
{
	return (struct smpp_message){
		.source = "8988211",
		.destination = "882110000000017",
		.source_ton = 1,
		.source_npi = 1,
		.destination_ton = 1,
		.destination_npi = 1,
		.esm_class = SMPP_ESM_UDHI,
		.protocol_id = 0x7F,
		.data_coding = 0xF6,
		.receipt_wanted = true,
		.data = { data, n },
	};
}

static void fill(uint8_t *data, size_t n)
{
	data[0] = 2;
	data[1] = 0x70;
	data[2] = 0;
	for (size_t i = 3; i < n; i++)
		data[i] = (uint8_t)(255 - i);
}

Test(smpp, bind_is_accepted)
{
	struct owner esme = { 0 }, smsc = { 0 };

	pair_open(&esme, &smsc);
	cr_assert_not(smpp_is_bound(esme.s));
	cr_assert_eq(smpp_room(esme.s), 0);
	pump(&esme, &smsc);
	cr_assert(smpp_is_bound(esme.s) && smpp_is_bound(smsc.s));
	cr_assert_eq(esme.bound, 1);
	cr_assert_eq(smsc.bound, 1);
	cr_assert_str_eq(smsc.system_id, "sm-sr");
	cr_assert_str_eq(smsc.password, "secret");
	cr_assert_str_eq(esme.system_id, "smsc");
	cr_assert_eq(smpp_room(esme.s), 3);
	smpp_close(esme.s);
	esme.s = NULL;
	pump(NULL, &smsc);
	cr_assert_eq(smsc.ended, 1);
	cr_assert_str_eq(smsc.why, "the peer unbinds");
	pair_close(&esme, &smsc);
}

Test(smpp, bind_is_refused)
{
	struct owner esme = { 0 }, smsc = { .refuses = true };

	pair_open(&esme, &smsc);
	pump(&esme, &smsc);
	cr_assert_eq(esme.bound, 0);
	cr_assert_eq(esme.ended, 1);
	cr_assert_str_eq(esme.why, "bind refused: status 0x0000000d");
	cr_assert_eq(smsc.ended, 1);
	cr_assert_eq(smpp_wants(esme.s), 0);
	cr_assert_eq(smpp_timeout_ms(esme.s), -1);
	pair_close(&esme, &smsc);
}

static void same_message(const struct smpp_message *a, const struct smpp_message *b)
{
	cr_assert_str_eq(a->source, b->source);
	cr_assert_str_eq(a->destination, b->destination);
	cr_assert(a->source_ton == b->source_ton && a->source_npi == b->source_npi);
	cr_assert(a->destination_ton == b->destination_ton && a->destination_npi == b->destination_npi);
	cr_assert_eq(a->esm_class, b->esm_class);
	cr_assert_eq(a->protocol_id, b->protocol_id);
	cr_assert_eq(a->data_coding, b->data_coding);
	cr_assert_eq(a->receipt_wanted, b->receipt_wanted);
	cr_assert_str_eq(a->validity, b->validity);
	cr_assert_eq(a->data.len, b->data.len);
	cr_assert_arr_eq(a->data.data, b->data.data, a->data.len);
}

Test(smpp, messages_arrive_intact_both_ways)
{
	static const size_t sizes[] = { 3, 140, SMPP_DATA_MAX };
	struct owner esme = { 0 }, smsc = { 0 };
	uint8_t data[SMPP_DATA_MAX + 1];

	fill(data, sizeof(data));
	pair_open(&esme, &smsc);
	pump(&esme, &smsc);
	for (size_t i = 0; i < LEN(sizes); i++) {
		struct smpp_message m = command_sms(data, sizes[i]);

		smpp_validity_format(90000, m.validity);
		cr_assert(smpp_send(esme.s, &m, 1000 + i));
		cr_assert(smpp_send(smsc.s, &m, 2000 + i));
		pump(&esme, &smsc);
		same_message(&smsc.last, &m);
		same_message(&esme.last, &m);
		cr_assert_not(esme.last.is_receipt);
		smpp_answer(smsc.s, smsc.last_sequence, SMPP_OK, "00Ab9");
		smpp_answer(esme.s, esme.last_sequence, SMPP_SYSTEM_ERROR, "");
		pump(&esme, &smsc);
		cr_assert_eq(esme.n_answered, (int)i + 1);
		cr_assert_eq(esme.answered[i].token, 1000 + i);
		cr_assert_eq(esme.answered[i].status, SMPP_OK);
		cr_assert_str_eq(esme.answered[i].id, "00Ab9");
		cr_assert_eq(smsc.answered[i].token, 2000 + i);
		cr_assert_eq(smsc.answered[i].status, SMPP_SYSTEM_ERROR);
	}
	cr_assert_not(smpp_send(esme.s, &(struct smpp_message){ .data = { data, SMPP_DATA_MAX + 1 } }, 1),
		      "too long for a short message");
	cr_assert_eq(smpp_room(esme.s), 3);
	cr_assert_eq(esme.ended + smsc.ended, 0);
	pair_close(&esme, &smsc);
}

Test(smpp, window_holds_back_and_answers_come_in_any_order)
{
	struct owner esme = { 0 }, smsc = { 0 };
	uint8_t data[20] = { 0 };
	struct smpp_message m = command_sms(data, sizeof(data));

	fill(data, sizeof(data));
	pair_open(&esme, &smsc);
	pump(&esme, &smsc);
	for (uint64_t token = 1; token <= 3; token++)
		cr_assert(smpp_send(esme.s, &m, token));
	cr_assert_eq(smpp_room(esme.s), 0);
	cr_assert_not(smpp_send(esme.s, &m, 4));
	pump(&esme, &smsc);
	cr_assert_eq(smsc.messages, 3);
	smpp_answer(smsc.s, smsc.last_sequence, SMPP_THROTTLED, "");
	pump(&esme, &smsc);
	cr_assert_eq(esme.n_answered, 1);
	cr_assert_eq(esme.answered[0].token, 3);
	cr_assert_eq(esme.answered[0].status, SMPP_THROTTLED);
	smpp_answer(smsc.s, smsc.last_sequence, SMPP_OK, "9");
	smpp_answer(smsc.s, smsc.last_sequence - 2, SMPP_OK, "7");
	pump(&esme, &smsc);
	cr_assert_eq(esme.n_answered, 2, "the same answer twice is one");
	cr_assert_eq(esme.answered[1].token, 1);
	cr_assert_str_eq(esme.answered[1].id, "7");
	cr_assert_eq(smpp_room(esme.s), 2);
	pair_close(&esme, &smsc);
}

Test(smpp, receipts_say_which_message_they_mean)
{
	static const char text[] =
		"id:0123ABCD sub:001 dlvrd:001 submit date:2601150930 done date:2601150931 stat:delivrd err:000 text:id:9";
	struct owner esme = { 0 }, smsc = { 0 };
	struct smpp_message m = { .source = "1",
				  .destination = "2",
				  .esm_class = SMPP_ESM_RECEIPT,
				  .data = { (const uint8_t *)text, sizeof(text) - 1 } };

	pair_open(&esme, &smsc);
	pump(&esme, &smsc);
	cr_assert(smpp_send(smsc.s, &m, 1));
	pump(&esme, &smsc);
	cr_assert(esme.last.is_receipt);
	cr_assert_str_eq(esme.last.receipt_id, "0123ABCD");
	cr_assert_str_eq(esme.last.receipt_state, "DELIVRD");
	m.is_receipt = true;
	strcpy(m.receipt_id, "77");
	strcpy(m.receipt_state, "UNDELIV");
	cr_assert(smpp_send(smsc.s, &m, 2));
	pump(&esme, &smsc);
	cr_assert_str_eq(esme.last.receipt_id, "77", "the TLV is stronger than the text");
	cr_assert_str_eq(esme.last.receipt_state, "UNDELIV");
	m = (struct smpp_message){ .esm_class = SMPP_ESM_RECEIPT };
	cr_assert(smpp_send(smsc.s, &m, 3));
	pump(&esme, &smsc);
	cr_assert(esme.last.is_receipt);
	cr_assert_str_empty(esme.last.receipt_id);
	cr_assert_str_empty(esme.last.receipt_state);
	m = (struct smpp_message){ .data = { (const uint8_t *)text, sizeof(text) - 1 } };
	smpp_answer(esme.s, esme.last_sequence, SMPP_OK, NULL);
	pump(&esme, &smsc);
	cr_assert(smpp_send(smsc.s, &m, 4));
	pump(&esme, &smsc);
	cr_assert_not(esme.last.is_receipt, "the text alone makes none");
	pair_close(&esme, &smsc);
}

Test(smpp, ids_are_equal_in_decimal_and_hexadecimal)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
		{ "10", "A", true },
		{ "10", "a", true },
		{ "10", "0000000A", true },
		{ "10", "10", true },
		{ "10", "B", false },
		{ "abc", "00ABC", true },
		{ "x-1", "X-1", true },
		{ "x-1", "x-2", false },
		{ "0", "000", true },
		{ "0", "", false },
		{ "", "", false },
		{ "1", "2", false },
		{ "255", "ff", true },
		{ "256", "ff", false },
		{ "12G", "12", false },
		{ "-10", "A", false },
		{ " 10", "A", false },
		{ "+10", "A", false },
		{ "0x10", "16", false },
		{ "16", "10", true },
		{ "18446744073709551615", "FFFFFFFFFFFFFFFF", true },
		{ "18446744073709551616", "10000000000000000", false },
		{ "18446744073709551616", "18446744073709551616", true },
		{ "99999999999999999999999999", "FFFFFFFFFFFFFFFF", false },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		cr_assert_eq(smpp_id_equal(rows[i].a, rows[i].b), rows[i].equal, "%s %s", rows[i].a, rows[i].b);
		cr_assert_eq(smpp_id_equal(rows[i].b, rows[i].a), rows[i].equal, "%s %s", rows[i].b, rows[i].a);
	}
}

Test(smpp, owner_may_close_in_any_callback)
{
	struct owner esme = { 0 }, smsc = { .closes = true };
	uint8_t data[20] = { 0 };
	struct smpp_message m = command_sms(data, sizeof(data));

	fill(data, sizeof(data));
	pair_open(&esme, &smsc);
	pump(&esme, &smsc);
	cr_assert_null(smsc.s, "closed in bound");
	cr_assert_eq(esme.ended, 1);
	pair_close(&esme, &smsc);

	esme = (struct owner){ 0 };
	smsc = (struct owner){ 0 };
	pair_open(&esme, &smsc);
	pump(&esme, &smsc);
	cr_assert(smpp_send(esme.s, &m, 1));
	cr_assert(smpp_send(esme.s, &m, 2));
	smsc.closes = esme.closes = true;
	pump(&esme, &smsc);
	cr_assert_null(smsc.s, "closed in message");
	cr_assert_eq(smsc.messages, 1, "and nothing is told to a closed one");
	cr_assert_null(esme.s, "closed in answered");
	cr_assert_eq(esme.n_answered, 1);
	cr_assert_eq(esme.ended, 0);
}

static void check_validity(int64_t ms, const char *text, int64_t back_ms)
{
	char out[SMPP_TIME + 1];

	smpp_validity_format(ms, out);
	cr_assert_str_eq(out, text);
	cr_assert_eq(smpp_validity_ms(out), back_ms);
}

Test(smpp, validity_periods)
{
	static const char *const bad[] = {
		"1", "000000000130000+", "260101120000000+", "000000000130001R", "00000000013A000R", "000000000130000R0"
	};

	check_validity(90999, "000000000130000R", 90000);
	check_validity(3600000, "000000010000000R", 3600000);
	check_validity(INT64_C(86399000) + 86400000, "000001235959000R", INT64_C(172799000));
	check_validity(-5, "000000000001000R", 1000);
	check_validity(INT64_MAX, "000030000000000R", INT64_C(30) * 86400 * 1000);
	cr_assert_eq(smpp_validity_ms(""), 0);
	cr_assert_eq(smpp_validity_ms("010203040506000R"), ((((INT64_C(365) + 60 + 3) * 24 + 4) * 60 + 5) * 60 + 6) * 1000);
	for (size_t i = 0; i < LEN(bad); i++)
		cr_assert_eq(smpp_validity_ms(bad[i]), -1, "%s", bad[i]);
}
