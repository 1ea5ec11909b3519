/* SPDX-License-Identifier: Apache-2.0 */
/* Between the two halves of xmldsig.h; libxml stays in xmldsig.c. */
#ifndef CRYPTO_XMLDSIG_INTERNAL_H
#define CRYPTO_XMLDSIG_INTERNAL_H

#include "common/crypto/xmldsig.h"

#define DS_NS "http://www.w3.org/2000/09/xmldsig#"
#define EXC_C14N "http://www.w3.org/2001/10/xml-exc-c14n#"
#define INC_C14N "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
#define ECDSA_SHA256 "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
#define SHA256_URI "http://www.w3.org/2001/04/xmlenc#sha256"

/* What signing needs of an EumSignedInfo: its exclusive canonical octets and its root's prefix ("": default) and namespace (NULL: none). */
struct signed_info {
	struct bytes octets;
	const char *prefix, *ns;
};
/* False: not XML, another root, or a namespace that would need escaping in an attribute. */
bool xmldsig_canonical(struct arena *a, struct bytes info, struct signed_info *out);

#endif
