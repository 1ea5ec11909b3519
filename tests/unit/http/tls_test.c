/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS 1.3 client believes that its handshake succeeded before it is refused: what is asserted is "no HTTP answer" (decisions.md
 * G3). */
#include <criterion/criterion.h>
#include <gnutls/gnutls.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/http/client.h"
#include "common/http/server.h"
#include "tests/unit/http/pki.h"
#include "tests/unit/http/raw.h"

#define ONLY_12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define ONLY_13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"

struct fixture {
	struct pki pki;
	struct http_server *server;
	atomic_int handled, asked;
	atomic_bool accept;
	size_t der_len;
};

static bool peer_accept(void *ctx, const struct http_peer *peer, void **out_peer)
{
	struct fixture *f = ctx;

	f->asked++;
	f->der_len = peer->der.len;
	*out_peer = NULL;
	return f->accept;
}

static void handle(void *ctx, struct http_call *c)
{
	struct fixture *f = ctx;

	f->handled++;
	http_reply(c, 200, "text/plain", "hello", 5);
}

static void start(struct fixture *f, enum http_security security, unsigned request_s)
{
	struct http_spec spec = { .name = "tls",
				  .security = security,
				  .bind_address = "127.0.0.1",
				  .threads = 2,
				  .connections = 20,
				  .max_body = 1000,
				  .request_s = request_s,
				  .ctx = f };
	char error[256];

	f->accept = true;
	pki_open(&f->pki);
	pki_replace(&f->pki, "crl.pem", "live.pem");
	spec.cert_file = pki_path(&f->pki, "server.pem");
	spec.key_file = pki_path(&f->pki, "server.key");
	spec.trust_file = pki_path(&f->pki, "ca.pem");
	spec.crl_file = pki_path(&f->pki, "live.pem");
	spec.handlers = (struct http_handlers){ peer_accept, NULL, handle };
	f->server = http_server_open(&spec, error);
	cr_assert(f->server, "%s", error);
}

static void stop(struct fixture *f)
{
	http_server_close(f->server, 0);
	pki_close(&f->pki);
}

/* The HTTP status that a client with this certificate (NULL: none) gets; 0: none. */
static int status(struct fixture *f, const char *priorities, const char *who)
{
	gnutls_certificate_credentials_t cred;
	char out[1024] = "", cert[16], key[16];
	int fd = raw_connect(http_server_port(f->server)), code = 0;
	gnutls_session_t s;
	ssize_t n;

	gnutls_certificate_allocate_credentials(&cred);
	if (who) {
		snprintf(cert, sizeof(cert), "%s.pem", who);
		snprintf(key, sizeof(key), "%s.key", who);
		cr_assert_eq(gnutls_certificate_set_x509_key_file(cred, pki_path(&f->pki, cert), pki_path(&f->pki, key),
								  GNUTLS_X509_FMT_PEM),
			     0);
		/* Shown whatever CA the server asks for. */
		gnutls_certificate_set_flags(cred, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
	}
	gnutls_init(&s, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL | GNUTLS_FORCE_CLIENT_CERT);
	gnutls_priority_set_direct(s, priorities, NULL);
	gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, cred);
	gnutls_transport_set_int(s, fd);
	gnutls_handshake_set_timeout(s, 10000);
	if (gnutls_handshake(s) >= 0) {
		static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

		gnutls_record_send(s, request, strlen(request));
		do
			n = gnutls_record_recv(s, out, sizeof(out) - 1);
		while (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);
		if (n > 0)
			sscanf(out, "HTTP/1.1 %d", &code);
	}
	gnutls_deinit(s);
	gnutls_certificate_free_credentials(cred);
	close(fd);
	return code;
}

Test(http_tls, client_certificates)
{
	static const char *const versions[] = { ONLY_12, ONLY_13 };
	static const char *const refused[] = { NULL, "foreign", "expired", "serveronly" };
	struct fixture f = { 0 };
	int asked;

	start(&f, HTTP_MUTUAL_TLS, 5);
	for (size_t v = 0; v < 2; v++) {
		cr_expect_eq(status(&f, versions[v], "good"), 200, "%s", versions[v]);
		cr_expect_gt(f.der_len, 100);
		for (size_t i = 0; i < 4; i++) {
			asked = f.asked;
			cr_expect_eq(status(&f, versions[v], refused[i]), 0, "%s %s", versions[v],
				     refused[i] ? refused[i] : "none");
			cr_expect_eq(f.asked, asked);
		}
	}
	cr_expect_eq(status(&f, "NORMAL:-VERS-ALL:+VERS-TLS1.1:%COMPAT", "good"), 0);
	f.accept = false;
	asked = f.handled;
	cr_expect_eq(status(&f, ONLY_13, "good"), 0);
	cr_expect_eq(f.handled, asked);
	stop(&f);
}

Test(http_tls, revocation_takes_effect_while_running)
{
	struct fixture f = { 0 };

	start(&f, HTTP_MUTUAL_TLS, 5);
	cr_expect_eq(status(&f, ONLY_13, "revoked"), 200);
	pki_replace(&f.pki, "crl-revoked.pem", "live.pem");
	cr_expect_eq(status(&f, ONLY_13, "revoked"), 0);
	cr_expect_eq(status(&f, ONLY_12, "revoked"), 0);
	cr_expect_eq(status(&f, ONLY_13, "good"), 200);
	/* A list of nobody's, or half a file: what was known before stays in force. */
	pki_replace(&f.pki, "other-crl.pem", "live.pem");
	cr_expect_eq(status(&f, ONLY_13, "revoked"), 0);
	cr_expect_eq(status(&f, ONLY_13, "good"), 200);
	unlink(pki_path(&f.pki, "live.pem"));
	cr_expect_eq(status(&f, ONLY_13, "revoked"), 0);
	pki_replace(&f.pki, "crl.pem", "live.pem");
	cr_expect_eq(status(&f, ONLY_13, "revoked"), 200);
	stop(&f);
}

Test(http_tls, open_connection_survives_a_reload)
{
	struct fixture f = { 0 };
	struct http_client_spec mine = { 0 };
	struct http_outgoing out = { .method = "GET", .timeout_ms = 10000, .max_answer = 100 };
	struct arena *a = arena_new();
	struct http_answer answer;
	struct http_client *c;
	char error[256];

	start(&f, HTTP_MUTUAL_TLS, 5);
	mine.cert_file = pki_path(&f.pki, "good.pem");
	mine.key_file = pki_path(&f.pki, "good.key");
	mine.trust_file = pki_path(&f.pki, "ca.pem");
	c = http_client_open(&mine, error);
	cr_assert(c, "%s", error);
	out.url = arena_printf(a, "https://127.0.0.1:%u/", http_server_port(f.server));
	http_client_call(c, a, &out, &answer);
	cr_expect_eq(answer.status, 200, "%s", answer.reason);
	pki_replace(&f.pki, "crl-revoked.pem", "live.pem");
	cr_expect_eq(status(&f, ONLY_13, "good"), 200); /* reads the files again */
	http_client_call(c, a, &out, &answer);
	cr_expect_eq(answer.status, 200, "%s", answer.reason);
	cr_expect_eq(f.asked, 2, "one connection each");
	http_client_close(c, 0);
	arena_free(a);
	stop(&f);
}

Test(http_tls, without_client_certificates)
{
	struct fixture f = { 0 };

	start(&f, HTTP_TLS, 5);
	cr_expect_eq(status(&f, ONLY_13, NULL), 200);
	cr_expect_eq(status(&f, ONLY_12, NULL), 200);
	cr_expect_eq(f.der_len, 0);
	stop(&f);
}

static int64_t cpu_ms(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

Test(http_tls, silent_handshake_is_cut_and_costs_nothing)
{
	struct fixture f = { 0 };
	char out[64];
	int64_t cpu, ms;
	int fd;

	start(&f, HTTP_MUTUAL_TLS, 1);
	fd = raw_connect(http_server_port(f.server));
	cr_assert_eq(send(fd, "\x16\x03\x01", 3, 0), 3);
	cpu = cpu_ms();
	ms = raw_read_all(fd, out, sizeof(out), 5000);
	cpu = cpu_ms() - cpu;
	cr_expect(ms >= 800 && ms < 3500, "%ld", (long)ms);
	cr_expect_lt(cpu, 200, "%ld ms of CPU", (long)cpu);
	close(fd);
	/* A handshake that drips never pauses long enough for a timeout between bytes. */
	fd = raw_connect(http_server_port(f.server));
	cr_assert_eq(send(fd, "\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03", 11, 0), 11);
	ms = raw_drip(fd, "x", 5000);
	cr_expect(ms >= 800 && ms < 3500, "%ld", (long)ms);
	close(fd);
	cr_expect_eq(status(&f, ONLY_13, "good"), 200);
	stop(&f);
}

Test(http_tls, bad_files_are_named)
{
	struct pki p;
	struct http_spec spec = { .name = "x", .security = HTTP_MUTUAL_TLS, .handlers.handle = handle };
	char error[256];

	pki_open(&p);
	spec.cert_file = pki_path(&p, "server.pem");
	spec.key_file = pki_path(&p, "good.key");
	spec.trust_file = pki_path(&p, "ca.pem");
	cr_expect_null(http_server_open(&spec, error));
	cr_expect(strstr(error, "key_file"), "%s", error);
	spec.key_file = pki_path(&p, "server.key");
	spec.crl_file = pki_path(&p, "other-crl.pem");
	cr_expect_null(http_server_open(&spec, error));
	cr_expect(strstr(error, "crl_file"), "%s", error);
	spec.crl_file = NULL;
	chmod(spec.key_file, 0640);
	cr_expect_null(http_server_open(&spec, error));
	cr_expect(strstr(error, "chmod 600"), "%s", error);
	spec.trust_file = NULL;
	cr_expect_null(http_server_open(&spec, error));
	cr_expect(strstr(error, "trust_file is not set"), "%s", error);
	pki_close(&p);
}
