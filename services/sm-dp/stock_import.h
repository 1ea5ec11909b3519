/* SPDX-License-Identifier: Apache-2.0 */
/* Operators' batches into the stock: all of a file or nothing, and once. */
#ifndef SMDP_STOCK_IMPORT_H
#define SMDP_STOCK_IMPORT_H

#include "services/sm-dp/smdp.h"
#include "services/sm-dp/stock_csv.h"

struct stock_import {
	const struct oid *mno;
	const char *type, *name; /* of the profile type; of the batch, unique among the operator's */
	enum stock_wrap wrap;
	struct bytes file;
};

enum import_end {
	IMPORT_DONE,
	IMPORT_REPEATED, /* the batch is there with this very content; nothing changed */
	IMPORT_NO_TYPE,  /* the operator has no such profile type */
	IMPORT_NO_KEY,   /* no transport key was agreed with the operator */
	IMPORT_BAD,      /* fault: the file */
	IMPORT_TAKEN,    /* fault: a number that the stock has */
	IMPORT_OTHER,    /* fault: the batch is there with other content */
};

struct stock_imported {
	enum import_end end;
	size_t rows;
	struct csv_fault fault;
};

/* In one transaction, which it ends; rows are read, checked and written in portions, so that memory does not grow with the file. OK also for
 * what the file has wrong: then nothing has changed. BUSY: another import runs, or the database is slow. */
result stock_import(const struct smdp *smdp, struct db *db, struct arena *a, const struct stock_import *in,
		    struct stock_imported *out);

/* stock_make.c: a range of our own numbers and keys, for an operator that leaves them to us. */
struct stock_order {
	struct oid mno;
	const char *type, *name; /* of the profile type; of the batch */
	struct iccid first;
	const char *imsi; /* the first; both are counted up */
	size_t quantity;
};
enum { STOCK_ORDER_MAX = 100000 };
/* Makes the batch with fresh keys and imports it; a batch of this name with the same type, quantity and first numbers is the same one. out as
 * stock_import says; IMPORT_OTHER without a line, and IMPORT_BAD when the numbers run out. */
result stock_make(const struct smdp *smdp, struct db *db, struct arena *a, const struct stock_order *order,
		  struct stock_imported *out);
/* Appends a batch as CSV, its keys under the operator's transport key (RFC 3394): what the operator loads into its HLR. *out_found false: there is
 * no such batch, or no transport key. */
result stock_export(const struct smdp *smdp, struct db *db, struct arena *a, const struct oid *mno, const char *name,
		    struct buf *out, bool *out_found);

#endif
