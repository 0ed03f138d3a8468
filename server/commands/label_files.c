/* label_files.c - see label_files.h. */
#include "server/commands/label_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* ---- names ---- */

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Of a name without folders: the bytes before its extension. ".png" has none. */
static size_t stem_bytes(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot > name ? (size_t)(dot - name) : strlen(name);
}

static bool is_image_name(const char *name)
{
    static const char *const extensions[] = {".jpg", ".jpeg", ".png"};
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
        if (strcasecmp(name + stem_bytes(name), extensions[i]) == 0)
            return true;
    return false;
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool label_names_folder(const char *word)
{
    const size_t bytes = strlen(word);
    return (bytes > 0 && word[bytes - 1] == '/') || is_folder(word);
}

/* "FOLDER/NAME" of a name's first bytes, and an extension. NULL without memory. */
static char *path_within(const char *folder, const char *name, size_t bytes, const char *extension)
{
    const size_t at = strlen(folder);
    const char *slash = at > 0 && folder[at - 1] == '/' ? "" : "/";
    char *path = NULL;
    return asprintf(&path, "%s%s%.*s%s", folder, slash, (int)bytes, name, extension) < 0 ? NULL
                                                                                         : path;
}

/* ---- images ---- */

/* Takes image, which may be NULL: there was no memory for it. */
static enum ppm_status append(struct label_files *files, char *image, struct ppm_error *error)
{
    const bool is_full = (files->count & (files->count + 1)) == 0; /* 0, 1, 3, 7, ... */
    struct label_file *list =
        is_full ? reallocarray(files->list, 2 * files->count + 1, sizeof *list) : files->list;
    if (list)
        files->list = list;
    if (!image || !list) {
        free(image);
        return ppm_fail(error, PPM_NO_MEMORY, "out of memory after %zu names of images",
                        files->count);
    }
    files->list[files->count++] = (struct label_file){.image = image};
    return PPM_OK;
}

static int compare_images(const void *a, const void *b)
{
    return strcmp(((const struct label_file *)a)->image, ((const struct label_file *)b)->image);
}

/* Takes the entry of a folder if its name is that of an image. */
static enum ppm_status append_entry(struct label_files *files, const char *folder, const char *name,
                                    struct ppm_error *error)
{
    char *path = is_image_name(name) ? path_within(folder, name, strlen(name), "") : NULL;
    if (is_image_name(name) && !(path && is_folder(path)))
        return append(files, path, error);
    free(path);
    files->left_out++;
    return PPM_OK;
}

static enum ppm_status append_folder(struct label_files *files, const char *folder,
                                     struct ppm_error *error)
{
    const size_t first = files->count, left_out = files->left_out;
    DIR *directory = opendir(folder);
    if (!directory)
        return ppm_fail(error, PPM_IO, "%s: cannot read it: %s", folder, strerror(errno));
    files->has_folder = true;
    for (const struct dirent *entry; error->status == PPM_OK && (entry = readdir(directory));)
        if (entry->d_name[0] != '.')
            append_entry(files, folder, entry->d_name, error);
    closedir(directory);
    if (error->status != PPM_OK)
        return error->status;
    if (!files->list || files->count == first)
        return ppm_fail(error, PPM_BAD_CONFIG,
                        "%s: found no image among its %zu files, expected .jpg, .jpeg or .png",
                        folder, files->left_out - left_out);
    qsort(files->list + first, files->count - first, sizeof *files->list, compare_images);
    return PPM_OK;
}

enum ppm_status label_files_find(const char *const *words, size_t count,
                                 struct label_files *ret_files, struct ppm_error *error)
{
    struct label_files files = {0};
    for (size_t i = 0; i < count && error->status == PPM_OK; i++) {
        if (is_folder(words[i]))
            append_folder(&files, words[i], error);
        else
            append(&files, strdup(words[i]), error);
    }
    if (error->status == PPM_OK)
        *ret_files = files;
    else
        label_files_free(&files);
    return error->status;
}

void label_files_free(struct label_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->list[i].image);
        free(files->list[i].output);
    }
    free(files->list);
}

/* ---- outputs ---- */

/* What tells whether two names are of one file. */
struct identity {
    dev_t device;
    ino_t inode;
};

static int compare_identities(const void *a, const void *b)
{
    const struct identity *x = a, *y = b;
    return x->device != y->device ? (x->device < y->device ? -1 : 1)
                                  : (x->inode > y->inode) - (x->inode < y->inode);
}

static bool identify(const char *path, struct identity *ret)
{
    struct stat status;
    const bool is_there = stat(path, &status) == 0 && S_ISREG(status.st_mode);
    if (is_there)
        *ret = (struct identity){status.st_dev, status.st_ino};
    return is_there;
}

/* No output is one of the files that are read. */
static enum ppm_status check_inputs(const struct label_files *files, const char *model,
                                    struct ppm_error *error)
{
    struct identity *inputs = calloc(files->count + 1, sizeof *inputs), found;
    size_t count = 0;
    if (!inputs)
        return ppm_fail(error, PPM_NO_MEMORY, "out of memory for %zu images", files->count);
    for (size_t i = 0; i < files->count; i++)
        count += identify(files->list[i].image, &inputs[count]);
    count += identify(model, &inputs[count]);
    qsort(inputs, count, sizeof *inputs, compare_identities);
    for (size_t i = 0; i < files->count && error->status == PPM_OK; i++)
        if (identify(files->list[i].output, &found) &&
            bsearch(&found, inputs, count, sizeof *inputs, compare_identities))
            ppm_fail(error, PPM_BAD_CONFIG,
                     "%s: found a file that is read, expected another name for the output",
                     files->list[i].output);
    free(inputs);
    return error->status;
}

/* By output, then by place in the list. */
static int compare_outputs(const void *a, const void *b)
{
    const struct label_file *const *x = a, *const *y = b;
    const int order = strcmp((*x)->output, (*y)->output);
    return order != 0 ? order : (*x > *y) - (*x < *y);
}

/* No two images have one output. */
static enum ppm_status check_outputs(const struct label_files *files, struct ppm_error *error)
{
    const struct label_file **sorted = calloc(files->count + 1, sizeof *sorted);
    if (!sorted)
        return ppm_fail(error, PPM_NO_MEMORY, "out of memory for %zu images", files->count);
    for (size_t i = 0; i < files->count; i++)
        sorted[i] = &files->list[i];
    qsort(sorted, files->count, sizeof *sorted, compare_outputs);
    for (size_t i = 1; i < files->count && error->status == PPM_OK; i++)
        if (strcmp(sorted[i - 1]->output, sorted[i]->output) == 0)
            ppm_fail(error, PPM_BAD_CONFIG,
                     "%s: found %.160s and %.160s, expected one image for it", sorted[i]->output,
                     sorted[i - 1]->image, sorted[i]->image);
    free(sorted);
    return error->status;
}

enum ppm_status label_files_name(struct label_files *files, const char *output,
                                 const char *extension, const char *model, struct ppm_error *error)
{
    struct stat status;
    const bool is_file = files->count == 1 && !files->has_folder && !label_names_folder(output);
    if (!is_file && stat(output, &status) == 0 && !S_ISDIR(status.st_mode))
        return ppm_fail(error, PPM_BAD_CONFIG,
                        "%s: found a file, expected a folder for the labels of %zu image%s", output,
                        files->count, ppm_plural(files->count));
    files->folder = is_file ? NULL : output;
    for (size_t i = 0; i < files->count; i++) {
        struct label_file *file = &files->list[i];
        const char *name = base_of(file->image);
        file->output =
            is_file ? strdup(output) : path_within(output, name, stem_bytes(name), extension);
        if (!file->output)
            return ppm_fail(error, PPM_NO_MEMORY, "out of memory for %zu images", files->count);
    }
    if (check_outputs(files, error) == PPM_OK)
        check_inputs(files, model, error);
    return error->status;
}

enum ppm_status label_files_make_folder(const struct label_files *files, struct ppm_error *error)
{
    if (files->folder && mkdir(files->folder, 0777) != 0 && errno != EEXIST)
        ppm_fail(error, PPM_IO, "%s: cannot make this folder: %s", files->folder, strerror(errno));
    return error->status;
}
