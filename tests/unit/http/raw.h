/* SPDX-License-Identifier: Apache-2.0 */
/* A peer that does what a library would not: half requests, silence, sudden ends. */
#ifndef TEST_HTTP_RAW_H
#define TEST_HTTP_RAW_H

#include <stddef.h>
#include <stdint.h>

/* Connected to 127.0.0.1, or -1. */
int raw_connect(uint16_t port);
void raw_send(int fd, const char *text);
/* Reads until the peer closes or ms have passed. Returns how many milliseconds it took, -1 when the peer had not closed. out is
 * NUL-terminated. */
int64_t raw_read_all(int fd, char *out, size_t size, int ms);
/* The same, but returns as soon as needle has come. */
int64_t raw_read_until(int fd, const char *needle, char *out, size_t size, int ms);
/* Sends piece every 100 ms until the peer closes. Returns the milliseconds until then, -1 after limit_ms. */
int64_t raw_drip(int fd, const char *piece, int limit_ms);
void sleep_ms(int ms);

#endif
