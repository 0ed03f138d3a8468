/* model_paths.c - see model_paths.h. */
#include "server/models/model_paths.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Takes path over, even on failure; NULL: no memory for it. */
static enum ppm_status add_path(struct model_paths *paths, char *path, const char *folder,
                                struct ppm_error *error)
{
    if (path && paths->count < SETTINGS_MODELS_MAX) {
        paths->paths[paths->count++] = (struct model_path){.path = path, .folder = folder};
        return PPM_OK;
    }
    free(path);
    return path ? ppm_fail(error, PPM_BAD_CONFIG,
                           "models: found more than %d files, expected fewer", SETTINGS_MODELS_MAX)
                : ppm_fail(error, PPM_NO_MEMORY, "out of memory");
}

/* A link to a file is one: this is how Kubernetes mounts a ConfigMap. */
static int is_json(const struct dirent *entry)
{
    const size_t bytes = strlen(entry->d_name), suffix_bytes = strlen(".json");
    return entry->d_name[0] != '.' && bytes > suffix_bytes &&
           strcmp(entry->d_name + bytes - suffix_bytes, ".json") == 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct model_path *)a)->path, ((const struct model_path *)b)->path);
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static char *join(const char *folder, const char *name)
{
    char *path = NULL;
    const bool has_slash = folder[strlen(folder) - 1] == '/';
    return asprintf(&path, "%s%s%s", folder, has_slash ? "" : "/", name) < 0 ? NULL : path;
}

static enum ppm_status read_folder(struct model_paths *paths, DIR *directory, const char *folder,
                                   struct ppm_error *error)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (!entry && errno)
            return ppm_fail(error, PPM_IO, "%s: cannot read the folder: %s", folder,
                            strerror(errno));
        if (!entry)
            return PPM_OK;
        if (!is_json(entry))
            continue;
        char *path = join(folder, entry->d_name);
        if (path && is_folder(path))
            free(path);
        else if (add_path(paths, path, folder, error) != PPM_OK)
            return error->status;
    }
}

static enum ppm_status add_folder(struct model_paths *paths, const char *path,
                                  struct ppm_error *error)
{
    const size_t first = paths->count;
    char *folder = strdup(path);
    if (!folder)
        return ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    paths->folders[paths->folder_count++] = folder;
    DIR *directory = opendir(folder);
    if (!directory)
        return ppm_fail(error, errno == ENOMEM ? PPM_NO_MEMORY : PPM_IO,
                        "%s: cannot open the folder: %s", folder, strerror(errno));
    read_folder(paths, directory, folder, error);
    closedir(directory);
    if (error->status == PPM_OK && paths->count == first)
        return ppm_fail(error, PPM_BAD_CONFIG,
                        "%s: found a folder without *.json, expected at least one model in it",
                        folder);
    qsort(paths->paths + first, paths->count - first, sizeof *paths->paths, compare);
    return error->status;
}

enum ppm_status model_paths_find(const struct settings *settings, struct model_paths *ret,
                                 struct ppm_error *error)
{
    *ret = (struct model_paths){.paths = calloc(SETTINGS_MODELS_MAX, sizeof *ret->paths),
                                .folders = calloc(SETTINGS_MODELS_MAX, sizeof *ret->folders)};
    if (!ret->paths || !ret->folders)
        return ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < settings->model_count && error->status == PPM_OK; i++) {
        char path[2 * SETTINGS_TEXT_BYTES];
        settings_model_path(settings, i, path, sizeof path);
        if (is_folder(path))
            add_folder(ret, path, error);
        else
            add_path(ret, strdup(path), NULL, error);
    }
    return error->status;
}

void model_paths_release(struct model_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        free(paths->paths[i].path);
    for (size_t i = 0; i < paths->folder_count; i++)
        free(paths->folders[i]);
    free(paths->paths);
    free(paths->folders);
    *paths = (struct model_paths){0};
}
