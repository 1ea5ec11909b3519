/* SPDX-License-Identifier: Apache-2.0 */
/* Where what a profile type leaves open comes from, card by card: agreed with its operator, said when the type is made. Pure. */
#ifndef SMDP_TYPE_VARIABLES_H
#define SMDP_TYPE_VARIABLES_H

#include "common/card/profile_personalise.h"
#include "services/sm-dp/stock_value.h"

enum variable_source {
	SOURCE_TEMPLATE, /* the same for all cards: what the template has there; a batch may still bring others */
	SOURCE_RANDOM,   /* drawn when a batch is imported that does not bring it */
	SOURCE_BATCH,    /* every batch must bring it; drawn for a batch that we make */
	VARIABLE_SOURCES
};

struct type_variables {
	enum variable_source source[STOCK_USES]; /* Ki and OPc: always SOURCE_BATCH */
	bool has_pol1;                           /* false: the template's */
	uint8_t pol1;
	struct bytes connectivity; /* data NULL: the template's */
};

/* NAME=SOURCE with blanks or line ends between, each name once: kic kid kik enc mac dek pin1 pin2 puk1 puk2 adm1, scp80 for the first three, scp03 for
 * the next; template (also when not named), random, batch; pol1=0 to 7 and connectivity=HEX (contents of connectivityParameters). NULL: "".
 * False: *out_why, in a, says what to mend. */
bool type_variables_parse(struct arena *a, const char *text, struct type_variables *out, const char **out_why);
/* The one text for these variables, so that two can be compared; "": all are the template's. In a. */
const char *type_variables_text(struct arena *a, const struct type_variables *v);

#endif
