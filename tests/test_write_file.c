/* test_write_file.c - a result becomes a file, whole or not at all. */
#include "server/commands/write_file.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(write_file, .init = support_open_folder, .fini = support_close_folder);

static const struct codec_bytes NEW = {.data = (char[]){"new"}, .size = 3};

static void check_content(const char *path, const char *expected)
{
    size_t bytes;
    char *found = support_read(path, &bytes);
    cr_assert_str_eq(found, expected, "%s", path);
    free(found);
}

static mode_t mode_of(const char *path)
{
    struct stat status;
    cr_assert(stat(path, &status) == 0, "%s", path);
    return status.st_mode & 0777;
}

static size_t files_in_folder(void)
{
    size_t count = 0;
    DIR *directory = opendir(support_path("."));
    while (readdir(directory))
        count++;
    closedir(directory);
    return count - 2;
}

Test(write_file, makes_a_new_file_with_the_permissions_of_any)
{
    struct ppm_error error = {0};
    const char *path = support_path("y");
    umask(027);
    cr_assert(command_write_file(path, &NEW, &error) == PPM_OK, "%s", error.text);
    check_content(path, "new");
    cr_assert(mode_of(path) == 0640, "%o", (unsigned)mode_of(path));
    cr_assert(files_in_folder() == 1);
}

Test(write_file, replaces_a_file_and_keeps_its_permissions)
{
    struct ppm_error error = {0};
    const char *path = support_write("y", "old one", 7), *link_path = support_path("link");
    chmod(path, 0604);
    const int before = open(path, O_RDONLY);
    cr_assert(symlink("y", link_path) == 0);
    cr_assert(command_write_file(link_path, &NEW, &error) == PPM_OK, "%s", error.text);
    check_content(path, "new");
    cr_assert(mode_of(path) == 0604);
    char old[8] = "";
    cr_assert(read(before, old, sizeof old) == 7 && strcmp(old, "old one") == 0,
              "a reader of the old file found \"%s\"", old);
    close(before);
    struct stat status;
    cr_assert(lstat(link_path, &status) == 0 && S_ISLNK(status.st_mode) && files_in_folder() == 2);
}

Test(write_file, leaves_the_old_file_when_there_is_no_room)
{
    struct ppm_error error = {0};
    const char *path = support_write("y", "old one", 7);
    struct rlimit limit = {.rlim_cur = 2, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    const enum ppm_status status = command_write_file(path, &NEW, &error);
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &limit);
    cr_assert(status == PPM_IO && strstr(error.text, "y: cannot write: File too large"), "%s",
              error.text);
    check_content(path, "old one");
    cr_assert(files_in_folder() == 1);
}

Test(write_file, a_device_or_a_missing_folder_is_no_place_for_a_new_file)
{
    static const struct {
        const char *path, *text;
    } cases[] = {
        {"/dev/full", "/dev/full: cannot write: No space left on device"},
        {"/nowhere/y", "/nowhere/y: cannot write: No such file or directory"},
        {"/tmp", "/tmp: cannot write: Is a directory"},
        {"/tmp/", "/tmp/: cannot write: Is a directory"},
        {"", ": cannot write: "},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_error error = {0};
        cr_assert(command_write_file(cases[i].path, &NEW, &error) == PPM_IO &&
                      strncmp(error.text, cases[i].text, strlen(cases[i].text)) == 0,
                  "%s: %s", cases[i].path, error.text);
    }
    struct ppm_error error = {0};
    cr_assert(command_write_file("/dev/null", &NEW, &error) == PPM_OK, "%s", error.text);
    struct stat status;
    cr_assert(stat("/dev/null", &status) == 0 && S_ISCHR(status.st_mode));
}
