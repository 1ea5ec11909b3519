/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of a TLS listener: our own GnuTLS credentials per connection, so that files may be replaced while we run. */
#ifndef HTTP_SERVER_TLS_H
#define HTTP_SERVER_TLS_H

#include <gnutls/gnutls.h>

#include "common/http/server.h"

/* Both versions that SGP.02 peers may speak; NORMAL alone admits TLS 1.1 (measured.md 2). */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3:+SHA256:+SHA384"
/* A card's suites (card.md 6), the best that it offers: 00A8, 00AE, and 008C for old ones. Cards abort when encrypt-then-MAC is
 * echoed to them. */
#define PSK_PRIORITIES                                                                  \
	"NONE:+VERS-TLS1.2:+PSK:+AES-128-GCM:+AES-128-CBC:+AEAD:+SHA256:+SHA1"          \
	":+COMP-NULL:+SIGN-ALL:+CTYPE-ALL:%SERVER_PRECEDENCE:%NO_ETM:%NO_TICKETS"

struct http_tls;
struct tls_creds;

/* spec's strings must outlive it. NULL: error says which file is wrong. */
struct http_tls *tls_open(const struct http_spec *spec, char error[256]);
void tls_close(struct http_tls *t);
/* Sets credentials and the client certificate policy on a session before its handshake; reads files that changed. NULL: it cannot
 * be served. */
struct tls_creds *tls_attach(struct http_tls *t, gnutls_session_t session);
void tls_release(struct http_tls *t, struct tls_creds *creds);
/* Leaf certificate that the peer showed; len 0: none. Owned by the session. */
struct bytes tls_peer(gnutls_session_t session);

#endif
