/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/rpc/outbox_peer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/soap/envelope.h"

static const char fault_sender[] = "<s:Envelope xmlns:s=\"" NS_SOAP12 "\"><s:Body><s:Fault>"
				   "<s:Code><s:Value>s:Sender</s:Value></s:Code><s:Reason>"
				   "<s:Text xml:lang=\"en\">never heard of it</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>";

size_t seen(struct peer_side *p, const char *path, const char *text, char out[TEXT_MAX])
{
	size_t n = 0;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n; i++) {
		if (strcmp(p->seen[i].path, path) != 0 || !strstr(p->seen[i].text, text))
			continue;
		n++;
		if (out)
			memcpy(out, p->seen[i].text, TEXT_MAX);
	}
	pthread_mutex_unlock(&p->lock);
	return n;
}

static size_t note(struct peer_side *p, const char *path, struct bytes body)
{
	size_t n;

	pthread_mutex_lock(&p->lock);
	if (p->n < SEEN_MAX) {
		snprintf(p->seen[p->n].path, sizeof(p->seen[0].path), "%s", path);
		snprintf(p->seen[p->n].text, TEXT_MAX, "%.*s", (int)body.len, (const char *)body.data);
		p->n++;
	}
	n = p->n;
	pthread_mutex_unlock(&p->lock);
	return n;
}

static void expired(void *user, struct http_call *c)
{
	(void)http_resume(c, 503, NULL, NULL, 0);
}

static void gone(void *user)
{
}

static void be_silent(struct http_call *c)
{
	static const struct http_parked_hooks hooks = { expired, gone };

	http_park(c, clock_ms() + 60000, &hooks, NULL);
}

/* Rows say "mark:<card>.<number>": no card may have two at once, nor a lower number after a higher one. */
static void be_slow(struct peer_side *p, struct http_call *c)
{
	const char *mark = strstr((const char *)http_body(c).data, "mark:");
	unsigned card = 0, number = 0;

	if (!mark || sscanf(mark, "mark:%u.%u", &card, &number) != 2 || card >= CARDS) {
		http_reply(c, 400, NULL, NULL, 0);
		return;
	}
	pthread_mutex_lock(&p->lock);
	p->crossed |= p->busy[card]++ > 0;
	p->disordered |= number != p->last[card] + 1;
	p->last[card] = number;
	pthread_mutex_unlock(&p->lock);
	nanosleep(&(struct timespec){ .tv_nsec = 30000000 }, NULL);
	pthread_mutex_lock(&p->lock);
	p->busy[card]--;
	pthread_mutex_unlock(&p->lock);
	http_reply(c, 202, NULL, NULL, 0);
}

void peer_handle(void *ctx, struct http_call *c)
{
	struct peer_side *p = ctx;
	const char *path = http_path(c);

	(void)note(p, path, http_body(c));
	if (!strcmp(path, "/silent") || (!strcmp(path, "/mixed") && strstr((const char *)http_body(c).data, "mute")))
		be_silent(c);
	else if (!strcmp(path, "/slow"))
		be_slow(p, c);
	else if (!strcmp(path, "/refuse"))
		http_reply(c, 400, "application/soap+xml", fault_sender, sizeof(fault_sender) - 1);
	else if (!strcmp(path, "/again") && seen(p, path, "", NULL) < 3)
		http_reply(c, 500, NULL, NULL, 0);
	else
		http_reply(c, !strcmp(path, "/empty") ? 200 : 202, NULL, NULL, 0);
}
