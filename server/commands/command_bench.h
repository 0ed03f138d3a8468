/* command_bench.h - `bench`: times the computation without HTTP, on a warm model, in NCHW. */
#ifndef PPM_SERVER_COMMANDS_COMMAND_BENCH_H
#define PPM_SERVER_COMMANDS_COMMAND_BENCH_H

#include "core/ppm.h"

/* Reads the arguments after the command's name and prints to stdout. */
enum ppm_status command_bench(int count, char *const *arguments, struct ppm_error *error);

#endif
