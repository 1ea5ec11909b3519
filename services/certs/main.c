/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/sgp02/ids.h"
#include "services/certs/certs.h"

enum { DAYS = 825, DAYS_MAX = 36500, EXIT_USAGE = 2 };

static const char help[] =
	"rsp-certs makes the test PKI of a staging. Not for production: all private keys end up in one folder.\n"
	"\n"
	"  rsp-certs --out DIR [--domain a|b] [--days N] [--only NAME]\n"
	"  rsp-certs --out DIR --revoke CERT.pem\n"
	"  rsp-certs --out DIR --issue NAME --eku client|server|both|none [--expired] [--foreign-ca] [--days N]\n"
	"  rsp-certs --out DIR --issue NAME --eum OID [--expired] [--foreign-ca] [--days N]\n"
	"\n"
	"  --out DIR          folder of the PKI; made with mode 0700, files with 0600. What exists is kept: a second\n"
	"                     run only adds what is missing.\n"
	"  --domain a|b       of the SM-SRs only sm-sr (a) or sm-sr-b (b); without: both\n"
	"  --days N           validity of what is made now, 1 to 36500 (default 825; CAs at least 3650)\n"
	"  --only NAME        one entity: eum sm-sr sm-sr-b sm-dp operator-a operator-b m2m-sp, or nats-server\n"
	"  --revoke CERT.pem  puts the certificate on the CRL of the CA in DIR that issued it\n"
	"  --issue NAME       one more certificate, DIR/extra/NAME.{key,pem}, for tests\n"
	"  --eku USE          it is for TLS and has this extended key usage\n"
	"  --eum OID          it is an EUM certificate of that entity, below the CI\n"
	"  --expired          it expired yesterday\n"
	"  --foreign-ca       it is issued by DIR/extra/foreign-ca (with --eum foreign-ci): the CA's name, another key\n"
	"\n"
	"DIR afterwards:\n"
	"  ci/ci.{key,pem,crl}                  CI root\n"
	"  tls-ca/tls-ca.{key,pem,crl}          CA of all TLS certificates\n"
	"  NAME/tls-server.{key,pem}            server, for localhost, 127.0.0.1, ::1, NAME and *.NAME.internal\n"
	"  NAME/tls-client.{key,pem}            client\n"
	"  NAME/nats.{key,pem}                  bus client; its common name is the NATS user\n"
	"  NAME/kek.key                         32 bytes, wraps keys at rest (eum, sm-sr, sm-sr-b, sm-dp)\n"
	"  eum/eum.{key,pem}                    EUM certificate below the CI\n"
	"  sm-dp/dp.{key,pem}, cert.dp.gp       CERT.DP.ECDSA, as X.509 and in GlobalPlatform form\n"
	"  sm-sr/sr.{key,pem}, cert.sr.gp       CERT.SR.ECDSA likewise; also sm-sr-b\n"
	"  nats-server/tls-server.{key,pem}\n"
	"  transport/EUM_SMSR.key               16 bytes, AES key of the key transport from EUM to SM-SR (OIDs)\n"
	"  transport/OPERATOR_SMDP.key          likewise from operator to SM-DP\n"
	"  registry/NAME.json                   for rspctl entity import\n"
	"\n"
	"Exit: 0 done, 1 failed, 2 wrong usage.\n";

static bool usage(const char *what, const char *value)
{
	fprintf(stderr, "rsp-certs: %s%s%s; rsp-certs --help tells all\n", what, value ? ": " : "", value ? value : "");
	return false;
}

/* A name becomes a file, a common name and a DNS name, so it may hold nothing that means something there. */
static bool name_ok(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < NAME_LEN_MAX && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == n;
}

static bool entity_known(const char *name)
{
	for (unsigned i = 0; i < n_entities; i++) {
		if (strcmp(entities[i].name, name) == 0)
			return true;
	}
	return strcmp(name, "nats-server") == 0;
}

static bool one_of(const char *value, const char *const *list)
{
	for (; *list; list++) {
		if (strcmp(value, *list) == 0)
			return true;
	}
	return false;
}

static bool days_parse(const char *text, int64_t *out)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end || n < 1 || n > DAYS_MAX)
		return false;
	*out = n;
	return true;
}

static bool extra_check(const struct order *o)
{
	static const char *const ekus[] = { "client", "server", "both", "none", NULL };
	struct oid oid;

	if (!o->issue)
		return !(o->eku || o->eum || o->expired || o->foreign_ca) ||
		       usage("--eku, --eum, --expired and --foreign-ca need --issue NAME", NULL);
	if (o->only)
		return usage("--issue and --only exclude each other", NULL);
	if (!name_ok(o->issue) || !strcmp(o->issue, "foreign-ca") || !strcmp(o->issue, "foreign-ci"))
		return usage("--issue takes letters, digits, dot and hyphen, and not foreign-ca or foreign-ci", o->issue);
	if (!o->eku == !o->eum)
		return usage("--issue needs either --eku or --eum", NULL);
	if (o->eku && !one_of(o->eku, ekus))
		return usage("--issue needs --eku client|server|both|none", o->eku);
	return !o->eum || oid_parse(o->eum, &oid) || usage("--eum is an object identifier, not", o->eum);
}

static bool order_check(const struct order *o)
{
	static const char *const domains[] = { "a", "b", NULL };

	if (!o->out || !o->out[0])
		return usage("--out DIR is missing", NULL);
	if (o->only && !entity_known(o->only))
		return usage("--only knows no such entity", o->only);
	if (o->domain && !one_of(o->domain, domains))
		return usage("--domain is a or b, not", o->domain);
	if (o->revoke && (o->issue || o->only))
		return usage("--revoke goes with --out alone", NULL);
	return extra_check(o);
}

enum option_id {
	O_OUT = 'o',
	O_DOMAIN = 'd',
	O_DAYS = 'n',
	O_ONLY = 'y',
	O_REVOKE = 'r',
	O_ISSUE = 'i',
	O_EKU = 'k',
	O_EUM = 'u',
	O_EXPIRED = 'x',
	O_FOREIGN = 'f',
	O_HELP = 'h'
};

static bool option_take(int id, struct order *o, bool *out_help)
{
	switch (id) {
	case O_OUT:
		o->out = optarg;
		return true;
	case O_DOMAIN:
		o->domain = optarg;
		return true;
	case O_DAYS:
		return days_parse(optarg, &o->days) || usage("--days is a number from 1 to 36500, not", optarg);
	case O_ONLY:
		o->only = optarg;
		return true;
	case O_REVOKE:
		o->revoke = optarg;
		return true;
	case O_ISSUE:
		o->issue = optarg;
		return true;
	case O_EKU:
		o->eku = optarg;
		return true;
	case O_EUM:
		o->eum = optarg;
		return true;
	case O_EXPIRED:
		o->expired = true;
		return true;
	case O_FOREIGN:
		o->foreign_ca = true;
		return true;
	case O_HELP:
		*out_help = true;
		return true;
	default:
		return usage("unknown option or value missing", NULL);
	}
}

static bool order_parse(int argc, char **argv, struct order *o, bool *out_help)
{
	static const struct option options[] = {
		{ "out", required_argument, NULL, O_OUT },
		{ "domain", required_argument, NULL, O_DOMAIN },
		{ "days", required_argument, NULL, O_DAYS },
		{ "only", required_argument, NULL, O_ONLY },
		{ "revoke", required_argument, NULL, O_REVOKE },
		{ "issue", required_argument, NULL, O_ISSUE },
		{ "eku", required_argument, NULL, O_EKU },
		{ "eum", required_argument, NULL, O_EUM },
		{ "expired", no_argument, NULL, O_EXPIRED },
		{ "foreign-ca", no_argument, NULL, O_FOREIGN },
		{ "help", no_argument, NULL, O_HELP },
		{ 0 },
	};
	int id;

	while ((id = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (!option_take(id, o, out_help))
			return false;
	}
	if (optind < argc)
		return usage("unexpected word", argv[optind]);
	return *out_help || order_check(o);
}

int main(int argc, char **argv)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct order o = { .a = a, .days = DAYS, .now_us = clock_wall_us() };
	bool wants_help = false, done;

	umask(0077);
	if (!order_parse(argc, argv, &o, &wants_help))
		return EXIT_USAGE;
	if (wants_help) {
		fputs(help, stdout);
		return EXIT_SUCCESS;
	}
	if (o.revoke)
		done = revoke_cert(&o);
	else
		done = o.issue ? issue_extra(&o) : staging_make(&o);
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
