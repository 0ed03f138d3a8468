/* shared_memory_regions.c - see shared_memory_regions.h. */
#include "server/shared_memory/shared_memory_regions.h"

struct region shared_memory_regions[SHARED_MEMORY_REGIONS_MAX];
pthread_mutex_t shared_memory_mutex = PTHREAD_MUTEX_INITIALIZER;
size_t shared_memory_page_bytes;
