/* SPDX-License-Identifier: Apache-2.0 */
/* The stream of a domain: looked up before it is made, since a server reserves storage again for one that exists (10047). */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/bus/bus_internal.h"

#define SECONDS_NS INT64_C(1000000000)

static void info_freep(jsStreamInfo **info)
{
	jsStreamInfo_Destroy(*info);
}

static jsOptions waiting(int64_t until_ms)
{
	jsOptions o;
	int64_t left = until_ms - clock_ms();

	jsOptions_Init(&o);
	o.Wait = left > 0 ? left : 1;
	return o;
}

static natsStatus stream_make(struct bus *b, int64_t until_ms, jsErrCode *out_code)
{
	CLEANUP(info_freep) jsStreamInfo *info = NULL;
	const char *subjects[] = { b->captures };
	jsOptions o = waiting(until_ms);
	jsStreamConfig c;

	jsStreamConfig_Init(&c);
	c.Name = b->stream;
	c.Subjects = subjects;
	c.SubjectsLen = LEN(subjects);
	c.Storage = js_FileStorage;
	c.MaxAge = 7 * 24 * 3600 * SECONDS_NS;
	c.Duplicates = 600 * SECONDS_NS; /* an outbox that died in between repeats within minutes */
	return js_AddStream(&info, b->js, &c, &o, out_code);
}

static natsStatus stream_find(struct bus *b, int64_t until_ms, jsErrCode *out_code)
{
	CLEANUP(info_freep) jsStreamInfo *info = NULL;
	jsOptions o = waiting(until_ms);
	natsStatus s = js_GetStreamInfo(&info, b->js, b->stream, &o, out_code);

	if (s == NATS_OK && (info->Config->SubjectsLen != 1 || strcmp(info->Config->Subjects[0], b->captures) != 0))
		return NATS_INVALID_SUBJECT;
	return s;
}

/* Once per state: the outbox tries again and again. */
static void report(struct bus *b, natsStatus s, jsErrCode code)
{
	if (atomic_exchange(&b->stream_bad, s != NATS_OK) == (s != NATS_OK))
		return;
	if (s == NATS_OK)
		log_msg(LOG_INFO, "bus.stream", "stream %s is there again", b->stream);
	else if (s == NATS_INVALID_SUBJECT)
		log_msg(LOG_ERROR, "bus.stream", "stream %s captures other subjects than %s", b->stream, b->captures);
	else
		log_msg(LOG_WARN, "bus.stream", "no stream %s: %s (%d)", b->stream, natsStatus_GetText(s), (int)code);
}

bool bus_stream(struct bus *b, int64_t until_ms)
{
	jsErrCode code = 0;
	natsStatus s = NATS_OK;

	if (atomic_load(&b->stream_ok))
		return true;
	pthread_mutex_lock(&b->making);
	if (!atomic_load(&b->stream_ok)) {
		s = stream_find(b, until_ms, &code);
		if (s == NATS_NOT_FOUND || code == JSStreamNotFoundErr) {
			code = 0;
			s = stream_make(b, until_ms, &code);
			/* Another replica may have made it in between. */
			if (s != NATS_OK && code == JSStreamNameExistErr)
				s = stream_find(b, until_ms, &code);
		}
		report(b, s, code);
		atomic_store(&b->stream_ok, s == NATS_OK);
	}
	pthread_mutex_unlock(&b->making);
	return s == NATS_OK;
}
