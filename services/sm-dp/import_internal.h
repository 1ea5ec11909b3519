/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of an import share. */
#ifndef SMDP_IMPORT_INTERNAL_H
#define SMDP_IMPORT_INTERNAL_H

#include "services/sm-dp/stock_import.h"
#include "services/sm-dp/stock_store.h"
#include "services/sm-dp/type_variables.h"

enum { IMPORT_CHUNK = 500 };

struct import {
	const struct smdp *smdp;
	struct db *db;
	struct arena *arena, *page; /* page: of one portion */
	const struct stock_import *in;
	const struct secret *transport;
	bool drawn[STOCK_USES]; /* the file does not bring them, the profile type wants them */
	struct stock_csv csv;
	struct stock_row *rows; /* the portion */
	size_t n;
	struct stock_imported *out;
};

/* The next portion; n below IMPORT_CHUNK: the file ends with it. */
void import_chunk_read(struct import *m);
/* The key of a row, opened with the operator's transport key; the caller frees it. False: out says that it does not open. */
bool import_key(struct import *m, const struct stock_row *row, enum stock_use use, struct secret *out);
/* import_plan.c: what the profile type (a row of SMDP_TYPE_GET) has drawn goes into m->drawn. */
result import_drawn(struct import *m, const struct rows *type);
/* Does the file bring what the type wants of it, and nothing that its template has no place for? False: out says IMPORT_BAD. */
result import_fits(struct import *m, const struct rows *type, bool *out_fits);
/* stock_compare.c. Leaves out->end at IMPORT_REPEATED, or names the first line that differs: IMPORT_OTHER. quantity: lines of the batch. */
result import_compare(struct import *m, int64_t quantity);

#endif
