/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-sr/isdr_keys.h"

#include <stdio.h>
#include <string.h>

#include "common/crypto/keys.h"
#include "services/sm-sr/smsr.h"

enum { AAD_MAX = 80 };

static const char *key_name(struct arena *a, const struct keyset *set, const struct key *k)
{
	return arena_printf(a, "Isd-r/Keyset %lld/Key %lld", (long long)set->version, (long long)k->index);
}

/* What binds a wrapped key to its place. */
static void key_aad(const struct eid *eid, int64_t version, int64_t index, char out[AAD_MAX])
{
	(void)snprintf(out, AAD_MAX, "%s|%lld|%lld", eid->text, (long long)version, (long long)index);
}

static result key_invalid(struct rq *rq, const struct keyset *set, const struct key *k, const char *what)
{
	const char *name = key_name(rq->arena, set, k);

	return failed(rq->arena, CODE_ISDR_KEY_INVALID, name, "%s: %s", name, what);
}

/* The reading of the wrapped value whose KCV is the one given; false: none. */
static bool reading_matches(const struct secret *reading, uint8_t type, struct bytes kcv)
{
	uint8_t own[KCV_LEN];

	return key_kcv(type, reading->data, reading->len, own) && kcv.len == KCV_LEN && !memcmp(own, kcv.data, KCV_LEN);
}

static result key_take(struct rq *rq, const struct secret *transport, const struct eid *eid, const struct keyset *set,
		       const struct key *k, struct stored_key *out)
{
	const struct smsr *smsr = rq->role;
	struct secret readings[2] = { { 0 } };
	const struct key_component *c = k->components;
	unsigned n, match;
	char aad[AAD_MAX];

	if (k->n_components != 1)
		return key_invalid(rq, set, k, "one KeyComponents is expected");
	n = transport_unwrap(transport, c->value, readings);
	for (match = 0; match < n; match++)
		if (reading_matches(&readings[match], c->type.data[0], k->kcv))
			break;
	if (match < n) {
		*out = (struct stored_key){ .version = set->version, .index = k->index, .type = c->type.data[0] };
		memcpy(out->kcv, k->kcv.data, sizeof(out->kcv));
		key_aad(eid, set->version, k->index, aad);
		kek_wrap(&smsr->kek, aad, readings[match].data, readings[match].len, rq->arena, &out->wrapped);
	}
	secret_free(&readings[0]);
	secret_free(&readings[1]);
	return match < n ? OK : key_invalid(rq, set, k, "kcv does not match the value under the transport key");
}

result isdr_keys_take(struct rq *rq, const struct eis *eis, struct stored_key **out, size_t *out_n)
{
	const struct smsr *smsr = rq->role;
	const struct secret *transport = transport_key_of(&smsr->transports, &eis->info.eum);
	struct stored_key *keys;
	size_t n = 0;

	if (!transport)
		return internal(rq->arena, "no transport key for EUM %s in TRANSPORT_KEYS", eis->info.eum.text);
	for (size_t i = 0; i < eis->isdr.n_keysets; i++)
		n += eis->isdr.keysets[i].n_keys;
	keys = arena_array(rq->arena, n, sizeof(*keys));
	n = 0;
	for (size_t i = 0; i < eis->isdr.n_keysets; i++)
		for (size_t k = 0; k < eis->isdr.keysets[i].n_keys; k++)
			TRY(key_take(rq, transport, &eis->info.eid, &eis->isdr.keysets[i], &eis->isdr.keysets[i].keys[k],
				     &keys[n++]));
	*out = keys;
	*out_n = n;
	return OK;
}

bool isdr_key_store(const struct smsr *smsr, struct arena *a, const struct eid *eid, const struct isdr_key *k,
		    struct stored_key *out)
{
	char aad[AAD_MAX];

	*out = (struct stored_key){ .version = k->version, .index = k->index, .type = k->type };
	if (!key_kcv(k->type, k->value, k->len, out->kcv))
		return false;
	key_aad(eid, k->version, k->index, aad);
	kek_wrap(&smsr->kek, aad, k->value, k->len, a, &out->wrapped);
	return true;
}

bool isdr_key_open(const struct smsr *smsr, const struct eid *eid, int64_t version, int64_t index, struct bytes wrapped,
		   struct secret *out)
{
	char aad[AAD_MAX];

	key_aad(eid, version, index, aad);
	return kek_unwrap(&smsr->kek, aad, wrapped, out);
}
