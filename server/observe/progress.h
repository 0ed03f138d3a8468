/* progress.h - how far long work has come, on a terminal; nothing in a pipe. */
#ifndef PPM_SERVER_OBSERVE_PROGRESS_H
#define PPM_SERVER_OBSERVE_PROGRESS_H

#include "core/ppm.h"

/* Shows "verb what  42%" on stderr if it is a terminal, after the first second of work. One at a
 * time; verb must live until progress_end, which wipes the line. */
struct ppm_progress progress_start(const char *verb);
void progress_report(const char *what, double share);
void progress_end(void);

/* From now on SIGINT wipes the line and says "interrupted" before it ends the program. */
void progress_catch_interrupt(void);

#endif
