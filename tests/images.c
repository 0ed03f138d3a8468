/* images.c - see images.h. */
#include "tests/images.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ppm_image images_random(size_t width, size_t height)
{
    struct ppm_image image = {malloc(3 * width * height), width, height};
    uint32_t state = 7;
    cr_assert(image.pixels != NULL);
    for (size_t i = 0; i < 3 * width * height; i++) {
        state = state * 1664525 + 1013904223;
        image.pixels[i] = (uint8_t)(state >> 24);
    }
    return image;
}

struct ppm_image images_load_ppm(const char *path)
{
    struct ppm_image image;
    size_t bytes = 0;
    int head = 0;
    char *file = support_read(path, &bytes);
    cr_assert_eq(sscanf(file, "P6 %zu %zu 255%n", &image.width, &image.height, &head), 2, "%s",
                 path);
    const size_t pixels = 3 * image.width * image.height;
    cr_assert(head > 0 && bytes == (size_t)head + 1 + pixels, "%s", path);
    memmove(file, file + head + 1, pixels);
    image.pixels = (uint8_t *)file;
    return image;
}
