/* SPDX-License-Identifier: Apache-2.0 */
/* SOAP 1.2 envelope and WS-Addressing as SGP.02 uses it (wire.md 2, binding.md a). */
#ifndef SOAP_ENVELOPE_H
#define SOAP_ENVELOPE_H

#include "common/soap/doc.h"
#include "common/soap/writer.h"

#define NS_SOAP12 "http://www.w3.org/2003/05/soap-envelope"
#define NS_SOAP11 "http://schemas.xmlsoap.org/soap/envelope/"
#define NS_WSA "http://www.w3.org/2005/08/addressing"
#define NS_WSMC "http://docs.oasis-open.org/ws-rx/wsmc/200702"
#define NS_RPS_DEFAULT "http://namespaces.gsma.org/esim-messaging/3"
#define WSA_ANONYMOUS "http://www.w3.org/2005/08/addressing/anonymous"

/* Header of a message. Strings are NULL when absent. Parsed ones live in the arena given. */
struct envelope {
	const char *from;          /* address without parameters */
	const char *from_entity;   /* EntityId parameter, dotted OID */
	const char *from_name;     /* EntityName parameter */
	const char *user_name;     /* UserName parameter */
	const char *to, *to_entity;
	const char *reply_to;      /* full address; NULL when absent or ".../anonymous" */
	const char *message_id;    /* complete, parameters included: what RelatesTo repeats */
	const char *transaction_id, *context_id, *message_date, *profile_type; /* parameters of MessageID */
	const char *relates_to;
	const char *action;
	const char *message_pending; /* wsmc:MessagePending: "true", "false"; write only */
	const struct soap_node *body; /* first element in Body; parse only */
};

/* A SOAP fault to be sent: code "Sender", "Receiver", "VersionMismatch" or "MustUnderstand" and the reason's text; mc_subcode: of
 * WS-MakeConnection ("MissingSelection"), NULL: none. */
struct soap_fault {
	const char *code, *reason, *mc_subcode;
};

/* Reads the envelope of d. False: *out_fault says why (not an envelope, SOAP 1.1 -> VersionMismatch, no or empty Body, several body
 * children, unknown header marked mustUnderstand, a wsa header twice). Does not demand any wsa header: that is envelope_demand.
 * Parameters: split at ? and &, names in any case, TransactionId and TransactionID, blanks before ? dropped, unknown ones ignored (wire.md 2.2). */
bool envelope_parse(struct arena *a, const struct soap_doc *d, struct envelope *out, struct soap_fault *out_fault);
/* Checks that a request has From with EntityId, To, MessageID and Action (binding.md a11: MessageDate not demanded). False: out_fault names what is missing. */
bool envelope_demand(struct arena *a, const struct envelope *e, struct soap_fault *out_fault);

/* The TransactionId parameter of a MessageID or RelatesTo, in a; NULL: none. */
const char *envelope_transaction_of(struct arena *a, const char *message_id);

/* Writes everything up to and including <soap:Body>: XML declaration, envelope with the namespaces soap, wsa and rps (= rps_ns),
 * header blocks in the order From To MessageID Action RelatesTo ReplyTo MessagePending, absent ones left out. Parameters are joined with '?'
 * (binding.md a5), From from `from` + EntityId + EntityName (+ UserName), To from `to` + EntityId, MessageID from message_id as is. */
void envelope_open(struct buf *out, const struct envelope *e, const char *rps_ns);
void envelope_close(struct buf *out);
/* A complete fault message; relates_to may be NULL. Adds wsa:Action http://www.w3.org/2005/08/addressing/fault, or that of
 * WS-MakeConnection's faults. */
void envelope_fault(struct buf *out, const struct soap_fault *fault, const char *relates_to);
/* True when d's body root is a SOAP 1.2 Fault; then out_fault is its code and reason. */
bool envelope_is_fault(struct arena *a, const struct envelope *e, struct soap_fault *out_fault);

/* A new MessageID: //<domain>/<uuid>?TransactionID=<uuid>[?ContextID=<context_id>]?MessageDate=<now>. domain: the sender's OID (binding.md a11, card.md 10). */
const char *message_id_new(struct arena *a, const char *domain, const char *transaction_id, const char *context_id);

#endif
