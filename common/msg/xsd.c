/* SPDX-License-Identifier: Apache-2.0 */
/* The schema of all served messages, printed from their bind tables. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "common/msg/bind_internal.h"
#include "common/msg/wsdl.h"
#include "common/msg/xsd_internal.h"
#include "common/soap/envelope.h"

enum { NAMES_MAX = 128 };

struct printer {
	struct buf *out;
	const char *done[NAMES_MAX]; /* named types printed already */
	size_t n_done;
};

static bool first_time(struct printer *p, const char *name)
{
	for (size_t i = 0; i < p->n_done; i++)
		if (!strcmp(p->done[i], name))
			return false;
	assert(p->n_done < NAMES_MAX);
	p->done[p->n_done++] = name;
	return true;
}

static bool is_foreign(const char *type)
{
	return !strncmp(type, "xs:", 3) || !strncmp(type, "ds:", 3);
}

static void indent(struct printer *p, unsigned level)
{
	for (unsigned i = 0; i < level; i++)
		buf_str(p->out, "  ");
}

static void line(struct printer *p, unsigned level, const char *text)
{
	indent(p, level);
	buf_str(p->out, text);
	buf_char(p->out, '\n');
}

static void facet(struct printer *p, unsigned level, const char *name, const char *value)
{
	indent(p, level);
	buf_printf(p->out, "<xs:%s value=\"", name);
	xml_escape(p->out, value);
	buf_str(p->out, "\"/>\n");
}

static void number_facet(struct printer *p, unsigned level, const char *name, int64_t value)
{
	indent(p, level);
	buf_printf(p->out, "<xs:%s value=\"%" PRId64 "\"/>\n", name, value);
}

static void length_facets(struct printer *p, unsigned level, int64_t min, int64_t max)
{
	if (min == max && max) {
		number_facet(p, level, "length", max);
		return;
	}
	if (min)
		number_facet(p, level, "minLength", min);
	if (max)
		number_facet(p, level, "maxLength", max);
}

enum { EID_BYTES_MAX = 32 }; /* room for the 64-digit form of some peers */

static const char *simple_base(const struct bind_field *f)
{
	switch (f->type) {
	case BIND_EID:
	case BIND_AID:
	case BIND_HEX:
		return "xs:hexBinary";
	case BIND_INT:
		return "xs:integer";
	case BIND_BOOL:
		return "xs:boolean";
	case BIND_TIME:
		return "xs:dateTime";
	case BIND_STRING:
	case BIND_PATTERN:
	case BIND_ICCID:
	case BIND_OID:
	case BIND_ENUM:
	case BIND_GROUP:
	case BIND_OCTETS:
		break;
	}
	return "xs:string";
}

static void simple_facets(struct printer *p, unsigned level, const struct bind_field *f)
{
	switch (f->type) {
	case BIND_EID:
		number_facet(p, level, "maxLength", EID_BYTES_MAX);
		break;
	case BIND_AID:
		length_facets(p, level, AID_MIN, AID_MAX);
		break;
	case BIND_ICCID:
		facet(p, level, "pattern", "89[0-9fF]{4,18}");
		break;
	case BIND_OID:
	case BIND_PATTERN:
		facet(p, level, "pattern", bind_pattern(f->xsd_type));
		break;
	case BIND_HEX:
	case BIND_STRING:
		length_facets(p, level, f->min, f->max);
		break;
	case BIND_INT:
		number_facet(p, level, "minInclusive", f->min);
		number_facet(p, level, "maxInclusive", f->max);
		break;
	case BIND_ENUM:
		for (unsigned i = 0; f->names[i]; i++)
			facet(p, level, "enumeration", f->names[i]);
		break;
	case BIND_BOOL:
	case BIND_TIME:
	case BIND_GROUP:
	case BIND_OCTETS:
		break;
	}
}

static void restriction(struct printer *p, unsigned level, const struct bind_field *f)
{
	indent(p, level);
	buf_printf(p->out, "<xs:restriction base=\"%s\">\n", simple_base(f));
	simple_facets(p, level + 1, f);
	line(p, level, "</xs:restriction>");
}

/* A pattern with a length of its own narrows the named type in place. */
static bool narrows(const struct bind_field *f)
{
	return f->type == BIND_PATTERN && (f->min || f->max);
}

static void anonymous_simple(struct printer *p, unsigned level, const struct bind_field *f)
{
	line(p, level, "<xs:simpleType>");
	if (narrows(f)) {
		indent(p, level + 1);
		buf_printf(p->out, "<xs:restriction base=\"rps:%s\">\n", f->xsd_type);
		length_facets(p, level + 2, f->min, f->max);
		line(p, level + 1, "</xs:restriction>");
	} else {
		restriction(p, level + 1, f);
	}
	line(p, level, "</xs:simpleType>");
}

static bool is_anonymous(const struct bind_field *f)
{
	return f->type == BIND_GROUP ? !f->sub->xsd_type : !f->xsd_type || narrows(f);
}

static void complex_content(struct printer *p, unsigned level, const struct bind_field *fields);

static void anonymous_type(struct printer *p, unsigned level, const struct bind_field *f)
{
	if (f->type != BIND_GROUP) {
		anonymous_simple(p, level, f);
		return;
	}
	line(p, level, "<xs:complexType>");
	complex_content(p, level + 1, f->sub->fields);
	line(p, level, "</xs:complexType>");
}

static void named_type(struct printer *p, const struct bind_field *f)
{
	const char *type = f->type == BIND_GROUP ? f->sub->xsd_type : f->xsd_type;

	buf_printf(p->out, " type=\"%s%s\"", is_foreign(type) ? "" : "rps:", type);
}

static void occurs(struct printer *p, const struct bind_field *f)
{
	bool many = f->flags & BIND_MANY;

	if (f->flags & BIND_CHOICE)
		return; /* the choice around it counts */
	if (f->flags & BIND_OPTIONAL)
		buf_str(p->out, " minOccurs=\"0\"");
	else if (many && f->min_occurs != 1)
		buf_printf(p->out, " minOccurs=\"%u\"", f->min_occurs);
	if (many && f->max_occurs)
		buf_printf(p->out, " maxOccurs=\"%u\"", f->max_occurs);
	else if (many)
		buf_str(p->out, " maxOccurs=\"unbounded\"");
}

/* <xs:element> or <xs:attribute> of a row. */
static void declare(struct printer *p, unsigned level, const struct bind_field *f)
{
	const char *kind = f->flags & BIND_ATTR ? "attribute" : "element";

	indent(p, level);
	buf_printf(p->out, "<xs:%s name=\"%s\"", kind, f->name);
	if (!is_anonymous(f))
		named_type(p, f);
	if (!(f->flags & BIND_ATTR))
		occurs(p, f);
	else if (!(f->flags & BIND_OPTIONAL))
		buf_str(p->out, " use=\"required\"");
	if (!is_anonymous(f)) {
		buf_str(p->out, "/>\n");
		return;
	}
	buf_str(p->out, ">\n");
	anonymous_type(p, level + 1, f);
	indent(p, level);
	buf_printf(p->out, "</xs:%s>\n", kind);
}

static void elements(struct printer *p, unsigned level, const struct bind_field *fields)
{
	bool choice = false;

	for (const struct bind_field *f = fields; f->name; f++) {
		bool in = f->flags & BIND_CHOICE;

		if (f->flags & BIND_ATTR)
			continue;
		if (in && !choice) {
			indent(p, level);
			buf_printf(p->out, "<xs:choice minOccurs=\"%u\" maxOccurs=\"%u\">\n", f->min_occurs, f->max_occurs);
		}
		declare(p, in ? level + 1 : level, f);
		choice = in && f[1].name && (f[1].flags & BIND_CHOICE);
		if (in && !choice)
			line(p, level, "</xs:choice>");
	}
}

static void complex_content(struct printer *p, unsigned level, const struct bind_field *fields)
{
	bool any = false;

	for (const struct bind_field *f = fields; f->name; f++)
		any = any || !(f->flags & BIND_ATTR);
	if (any) {
		line(p, level, "<xs:sequence>");
		elements(p, level + 1, fields);
		line(p, level, "</xs:sequence>");
	}
	for (const struct bind_field *f = fields; f->name; f++)
		if (f->flags & BIND_ATTR)
			declare(p, level, f);
}

/* Named types that a group uses come before it, each once. */
static void types_of(struct printer *p, const struct bind_group *g);

static void simple_type_of(struct printer *p, const struct bind_field *f)
{
	if (!f->xsd_type || is_foreign(f->xsd_type) || !first_time(p, f->xsd_type))
		return;
	indent(p, 1);
	buf_printf(p->out, "<xs:simpleType name=\"%s\">\n", f->xsd_type);
	restriction(p, 2, f);
	line(p, 1, "</xs:simpleType>");
}

static void types_of(struct printer *p, const struct bind_group *g)
{
	for (const struct bind_field *f = g->fields; f->name; f++) {
		if (f->type == BIND_GROUP)
			types_of(p, f->sub);
		else
			simple_type_of(p, f);
	}
	if (!g->xsd_type || !first_time(p, g->xsd_type))
		return;
	indent(p, 1);
	buf_printf(p->out, "<xs:complexType name=\"%s\">\n", g->xsd_type);
	complex_content(p, 2, g->fields);
	line(p, 1, "</xs:complexType>");
}

static const struct bind_group *base_of(const struct bind_message *m)
{
	switch (m->base) {
	case BASE_REQUEST:
		return &request_base_group;
	case BASE_RESPONSE:
		return &response_base_group;
	case BASE_NOTIFICATION:
		break;
	}
	return NULL;
}

static const struct bind_field *own_fields(const struct bind_message *m, const struct bind_group *base)
{
	const struct bind_field *f = m->group->fields;

	for (const struct bind_field *b = base ? base->fields : NULL; b && b->name; b++)
		f++;
	return f;
}

static void message(struct printer *p, const struct bind_message *m)
{
	const struct bind_group *base = base_of(m);

	types_of(p, m->group);
	indent(p, 1);
	buf_printf(p->out, "<xs:element name=\"%s\">\n", m->root);
	line(p, 2, "<xs:complexType>");
	if (base) {
		line(p, 3, "<xs:complexContent>");
		indent(p, 4);
		buf_printf(p->out, "<xs:extension base=\"rps:%s\">\n", base->xsd_type);
		complex_content(p, 5, own_fields(m, base));
		line(p, 4, "</xs:extension>");
		line(p, 3, "</xs:complexContent>");
	} else {
		complex_content(p, 3, m->group->fields);
	}
	line(p, 2, "</xs:complexType>");
	line(p, 1, "</xs:element>");
}

void xsd_body(struct buf *out, const char *xmldsig_location)
{
	struct printer p = { .out = out };

	buf_str(out, "<xs:schema xmlns:xs=\"" NS_XS "\" xmlns:rps=\"" NS_RPS_DEFAULT "\" xmlns:ds=\"" NS_DS "\"\n"
		     "    targetNamespace=\"" NS_RPS_DEFAULT
		     "\" elementFormDefault=\"qualified\" attributeFormDefault=\"unqualified\">\n"
		     "  <xs:import namespace=\"" NS_DS "\"");
	if (xmldsig_location)
		buf_printf(out, " schemaLocation=\"%s\"", xmldsig_location);
	buf_str(out, "/>\n");
	types_of(&p, &request_base_group);
	types_of(&p, &response_base_group);
	for (enum function_id id = 0; id < FN_COUNT; id++) {
		if (message_request(id))
			message(&p, message_request(id));
		if (message_response(id))
			message(&p, message_response(id));
	}
	buf_str(out, "</xs:schema>\n");
}

void xsd_write(struct buf *out, const char *xmldsig_location)
{
	buf_str(out, XML_DECLARATION GENERATED);
	xsd_body(out, xmldsig_location);
}
