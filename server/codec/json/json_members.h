/*
 * json_members.h - the members next to the data of a JSON body.
 */
#ifndef PPM_SERVER_CODEC_JSON_JSON_MEMBERS_H
#define PPM_SERVER_CODEC_JSON_JSON_MEMBERS_H

#include "server/codec/form.h"

struct json_t;

/* Whether a body of POST /ppm may have a member of this name; the sentence for one that it may not
 * have. */
bool codec_json_is_member(const char *key, size_t bytes);
enum ppm_status codec_json_refuse_member(const char *key, size_t bytes, struct ppm_error *error);

/* Of root, an object with null in place of its data. */
enum ppm_status codec_json_read_members(const struct json_t *root,
                                        struct codec_members *ret_members, struct ppm_error *error);

#endif
