/* SPDX-License-Identifier: Apache-2.0 */
/* Counters, gauges and latency histograms of one process, written in Prometheus text format. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdint.h>

#include "common/base/buf.h"

/* name: literal, with the unit in it (rsp_calls_total, rsp_call_seconds). labels: "" or the inside of the braces
 * (function="ES4-GetEIS",status="FAILED"), built from tables only, never from peer data: at most 4096 series, further
 * ones are dropped and counted in rsp_metrics_dropped_total. Safe from any thread. */
void metric_add(const char *name, const char *labels, double by);
void metric_set(const char *name, const char *labels, double value);
/* One observation of a latency, in microseconds; exported as seconds with fixed buckets from 0.5 ms to 60 s. */
void metric_observe_us(const char *name, const char *labels, int64_t us);
void metrics_write(struct buf *out);

#endif
