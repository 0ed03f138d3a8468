/* buffers.c - see buffers.h. */
#include "server/buffers.h"
#include "core/ppm.h"
#include "server/clock.h"

#include <pthread.h>
#include <stdlib.h>

enum { KEPT_BYTES_MIN = 1 << 18 }; /* smaller ones the C library keeps */

/* Stands before the memory that is handed out, which is as aligned as it is. */
struct buffer {
    _Alignas(64) struct buffer *next;
    size_t bytes;
    double idle_since_s;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct buffer *kept; /* the last one given first */
static size_t kept_bytes, kept_bytes_max;

void buffers_keep(size_t bytes_max)
{
    pthread_mutex_lock(&mutex);
    kept_bytes_max = bytes_max;
    pthread_mutex_unlock(&mutex);
}

/* One of that size, or of a little more. */
static struct buffer *take_kept(size_t bytes)
{
    pthread_mutex_lock(&mutex);
    struct buffer **at = &kept;
    while (*at && ((*at)->bytes < bytes || (*at)->bytes - bytes > bytes / 8))
        at = &(*at)->next;
    struct buffer *buffer = *at;
    if (buffer) {
        *at = buffer->next;
        kept_bytes -= buffer->bytes;
    }
    pthread_mutex_unlock(&mutex);
    return buffer;
}

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
    buffer->bytes = bytes;
    return buffer;
}

void *buffer_take(size_t bytes)
{
    struct buffer *buffer = bytes >= KEPT_BYTES_MIN ? take_kept(bytes) : NULL;
    if (!buffer)
        buffer = allocate(bytes);
    return buffer ? buffer + 1 : NULL;
}

void buffer_give(void *memory)
{
    if (!memory)
        return;
    struct buffer *buffer = (struct buffer *)memory - 1;
    pthread_mutex_lock(&mutex);
    const bool is_kept =
        buffer->bytes >= KEPT_BYTES_MIN && buffer->bytes <= kept_bytes_max - kept_bytes;
    if (is_kept) {
        buffer->idle_since_s = clock_now_s();
        buffer->next = kept;
        kept = buffer;
        kept_bytes += buffer->bytes;
    }
    pthread_mutex_unlock(&mutex);
    if (!is_kept)
        free(buffer);
}

void buffers_trim(double idle_s)
{
    const double oldest_s = clock_now_s() - idle_s;
    pthread_mutex_lock(&mutex);
    struct buffer **at = &kept;
    while (*at && (*at)->idle_since_s >= oldest_s)
        at = &(*at)->next;
    struct buffer *old = *at; /* and all that were given before it */
    *at = NULL;
    for (const struct buffer *buffer = old; buffer; buffer = buffer->next)
        kept_bytes -= buffer->bytes;
    pthread_mutex_unlock(&mutex);
    for (struct buffer *next; old; old = next) {
        next = old->next;
        free(old);
    }
}
