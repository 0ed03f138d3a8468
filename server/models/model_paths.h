/* model_paths.h - the files that the setting "models" names, with those of its folders. */
#ifndef PPM_SERVER_MODELS_MODEL_PATHS_H
#define PPM_SERVER_MODELS_MODEL_PATHS_H

#include "server/config/settings.h"

struct model_path {
    char *path;
    /* The folder that was named, and has this file; NULL: the file was. A file of a folder need not
     * be a model. */
    const char *folder;
};

struct model_paths {
    struct model_path *paths;
    size_t count;
    char **folders;
    size_t folder_count;
};

/* The files in the order of the setting, in place of a folder its *.json in the order of their
 * names (of bytes), without hidden ones and those of folders in it. Release *ret in any case.
 * PPM_BAD_CONFIG: a folder has none, or there are more than SETTINGS_MODELS_MAX files; PPM_IO: it
 * cannot be read; PPM_NO_MEMORY. */
enum ppm_status model_paths_find(const struct settings *settings, struct model_paths *ret,
                                 struct ppm_error *error);
void model_paths_release(struct model_paths *paths);

#endif
