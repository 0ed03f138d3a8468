/* json_memory.c - jansson when memory runs out.
 *
 * jansson 2.14 does not notice when the buffer of a token fails to grow: it continues with the old
 * one and reads and writes past its end. So a parse allocates from one arena, and if that cannot
 * grow, longjmp leaves the parse; the result is copied by a function that does check. When jansson
 * writes text, it does not notice a failed allocation either and leaves out a key, so the text's
 * buffer is allocated at full size beforehand. */
#include "core/base/size.h"
#include "core/ppm.h"

#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdlib.h>

enum { FIRST_BYTES = 4096 };

struct chunk {
    alignas(max_align_t) struct chunk *next;
    size_t used, bytes; /* of the memory that follows */
};

/* The memory of one parse, freed at its end. */
struct arena {
    struct chunk *chunks; /* newest first */
    jmp_buf is_empty;
};

static _Thread_local struct arena *parsing; /* NULL: this thread is not parsing */

/* jansson's allocator is the process's: what a program around the library has set stays in use. */
static json_malloc_t allocate_otherwise;
static json_free_t free_otherwise;

/* Each chunk is twice as large as the one before. */
static struct chunk *add_chunk(struct arena *arena, size_t bytes)
{
    const size_t room = size_max(bytes, arena->chunks ? 2 * arena->chunks->bytes : FIRST_BYTES);
    struct chunk *chunk = malloc(sizeof *chunk + room);
    if (!chunk)
        longjmp(arena->is_empty, 1);
    *chunk = (struct chunk){.next = arena->chunks, .bytes = room};
    arena->chunks = chunk;
    return chunk;
}

static void *take(size_t bytes)
{
    struct arena *arena = parsing;
    if (!arena)
        return allocate_otherwise(bytes);
    bytes = size_round_up(bytes, alignof(max_align_t));
    struct chunk *chunk = arena->chunks;
    if (!chunk || chunk->bytes - chunk->used < bytes)
        chunk = add_chunk(arena, bytes);
    void *memory = (char *)(chunk + 1) + chunk->used;
    chunk->used += bytes;
    return memory;
}

static void release(void *memory)
{
    if (!parsing)
        free_otherwise(memory);
}

static void set_allocator(void)
{
    json_get_alloc_funcs(&allocate_otherwise, &free_otherwise);
    json_set_alloc_funcs(take, release);
}

static void free_chunks(struct arena *arena)
{
    for (struct chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
}

static void say_no_memory(json_error_t *ret_cause)
{
    *ret_cause = (json_error_t){.line = -1, .column = -1, .text = "out of memory"};
    ret_cause->text[JSON_ERROR_TEXT_LENGTH - 1] = (char)json_error_out_of_memory; /* its code */
}

/* jansson's tree, in the arena. NULL with the cause on failure. */
static json_t *parse(struct arena *arena, const char *text, size_t bytes, json_error_t *ret_cause)
{
    json_t *root = NULL;
    parsing = arena;
    if (setjmp(arena->is_empty) != 0)
        say_no_memory(ret_cause);
    else
        root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, ret_cause);
    parsing = NULL;
    return root;
}

json_t *ppm_json_load(const char *text, size_t bytes, json_error_t *ret_cause)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct arena arena = {.chunks = NULL};
    pthread_once(&once, set_allocator);
    json_t *tree = parse(&arena, text, bytes, ret_cause);
    json_t *copy = tree ? json_deep_copy(tree) : NULL;
    if (tree && !copy)
        say_no_memory(ret_cause);
    free_chunks(&arena);
    return copy;
}

char *ppm_json_text(const json_t *value, size_t flags)
{
    const size_t bytes = json_dumpb(value, NULL, 0, flags);
    char *text = bytes > 0 ? malloc(bytes + 1) : NULL;
    if (!text)
        return NULL;
    if (json_dumpb(value, text, bytes, flags) != bytes) {
        free(text);
        return NULL;
    }
    text[bytes] = '\0';
    return text;
}
