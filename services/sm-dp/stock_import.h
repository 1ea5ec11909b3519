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

#endif
