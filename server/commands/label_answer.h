/* label_answer.h - what `label` writes of an image: its labels, its classes, or colors over it. */
#ifndef PPM_SERVER_COMMANDS_LABEL_ANSWER_H
#define PPM_SERVER_COMMANDS_LABEL_ANSWER_H

#include "server/codec/form.h"
#include "server/image/image.h"

/* One of the three: a form of labels, or of any y; an image with the labels' colors over it; or
 * neither, which is JSON of the classes. */
struct label_answer {
    const struct codec_form *form;
    const struct image_format *overlay;
    double opacity;
};

/* By the extension of a file. PPM_BAD_CONFIG for one that no such answer has. */
enum ppm_status label_answer_of(const char *path, bool is_overlay, struct label_answer *ret_answer,
                                struct ppm_error *error);

/* Whether the model's output can be shown so. PPM_UNFIT. */
enum ppm_status label_answer_check(const struct label_answer *answer,
                                   const struct ppm_model_info *info, const char *path,
                                   struct ppm_error *error);

/* y, the model's answer to an image, becomes *ret_bytes, which the caller frees. Uses up y's data,
 * and for an overlay the image's pixels. PPM_UNFIT, PPM_NO_MEMORY. */
enum ppm_status label_answer_write(const struct label_answer *answer,
                                   const struct ppm_model_info *info, struct ppm_image *image,
                                   struct ppm_tensor *y, struct codec_bytes *ret_bytes,
                                   struct ppm_error *error);

#endif
