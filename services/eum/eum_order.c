/* SPDX-License-Identifier: Apache-2.0 */
/* What an order must be before numbers are given out for it. */
#include <string.h>

#include "services/eum/batch.h"

enum {
	QUANTITY_MAX = 100000,
	NAME_MAX_CHARS = 64,
	PROFILES_MAX = 8,
	EID_PREFIX = 18,
	EID_BODY = 30,       /* without check digits */
	ICCID_BODY = 18,     /* without the Luhn digit: 19 in all, as E.118 recommends */
	NUMBER_DIGITS = 15,  /* IMSI and the longest MSISDN of E.164 */
	IMSI_PREFIX_MIN = 5, /* MCC and MNC */
};

const char *const eum_number_names[NUMBER_KINDS] = { "eid", "iccid", "imsi", "msisdn" };

/* Elements that hold the prefixes, and how many digits prefix and counter have together. */
static const struct {
	const char *element;
	size_t digits, min;
} kinds[NUMBER_KINDS] = {
	[NUMBER_EID] = { "EidPrefix", EID_BODY, EID_PREFIX },
	[NUMBER_ICCID] = { "IccidPrefix", ICCID_BODY, 2 },
	[NUMBER_IMSI] = { "ImsiPrefix", NUMBER_DIGITS, IMSI_PREFIX_MIN },
	[NUMBER_MSISDN] = { "MsisdnPrefix", NUMBER_DIGITS, 1 },
};

static result refused(struct arena *a, const char *element, const char *why)
{
	return failed(a, CODE_PARAM_INVALID, element, "%s: %s", element, why);
}

static bool given(const char *s)
{
	return s && *s;
}

static struct eum_range *range_find(struct eum_range *r, size_t n, enum eum_number kind, const char *prefix)
{
	for (size_t i = 0; i < n; i++)
		if (r[i].kind == kind && !strcmp(r[i].prefix, prefix))
			return &r[i];
	return NULL;
}

static void range_add(struct eum_range *r, size_t *n, enum eum_number kind, const char *prefix)
{
	if (given(prefix) && !range_find(r, *n, kind, prefix))
		r[(*n)++] = (struct eum_range){ kind, prefix, 0 };
}

size_t eum_order_ranges(struct arena *a, const struct eum_create_batch_rq *rq, struct eum_range **out)
{
	struct eum_range *r = arena_array(a, 1 + 3 * rq->n_profiles, sizeof(*r));
	size_t n = 0;

	range_add(r, &n, NUMBER_EID, rq->eid_prefix);
	for (size_t i = 0; i < rq->n_profiles; i++) {
		range_add(r, &n, NUMBER_ICCID, rq->profiles[i].iccid_prefix);
		range_add(r, &n, NUMBER_IMSI, rq->profiles[i].imsi_prefix);
		range_add(r, &n, NUMBER_MSISDN, rq->profiles[i].msisdn_prefix);
	}
	*out = r;
	return n;
}

static result check_prefix(struct arena *a, enum eum_number kind, const char *prefix)
{
	size_t n = strspn(prefix, "0123456789");

	if (prefix[n])
		return refused(a, kinds[kind].element, "not digits");
	if (kind == NUMBER_EID && n != EID_PREFIX)
		return refused(a, kinds[kind].element, "not 18 digits");
	if (n < kinds[kind].min)
		return refused(a, kinds[kind].element, "too short");
	if (n >= kinds[kind].digits)
		return refused(a, kinds[kind].element, "too long: no digit is left to count");
	if ((kind == NUMBER_EID || kind == NUMBER_ICCID) && strncmp(prefix, "89", 2) != 0)
		return refused(a, kinds[kind].element, "does not start with 89");
	return OK;
}

static result check_profile(struct arena *a, const struct eum_profile_order *p, int64_t *memory, unsigned *enabled)
{
	if (!given(p->iccid_prefix))
		return failed(a, CODE_PARAM_MISSING, "IccidPrefix", "IccidPrefix: missing");
	TRY(check_prefix(a, NUMBER_ICCID, p->iccid_prefix));
	if (given(p->imsi_prefix))
		TRY(check_prefix(a, NUMBER_IMSI, p->imsi_prefix));
	if (given(p->msisdn_prefix))
		TRY(check_prefix(a, NUMBER_MSISDN, p->msisdn_prefix));
	if (p->memory <= 0)
		return refused(a, "Memory", "a profile needs some");
	if (__builtin_add_overflow(*memory, p->memory, memory))
		return refused(a, "Memory", "too large");
	if (p->enabled)
		(*enabled)++;
	return OK;
}

/* All that needs nothing but the order itself. */
static result check_order(struct arena *a, const struct eum_create_batch_rq *rq)
{
	int64_t memory = 0;
	unsigned enabled = 0;

	if (!given(rq->name) || strlen(rq->name) > NAME_MAX_CHARS * 4)
		return refused(a, "Name", "not 1 to 64 characters");
	if (rq->quantity < 1 || rq->quantity > QUANTITY_MAX)
		return refused(a, "Quantity", "not 1 to 100000");
	if (!given(rq->eid_prefix))
		return failed(a, CODE_PARAM_MISSING, "EidPrefix", "EidPrefix: missing");
	TRY(check_prefix(a, NUMBER_EID, rq->eid_prefix));
	if (rq->n_profiles < 1 || rq->n_profiles > PROFILES_MAX)
		return refused(a, "Profile", "not 1 to 8 profiles");
	for (size_t i = 0; i < rq->n_profiles; i++)
		TRY(check_profile(a, &rq->profiles[i], &memory, &enabled));
	if (enabled != 1)
		return refused(a, "Enabled", "exactly one profile is enabled: the bootstrap");
	if (rq->memory <= 0 || memory > rq->memory)
		return refused(a, "Memory", "the profiles need more than the card has");
	return OK;
}

static bool one_starts_other(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);

	return !strncmp(a, b, na < nb ? na : nb);
}

/* Two prefixes of which one begins the other count through the same numbers: no card may get a number twice. */
static result check_overlap(struct arena *a, const struct eum_range *r, const struct eum_range *other)
{
	if (r->kind != other->kind || !strcmp(r->prefix, other->prefix) || !one_starts_other(r->prefix, other->prefix))
		return OK;
	return failed(a, CODE_PARAM_INVALID, kinds[r->kind].element, "%s: %s overlaps the prefix %s in use", kinds[r->kind].element,
		      r->prefix, other->prefix);
}

static result check_ranges(struct arena *a, const struct eum_order_facts *facts, struct eum_range *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		r[i].first = 1;
		for (size_t j = 0; j < i; j++)
			TRY(check_overlap(a, &r[i], &r[j]));
		for (size_t j = 0; j < facts->n_known; j++) {
			const struct eum_range *known = &facts->known[j];

			TRY(check_overlap(a, &r[i], known));
			if (known->kind == r[i].kind && !strcmp(known->prefix, r[i].prefix))
				r[i].first = known->first;
		}
	}
	return OK;
}

/* Numbers with this prefix: 1 to that. */
static int64_t capacity(enum eum_number kind, const char *prefix)
{
	int64_t numbers = 1;

	for (size_t i = strlen(prefix); i < kinds[kind].digits; i++)
		numbers *= 10;
	return numbers - 1;
}

static result take(struct arena *a, struct eum_range *r, size_t n, enum eum_number kind, const char *prefix, int64_t quantity,
		   int64_t *out_first)
{
	struct eum_range *range = given(prefix) ? range_find(r, n, kind, prefix) : NULL;

	*out_first = 0;
	if (!range)
		return OK;
	if (quantity > capacity(kind, prefix) - (range->first - 1))
		return failed(a, CODE_PARAM_INVALID, kinds[kind].element, "%s: no room for %lld more numbers", kinds[kind].element,
			      (long long)quantity);
	*out_first = range->first;
	range->first += quantity;
	return OK;
}

static result take_numbers(struct arena *a, struct eum_range *r, size_t n, struct eum_batch *b)
{
	TRY(take(a, r, n, NUMBER_EID, b->eid_prefix, b->quantity, &b->eid_first));
	for (size_t i = 0; i < b->n_profiles; i++) {
		struct eum_batch_profile *p = &b->profiles[i];

		TRY(take(a, r, n, NUMBER_ICCID, p->order.iccid_prefix, b->quantity, &p->iccid_first));
		TRY(take(a, r, n, NUMBER_IMSI, p->order.imsi_prefix, b->quantity, &p->imsi_first));
		TRY(take(a, r, n, NUMBER_MSISDN, p->order.msisdn_prefix, b->quantity, &p->msisdn_first));
	}
	return OK;
}

static struct eum_batch batch_of(struct arena *a, const struct eum_create_batch_rq *rq)
{
	struct eum_batch b = { .name = rq->name,
			       .smsr = rq->smsr,
			       .quantity = rq->quantity,
			       .eid_prefix = rq->eid_prefix,
			       .platform_type = rq->platform_type,
			       .platform_version = rq->platform_version,
			       .memory = rq->memory,
			       .http_support = rq->http_support,
			       .n_profiles = rq->n_profiles,
			       .properties = rq->properties };

	b.profiles = arena_array(a, rq->n_profiles, sizeof(*b.profiles));
	for (size_t i = 0; i < rq->n_profiles; i++) {
		struct eum_profile_order *p = &b.profiles[i].order;

		*p = rq->profiles[i];
		p->imsi_prefix = given(p->imsi_prefix) ? p->imsi_prefix : NULL;
		p->msisdn_prefix = given(p->msisdn_prefix) ? p->msisdn_prefix : NULL;
	}
	return b;
}

result eum_order_check(struct arena *a, const struct eum_create_batch_rq *rq, const struct eum_order_facts *facts,
		       struct eum_batch *out, struct eum_range **out_ranges, size_t *out_n_ranges)
{
	struct eum_range *ranges;
	struct eum_batch b;
	size_t n;

	TRY(check_order(a, rq));
	if (facts->name_used)
		return refused(a, "Name", "name already used");
	if (!facts->smsr_known)
		return refused(a, "Smsr-id", "not an SM-SR that we know");
	if (!facts->smsr_reachable)
		return refused(a, "Smsr-id", "no ES1 address of it is registered");
	if (!facts->transport_key)
		return refused(a, "Smsr-id", "no transport key is agreed with it");
	n = eum_order_ranges(a, rq, &ranges);
	TRY(check_ranges(a, facts, ranges, n));
	b = batch_of(a, rq);
	TRY(take_numbers(a, ranges, n, &b));
	*out = b;
	*out_ranges = ranges;
	*out_n_ranges = n;
	return OK;
}
