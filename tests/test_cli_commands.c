/* test_cli_commands.c - the commands run, describe, bench and health. */
#include "tests/live_support.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIES_X "tests/golden/output-argmax-ties/x.npy"

static void check_run(const char *name, const char *const *more)
{
    char directory[LIVE_PATH_BYTES], model[128], input[128], output_path[64];
    size_t bytes;
    live_directory_make(directory);
    snprintf(model, sizeof model, "tests/golden/%s/config.json", name);
    snprintf(input, sizeof input, "tests/golden/%s/x.npy", name);
    snprintf(output_path, sizeof output_path, "%s/y.npy", directory);
    struct live_output output = live_run(
        LIST("run", "--model", model, "--input", input, "--output", output_path, more[0], more[1]),
        NULL);
    cr_assert(output.status == 0, "%s: %s", name, output.err);
    cr_assert(strstr(output.err, "y.npy: [") && *output.out == '\0', "%s: %s%s", name, output.out,
              output.err);
    char *file = live_read_file(output_path, &bytes);
    struct live_tensor found = live_read_npy(file, bytes), y = live_golden(name, "y.npy");
    cr_assert_str_eq(found.shape, y.shape);
    live_check_values(found.values, found.count, &y, name);
    live_tensor_free(&found);
    live_tensor_free(&y);
    live_output_free(&output);
    live_directory_remove(directory);
}

Test(cli_commands, run_computes_file_to_file)
{
    check_run(LISTING1, LIST(NULL));
    check_run("nhwc-adaptive", LIST(NULL));
    check_run("nhwc-adaptive", LIST("--layout", "NHWC"));
    check_run("adaptive-batch", LIST("--threads", "1"));
    check_run("adaptive-batch", LIST("--reference", NULL));
}

Test(cli_commands, run_fails_with_a_reason)
{
    static const struct {
        const char *input, *output, *text;
        int status;
    } cases[] = {
        {"/nowhere/x.npy", "/dev/null", "/nowhere/x.npy", 1},
        {"tests/golden", "/dev/null", "tests/golden: found a directory, expected a regular file",
         1},
        {"tests/test_cli.c", "/dev/null", "tests/test_cli.c: npy: found \"/* test_\"", 1},
        {"configs/server.json", "/dev/null",
         "configs/server.json: found JSON, expected a NumPy .npy file", 1},
        {"/dev/null", "/dev/null", "/dev/null: found a device", 1},
        {TIES_X, "/nowhere/y.jpg", "--output: found \"/nowhere/y.jpg\", expected .npy or .png for",
         2},
        {TIES_X, "/nowhere/y.npz", "found \"/nowhere/y.npz\", expected .npy", 2},
        {TIES_X, "/nowhere/.jpg", "found \"/nowhere/.jpg\", expected .npy", 2},
        {TIES_X, "/nowhere/y.npy.gz", "found \"/nowhere/y.npy.gz\", expected .npy", 2},
        {"tests/golden/listing2-pytorch-psp/x.npy", "/dev/null", "takes 5", 1},
        {TIES_X, "/nowhere/y.npy", "/nowhere/y.npy", 1},
        {TIES_X, "/dev/full", "/dev/full", 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_output output =
            live_run(LIST("run", "--model", GOLDEN("output-argmax-ties"), "--input", cases[i].input,
                          "--output", cases[i].output),
                     NULL);
        cr_assert(output.status == cases[i].status, "case %zu: %d %s", i, output.status,
                  output.err);
        cr_assert(strstr(output.err, cases[i].text) != NULL, "case %zu: %s", i, output.err);
        cr_assert(strchr(output.err, '\n') == output.err + strlen(output.err) - 1, "case %zu", i);
        live_output_free(&output);
    }
}

Test(cli_commands, describe_tells_what_images_and_classes_are)
{
    static const struct {
        const char *image, *line;
    } cases[] = {
        {"", "RGB, less 1, 2.5, 3, divided by 4, 5, 6, of its own size\n"},
        {", 'order': 'BGR', 'multiple': 32",
         "BGR, less 1, 2.5, 3, divided by 4, 5, 6, of its own size, padded to multiples of 32\n"},
        {", 'fit': 'resize', 'size': [7, 9]", "6, resized to 7x9\n"},
        {", 'fit': 'resize', 'longest_side': 512", "6, resized to 512 at its longest side\n"},
        {", 'fit': 'tiles', 'size': 473, 'overlap': [9, 8]",
         "6, in tiles of 473x473 that overlap by 9x8\n"},
    };
    support_open_folder();
    for (size_t i = 0; i < COUNT(cases); i++) {
        char json[512];
        snprintf(json, sizeof json,
                 "{'input': {'channels': 3, 'image': {'mean': [1, 2.5, 3], 'std': [4, 5, 6]%s}}, "
                 "'network': ['relu'], 'output': {'as': 'argmax'}, 'classes': [{'name': 'sky'}, "
                 "{'name': 'road'}, {'name': 'car'}]}",
                 cases[i].image);
        struct live_output output =
            live_run(LIST("describe", "--model", support_write_json("m.json", json)), NULL);
        cr_assert(output.status == 0, "%s", output.err);
        cr_expect(strstr(output.out, "\nimage           ") && strstr(output.out, cases[i].line),
                  "%s", output.out);
        cr_expect(strstr(output.out, "\nclasses         3: sky, road, car\n"), "%s", output.out);
        live_output_free(&output);
    }
    support_close_folder();
}

Test(cli_commands, describe_tells_layers_and_with_a_shape_costs)
{
    struct live_output output = live_run(LIST("describe", "--model", LISTING1_MODEL), NULL);
    cr_assert(output.status == 0, "%s", output.err);
    cr_assert(strstr(output.out, LISTING1) && strstr(output.out, "4 channels"), "%s", output.out);
    cr_assert(strstr(output.out, "branch 3") && strstr(output.out, "conv"), "%s", output.out);
    cr_assert(strstr(output.out, "flops") == NULL, "%s", output.out);
    live_output_free(&output);

    output = live_run(LIST("describe", "--model", LISTING1_MODEL, "--shape=1,4,30,30"), NULL);
    cr_assert(output.status == 0, "%s", output.err);
    cr_assert(strstr(output.out, "flops literal") && strstr(output.out, "flops folded"), "%s",
              output.out);
    cr_assert(strstr(output.out, "[1, 12, 30, 30] (N, C, H, W), 43.2 kB\n"), "%s", output.out);
    cr_assert(strstr(output.out, "flops folded    800 FLOP (100.0 % of literal)"), "%s",
              output.out);
    live_output_free(&output);
}

/* ---- several inputs ---- */

#define TWO                                                                                        \
    "{'name': 'two', 'inputs': {'c2': {'channels': 4}, 'c5': {'channels': 3}}, 'network': ["       \
    "{'conv': {'channels': 2}, 'from': 'c2', 'name': 'a'}, {'conv': {'channels': 2}, 'from': "     \
    "'c5', 'name': 'b'}, {'add': ['a', 'b']}], 'weights': {'random': 1}}"
#define X4 "configs/samples/features-4x30x30.npy"
#define X3 "configs/samples/features-3x30x30.npy"

/* 'MODEL' stands for the path of two.json. */
static void check_two(const char *path, const char *const *arguments, int status, const char *text)
{
    const char *all[16] = {NULL};
    for (size_t i = 0; arguments[i]; i++)
        all[i] = strcmp(arguments[i], "MODEL") == 0 ? path : arguments[i];
    struct live_output output = live_run(all, NULL);
    cr_assert(output.status == status && (strstr(output.out, text) || strstr(output.err, text)),
              "%s: %d %s%s", text, output.status, output.out, output.err);
    live_output_free(&output);
}

Test(cli_commands, several_inputs)
{
    static const struct {
        const char *arguments[14], *text;
        int status;
    } cases[] = {
        {{"run", "--model", "MODEL", "--input", "c5=" X3, "--input", "c2=" X4, "--output",
          "/dev/null"},
         "wrote /dev/null: [1, 2, 30, 30]",
         0},
        {{"run", "--model", "MODEL", "--input=c2=" X4, "--input=c5=" X3, "--output", "/dev/null",
          "--reference"},
         "wrote /dev/null: [1, 2, 30, 30]",
         0},
        {{"run", "--model", "MODEL", "--input", "c2=" X4, "--output", "/dev/null"},
         "--input: found 1 (\"c2=" X4
         "\", ..), but model \"two\" takes 2 inputs, expected NAME=FILE for "
         "each: c2 and c5\n",
         2},
        {{"run", "--model", "MODEL", "--input", "c2=" X4, "--input", "c2=" X4, "--output",
          "/dev/null"},
         "expected NAME=FILE for each: c2 and c5\n",
         2},
        {{"run", "--model", "MODEL", "--input", "c2=" X4, "--input", X3, "--output", "/dev/null"},
         "expected NAME=FILE for each",
         2},
        {{"run", "--model", "MODEL", "--input", "c5=" X4, "--input", "c2=" X4, "--output",
          "/dev/null"},
         X4 ": the tensor c5 has 4 channels",
         1},
        {{"run", "--model", "MODEL", "--input", "c5=/nowhere/x.npy", "--input", "c2=" X4,
          "--output", "/dev/null"},
         "/nowhere/x.npy",
         1},
        {{"describe", "--model", "MODEL"}, "c5              3 channels, NCHW\n", 0},
        {{"describe", "--model", "MODEL", "--shape", "c5=3,2,2", "--shape", "c2=4,2,2"},
         "c5              [1, 3, 2, 2] (N, C, H, W), 48 B\n",
         0},
        {{"describe", "--model", "MODEL", "--shape", "c5=3,2,2;c2=4,2,2"},
         "output          [1, 2, 2",
         0},
        {{"bench", "--model", "MODEL", "--shape=c2=4,2,2", "--shape=c5=3,2,2", "--seconds=1",
          "--json"},
         "\"shape\": {\"c2\": [1, 4, 2, 2], \"c5\": [1, 3, 2, 2]}",
         0},
        {{"bench", "--model", "MODEL", "--shape=c2=4,2,2"},
         "shape: found none of c5, expected one",
         2},
        {{"bench", "--model", "MODEL", "--shape=4,2,2"},
         "shape: found \"4,2,2\", expected NAME=N,C,H,W for each of c2 and c5",
         2},
        {{"bench", "--model", "MODEL", "--shape=c2=4,2,2", "--shape=c2=4,2,2"},
         "shape: found c2 twice",
         2},
        {{"bench", "--model", "MODEL", "--shape=c2=4,2,2", "--shape=c5=3,2,x"},
         "axis 2 is \"x\"",
         2},
    };
    char directory[LIVE_PATH_BYTES];
    live_directory_make(directory);
    const char *path = live_write_quoted(directory, "two.json", TWO);
    for (size_t i = 0; i < COUNT(cases); i++)
        check_two(path, cases[i].arguments, cases[i].status, cases[i].text);
    live_directory_remove(directory);
}

/* One input takes the last of several values, as other flags do. */
Test(cli_commands, flags_given_twice)
{
    struct live_output output =
        live_run(LIST("run", "--model", LISTING1_MODEL, "--input", "/nowhere/x.npy", "--input", X4,
                      "--output", "/dev/null"),
                 NULL);
    cr_assert(output.status == 0, "%s", output.err);
    live_output_free(&output);
    output = live_run(LIST("run", "--model", LISTING1_MODEL, "--input=1", "--input=2", "--input=3",
                           "--input=4", "--input=5", "--input=6", "--input=7", "--input=8",
                           "--input=9", "--output", "/dev/null"),
                      NULL);
    cr_assert(output.status == 2 && strstr(output.err, "--input: found more than 8, expected one"),
              "%s", output.err);
    live_output_free(&output);
}

Test(cli_commands, a_size_of_the_output)
{
    static const struct {
        const char *arguments[9], *text;
        int status;
    } cases[] = {
        {{"run", "--model", LISTING1_MODEL, "--input", "configs/samples/features-4x30x30.npy",
          "--output", "/dev/null", "--size=5,31"},
         "wrote /dev/null: [1, 12, 5, 31] as NCHW",
         0},
        {{"describe", "--model", LISTING1_MODEL, "--shape", "1,4,30,30", "--size", "5,31"},
         "[1, 12, 5, 31] (N, C, H, W)",
         0},
        {{"bench", "--model", LISTING1_MODEL, "--shape", "1,4,3,3", "--seconds=1", "--size=9,9"},
         "median_ms",
         0},
        {{"run", "--model", LISTING1_MODEL, "--input", "/nowhere/x.npy", "--output", "y.npy",
          "--size=5x31"},
         "ppm-server run: size: found \"5x31\", expected H,W in pixels, such as 480,640\n",
         2},
        {{"bench", "--model", LISTING1_MODEL, "--shape", "1,4,3,3", "--size=0,9"},
         "ppm-server bench: size: found \"0,9\"",
         2},
        {{"describe", "--model", LISTING1_MODEL, "--shape", "1,4,3,3", "--size=9,65537"},
         "found an output size of 9 x 65537 pixels (H x W), expected at most 65536 each",
         1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_output output = live_run(cases[i].arguments, NULL);
        cr_assert(output.status == cases[i].status &&
                      (strstr(output.out, cases[i].text) || strstr(output.err, cases[i].text)),
                  "case %zu: %d %s%s", i, output.status, output.out, output.err);
        live_output_free(&output);
    }
}

Test(cli_commands, what_cannot_be_printed_is_a_failure)
{
    static const char *const cases[][6] = {
        {"serve", "--print-config"},
        {"describe", "--model", LISTING1_MODEL},
        {"bench", "--model=" LISTING1_MODEL, "--shape=1,4,9,9", "--seconds=1", "--json"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char command[512];
        int at = snprintf(command, sizeof command, "exec $EMULATOR \"$PPM_SERVER\"");
        for (size_t k = 0; cases[i][k]; k++)
            at += snprintf(command + at, sizeof command - (size_t)at, " %s", cases[i][k]);
        snprintf(command + at, sizeof command - (size_t)at, " > /dev/full 2> /dev/null");
        cr_assert(system(command) != 0, "%s: exit status 0", command);
    }
}

#define STAGES(name, i)                                                                            \
    (name), "pool", &stages[i][0], "branches", &stages[i][1], "head", &stages[i][2], "output",     \
        &stages[i][3]

Test(cli_commands, bench_prints_one_object_with_every_field)
{
    struct live_output output =
        live_run(LIST("bench", "--model", LISTING1_MODEL, "--shape", "1,4,30,30", "--threads", "1",
                      "--seconds", "1", "--json"),
                 NULL);
    const char *model, *isa;
    int shape[4], threads, runs;
    double median, p10, p99, gflops, stages[3][4]; /* median, p10, p99 */
    json_int_t literal, folded, rss;
    cr_assert(output.status == 0, "%s", output.err);
    json_t *root = json_loads(output.out, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(json_unpack(root,
                          "{s:s, s:[i,i,i,i], s:s, s:i, s:i, s:F, s:F, s:F, s:I, s:I, s:F, "
                          "s:{s:F, s:F, s:F, s:F !}, s:{s:F, s:F, s:F, s:F !}, "
                          "s:{s:F, s:F, s:F, s:F !}, s:I !}",
                          "model", &model, "shape", &shape[0], &shape[1], &shape[2], &shape[3],
                          "isa", &isa, "threads", &threads, "runs", &runs, "median_ms", &median,
                          "p10_ms", &p10, "p99_ms", &p99, "flops_literal", &literal, "flops_folded",
                          &folded, "gflops", &gflops, STAGES("stages_ms", 0),
                          STAGES("stages_p10_ms", 1), STAGES("stages_p99_ms", 2), "max_rss_bytes",
                          &rss) == 0,
              "%s", output.out);
    cr_assert_str_eq(model, LISTING1);
    cr_assert(shape[0] == 1 && shape[1] == 4 && shape[2] == 30 && shape[3] == 30);
    cr_assert(threads == 1 && runs >= 3 && literal == 2 * 4 * 2 * 50 && folded > 0 && rss > 0);
    cr_assert(0 < p10 && p10 <= median && median <= p99 && gflops > 0, "%s", output.out);
    for (size_t i = 0; i < 4; i++)
        cr_assert(0 <= stages[1][i] && stages[1][i] <= stages[0][i] && stages[0][i] <= stages[2][i],
                  "%s", output.out);
    cr_assert_str_empty(output.err);
    json_decref(root);
    live_output_free(&output);
}

#define NETWORK_MODEL "configs/models/small-network.json"

/* Lines after the heading of the steps. */
static size_t steps_printed(const char *steps)
{
    struct live_output output = live_run(LIST("bench", "--model", NETWORK_MODEL, "--shape",
                                              "1,3,64,64", "--seconds", "1", "--steps", steps),
                                         NULL);
    size_t lines = 0;
    cr_assert(output.status == 0, "%s", output.err);
    const char *at = strstr(output.out, "\nthe longest ");
    for (at = at ? at + 1 : ""; (at = strchr(at, '\n')); at++)
        lines++;
    live_output_free(&output);
    return lines;
}

Test(cli_commands, bench_shows_the_longest_steps_of_a_network)
{
    enum { HEADING = 2 };
    struct live_output output = live_run(
        LIST("bench", "--model", NETWORK_MODEL, "--shape", "1,3,64,64", "--seconds", "1", "--json"),
        NULL);
    json_t *root = json_loads(output.out, JSON_REJECT_DUPLICATES, NULL), *step;
    const json_t *steps = json_object_get(root, "steps");
    double flops = 0;
    size_t i;
    cr_assert(json_array_size(steps) > 3, "%s%s", output.out, output.err);
    json_array_foreach(steps, i, step)
    {
        const char *where, *what;
        double ms, rate;
        json_int_t count;
        int is_effective;
        cr_assert(json_unpack(step, "{s:s, s:s, s:F, s:I, s:F, s:b !}", "where", &where, "what",
                              &what, "median_ms", &ms, "flops", &count, "gflops", &rate,
                              "is_effective", &is_effective) == 0,
                  "%s", output.out);
        cr_expect(ms >= 0 && (rate > 0) == (count > 0 && ms > 0), "%s: %s", where, what);
        flops += (double)count;
    }
    cr_expect(flops == json_number_value(json_object_get(root, "flops_folded")), "%s", output.out);
    cr_expect(steps_printed("2") == HEADING + 2);
    cr_expect(steps_printed("0") == 0);
    cr_expect(steps_printed("1000") == HEADING + json_array_size(steps));
    json_decref(root);
    live_output_free(&output);
}

Test(cli_commands, bench_measures_the_reference_too)
{
    struct live_output output = live_run(LIST("bench", "--model", LISTING1_MODEL, "--shape",
                                              "4,9,9", "--seconds", "1", "--reference"),
                                         NULL);
    cr_assert(output.status == 0, "%s", output.err);
    cr_assert(strstr(output.out, "median_ms") && !strchr(output.out, '\x1b'), "%s", output.out);
    cr_assert(strstr(output.out, " (effective: flops_folded in median_ms"), "%s", output.out);
    live_output_free(&output);
}

Test(cli_commands, run_says_what_it_wrote)
{
    char directory[LIVE_PATH_BYTES], path[64], expected[160];
    live_directory_make(directory);
    snprintf(path, sizeof path, "%s/y.npy", directory);
    struct live_output output = live_run(
        LIST("run", "--model", GOLDEN("output-argmax-ties"), "--input", TIES_X, "--output", path),
        NULL);
    snprintf(expected, sizeof expected, "wrote %s: [", path);
    cr_assert(output.status == 0 && strncmp(output.err, expected, strlen(expected)) == 0, "%s",
              output.err);
    cr_assert(strstr(output.err, "] as NCHW, int32, computed in ") && strstr(output.err, " ms\n"),
              "%s", output.err);
    live_output_free(&output);
    live_directory_remove(directory);
}

/* The output of a shell command that uses $PPM_SERVER, run by $EMULATOR where that is set. */
static void check_shell(const char *command, const char *text)
{
    char output[512] = "";
    FILE *pipe = popen(command, "r");
    cr_assert(pipe != NULL);
    const size_t bytes = fread(output, 1, sizeof output - 1, pipe);
    pclose(pipe);
    output[bytes] = '\0';
    cr_assert_str_eq(output, text, "%s: %s", command, output);
}

Test(cli_commands, an_interrupt_is_one_word, .timeout = 300)
{
    check_shell(
        "OMP_WAIT_POLICY=passive timeout --preserve-status -s INT 3 $EMULATOR \"$PPM_SERVER\" "
        "bench --model " LISTING1_MODEL " --shape 1,4,400,400 --seconds 20 2>&1; echo $?",
        "interrupted\n130\n");
}

Test(cli_commands, health_tells_whether_a_server_is_ready)
{
    char port[8], directory[LIVE_PATH_BYTES], host[64];
    struct live live;
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    snprintf(port, sizeof port, "%u", live.port);
    struct live_output output = live_run(LIST("health", "--port", port), NULL);
    cr_assert(output.status == 0 && !*output.out && !*output.err, "%s", output.err);
    live_output_free(&output);
    live_stop(&live);

    output = live_run(LIST("health", "--port", port), NULL);
    cr_assert(output.status == 1 && strstr(output.err, port), "%d %s", output.status, output.err);
    live_output_free(&output);

    live_start(&live, LIST("--model", LISTING1_MODEL, "--drain-delay-ms", "500000"), NULL);
    snprintf(port, sizeof port, "%u", live.port);
    kill(live.pid, SIGTERM);
    live_wait_log(&live, "stopping");
    output = live_run(LIST("health", "--port", port), NULL);
    cr_assert(output.status == 1 && strstr(output.err, "503"), "%d %s", output.status, output.err);
    live_output_free(&output);
    live_sleep_ms(200); /* a sooner one counts as the same signal */
    kill(live.pid, SIGTERM);
    live_wait(&live);

    live_directory_make(directory);
    snprintf(host, sizeof host, "unix:%s/socket", directory);
    live_start(&live, LIST("--model", LISTING1_MODEL, "--host", host), NULL);
    output = live_run(LIST("health"), LIST("PPM_PORT=1"));
    cr_assert(output.status == 1);
    live_output_free(&output);
    output = live_run(LIST("health", "--host", host), NULL);
    cr_assert(output.status == 0, "%s", output.err);
    live_output_free(&output);
    live_stop(&live);
    live_directory_remove(directory);
}
