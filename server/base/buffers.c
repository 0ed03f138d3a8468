/* buffers.c - see buffers.h. */
#include "server/base/buffers.h"
#include "core/ppm.h"
#include "server/base/memory.h"

#include <assert.h>
#include <stdlib.h>

/* Precedes the memory that the caller gets, which has the same alignment. */
struct buffer {
    _Alignas(64) struct memory_kept kept;
};

static_assert(offsetof(struct buffer, kept) == 0, "a struct memory_kept is its buffer");

/* Whether it has that size, or a little more. */
static bool fits(const struct memory_kept *kept, const void *wanted)
{
    const size_t bytes = *(const size_t *)wanted;
    return kept->bytes >= bytes && kept->bytes - bytes <= bytes / 8;
}

static void free_buffer(struct memory_kept *kept)
{
    free(kept);
}

static const struct memory_kind kind = {.fits = fits, .free = free_buffer};

static struct buffer *allocate(size_t bytes)
{
    struct ppm_error error = {0};
    struct ppm_tensor room = {.shape = {1, 1, 1, 0}};
    if (__builtin_add_overflow(bytes, sizeof(struct buffer) + sizeof(float) - 1, &room.shape.w))
        return NULL;
    room.shape.w /= sizeof(float);
    if (ppm_tensor_allocate(&room, &error) != PPM_OK)
        return NULL;
    struct buffer *buffer = room.data;
    buffer->kept = (struct memory_kept){.kind = &kind, .bytes = bytes};
    return buffer;
}

void *buffer_take(size_t bytes)
{
    struct buffer *buffer = NULL;
    if (bytes >= MEMORY_MAPPED_BYTES_MIN) {
        buffer = (struct buffer *)memory_reuse(&kind, &bytes);
        if (!buffer)
            memory_make_room();
    }
    if (!buffer)
        buffer = allocate(bytes);
    return buffer ? buffer + 1 : NULL;
}

void buffer_give(void *memory)
{
    if (!memory)
        return;
    struct buffer *buffer = (struct buffer *)memory - 1;
    if (buffer->kept.bytes < MEMORY_MAPPED_BYTES_MIN) /* the C library keeps it */
        free(buffer);
    else
        memory_keep(&buffer->kept);
}
