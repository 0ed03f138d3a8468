/* memory.c - see memory.h. */
#include "server/base/memory.h"
#include "server/base/clock.h"

#include <malloc.h>
#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static size_t bytes_max, taken_bytes, kept_bytes, kept_count;
static struct memory_kept *first; /* the newest */
static size_t changes;            /* counts whatever is taken or given back */

void memory_set_max(size_t bytes)
{
    /* By default the C library raises these whenever a large block is freed, and then keeps many
     * times what is in use. */
    mallopt(M_MMAP_THRESHOLD, MEMORY_MAPPED_BYTES_MIN);
    mallopt(M_TRIM_THRESHOLD, MEMORY_MAPPED_BYTES_MIN);
    pthread_mutex_lock(&mutex);
    bytes_max = bytes;
    pthread_mutex_unlock(&mutex);
}

/* ---- with the mutex held ---- */

/* Removes the oldest, from *at to the end. */
static struct memory_kept *take_rest(struct memory_kept **at)
{
    struct memory_kept *rest = *at;
    *at = NULL;
    for (const struct memory_kept *kept = rest; kept; kept = kept->next) {
        kept_bytes -= kept->bytes;
        kept_count--;
    }
    return rest;
}

/* Removes the oldest until the rest fits into the given bytes. */
static struct memory_kept *take_excess(size_t bytes)
{
    struct memory_kept **at = &first;
    if (kept_bytes <= bytes && kept_count <= MEMORY_KEPT_MAX)
        return NULL;
    for (size_t count = 0; *at && (*at)->bytes <= bytes && count < MEMORY_KEPT_MAX; count++) {
        bytes -= (*at)->bytes;
        at = &(*at)->next;
    }
    return take_rest(at);
}

static size_t free_bytes(void)
{
    return bytes_max > taken_bytes ? bytes_max - taken_bytes : 0;
}

/* ---- */

static void free_all(struct memory_kept *kept)
{
    for (struct memory_kept *next; kept; kept = next) {
        next = kept->next;
        kept->kind->free(kept);
    }
}

bool memory_take(size_t bytes)
{
    struct memory_kept *excess = NULL;
    pthread_mutex_lock(&mutex);
    const bool is_there = bytes <= free_bytes();
    if (is_there) {
        taken_bytes += bytes;
        changes++;
        excess = take_excess(free_bytes());
    }
    pthread_mutex_unlock(&mutex);
    free_all(excess);
    return is_there;
}

void memory_give(size_t bytes)
{
    pthread_mutex_lock(&mutex);
    taken_bytes -= bytes;
    changes++;
    pthread_mutex_unlock(&mutex);
}

void memory_make_room(void)
{
    pthread_mutex_lock(&mutex);
    struct memory_kept *excess = take_excess(free_bytes());
    pthread_mutex_unlock(&mutex);
    free_all(excess);
}

void memory_keep(struct memory_kept *kept)
{
    kept->idle_since_s = clock_now_s();
    pthread_mutex_lock(&mutex);
    kept->next = first;
    first = kept;
    kept_bytes += kept->bytes;
    kept_count++;
    struct memory_kept *excess = take_excess(bytes_max);
    pthread_mutex_unlock(&mutex);
    free_all(excess);
}

struct memory_kept *memory_reuse(const struct memory_kind *kind, const void *wanted)
{
    struct memory_kept **at = &first;
    pthread_mutex_lock(&mutex);
    while (*at && ((*at)->kind != kind || !kind->fits(*at, wanted)))
        at = &(*at)->next;
    struct memory_kept *kept = *at;
    if (kept) {
        *at = kept->next;
        kept_bytes -= kept->bytes;
        kept_count--;
    }
    pthread_mutex_unlock(&mutex);
    return kept;
}

/* Whether nothing was taken or given back for that long. True once. */
static bool is_idle(double now_s, double idle_s)
{
    static size_t changes_seen;
    static double since_s;
    static bool is_trimmed = true;
    if (changes != changes_seen) {
        changes_seen = changes;
        since_s = now_s;
        is_trimmed = false;
    }
    if (is_trimmed || now_s - since_s < idle_s)
        return false;
    is_trimmed = true;
    return true;
}

void memory_trim(double idle_s)
{
    struct memory_kept **at = &first;
    const double now_s = clock_now_s(), oldest_s = now_s - idle_s;
    pthread_mutex_lock(&mutex);
    const bool is_over = is_idle(now_s, idle_s);
    while (*at && (*at)->idle_since_s >= oldest_s)
        at = &(*at)->next;
    struct memory_kept *old = take_rest(at);
    pthread_mutex_unlock(&mutex);
    free_all(old);
    if (is_over)
        malloc_trim(0); /* returns free pages of the heap, which trimming by size does not reach */
}

static size_t read_size(const size_t *size)
{
    pthread_mutex_lock(&mutex);
    const size_t ret = *size;
    pthread_mutex_unlock(&mutex);
    return ret;
}

size_t memory_max(void)
{
    return read_size(&bytes_max);
}

size_t memory_taken(void)
{
    return read_size(&taken_bytes);
}

size_t memory_kept(void)
{
    return read_size(&kept_bytes);
}
