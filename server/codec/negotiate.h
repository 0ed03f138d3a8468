/*
 * negotiate.h - Content-Type and Accept: which form came, and which one to answer in.
 */
#ifndef PPM_SERVER_CODEC_NEGOTIATE_H
#define PPM_SERVER_CODEC_NEGOTIATE_H

#include "server/codec/forms.h"

/* Whether a Content-Type (NULL: none was sent) names a media type, such as "image/png", without
 * regard to case and parameters such as charset. */
bool codec_is_type(const char *content_type, const char *media_type);

/* The form that a Content-Type names, without regard to case and parameters such as charset; NULL:
 * none that a tensor may come in. */
const struct codec_form *codec_form_of_type(const char *content_type);

/* The quality that an Accept header gives a media type, in thousandths: that of the most specific
 * range that matches it (RFC 9110 12.5.1); -1 where no range makes sense. */
int codec_quality(const char *media_type, const char *accept);

/* Chooses the form of the answer, among those for a use, by an Accept header (NULL: none was sent)
 * and a preferred form. Each form's quality is that of the most specific range that matches
 * it (RFC 9110 12.5.1); the highest wins, ties go to the preferred form, then by the order of the
 * table. A range with q=0 excludes. NULL when none is acceptable (406). */
const struct codec_form *codec_negotiate(const char *accept, const struct codec_form *preferred,
                                         enum codec_use use);

#endif
