/* SPDX-License-Identifier: Apache-2.0 */
/* The card listener's side of TLS: pre-shared keys. The credentials are ours, not MHD's: MHD frees the key that its own callback
 * gives without wiping it (recipes.md 5), GnuTLS wipes what it gets here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/base/secret.h"
#include "common/http/server_internal.h"

enum { KEY_MAX = 64, IDENTITY_MAX = 128 /* GnuTLS takes no longer one */, WHOLE_RECORD = 16384, NO_SUCH_USER = 1 };

/* Runs in the handshake, on a pool thread. NO_SUCH_USER: GnuTLS goes on with a random key, so that a stranger cannot tell an
 * identity that we do not know from a wrong key. */
static int find_key(gnutls_session_t session, const gnutls_datum_t *username, gnutls_datum_t *key)
{
	const struct conn *conn = gnutls_session_get_ptr(session);
	struct http_server *s = conn->server;
	char identity[IDENTITY_MAX + 1] = "";
	uint8_t found[KEY_MAX];
	size_t n = 0;

	if (username->size && username->size <= IDENTITY_MAX && !memchr(username->data, 0, username->size)) {
		memcpy(identity, username->data, username->size);
		n = s->spec.psk(s->spec.ctx, request_thread(s), identity, found, sizeof(found));
	}
	if (!n || n > sizeof(found)) {
		secret_wipe(found, sizeof(found));
		metric_add("rsp_http_psk_unknown_total", s->labels, 1);
		log_msg(LOG_DEBUG, "http_psk_unknown", "%s: %s", s->spec.name, identity);
		return NO_SUCH_USER;
	}
	key->data = gnutls_malloc(n);
	if (!key->data)
		abort();
	memcpy(key->data, found, n);
	key->size = (unsigned)n;
	secret_wipe(found, sizeof(found));
	return 0;
}

bool psk_open(struct http_server *s, char error[256])
{
	if (!s->spec.psk) {
		snprintf(error, 256, "%s: psk is not set", s->spec.name);
		return false;
	}
	if (gnutls_psk_allocate_server_credentials(&s->psk) < 0)
		abort();
	gnutls_psk_set_server_credentials_function2(s->psk, find_key);
	return true;
}

void psk_close(struct http_server *s)
{
	if (s->psk)
		gnutls_psk_free_server_credentials(s->psk);
}

bool psk_attach(struct conn *conn, gnutls_session_t session)
{
	gnutls_session_set_ptr(session, conn);
	return gnutls_credentials_set(session, GNUTLS_CRD_PSK, conn->server->psk) >= 0;
}

const char *psk_identity(gnutls_session_t session)
{
	size_t max = gnutls_record_get_max_size(session);

	/* GnuTLS agrees to a card's max_fragment_length and then sends records of any size (decisions.md C5). */
	if (max < WHOLE_RECORD && gnutls_record_set_max_size(session, max) < 0)
		return NULL;
	return gnutls_psk_server_get_username(session);
}
