/*
 * npy.h - tensors as NumPy's .npy files.
 */
#ifndef PPM_SERVER_CODEC_NPY_NPY_H
#define PPM_SERVER_CODEC_NPY_NPY_H

#include "server/codec/form.h"

/* Reads versions 1 to 3, <f4, <f8, <f2, C or Fortran order; writes version 1, <f4, <f2 or <i4, C
 * order. */
extern const struct codec_form codec_npy;

#endif
