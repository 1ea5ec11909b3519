/* SPDX-License-Identifier: Apache-2.0 */
/* The card listener, with our own client and with OpenSSL's as a card of another make. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/http/psk.h"
#include "tests/unit/http/raw.h"

enum { RECORD_OF_512 = 512 + 80 /* IV, MAC and padding of CBC-SHA256 at most */ };

Test(http_psk_server, one_connection_many_requests)
{
	static char text[3000];
	struct cards s = { 0 };

	cards_start(&s);
	memset(text, 't', sizeof(text));
	for (int cbc = 0; cbc < 2; cbc++) {
		struct psk_client_spec spec = card_spec(http_server_port(s.server));
		struct psk_client *c;

		spec.cbc = cbc;
		c = psk_client_open(&spec);
		cr_assert_eq(drive(c, 10000), PSK_READY, "%s", psk_client_why(c));
		for (int i = 0; i < 5; i++) {
			const size_t n = i % 2 ? sizeof(text) : 0;

			cr_assert_eq(ask(c, "/echo?msg=1", text, n, i > 2), PSK_ANSWER, "%s", psk_client_why(c));
			cr_expect_eq(psk_client_status(c), 200);
			cr_expect_eq(psk_client_body(c).len, n);
			cr_expect(!n || !memcmp(psk_client_body(c).data, text, n));
			cr_expect_str_eq(psk_client_header(c, "x-admin-next-uri"), "/next");
			/* A card knows few headers. */
			cr_expect_eq(psk_client_header(c, "Content-Type") != NULL, n > 0);
			cr_expect_not_null(psk_client_header(c, "Content-Length"));
			cr_expect_null(psk_client_header(c, "Date"));
			cr_expect_null(psk_client_header(c, "Connection"));
		}
		cr_assert_eq(ask(c, "/end", text, 10, false), PSK_ANSWER);
		cr_expect_eq(psk_client_status(c), 204);
		cr_expect_null(psk_client_header(c, "Content-Type"));
		cr_expect_null(psk_client_header(c, "Content-Length"));
		cr_expect_str_eq(psk_client_header(c, "X-Admin-Next-URI"), "/next");
		cr_expect_eq(psk_client_run(c), PSK_WAIT, "204 does not end the connection");
		psk_client_close(c, cbc);
	}
	cr_expect_eq(s.accepted, 2, "once per connection");
	cr_expect_str_eq(s.identity, CARD);
	cr_expect_eq(s.handled, 12);
	cr_expect_eq(s.asked, 2);
	cr_expect_eq(s.without_thread, 0);
	cards_stop(&s);
	cr_expect_eq(s.freed, 2);
}

Test(http_psk_server, strangers_reach_no_handler)
{
	struct cards s = { 0 };

	cards_start(&s);
	for (int i = 0; i < 3; i++) {
		struct psk_client_spec spec = card_spec(http_server_port(s.server));
		static const uint8_t other[CARD_KEY_N] = { 7 };
		static char longest[125];
		struct psk_client *c;

		memset(longest, '8', sizeof(longest) - 1);
		if (i == 0)
			spec.key = other;
		else
			spec.identity = i == 1 ? "80010281108900101" : longest;
		c = psk_client_open(&spec);
		cr_expect_eq(drive(c, 10000), PSK_FAILED);
		cr_expect(!strncmp(psk_client_why(c), "handshake: ", 11), "%s", psk_client_why(c));
		psk_client_close(c, false);
	}
	cr_expect_eq(s.asked, 3);
	cr_expect_eq(s.accepted + s.handled, 0);
	cards_stop(&s);
}

Test(http_psk_server, records_are_as_small_as_the_card_asked)
{
	struct cards s = { 0 };

	cards_start(&s);
	for (int i = 0; i < 3; i++) {
		struct relay r = { .to = http_server_port(s.server) };
		struct psk_client_spec spec;
		struct psk_client *c;

		relay_start(&r);
		spec = card_spec(r.port);
		spec.max_fragment = i ? 512 : 0;
		spec.cbc = i == 2;
		c = psk_client_open(&spec);
		cr_assert_eq(drive(c, 10000), PSK_READY, "%s", psk_client_why(c));
		cr_assert_eq(ask(c, "/big", "x", 1, false), PSK_ANSWER, "%s", psk_client_why(c));
		cr_expect_eq(psk_client_body(c).len, BIG + 3);
		psk_client_close(c, true);
		relay_stop(&r);
		if (i) {
			cr_expect_leq(r.largest, RECORD_OF_512);
			cr_expect_geq(r.records, BIG / 512);
		} else {
			cr_expect_gt(r.largest, RECORD_OF_512);
		}
	}
	cards_stop(&s);
}

Test(http_psk_server, parked_card_gets_script_with_headers)
{
	static const struct http_header headers[] = { { "X-Admin-Protocol", "globalplatform-remote-admin/1.0" },
						      { "X-Admin-Next-URI", "/next?x=2" },
						      { "X-Admin-Targeted-Application",
							"//aid/A000000559/1010FFFFFFFF8900000100" } };
	struct cards s = { 0 };
	struct psk_client_spec spec;
	struct psk_client *c;

	cards_start(&s);
	spec = card_spec(http_server_port(s.server));
	spec.max_fragment = 512;
	c = psk_client_open(&spec);
	cr_assert_eq(drive(c, 10000), PSK_READY);
	cr_assert(psk_client_post(c, "/park", NULL, 0, NULL, 0, false));
	cr_expect_eq(drive(c, 200), PSK_WAIT);
	cr_assert_eq(http_parked(s.server), 1);
	cr_assert(cards_resume(&s, "script", headers, 3));
	cr_assert_eq(drive(c, 10000), PSK_ANSWER, "%s", psk_client_why(c));
	for (size_t i = 0; i < 3; i++)
		cr_expect_str_eq(psk_client_header(c, headers[i].name), headers[i].value);
	cr_expect_eq(psk_client_body(c).len, 6);
	/* A power cut while parked is noticed. */
	cr_assert(psk_client_post(c, "/park", NULL, 0, NULL, 0, true));
	cr_expect_eq(drive(c, 200), PSK_WAIT);
	psk_client_close(c, false);
	for (int i = 0; i < 500 && http_parked(s.server); i++)
		sleep_ms(10);
	cr_expect_eq(http_parked(s.server), 0);
	cr_expect_not(cards_resume(&s, "late", NULL, 0));
	cards_stop(&s);
}

/* What s_client prints on a connection on which it sends request, with the answer. */
static void s_client(uint16_t port, const char *cipher, const char *request, char *out, size_t size)
{
	char target[32];
	int in[2], from[2];
	pid_t pid;

	snprintf(target, sizeof(target), "127.0.0.1:%u", port);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, from), 0);
	pid = fork();
	if (pid == 0) {
		dup2(in[1], 0);
		dup2(from[1], 1);
		dup2(from[1], 2);
		execlp("openssl", "openssl", "s_client", "-connect", target, "-psk", CARD_KEY_HEX, "-psk_identity", CARD, "-tls1_2",
		       "-cipher", cipher, "-maxfraglen", "512", "-tlsextdebug", NULL);
		_exit(127);
	}
	cr_assert_gt(pid, 0);
	close(in[1]);
	close(from[1]);
	raw_send(in[0], request);
	/* It ends when its input does: not before the answer is there. */
	cr_expect_geq(raw_read_until(from[0], "xxend", out, size, 10000), 0, "%s", out);
	close(in[0]);
	close(from[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

Test(http_psk_server, another_makes_card)
{
	static const char request[] =
		"POST /big HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n12\r\n5\r\n34567\r\n0\r\n\r\n";
	static const char *const ciphers[] = { "PSK-AES128-GCM-SHA256", "PSK-AES128-CBC-SHA256" };
	static char out[64 << 10];
	struct cards s = { 0 };

	cards_start(&s);
	for (size_t i = 0; i < 2; i++) {
		struct relay r = { .to = http_server_port(s.server) };

		relay_start(&r);
		s_client(r.port, ciphers[i], request, out, sizeof(out));
		relay_stop(&r);
		cr_expect(strstr(out, ciphers[i]), "%s", out);
		cr_expect(strstr(out, "HTTP/1.1 200 OK"), "%s", out);
		cr_expect_leq(r.largest, RECORD_OF_512);
		cr_expect_geq(r.records, BIG / 512);
		cr_expect(strstr(out, "\"max fragment length\""), "%s", out);
		/* A card that sees it echoed gives up (card.md 6). */
		cr_expect_null(strstr(out, "\"encrypt-then-mac\""), "%s", out);
		cr_expect_null(strstr(out, "\"session ticket\""), "%s", out);
	}
	cr_expect_eq(s.handled, 2);
	cards_stop(&s);
}

Test(http_psk_server, a_psk_function_is_required)
{
	struct http_spec spec = { .name = "cards", .security = HTTP_PSK, .handlers.handle = NULL };
	char error[256];

	cr_expect_null(http_server_open(&spec, error));
	cr_expect(strstr(error, "psk is not set"), "%s", error);
}
