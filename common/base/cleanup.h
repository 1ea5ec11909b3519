/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

/* Runs fn(&variable) when the variable leaves its scope; hence no goto. Declare as: CLEANUP(buf_free) struct buf b = { 0 }; */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

#endif
