/* test_label_files.c - the images that `label` reads and the files that it writes. */
#include "server/commands/label_files.h"
#include "tests/heap_sweep.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void open_photos(void)
{
    static const char *const names[] = {"b.PNG",      "a.jpg",     "c.jpeg", "notes.txt", ".d.jpg",
                                        "model.json", "photo.gif", "jpg",    "b.jpg.txt", "B.jpg"};
    support_open_folder();
    cr_assert(mkdir(support_path("photos"), 0700) == 0 &&
              mkdir(support_path("photos/more.jpg"), 0700) == 0 &&
              mkdir(support_path("empty"), 0700) == 0);
    for (size_t i = 0; i < COUNT(names); i++) {
        char name[32];
        snprintf(name, sizeof name, "photos/%s", names[i]);
        support_write(name, "", 0);
    }
}

TestSuite(label_files, .init = open_photos, .fini = support_close_folder);

/* The names of images, or of outputs, after the last slash or two: "a.jpg b.PNG". */
static const char *names_of(const struct label_files *files, bool outputs)
{
    static char text[512];
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < files->count; i++) {
        const char *path = outputs ? files->list[i].output : files->list[i].image;
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i ? " " : "",
                               strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
    }
    return text;
}

Test(label_files, a_folder_stands_for_its_images_in_their_order)
{
    struct label_files files;
    struct ppm_error error = {0};
    const char *const words[] = {"z.gif", support_path("photos"), "a.jpg"};
    cr_assert(label_files_find(words, 3, &files, &error) == PPM_OK, "%s", error.text);
    cr_assert_str_eq(names_of(&files, false), "z.gif B.jpg a.jpg b.PNG c.jpeg a.jpg");
    cr_assert(files.left_out == 6 && files.has_folder, "%zu", files.left_out);
    label_files_free(&files);
}

Test(label_files, folders_that_hold_no_image_or_cannot_be_read)
{
    struct label_files files;
    struct ppm_error error = {0};
    const char *const words[] = {support_path("photos"), support_path("empty")};
    cr_assert(label_files_find(words, 2, &files, &error) == PPM_BAD_CONFIG &&
                  strstr(error.text, "/empty: found no image among its 0 files, expected .jpg"),
              "%s", error.text);
}

/* The outputs of words, below a folder of this test; "" for an error, which is in *error. */
static const char *outputs_of(const char *const *words, size_t count, const char *output,
                              struct ppm_error *error)
{
    struct label_files files;
    const char *paths[4], *names = "";
    for (size_t i = 0; i < count; i++)
        paths[i] = support_path(words[i]);
    cr_assert(label_files_find(paths, count, &files, error) == PPM_OK, "%s", error->text);
    if (label_files_name(&files, support_path(output), ".png", support_path("photos/model.json"),
                         error) == PPM_OK)
        names = names_of(&files, true);
    label_files_free(&files);
    return names;
}

Test(label_files, outputs_are_a_file_or_in_a_folder)
{
    static const struct {
        const char *words[3];
        size_t count;
        const char *output, *expected;
    } cases[] = {
        {{"photos/a.jpg"}, 1, "labels.png", "labels.png"},
        {{"photos/a.jpg"}, 1, "empty", "a.png"},
        {{"photos/a.jpg"}, 1, "none/", "a.png"},
        {{"photos"}, 1, "none", "B.png a.png b.png c.png"},
        {{"photos/a.jpg", "photos/b.PNG"}, 2, "none", "a.png b.png"},
        {{"photos/jpg", "photos/b.jpg.txt"}, 2, "none", "jpg.png b.jpg.png"},
        {{"photos/a.jpg", "photos/.d.jpg"}, 2, "empty", "a.png .d.png"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_error error = {0};
        const char *found = outputs_of(cases[i].words, cases[i].count, cases[i].output, &error);
        cr_assert_str_eq(found, cases[i].expected, "case %zu: %s", i, error.text);
    }
}

Test(label_files, no_output_is_written_twice_or_over_what_is_read)
{
    static const struct {
        const char *words[2];
        size_t count;
        const char *output, *text;
    } cases[] = {
        {{"photos/a.jpg"}, 1, "photos/a.jpg", "photos/a.jpg: found a file that is read"},
        {{"photos/a.jpg"}, 1, "photos/link", "photos/link: found a file that is read"},
        {{"photos/a.jpg"}, 1, "photos/model.json", "photos/model.json: found a file that is read"},
        {{"photos/c.jpeg", "photos/same.png"}, 2, "photos", "photos/same.png: found a file that"},
        {{"photos/a.jpg", "photos/c.jpeg"},
         2,
         "photos/jpg",
         "expected a folder for the labels of 2"},
        {{"photos"}, 1, "photos/jpg", "photos/jpg: found a file, expected a folder"},
        {{"photos/b.PNG", "photos/b.jpg"}, 2, "none", "/none/b.png: found "},
        {{"photos/b.PNG", "empty/b.png"}, 2, "none", "expected one image for it"},
    };
    cr_assert(symlink("a.jpg", support_path("photos/link")) == 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (i == 3)
            support_write("photos/same.png", "", 0);
        struct ppm_error error = {0};
        outputs_of(cases[i].words, cases[i].count, cases[i].output, &error);
        cr_assert(error.status == PPM_BAD_CONFIG && strstr(error.text, cases[i].text),
                  "case %zu: %s", i, error.text);
        unlink(support_path("photos/same.png"));
    }
}

Test(label_files, makes_the_folder_unless_it_is_there)
{
    struct ppm_error error = {0};
    struct stat status;
    cr_assert(label_files_make_folder(&(struct label_files){0}, &error) == PPM_OK);
    for (int again = 0; again < 2; again++)
        cr_assert(label_files_make_folder(&(struct label_files){.folder = support_path("new/")},
                                          &error) == PPM_OK,
                  "%s", error.text);
    cr_assert(stat(support_path("new"), &status) == 0 && S_ISDIR(status.st_mode));
    cr_assert(label_files_make_folder(&(struct label_files){.folder = "/nowhere/new"}, &error) ==
                      PPM_IO &&
                  strcmp(error.text,
                         "/nowhere/new: cannot make this folder: No such file or directory") == 0,
              "%s", error.text);
}

/* ---- without memory ---- */

#ifndef MALLOC_IS_TAKEN

static struct label_files found;

static bool attempt(struct ppm_error *error)
{
    const char *const words[] = {support_path("photos"), "x.jpg"};
    if (label_files_find(words, 2, &found, error) != PPM_OK)
        return false;
    if (label_files_name(&found, support_path("none"), ".png", "model.json", error) == PPM_OK)
        return true;
    label_files_free(&found);
    return false;
}

static void release(void)
{
    label_files_free(&found);
}

Test(label_files, every_allocation_may_fail)
{
    heap_sweep(&(struct heap_attempt){.what = "label_files",
                                      .attempt = attempt,
                                      .release = release,
                                      .expected = true,
                                      .requests_min = 15});
}

#endif
