/* png_reader.h - a palette PNG read back, by libpng. */
#ifndef PPM_TESTS_PNG_READER_H
#define PPM_TESTS_PNG_READER_H

#include <stddef.h>
#include <stdint.h>

struct png_map {
    size_t w, h;
    uint8_t *labels; /* [h][w], from malloc */
    uint8_t palette[256][3];
    size_t palette_count;
};

/* Fails the test unless bytes are one whole PNG of 8 bits a pixel with a palette. */
struct png_map png_map_read(const void *bytes, size_t count);
void png_map_free(struct png_map *map);

#endif
