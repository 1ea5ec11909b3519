/* SPDX-License-Identifier: Apache-2.0 */
/* What a card has on the heap: what a reset ends, and what its ISD-Ps with keys have. */
#include <stdlib.h>

#include "common/base/secret.h"
#include "services/euicc-sim/card_internal.h"

static void *fresh(size_t n)
{
	void *p = calloc(1, n);

	if (!p)
		abort();
	return p;
}

static void wipe_free(void *p, size_t n)
{
	if (p)
		secret_wipe(p, n);
	free(p);
}

struct card_channel *card_channel_of(struct card *c)
{
	if (!c->channel) {
		c->channel = fresh(sizeof(*c->channel));
		c->channel->agreeing = c->channel->secured = CARD_NONE;
	}
	return c->channel;
}

void card_channel_unsecure(struct card_channel *ch)
{
	card_install_free(ch->install);
	ch->install = NULL;
	ch->secured = CARD_NONE;
	scp03_wipe(&ch->scp03);
}

void card_channel_close(struct card *c)
{
	if (!c->channel)
		return;
	card_channel_unsecure(c->channel);
	wipe_free(c->channel, sizeof(*c->channel));
	c->channel = NULL;
}

void card_session_over(struct card *c)
{
	if (!c->channel || c->channel->agreeing == CARD_NONE)
		return;
	c->channel->agreeing = CARD_NONE;
	c->channel->has_rc = false;
}

struct card_domain *card_domain_new(void)
{
	return fresh(sizeof(struct card_domain));
}

void card_domain_free(struct card_domain *d)
{
	if (d)
		secret_free(&d->elements);
	wipe_free(d, sizeof(*d));
}

void card_free(struct card *c)
{
	card_channel_close(c);
	for (size_t i = 0; i < CARD_PROFILES; i++)
		card_domain_free(c->profiles[i].domain);
	secret_wipe(c, sizeof(*c));
}
