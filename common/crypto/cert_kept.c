/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates seen lately, parsed. An EUM signs thousands of cards with one certificate, and OpenSSL 3 takes longer to parse it, its key most
 * of all, than to verify a signature with it. That one is kept says nothing about its being trusted. */
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/crypto_internal.h"

enum { KEPT = 16 };

struct kept {
	X509 *x; /* NULL: free */
	uint8_t *der;
	size_t len;
};

static CRYPTO_RWLOCK *lock;
static struct kept kept[KEPT];
static unsigned next_slot;

static void lock_make(void)
{
	lock = CRYPTO_THREAD_lock_new();
}

void kept_lock(void)
{
	static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;

	if (!CRYPTO_THREAD_run_once(&once, lock_make) || !lock || !CRYPTO_THREAD_write_lock(lock))
		abort();
}

void kept_unlock(void)
{
	CRYPTO_THREAD_unlock(lock);
}

static X509 *find(struct bytes der)
{
	X509 *found = NULL;

	kept_lock();
	for (unsigned i = 0; i < KEPT && !found; i++)
		if (kept[i].x && kept[i].len == der.len && !memcmp(kept[i].der, der.data, der.len))
			found = kept[i].x;
	if (found)
		X509_up_ref(found);
	kept_unlock();
	return found;
}

/* Two threads may both keep the same one: it then fills two slots, which harms nobody. */
static void keep(X509 *x, struct bytes der)
{
	struct kept fresh = { .x = x, .der = malloc(der.len), .len = der.len }, old;

	if (!fresh.der)
		abort();
	memcpy(fresh.der, der.data, der.len);
	X509_up_ref(x);
	kept_lock();
	old = kept[next_slot];
	kept[next_slot] = fresh;
	next_slot = (next_slot + 1) % KEPT;
	kept_unlock();
	X509_free(old.x);
	free(old.der);
}

X509 *x509_kept(struct bytes der)
{
	X509 *x = find(der);

	if (x)
		return x;
	x = x509_from_der(der);
	if (!x)
		return NULL;
	/* OpenSSL decodes the extensions at first use: here, before other threads see the certificate. */
	(void)X509_check_purpose(x, -1, 0);
	keep(x, der);
	return x;
}
