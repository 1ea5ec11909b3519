/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-sr/sms_rules.h"

#include <string.h>

#include "common/card/smpp.h"
#include "services/sm-sr/card_turn.h"
#include "services/sm-sr/handover_command.h"

enum { SPI2_PROTECTED = 0x0C, DELIVERED_PART = 3 /* of the wait is left when the SMS arrived */ };

/* GET STATUS always fits: where the card is uncertain it goes first. */
enum sms_bearer sms_bearer_of(const struct smsr *smsr, const struct sms_due *d)
{
	unsigned after = smsr->config->sms_after;
	bool fits = d->uncertain || card_turn_fits_sms(smsr, (enum command_kind)d->kind, d->script_len);

	if (command_only_by_sms((enum command_kind)d->kind))
		return SMS_BEARER_SMS;
	if (!d->http)
		return fits ? SMS_BEARER_SMS : SMS_BEARER_NONE;
	return fits && after && d->unheard >= (int64_t)after && !d->in_session ? SMS_BEARER_SMS : SMS_BEARER_SESSION;
}

enum sms_move sms_due_move(const struct sms_row *r, unsigned tries, const char **out_why)
{
	if (!r->wanted)
		return SMS_MOVE_DONE;
	if (r->overdue) {
		*out_why = "its time is over";
		return SMS_MOVE_FAIL;
	}
	if (r->attempts - r->uncounted >= (int64_t)tries) {
		*out_why = "the card did not answer";
		return SMS_MOVE_FAIL;
	}
	if (r->attempts >= SMS_TOKEN_ATTEMPTS) {
		*out_why = "the SMSC never took it";
		return SMS_MOVE_FAIL;
	}
	return SMS_MOVE_SEND;
}

int64_t sms_valid_ms(const struct sms_row *r, unsigned tries, unsigned retry_ms)
{
	int64_t retries = ((int64_t)tries - (r->attempts - r->uncounted)) * retry_ms;

	return r->kind == SMS_SCRIPT && retries < r->left_ms ? retries : r->left_ms;
}

enum sms_answer_move sms_answer_of(uint32_t status)
{
	switch (status) {
	case SMPP_OK:
		return SMS_ACCEPTED;
	case SMPP_THROTTLED:
		return SMS_LATER_ALL;
	case SMPP_QUEUE_FULL:
	case SMPP_NOT_BOUND:
	case SMPP_SYSTEM_ERROR: /* also: not answered */
		return SMS_LATER;
	case SMPP_INVALID_DESTINATION:
		return SMS_REFUSED;
	default:
		return SMS_LATER_COUNTED;
	}
}

const char *sms_status_text(struct arena *a, uint32_t status)
{
	return status == SMPP_INVALID_DESTINATION ? "the SMSC does not know the number"
						  : arena_printf(a, "submit_sm: status 0x%08X", (unsigned)status);
}

int64_t sms_receipt_hint(const char *state, unsigned retry_ms)
{
	static const char *const lost[] = { "UNDELIV", "EXPIRED", "REJECTD", "DELETED" };

	if (!strcmp(state, "DELIVRD"))
		return retry_ms / DELIVERED_PART;
	for (size_t i = 0; i < LEN(lost); i++)
		if (!strcmp(state, lost[i]))
			return 0;
	return -1;
}

/* An unprotected PoR proves nothing where a protected one was asked for; where the plain one was, its success is what we have. A card may
 * say "counter low" to the copy of a packet that it has executed: of a command that says nothing; nor does that an answer follows, or
 * needs more time. */
enum sms_por_move sms_por_of(const struct sms_row *r, const struct scp80_por *por)
{
	bool as_asked = por->is_protected || !(r->spi2 & SPI2_PROTECTED);

	if (por->counter != r->counter || memcmp(por->tar, r->tar, SCP80_TAR) != 0)
		return SMS_POR_NOTHING;
	if (por->status == POR_OK)
		return as_asked ? SMS_POR_DONE : SMS_POR_NOTHING;
	if (por->status == POR_MORE_TIME)
		return SMS_POR_HINT;
	if (r->kind == SMS_SCRIPT && (por->status == POR_COUNTER_LOW || por->status > POR_LEVEL))
		return SMS_POR_HINT;
	return por->is_protected ? SMS_POR_FAILED : SMS_POR_HINT;
}
