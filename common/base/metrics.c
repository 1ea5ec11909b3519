/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/metrics.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM };
enum { MAX_SERIES = 4096, BUCKETS = 12 };

static const double bucket_s[BUCKETS] = { 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2, 10, 60 };

struct series {
	const char *name;
	char *labels;
	enum kind kind;
	double value; /* counter, gauge, or the histogram's sum in seconds */
	uint64_t count, below[BUCKETS];
};

/* Open addressing; a slot is filled once and never freed. */
static struct series *table[MAX_SERIES * 2];
static unsigned used, dropped;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static unsigned slot_of(const char *name, const char *labels)
{
	uint32_t h = 2166136261u;

	for (const char *p = name; *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619u;
	for (const char *p = labels; *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619u;
	return h % LEN(table);
}

/* Lock held. NULL: too many series. */
static struct series *series_get(const char *name, const char *labels, enum kind kind)
{
	unsigned i = slot_of(name, labels);

	for (; table[i]; i = (i + 1) % LEN(table))
		if (!strcmp(table[i]->name, name) && !strcmp(table[i]->labels, labels))
			return table[i];
	if (used >= MAX_SERIES) {
		dropped++;
		return NULL;
	}
	table[i] = calloc(1, sizeof(*table[i]));
	if (!table[i])
		abort();
	table[i]->name = name;
	table[i]->labels = strdup(labels);
	table[i]->kind = kind;
	used++;
	return table[i];
}

void metric_add(const char *name, const char *labels, double by)
{
	struct series *s;

	pthread_mutex_lock(&lock);
	s = series_get(name, labels, KIND_COUNTER);
	if (s)
		s->value += by;
	pthread_mutex_unlock(&lock);
}

void metric_set(const char *name, const char *labels, double value)
{
	struct series *s;

	pthread_mutex_lock(&lock);
	s = series_get(name, labels, KIND_GAUGE);
	if (s)
		s->value = value;
	pthread_mutex_unlock(&lock);
}

void metric_observe_us(const char *name, const char *labels, int64_t us)
{
	double seconds = (double)us / 1e6;
	struct series *s;

	pthread_mutex_lock(&lock);
	s = series_get(name, labels, KIND_HISTOGRAM);
	if (s) {
		s->count++;
		s->value += seconds;
		for (unsigned i = 0; i < BUCKETS; i++)
			s->below[i] += seconds <= bucket_s[i];
	}
	pthread_mutex_unlock(&lock);
}

static int by_name(const void *a, const void *b)
{
	const struct series *const *x = a, *const *y = b;
	int c = strcmp((*x)->name, (*y)->name);

	return c ? c : strcmp((*x)->labels, (*y)->labels);
}

static void write_histogram(struct buf *out, const struct series *s)
{
	const char *comma = *s->labels ? "," : "";

	for (unsigned i = 0; i < BUCKETS; i++)
		buf_printf(out, "%s_bucket{%s%sle=\"%g\"} %llu\n", s->name, s->labels, comma, bucket_s[i],
			   (unsigned long long)s->below[i]);
	buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", s->name, s->labels, comma, (unsigned long long)s->count);
	if (*s->labels)
		buf_printf(out, "%s_sum{%s} %.6f\n%s_count{%s} %llu\n", s->name, s->labels, s->value, s->name, s->labels,
			   (unsigned long long)s->count);
	else
		buf_printf(out, "%s_sum %.6f\n%s_count %llu\n", s->name, s->value, s->name, (unsigned long long)s->count);
}

void metrics_write(struct buf *out)
{
	static const char *const kinds[] = { "counter", "gauge", "histogram" };
	struct series *all[MAX_SERIES];
	const char *last = "";
	unsigned n = 0;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < LEN(table); i++)
		if (table[i])
			all[n++] = table[i];
	qsort(all, n, sizeof(all[0]), by_name);
	for (unsigned i = 0; i < n; i++) {
		const struct series *s = all[i];

		if (strcmp(last, s->name))
			buf_printf(out, "# TYPE %s %s\n", s->name, kinds[s->kind]);
		last = s->name;
		if (s->kind == KIND_HISTOGRAM)
			write_histogram(out, s);
		else if (*s->labels)
			buf_printf(out, "%s{%s} %.17g\n", s->name, s->labels, s->value);
		else
			buf_printf(out, "%s %.17g\n", s->name, s->value);
	}
	buf_printf(out, "# TYPE rsp_metrics_dropped_total counter\nrsp_metrics_dropped_total %u\n", dropped);
	pthread_mutex_unlock(&lock);
}
