/* SPDX-License-Identifier: Apache-2.0 */
/* rsp-certs: the PKI of a staging. Whatever exists is kept, so a second run repairs and adds. */
#ifndef CERTS_CERTS_H
#define CERTS_CERTS_H

#include "common/crypto/pki.h"

#define DAY_US INT64_C(86400000000)

enum { NAME_LEN_MAX = 64, KEY_FILE_MAX = 64 * 1024 };

/* What the command line asks for. */
struct order {
	struct arena *a;
	const char *out;    /* folder */
	const char *only;   /* entity; NULL: all */
	const char *domain; /* "a", "b"; NULL: both */
	const char *revoke; /* certificate file */
	const char *issue;  /* name of an extra certificate */
	const char *eku;    /* of it */
	const char *eum;    /* it is an EUM certificate of this OID instead */
	bool expired, foreign_ca;
	int64_t days;
	int64_t now_us;
};

struct entity {
	const char *name, *oid, *role;
	char domain; /* 'a', 'b': an SM-SR domain; 0: serves both */
};
extern const struct entity entities[];
extern const unsigned n_entities;

/* A key and its certificate. */
struct issuer {
	struct ec_key *key;
	struct bytes der, pem;
};
void issuer_free(struct issuer *i);

/* All of these say on stderr what went wrong, where, and how to mend it; then false. */

/* files.c. A path is DIR/folder/base + extension. */
char *path_in(const struct order *o, const char *folder, const char *file);
bool folder_make(const char *path);
bool file_exists(const char *path);
/* Whole or not at all; mode 0600. */
bool file_write(const char *path, const void *data, size_t n);
bool file_read(struct arena *a, const char *path, struct bytes *out);
/* n random bytes, unless the file is there. */
bool file_random(const char *path, size_t n);
bool complain(const char *what, const char *path, const char *mend);

/* issue.c */
/* Reads folder/base.key or makes it. */
bool key_get(const struct order *o, const char *folder, const char *base, struct ec_key **out);
/* Reads folder/base.{key,pem} or makes what is missing, signed by ca (NULL: by itself); out may be NULL. */
bool pair_make(const struct order *o, const char *folder, const char *base, const struct pki_cert *c, const struct issuer *ca,
	       struct issuer *out);
/* folder/base.{key,pem,crl} of a root with that common name. */
bool ca_make(const struct order *o, const char *folder, const char *base, const char *cn, struct issuer *out);
/* Puts o->revoke on the CRL of the CA that issued it. */
bool revoke_cert(const struct order *o);
/* DIR/extra/NAME: a TLS certificate, or one that signs eUICCs. */
bool issue_extra(const struct order *o);

/* staging.c, registry.c */
bool staging_make(const struct order *o);
bool registry_make(const struct order *o, const struct entity *e);

#endif
