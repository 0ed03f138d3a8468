/* label.c - the classes in a photo, by libppm:
 *
 *     cc label.c $(pkg-config --cflags --libs ppm) -o label
 *     djpeg -pnm photo.jpg | ./label street.json */
#include <ppm.h>
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments)
{
    struct ppm_image image;
    if (count != 2 || scanf("P6 %5zu %5zu 255%*c", &image.width, &image.height) != 2)
        return fprintf(stderr, "usage: label MODEL.json < PHOTO.ppm\n"), 2;
    const size_t pixels = image.width * image.height;
    image.pixels = malloc(3 * pixels);
    if (!image.pixels || fread(image.pixels, 3, pixels, stdin) != pixels)
        return fprintf(stderr, "label: found no %zu pixels\n", pixels), 1;

    struct ppm_error error = {0};
    struct ppm_model *model = ppm_model_load(arguments[1], NULL, &error);
    struct ppm_tensor labels = {0}; /* [1, H, W] int32, of a model whose output is "argmax" */
    if (!model || ppm_image_run(model, &image, NULL, &labels, &error) != PPM_OK)
        return fprintf(stderr, "label: %s\n", error.text), 1;

    struct ppm_model_info info;
    ppm_model_info(model, &info);
    for (size_t i = 0; i < info.class_count && labels.dtype == PPM_INT32; i++) {
        size_t found = 0;
        for (size_t at = 0; at < pixels; at++)
            found += ((int32_t *)labels.data)[at] == (int32_t)i;
        printf("%5.1f %% %s\n", 100 * (double)found / (double)pixels, info.class_list[i].name);
    }
    ppm_tensor_free(&labels);
    ppm_model_free(model);
    free(image.pixels);
}
