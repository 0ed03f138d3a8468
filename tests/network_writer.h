/*
 * network_writer.h - writes a network entry by entry, and draws what to write from a seed.
 *
 * Every entry has a name, n and its number, so that later ones can read it.
 */
#ifndef PPM_TESTS_NETWORK_WRITER_H
#define PPM_TESTS_NETWORK_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MADE_MAX = 96, NETWORK_BYTES = 1 << 15 };

/* A map that entries can read. Maps of one size have one number for it. */
struct made {
    size_t channels, size;
    bool is_read;
    char name[8];
};

struct writer {
    uint64_t state; /* of what is drawn */
    char *text;     /* [NETWORK_BYTES] */
    size_t length;
    struct made made[MADE_MAX];
    size_t count, inputs; /* the first ones are inputs */
    size_t sizes;         /* numbers given so far; 0 is the inputs' size */
    size_t weights;       /* names given so far */
};

/* A number below count, and one of a list of texts that ends with NULL. The same for equal states
 * on every machine. */
size_t pick(struct writer *w, size_t count);
const char *pick_text(struct writer *w, const char *const *texts);

void put(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct made *add_map(struct writer *w, size_t channels, size_t size);

/* Mostly one of the last maps, so that graphs are deep. */
struct made pick_map(struct writer *w);
struct made last_map(const struct writer *w);
void note_read(struct writer *w, const struct made *map);

/* Ends an entry that has been begun as "{'conv': {...}": what it reads, and its name. */
void end_entry(struct writer *w, struct made from, size_t channels, size_t size);

/* An entry over several maps, which has no "from". */
void add_entry(struct writer *w, const char *type, const struct made *reads, size_t count,
               size_t channels);

#endif
