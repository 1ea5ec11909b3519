/* SPDX-License-Identifier: Apache-2.0 */
#include "common/http/server_tls.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/base/secret.h"

enum { FILE_MAX = 4 << 20 }; /* a CRL of many thousand entries still fits */
enum { F_CERT, F_KEY, F_TRUST, F_CRL, FILES };

static const char *const file_names[FILES] = { "cert_file", "key_file", "trust_file", "crl_file" };

/* A file's identity: a replaced file differs in at least one of these, even within the same second. */
struct stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
};

struct tls_creds {
	gnutls_certificate_credentials_t x509;
	unsigned refs; /* the listener's own, and one per connection; under http_tls.lock */
};

struct http_tls {
	const char *name;
	bool mutual;
	const char *path[FILES]; /* NULL: not used */
	pthread_mutex_t lock;
	struct tls_creds *current;
	struct stamp seen[FILES]; /* what was last read or tried */
};

static void stamp_take(const struct http_tls *t, struct stamp out[FILES])
{
	memset(out, 0, sizeof(struct stamp) * FILES);
	for (unsigned i = 0; i < FILES; i++) {
		struct stat st;

		if (!t->path[i] || stat(t->path[i], &st) < 0)
			continue;
		out[i].dev = st.st_dev;
		out[i].ino = st.st_ino;
		out[i].size = st.st_size;
		out[i].mtime = st.st_mtim;
	}
}

static bool stamps_equal(const struct stamp *a, const struct stamp *b)
{
	for (unsigned i = 0; i < FILES; i++)
		if (a[i].dev != b[i].dev || a[i].ino != b[i].ino || a[i].size != b[i].size ||
		    a[i].mtime.tv_sec != b[i].mtime.tv_sec || a[i].mtime.tv_nsec != b[i].mtime.tv_nsec)
			return false;
	return true;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* 0 or -errno. */
static int file_read(const char *path, struct buf *out)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char part[8192];

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n = read(fd, part, sizeof(part));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (out->len + (size_t)n > FILE_MAX)
			return -EFBIG;
		buf_add(out, part, (size_t)n);
	}
}

static bool complain(const struct http_tls *t, unsigned file, const char *why, char error[256])
{
	snprintf(error, 256, "%s %s: %s", file_names[file], t->path[file], why);
	return false;
}

static gnutls_datum_t datum(const void *data, size_t n)
{
	union {
		const void *c;
		unsigned char *v;
	} u = { .c = data }; /* gnutls only reads it */

	return (gnutls_datum_t){ u.v, (unsigned)n };
}

static bool load_own(const struct http_tls *t, gnutls_certificate_credentials_t x509, char error[256])
{
	CLEANUP(buf_free) struct buf cert = { 0 };
	CLEANUP(secret_free) struct secret key = { 0 };
	gnutls_datum_t cert_pem, key_pem;
	int rc = file_read(t->path[F_CERT], &cert);

	if (rc < 0)
		return complain(t, F_CERT, strerror(-rc), error);
	rc = secret_read_file(t->path[F_KEY], FILE_MAX, &key);
	if (rc == -EPERM)
		return complain(t, F_KEY, "group or others can read it; chmod 600", error);
	if (rc < 0)
		return complain(t, F_KEY, strerror(-rc), error);
	cert_pem = datum(cert.data, cert.len);
	key_pem = datum(key.data, key.len);
	rc = gnutls_certificate_set_x509_key_mem2(x509, &cert_pem, &key_pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (rc < 0)
		return complain(t, rc == GNUTLS_E_CERTIFICATE_KEY_MISMATCH ? F_KEY : F_CERT, gnutls_strerror(rc), error);
	return true;
}

struct x509_list {
	gnutls_x509_crt_t *crts;
	gnutls_x509_crl_t *crls;
	unsigned n_crts, n_crls;
};

static void x509_list_free(struct x509_list *l)
{
	for (unsigned i = 0; i < l->n_crts; i++)
		gnutls_x509_crt_deinit(l->crts[i]);
	for (unsigned i = 0; i < l->n_crls; i++)
		gnutls_x509_crl_deinit(l->crls[i]);
	gnutls_free(l->crts);
	gnutls_free(l->crls);
}

/* gnutls takes any CRL; one that no trusted CA has signed would revoke nothing and look as if it did. */
static bool crl_is_ours(const gnutls_datum_t *trust, const gnutls_datum_t *crl)
{
	CLEANUP(x509_list_free) struct x509_list l = { 0 };
	unsigned status;

	if (gnutls_x509_crt_list_import2(&l.crts, &l.n_crts, trust, GNUTLS_X509_FMT_PEM, 0) < 0) {
		l.n_crts = 0;
		return false;
	}
	if (gnutls_x509_crl_list_import2(&l.crls, &l.n_crls, crl, GNUTLS_X509_FMT_PEM, 0) < 0) {
		l.n_crls = 0;
		return false;
	}
	for (unsigned i = 0; i < l.n_crls; i++)
		if (gnutls_x509_crl_verify(l.crls[i], l.crts, l.n_crts, 0, &status) >= 0 &&
		    !(status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNATURE_FAILURE | GNUTLS_CERT_SIGNER_NOT_CA)))
			return true;
	return false;
}

static bool load_trust(const struct http_tls *t, gnutls_certificate_credentials_t x509, char error[256])
{
	CLEANUP(buf_free) struct buf trust = { 0 };
	CLEANUP(buf_free) struct buf crl = { 0 };
	gnutls_datum_t trust_pem, crl_pem;
	int rc = file_read(t->path[F_TRUST], &trust);

	if (rc < 0)
		return complain(t, F_TRUST, strerror(-rc), error);
	trust_pem = datum(trust.data, trust.len);
	rc = gnutls_certificate_set_x509_trust_mem(x509, &trust_pem, GNUTLS_X509_FMT_PEM);
	if (rc <= 0)
		return complain(t, F_TRUST, rc < 0 ? gnutls_strerror(rc) : "no certificate in it", error);
	if (!t->path[F_CRL])
		return true;
	rc = file_read(t->path[F_CRL], &crl);
	if (rc < 0)
		return complain(t, F_CRL, strerror(-rc), error);
	crl_pem = datum(crl.data, crl.len);
	rc = gnutls_certificate_set_x509_crl_mem(x509, &crl_pem, GNUTLS_X509_FMT_PEM);
	if (rc <= 0)
		return complain(t, F_CRL, rc < 0 ? gnutls_strerror(rc) : "no CRL in it", error);
	if (!crl_is_ours(&trust_pem, &crl_pem))
		return complain(t, F_CRL, "no CA of trust_file has signed it", error);
	return true;
}

static struct tls_creds *creds_load(const struct http_tls *t, char error[256])
{
	struct tls_creds *c = calloc(1, sizeof(*c));

	if (!c || gnutls_certificate_allocate_credentials(&c->x509) < 0)
		abort();
	c->refs = 1;
	if (load_own(t, c->x509, error) && (!t->mutual || load_trust(t, c->x509, error)))
		return c;
	gnutls_certificate_free_credentials(c->x509);
	free(c);
	return NULL;
}

/* Lock held. */
static void creds_unref(struct tls_creds *c)
{
	if (!c || --c->refs)
		return;
	gnutls_certificate_free_credentials(c->x509);
	free(c);
}

struct http_tls *tls_open(const struct http_spec *spec, char error[256])
{
	struct http_tls *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->name = spec->name;
	t->mutual = spec->security == HTTP_MUTUAL_TLS;
	t->path[F_CERT] = spec->cert_file;
	t->path[F_KEY] = spec->key_file;
	t->path[F_TRUST] = t->mutual ? spec->trust_file : NULL;
	t->path[F_CRL] = t->mutual ? spec->crl_file : NULL;
	pthread_mutex_init(&t->lock, NULL);
	for (unsigned i = F_CERT; i <= (t->mutual ? F_TRUST : F_KEY); i++) {
		if (t->path[i])
			continue;
		snprintf(error, 256, "%s is not set", file_names[i]);
		tls_close(t);
		return NULL;
	}
	stamp_take(t, t->seen);
	t->current = creds_load(t, error);
	if (t->current)
		return t;
	tls_close(t);
	return NULL;
}

void tls_close(struct http_tls *t)
{
	if (!t)
		return;
	creds_unref(t->current);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

/* Lock held. A file that is broken or half written must not stop the listener: the old credentials stay until the next change. */
static void refresh(struct http_tls *t)
{
	struct stamp now[FILES];
	struct tls_creds *fresh;
	char error[256];

	stamp_take(t, now);
	if (stamps_equal(now, t->seen))
		return;
	memcpy(t->seen, now, sizeof(now));
	fresh = creds_load(t, error);
	if (!fresh) {
		metric_add("rsp_http_tls_reload_failures_total", "", 1);
		log_msg(LOG_ERROR, "http_tls_reload_failed", "%s: %s; the former certificates stay in use", t->name, error);
		return;
	}
	creds_unref(t->current);
	t->current = fresh;
	log_msg(LOG_INFO, "http_tls_reloaded", "%s", t->name);
}

struct tls_creds *tls_attach(struct http_tls *t, gnutls_session_t session)
{
	/* gnutls keeps the pointer for the life of the session. Without the purpose a certificate for servers only would be
	 * accepted (recipes.md 1 a). */
	static unsigned char client_purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
	static gnutls_typed_vdata_st purpose = { GNUTLS_DT_KEY_PURPOSE_OID, client_purpose, 0 };
	struct tls_creds *c;

	pthread_mutex_lock(&t->lock);
	refresh(t);
	c = t->current;
	c->refs++;
	pthread_mutex_unlock(&t->lock);
	if (gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, c->x509) < 0) {
		tls_release(t, c);
		return NULL;
	}
	if (t->mutual) {
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
		gnutls_session_set_verify_cert2(session, &purpose, 1, 0);
	} else {
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_IGNORE);
	}
	return c;
}

void tls_release(struct http_tls *t, struct tls_creds *creds)
{
	pthread_mutex_lock(&t->lock);
	creds_unref(creds);
	pthread_mutex_unlock(&t->lock);
}

struct bytes tls_peer(gnutls_session_t session)
{
	unsigned n = 0;
	const gnutls_datum_t *chain = session ? gnutls_certificate_get_peers(session, &n) : NULL;

	return chain && n ? (struct bytes){ chain[0].data, chain[0].size } : (struct bytes){ 0 };
}
