/* test_cli.c - the command line: output, messages, exit status. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const commands[] = {"serve", "run", "label", "describe", "bench", "health"};

/* Checks for one line on stderr that contains text, nothing on stdout, and the exit status. */
static void check_refusal(struct live_output output, int status, const char *text, const char *what)
{
    cr_assert(output.status == status, "%s: exit status %d, expected %d: %s", what, output.status,
              status, output.err);
    cr_assert(strstr(output.err, text) != NULL, "%s: \"%s\" lacks \"%s\"", what, output.err, text);
    cr_assert(strchr(output.err, '\n') == output.err + strlen(output.err) - 1, "%s: %s", what,
              output.err);
    cr_assert_str_empty(output.out, "%s", what);
    live_output_free(&output);
}

static void check_success(const struct live_output *output, const char *what)
{
    cr_assert(output->status == 0, "%s: exit status %d: %s", what, output->status, output->err);
    cr_assert(strchr(output->out, '\x1b') == NULL && strchr(output->err, '\x1b') == NULL,
              "%s: escape codes in a pipe", what);
}

/* ---- help and version ---- */

Test(cli, every_command_has_help_with_an_example)
{
    struct live_output help = live_run(LIST("--help"), NULL);
    check_success(&help, "--help");
    for (size_t i = 0; i < COUNT(commands); i++) {
        char example[64];
        struct live_output output = live_run(LIST(commands[i], "--help"), NULL);
        snprintf(example, sizeof example, "example: ppm-server %s --", commands[i]);
        check_success(&output, commands[i]);
        cr_assert(strstr(output.out, example) != NULL, "%s: %s", commands[i], output.out);
        cr_assert_str_empty(output.err, "%s", commands[i]);
        cr_assert(strstr(help.out, commands[i]) != NULL, "%s", help.out);
        live_output_free(&output);
    }
    live_output_free(&help);
}

Test(cli, help_tells_defaults_and_bounds)
{
    static const char *const lines[] = {
        ("  --host H|unix:PATH           address to listen on, or the path of a unix socket "
         "[127.0.0.1]\n"),
        "  --port P                     TCP port; 0 picks a free one [8080; 0 to 65535]\n",
        "\nDeadlines:\n  --request-timeout-ms MS ",
        "\nLog:\n  --log-level ",
        " [info]\n",
        " [0600]\n",
        " [none]\n",
        "let clients load and unload models [false]\n",
        "  --model FILE...              models to serve, or folders of them; the first one answers "
        "at /ppm [the four listings and street]\n",
    };
    struct live_output output = live_run(LIST("serve", "--help"), NULL);
    check_success(&output, "serve --help");
    for (size_t i = 0; i < COUNT(lines); i++)
        cr_assert(strstr(output.out, lines[i]) != NULL, "%s lacks %s", output.out, lines[i]);
    live_output_free(&output);
}

Test(cli, version_is_that_of_the_project)
{
    size_t bytes;
    char expected[64], *version = live_read_file("VERSION", &bytes);
    struct live_output output = live_run(LIST("--version"), NULL);
    version[strcspn(version, "\n")] = '\0';
    snprintf(expected, sizeof expected, "ppm-server %s\n", version);
    check_success(&output, "--version");
    cr_assert_str_eq(output.out, expected);
    live_output_free(&output);
    free(version);
}

/* ---- refusals ---- */

Test(cli, wrong_usage_is_exit_status_2_and_one_line)
{
    static const struct {
        const char *arguments[8];
        const char *text;
    } cases[] = {
        {{"frobnicate"},
         "unknown command \"frobnicate\"; known commands are serve, run, label, "
         "describe, bench, health\n"},
        {{"run", "--frobnicate"},
         "unknown flag \"--frobnicate\"; known flags are --model, --input, "
         "--output, --layout, --size, --threads, --reference\n"},
        {{"describe", "x.json"},
         "expected a flag, found \"x.json\"; known flags are --model, --shape, --size\n"},
        {{"serve", "--frobnicate"},
         "unknown flag \"--frobnicate\"; \"ppm-server serve --help\" lists"},
        {{"serve", "stray"}, "stray"},
        {{"serve", "--port"}, "--port"},
        {{"serve", "--port", "65536"}, "65536"},
        {{"serve", "--port", "-1"}, "--port"},
        {{"serve", "--port", "80x"}, "80x"},
        {{"serve", "--port="}, "--port"},
        {{"serve", "--log-level", "loud"}, "loud"},
        {{"serve", "--queue-max", "0"}, "--queue-max"},
        {{"serve", "--host", ""}, "--host"},
        {{"serve", "--config", "/nowhere/server.json"}, "/nowhere/server.json"},
        {{"serve", "--config", "configs"}, "configs"},
        {{"serve", "--config", "tests/test_cli.c"}, "tests/test_cli.c"},
        {{"serve", "--config", LISTING1_MODEL}, LISTING1_MODEL},
        {{"serve", "--model", "tests/test_cli.c"}, "tests/test_cli.c"},
        {{"serve", "--model", LISTING1_MODEL, "--model", LISTING1_GOLDEN}, LISTING1},
        {{"run"}, "--model"},
        {{"run", "--model", LISTING1_MODEL}, "--input"},
        {{"run", "--model", LISTING1_MODEL, "--input", "x.npy"}, "--output"},
        {{"describe"}, "--model"},
        {{"describe", "--model", LISTING1_MODEL, "--shape", "abc"}, "abc"},
        {{"describe", "--model", LISTING1_MODEL, "--shape", "1,4"}, "1,4"},
        {{"bench", "--model", LISTING1_MODEL}, "--shape"},
        {{"bench", "--model", LISTING1_MODEL, "--shape", "0,4,1,1"}, "0,4,1,1"},
        {{"bench", "--model", LISTING1_MODEL, "--shape", "1,4,9,9", "--seconds", "x"}, "--seconds"},
        {{"bench", "--model", LISTING1_MODEL, "--shape", "1,4,9,9", "--threads=0"}, "--threads"},
        {{"health", "--port", "x"}, "--port"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char what[128] = "";
        for (size_t k = 0; cases[i].arguments[k]; k++)
            snprintf(what + strlen(what), sizeof what - strlen(what), " %s", cases[i].arguments[k]);
        check_refusal(live_run(cases[i].arguments, NULL), 2, cases[i].text, what);
    }
}

/* With a mistyped variable the server starts, with a warning; --check-config fails. */
Test(cli, an_unknown_variable_is_told)
{
    static const char told[] = "PPM_PROT: unknown variable; did you mean PPM_PORT?";
    struct live live;
    check_refusal(live_run(LIST("serve", "--check-config"), LIST("PPM_PROT=1")), 2, told, told);
    live_start(&live, LIST("--model", LISTING1_MODEL), LIST("PPM_PROT=1"));
    live_wait_log(&live, told);
    live_stop(&live);
}

Test(cli, no_command_shows_the_help_and_fails)
{
    struct live_output output = live_run(NULL, NULL);
    cr_assert(output.status == 2);
    cr_assert(strstr(output.err, "serve") != NULL && *output.out == '\0', "%s", output.err);
    live_output_free(&output);
}

Test(cli, the_kernel_set_can_be_forced)
{
    struct live_output output = live_run(
        LIST("bench", "--model", LISTING1_MODEL, "--shape", "1,4,9,9", "--seconds", "1", "--json"),
        LIST("PPM_ISA=scalar"));
    check_success(&output, "PPM_ISA=scalar");
    cr_assert(strstr(output.out, "\"isa\": \"scalar\"") != NULL, "%s", output.out);
    live_output_free(&output);
    for (size_t i = 0; i < COUNT(commands); i++)
        check_refusal(live_run(LIST(commands[i]), LIST("PPM_ISA=avx9")), 2, "avx9", commands[i]);
}

/* ---- configuration ---- */

static json_t *print_config(const char *const *arguments, const char *const *environment)
{
    struct live_output output = live_run(arguments, environment);
    check_success(&output, "--print-config");
    json_t *config = json_loads(output.out, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(json_is_object(config), "%s", output.out);
    live_output_free(&output);
    return config;
}

Test(cli, the_defaults_are_those_of_configs_server_json)
{
    size_t bytes;
    char *expected = live_read_file("configs/server.json", &bytes);
    struct live_output output = live_run(LIST("serve", "--print-config"), NULL);
    check_success(&output, "--print-config");
    cr_assert_str_eq(output.out, expected);
    live_output_free(&output);
    output = live_run(LIST("serve", "--config", "configs/server.json", "--print-config"), NULL);
    cr_assert_str_eq(output.out, expected);
    live_output_free(&output);
    free(expected);
}

Test(cli, a_flag_wins_over_the_environment_over_the_file_over_the_default)
{
    static const struct {
        const char *key, *file, *variable, *flag, *value;
        const char *expected[4]; /* by default, file, environment, flag */
    } cases[] = {
        {"port", "81", "PPM_PORT=82", "--port", "83", {"8080", "81", "82", "83"}},
        {"threads", "1", "PPM_THREADS=2", "--threads", "3", {"0", "1", "2", "3"}},
        {"http_threads", "4", "PPM_HTTP_THREADS=5", "--http-threads", "6", {"2", "4", "5", "6"}},
        {"queue_max", "7", "PPM_QUEUE_MAX=8", "--queue-max", "9", {"64", "7", "8", "9"}},
        {"host",
         "\"a\"",
         "PPM_HOST=b",
         "--host",
         "c",
         {"\"127.0.0.1\"", "\"a\"", "\"b\"", "\"c\""}},
        {"log_level",
         "\"error\"",
         "PPM_LOG_LEVEL=warn",
         "--log-level",
         "debug",
         {"\"info\"", "\"error\"", "\"warn\"", "\"debug\""}},
        {"models",
         "[\"a.json\"]",
         "PPM_MODELS=b.json:c.json",
         "--model",
         "d.json",
         {NULL, "[\"a.json\"]", "[\"b.json\", \"c.json\"]", "[\"d.json\"]"}},
    };
    char directory[LIVE_PATH_BYTES], path[64], text[128];
    live_directory_make(directory);
    snprintf(path, sizeof path, "%s/server.json", directory);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *const arguments[4][8] = {
            {"serve", "--print-config"},
            {"serve", "--print-config", "--config", path},
            {"serve", "--print-config", "--config", path},
            {"serve", "--print-config", "--config", path, cases[i].flag, cases[i].value}};
        snprintf(text, sizeof text, "{\"%s\": %s}", cases[i].key, cases[i].file);
        live_write_file(path, text);
        for (int level = cases[i].expected[0] ? 0 : 1; level < 4; level++) {
            json_t *config =
                print_config(arguments[level], level >= 2 ? LIST(cases[i].variable) : NULL);
            char *found = json_dumps(json_object_get(config, cases[i].key), JSON_ENCODE_ANY);
            cr_assert_str_eq(found, cases[i].expected[level], "%s at level %d: %s", cases[i].key,
                             level, found);
            free(found);
            json_decref(config);
        }
    }
    live_directory_remove(directory);
}

Test(cli, check_config_loads_everything_and_says_what_it_found)
{
    struct live_output output = live_run(LIST("serve", "--check-config"), NULL);
    check_success(&output, "the defaults");
    cr_assert(strstr(output.out, "6 models") != NULL, "%s", output.out);
    live_output_free(&output);
    output = live_run(LIST("serve", "--check-config", "--config", "configs/server.json"), NULL);
    check_success(&output, "configs/server.json");
    live_output_free(&output);
    check_refusal(live_run(LIST("serve", "--check-config", "--model", "configs/server.json"), NULL),
                  2, "configs/server.json", "no model");
    check_refusal(live_run(LIST("serve", "--check-config"), LIST("PPM_PORT=none")), 2, "PPM_PORT",
                  "environment");
}
