/* progress.h - how far long work is, on a terminal; nothing in a pipe. */
#ifndef PPM_SERVER_COMMANDS_PROGRESS_H
#define PPM_SERVER_COMMANDS_PROGRESS_H

#include "core/ppm.h"

/* Shows "verb what  42%" on stderr when it is a terminal, once a second of work has passed, and
 * wipes it at the end. One at a time; the string lives as long as it. */
struct ppm_progress progress_start(const char *verb);
void progress_report(const char *what, double share);
void progress_end(void);

/* From now on SIGINT wipes it and says "interrupted" before it ends the program. */
void progress_catch_interrupt(void);

#endif
