/* class_runs.c - see class_runs.h. Two walks over the labels, so that nothing is kept of a run but
 * its text: the first one finds how long the text of each class is. */
#include "server/codec/classes/class_runs.h"

/* ---- a walk ---- */

struct walk {
    const int32_t *labels;
    size_t h, w;
    size_t x, y;
    size_t at; /* x * h + y */
};

static int32_t label_at(const struct walk *walk)
{
    return walk->labels[walk->y * walk->w + walk->x];
}

static void step(struct walk *walk)
{
    walk->at++;
    if (++walk->y == walk->h) {
        walk->y = 0;
        walk->x++;
    }
}

/* Goes on to the end of the run that begins here. A long one takes milliseconds, so it asks, too.
 */
static enum ppm_status pass_run(struct walk *walk, const struct codec_cancel *cancel,
                                struct ppm_error *error)
{
    const int32_t label = label_at(walk);
    const size_t end = walk->h * walk->w;
    do {
        step(walk);
        if (walk->at % CODEC_SLICE_NUMBERS == 0 && codec_check(cancel, error) != PPM_OK)
            return error->status;
    } while (walk->at < end && label_at(walk) == label);
    return PPM_OK;
}

/* Takes the next count of a class. */
typedef void take_function(struct class_runs *runs, size_t count);

static enum ppm_status walk_runs(const int32_t *labels, size_t h, size_t w, size_t classes,
                                 const struct codec_cancel *cancel, take_function *take,
                                 struct class_runs *runs, struct ppm_error *error)
{
    struct walk walk = {.labels = labels, .h = h, .w = w};
    const size_t pixels = h * w;
    for (size_t i = 0; i < classes; i++)
        runs[i].end = 0;
    while (walk.at < pixels) {
        struct class_runs *own = &runs[label_at(&walk)];
        const size_t start = walk.at;
        if (pass_run(&walk, cancel, error) != PPM_OK)
            return error->status;
        take(own, start - own->end);
        take(own, walk.at - start);
        own->end = walk.at;
    }
    for (size_t i = 0; i < classes; i++)
        if (runs[i].end > 0 && runs[i].end < pixels)
            take(&runs[i], pixels - runs[i].end);
    return PPM_OK;
}

/* ---- counts ---- */

static void count_bytes(struct class_runs *runs, size_t count)
{
    size_t digits = 1;
    while (count >= 10) {
        count /= 10;
        digits++;
    }
    runs->bytes += digits + 1;
}

static void write_count(struct class_runs *runs, size_t count)
{
    char text[24], *start = text + sizeof text;
    *--start = ',';
    do {
        *--start = (char)('0' + count % 10);
        count /= 10;
    } while (count > 0);
    while (start < text + sizeof text)
        *runs->to++ = *start++;
}

enum ppm_status class_runs_count(const int32_t *labels, size_t h, size_t w, size_t classes,
                                 const struct codec_cancel *cancel, struct class_runs *runs,
                                 struct ppm_error *error)
{
    for (size_t i = 0; i < classes; i++)
        runs[i].bytes = 0;
    return walk_runs(labels, h, w, classes, cancel, count_bytes, runs, error);
}

enum ppm_status class_runs_write(const int32_t *labels, size_t h, size_t w, size_t classes,
                                 const struct codec_cancel *cancel, struct class_runs *runs,
                                 struct ppm_error *error)
{
    return walk_runs(labels, h, w, classes, cancel, write_count, runs, error);
}
