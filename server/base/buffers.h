/*
 * buffers.h - memory for bodies and answers, 64-byte aligned.
 *
 * Large buffers are kept for the next request of that size: clearing new pages takes the kernel
 * longer than receiving what goes there. A caller takes the bytes from the budget (memory.h) before
 * it takes a buffer, and returns them after it. Any thread may call.
 */
#ifndef PPM_SERVER_BASE_BUFFERS_H
#define PPM_SERVER_BASE_BUFFERS_H

#include <stddef.h>

void *buffer_take(size_t bytes); /* NULL: no memory */
void buffer_give(void *memory);  /* NULL is allowed */

#endif
