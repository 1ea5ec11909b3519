/* SPDX-License-Identifier: Apache-2.0 */
/* Throwaway certificates in a folder of their own, made anew by each test program. */
#ifndef TEST_HTTP_PKI_H
#define TEST_HTTP_PKI_H

#include <gnutls/x509.h>

/* Files in dir: ca.pem, other-ca.pem (another key, the same name), crl.pem (revokes nobody), crl-revoked.pem (revokes "revoked"),
 * other-crl.pem (of the other CA), and NAME.pem with NAME.key for each of: server (127.0.0.1 and localhost), elsewhere (another
 * host name), good (client), expired, serveronly (a client whose purpose is server), revoked, foreign (client of the other CA). */
struct pki {
	char dir[32];
	char path[32][64]; /* ring of pki_path */
	unsigned at;
};
void pki_open(struct pki *p);
void pki_close(struct pki *p);
const char *pki_path(struct pki *p, const char *name);
/* "sha256//..." of the certificate's key. */
void pki_pin(struct pki *p, const char *name, char out[64]);
/* Copies a file of dir over another by rename, as an operator does. */
void pki_replace(struct pki *p, const char *from, const char *to);

#endif
