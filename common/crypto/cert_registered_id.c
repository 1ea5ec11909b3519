/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "common/crypto/crypto_internal.h"

/* OBJ_obj2txt cuts what does not fit and returns the length it needs. */
static bool name_oid(const GENERAL_NAMES *names, char *out, size_t n)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		int len;

		if (name->type != GEN_RID)
			continue;
		len = OBJ_obj2txt(out, (int)n, name->d.registeredID, 1);
		return len > 0 && (size_t)len < n;
	}
	return false;
}

static void names_freep(GENERAL_NAMES **p)
{
	GENERAL_NAMES_free(*p);
}

bool cert_registered_id(struct bytes der, char *out, size_t n)
{
	CLEANUP(x509_freep) X509 *cert = NULL;
	CLEANUP(names_freep) GENERAL_NAMES *names = NULL;
	OPENSSL_ERRORS_SCOPE;

	cert = x509_kept(der);
	names = cert ? X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL) : NULL;
	return names && name_oid(names, out, n);
}
