/* SPDX-License-Identifier: Apache-2.0 */
#include "expr_lex.h"

#include <errno.h>
#include <string.h>

#include "../base/error.h"
#include "../base/utf8.h"
#include "expr_num.h"

static bool
is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_name(char c)
{
    return is_name_start(c) || is_digit(c);
}

/* The byte at pos; NUL past the end, which no token contains. */
static char
at(const struct expr_compilation *c, size_t pos)
{
    return pos < c->len ? c->text[pos] : '\0';
}

/* White space and comments, which end with the line. */
static size_t
skip_blank(const struct expr_compilation *c, size_t pos)
{
    while (pos < c->len) {
        if (c->text[pos] != '\0' && strchr(" \t\n\r\f", c->text[pos])) {
            pos++;
        } else if (c->text[pos] == '/' && at(c, pos + 1) == '/') {
            while (pos < c->len && c->text[pos] != '\n') {
                pos++;
            }
        } else {
            break;
        }
    }
    return pos;
}

/* --- names --- */

static int
word_kind(const char *word, size_t len)
{
    static const struct {
        const char *word;
        int kind;
    } words[] = {
        {"true", EXPR_TOK_TRUE}, {"false", EXPR_TOK_FALSE},
        {"null", EXPR_TOK_NULL}, {"in", EXPR_TOK_IN},
        {"as", EXPR_TOK_RESERVED}, {"break", EXPR_TOK_RESERVED},
        {"const", EXPR_TOK_RESERVED}, {"continue", EXPR_TOK_RESERVED},
        {"else", EXPR_TOK_RESERVED}, {"for", EXPR_TOK_RESERVED},
        {"function", EXPR_TOK_RESERVED}, {"if", EXPR_TOK_RESERVED},
        {"import", EXPR_TOK_RESERVED}, {"let", EXPR_TOK_RESERVED},
        {"loop", EXPR_TOK_RESERVED}, {"package", EXPR_TOK_RESERVED},
        {"namespace", EXPR_TOK_RESERVED}, {"return", EXPR_TOK_RESERVED},
        {"var", EXPR_TOK_RESERVED}, {"void", EXPR_TOK_RESERVED},
        {"while", EXPR_TOK_RESERVED},
    };
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strlen(words[i].word) == len
            && memcmp(words[i].word, word, len) == 0)
        {
            return words[i].kind;
        }
    }
    return EXPR_TOK_NAME;
}

static size_t
lex_word(struct expr_compilation *c, size_t pos, struct expr_token *token)
{
    size_t end = pos;

    while (is_name(at(c, end))) {
        end++;
    }
    token->kind = word_kind(c->text + pos, end - pos);
    return end;
}

static int
lex_quoted(struct expr_compilation *c, size_t *pos, struct expr_token *token)
{
    size_t end = *pos + 1;

    while (is_name(at(c, end))
           || (at(c, end) != '\0' && strchr("-./ ", at(c, end)) != NULL))
    {
        end++;
    }
    if (at(c, end) != '`' || end == *pos + 1) {
        return expr_fail(c, *pos, "expected a field name in backticks: "
                         "letters, digits, \"_\", \"-\", \".\", \"/\" and "
                         "spaces");
    }

    token->kind = EXPR_TOK_QUOTED;
    token->text = c->text + *pos + 1;
    token->text_len = end - *pos - 1;
    *pos = end + 1;
    return 0;
}

/* --- numbers --- */

static size_t
skip_digits(const struct expr_compilation *c, size_t pos)
{
    while (is_digit(at(c, pos))) {
        pos++;
    }
    return pos;
}

static size_t
skip_exponent(const struct expr_compilation *c, size_t pos)
{
    size_t p = pos;

    if (at(c, p) != 'e' && at(c, p) != 'E') {
        return pos;
    }
    p++;
    if (at(c, p) == '+' || at(c, p) == '-') {
        p++;
    }
    return is_digit(at(c, p)) ? skip_digits(c, p) : pos;
}

static int
lex_int(struct expr_compilation *c, size_t pos, size_t end,
        struct expr_token *token)
{
    uint64_t magnitude;
    int rc = expr_parse_magnitude(c->text + pos, end - pos, &magnitude);

    if (rc == 0) {
        token->kind = EXPR_TOK_INT;
        token->value.kind = INTENT_INT;
        token->value.as.i = (int64_t) magnitude;
        return 0;
    }
    if (rc == -ERANGE) {
        return expr_fail(c, pos, "int out of range: at most "
                         "9223372036854775807");
    }
    return expr_fail(c, pos, "expected hexadecimal digits after 0x");
}

static int
lex_double(struct expr_compilation *c, size_t pos, size_t end,
           struct expr_token *token)
{
    int rc = expr_parse_double(c->text + pos, end - pos,
                               &token->value.as.d);

    if (rc == 0) {
        token->kind = EXPR_TOK_DOUBLE;
        token->value.kind = INTENT_DOUBLE;
        return 0;
    }
    return expr_fail(c, pos, rc == -ERANGE ? "double out of range"
                                           : "number with too many digits");
}

static int
lex_number(struct expr_compilation *c, size_t *pos, struct expr_token *token)
{
    char show[ERROR_SHOW];
    size_t start = *pos, end, whole;
    bool hex = at(c, start) == '0' && (at(c, start + 1) | 0x20) == 'x';
    int rc;

    if (hex) {
        end = start + 2;
        while (is_digit(at(c, end)) || ((at(c, end) | 0x20) >= 'a'
                                        && (at(c, end) | 0x20) <= 'f'))
        {
            end++;
        }
        whole = end;
    } else {
        whole = end = skip_digits(c, start);
        if (at(c, end) == '.' && is_digit(at(c, end + 1))) {
            end = skip_digits(c, end + 1);
        }
        end = skip_exponent(c, end);
    }

    if ((at(c, end) | 0x20) == 'u' && !is_name(at(c, end + 1))) {
        return expr_fail(c, end, "unsigned numbers are not part of the "
                         "subset: leave out the \"%c\"", at(c, end));
    }
    if (is_name(at(c, end))) {
        while (is_name(at(c, end))) {
            end++;
        }
        return expr_fail(c, start, "malformed number \"%s\"",
                         error_show(show, c->text + start, end - start));
    }

    rc = whole == end ? lex_int(c, start, end, token)
                      : lex_double(c, start, end, token);
    *pos = end;
    return rc;
}

/* --- strings --- */

/* A string being read: where its text is, where it goes. */
struct string {
    size_t start;                  /* of the literal, prefix included */
    size_t pos;
    char quote;
    size_t quotes;                 /* 1 or 3 */
    bool raw;
    char *out;
    size_t len;
};

static void
put_utf8(struct string *s, uint32_t code)
{
    char *p = s->out + s->len;

    if (code < 0x80) {
        *p++ = (char) code;
    } else if (code < 0x800) {
        *p++ = (char) (0xc0 | code >> 6);
        *p++ = (char) (0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *p++ = (char) (0xe0 | code >> 12);
        *p++ = (char) (0x80 | (code >> 6 & 0x3f));
        *p++ = (char) (0x80 | (code & 0x3f));
    } else {
        *p++ = (char) (0xf0 | code >> 18);
        *p++ = (char) (0x80 | (code >> 12 & 0x3f));
        *p++ = (char) (0x80 | (code >> 6 & 0x3f));
        *p++ = (char) (0x80 | (code & 0x3f));
    }
    s->len = (size_t) (p - s->out);
}

static int
digit_value(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* `n` digits of a base after what the escape begins with. */
static int
lex_code(struct expr_compilation *c, struct string *s, size_t skip, size_t n,
         uint32_t base)
{
    uint32_t code = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        int digit = digit_value(at(c, s->pos + skip + i));

        if (digit >= (int) base) {
            return expr_fail(c, s->pos, "expected %zu %s digits in the escape",
                             n, base == 8 ? "octal" : "hexadecimal");
        }
        code = code * base + (uint32_t) digit;
    }
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)
        || (base == 8 && code > 0xff))
    {
        return expr_fail(c, s->pos, "the escape is no Unicode character");
    }

    put_utf8(s, code);
    s->pos += skip + n;
    return 0;
}

static int
lex_escape(struct expr_compilation *c, struct string *s)
{
    static const char from[] = "abfnrtv\\?\"'`", to[] = "\a\b\f\n\r\t\v\\?\"'`";
    char show[ERROR_SHOW];
    char kind = at(c, s->pos + 1);
    const char *simple = kind == '\0' ? NULL : strchr(from, kind);
    size_t n;

    if (simple != NULL) {
        s->out[s->len++] = to[simple - from];
        s->pos += 2;
        return 0;
    }

    switch (kind) {
    case 'x':
    case 'X':
        return lex_code(c, s, 2, 2, 16);
    case 'u':
        return lex_code(c, s, 2, 4, 16);
    case 'U':
        return lex_code(c, s, 2, 8, 16);
    case '0':
    case '1':
    case '2':
    case '3':
        return lex_code(c, s, 1, 3, 8);
    default:
        n = utf8_next(c->text + s->pos + 1, c->len - s->pos - 1);
        return expr_fail(c, s->pos, "unknown escape \"%s\"; a backslash "
                         "itself is \"\\\\\"",
                         error_show(show, c->text + s->pos, 1 + n));
    }
}

static bool
at_closing(const struct expr_compilation *c, const struct string *s)
{
    size_t i;

    for (i = 0; i < s->quotes; i++) {
        if (at(c, s->pos + i) != s->quote) {
            return false;
        }
    }
    return true;
}

static int
lex_character(struct expr_compilation *c, struct string *s)
{
    size_t n;

    if (s->pos >= c->len
        || (s->quotes == 1
            && (c->text[s->pos] == '\n' || c->text[s->pos] == '\r')))
    {
        return expr_fail(c, s->start, "string without its closing %.*s",
                         (int) s->quotes, s->quote == '"' ? "\"\"\"" : "'''");
    }
    if (c->text[s->pos] == '\\' && !s->raw) {
        return lex_escape(c, s);
    }

    n = utf8_next(c->text + s->pos, c->len - s->pos);
    if (n == 0) {
        return expr_fail(c, s->pos, "the string is not valid UTF-8");
    }
    memcpy(s->out + s->len, c->text + s->pos, n);
    s->len += n;
    s->pos += n;
    return 0;
}

/* *pos at the quote, start at the prefix. */
static int
lex_string(struct expr_compilation *c, size_t start, size_t *pos,
           struct expr_token *token)
{
    struct string s = {.start = start, .pos = *pos, .quote = c->text[*pos],
                       .quotes = 1};
    size_t i;

    for (i = start; i < *pos; i++) {
        if ((c->text[i] | 0x20) == 'b') {
            return expr_fail(c, start, "bytes are not part of the subset: "
                             "write a string");
        }
        s.raw = true;
    }

    if (at(c, s.pos + 1) == s.quote && at(c, s.pos + 2) == s.quote) {
        s.quotes = 3;
    }
    s.pos += s.quotes;

    if (c->strings == NULL) {
        c->strings = expr_arena_alloc(&c->arena, c->len);
        if (c->strings == NULL) {
            return expr_fail_memory(c);
        }
    }
    s.out = c->strings;

    while (!at_closing(c, &s)) {
        if (lex_character(c, &s) != 0) {
            return c->rc;
        }
    }

    token->kind = EXPR_TOK_STRING;
    expr_set_string(&token->value, s.out, s.len);
    c->strings += s.len;
    *pos = s.pos + s.quotes;
    return 0;
}

/* Bytes of a string's prefix (r, b, rb...) before a quote; 0 is also what a
 * string without one has, SIZE_MAX means that no string begins here. */
static size_t
string_prefix(const struct expr_compilation *c, size_t pos)
{
    size_t n = 0;

    while (n < 2 && at(c, pos + n) != '\0'
           && strchr("rRbB", at(c, pos + n)) != NULL)
    {
        n++;
    }
    return at(c, pos + n) == '"' || at(c, pos + n) == '\'' ? n : SIZE_MAX;
}

/* --- operators --- */

static int
lex_operator(struct expr_compilation *c, size_t *pos, struct expr_token *token)
{
    static const struct {
        char text[3];
        int kind;
    } pairs[] = {
        {"==", EXPR_TOK_EQ}, {"!=", EXPR_TOK_NE}, {"<=", EXPR_TOK_LE},
        {">=", EXPR_TOK_GE}, {"&&", EXPR_TOK_AND}, {"||", EXPR_TOK_OR},
    };
    char show[ERROR_SHOW], byte = c->text[*pos];
    size_t i, n;

    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (byte == pairs[i].text[0] && at(c, *pos + 1) == pairs[i].text[1]) {
            token->kind = pairs[i].kind;
            *pos += 2;
            return 0;
        }
    }
    if (byte != '\0' && strchr("+-*/%<>!?:.,()[]{}", byte) != NULL) {
        token->kind = (unsigned char) byte;
        *pos += 1;
        return 0;
    }

    switch (byte) {
    case '=':
        return expr_fail(c, *pos, "\"=\" is no operator: == compares");
    case '&':
        return expr_fail(c, *pos, "\"&\" is no operator: && is \"and\"");
    case '|':
        return expr_fail(c, *pos, "\"|\" is no operator: || is \"or\"");
    default:
        n = utf8_next(c->text + *pos, c->len - *pos);
        return expr_fail(c, *pos, "unexpected character \"%s\"",
                         error_show(show, c->text + *pos, n == 0 ? 1 : n));
    }
}

int
expr_lex(struct expr_compilation *c, size_t *pos, struct expr_token *token)
{
    size_t prefix;
    char byte;
    int rc = 0;

    memset(token, 0, sizeof(*token));
    *pos = skip_blank(c, *pos);
    token->pos = *pos;
    byte = at(c, *pos);
    prefix = string_prefix(c, *pos);

    if (*pos >= c->len) {
        token->kind = EXPR_TOK_END;
    } else if (prefix != SIZE_MAX) {
        *pos += prefix;
        rc = lex_string(c, token->pos, pos, token);
    } else if (is_name_start(byte)) {
        *pos = lex_word(c, *pos, token);
    } else if (is_digit(byte) || (byte == '.' && is_digit(at(c, *pos + 1)))) {
        rc = lex_number(c, pos, token);
    } else if (byte == '`') {
        rc = lex_quoted(c, pos, token);
    } else {
        rc = lex_operator(c, pos, token);
    }

    token->len = *pos - token->pos;
    if (token->text == NULL) {
        token->text = c->text + token->pos;
        token->text_len = token->len;
    }
    return rc;
}

/* --- messages --- */

bool
expr_token_is(const struct expr_token *token, const char *text)
{
    return token->kind != EXPR_TOK_STRING && token->text_len == strlen(text)
           && memcmp(token->text, text, token->text_len) == 0;
}

/* What other languages write. */
static const char *
hint(const struct expr_token *token)
{
    if (expr_token_is(token, "and") || expr_token_is(token, "AND")) {
        return "; \"and\" is written &&";
    }
    if (expr_token_is(token, "or") || expr_token_is(token, "OR")) {
        return "; \"or\" is written ||";
    }
    if (token->kind == '{') {
        return "; messages are not part of the subset";
    }
    return "";
}

int
expr_unexpected(struct expr_compilation *c, const struct expr_token *token,
                const char *expected)
{
    char show[ERROR_SHOW];

    if (token->kind == EXPR_TOK_END) {
        return expr_fail(c, token->pos, "expected %s, found the end of the "
                         "expression", expected);
    }
    error_show(show, c->text + token->pos, token->len);
    if (token->kind == EXPR_TOK_RESERVED) {
        return expr_fail(c, token->pos, "expected %s, found \"%s\", which "
                         "CEL reserves", expected, show);
    }
    return expr_fail(c, token->pos, "expected %s, found \"%s\"%s", expected,
                     show, hint(token));
}
