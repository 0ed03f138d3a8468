/*
 * image.c - see image.h.
 */
#include "server/image/exif.h"
#include "server/image/format.h"
#include "server/image/orient.h"

/* ---- reading --------------------------------------------------------------------------------- */

static enum ppm_status check_pixels(const struct image_format *format, size_t width, size_t height,
                                    const struct image_limits *limits, struct ppm_error *error)
{
    size_t pixels = 0, bytes = 0;
    if (__builtin_mul_overflow(width, height, &pixels) ||
        __builtin_mul_overflow(pixels, IMAGE_CHANNELS, &bytes) || pixels > limits->pixels_max)
        return ppm_fail(error, PPM_TOO_LARGE,
                        "%s: found %zu x %zu pixels, expected at most %zu in all "
                        "(image_pixels_max)",
                        format->name, width, height, limits->pixels_max);
    return PPM_OK;
}

static enum ppm_status check_promise(const struct image_format *format, size_t file_bytes,
                                     const struct image_promise *promise, struct ppm_error *error)
{
    if (promise->width == 0 || promise->height == 0)
        return ppm_fail(error, PPM_MALFORMED, "%s: found %zu x %zu pixels, expected one at least",
                        format->name, promise->width, promise->height);
    if (file_bytes < promise->bytes_min)
        return ppm_fail(
            error, PPM_MALFORMED, "%s: found %zu bytes for %zu x %zu pixels, expected %zu at least",
            format->name, file_bytes, promise->width, promise->height, promise->bytes_min);
    return PPM_OK;
}

enum ppm_status image_look_ahead(const char *body, size_t bytes, const struct image_limits *limits,
                                 struct ppm_error *error)
{
    const struct image_format *format = image_format_of_bytes(body, bytes);
    const struct image_bytes beginning = {(const uint8_t *)body, bytes};
    size_t width = 0, height = 0;
    if (!format || !format->find_size(beginning, &width, &height))
        return PPM_OK;
    return check_pixels(format, width, height, limits, error);
}

enum ppm_status image_look(const char *body, size_t bytes, const struct image_limits *limits,
                           struct image_head *ret_head, struct ppm_error *error)
{
    const struct image_format *format = image_format_of_bytes(body, bytes);
    struct image_promise promise = {0};
    int orientation = ORIENT_UPRIGHT;
    if (!format)
        return ppm_fail(error, PPM_MALFORMED,
                        "found neither a JPEG nor a PNG in %zu byte%s, by how they begin", bytes,
                        ppm_plural(bytes));
    const struct image_bytes file = {(const uint8_t *)body, bytes};
    if (image_look_ahead(body, bytes, limits, error) != PPM_OK ||
        format->look(file, &promise, error) != PPM_OK ||
        check_pixels(format, promise.width, promise.height, limits, error) != PPM_OK ||
        check_promise(format, bytes, &promise, error) != PPM_OK ||
        (promise.exif.count > 0 && exif_orientation(promise.exif, &orientation, error) != PPM_OK))
        return error->status;
    const bool is_transposed = orient_is_transposed(orientation);
    *ret_head = (struct image_head){
        .format = format,
        .width = is_transposed ? promise.height : promise.width,
        .height = is_transposed ? promise.width : promise.height,
        .orientation = orientation,
        .working_bytes = promise.working_bytes,
    };
    return PPM_OK;
}

enum ppm_status image_decode(const char *body, size_t bytes, const struct image_head *head,
                             const struct codec_cancel *cancel, struct ppm_image *image,
                             struct ppm_error *error)
{
    image->width = head->width;
    image->height = head->height;
    const struct image_reading reading = {
        .body = {(const uint8_t *)body, bytes},
        .target = orient_target(image, head->orientation),
        .working_bytes_max = head->working_bytes,
        .cancel = cancel,
    };
    return head->format->read(&reading, error);
}

/* ---- writing --------------------------------------------------------------------------------- */

size_t image_encoded_bytes_max(const struct image_format *format, size_t width, size_t height)
{
    size_t pixels = 0, bytes = 0;
    if (__builtin_mul_overflow(width, height, &pixels) ||
        __builtin_mul_overflow(pixels, 16 * IMAGE_CHANNELS, &bytes))
        return 0;
    return format->written_bytes_max(width, height);
}

size_t image_encode_working_bytes(const struct image_format *format, size_t width)
{
    return format->write_working_bytes + width * format->write_pixel_bytes;
}

enum ppm_status image_encode(const struct image_format *format, const struct ppm_image *image,
                             const struct codec_cancel *cancel, char *memory, size_t *ret_bytes,
                             struct ppm_error *error)
{
    const size_t bytes_max = image_encoded_bytes_max(format, image->width, image->height);
    return format->write(image, cancel, memory, bytes_max, ret_bytes, error);
}
