/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions against a peer that is written by hand: late, silent, broken, gone. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/unit/card/smpp_pair.h"

static const struct smpp_message one = { .source = "1", .destination = "2", .data = { (const uint8_t *)"x", 1 } };

Test(smpp_raw, bind_and_submit_have_the_bytes_of_the_specification)
{
	static const uint8_t bind[] = "sm-sr\0secret\0M2M\0\x34\0\0";
	static const uint8_t submit[] = "\0\1\1"
					"8988211\0\1\1"
					"88211\0\x40\x7F\0\0\0\1\0\xF6\0\3\2\x70";
	const struct smpp_message m = {
		"8988211", "88211", 1, 1, 1, 1, SMPP_ESM_UDHI, 0x7F, 0xF6, true, { (const uint8_t *)"\2\x70", 3 }
	};
	uint32_t command, status, sequence;
	struct owner o = { 0 };
	struct smpp_spec spec = spec_of(SMPP_ESME, &o, 0, 0);
	CLEANUP(buf_free) struct buf b = { 0 };
	uint8_t body[1024];
	int fd = raw_open(&o, &spec);

	pump(&o, NULL);
	cr_assert_eq(raw_read(fd, &command, &status, &sequence, body), (int)sizeof(bind));
	cr_assert_eq(command, 9);
	cr_assert_eq(status, 0);
	cr_assert_arr_eq(body, bind, sizeof(bind));
	raw_pdu(&b, 0x80000009, 0, sequence, "smsc\0\x02\x10\0\1\x34", 10);
	raw_write(fd, &b);
	pump(&o, NULL);
	cr_assert_str_eq(o.system_id, "smsc");
	cr_assert(smpp_send(o.s, &m, 1));
	pump(&o, NULL);
	cr_assert_eq(raw_read(fd, &command, &status, &sequence, body), (int)sizeof(submit));
	cr_assert_eq(command, 4);
	cr_assert_arr_eq(body, submit, sizeof(submit));
	smpp_close(o.s);
	cr_assert_eq(raw_read(fd, &command, &status, &sequence, body), 0);
	cr_assert_eq(command, 6, "unbind");
	cr_assert_eq(raw_read(fd, &command, &status, &sequence, body), -1);
	close(fd);
}

static void deliver(struct owner *o, int fd, uint8_t esm_class, struct bytes data, struct buf *tlvs)
{
	CLEANUP(buf_free) struct buf body = { 0 }, b = { 0 };

	raw_message(&body, esm_class, data, (struct bytes){ (const uint8_t *)tlvs->data, tlvs->len });
	raw_pdu(&b, 5, 0, 77, body.data, body.len);
	buf_clear(tlvs);
	raw_write(fd, &b);
	pump(o, NULL);
}

Test(smpp_raw, payload_and_receipt_tlvs_are_read)
{
	struct owner o = { 0 };
	struct smpp_spec spec = spec_of(SMPP_ESME, &o, 0, 0);
	CLEANUP(buf_free) struct buf tlvs = { 0 };
	int fd = raw_open(&o, &spec);
	uint8_t payload[200];

	raw_accept(&o, fd);
	memset(payload, 0xA7, sizeof(payload));
	raw_tlv(&tlvs, 0x0424, payload, sizeof(payload));
	deliver(&o, fd, 0x40, (struct bytes){ 0 }, &tlvs);
	cr_assert_eq(o.messages, 1);
	cr_assert_eq(o.last_sequence, 77);
	cr_assert_eq(o.last.data.len, 200);
	cr_assert_arr_eq(o.last_data, payload, 200);
	cr_assert_str_eq(o.last.source, "8988211");
	cr_assert_str_eq(o.last.destination, "SMSR");
	cr_assert_eq(o.last.destination_ton, 5);
	raw_tlv(&tlvs, 0x1401, "vendor", 6);
	raw_tlv(&tlvs, 0x001E, "1f\xFF", 4);
	raw_tlv(&tlvs, 0x0427, "\5", 1);
	deliver(&o, fd, 0x04, (struct bytes){ (const uint8_t *)"id:2 stat:DELIVRD", 17 }, &tlvs);
	cr_assert_eq(o.messages, 2);
	cr_assert(o.last.is_receipt);
	cr_assert_str_eq(o.last.receipt_id, "1f?", "what is no text must not reach a table");
	cr_assert_str_eq(o.last.receipt_state, "UNDELIV");
	smpp_close(o.s);
	close(fd);
}

/* However slow the machine is: 5 s. */
static void pump_until_said(struct owner *o, int fd)
{
	int64_t end = clock_ms() + 5000;
	uint8_t byte;

	while (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0 && clock_ms() < end)
		pump_ms(o, NULL, 2, NULL);
}

Test(smpp_raw, silence_is_asked_about_and_then_ends)
{
	struct owner o = { 0 };
	struct smpp_spec spec = spec_of(SMPP_ESME, &o, 30, 500);
	CLEANUP(buf_free) struct buf b = { 0 };
	uint32_t command, status, sequence;
	int fd = raw_open(&o, &spec);
	uint8_t body[1024];

	raw_accept(&o, fd);
	for (int i = 0; i < 3; i++) {
		cr_assert(smpp_timeout_ms(o.s) <= 30);
		pump_until_said(&o, fd);
		cr_assert_eq(raw_read(fd, &command, &status, &sequence, body), 0);
		cr_assert_eq(command, 0x15);
		raw_pdu(&b, 0x80000015, 0, sequence, NULL, 0);
		raw_write(fd, &b);
		pump(&o, NULL);
	}
	cr_assert_eq(o.ended, 0);
	pump_ms(&o, NULL, 5000, &o.ended);
	cr_assert_eq(o.ended, 1);
	cr_assert_str_eq(o.why, "enquire_link was not answered");
	smpp_run(o.s, 1);
	cr_assert_eq(o.ended, 1);
	smpp_close(o.s);
	close(fd);
}

Test(smpp_raw, enquire_link_is_answered)
{
	struct owner o = { 0 };
	struct smpp_spec spec = spec_of(SMPP_SMSC, &o, 0, 0);
	CLEANUP(buf_free) struct buf b = { 0 };
	uint32_t command, status, sequence;
	int fd = raw_open(&o, &spec);
	uint8_t body[1024];

	raw_pdu(&b, 0x15, 0, 0x12345678, NULL, 0);
	raw_write(fd, &b);
	pump(&o, NULL);
	cr_assert_eq(raw_read(fd, &command, &status, &sequence, body), 0);
	cr_assert_eq(command, 0x80000015);
	cr_assert_eq(sequence, 0x12345678);
	smpp_close(o.s);
	close(fd);
}

Test(smpp_raw, what_is_not_answered_is_told_once)
{
	struct owner o = { 0 };
	struct smpp_spec spec = spec_of(SMPP_ESME, &o, 0, 500);
	CLEANUP(buf_free) struct buf b = { 0 };
	uint32_t command, status, sequence;
	int fd = raw_open(&o, &spec);
	uint8_t body[1024];

	raw_accept(&o, fd);
	cr_assert(smpp_send(o.s, &one, 5));
	pump(&o, NULL);
	cr_assert(raw_read(fd, &command, &status, &sequence, body) > 0);
	pump_ms(&o, NULL, 5000, &o.n_answered);
	cr_assert_eq(o.n_answered, 1);
	cr_assert_eq(o.answered[0].token, 5);
	cr_assert_eq(o.answered[0].status, SMPP_SYSTEM_ERROR);
	cr_assert_str_empty(o.answered[0].id);
	cr_assert_eq(smpp_room(o.s), 3);
	raw_pdu(&b, 0x80000004, 0, sequence, "late", 5);
	raw_write(fd, &b);
	pump(&o, NULL);
	cr_assert_eq(o.n_answered, 1);
	cr_assert_eq(o.ended, 0);
	smpp_close(o.s);
	close(fd);
}

Test(smpp_raw, answers_without_a_body_and_nacks_count)
{
	struct owner o = { 0 };
	struct smpp_spec spec = spec_of(SMPP_ESME, &o, 0, 0);
	CLEANUP(buf_free) struct buf b = { 0 };
	uint32_t command, status, sequence;
	int fd = raw_open(&o, &spec);
	uint8_t body[1024];

	raw_accept(&o, fd);
	for (uint64_t token = 0; token < 3; token++)
		cr_assert(smpp_send(o.s, &one, token));
	pump(&o, NULL);
	cr_assert(raw_read(fd, &command, &status, &sequence, body) > 0);
	raw_pdu(&b, 0x80000004, 0x0B, sequence, NULL, 0);
	raw_pdu(&b, 0x80000000, 0, sequence + 1, NULL, 0);
	raw_pdu(&b, 0x80000005, 0, sequence + 2, "", 1);    /* not the answer to a submit_sm */
	raw_pdu(&b, 0x80000004, 0, sequence + 100, "1", 2); /* nobody asked */
	raw_pdu(&b, 0x80000000, 3, 0, NULL, 0);
	raw_write(fd, &b);
	pump(&o, NULL);
	cr_assert_eq(o.n_answered, 2);
	cr_assert_eq(o.answered[0].status, SMPP_INVALID_DESTINATION);
	cr_assert_eq(o.answered[1].token, 1);
	cr_assert_eq(o.answered[1].status, SMPP_SYSTEM_ERROR, "a nack that says OK");
	raw_pdu(&b, 0x80000004, 0, sequence + 2, NULL, 0);
	raw_write(fd, &b);
	pump(&o, NULL);
	cr_assert_eq(o.n_answered, 3);
	cr_assert_eq(o.answered[2].status, SMPP_OK, "accepted, with no id");
	cr_assert_str_empty(o.answered[2].id);
	cr_assert_eq(o.ended, 0);
	smpp_close(o.s);
	close(fd);
}

Test(smpp_raw, unknown_and_misplaced_commands_are_refused_and_it_goes_on)
{
	/* command -> answer, status */
	static const uint32_t rows[][3] = {
		{ 0x103, 0x80000000, 3 }, { 0x03, 0x80000000, 3 }, { 0x7FFFFFFF, 0x80000000, 3 },
		{ 0x05, 0x80000000, 3 },  { 0x04, 0x80000004, 8 }, { 0x09, 0x80000009, 8 },
	};
	struct owner o = { 0 };
	struct smpp_spec spec = spec_of(SMPP_SMSC, &o, 0, 0);
	CLEANUP(buf_free) struct buf b = { 0 }, message = { 0 };
	uint32_t command, status, sequence;
	int fd = raw_open(&o, &spec);
	uint8_t body[1024];

	raw_message(&message, 0, (struct bytes){ 0 }, (struct bytes){ 0 });
	raw_pdu(&b, 4, 0, 50, message.data, message.len);
	raw_write(fd, &b);
	pump(&o, NULL);
	cr_assert_eq(raw_read(fd, &command, &status, &sequence, body), 0);
	cr_assert(command == 0x80000004 && status == SMPP_NOT_BOUND && sequence == 50);
	raw_pdu(&b, 9, 0, 51, "id\0pw\0\0\x34\0\0", 11);
	raw_write(fd, &b);
	pump(&o, NULL);
	cr_assert(raw_read(fd, &command, &status, &sequence, body) > 0);
	for (uint32_t i = 0; i < LEN(rows); i++) {
		/* 04 and 09 are broken so; 05 comes whole, but not to an SMSC */
		bool whole = rows[i][0] == 5;

		raw_pdu(&b, rows[i][0], 0, 100 + i, whole ? message.data : "", whole ? message.len : 0);
		raw_pdu(&b, rows[i][0] | 0x80000000, 0, 200 + i, NULL, 0); /* no answer to a response */
		raw_write(fd, &b);
		pump(&o, NULL);
		cr_assert_eq(raw_read(fd, &command, &status, &sequence, body), 0);
		cr_assert_eq(command, rows[i][1], "%x", rows[i][0]);
		cr_assert_eq(status, rows[i][2], "%x", rows[i][0]);
		cr_assert_eq(sequence, 100 + i);
	}
	cr_assert_eq(recv(fd, body, 1, MSG_DONTWAIT), -1, "nothing else was said");
	cr_assert(smpp_is_bound(o.s));
	cr_assert_eq(o.messages, 0);
	smpp_close(o.s);
	close(fd);
}

Test(smpp_raw, garbage_length_ends_once_with_a_nack)
{
	static const uint32_t wrong[] = { 0, 1, 15, 4097, 0x7FFFFFFF, 0xFFFFFFFF };
	uint32_t command, status, sequence;
	uint8_t body[1024];

	for (size_t i = 0; i < LEN(wrong); i++) {
		struct owner o = { 0 };
		struct smpp_spec spec = spec_of(SMPP_ESME, &o, 0, 0);
		uint32_t head[4] = { htonl(wrong[i]) };
		int fd = raw_open(&o, &spec);

		raw_accept(&o, fd);
		cr_assert(smpp_send(o.s, &one, 5));
		pump(&o, NULL);
		cr_assert(raw_read(fd, &command, &status, &sequence, body) > 0);
		cr_assert_eq(send(fd, head, sizeof(head), 0), (ssize_t)sizeof(head));
		pump(&o, NULL);
		cr_assert_eq(raw_read(fd, &command, &status, &sequence, body), 0);
		cr_assert_eq(command, 0x80000000);
		cr_assert_eq(status, 2);
		cr_assert_eq(o.ended, 1);
		cr_assert_eq(o.n_answered, 1);
		cr_assert_eq(smpp_room(o.s), 0);
		smpp_close(o.s);
		close(fd);
	}
}

Test(smpp_raw, peer_that_goes_away_ends_it_once)
{
	for (size_t cut = 0; cut <= 17; cut++) {
		struct owner o = { 0 };
		struct smpp_spec spec = spec_of(SMPP_ESME, &o, 0, 0);
		CLEANUP(buf_free) struct buf b = { 0 };
		int fd = raw_open(&o, &spec);

		raw_accept(&o, fd);
		cr_assert(smpp_send(o.s, &one, 5));
		pump(&o, NULL);
		raw_pdu(&b, 0x80000004, 0, 2, "12", 3);
		b.len = cut;
		raw_write(fd, &b);
		shutdown(fd, SHUT_RDWR);
		close(fd);
		pump(&o, NULL);
		cr_assert_eq(o.ended, 1, "cut %zu", cut);
		cr_assert_eq(o.n_answered, 1);
		cr_assert_eq(o.answered[0].status, SMPP_SYSTEM_ERROR);
		cr_assert_not(smpp_is_bound(o.s));
		cr_assert_not(smpp_send(o.s, &one, 6));
		smpp_close(o.s);
	}
}

Test(smpp_raw, unbind_is_answered_and_ends)
{
	struct owner o = { 0 };
	struct smpp_spec spec = spec_of(SMPP_ESME, &o, 0, 0);
	CLEANUP(buf_free) struct buf b = { 0 };
	uint32_t command, status, sequence;
	int fd = raw_open(&o, &spec);
	uint8_t body[1024];

	raw_accept(&o, fd);
	raw_pdu(&b, 6, 0, 9, NULL, 0);
	raw_pdu(&b, 0x15, 0, 10, NULL, 0); /* behind an unbind nothing is read */
	raw_write(fd, &b);
	pump(&o, NULL);
	cr_assert_eq(raw_read(fd, &command, &status, &sequence, body), 0);
	cr_assert(command == 0x80000006 && sequence == 9);
	cr_assert_eq(o.ended, 1);
	smpp_close(o.s);
	cr_assert_eq(raw_read(fd, &command, &status, &sequence, body), -1);
	close(fd);
}

Test(smpp_raw, peer_that_never_binds_is_let_go)
{
	for (int side = SMPP_ESME; side <= SMPP_SMSC; side++) {
		struct owner o = { 0 };
		struct smpp_spec spec = spec_of((enum smpp_side)side, &o, 0, 30);
		int fd = raw_open(&o, &spec);

		pump_ms(&o, NULL, 1000, &o.ended);
		cr_assert_eq(o.ended, 1);
		cr_assert_str_eq(o.why, "not bound in time");
		smpp_close(o.s);
		close(fd);
	}
}

Test(smpp_raw, connects_without_waiting)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct owner esme = { 0 }, smsc = { 0 };
	struct smpp_spec a = spec_of(SMPP_ESME, &esme, 0, 0), b = spec_of(SMPP_SMSC, &smsc, 0, 0);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
	socklen_t n = sizeof(at);

	cr_assert_eq(bind(listener, (struct sockaddr *)&at, n), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&at, &n), 0);
	fd = smpp_connect("127.0.0.1", ntohs(at.sin_port));
	cr_assert(fd >= 0);
	esme.s = smpp_open(&a, fd);
	smsc.s = smpp_open(&b, accept(listener, NULL, NULL));
	pump_ms(&esme, &smsc, 2000, &esme.bound);
	cr_assert_eq(esme.bound, 1);
	pair_close(&esme, &smsc);
	close(listener);
	fd = smpp_connect("127.0.0.1", ntohs(at.sin_port));
	if (fd >= 0) {
		esme = (struct owner){ 0 };
		esme.s = smpp_open(&a, fd);
		pump_ms(&esme, NULL, 2000, &esme.ended);
		cr_assert_eq(esme.ended, 1);
		smpp_close(esme.s);
	} else {
		cr_assert_eq(fd, -ECONNREFUSED);
	}
	cr_assert(smpp_connect("no such host", 2775) < 0);
}
