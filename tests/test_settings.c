/* test_settings.c - settings from flags, environment and file, and errors. */
#include "server/config/settings.h"
#include "server/config/settings_check.h"
#include "server/config/settings_names.h"
#include "server/config/settings_table.h"
#include "server/config/settings_waiting.h"
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads arguments, NULL-terminated, in an environment without the machine's settings. */
static enum ppm_status read_settings(const char *const *arguments, struct settings *ret,
                                     struct ppm_error *error)
{
    char *copies[16] = {NULL};
    int count = 0;
    for (; arguments[count]; count++)
        copies[count] = strdup(arguments[count]);
    const enum ppm_status status = settings_read(count, copies, ret, error);
    for (int i = 0; i < count; i++)
        free(copies[i]);
    return status;
}

static void check_refused(const char *const *arguments, const char *text)
{
    struct settings settings;
    struct ppm_error error = {0};
    cr_assert(read_settings(arguments, &settings, &error) == PPM_BAD_CONFIG, "%s: %d", arguments[0],
              (int)error.status);
    cr_assert(error.status == PPM_BAD_CONFIG && strstr(error.text, text) != NULL,
              "%s: \"%s\" lacks \"%s\"", arguments[0], error.text, text);
    cr_assert(strchr(error.text, '\n') == NULL, "%s", error.text);
    settings_release(&settings);
}

Test(settings, defaults)
{
    struct settings settings;
    struct ppm_error error = {0};
    cr_assert(read_settings(LIST(NULL), &settings, &error) == PPM_OK, "%s", error.text);
    cr_assert_str_eq(settings.http.host, "127.0.0.1");
    cr_assert(settings.http.port == 8080 && settings.model_count == 6);
    cr_assert(settings.http.connections_max > settings.queue_max,
              "the 503 is to come from the server");
    cr_assert(settings.http.body_max_bytes <= settings.memory_max_bytes);
    settings_release(&settings);
}

Test(settings, flags_take_their_value_in_two_ways)
{
    struct settings settings;
    struct ppm_error error = {0};
    cr_assert(read_settings(LIST("--port=1", "--host", "h", "--queue-max=5", "--threads", "0"),
                            &settings, &error) == PPM_OK,
              "%s", error.text);
    cr_assert(settings.http.port == 1 && settings.queue_max == 5 && settings.threads == 0);
    cr_assert_str_eq(settings.http.host, "h");
    settings_release(&settings);
}

static void check_switches(const char *const *arguments, bool shared_memory, bool model_control)
{
    struct settings settings;
    struct ppm_error error = {0};
    cr_assert(read_settings(arguments, &settings, &error) == PPM_OK, "%s", error.text);
    cr_assert(settings.allow_shared_memory == shared_memory &&
                  settings.allow_model_control == model_control,
              "%s", arguments[0]);
    settings_release(&settings);
}

Test(settings, switches)
{
    char directory[LIVE_PATH_BYTES];
    check_switches(LIST(NULL), false, false);
    check_switches(LIST("--allow-shared-memory"), true, false);
    check_switches(LIST("--allow-shared-memory", "--port", "1", "--allow-model-control"), true,
                   true);
    check_switches(LIST("--allow-shared-memory=true", "--allow-model-control=false"), true, false);
    check_switches(LIST("--allow-shared-memory", "false", "--allow-model-control", "true"), false,
                   true);
    setenv("PPM_ALLOW_SHARED_MEMORY", "true", 1);
    check_switches(LIST(NULL), true, false);
    check_switches(LIST("--allow-shared-memory=false"), false, false);
    unsetenv("PPM_ALLOW_SHARED_MEMORY");
    live_directory_make(directory);
    const char *path = live_write_quoted(
        directory, "server.json", "{'allow_shared_memory': false, 'allow_model_control': true}");
    check_switches(LIST("--config", path), false, true);
    check_switches(LIST("--config", path, "--allow-shared-memory"), true, true);
    live_directory_remove(directory);
}

Test(settings, flags_are_refused_by_name)
{
    static const char *const cases[][3] = {
        {"--por", "unknown flag \"--por\"; did you mean --port? \"ppm-server serve --help\" lists"},
        {"--queue_max=5", "did you mean --queue-max?"},
        {"x", "found \"x\", expected a flag"},
        {"--port", "--port"},
        {"--port=", "--port"},
        {"--port=65536", "65535"},
        {"--port=-1", "-1"},
        {"--port=+1", "+1"},
        {"--port= 1", "--port"},
        {"--port=1.5", "1.5"},
        {"--port=0x10", "0x10"},
        {"--port=99999999999999999999999", "65535"},
        {"--threads=1025", "1024"},
        {"--http-threads=0", "1"},
        {"--queue-max=0", "1"},
        {"--connections-max=0", "--connections-max"},
        {"--body-max-bytes=0", "1"},
        {"--memory-max-bytes=1e9", "1e9"},
        {"--log-level=INFO", "INFO"},
        {"--host=", "--host"},
        {"--model=", "--model"},
        {"--config=", "--config"},
        {"--request-timeout-ms=0", "--request-timeout-ms"},
        {"--idle-timeout-s=x", "--idle-timeout-s"},
        {"--drain-delay-ms=600001", "600000"},
        {"--models=a.json", "--models"},
        {"--log-format=xml", "text|json"},
        {"--log-format=", "--log-format"},
        {"--log-format=text|json", "--log-format"},
        {"--socket-mode=660x", "660x"},
        {"--socket-mode=0888", "octal"},
        {"--socket-mode=01777", "--socket-mode"},
        {"--socket-mode=60", "--socket-mode"},
        {"--socket-mode=-600", "--socket-mode"},
        {"--allow-shared-memory=yes", "true or false"},
        {"--allow-shared-memory=", "--allow-shared-memory"},
        {"--allow-shared-memory=TRUE", "TRUE"},
        {"--allow-shared", "--allow-shared"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        check_refused(LIST(cases[i][0]), cases[i][1]);
}

Test(settings, files_are_refused_by_key)
{
    static const char *const cases[][2] = {
        {"", "server.json"},
        {"{", "server.json"},
        {"[1]", "object"},
        {"{} {}", "server.json"},
        {"{\"port\": 1, \"port\": 2}", "port"},
        {"\xef\xbb\xbf{}", "found a UTF-8 byte order mark, expected a JSON object"},
        {"{\"prot\": 1}", "unknown key \"prot\"; did you mean port? \"ppm-server serve --print"},
        {"{\"color\": 1}", "unknown key \"color\"; \"ppm-server serve --print-config\" lists them"},
        {"{\"port\": \"80\"}", "port: found \"80\", expected an integer from 0 to 65535"},
        {"{\"port\": 80.0}", "port: found 80.0, expected an integer from 0 to 65535"},
        {"{\"port\": -1}", "port"},
        {"{\"port\": 65536}", "65535"},
        {"{\"port\": null}", "port"},
        {"{\"host\": 1}", "host"},
        {"{\"host\": \"\"}", "host"},
        {"{\"log_level\": \"loud\"}", "loud"},
        {"{\"log_level\": 1}", "log_level: found 1, expected one of error|warn|info|debug"},
        {"{\"models\": \"a.json\"}", "found \"a.json\", expected an array of model files"},
        {"{\"models\": []}", "models"},
        {"{\"models\": [1]}", "models[0]"},
        {"{\"models\": [\"a.json\", \"\"]}", "models"},
        {"{\"socket_mode\": 600}", "socket_mode"},
        {"{\"allow_shared_memory\": 1}", "true or false"},
        {"{\"allow_model_control\": \"true\"}", "found \"true\", expected true or false"},
        {"{\"keys_file\": null}", "keys_file"},
        {"{\"cors_origins\": [1]}", "cors_origins[0]"},
        {"{\"cors_origins\": [\"https://a.example\", \"\"]}", "cors_origins[1]"},
        {"{\"cors_origins\": [\"https://a.example,https://b.example\"]}", "cors_origins[0]"},
    };
    char directory[LIVE_PATH_BYTES], path[64];
    live_directory_make(directory);
    snprintf(path, sizeof path, "%s/server.json", directory);
    for (size_t i = 0; i < COUNT(cases); i++) {
        live_write_file(path, cases[i][0]);
        check_refused(LIST("--config", path), cases[i][1]);
        check_refused(LIST("--config", path), path);
    }
    live_directory_remove(directory);
}

Test(settings, variables_are_refused_by_name)
{
    static const char *const cases[][2] = {
        {"PPM_PORT", "x"},      {"PPM_HOST", ""},
        {"PPM_LOG_LEVEL", "x"}, {"PPM_MODELS", "a.json::b.json"},
        {"PPM_QUEUE_MAX", "0"}, {"PPM_ALLOW_SHARED_MEMORY", "1"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        setenv(cases[i][0], cases[i][1], 1);
        check_refused(LIST("--port=1"), cases[i][0]);
        unsetenv(cases[i][0]);
    }
}

/* An unknown variable is reported with a suggestion; the ones that Kubernetes adds are not. */
Test(settings, unknown_variables_are_found)
{
    static const struct {
        const char *name, *value, *text;
    } cases[] = {
        {"PPM_PROT", "1", "PPM_PROT: unknown variable; did you mean PPM_PORT?"},
        {"PPM_MODEL", "a.json", "did you mean PPM_MODELS?"},
        {"PPM_LOGLEVEL", "warn", "did you mean PPM_LOG_LEVEL?"},
        {"PPM_COLOR", "1", "PPM_COLOR: unknown variable; \"ppm-server serve --help\" lists"},
        {"PPM_ISA", "scalar", NULL},
        {"PPM_CONFIG", "", NULL},
        {"PPM_PORT", "1", NULL},
        {"PPM_SERVER_SERVICE_HOST", "10.0.0.1", NULL},
        {"PPM_SERVER_PORT", "tcp://10.0.0.1:80", NULL},
        {"PPM_SERVER_PORT_80_TCP_ADDR", "10.0.0.1", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[256] = "";
        size_t at = 0;
        setenv(cases[i].name, cases[i].value, 1);
        const bool is_found = settings_unknown_variable(&at, text, sizeof text);
        cr_expect(is_found == (cases[i].text != NULL), "%s: \"%s\"", cases[i].name, text);
        cr_expect(!cases[i].text || strstr(text, cases[i].text), "\"%s\" lacks \"%s\"", text,
                  cases[i].text);
        unsetenv(cases[i].name);
    }
}

Test(settings, origins_are_as_browsers_write_them)
{
    static const struct {
        const char *text;
        bool is_good;
    } cases[] = {
        {"", true},
        {"*", true},
        {"https://a.example", true},
        {"http://localhost:3000,https://a.example,http://[::1]:8080", true},
        {"chrome-extension://abcdef", true},
        {"https://a.example/", false},
        {"https://a.example/path", false},
        {"https://A.example", false},
        {"a.example", false},
        {"https://", false},
        {"://a.example", false},
        {"null", false},
        {"*,https://a.example", false},
        {"https://*.a.example", false},
        {"https://a.example, https://b.example", false},
        {"https://a.example,", false},
        {",https://a.example", false},
        {"https://a.example,,https://b.example", false},
        {"https:,//a.example", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct settings settings;
        struct ppm_error error = {0};
        cr_assert(read_settings(LIST("--cors-origins", cases[i].text), &settings, &error) == PPM_OK,
                  "%s", error.text);
        settings_check(&settings, &error);
        cr_assert(error.status == (cases[i].is_good ? PPM_OK : PPM_BAD_CONFIG), "%s: %s",
                  cases[i].text, error.text);
        settings_release(&settings);
    }
}

Test(settings, lists_and_paths_of_a_file)
{
    char directory[LIVE_PATH_BYTES], path[64], expected[128];
    struct settings settings;
    struct ppm_error error = {0};
    live_directory_make(directory);
    snprintf(path, sizeof path, "%s/server.json", directory);
    live_write_file(path, "{\"cors_origins\": [\"https://a.example\", \"https://b.example\"], "
                          "\"keys_file\": \"keys\", \"tls_key\": \"/etc/key.pem\", "
                          "\"tls_certificate\": \"\", \"socket_mode\": \"0640\"}");
    cr_assert(read_settings(LIST("--config", path), &settings, &error) == PPM_OK, "%s", error.text);
    cr_assert_str_eq(settings.http.cors_origins, "https://a.example,https://b.example");
    snprintf(expected, sizeof expected, "%s/keys", directory);
    cr_assert_str_eq(settings.http.keys_file, expected);
    cr_assert_str_eq(settings.http.tls_key, "/etc/key.pem");
    cr_assert_str_empty(settings.http.tls_certificate);
    cr_assert(settings.http.socket_mode == 0640);
    settings_release(&settings);
    cr_assert(read_settings(LIST("--config", path, "--keys-file", "own", "--cors-origins", ""),
                            &settings, &error) == PPM_OK);
    cr_assert_str_eq(settings.http.keys_file, "own");
    cr_assert_str_empty(settings.http.cors_origins);
    settings_release(&settings);
    live_directory_remove(directory);
}

Test(settings, models_of_a_file_are_relative_to_it)
{
    char directory[LIVE_PATH_BYTES], path[64], model[128], expected[128];
    struct settings settings;
    struct ppm_error error = {0};
    live_directory_make(directory);
    snprintf(path, sizeof path, "%s/server.json", directory);
    live_write_file(path, "{\"models\": [\"models/a.json\", \"/b.json\"]}");
    cr_assert(read_settings(LIST("--config", path), &settings, &error) == PPM_OK, "%s", error.text);
    settings_model_path(&settings, 0, model, sizeof model);
    snprintf(expected, sizeof expected, "%s/models/a.json", directory);
    cr_assert_str_eq(model, expected);
    settings_model_path(&settings, 1, model, sizeof model);
    cr_assert_str_eq(model, "/b.json");
    settings_release(&settings);

    cr_assert(read_settings(LIST("--config", path, "--model", "c.json"), &settings, &error) ==
              PPM_OK);
    cr_assert(settings.model_count == 1);
    settings_model_path(&settings, 0, model, sizeof model);
    cr_assert_str_eq(model, "c.json");
    settings_release(&settings);
    live_directory_remove(directory);
}

/* As a shell writes *.json; further flags and --model add to it. */
Test(settings, model_takes_several_files)
{
    static const char *const expected[] = {"a.json", "b.json", "c.json", "folder", "-d.json"};
    struct settings settings;
    struct ppm_error error = {0};
    cr_assert(read_settings(LIST("--model", "a.json", "b.json", "--port", "1", "--model=c.json",
                                 "folder", "--model", "-d.json"),
                            &settings, &error) == PPM_OK,
              "%s", error.text);
    cr_assert(settings.model_count == COUNT(expected) && settings.http.port == 1);
    for (size_t i = 0; i < COUNT(expected); i++)
        cr_expect_str_eq(settings.models[i], expected[i]);
    settings_release(&settings);
    check_refused(LIST("--model", "a.json", "", "b.json"), "--model: found an empty name");
    check_refused(LIST("--model", "a.json", "--port", "1", "b.json"), "found \"b.json\"");
    check_refused(LIST("--model"), "--model: found nothing, expected a value");
    check_refused(LIST("--model", "--port", "1"), "--model: found the flag \"--port\"");
}

/* ---- what waits for a restart ---- */

static void check_waiting(const char *const *arguments, size_t count, const char *text)
{
    struct settings in_use, wanted;
    struct ppm_error error = {0};
    char waiting[1536];
    cr_assert(read_settings(LIST(NULL), &in_use, &error) == PPM_OK, "%s", error.text);
    cr_assert(read_settings(arguments, &wanted, &error) == PPM_OK, "%s", error.text);
    cr_expect(settings_waiting(&in_use, &wanted, waiting, sizeof waiting) == count, "%s", waiting);
    cr_expect_str_eq(waiting, text);
    settings_release(&in_use);
    settings_release(&wanted);
}

Test(settings, what_a_restart_would_change_is_named_with_both_values)
{
    check_waiting(LIST(NULL), 0, "");
    check_waiting(LIST("--port", "8080"), 0, "");
    check_waiting(LIST("--port", "8081"), 1, "port 8080 -> 8081");
    check_waiting(LIST("--page", "false", "--socket-mode", "0640", "--host", "::"), 3,
                  "host \"127.0.0.1\" -> \"::\", socket_mode 0600 -> 0640, page true -> false");
    check_waiting(LIST("--cors-origins", "*"), 1, "cors_origins \"\" -> \"*\"");
    check_waiting(LIST("--log-level", "error", "--log-format", "json", "--keys-file", "keys",
                       "--model", "a.json"),
                  0, "");
}

/* Changes every setting that a reload does not take up, texts to very long ones. */
static size_t change_all(struct settings *settings)
{
    size_t count = 0;
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings_table[i];
        void *field = settings_field(settings, setting);
        if (setting->change == AT_RELOAD)
            continue;
        count++;
        if (setting->kind == KIND_TEXT || setting->kind == KIND_PATH || setting->kind == KIND_LIST)
            memset(field, 'x', SETTINGS_TEXT_BYTES - 1);
        else if (setting->kind == KIND_SWITCH)
            *(bool *)field = !*(bool *)field;
        else
            *(size_t *)field ^= 1;
    }
    return count;
}

Test(settings, every_change_that_waits_is_counted_and_long_texts_are_cut)
{
    struct settings in_use, wanted;
    struct ppm_error error = {0};
    char waiting[1536], few[100];
    cr_assert(read_settings(LIST(NULL), &in_use, &error) == PPM_OK, "%s", error.text);
    cr_assert(read_settings(LIST(NULL), &wanted, &error) == PPM_OK, "%s", error.text);
    const size_t count = change_all(&wanted);
    cr_expect(settings_waiting(&in_use, &wanted, waiting, sizeof waiting) == count);
    cr_expect(strstr(waiting, "host \"127.0.0.1\" -> \"xxx") && strstr(waiting, "xxx...\", "), "%s",
              waiting);
    for (size_t i = 0; i < settings_count; i++)
        cr_expect(!strstr(waiting, settings_table[i].key) ==
                      (settings_table[i].change == AT_RELOAD),
                  "%s: %s", settings_table[i].key, waiting);
    cr_expect(settings_waiting(&in_use, &wanted, few, sizeof few) == count);
    size_t more = 0, named = 0;
    for (const char *at = few; (at = strstr(at, " -> ")); at++)
        named++;
    const char *rest = strstr(few, ", and ");
    cr_expect(rest && sscanf(rest, ", and %zu more", &more) == 1, "%s", few);
    cr_expect(named > 0 && more > 0 && named + more == count, "%s", few);
    settings_release(&in_use);
    settings_release(&wanted);
}
