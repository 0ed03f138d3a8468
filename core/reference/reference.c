/*
 * reference.c - the literal graph, operator by operator, as the paper draws it.
 *
 * It stores every intermediate result and sums every product in double precision. This is the
 * specification of what the server computes; tests compare everything faster with it.
 */
#include "core/reference/reference.h"
#include "core/base/memory.h"
#include "core/base/threads.h"
#include "core/reference/reference_output.h"
#include "core/reference/reference_pyramid.h"

#include <stdlib.h>

/* The buffers of a run. */
struct buffers {
    void *pyramid;  /* the pyramid's own maps */
    float *concat;  /* [N, Cc, H, W] */
    float *head[2]; /* [N, widest of the head, H, W] each */
};

static size_t head_channels(const struct spec *spec)
{
    return spec->head.count ? spec->head.out_channels : spec->pyramid.concat_channels;
}

/* Places the buffers in a room, or counts their bytes. */
static void place(const struct spec *spec, const struct geometry *g, struct room *room,
                  struct buffers *ret)
{
    const size_t pixels = size_times(g->input.n, size_times(g->h, g->w));
    ret->pyramid = room_take(room, reference_pyramid_bytes(&spec->pyramid, g), 1);
    ret->concat = room_take(room, size_times(pixels, spec->pyramid.concat_channels), sizeof(float));
    for (size_t i = 0; i < 2 && spec->head.count > 0; i++)
        ret->head[i] =
            room_take(room, size_times(pixels, stack_widest(&spec->head)), sizeof(float));
}

static size_t buffers_bytes(const struct spec *spec, const struct geometry *g)
{
    struct buffers buffers;
    struct room room = {0};
    place(spec, g, &room, &buffers);
    return room.bytes;
}

size_t reference_working_bytes(const struct spec *spec, const struct geometry *g)
{
    return size_plus(buffers_bytes(spec, g), reference_output_bytes(spec, g, head_channels(spec)));
}

enum ppm_status reference_run(const struct spec *spec, const struct geometry *g, const float *x,
                              void *y, const struct run *run, struct ppm_stage_times *times,
                              struct ppm_error *error)
{
    struct buffers buffers;
    struct room room = {.base = core_allocate(buffers_bytes(spec, g), error)};
    if (!room.base)
        return error->status;
    place(spec, g, &room, &buffers);
    reference_pyramid(run, &spec->pyramid, g, x, buffers.concat, buffers.pyramid, times);
    const double start_s = threads_now_s();
    const float *values =
        reference_stack(run, &spec->head, buffers.concat, g->input.n, g->h, g->w, buffers.head);
    const double head_s = threads_now_s();
    const size_t channels = head_channels(spec);
    if (!run_is_cancelled(run)) {
        if (run->head)
            run_copy(run, run->head, values, g->input.n * channels * g->h * g->w);
        reference_output(spec, g, values, channels, run, y, error);
    }
    times->head_ms = 1e3 * (head_s - start_s);
    times->output_ms = 1e3 * (threads_now_s() - head_s);
    free(room.base);
    return error->status;
}
