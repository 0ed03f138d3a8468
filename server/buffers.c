/* buffers.c - see buffers.h. */
#include "server/buffers.h"
#include "core/ppm.h"
#include "server/clock.h"

#include <malloc.h>
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
static struct buffer *kept;           /* the last one given first */
static size_t kept_bytes, used_bytes; /* of large ones; used: handed out */
static size_t bytes_max;

void buffers_keep(size_t bytes)
{
    /* What is freed and not kept here is to go back to the kernel. Left to itself, the C library
     * raises these with every large block it sees freed, and holds on to many times what is used.
     */
    mallopt(M_MMAP_THRESHOLD, KEPT_BYTES_MIN);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES_MIN);
    pthread_mutex_lock(&mutex);
    bytes_max = bytes;
    pthread_mutex_unlock(&mutex);
}

/* Takes those from *at on, the ones kept longest, out of the list; the mutex is held. */
static struct buffer *take_rest(struct buffer **at)
{
    struct buffer *rest = *at;
    *at = NULL;
    for (const struct buffer *buffer = rest; buffer; buffer = buffer->next)
        kept_bytes -= buffer->bytes;
    return rest;
}

static void free_all(struct buffer *buffers)
{
    for (struct buffer *next; buffers; buffers = next) {
        next = buffers->next;
        free(buffers);
    }
}

/* Others of these sizes have come: a new large one takes the place of those kept longest. */
static void make_room(size_t bytes)
{
    size_t kept_on = 0;
    pthread_mutex_lock(&mutex);
    struct buffer **at = &kept;
    const size_t free_bytes = bytes_max > used_bytes ? bytes_max - used_bytes : 0;
    const size_t room = free_bytes > bytes ? free_bytes - bytes : 0;
    while (*at && (*at)->bytes <= room - kept_on) {
        kept_on += (*at)->bytes;
        at = &(*at)->next;
    }
    struct buffer *rest = take_rest(at);
    pthread_mutex_unlock(&mutex);
    free_all(rest);
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
        used_bytes += buffer->bytes;
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

static struct buffer *take_new_large(size_t bytes)
{
    make_room(bytes);
    struct buffer *buffer = allocate(bytes);
    pthread_mutex_lock(&mutex);
    used_bytes += buffer ? bytes : 0;
    pthread_mutex_unlock(&mutex);
    return buffer;
}

void *buffer_take(size_t bytes)
{
    struct buffer *buffer;
    if (bytes < KEPT_BYTES_MIN)
        buffer = allocate(bytes);
    else if (!(buffer = take_kept(bytes)))
        buffer = take_new_large(bytes);
    return buffer ? buffer + 1 : NULL;
}

void buffer_give(void *memory)
{
    if (!memory)
        return;
    struct buffer *buffer = (struct buffer *)memory - 1;
    if (buffer->bytes < KEPT_BYTES_MIN) {
        free(buffer);
        return;
    }
    pthread_mutex_lock(&mutex);
    const bool is_kept = used_bytes + kept_bytes <= bytes_max;
    used_bytes -= buffer->bytes;
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
    struct buffer *old = take_rest(at);
    pthread_mutex_unlock(&mutex);
    free_all(old);
}
