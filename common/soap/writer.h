/* SPDX-License-Identifier: Apache-2.0 */
/* XML output into a struct buf: compact (no white space), escaped, prefix "rps" by default. */
#ifndef SOAP_WRITER_H
#define SOAP_WRITER_H

#include "common/base/buf.h"

struct xml_writer {
	struct buf *out;
	const char *prefix; /* of all elements written with xw_*; "" for none */
};

void xw_open(struct xml_writer *w, const char *name);   /* <rps:name> */
void xw_close(struct xml_writer *w, const char *name);  /* </rps:name> */
void xw_text(struct xml_writer *w, const char *name, const char *text); /* <rps:name>escaped</rps:name> */
void xw_start(struct xml_writer *w, const char *name);  /* <rps:name  - followed by xw_attr, xw_end */
void xw_attr(struct xml_writer *w, const char *name, const char *value);
void xw_end(struct xml_writer *w, int empty);           /* > or /> */
void xw_raw(struct xml_writer *w, const void *octets, size_t n); /* as they are (D3) */
void xml_escape(struct buf *out, const char *text);     /* & < > " and CR; characters XML 1.0 forbids become U+FFFD */

#endif
