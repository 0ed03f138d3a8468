/* label_answer.c - see label_answer.h. */
#include "server/commands/label_answer.h"
#include "server/codec/classes/classes.h"
#include "server/codec/forms.h"
#include "server/codec/png/png.h"
#include "server/commands/common.h"

#include <stdlib.h>
#include <strings.h>

/* ---- what is wanted ---- */

static const struct image_format *format_of(const char *extension)
{
    const struct image_format *const *format = image_formats;
    const char *known = strcasecmp(extension, ".jpeg") == 0 ? ".jpg" : extension;
    while (*format && strcasecmp(known, image_format_extension(*format)) != 0)
        format++;
    return *format;
}

enum ppm_status label_answer_of(const char *path, bool is_overlay, struct label_answer *ret_answer,
                                struct ppm_error *error)
{
    const char *given = command_extension(path), *extension = *given ? given : ".png";
    struct label_answer answer = {.opacity = ret_answer->opacity};
    if (is_overlay)
        answer.overlay = format_of(extension);
    else
        answer.form = codec_form_of_extension(extension);
    if (is_overlay ? !answer.overlay : !answer.form && strcasecmp(extension, ".json") != 0)
        return ppm_fail(error, PPM_BAD_CONFIG, "found the output \"%s\", expected %s", path,
                        is_overlay ? "an overlay as .png or .jpg"
                                   : "labels as .png or .npy, or their classes as .json");
    *ret_answer = answer;
    return PPM_OK;
}

enum ppm_status label_answer_check(const struct label_answer *answer,
                                   const struct ppm_model_info *info, const char *path,
                                   struct ppm_error *error)
{
    if (answer->overlay)
        return command_check_labels(info, "an overlay", codec_png.labels_max, path, error);
    if (!answer->form)
        return command_check_labels(info, "JSON of classes", 0, path, error);
    return answer->form->labels_max == 0
               ? PPM_OK
               : command_check_labels(info, "a PNG", answer->form->labels_max, path, error);
}

/* ---- bytes ---- */

static enum ppm_status write_overlay(const struct label_answer *answer,
                                     const struct ppm_model_info *info, struct ppm_image *image,
                                     const struct ppm_tensor *labels, struct codec_bytes *ret_bytes,
                                     struct ppm_error *error)
{
    const struct codec_palette palette = {info->palette, info->palette_count};
    const size_t bytes = image_encoded_bytes_max(answer->overlay, image->width, image->height);
    if (image_overlay(image, labels->data, &palette, answer->opacity, NULL, error) != PPM_OK)
        return error->status;
    ret_bytes->data = bytes > 0 ? malloc(bytes) : NULL;
    if (!ret_bytes->data)
        return ppm_fail(error, PPM_NO_MEMORY, "out of memory for an overlay of %zu x %zu pixels",
                        image->width, image->height);
    return image_encode(answer->overlay, image, NULL, ret_bytes->data, &ret_bytes->size, error);
}

static enum ppm_status write_classes(const struct ppm_model_info *info,
                                     const struct ppm_tensor *labels, struct codec_bytes *ret_bytes,
                                     struct ppm_error *error)
{
    struct codec_classes *classes =
        codec_classes_find(labels, info, CODEC_LABELS_NONE, NULL, error);
    if (!classes)
        return error->status;
    ret_bytes->data = malloc(codec_classes_bytes(classes));
    if (!ret_bytes->data)
        ppm_fail(error, PPM_NO_MEMORY, "out of memory for JSON of %zu classes", info->classes);
    else
        codec_classes_write(classes, ret_bytes->data, &ret_bytes->size, error);
    codec_classes_free(classes);
    return error->status;
}

enum ppm_status label_answer_write(const struct label_answer *answer,
                                   const struct ppm_model_info *info, struct ppm_image *image,
                                   struct ppm_tensor *y, struct codec_bytes *ret_bytes,
                                   struct ppm_error *error)
{
    const struct codec_answer whole = {.tensor = y,
                                       .model = info->name,
                                       .palette = {info->palette, info->palette_count},
                                       .threads = 1};
    struct codec_bytes bytes = {0};
    if (answer->form)
        codec_encode(answer->form, &whole, &bytes, error);
    else if (answer->overlay)
        write_overlay(answer, info, image, y, &bytes, error);
    else
        write_classes(info, y, &bytes, error);
    if (error->status == PPM_OK)
        *ret_bytes = bytes;
    else
        free(bytes.data);
    return error->status;
}
