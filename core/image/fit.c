/* fit.c - see fit.h. */
#include "core/image/fit.h"
#include "core/image/average.h"

/* The side of x that belongs to `side`, where the longest becomes `wanted`: rounded, at least 1. */
static size_t scaled_side(size_t side, size_t longest, size_t wanted)
{
    return size_max((2 * side * wanted + longest) / (2 * longest), 1);
}

/* The pixels of x that are the image's: all but the padding. */
static void find_resized(const struct ppm_image_info *info, struct fit *fit, size_t *ret_h,
                         size_t *ret_w)
{
    const size_t longest = size_max(fit->image_h, fit->image_w);
    size_t h = fit->image_h, w = fit->image_w;
    if (info->fit == PPM_FIT_RESIZE && info->longest_side > 0) {
        h = scaled_side(h, longest, info->longest_side);
        w = scaled_side(w, longest, info->longest_side);
    } else if (info->fit == PPM_FIT_RESIZE) {
        h = info->size_h;
        w = info->size_w;
    }
    fit->down = resample_axis_of(fit->image_h, h);
    fit->across = resample_axis_of(fit->image_w, w);
    fit->is_resized = h != fit->image_h || w != fit->image_w;
    *ret_h = h;
    *ret_w = w;
}

static void find_tiles(const struct ppm_image_info *info, struct fit *fit)
{
    fit->rows = tile_axis_of(fit->image_h, info->size_h, info->overlap_h);
    fit->columns = tile_axis_of(fit->image_w, info->size_w, info->overlap_w);
    fit->is_tiled = fit->rows.count > 1 || fit->columns.count > 1;
}

/* One run, whose output stage stretches the logits and cuts off the padding. */
static void find_whole(const struct ppm_image_info *info, struct fit *fit)
{
    const bool is_tile = info->fit == PPM_FIT_TILES;
    size_t h, w;
    find_resized(info, fit, &h, &w);
    const size_t x_h = is_tile ? info->size_h : size_round_up(h, info->multiple);
    const size_t x_w = is_tile ? info->size_w : size_round_up(w, info->multiple);
    const bool is_padded = x_h > h || x_w > w;
    fit->sizes = (struct ppm_sizes){.inputs = {{1, 3, x_h, x_w}},
                                    .count = 1,
                                    .output_h = fit->output.h,
                                    .output_w = fit->output.w,
                                    .image_h = is_padded ? h : 0,
                                    .image_w = is_padded ? w : 0};
}

static void find_tile(const struct ppm_image_info *info, struct fit *fit)
{
    const struct output_spec *output = &fit->model->spec.output;
    fit->sizes = (struct ppm_sizes){.inputs = {{1, 3, info->size_h, info->size_w}},
                                    .count = 1,
                                    .output_h = info->size_h,
                                    .output_w = info->size_w,
                                    .is_soft = true};
    fit->layout = PPM_NCHW;
    fit->is_stretched = fit->output.h != fit->image_h || fit->output.w != fit->image_w;
    fit->average.channels = output->as == AS_ARGMAX ? output->classes : output->channels;
}

static enum ppm_status refuse_model(const struct ppm_model *model, struct ppm_error *error)
{
    const struct spec *spec = &model->spec;
    if (spec->graph.input_count > 1)
        return ppm_fail(error, PPM_UNFIT,
                        "the model %s takes no images: it has %zu inputs, expected one of 3 "
                        "channels",
                        spec->name, spec->graph.input_count);
    if (spec->channels != 3)
        return ppm_fail(error, PPM_UNFIT,
                        "the model %s takes no images: its input has %zu channel%s, expected 3",
                        spec->name, spec->channels, ppm_plural(spec->channels));
    return ppm_fail(error, PPM_UNFIT,
                    "the model %s takes no images: its JSON does not say how a pixel becomes x, "
                    "expected \"image\": {\"mean\": [...], \"std\": [...]} in its \"input\"",
                    spec->name);
}

enum ppm_status fit_of(const struct ppm_model *model, size_t width, size_t height, size_t want_h,
                       size_t want_w, int threads, struct fit *ret_fit, struct ppm_error *error)
{
    const struct ppm_image_info *info = &model->spec.image;
    const struct output_spec *output = &model->spec.output;
    struct fit fit = {
        .model = model,
        .image_h = height,
        .image_w = width,
        .threads = threads,
        .layout = model->spec.layout,
        .output = {1, output->channels, want_h ? want_h : height, want_h ? want_w : width}};
    struct room room = {0};
    if (!model->spec.takes_images)
        return refuse_model(model, error);
    if (width == 0 || height == 0)
        return ppm_fail(error, PPM_MALFORMED,
                        "found an image of %zu x %zu pixels (W x H), expected at least 1 each",
                        width, height);
    if (size_max(width, height) > OUTPUT_EXTENT_MAX ||
        size_max(fit.output.h, fit.output.w) > OUTPUT_EXTENT_MAX)
        return ppm_fail(error, PPM_TOO_LARGE,
                        "found an image of %zu x %zu pixels (W x H) and an answer of %zu x %zu, "
                        "expected at most %d each",
                        width, height, fit.output.w, fit.output.h, OUTPUT_EXTENT_MAX);
    if (info->fit == PPM_FIT_TILES)
        find_tiles(info, &fit);
    if (fit.is_tiled)
        find_tile(info, &fit);
    else
        find_whole(info, &fit);
    fit_place(&fit, &room);
    if (room.bytes > PTRDIFF_MAX)
        return ppm_fail(error, PPM_TOO_LARGE,
                        "an image of %zu x %zu pixels (W x H) takes more bytes than can be counted",
                        width, height);
    *ret_fit = fit;
    return PPM_OK;
}

void fit_place(struct fit *fit, struct room *room)
{
    const struct ppm_shape x = fit->sizes.inputs[0];
    fit->x = room_take(room, size_times(3, size_times(x.h, x.w)), sizeof *fit->x);
    if (fit->is_resized) {
        resample_axis_place(&fit->across, room);
        resample_axis_place(&fit->down, room);
        fit->narrow = room_take(room, fit->image_h, 3 * fit->across.out);
        fit->resized = room_take(room, (size_t)fit->threads, 3 * fit->across.out);
    }
    if (fit->is_tiled) {
        fit->tile_y = room_take(room, size_times(fit->average.channels, size_times(x.h, x.w)),
                                sizeof *fit->tile_y);
        average_place(fit, room);
    }
}

size_t fit_runs(const struct fit *fit)
{
    return fit->is_tiled ? fit->rows.count * fit->columns.count : 1;
}
