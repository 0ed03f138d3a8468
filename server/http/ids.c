/* ids.c - see ids.h. */
#include "server/http/ids.h"

#include <ctype.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* splitmix64: the numbers all differ, wherever it starts. */
void http_random_hex(char ret_digits[HTTP_SPAN_ID_BYTES])
{
    static atomic_ullong next;
    unsigned long long first = 0, id;
    if (atomic_load(&next) == 0 &&
        getrandom(&first, sizeof first, GRND_NONBLOCK) == (ssize_t)sizeof first)
        atomic_store(&next, first);
    id = atomic_fetch_add(&next, 0x9e3779b97f4a7c15);
    id = (id ^ (id >> 30)) * 0xbf58476d1ce4e5b9;
    id = (id ^ (id >> 27)) * 0x94d049bb133111eb;
    snprintf(ret_digits, HTTP_SPAN_ID_BYTES, "%016llx", id ^ (id >> 31));
}

/* Spaces may follow the id. */
void http_choose_id(const char *sent, char ret_id[HTTP_ID_BYTES])
{
    const size_t length = sent ? strcspn(sent, " \t") : 0;
    bool is_safe =
        length > 0 && length < HTTP_ID_BYTES && !sent[length + strspn(sent + length, " \t")];
    for (size_t i = 0; i < length && is_safe; i++)
        is_safe = isalnum((unsigned char)sent[i]) || strchr("!#$%&'*+-.^_`|~:/=@", sent[i]);
    if (is_safe) {
        memcpy(ret_id, sent, length);
        ret_id[length] = '\0';
    } else {
        http_random_hex(ret_id);
    }
}
