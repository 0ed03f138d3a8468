/*
 * buffers.h - memory for bodies and answers, 64-byte aligned.
 *
 * Large ones are kept for the next request of that size: to have the kernel clear new pages takes
 * longer than to receive what goes there. Whoever takes one has taken its bytes (memory.h), and
 * gives it back before them. Any thread may call.
 */
#ifndef PPM_SERVER_BASE_BUFFERS_H
#define PPM_SERVER_BASE_BUFFERS_H

#include <stddef.h>

void *buffer_take(size_t bytes); /* NULL: there is none */
void buffer_give(void *memory);  /* NULL is allowed */

#endif
