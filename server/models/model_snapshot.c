/* model_snapshot.c - see model_snapshot.h. */
#include "server/models/model_snapshot.h"
#include "server/models/model_paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* All 0: there is no such file. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t bytes;
    struct timespec modified;
};

struct part {
    char *path, *weights; /* weights: NULL for none */
    bool is_model;        /* false: other JSON in a folder. What cannot be read may become one */
    struct stamp stamp, weights_stamp;
};

struct model_snapshot {
    size_t count;
    struct part parts[];
};

static struct stamp look(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return (struct stamp){0};
    return (struct stamp){status.st_dev, status.st_ino, status.st_size, status.st_mtim};
}

static bool is_same(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
           a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec;
}

static const struct part *find(const struct model_snapshot *snapshot, const char *path)
{
    for (size_t i = 0; snapshot && i < snapshot->count; i++)
        if (strcmp(snapshot->parts[i].path, path) == 0)
            return &snapshot->parts[i];
    return NULL;
}

/* What the JSON says of its files; of one that has not changed, what it said before. False: no
 * memory. */
static bool read_files(const struct model_path *path, const struct stamp *stamp,
                       const struct part *before, struct ppm_model_files *ret)
{
    struct ppm_error error = {0};
    *ret = (struct ppm_model_files){.is_model = true};
    if (before && is_same(&before->stamp, stamp)) {
        ret->is_model = before->is_model;
        snprintf(ret->weights, sizeof ret->weights, "%s", before->weights ? before->weights : "");
    } else if (ppm_model_files(path->path, ret, &error) == PPM_OK) {
        ret->is_model = ret->is_model || !path->folder;
    }
    return error.status != PPM_NO_MEMORY;
}

/* False: no memory. */
static bool read_part(const struct model_path *path, const struct model_snapshot *before,
                      struct part *ret)
{
    struct ppm_model_files files;
    const struct stamp stamp = look(path->path);
    if (!read_files(path, &stamp, find(before, path->path), &files))
        return false;
    *ret = (struct part){.path = strdup(path->path), .is_model = files.is_model, .stamp = stamp};
    if (!ret->path || !*files.weights)
        return ret->path != NULL;
    ret->weights_stamp = look(files.weights);
    return (ret->weights = strdup(files.weights)) != NULL;
}

struct model_snapshot *model_snapshot_take(const struct settings *settings,
                                           const struct model_snapshot *before)
{
    struct ppm_error error = {0};
    struct model_paths paths;
    struct model_snapshot *snapshot = NULL;
    model_paths_find(settings, &paths, &error);
    if (error.status != PPM_NO_MEMORY)
        snapshot = calloc(1, sizeof *snapshot + paths.count * sizeof *snapshot->parts);
    bool has_memory = snapshot != NULL;
    for (size_t i = 0; has_memory && i < paths.count; i++)
        has_memory = read_part(&paths.paths[i], before, &snapshot->parts[snapshot->count++]);
    model_paths_release(&paths);
    if (has_memory)
        return snapshot;
    model_snapshot_free(snapshot);
    return NULL;
}

static bool is_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static const char *difference(const struct part *before, const struct part *after)
{
    if (!before->is_model && !after->is_model)
        return NULL;
    if (!is_same(&before->stamp, &after->stamp) || !is_equal(before->weights, after->weights))
        return after->path;
    return is_same(&before->weights_stamp, &after->weights_stamp) ? NULL : after->weights;
}

/* The path of a model that is in one snapshot and not in the other; NULL: there is none. */
static const char *find_more(const struct model_snapshot *snapshot,
                             const struct model_snapshot *other)
{
    for (size_t i = 0; i < snapshot->count; i++)
        if (snapshot->parts[i].is_model && !find(other, snapshot->parts[i].path))
            return snapshot->parts[i].path;
    return NULL;
}

const char *model_snapshot_difference(const struct model_snapshot *before,
                                      const struct model_snapshot *after)
{
    if (!before || !after)
        return before == after ? NULL : "models";
    const char *path = find_more(before, after);
    path = path ? path : find_more(after, before);
    for (size_t i = 0; !path && i < after->count; i++) {
        const struct part *old = find(before, after->parts[i].path);
        path = old ? difference(old, &after->parts[i]) : NULL;
    }
    return path;
}

void model_snapshot_free(struct model_snapshot *snapshot)
{
    for (size_t i = 0; snapshot && i < snapshot->count; i++) {
        free(snapshot->parts[i].path);
        free(snapshot->parts[i].weights);
    }
    free(snapshot);
}
