/* SPDX-License-Identifier: Apache-2.0 */
/* Known answers of the card's formats, as hex text, and the ways to break them. */
#ifndef TESTS_CARD_KNOWN_H
#define TESTS_CARD_KNOWN_H

#include <stdbool.h>

#include "common/base/buf.h"

#define EID_TEXT "89001012012341234012345678901224"
#define ISDR_TEXT "A0000005591010FFFFFFFF8900000100"
#define ISDP_TEXT "A0000005591010FFFFFFFF8900001300" /* of the recorded session (card.md 7) */

#define NOTE_TRACE "E1354C10" EID_TEXT "4D01024E0200004F10" ISDP_TEXT "14081122334455667788"
#define STATUS_TRACE "E3164F10" ISDP_TEXT "9F70011F"
#define STATUS_FULL "E3254F10" ISDP_TEXT "9F70013F5301018F04000400009104000103FC"
#define CREATE_LV "10A0000005591010FFFFFFFF8900000D00 10A0000005591010FFFFFFFF8900000E00 10" ISDP_TEXT " 0380C000 "
#define CREATE_TEXT "80E60C003F" CREATE_LV "06C90481020370 00 00"
#define CREATE_QUOTA "80E60C0045" CREATE_LV "0CC90481020370EF0483020400 00 00"
#define IDENTITY_TEXT "8001028110" EID_TEXT "4F10" ISDR_TEXT "820101830140"
/* To 192.0.2.1 port 4433 with key 1 of version 40, three times after 5 minutes each; host h, agent a, URI /u. */
#define TRIGGER_FULL \
	"8132 8330 8413 350103 390205DC 3C03021151 3E0521C0000201 850400024001 86070003A503005000 890A 8A0168 8B0161 8C022F75"

/* hex may hold blanks. */
struct bytes known(struct arena *a, const char *hex);
/* The same text without blanks. */
const char *plain(struct arena *a, const char *hex);
/* Whether the bytes are those of an upper-case text without blanks. */
bool is_hex(struct arena *a, const void *data, size_t n, const char *hex);
/* The parser under test; out is kept by it. */
typedef bool (*parser)(struct bytes in);
/* Calls parse with a copy of exactly these bytes on the heap, so that a read beyond them is found. */
bool parse_exactly(parser parse, struct bytes in);
/* How many of the beginnings of in (0 to len - 1 bytes) the parser takes. */
size_t beginnings_taken(parser parse, struct bytes in);
/* What `./rsp test` divides the mutations by that take long; 1 in `./rsp test full`, which sets RSP_DEEP. */
unsigned depth_divisor(void);
/* Runs n mutations of in (fixed seed) through parse; how many it took. */
size_t mutate(parser parse, struct bytes in, unsigned n);
/* What was built, as hex text in a. */
const char *built(struct arena *a, struct buf *b);
/* The same as bytes. */
struct bytes built_bytes(struct arena *a, struct buf *b);

#endif
