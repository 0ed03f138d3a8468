/*
 * forms.c - see forms.h.
 */
#include "server/codec/forms.h"

#include "server/codec/json/json.h"
#include "server/codec/npy/npy.h"
#include "server/codec/png/png.h"
#include "server/codec/raw/raw.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

const struct codec_form *const codec_forms[] = {&codec_json, &codec_npy, &codec_raw, &codec_png,
                                                NULL};

bool codec_is_for(const struct codec_form *form, enum codec_use use)
{
    switch (use) {
    case CODEC_BODY:
        return form->decode != NULL;
    case CODEC_ANY_TENSOR:
        return form->labels_max == 0;
    case CODEC_ANY_LABELS:
        return true;
    case CODEC_ALL_TENSORS:
        return form->encode_several != NULL;
    case CODEC_FILE:
        return form->extension != NULL;
    }
    return false;
}

const struct codec_form *codec_form_of_extension(const char *extension)
{
    for (const struct codec_form *const *form = codec_forms; *form; form++)
        if ((*form)->extension && strcasecmp((*form)->extension, extension) == 0)
            return *form;
    return NULL;
}

static const char *word_for(const struct codec_form *form, enum codec_use use)
{
    return use == CODEC_FILE ? form->extension : form->media_type;
}

const char *codec_list(enum codec_use use, enum codec_dtype dtype, char ret_text[CODEC_LIST_BYTES])
{
    size_t count = 0, used = 0;
    ret_text[0] = '\0';
    for (const struct codec_form *const *form = codec_forms; *form; form++)
        count += codec_is_for(*form, use) && codec_has_dtype(*form, dtype);
    for (const struct codec_form *const *form = codec_forms; *form && used < CODEC_LIST_BYTES;
         form++) {
        if (!codec_is_for(*form, use) || !codec_has_dtype(*form, dtype))
            continue;
        count--;
        used += (size_t)snprintf(
            ret_text + used, CODEC_LIST_BYTES - used, "%s%s%s", word_for(*form, use),
            use == CODEC_FILE && (*form)->labels_max > 0 ? " for a map of labels" : "",
            count > 1    ? ", "
            : count == 1 ? " or "
                         : "");
    }
    return ret_text;
}
