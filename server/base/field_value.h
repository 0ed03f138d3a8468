/*
 * field_value.h - what the values of HTTP header fields are made of: tokens, lists, weights.
 *
 * Readers of a rest take what they read off its start; what they return points into the value.
 */
#ifndef PPM_SERVER_BASE_FIELD_VALUE_H
#define PPM_SERVER_BASE_FIELD_VALUE_H

#include <stdbool.h>
#include <stddef.h>

/* A stretch of text, without a '\0' after it. */
struct span {
    const char *start;
    size_t bytes;
};

struct span span_of(const char *text);
struct span span_trimmed(struct span text); /* without spaces and tabs around it */

/* Whether they are equal but for the case of ASCII letters. */
bool span_is(struct span text, const char *word);
bool span_equals(struct span a, struct span b);

/* The next element of a list, without space around it. A comma within a quoted string separates
 * nothing. False: the list has ended. */
bool field_next_element(struct span *list, struct span *ret_element);

struct span field_token(struct span *rest); /* empty: it does not start with one */
bool field_is_token(const char *text);      /* all of it, and it is not empty */
void field_skip_space(struct span *rest);
bool field_skip_byte(struct span *rest, char byte); /* false: it starts with another */
bool field_skip_quoted(struct span *rest); /* false: it does not start with a whole quoted string */

/* A weight, 0 to 1 with up to three decimals (RFC 9110 12.4.2), in thousandths. */
bool field_quality(struct span text, int *ret_quality);

/* -1: it is not a hexadecimal digit. */
int field_hex_digit(char digit);

#endif
