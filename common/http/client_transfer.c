/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/http/client_internal.h"

enum {
	TIMEOUT_MS = 30000, /* when the caller names none: nothing waits for ever */
	IDLE_S = 25,        /* shorter than our servers' idle_s, so that a kept connection is rarely closed under a request */
	LIFETIME_S = 300,   /* as A5 on the server side: a revocation takes effect */
};

void transfer_free(struct transfer *t)
{
	curl_easy_cleanup(t->curl);
	curl_slist_free_all(t->headers);
	buf_free(&t->sent);
	buf_free(&t->answer);
	free(t);
}

void transfer_end(struct transfer *t, enum http_error error, const char *reason)
{
	struct http_answer answer = { .error = error, .reason = reason, .us = clock_us() - t->started_us };
	long status = 0;

	if (error == HTTP_ANSWERED) {
		curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
		answer.status = (unsigned)status;
		answer.body = (struct bytes){ (const uint8_t *)t->answer.data, t->answer.len };
	}
	t->done(t->user, &answer);
	transfer_free(t);
}

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
	struct transfer *t = user;

	n *= size;
	if (n > t->max_answer - t->answer.len) {
		t->too_large = true;
		return 0;
	}
	buf_add(&t->answer, data, n);
	return n;
}

/* Nothing that a caller passes may start a second header line. */
static bool one_line(const char *text)
{
	return text[strcspn(text, "\r\n")] == 0;
}

static void add_header(struct transfer *t, const char *line)
{
	struct curl_slist *more;

	if (!one_line(line)) {
		t->refused = "a header has a line break";
		return;
	}
	more = curl_slist_append(t->headers, line);
	if (!more)
		abort();
	t->headers = more;
}

static void set_headers(struct transfer *t, const struct http_outgoing *out)
{
	CLEANUP(buf_free) struct buf line = { 0 };

	/* Without a type curl would claim that the body is a form; without this, wait a second for 100-continue. */
	buf_str(&line, "Content-Type:");
	if (out->content_type)
		buf_printf(&line, " %s", out->content_type);
	add_header(t, line.data);
	add_header(t, "Expect:");
	for (const char *const *h = out->headers; h && *h; h++)
		add_header(t, *h);
	curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, t->headers);
}

static void set_method(struct transfer *t, const struct http_outgoing *out)
{
	const char *method = out->method ? out->method : "POST";

	if (!*method || method[strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")]) {
		t->refused = "not a method";
		return;
	}
	if (out->n || !strcmp(method, "POST") || !strcmp(method, "PUT")) {
		buf_add(&t->sent, out->n ? out->body : "", out->n);
		curl_easy_setopt(t->curl, CURLOPT_POST, 1L);
		curl_easy_setopt(t->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)out->n);
		curl_easy_setopt(t->curl, CURLOPT_POSTFIELDS, t->sent.data ? t->sent.data : "");
	}
	curl_easy_setopt(t->curl, CURLOPT_CUSTOMREQUEST, method);
}

static void set_tls(struct transfer *t, const struct http_client_spec *spec, const struct http_outgoing *out)
{
	CURL *e = t->curl;

	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	/* A resumed session is not verified again, and a cached store does not see a replaced trust file. */
	curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	curl_easy_setopt(e, CURLOPT_CA_CACHE_TIMEOUT, 0L);
	/* Only our CAs, never the system's: without a trust file no server is trusted. */
	curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(e, CURLOPT_CAINFO, spec->trust_file);
	if (spec->crl_file)
		curl_easy_setopt(e, CURLOPT_CRLFILE, spec->crl_file);
	if (spec->cert_file) {
		curl_easy_setopt(e, CURLOPT_SSLCERT, spec->cert_file);
		curl_easy_setopt(e, CURLOPT_SSLKEY, spec->key_file);
	}
	if (out->pinned_keys && curl_easy_setopt(e, CURLOPT_PINNEDPUBLICKEY, out->pinned_keys) != CURLE_OK)
		t->refused = "pinned keys cannot be set";
}

static void set_connection(struct transfer *t, const struct http_client_spec *spec, const struct http_outgoing *out)
{
	CURL *e = t->curl;

	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PROXY, ""); /* the environment must not redirect us */
	curl_easy_setopt(e, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)spec->connect_ms);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)(out->timeout_ms ? out->timeout_ms : TIMEOUT_MS));
	curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)IDLE_S);
	curl_easy_setopt(e, CURLOPT_MAXLIFETIME_CONN, (long)LIFETIME_S);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	if (out->unix_path && curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, out->unix_path) != CURLE_OK)
		t->refused = "unix path too long";
	if (curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, out->plain_allowed ? "http,https" : "https") != CURLE_OK)
		t->refused = "libcurl lacks https";
	if (curl_easy_setopt(e, CURLOPT_URL, out->url) != CURLE_OK)
		t->refused = "URL cannot be set";
}

struct transfer *transfer_new(const struct http_client *c, const struct http_outgoing *out)
{
	struct transfer *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->curl = curl_easy_init();
	if (!t->curl)
		abort();
	t->started_us = clock_us();
	t->max_answer = out->max_answer;
	curl_easy_setopt(t->curl, CURLOPT_PRIVATE, t);
	curl_easy_setopt(t->curl, CURLOPT_ERRORBUFFER, t->reason);
	curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, t);
	set_connection(t, &c->spec, out);
	set_tls(t, &c->spec, out);
	set_method(t, out);
	set_headers(t, out);
	return t;
}

/* Bytes of the request that have left, over all connections that curl tried: it tries again by itself when a kept connection
 * turns out to be closed, so that the last failure alone does not say whether something was sent. */
static bool was_sent(const struct transfer *t)
{
	long sent = 0;

	return curl_easy_getinfo(t->curl, CURLINFO_REQUEST_SIZE, &sent) != CURLE_OK || sent > 0;
}

/* A handshake that failed for a reason in TLS, alerts included; not one where the connection just ended. curl has one code for
 * both; an error of OpenSSL's has "error:" and its number in the text. */
static bool tls_reason(const struct transfer *t)
{
	return strstr(t->reason, "error:") && !strstr(t->reason, "unexpected eof");
}

static enum http_error unsent_error(const struct transfer *t, CURLcode code)
{
	/* Not -Wswitch-enum: CURLcode has a hundred values, and the rest means one thing. */
	if (code == CURLE_SSL_CONNECT_ERROR)
		return tls_reason(t) ? HTTP_REFUSED : HTTP_BROKEN;
	if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_PINNEDPUBKEYNOTMATCH || code == CURLE_SSL_ISSUER_ERROR ||
	    code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_CRL_BADFILE ||
	    code == CURLE_SSL_INVALIDCERTSTATUS || code == CURLE_SSL_CIPHER || code == CURLE_USE_SSL_FAILED)
		return HTTP_REFUSED;
	if (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING)
		return HTTP_BROKEN;
	return HTTP_UNREACHABLE;
}

enum http_error transfer_error(const struct transfer *t, CURLcode code)
{
	if (code == CURLE_OK)
		return HTTP_ANSWERED;
	if (t->too_large)
		return HTTP_TOO_LARGE;
	if (!was_sent(t))
		return unsent_error(t, code);
	return code == CURLE_OPERATION_TIMEDOUT ? HTTP_TIMEOUT : HTTP_BROKEN;
}
