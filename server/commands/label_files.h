/* label_files.h - the images that `label` reads and the files that it writes. */
#ifndef PPM_SERVER_COMMANDS_LABEL_FILES_H
#define PPM_SERVER_COMMANDS_LABEL_FILES_H

#include "core/ppm.h"

struct label_file {
    char *image;
    char *output; /* NULL: nothing is written */
};

struct label_files {
    struct label_file *list;
    size_t count;
    const char *folder; /* that takes the outputs; NULL: the only output is no file in a folder */
    bool has_folder;    /* among the words */
    size_t left_out;    /* entries of folders that are no images by their names */
};

/* Whether a word names a folder that is there, or ends as only a folder's name does. */
bool label_names_folder(const char *word);

/* The images of words, which must outlive *ret_files. A folder stands for the images in it (.jpg,
 * .jpeg, .png), in the order of their names; hidden files and folders within are left out. Whether
 * an image can be read is not looked at. PPM_BAD_CONFIG if there is none, PPM_IO for a folder that
 * cannot be read, PPM_NO_MEMORY. label_files_free frees *ret_files. */
enum ppm_status label_files_find(const char *const *words, size_t count,
                                 struct label_files *ret_files, struct ppm_error *error);
void label_files_free(struct label_files *files);

/* Names the outputs: the one image's is output, unless that names a folder. Those of several, or of
 * a folder's images, are in the folder output, which may still be to be made: an image's name with
 * another extension. Refuses an output that would be written twice, or in place of an image or
 * of the file `model`. PPM_BAD_CONFIG, PPM_NO_MEMORY. */
enum ppm_status label_files_name(struct label_files *files, const char *output,
                                 const char *extension, const char *model, struct ppm_error *error);

/* Makes files->folder unless it is there. PPM_IO. */
enum ppm_status label_files_make_folder(const struct label_files *files, struct ppm_error *error);

#endif
