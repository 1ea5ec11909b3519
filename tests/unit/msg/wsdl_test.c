/* SPDX-License-Identifier: Apache-2.0 */
#include "common/msg/wsdl.h"

#include <criterion/criterion.h>
#include <string.h>

Test(wsdl, a_side_that_serves_nothing_has_none)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	cr_assert(!wsdl_write(&b, IF_ES4A, ROLE_SM_SR, false, "https://h/", NULL));
	cr_assert(!wsdl_write(&b, IF_ES1, ROLE_EUM, false, "https://h/", NULL), "an EUM serves no side of ES1");
	cr_assert_eq(b.len, 0);
	cr_assert_null(wsdl_service(IF_ES1, ROLE_EUM));
	cr_assert_str_eq(wsdl_service(IF_ES2, ROLE_M2M_SP), "ES2MnoService");
}

Test(wsdl, names_are_those_of_the_wire_and_the_address_is_escaped)
{
	static const char *const parts[] = { "<wsdl:portType name=\"ES4SmSr\">",
					     "<wsdl:binding name=\"ES4SmSrServiceBinding\" type=\"rps:ES4SmSr\">",
					     "<wsdl:service name=\"ES4SmSrService\">",
					     "<wsdl:port name=\"SmSrES4Port\" binding=\"rps:ES4SmSrServiceBinding\">",
					     "transport=\"http://www.w3.org/2003/05/soap/bindings/HTTP/\"",
					     "location=\"https://h/?a&amp;b\"",
					     "wsam:Action=\"http://gsma.com/ES4/ProfileManagement/ES4-GetEISResponse\"",
					     "targetNamespace=\"http://www.w3.org/2000/09/xmldsig#\"",
					     "<xs:element name=\"ES4-GetEISRequest\">" };
	CLEANUP(buf_free) struct buf b = { 0 };

	cr_assert(wsdl_write(&b, IF_ES4, ROLE_SM_SR, false, "https://h/?a&b", NULL));
	for (size_t i = 0; i < LEN(parts); i++)
		cr_assert(strstr(b.data, parts[i]), "%s", parts[i]);
	cr_assert(!strstr(b.data, "ES4-GetPLMA\""), "what is not served is not offered");
	buf_clear(&b);
	cr_assert(wsdl_write(&b, IF_ES4, ROLE_SM_SR, true, "https://h/", "x.xsd"));
	cr_assert(strstr(b.data, "schemaLocation=\"x.xsd\"") && !strstr(b.data, "<xs:element"));
}

Test(xsd, the_two_schemas_refer_to_each_other)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	xsd_write(&b, "xmldsig.xsd");
	cr_assert(strstr(b.data, "schemaLocation=\"xmldsig.xsd\""));
	cr_assert(strstr(b.data, "<xs:element name=\"EumSignature\" type=\"ds:SignatureType\"/>"));
	cr_assert(strstr(b.data, "<xs:choice minOccurs=\"0\" maxOccurs=\"128\">"));
	cr_assert(strstr(b.data, "<xs:element name=\"Keyset\" maxOccurs=\"127\">"));
	buf_clear(&b);
	xmldsig_xsd_write(&b);
	cr_assert(strstr(b.data, "<xs:complexType name=\"SignatureType\">"));
}
