/*
 * opacity.h - the opacity of labels over an image as text, in a query and on the command line.
 */
#ifndef PPM_SERVER_CODEC_OPACITY_H
#define PPM_SERVER_CODEC_OPACITY_H

#include <stdbool.h>

/* Reads a decimal number from 0 to 1 that is all of text: "1", "0.5", ".5", "1e-05". False, and
 * *ret_opacity is left alone, for anything else: a sign, space, "nan", hexadecimal digits. */
bool codec_read_opacity(const char *text, double *ret_opacity);

#endif
