/* SPDX-License-Identifier: Apache-2.0 */
/* XSD and WSDL printed from functions.def and the bind tables (decisions.md A8): for `?wsdl` and `?xsd=` at run time and for
 * tools/gen-xsd, whose output is checked in. */
#ifndef MSG_WSDL_H
#define MSG_WSDL_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/sgp02/function.h"

/* The WSDL of the side of iface that entities of provider_roles serve. False, nothing written: nothing is served there.
 * callback_form: deferred functions one-way with the caller's callback port beside them; else they have an output, which
 * toolkits need to take the answer from the open connection. address: of the port. xsd_location: URL of rps3.xsd; NULL: both
 * schemas stand inside, so that a toolkit needs no second request. */
bool wsdl_write(struct buf *out, enum iface iface, unsigned provider_roles, bool callback_form, const char *address,
		const char *xsd_location);
/* "ES4SmSrService"; NULL: there is no such side. */
const char *wsdl_service(enum iface iface, unsigned provider_roles);

/* All served messages. xmldsig_location: where they import xmldsig.xsd from, relative to their own URL. */
void xsd_write(struct buf *out, const char *xmldsig_location);
/* Our own schema of that part of XML Signature which an EumSignature uses. */
void xmldsig_xsd_write(struct buf *out);

#endif
