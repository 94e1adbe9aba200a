/* test_schema.c - the schema generator: what it refuses, and that it names the line.
 *
 * Each case is the real schema with one piece of text replaced; the error must name the line on which that
 * piece stood, or where another text stands, and leave no file behind. */
#include "kdp_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *
read_all(const char *path)
{
    FILE *in = fopen(path, "rb");
    char *text = calloc(1, 1u << 20);

    CHECK(in != NULL && text != NULL);
    CHECK(fread(text, 1, (1u << 20) - 1, in) > 0);
    fclose(in);
    return text;
}

static void
write_all(const char *path, const char *text, size_t len)
{
    FILE *out = fopen(path, "wb");

    CHECK(out != NULL);
    CHECK(fwrite(text, 1, len, out) == len);
    CHECK(fclose(out) == 0);
}

/* Runs the generator on a schema text; its stderr goes to errors.  Returns the exit code. */
static int
run_on(const char *schema, size_t len, char *errors, size_t size)
{
    char xml[600], header[600], desc[600], command[2600];
    size_t got;
    FILE *pipe;
    int status;

    snprintf(xml, sizeof xml, "%s/schema.xml", kdp_test_dir());
    snprintf(header, sizeof header, "%s/records.h", kdp_test_dir());
    snprintf(desc, sizeof desc, "%s/record_desc.c", kdp_test_dir());
    write_all(xml, schema, len);
    snprintf(command, sizeof command, "'%s' '%s' --header '%s' --desc '%s' 2>&1", KDP_SCHEMA_TOOL, xml,
             header, desc);
    pipe = popen(command, "r");
    CHECK(pipe != NULL);
    got = fread(errors, 1, size - 1, pipe);
    errors[got] = '\0';
    status = pclose(pipe);
    CHECK(WIFEXITED(status));
    CHECK((access(header, F_OK) == 0) == (WEXITSTATUS(status) == 0));
    unlink(header);
    unlink(desc);
    return WEXITSTATUS(status);
}

static void
compare(const char *file, int at, const char *errors, int line, const char *words)
{
    char want[2000];
    size_t len;

    snprintf(want, sizeof want, "%s/schema.xml:%d: error: %s\n", kdp_test_dir(), line, words);
    len = strlen(want);
    /* "*" at the end stands for a line number that would only repeat the schema's */
    if (len > 1 && want[len - 2] == '*')
        len -= 2;
    else
        len++;
    if (strncmp(errors, want, len) != 0)
        kdp_test_fail(file, at, "said: %swant: %s", errors, want);
}

static void
refused(const char *file, int at, const char *from, const char *to, const char *anchor, const char *words)
{
    char *schema = read_all(KDP_SOURCE_DIR "/schema/records.xml"), *place = strstr(schema, from);
    char *broken = malloc(strlen(schema) + strlen(to) + 1);
    const char *stands;
    char errors[2000];
    int line = 1;

    if (place == NULL || broken == NULL)
        kdp_test_fail(file, at, "the schema has no longer: %s", from);
    memcpy(broken, schema, (size_t)(place - schema));
    strcpy(broken + (place - schema), to);
    strcat(broken, place + strlen(from));
    stands = anchor != NULL ? strstr(broken, anchor) : broken + (place - schema);
    if (stands == NULL)
        kdp_test_fail(file, at, "the schema has no longer: %s", anchor);
    for (const char *p = broken; p < stands; p++)
        line += *p == '\n';
    if (run_on(broken, strlen(broken), errors, sizeof errors) != 1)
        kdp_test_fail(file, at, "taken, or died: %s: %s", to, errors);
    compare(file, at, errors, line, words);
    free(schema);
    free(broken);
}
#define REFUSED(from, to, words) refused(__FILE__, __LINE__, from, to, NULL, words)
#define REFUSED_AT(from, to, anchor, words) refused(__FILE__, __LINE__, from, to, anchor, words)

static void
refused_text(const char *file, int at, const char *text, size_t len, int line, const char *words)
{
    char errors[2000];

    if (run_on(text, len, errors, sizeof errors) != 1)
        kdp_test_fail(file, at, "taken, or died: %s: %s", text, errors);
    compare(file, at, errors, line, words);
}
#define REFUSED_TEXT(text, line, words) refused_text(__FILE__, __LINE__, text, sizeof(text) - 1, line, words)

KDP_TEST(the_schema_as_it_is_is_taken)
{
    char *schema = read_all(KDP_SOURCE_DIR "/schema/records.xml"), errors[2000];

    CHECK_INT(run_on(schema, strlen(schema), errors, sizeof errors), 0);
    CHECK_STR(errors, "");
    free(schema);
}

KDP_TEST(broken_xml)
{
    REFUSED_TEXT("", 1, "expected the root element");
    REFUSED_TEXT("\n\nhello", 3, "expected the root element");
    REFUSED_TEXT("<?xml version='1.0'", 1,
                 "the XML declaration is not closed: no ?> until the end of the file");
    REFUSED_TEXT("<!DOCTYPE x>", 1, "only elements, comments and plain text are understood here");
    REFUSED_TEXT("<a>\n<b></a>", 2, "</a> closes <b> of line 2");
    REFUSED_TEXT("<a>\n<b/>\n", 1, "<a> is not closed");
    REFUSED_TEXT("<a>\n<!-- x", 2, "comment is not closed: no --> until the end of the file");
    REFUSED_TEXT("<a>\n<!--\n x -- y -->", 3, "\"--\" inside a comment");
    REFUSED_TEXT("<a\n b='1'\n b='2'/>", 3, "attribute b of <a> is given twice");
    REFUSED_TEXT("<a b=1/>", 1, "the value of attribute b is not in quotes");
    REFUSED_TEXT("<a b='1/>", 1, "the value of attribute b has no closing quote");
    REFUSED_TEXT("<a b='1\n<c d='2'/>", 2,
                 "\"<\" in the value of attribute b: write &lt;, or close its quotes");
    REFUSED_TEXT("<a b>", 1, "expected \"=\" after attribute b");
    REFUSED_TEXT("<a b='1'c='2'/>", 1, "expected a space, \">\" or \"/>\" in <a");
    REFUSED_TEXT("<a b='\n&euro;'/>", 2, "only &lt; &gt; &amp; &quot; and &apos; may follow \"&\"");
    REFUSED_TEXT("<a>\n<![CDATA[x]]></a>", 2, "only elements, comments and plain text are understood here");
    REFUSED_TEXT("<a>x<b/>y</a>", 1, "the text of <a> is interrupted");
    REFUSED_TEXT("<a/>\n<b/>", 2, "something stands behind the end of <a>");
    REFUSED_TEXT("<a>\n<1/></a>", 2, "expected the name of an element");
    REFUSED_TEXT("<a>\n\0</a>", 2, "control character 0x00");
    REFUSED_TEXT("<a\n", 1, "<a is not closed");
    REFUSED_TEXT("<a><a><a><a><a><a><a><a>\n<a><a><a><a><a><a><a><a><a>", 2,
                 "elements are nested more than 16 deep");
}

KDP_TEST(the_root)
{
    REFUSED_TEXT("<types/>", 1, "the root is <types>, not <sbe:messageSchema>");
    REFUSED_TEXT("<sbe:messageSchema id='1' version='1' kdp:recordMax='1376'/>", 1,
                 "there is no <sbe:message>");
    REFUSED_TEXT("<sbe:messageSchema id='1' version='1' kdp:recordMax='1377'/>", 1,
                 "kdp:recordMax 1377 is not a multiple of 8");
    REFUSED_TEXT("<sbe:messageSchema version='1' kdp:recordMax='1376'/>", 1,
                 "<sbe:messageSchema> needs attribute id");
    REFUSED_TEXT("<sbe:messageSchema id='70000' version='1' kdp:recordMax='1376'/>", 1,
                 "id of <sbe:messageSchema> is 70000, more than 65535");
    REFUSED_TEXT("<sbe:messageSchema id='-1' version='1' kdp:recordMax='1376'/>", 1,
                 "id of <sbe:messageSchema> is \"-1\", not a number");
    REFUSED_AT("byteOrder=\"littleEndian\"", "byteOrder=\"bigEndian\"", "<sbe:messageSchema",
               "byteOrder \"bigEndian\": only littleEndian is laid out here");
    REFUSED_AT("  </types>", "  </types>\n  <enums/>", "<enums/>",
               "<enums> in <sbe:messageSchema>: only types and sbe:message stand there");
    REFUSED_AT("<composite name=\"head\"", "<composite name=\"header\"", "<sbe:messageSchema",
               "composite head is not defined");
    REFUSED_AT("<type name=\"numGroups\" kdp:name=\"groups\" primitiveType=\"uint16\"",
               "<type name=\"numGroups\" primitiveType=\"uint32\"", "<composite name=\"groupSizeEncoding\"",
               "composite groupSizeEncoding has 10 bytes, not 8");
}

KDP_TEST(types)
{
    REFUSED("<type name=\"TimeNs\" primitiveType=\"int64\"", "<type name=\"TimeNs\" primitiveType=\"double\"",
            "primitiveType \"double\" is not one of uint8, uint16, uint32, uint64, int32, int64");
    REFUSED("<type name=\"TimeNs\" primitiveType=\"int64\"", "<type name=\"TimeNs\" primitiveType=\"int32\"",
            "kdp:kind \"time\" wants primitiveType int64, length 1");
    REFUSED("name=\"Uuid\" primitiveType=\"uint8\" length=\"16\"",
            "name=\"Uuid\" primitiveType=\"uint8\" length=\"15\"",
            "kdp:kind \"uuid\" wants primitiveType uint8, length 16");
    REFUSED("kdp:kind=\"cash\" kdp:scale=\"6\"", "kdp:kind=\"money\" kdp:scale=\"6\"",
            "kdp:kind \"money\" is not one of time, price, size, cash, number, uuid, hash");
    REFUSED("kdp:kind=\"cash\" kdp:scale=\"6\"", "kdp:kind=\"cash\" kdp:scale=\"10\"",
            "kdp:scale of <type> is 10, more than 9");
    REFUSED("kdp:kind=\"cash\" kdp:scale=\"6\"", "kdp:scale=\"6\"", "kdp:scale without kdp:kind");
    REFUSED("<type name=\"Reserved1\" primitiveType=\"uint8\"",
            "<type name=\"Reserved1\" primitiveType=\"uint8\" presence=\"optional\"",
            "only int32 and int64 may be optional: their nulls are INT32_MIN and INT64_MIN");
    REFUSED("<type name=\"Reserved1\" primitiveType=\"uint8\"",
            "<type name=\"Reserved1\" primitiveType=\"uint8\" presence=\"constant\"",
            "presence \"constant\" is not one of required, optional");
    REFUSED("<type name=\"Reserved1\" primitiveType=\"uint8\"",
            "<type name=\"Reserved1\" primitiveType=\"uint8\" sinceVersion=\"2\"",
            "attribute sinceVersion of <type> is not known here");
    REFUSED("<type name=\"Reserved1\" primitiveType=\"uint8\"/>",
            "<type name=\"Reserved1\" primitiveType=\"uint16\" length=\"2\"/>", "arrays are of uint8 only");
    REFUSED("<type name=\"Reserved1\" primitiveType", "<type name=\"1Reserved\" primitiveType",
            "\"1Reserved\" is not a name: letters, digits and _, a letter first");
    REFUSED("<type name=\"TimeNs\"", "<data name=\"TimeNs\"",
            "<data> in <types>: only type, enum, set and composite stand there");
    REFUSED("<type name=\"CashE6\"", "<type name=\"TimeNs\"",
            "type \"TimeNs\" is defined twice, first in line *");
}

KDP_TEST(words)
{
    REFUSED("<validValue name=\"rest_refill\">2<", "<validValue name=\"rest_refill\">1<",
            "ws and rest_refill of Origin are both 1");
    REFUSED("<validValue name=\"rest_refill\">", "<validValue name=\"ws\">",
            "validValue \"ws\" stands twice in Origin");
    REFUSED("<validValue name=\"timer\">7<", "<validValue name=\"timer\">255<",
            "the value of <validValue> is 255, more than 254");
    REFUSED("<validValue name=\"timer\">7<", "<validValue name=\"timer\">x<",
            "the value of <validValue> is \"x\", not a number");
    REFUSED("<validValue name=\"timer\">7<", "<validValue name=\"timer\"><",
            "the value of <validValue> is \"\", not a number");
    REFUSED("<choice name=\"mbp\">4<", "<choice name=\"mbp\">8<", "the value of <choice> is 8, more than 7");
    REFUSED("<enum name=\"Side\" encodingType=\"uint8\"", "<enum name=\"Side\" encodingType=\"uint16\"",
            "enumerations and sets are uint8 here");
    REFUSED("<enum name=\"Subject\" encodingType=\"uint8\">",
            "<enum name=\"Nobody\" encodingType=\"uint8\">\n    </enum>\n    <enum name=\"Subject\" "
            "encodingType=\"uint8\">",
            "Nobody has no <validValue>");
    REFUSED("<enum name=\"Subject\"", "<enum name=\"Origin\"",
            "type \"Origin\" is defined twice, first in line *");
    REFUSED("<validValue name=\"timer\">7<", "<choice name=\"timer\">7<",
            "</validValue> closes <choice> of line *");
    REFUSED("<choice name=\"mbp\">4</choice>", "<validValue name=\"mbp\">4</validValue>",
            "<validValue> in <set>: only <choice> stands there");
}

KDP_TEST(layout)
{
    /* the Level's 3 reserved bytes gone: its next field would lie at 53 */
    REFUSED_AT("<field name=\"reserved1\" id=\"90\" type=\"Reserved3\"/>", "", "<field name=\"deltaE2\"",
               "deltaE2 would lie at byte 53, not a multiple of its size 8: put reserved bytes before it");
    REFUSED_AT("<field name=\"reserved1\" id=\"90\" type=\"Reserved7\"/>", "", "<sbe:message name=\"Bbo\"",
               "the fixed part of Bbo ends at byte 81: fill it up with reserved ones to a multiple of 8");
    REFUSED_AT("<field name=\"reserved1\" id=\"91\" type=\"Reserved4\"/>", "", "<group name=\"ranges\"",
               "an item of ranges has 12 bytes: fill it up with reserved ones to a multiple of 8");
    REFUSED("<field name=\"reserved1\" id=\"90\" type=\"Reserved2\"/>",
            "<field name=\"reserved1\" id=\"90\" type=\"uint16\"/>", "reserved1 is not of bytes");
    REFUSED("<field name=\"reserved1\" id=\"90\" type=\"Reserved2\"/>",
            "<field name=\"spare\" id=\"90\" type=\"Reserved2\"/>",
            "spare is an array without kdp:kind: nothing would know how to show it");
    REFUSED_AT("kdp:recordMax=\"1376\"", "kdp:recordMax=\"112\"", "<sbe:message name=\"Ticker\"",
               "Ticker has 120 bytes at least, more than kdp:recordMax 112");
    REFUSED_AT("kdp:recordMax=\"1376\"", "kdp:recordMax=\"128\"", "<sbe:message name=\"Definition\"",
               "Definition has 132 bytes at least, more than kdp:recordMax 128");
}

KDP_TEST(messages)
{
    REFUSED("name=\"Bbo\" id=\"2\"", "name=\"Bbo\" id=\"1\"", "messages Trade and Bbo are both id 1");
    REFUSED("name=\"Bbo\" id=\"2\"", "name=\"Bbo\" id=\"32\"", "id of <sbe:message> is 32, more than 31");
    REFUSED("name=\"Bbo\" id=\"2\"", "name=\"Bbo\" id=\"0\"", "message id 0");
    REFUSED("name=\"Bbo\" id=\"2\"", "name=\"Trade\" id=\"2\"", "message \"Trade\" stands twice");
    REFUSED("kdp:table=\"bbo\"", "kdp:table=\"trades\"", "messages Trade and Bbo have the same table");
    REFUSED("kdp:table=\"bbo\" ", "", "<sbe:message> needs attribute kdp:table");
    REFUSED("<field name=\"tradeId\" id=\"10\" type=\"Uuid\"/>",
            "<field name=\"tradeId\" id=\"10\" type=\"UUID\"/>", "no type \"UUID\" is defined above");
    REFUSED("<field name=\"tradeId\" id=\"10\"", "<field name=\"tradeId\" id=\"1\"",
            "id 1 stands twice in <sbe:message>, first in line *");
    REFUSED("name=\"takerSide\" id=\"12\"", "name=\"takerSide\" id=\"11\"",
            "id 11 stands twice in <sbe:message>, first in line *");
    REFUSED("<field name=\"side\" id=\"22\"", "<field name=\"side\" id=\"21\"",
            "id 21 stands twice in <sbe:message>, first in line *");
    REFUSED("<field name=\"side\" id=\"22\"", "<field name=\"side\" id=\"15\"",
            "id 15 stands twice in <sbe:message>, first in line *");
    REFUSED("<data name=\"title\" id=\"43\"", "<data name=\"title\" id=\"31\"",
            "id 31 stands twice in <sbe:message>, first in line *");
    REFUSED("<field name=\"takerSide\"", "<field name=\"priceE4\"", "\"priceE4\" stands twice in Trade");
    REFUSED("<field name=\"takerSide\"", "<field name=\"taker side\"",
            "\"taker side\" is not a name: letters, digits and _, a letter first");
    REFUSED("kdp:column=\"yes_ask\"", "kdp:column=\"yes_bid\"",
            "bidE4 and askE4 of Bbo have the same column yes_bid");
    REFUSED("kdp:column=\"is_block\"", "kdp:column=\"seq\"",
            "column seq of Trade.block is one of the head's: give it another, or kdp:column=\"-\"");
    REFUSED("kdp:column=\"is_block\"", "kdp:colum=\"is_block\"",
            "attribute kdp:colum of <field> is not known here");
    REFUSED_AT("<field name=\"head\" id=\"1\" type=\"head\"/>", "", "<field name=\"tradeId\"",
               "the first field of Trade is not the head");
    REFUSED("<group name=\"levels\" id=\"20\" dimensionType=\"groupSizeEncoding\">",
            "<group name=\"levels\" id=\"20\" dimensionType=\"Text\">",
            "dimensionType of group levels is not groupSizeEncoding");
    REFUSED("<data name=\"ticker\" id=\"40\" type=\"Text\" kdp:column=\"-\"",
            "<data name=\"ticker\" id=\"40\" type=\"Text\"",
            "column ticker of Definition.ticker is one of the head's: give it another, or kdp:column=\"-\"");
    REFUSED("<data name=\"eventTicker\" id=\"41\" type=\"Text\"/>",
            "<data name=\"eventTicker\" id=\"41\" type=\"uint8\"/>", "data eventTicker is not of type Text");
    REFUSED("<data name=\"seriesTicker\" id=\"42\" type=\"Text\"/>",
            "<field name=\"seriesTicker\" id=\"42\" type=\"uint8\"/>",
            "a field behind a group or data: fields come first");
    REFUSED("<data name=\"title\" id=\"43\" type=\"Text\"/>", "<text/>",
            "<text> in <sbe:message>: only field, group and data stand there");
}

/* Runs the generator on a document; returns the exit code. */
static int
run_docs(const char *option, const char *document, char *errors, size_t size)
{
    char path[600], command[2600];
    size_t got;
    FILE *pipe;
    int status;

    snprintf(path, sizeof path, "%s/records.md", kdp_test_dir());
    if (document != NULL)
        write_all(path, document, strlen(document));
    snprintf(command, sizeof command, "'%s' '%s' %s '%s' 2>&1", KDP_SCHEMA_TOOL,
             KDP_SOURCE_DIR "/schema/records.xml", option, path);
    pipe = popen(command, "r");
    CHECK(pipe != NULL);
    got = fread(errors, 1, size - 1, pipe);
    errors[got] = '\0';
    status = pclose(pipe);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

KDP_TEST(documents_are_renewed_between_their_marks_only)
{
    char errors[2000], path[600], *text;

    CHECK_INT(run_docs("--check-docs", "before\n<!-- generated: limits -->\nold\n<!-- end -->\nbehind\n",
                       errors, sizeof errors),
              1);
    CHECK(strstr(errors, "records.md:3: error: no longer what ") != NULL);
    CHECK(strstr(errors, "cmake --build build --target docs") != NULL);
    CHECK_INT(run_docs("--docs", NULL, errors, sizeof errors), 0);
    CHECK_INT(run_docs("--check-docs", NULL, errors, sizeof errors), 0);
    snprintf(path, sizeof path, "%s/records.md", kdp_test_dir());
    text = read_all(path);
    CHECK_STR(
        text,
        "before\n<!-- generated: limits -->\n"
        "Schema id 27000, version 1, template ids up to 10, no record over 1376 bytes, head of 48 bytes.\n"
        "<!-- end -->\nbehind\n");
    free(text);
    CHECK_INT(run_docs("--docs", "no mark\n", errors, sizeof errors), 1);
    CHECK(strstr(errors, "records.md:1: error: no \"<!-- generated: NAME -->\" in it") != NULL);
    CHECK_INT(run_docs("--docs", "\n<!-- generated: limits -->\n", errors, sizeof errors), 1);
    CHECK(strstr(errors, "records.md:2: error: a generated section without \"<!-- end -->\"") != NULL);
    CHECK_INT(run_docs("--docs", "\n\n<!-- generated: nothing -->\n<!-- end -->\n", errors, sizeof errors),
              1);
    CHECK(strstr(errors, "records.md:3: error: no generated section of that name") != NULL);
}

KDP_TEST(files_that_are_not_there)
{
    char errors[500], command[1200];
    FILE *pipe;

    snprintf(command, sizeof command, "'%s' '%s/none.xml' 2>&1", KDP_SCHEMA_TOOL, kdp_test_dir());
    pipe = popen(command, "r");
    CHECK(pipe != NULL);
    errors[fread(errors, 1, sizeof errors - 1, pipe)] = '\0';
    CHECK_INT(WEXITSTATUS(pclose(pipe)), 1);
    CHECK(strncmp(errors, "kdp_schema: error: cannot open: ", 32) == 0);
    CHECK(strstr(errors, "none.xml: No such file or directory\n") != NULL);
}
