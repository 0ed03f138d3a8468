/* network_writer.c - see network_writer.h. */
#include "tests/network_writer.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t pick(struct writer *w, size_t count)
{
    w->state = w->state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(w->state >> 33) % count;
}

const char *pick_text(struct writer *w, const char *const *texts)
{
    size_t count = 0;
    while (texts[count])
        count++;
    return texts[pick(w, count)];
}

void put(struct writer *w, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    w->length +=
        (size_t)vsnprintf(w->text + w->length, NETWORK_BYTES - w->length, format, arguments);
    va_end(arguments);
    cr_assert(w->length < NETWORK_BYTES, "the network is too long");
}

struct made *add_map(struct writer *w, size_t channels, size_t size)
{
    struct made *made = &w->made[w->count];
    cr_assert(w->count < MADE_MAX);
    *made = (struct made){.channels = channels, .size = size};
    snprintf(made->name, sizeof made->name, "n%zu", w->count++);
    return made;
}

/* Names are "n" and the index. */
void note_read(struct writer *w, const struct made *map)
{
    w->made[strtoul(map->name + 1, NULL, 10)].is_read = true;
}

struct made pick_map(struct writer *w)
{
    const size_t recent = w->count < 3 ? w->count : 3;
    return w->made[pick(w, 4) ? w->count - 1 - pick(w, recent) : pick(w, w->count)];
}

struct made last_map(const struct writer *w)
{
    return w->made[w->count - 1];
}

void end_entry(struct writer *w, struct made from, size_t channels, size_t size)
{
    const char *last = w->made[w->count - 1].name;
    if (strcmp(from.name, last) != 0 || w->count == w->inputs || pick(w, 3) == 0)
        put(w, ", 'from': '%s'", from.name);
    note_read(w, &from);
    put(w, ", 'name': '%s'}, ", add_map(w, channels, size)->name);
}

void add_entry(struct writer *w, const char *type, const struct made *reads, size_t count,
               size_t channels)
{
    put(w, "{'%s': [", type);
    for (size_t i = 0; i < count; i++) {
        put(w, "%s'%s'", i ? ", " : "", reads[i].name);
        note_read(w, &reads[i]);
    }
    put(w, "], 'name': '%s'}, ", add_map(w, channels, reads[0].size)->name);
}
