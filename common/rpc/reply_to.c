/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/reply_to.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/soap/envelope.h"

enum { URL_MAX = 2000, HTTPS_PORT = 443, PORT_DIGITS = 5, PORT_MAX = 65535 };

/* No character in it that two readers of a URL could understand differently. */
static const char host_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
static const char ipv6_chars[] = "0123456789abcdefABCDEF:.";
static const char digits[] = "0123456789";

struct place {
	const char *host;
	size_t n;
	unsigned long port;
};

/* Length of the host at s, brackets included; 0: none. */
static size_t host_length(const char *s)
{
	size_t n;

	if (*s != '[')
		return strspn(s, host_chars);
	n = strspn(s + 1, ipv6_chars);
	return n && s[n + 1] == ']' ? n + 2 : 0;
}

static bool printable(const char *url)
{
	for (const char *p = url; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '\\')
			return false;
	return strlen(url) <= URL_MAX;
}

static bool place_parse(const char *url, struct place *out)
{
	static const char scheme[] = "https://";
	const char *p = url + sizeof(scheme) - 1;
	struct place place = { .port = HTTPS_PORT };

	if (strncasecmp(url, scheme, sizeof(scheme) - 1) != 0 || !printable(url))
		return false;
	place.host = p;
	place.n = host_length(p);
	p += place.n;
	if (*p == ':') {
		size_t n = strspn(++p, digits);

		place.port = n && n <= PORT_DIGITS ? strtoul(p, NULL, 10) : 0;
		p += n;
	}
	if (!place.n || !place.port || place.port > PORT_MAX || (*p && !strchr("/?#", *p)))
		return false;
	*out = place;
	return true;
}

bool reply_to_polls(const char *url)
{
	return !strncasecmp(url, NS_WSMC, sizeof(NS_WSMC) - 1);
}

const char *reply_to_mailbox(struct arena *a, const char *url)
{
	static const char anonymous[] = NS_WSMC "/anonymous?id=";
	const char *id = url + sizeof(anonymous) - 1;

	if (strncasecmp(url, anonymous, sizeof(anonymous) - 1) != 0 || !*id || !printable(url))
		return NULL;
	return arena_printf(a, "%s%s", anonymous, id);
}

bool reply_to_valid(const char *url)
{
	struct place place;

	return place_parse(url, &place);
}

bool reply_to_same_place(const char *url, const char *registered)
{
	struct place a, b;

	return place_parse(url, &a) && place_parse(registered, &b) && a.n == b.n && a.port == b.port &&
	       !strncasecmp(a.host, b.host, a.n);
}
