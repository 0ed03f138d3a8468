/* write_file.h - a result becomes a file, whole or not at all. */
#ifndef PPM_SERVER_COMMANDS_WRITE_FILE_H
#define PPM_SERVER_COMMANDS_WRITE_FILE_H

#include "server/codec/form.h"

/* Writes a new file beside path, which then takes its place and its permissions: whoever reads path
 * finds the old file or the new one. What cannot be replaced is written to: a device, a FIFO, a
 * file in a folder that takes no new ones. PPM_IO, which names path. */
enum ppm_status command_write_file(const char *path, const struct codec_bytes *bytes,
                                   struct ppm_error *error);

#endif
