/* test_live_serve.c - health, descriptions, overload, deadlines and where it listens. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- health ---- */

Test(live_serve, health_and_readiness_answer)
{
    static const char *const cases[][2] = {{"/healthz", "ok\n"}, {"/readyz", "ready\n"}};
    struct live live;
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_answer answer = live_ask(&live, "GET", cases[i][0], "", NULL, 0);
        cr_assert(answer.status == 200, "%s", cases[i][0]);
        cr_assert_str_eq(answer.body, cases[i][1]);
        live_answer_free(&answer);
    }
    live_stop(&live);
}

/* The program executes itself a second time, under another name. */
Test(live_serve, ps_and_pgrep_find_it)
{
    char path[64];
    size_t bytes;
    struct live live;
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    snprintf(path, sizeof path, "/proc/%d/comm", (int)live.pid);
    char *name = live_read_file(path, &bytes);
    cr_assert_str_eq(name, "ppm-server\n");
    free(name);
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)live.pid);
    char *line = live_read_file(path, &bytes);
    if (!strstr(line, "valgrind") && !strstr(line, "qemu")) /* now the name of its parent */
        cr_assert_str_eq(line, getenv("PPM_SERVER"));
    free(line);
    live_stop(&live);
}

/* ---- descriptions ---- */

static int sum_of_parameters(const json_t *layers)
{
    int sum = 0, parameters;
    const char *where, *what;
    for (size_t i = 0; i < json_array_size(layers); i++) {
        json_t *layer = json_array_get(layers, i);
        cr_assert(json_unpack(layer, "{s:s, s:s, s:i}", "where", &where, "what", &what,
                              "parameters", &parameters) == 0);
        sum += parameters;
    }
    return sum;
}

Test(live_serve, a_model_describes_itself)
{
    static const char *const targets[] = {"/ppm", "/ppm/" LISTING1};
    struct live live;
    live_start(&live, LIST("--model", LISTING1_MODEL, "--model", GOLDEN("nhwc-adaptive")), NULL);
    for (size_t i = 0; i < COUNT(targets); i++) {
        const char *name, *layout;
        int channels, parameters, bytes;
        json_t *config, *layers, *models = NULL;
        struct live_answer answer = live_ask(&live, "GET", targets[i], "", NULL, 0);
        json_t *root = json_loads(answer.body, 0, NULL);
        cr_assert(json_unpack(root, "{s:s, s:s, s:i, s:i, s:i, s:o, s:o, s?o}", "name", &name,
                              "layout", &layout, "channels", &channels, "parameters", &parameters,
                              "parameters_bytes", &bytes, "config", &config, "layers", &layers,
                              "models", &models) == 0,
                  "%s", answer.body);
        cr_assert_str_eq(name, LISTING1);
        cr_assert(channels == 4 && parameters == 4 * (4 * 2 + 4 * 2) && bytes > 0);
        cr_assert(json_object_get(config, "bins") != NULL);
        cr_assert(sum_of_parameters(layers) == parameters, "%s", answer.body);
        cr_assert(json_array_size(models) == (i == 0 ? 2 : 0), "%s", answer.body);
        cr_assert(json_object_get(root, "request") == NULL);
        json_decref(root);
        live_answer_free(&answer);
    }
    live_stop(&live);
}

Test(live_serve, models_that_take_images_are_listed)
{
    struct live live;
    const char *name;
    live_start(&live, LIST("--model", LISTING1_MODEL, "--model", "configs/models/street.json"),
               NULL);
    struct live_answer answer = live_ask(&live, "GET", "/ppm", "", NULL, 0);
    json_t *root = json_loads(answer.body, 0, NULL);
    cr_assert(json_unpack(root, "{s:[s!]}", "image_models", &name) == 0, "%s", answer.body);
    cr_assert_str_eq(name, "street");
    json_decref(root);
    live_answer_free(&answer);
    live_stop(&live);
}

Test(live_serve, a_model_tells_what_a_shape_takes)
{
    struct live live;
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    struct live_answer answer = live_ask(&live, "GET", "/ppm?shape=1,4,30,30", "", NULL, 0);
    json_int_t literal, folded, in, out, height;
    json_t *root = json_loads(answer.body, 0, NULL);
    cr_assert(json_unpack(root, "{s:{s:I, s:I, s:I, s:I, s:[i,I,I,I]}}", "request", "flops_literal",
                          &literal, "flops_folded", &folded, "input_bytes", &in, "output_bytes",
                          &out, "output_shape", &(int){0}, &height, &height, &height) == 0,
              "%s", answer.body);
    cr_assert(literal == 2 * 4 * 2 * (1 + 4 + 9 + 36), "%s", answer.body);
    cr_assert(folded > 0 && in == 4 * 4 * 900 && out == 4 * 12 * 900 && height == 30);
    json_decref(root);
    live_answer_free(&answer);
    live_stop(&live);
}

Test(live_serve, a_description_refuses_what_an_inference_would)
{
    static const struct {
        const char *target;
        int status;
        const char *detail;
    } cases[] = {{"/ppm?shape=1,3,30,30", 422, "4"},
                 {"/ppm?shape=1,4", 400, "3 or 4"},
                 {"/ppm?shape=x", 400, "x"},
                 {"/ppm?layout=x", 400, "NHWC"},
                 {"/ppm?shape=1,4,4294967296,4294967296", 400, "4294967296"},
                 {"/ppm/none", 404, LISTING1}};
    struct live live;
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_answer answer = live_ask(&live, "GET", cases[i].target, "", NULL, 0);
        live_check_problem(&answer, cases[i].status, cases[i].detail, cases[i].target);
        live_answer_free(&answer);
    }
    live_stop(&live);
}

/* ---- where it listens ---- */

Test(live_serve, a_unix_socket_is_served_and_a_stale_one_replaced)
{
    char directory[LIVE_PATH_BYTES], host[64];
    struct live live;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    live_directory_make(directory);
    snprintf(host, sizeof host, "unix:%s/socket", directory);
    strcpy(name.sun_path, host + strlen("unix:"));
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert(bind(stale, (struct sockaddr *)&name, sizeof name) == 0);
    close(stale);
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--host", host), NULL);
    cr_assert_str_eq(live.socket_path, name.sun_path);
    live_check_serving(&live, "a stale socket");

    struct live_output second =
        live_run(LIST("serve", "--model", LISTING1_GOLDEN, "--host", host), NULL);
    cr_assert(second.status == 1 && strstr(second.err, "in use"), "%s", second.err);
    live_output_free(&second);
    live_check_serving(&live, "a second server");
    live_stop(&live);
    cr_assert(access(name.sun_path, F_OK) != 0, "the socket is left over");
    live_directory_remove(directory);
}

Test(live_serve, a_file_in_the_place_of_its_socket_is_left_alone)
{
    char directory[LIVE_PATH_BYTES], path[64], host[96];
    struct stat status;
    live_directory_make(directory);
    snprintf(path, sizeof path, "%s/file", directory);
    snprintf(host, sizeof host, "unix:%s", path);
    live_write_file(path, "precious");
    struct live_output output =
        live_run(LIST("serve", "--model", LISTING1_MODEL, "--host", host), NULL);
    cr_assert(output.status == 1, "%d %s", output.status, output.err);
    cr_assert(stat(path, &status) == 0 && status.st_size == 8);
    live_output_free(&output);
    live_directory_remove(directory);
}

Test(live_serve, a_port_in_use_is_one_line_and_exit_status_1)
{
    char port[8];
    struct live live;
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    snprintf(port, sizeof port, "%u", live.port);
    struct live_output output =
        live_run(LIST("serve", "--model", LISTING1_MODEL, "--port", port), NULL);
    cr_assert(output.status == 1, "%d %s", output.status, output.err);
    cr_assert(strstr(output.err, port) && strstr(output.err, "in use"), "%s", output.err);
    cr_assert(strchr(output.err, '\n') == output.err + strlen(output.err) - 1, "%s", output.err);
    live_output_free(&output);
    live_check_serving(&live, "a second server");
    live_stop(&live);
}
