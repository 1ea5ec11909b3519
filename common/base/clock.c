/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t clock_read_us(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_us(void)
{
	return clock_read_us(CLOCK_MONOTONIC);
}

int64_t clock_ms(void)
{
	return clock_us() / 1000;
}

int64_t clock_wall_us(void)
{
	return clock_read_us(CLOCK_REALTIME);
}

void datetime_format(int64_t wall_us, char out[DATETIME_MAX])
{
	int64_t rest = wall_us % 1000000;
	time_t s = (time_t)((wall_us - (rest < 0 ? rest + 1000000 : rest)) / 1000000);
	long ms = (long)((rest < 0 ? rest + 1000000 : rest) / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&s, &tm);
	/* not strftime: its %Y gives an early year fewer than the four digits that xs:dateTime needs */
	n = (size_t)snprintf(out, DATETIME_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
			     tm.tm_min, tm.tm_sec);
	if (ms)
		n += (size_t)snprintf(out + n, DATETIME_MAX - n, ".%03ld", ms);
	(void)snprintf(out + n, DATETIME_MAX - n, "Z");
}

/* n digits at *p; moves *p behind them. -1: something else stands there. */
static int digits(const char **p, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if (!isdigit((unsigned char)(*p)[i]))
			return -1;
		v = v * 10 + ((*p)[i] - '0');
	}
	*p += n;
	return v;
}

static bool literal(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

/* -1: a dot without digits. */
static int64_t fraction_us(const char **p)
{
	int64_t us = 0, unit = 100000;

	if (**p != '.')
		return 0;
	if (!isdigit((unsigned char)(*p)[1]))
		return -1;
	for ((*p)++; isdigit((unsigned char)**p); (*p)++, unit /= 10)
		us += (**p - '0') * unit;
	return us;
}

/* Z, +hh:mm, -hh:mm or nothing; minutes east of UTC. */
static bool zone_minutes(const char *p, int *out)
{
	int sign = *p == '-' ? -1 : 1, h, m;

	*out = 0;
	if (!*p || !strcmp(p, "Z"))
		return true;
	if (*p != '+' && *p != '-')
		return false;
	p++;
	h = digits(&p, 2);
	if (h < 0 || h > 14 || !literal(&p, ':'))
		return false;
	m = digits(&p, 2);
	*out = sign * (h * 60 + m);
	return m >= 0 && m < 60 && !*p;
}

static bool month_has(int year, int month, int day)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (month == 2 && leap);
}

bool datetime_parse(const char *text, int64_t *out_wall_us)
{
	const char *p = text;
	struct tm tm = { 0 };
	int64_t us;
	int zone, year;

	year = digits(&p, 4);
	if (year < 1 || !literal(&p, '-'))
		return false;
	tm.tm_year = year - 1900;
	tm.tm_mon = digits(&p, 2) - 1;
	if (!literal(&p, '-'))
		return false;
	tm.tm_mday = digits(&p, 2);
	if (!literal(&p, 'T') || !month_has(year, tm.tm_mon + 1, tm.tm_mday))
		return false;
	tm.tm_hour = digits(&p, 2);
	if (!literal(&p, ':'))
		return false;
	tm.tm_min = digits(&p, 2);
	if (!literal(&p, ':'))
		return false;
	tm.tm_sec = digits(&p, 2);
	if (tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 59)
		return false;
	us = fraction_us(&p);
	if (us < 0 || !zone_minutes(p, &zone))
		return false;
	*out_wall_us = ((int64_t)timegm(&tm) - zone * 60) * 1000000 + us;
	return true;
}
