/* SPDX-License-Identifier: Apache-2.0 */
/* Remote administration over HTTP (GlobalPlatform Amendment B as SGP.02 2.4.3, 2.4.4 uses it; card.md 6, procedures.md 4.3): header values,
 * PSK identity, and the SMS that makes a card open a session. */
#ifndef CARD_RAM_HTTP_H
#define CARD_RAM_HTTP_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/sgp02/ids.h"

#define RAM_H_PROTOCOL "X-Admin-Protocol"
#define RAM_H_FROM "X-Admin-From"
#define RAM_H_NEXT_URI "X-Admin-Next-URI"
#define RAM_H_TARGET "X-Admin-Targeted-Application"
#define RAM_H_STATUS "X-Admin-Script-Status"
#define RAM_H_RESUME "X-Admin-Resume"
#define RAM_PROTOCOL "globalplatform-remote-admin/1.0"
#define RAM_COMMAND "application/vnd.globalplatform.card-content-mgt;version=1.0"
#define RAM_RESPONSE "application/vnd.globalplatform.card-content-mgt-response;version=1.0"

/* //se-id/eid/<EID>;//aa-id/aid/<RID>/<PIX>, also aaid, also the AID in one piece. False: not that; *out_aid.len 0: no agent was named. */
bool ram_from_parse(const char *value, struct eid *out_eid, struct aid *out_aid);
/* agent_word: "aa-id" or "aaid". */
void ram_from_format(struct buf *out, const struct eid *eid, const struct aid *aid, const char *agent_word);
/* //aid/<RID>/<PIX> */
bool ram_target_parse(const char *value, struct aid *out);
void ram_target_format(struct buf *out, const struct aid *aid);
/* Media types without regard to letter case and blanks around ';'. */
bool ram_is_response(const char *content_type);
bool ram_is_command(const char *content_type);

enum ram_status {
	RAM_OK, RAM_UNKNOWN_APPLICATION, RAM_NOT_A_SECURITY_DOMAIN, RAM_SECURITY_ERROR, RAM_TEMPORARILY_UNAVAILABLE, RAM_STATUS_OTHER,
};
enum ram_status ram_status_parse(const char *value);
const char *ram_status_name(enum ram_status s); /* "ok", "unknown-application", ... */

/* 800102 8110<EID> 4F10<ISD-R AID> 8201<key id> 8301<KVN>, as hex text. */
struct psk_identity {
	struct eid eid;
	struct aid aid;
	uint8_t key_id, kvn;
};
enum { PSK_IDENTITY_MAX = 91 };
bool psk_identity_parse(const char *text, struct psk_identity *out);
void psk_identity_format(const struct psk_identity *id, char out[PSK_IDENTITY_MAX]);

/* What the trigger SMS says (81). stored: 81 00, the card's own parameters; else what is set is said. */
struct ram_trigger {
	bool stored;
	uint32_t address;        /* IPv4 in host order; 0: not said */
	uint16_t port;           /* 0: not said */
	uint8_t key_id, kvn;     /* of the PSK; kvn 0: not said */
	uint8_t retries;         /* 0: no retry policy */
	uint16_t retry_delay_s;
	struct bytes host, agent, uri; /* text; empty: not said */
};
void ram_trigger_build(struct buf *out, const struct ram_trigger *t);
/* host, agent, uri point into in. False: not a trigger. */
bool ram_trigger_parse(struct bytes in, struct ram_trigger *out);
/* The value of its 83 alone, which says where to go and by which key; stored means nothing. */
void ram_domain_build(struct buf *out, const struct ram_trigger *t);
bool ram_domain_parse(struct bytes in, struct ram_trigger *out);

#endif
