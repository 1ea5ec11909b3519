/* SPDX-License-Identifier: Apache-2.0 */
/* All cards: from batch files, found by EID and by the number of the enabled profile. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/euicc-sim/sim.h"

enum { BUCKETS_FIRST = 1024 };

struct batch {
	struct card_file *file;
	char *name, *smsr;
};

struct fleet {
	struct sim *sim;
	struct batch *batches;
	size_t n_batches;
	struct holder **holders;
	size_t n, cap;
	struct holder **by_eid, **by_number; /* heads of chains */
	size_t n_buckets;                    /* a power of two, at least n */
};

static void *array(void *old, size_t n, size_t size)
{
	void *p = reallocarray(old, n, size);

	if (!p)
		abort();
	return p;
}

static char *copy(const char *text)
{
	char *p = strdup(text);

	if (!p)
		abort();
	return p;
}

/* FNV-1a: short texts of digits. */
static size_t bucket(const struct fleet *f, const char *text)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return (size_t)((h ^ h >> 32) & (f->n_buckets - 1));
}

static void chain_eid(struct fleet *f, struct holder *h)
{
	struct holder **head = &f->by_eid[bucket(f, h->card->eid.text)];

	h->next_of_eid = *head;
	*head = h;
}

static void chain_number(struct fleet *f, struct holder *h)
{
	struct holder **head = &f->by_number[bucket(f, h->number)];

	if (!*h->number)
		return;
	h->next_of_number = *head;
	*head = h;
}

static void unchain_number(struct fleet *f, struct holder *h)
{
	struct holder **at = &f->by_number[bucket(f, h->number)];

	while (*at && *at != h)
		at = &(*at)->next_of_number;
	if (*at)
		*at = h->next_of_number;
	h->next_of_number = NULL;
}

static void rehash(struct fleet *f, size_t least)
{
	while (f->n_buckets < least)
		f->n_buckets *= 2;
	f->by_eid = array(f->by_eid, f->n_buckets, sizeof(struct holder *));
	f->by_number = array(f->by_number, f->n_buckets, sizeof(struct holder *));
	memset(f->by_eid, 0, f->n_buckets * sizeof(struct holder *));
	memset(f->by_number, 0, f->n_buckets * sizeof(struct holder *));
	for (size_t i = 0; i < f->n; i++) {
		f->holders[i]->next_of_number = NULL;
		chain_eid(f, f->holders[i]);
		chain_number(f, f->holders[i]);
	}
}

struct fleet *fleet_new(struct sim *sim)
{
	struct fleet *f = array(NULL, 1, sizeof(*f));

	*f = (struct fleet){ .sim = sim, .n_buckets = BUCKETS_FIRST };
	rehash(f, BUCKETS_FIRST);
	return f;
}

void fleet_free(struct fleet *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++) {
		life_stop(f->holders[i]);
		sms_free(f->holders[i]);
		free(f->holders[i]);
	}
	for (size_t i = 0; i < f->n_batches; i++) {
		card_file_close(f->batches[i].file);
		free(f->batches[i].name);
		free(f->batches[i].smsr);
	}
	free(f->batches);
	free(f->holders);
	free(f->by_eid);
	free(f->by_number);
	free(f);
}

void fleet_number(struct fleet *f, struct holder *h)
{
	uint8_t enabled = card_enabled(h->card);
	const char *number = enabled == CARD_NONE ? "" : h->card->profiles[enabled].msisdn;

	if (!strcmp(number, h->number))
		return;
	unchain_number(f, h);
	(void)snprintf(h->number, sizeof(h->number), "%s", number);
	chain_number(f, h);
}

struct holder *fleet_by_eid(const struct fleet *f, const struct eid *eid)
{
	struct holder *h = f->by_eid[bucket(f, eid->text)];

	while (h && !eid_equal(&h->card->eid, eid))
		h = h->next_of_eid;
	return h;
}

struct holder *fleet_by_number(const struct fleet *f, const char *number)
{
	struct holder *h;

	number += *number == '+';
	h = f->by_number[bucket(f, number)];
	while (h && strcmp(h->number, number))
		h = h->next_of_number;
	return h;
}

size_t fleet_count(const struct fleet *f)
{
	return f->n;
}

struct holder *fleet_at(const struct fleet *f, size_t i)
{
	return f->holders[i];
}

/* A card that is in two files would answer twice: the first one counts. */
static bool take_card(struct fleet *f, const struct batch *batch, struct card *card)
{
	struct holder *h;

	if (fleet_by_eid(f, &card->eid)) {
		log_msg(LOG_WARN, "card_twice", "%s is in an earlier batch file already", card->eid.text);
		return false;
	}
	h = array(NULL, 1, sizeof(*h));
	*h = (struct holder){ .sim = f->sim, .card = card, .file = batch->file, .smsr = batch->smsr, .place = f->n };
	if (f->n == f->cap) {
		f->cap = f->cap ? 2 * f->cap : BUCKETS_FIRST;
		f->holders = array(f->holders, f->cap, sizeof(struct holder *));
	}
	f->holders[f->n++] = h;
	if (f->n > f->n_buckets)
		rehash(f, f->n);
	else
		chain_eid(f, h);
	fleet_number(f, h);
	return true;
}

static void line_free(char **line)
{
	if (*line)
		secret_wipe(*line, strlen(*line));
	free(*line);
}

static void file_closep(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

static void json_freep(json_t **j)
{
	json_decref(*j);
}

/* OID of the SM-SR that a batch is registered at: the same on each of its lines. "": not said. */
static char *smsr_of(const char *path)
{
	CLEANUP(file_closep) FILE *f = fopen(path, "re");
	CLEANUP(json_freep) json_t *j = NULL;
	CLEANUP(line_free) char *line = NULL;
	const char *oid = NULL;
	size_t cap = 0;

	if (f && getline(&line, &cap, f) > 0)
		j = json_loads(line, 0, NULL);
	oid = json_string_value(json_object_get(json_object_get(j, "smsr"), "oid"));
	return copy(oid ? oid : "");
}

static bool take_file(struct fleet *f, const char *name, size_t *out_new, char error[SIM_ERROR])
{
	CLEANUP(buf_free) struct buf path = { 0 };
	struct card_file *file;
	struct batch *batch;
	size_t first = f->n;

	buf_printf(&path, "%s/%s", f->sim->config->batches, name);
	file = card_file_open(path.data, error);
	if (!file)
		return false;
	f->batches = array(f->batches, f->n_batches + 1, sizeof(*f->batches));
	batch = &f->batches[f->n_batches++];
	*batch = (struct batch){ file, copy(name), smsr_of(path.data) };
	for (size_t i = 0; i < card_file_count(file); i++)
		(void)take_card(f, batch, card_file_card(file, i));
	log_msg(LOG_INFO, "batch_loaded", "%s: %zu cards", name, f->n - first);
	*out_new += f->n - first;
	for (; first < f->n; first++)
		life_begin(f->holders[first]);
	return true;
}

static bool known(const struct fleet *f, const char *name)
{
	for (size_t i = 0; i < f->n_batches; i++)
		if (!strcmp(f->batches[i].name, name))
			return true;
	return false;
}

static int is_batch(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && n > 6 && !strcmp(entry->d_name + n - 6, ".jsonl");
}

bool fleet_load(struct fleet *f, size_t *out_new, char error[SIM_ERROR])
{
	struct dirent **names = NULL;
	int n = scandir(f->sim->config->batches, &names, is_batch, alphasort);
	char ignored[SIM_ERROR];
	bool ok = n >= 0;

	*out_new = 0;
	if (!ok)
		(void)snprintf(error, SIM_ERROR, "%s cannot be read: %s; give the folder of the batch files (RSP_SIM_BATCHES)",
			       f->sim->config->batches, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (!known(f, names[i]->d_name) && !take_file(f, names[i]->d_name, out_new, ok ? error : ignored))
			ok = false;
		free(names[i]);
	}
	free(names);
	return ok;
}
