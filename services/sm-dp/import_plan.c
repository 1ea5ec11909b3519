/* SPDX-License-Identifier: Apache-2.0 */
/* A profile type and a file: who brings which secret. */
#include <stdio.h>
#include <string.h>

#include "services/sm-dp/import_internal.h"
#include "services/sm-dp/variables.h"

enum { PACKAGE = 2, VARIABLES = 8 }; /* columns of SMDP_TYPE_GET */

static result variables_of(struct import *m, const struct rows *type, struct type_variables *out)
{
	const char *why;

	return type_variables_parse(m->arena, row_text(type, 0, VARIABLES), out, &why)
		       ? OK
		       : internal(m->arena, "profile type %s: %s", m->in->type, why);
}

result import_drawn(struct import *m, const struct rows *type)
{
	struct type_variables v;

	TRY(variables_of(m, type, &v));
	for (unsigned use = 0; use < STOCK_USES; use++)
		m->drawn[use] = v.source[use] == SOURCE_RANDOM && !stock_csv_has(&m->csv, use);
	return OK;
}

static void missing(struct import *m, enum stock_use use)
{
	m->out->end = IMPORT_BAD;
	m->out->fault.line = 1;
	m->out->fault.column = 0;
	(void)snprintf(m->out->fault.text, sizeof(m->out->fault.text),
		       "line 1: column %s is missing: profile type %.64s takes it from its batches", stock_use_heading(use),
		       m->in->type);
}

result import_fits(struct import *m, const struct rows *type, bool *out_fits)
{
	struct profile_package p;
	struct profile_fault fault;
	struct type_variables v;

	TRY(variables_of(m, type, &v));
	if (!profile_package_parse(m->arena, row_bytes(type, 0, PACKAGE), &p, &fault))
		return internal(m->arena, "profile type %s: %s", m->in->type, profile_fault_text(m->arena, &fault));
	for (unsigned use = 0; use < STOCK_USES; use++) {
		if (!stock_csv_has(&m->csv, use)) {
			if (v.source[use] == SOURCE_BATCH)
				missing(m, use);
		} else if (v.source[use] == SOURCE_TEMPLATE && !type_place_of(m->arena, &p, use, &fault)) {
			m->out->end = IMPORT_BAD;
			stock_csv_blame(&m->csv, 1, (enum csv_column)(COL_KEYS + use), &m->out->fault,
					"the package of profile type %.64s has no place for it", m->in->type);
		}
		if (m->out->end == IMPORT_BAD)
			break;
	}
	*out_fits = m->out->end != IMPORT_BAD;
	return OK;
}
