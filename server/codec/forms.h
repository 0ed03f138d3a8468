/*
 * forms.h - the table of forms.
 */
#ifndef PPM_SERVER_CODEC_FORMS_H
#define PPM_SERVER_CODEC_FORMS_H

#include "server/codec/form.h"

/* Ended by NULL; of forms that a client likes equally, the first is taken. */
extern const struct codec_form *const codec_forms[];

/* The use of a form. */
enum codec_use {
    CODEC_BODY,        /* to send a tensor in */
    CODEC_ANY_TENSOR,  /* an answer, */
    CODEC_ANY_LABELS,  /* an answer that is one map of labels with a palette, */
    CODEC_ALL_TENSORS, /* an answer of several tensors, */
    CODEC_FILE,        /* or one that is written to a file */
};

bool codec_is_for(const struct codec_form *form, enum codec_use use);

/* The form of files with that extension, such as ".npy"; NULL: none. */
const struct codec_form *codec_form_of_extension(const char *extension);

enum { CODEC_LIST_BYTES = 256 };

/* "application/json, application/x-npy or application/octet-stream": the media types for a use
 * (extensions, for CODEC_FILE) of forms that have elements of dtype. Returns ret_text. */
const char *codec_list(enum codec_use use, enum codec_dtype dtype, char ret_text[CODEC_LIST_BYTES]);

#endif
