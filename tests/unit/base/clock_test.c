/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/clock.h"

#include <criterion/criterion.h>

#include "common/base/cleanup.h"

#define SECOND INT64_C(1000000)

Test(datetime, format_is_utc_with_milliseconds_only_when_there_are_some)
{
	char text[DATETIME_MAX];

	datetime_format(0, text);
	cr_assert_str_eq(text, "1970-01-01T00:00:00Z");
	datetime_format(1768469400 * SECOND, text);
	cr_assert_str_eq(text, "2026-01-15T09:30:00Z");
	datetime_format(1768469400 * SECOND + 7000, text);
	cr_assert_str_eq(text, "2026-01-15T09:30:00.007Z");
	datetime_format(-1 * SECOND, text);
	cr_assert_str_eq(text, "1969-12-31T23:59:59Z");
	datetime_format(-500000, text);
	cr_assert_str_eq(text, "1969-12-31T23:59:59.500Z");
}

Test(datetime, parse_takes_fractions_zones_and_no_zone)
{
	static const struct {
		const char *text;
		int64_t us;
	} good[] = {
		{ "2026-01-15T09:30:00Z", 1768469400 * SECOND },
		{ "2026-01-15T09:30:00", 1768469400 * SECOND },
		{ "2026-01-15T10:30:00+01:00", 1768469400 * SECOND },
		{ "2026-01-15T00:00:00-09:30", 1768469400 * SECOND },
		{ "2026-01-15T09:30:00.5Z", 1768469400 * SECOND + 500000 },
		{ "2026-01-15T09:30:00.1234567891Z", 1768469400 * SECOND + 123456 },
		{ "2024-02-29T00:00:00Z", 1709164800 * SECOND },
		{ "0001-01-01T00:00:00Z", INT64_C(-62135596800) * SECOND },
	};

	for (size_t i = 0; i < LEN(good); i++) {
		int64_t us = 1;

		cr_assert(datetime_parse(good[i].text, &us), "%s", good[i].text);
		cr_assert_eq(us, good[i].us, "%s", good[i].text);
	}
}

Test(datetime, parse_refuses_what_is_no_time_and_leaves_the_output)
{
	static const char *const bad[] = {
		"",
		"2026",
		"2026-01-15",
		"2026-01-15 09:30:00Z",
		"2026-1-15T09:30:00Z",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2025-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z",
		"2026-04-31T00:00:00Z",
		"2026-01-15T24:00:01Z",
		"2026-01-15T09:60:00Z",
		"2026-01-15T09:30:60Z",
		"2026-01-15T09:30:00z",
		"2026-01-15T09:30:00.Z",
		"2026-01-15T09:30:00+1:00",
		"2026-01-15T09:30:00+15:00",
		"2026-01-15T09:30:00+01:60",
		"2026-01-15T09:30:00Zx",
		"0000-01-01T00:00:00Z",
		"-001-01-01T00:00:00Z",
		"2026-01-15T09:30:",
	};

	for (size_t i = 0; i < LEN(bad); i++) {
		int64_t us = 42;

		cr_assert(!datetime_parse(bad[i], &us), "%s was taken", bad[i]);
		cr_assert_eq(us, 42, "%s changed the output", bad[i]);
	}
}

Test(datetime, round_trip_to_the_millisecond)
{
	for (int64_t us = -62135596800 * SECOND; us < 253402300800 * SECOND; us += 7919 * 86399 * SECOND + 1000) {
		char text[DATETIME_MAX];
		int64_t back = 0;

		datetime_format(us, text);
		cr_assert(datetime_parse(text, &back), "%s", text);
		cr_assert_eq(back, us, "%s", text);
	}
}

Test(datetime, early_years_keep_four_digits)
{
	char text[DATETIME_MAX];

	datetime_format(INT64_C(-62135596800) * SECOND, text);
	cr_assert_str_eq(text, "0001-01-01T00:00:00Z");
}

Test(clock, goes_forward)
{
	int64_t us = clock_us(), ms = clock_ms();

	cr_assert_geq(clock_us(), us);
	cr_assert_geq(clock_ms(), ms);
	cr_assert_gt(clock_wall_us(), 1700000000 * SECOND);
}
