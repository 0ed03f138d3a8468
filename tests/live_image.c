/* live_image.c - see live_image.h. */
#include "tests/live_image.h"

#include <criterion/criterion.h>
#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>

struct live_image live_image_start(struct live *ret)
{
    struct live_image image = {.jpeg = live_read_file("configs/samples/street.jpg", &image.bytes)};
    live_start(ret, LIST("--model", LISTING1_GOLDEN, "--model", "configs/models/street.json"),
               NULL);
    struct live_answer answer =
        live_ask(ret, "POST", "/ppm/street",
                 "Content-Type: image/jpeg\r\nAccept: application/octet-stream\r\n", image.jpeg,
                 image.bytes);
    cr_assert(answer.status == 200, "%d %s", answer.status, answer.body);
    image.label_count = answer.body_bytes / sizeof *image.labels;
    image.labels = malloc(answer.body_bytes);
    memcpy(image.labels, answer.body, answer.body_bytes);
    live_answer_free(&answer);
    image.base64 = calloc(1, BASE64_ENCODE_RAW_LENGTH(image.bytes) + 1);
    base64_encode_raw(image.base64, image.bytes, (const uint8_t *)image.jpeg);
    return image;
}

void live_image_stop(struct live *live, struct live_image *image)
{
    live_check_serving(live, "afterwards");
    live_wait_metric(live, "ppm_bytes_in_flight", 0);
    live_stop(live);
    free(image->jpeg);
    free(image->base64);
    free(image->labels);
}
