/* test_file.c - files that are read: regular ones, whole, and nothing is waited for. */
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

TestSuite(file, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

static void expect_refusal(const char *path, const char *text)
{
    char expected[512];
    size_t bytes = 7;
    struct ppm_error error = {0};
    snprintf(expected, sizeof expected, "%s: %s", path, text);
    cr_expect(ppm_open_file(path, &bytes, &error) == -1, "%s was opened", path);
    cr_expect(error.status == PPM_BAD_CONFIG && strcmp(error.text, expected) == 0,
              "found \"%s\", expected \"%s\"", error.text, expected);
    error = (struct ppm_error){0};
    cr_expect(ppm_read_file(path, 100, &bytes, &error) == NULL, "%s was read", path);
    cr_expect_str_eq(error.text, expected);
}

/* No writer ever comes to the FIFO. */
Test(file, what_is_no_regular_file_is_named)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *fifo = support_path("fifo"), *folder = support_path("folder");
    const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", support_path("socket"));
    cr_assert(mkfifo(fifo, 0600) == 0 && mkdir(folder, 0700) == 0);
    cr_assert(bind(descriptor, (const struct sockaddr *)&address, sizeof address) == 0);
    expect_refusal(fifo, "found a FIFO, expected a regular file");
    expect_refusal(folder, "found a directory, expected a regular file");
    expect_refusal(address.sun_path, "found a socket, expected a regular file");
    expect_refusal("/dev/zero", "found a device, expected a regular file");
    expect_refusal(support_path("none"), "cannot read it: No such file or directory");
    close(descriptor);
}

Test(file, a_link_to_a_fifo_is_one)
{
    const char *fifo = support_path("fifo"), *link = support_path("link");
    cr_assert(mkfifo(fifo, 0600) == 0 && symlink(fifo, link) == 0);
    expect_refusal(link, "found a FIFO, expected a regular file");
}

Test(file, a_file_is_read_whole_and_no_larger_than_it_may_be)
{
    size_t bytes = 0;
    struct ppm_error error = {0};
    const char *path = support_write("file", "ab\0cd", 5);
    char *data = ppm_read_file(path, 5, &bytes, &error);
    cr_assert(data != NULL && bytes == 5, "%s", error.text);
    cr_assert_arr_eq(data, "ab\0cd", 6);
    free(data);
    cr_assert(ppm_read_file(path, 4, &bytes, &error) == NULL);
    cr_assert(strstr(error.text, "found 5 bytes, expected at most 4"), "%s", error.text);
    error = (struct ppm_error){0};
    data = ppm_read_file(support_write("empty", "", 0), 4, &bytes, &error);
    cr_assert(data != NULL && bytes == 0 && *data == '\0', "%s", error.text);
    free(data);
}
