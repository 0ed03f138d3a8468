/*
 * buffers.h - memory for bodies and answers, 64-byte aligned.
 *
 * Large ones are kept for the next request of that size: to have the kernel clear new pages takes
 * longer than to receive what goes there. Any thread may call.
 */
#ifndef PPM_SERVER_BUFFERS_H
#define PPM_SERVER_BUFFERS_H

#include <stddef.h>

/* Until how many bytes large ones are kept, those that are handed out counted in; none before. */
void buffers_keep(size_t bytes_max);

void *buffer_take(size_t bytes); /* NULL: there is none */
void buffer_give(void *memory);  /* NULL is allowed */

/* Gives back to the system what nobody has asked for in so many seconds. */
void buffers_trim(double idle_s);

#endif
