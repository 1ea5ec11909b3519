/* SPDX-License-Identifier: Apache-2.0 */
/* Private to msg: the schemas without XML declaration, to stand alone or inside a WSDL. */
#ifndef MSG_XSD_INTERNAL_H
#define MSG_XSD_INTERNAL_H

#include "common/base/buf.h"

#define NS_XS "http://www.w3.org/2001/XMLSchema"
#define NS_DS "http://www.w3.org/2000/09/xmldsig#"
#define XML_DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define GENERATED "<!-- SPDX-License-Identifier: Apache-2.0. Printed by tools/gen-xsd from the message tables: do not edit. -->\n"

/* xmldsig_location NULL: the import names no location. */
void xsd_body(struct buf *out, const char *xmldsig_location);
void xmldsig_body(struct buf *out);

#endif
