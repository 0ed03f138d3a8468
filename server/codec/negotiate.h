/*
 * negotiate.h - Content-Type and Accept: which form came, and which one to answer in.
 */
#ifndef PPM_SERVER_CODEC_NEGOTIATE_H
#define PPM_SERVER_CODEC_NEGOTIATE_H

#include "server/codec/forms.h"

/* The form that a Content-Type names (parameters such as charset are ignored, case is not
 * significant); NULL when it names none that a tensor may come in. */
const struct codec_form *codec_form_of_type(const char *content_type);

/* The form to answer in, of those for that use, by an Accept header (NULL: none was sent) and the
 * form, one of them, to prefer. Each form's quality is that of the most specific range that matches
 * it (RFC 9110 12.5.1); the highest wins, ties go to the preferred form, then by the order of the
 * table. A range with q=0 excludes. NULL when none is acceptable (406). */
const struct codec_form *codec_negotiate(const char *accept, const struct codec_form *preferred,
                                         enum codec_use use);

#endif
