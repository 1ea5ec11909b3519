/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of an import share. */
#ifndef SMDP_IMPORT_INTERNAL_H
#define SMDP_IMPORT_INTERNAL_H

#include "services/sm-dp/stock_import.h"
#include "services/sm-dp/stock_store.h"

enum { IMPORT_CHUNK = 500 };

struct import {
	const struct smdp *smdp;
	struct db *db;
	struct arena *arena, *page; /* page: of one portion */
	const struct stock_import *in;
	const struct secret *transport;
	struct stock_csv csv;
	struct stock_row *rows; /* the portion */
	size_t n;
	struct stock_imported *out;
};

/* The next portion; n below IMPORT_CHUNK: the file ends with it. */
void import_chunk_read(struct import *m);
/* The key of a row, opened with the operator's transport key; the caller frees it. False: out says that it does not open. */
bool import_key(struct import *m, const struct stock_row *row, enum stock_use use, struct secret *out);
/* stock_compare.c. Leaves out->end at IMPORT_REPEATED, or names the first line that differs: IMPORT_OTHER. quantity: lines of the batch. */
result import_compare(struct import *m, int64_t quantity);

#endif
