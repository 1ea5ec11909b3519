/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as peers write them, by hand: what of them is read, and what the schema says to it. */
#ifndef TESTS_CONTRACT_PEER_H
#define TESTS_CONTRACT_PEER_H

#include "common/msg/messages.h"
#include "tests/contract/schema.h"

#define EID "89049032000500881234567890123492"
#define BASE "<rps:FunctionCallIdentifier>f-1</rps:FunctionCallIdentifier>"
#define CARD BASE "<rps:Eid>" EID "</rps:Eid>"
#define DONE "<rps:FunctionExecutionStatus><rps:Status>EXECUTED_SUCCESS</rps:Status></rps:FunctionExecutionStatus>"
#define FAILURE                                                                                                            \
	"<rps:FunctionExecutionStatus><rps:Status>FAILED</rps:Status><rps:StatusCodeData><rps:Subject>8.2.1</rps:Subject>" \
	"<rps:Reason>3.3</rps:Reason></rps:StatusCodeData></rps:FunctionExecutionStatus>"

/* Of the running test: .init and .fini of its suite. */
extern struct arena *a;
void peer_start(void);
void peer_stop(void);

/* content: of the body root, with the prefix rps. */
bool valid(const char *root, const char *content);
/* As the dispatcher does: the root says the function, the function the table. */
result decode(const char *root, const char *content, void *out);
/* Decodes what must be good and, by the schema, valid. */
void take(const char *root, const char *content, void *out);
void refused(const char *root, const char *content, enum code code, const char *parameter, const char *message);
const char *written(const struct bind_message *m, const void *in, enum bind_mask mask);

#endif
