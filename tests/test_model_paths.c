/* test_model_paths.c - the files that "models" names, and what a look at them tells. */
#include "server/models/model_paths.h"
#include "server/models/model_snapshot.h"
#include "server/models/registry.h"
#include "tests/heap_sweep.h"
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char model[] = "{'input': {'channels': 3}, 'weights': {'file': 'w.safetensors'}}";

static char directory[LIVE_PATH_BYTES];

static void begin(void)
{
    live_directory_make(directory);
}

static void end(void)
{
    live_directory_remove(directory);
}

/* directory/name; valid until the fourth call from now. */
static const char *in(const char *name)
{
    static char paths[4][96];
    static size_t next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static struct settings settings_of(const char *const *models)
{
    struct settings settings = {0};
    for (; models[settings.model_count]; settings.model_count++)
        settings.models[settings.model_count] = (char *)(uintptr_t)models[settings.model_count];
    return settings;
}

static void check_paths(const char *const *models, const char *const *expected)
{
    const struct settings settings = settings_of(models);
    struct model_paths paths;
    struct ppm_error error = {0};
    cr_assert(model_paths_find(&settings, &paths, &error) == PPM_OK, "%s", error.text);
    size_t i = 0;
    for (; expected[i]; i++) {
        cr_assert(i < paths.count, "%s is missing", expected[i]);
        cr_expect_str_eq(paths.paths[i].path, expected[i]);
    }
    cr_expect(paths.count == i, "%zu", paths.count);
    model_paths_release(&paths);
}

static void check_refused(const char *const *models, const char *text)
{
    const struct settings settings = settings_of(models);
    struct model_paths paths;
    struct ppm_error error = {0};
    cr_expect(model_paths_find(&settings, &paths, &error) != PPM_OK);
    cr_expect(strstr(error.text, text), "\"%s\" lacks \"%s\"", error.text, text);
    model_paths_release(&paths);
}

Test(model_paths, a_folder_stands_for_its_json_in_the_order_of_names, .init = begin, .fini = end)
{
    static const char *const names[] = {"b.json",  "a.json", "Z.json",  "10.json",      "9.json",
                                        ".h.json", ".json",  "c.jsonl", "w.safetensors"};
    char with_slash[64];
    for (size_t i = 0; i < COUNT(names); i++)
        live_write_file(in(names[i]), "{}");
    cr_assert(mkdir(in("folder.json"), 0700) == 0 && symlink("nowhere", in("link.json")) == 0);
    snprintf(with_slash, sizeof with_slash, "%s/", directory);
    const char *const expected[] = {"first.json",
                                    strdup(in("10.json")),
                                    strdup(in("9.json")),
                                    strdup(in("Z.json")),
                                    strdup(in("a.json")),
                                    strdup(in("b.json")),
                                    strdup(in("link.json")),
                                    "last.json",
                                    NULL};
    check_paths(LIST("first.json", directory, "last.json"), expected);
    check_paths(LIST("first.json", with_slash, "last.json"), expected);
    for (size_t i = 1; i < 7; i++)
        free((char *)(uintptr_t)expected[i]);
    rmdir(in("folder.json"));
}

Test(model_paths, a_folder_without_models_is_refused, .init = begin, .fini = end)
{
    char text[96];
    snprintf(text, sizeof text, "%s: found a folder without *.json, expected at least one model",
             directory);
    check_refused(LIST("a.json", directory), text);
    live_write_file(in("readme.txt"), "");
    check_refused(LIST(directory), text);
}

Test(model_paths, there_are_at_most_as_many_as_the_table_holds, .init = begin, .fini = end)
{
    char name[32];
    for (size_t i = 0; i < SETTINGS_MODELS_MAX; i++) {
        snprintf(name, sizeof name, "%zu.json", i);
        live_write_file(in(name), "");
    }
    const struct settings settings = settings_of(LIST(directory));
    struct model_paths paths;
    struct ppm_error error = {0};
    cr_expect(model_paths_find(&settings, &paths, &error) == PPM_OK, "%s", error.text);
    cr_expect(paths.count == SETTINGS_MODELS_MAX);
    model_paths_release(&paths);
    check_refused(LIST("one.json", directory), "models: found more than 1024 files");
}

/* ---- snapshots ---- */

static struct model_snapshot *take(const char *const *models, const struct model_snapshot *before)
{
    const struct settings settings = settings_of(models);
    struct model_snapshot *snapshot = model_snapshot_take(&settings, before);
    cr_assert(snapshot != NULL);
    return snapshot;
}

/* Takes the next snapshot, which must differ in the file of that name; "": in none. */
static void check_step(struct model_snapshot **snapshot, const char *const *models,
                       const char *name)
{
    struct model_snapshot *next = take(models, *snapshot);
    const char *path = model_snapshot_difference(*snapshot, next);
    if (*name)
        cr_expect_str_eq(path ? path : "", in(name));
    else
        cr_expect(path == NULL, "%s", path);
    cr_expect(model_snapshot_difference(next, next) == NULL);
    model_snapshot_free(*snapshot);
    *snapshot = next;
}

static void rename_over(const char *from, const char *to)
{
    cr_assert(rename(in(from), in(to)) == 0);
}

Test(model_snapshot, each_change_of_a_file_is_seen, .init = begin, .fini = end)
{
    const char *path = live_write_quoted(directory, "m.json", model);
    live_write_file(in("w.safetensors"), "weights");
    struct model_snapshot *snapshot = take(LIST(path), NULL);
    check_step(&snapshot, LIST(path), "");
    live_write_file(in("w.safetensors"), "weights, longer");
    check_step(&snapshot, LIST(path), "w.safetensors");
    live_write_file(in("new"), "weights, longer");
    rename_over("new", "w.safetensors");
    check_step(&snapshot, LIST(path), "w.safetensors");
    unlink(in("w.safetensors"));
    check_step(&snapshot, LIST(path), "w.safetensors");
    check_step(&snapshot, LIST(path), "");
    live_write_file(in("w.safetensors"), "");
    check_step(&snapshot, LIST(path), "w.safetensors");
    live_write_quoted(directory, "new", "{'input': {}, 'weights': {'file': 'v.safetensors'}}");
    rename_over("new", "m.json");
    check_step(&snapshot, LIST(path), "m.json");
    live_write_file(in("w.safetensors"), "of no model");
    check_step(&snapshot, LIST(path), "");
    live_write_file(in("v.safetensors"), "v");
    check_step(&snapshot, LIST(path), "v.safetensors");
    live_write_file(in("m.json"), "{\"half");
    check_step(&snapshot, LIST(path), "m.json");
    unlink(in("m.json"));
    check_step(&snapshot, LIST(path), "m.json");
    model_snapshot_free(snapshot);
}

Test(model_snapshot, files_come_to_a_folder_and_go, .init = begin, .fini = end)
{
    struct model_snapshot *snapshot = take(LIST(directory), NULL);
    live_write_quoted(directory, "a.json", model);
    check_step(&snapshot, LIST(directory), "a.json");
    live_write_quoted(directory, "b.json", model);
    check_step(&snapshot, LIST(directory), "b.json");
    unlink(in("a.json"));
    check_step(&snapshot, LIST(directory), "a.json");
    live_write_file(in("other.json"), "{}"); /* no model */
    check_step(&snapshot, LIST(directory), "");
    live_write_file(in("other.json"), "{\"key\": 1}");
    check_step(&snapshot, LIST(directory), "");
    live_write_file(in("other.json"), "{\"input\": 1}");
    check_step(&snapshot, LIST(directory), "other.json");
    unlink(in("b.json"));
    unlink(in("other.json"));
    check_step(&snapshot, LIST(directory), "b.json");
    model_snapshot_free(snapshot);
}

/* As Kubernetes exchanges the files of a ConfigMap: links to links to a folder. */
Test(model_snapshot, an_exchanged_link_is_seen, .init = begin, .fini = end)
{
    mkdir(in("..1"), 0700);
    mkdir(in("..2"), 0700);
    live_write_quoted(directory, "..1/m.json", model);
    live_write_quoted(directory, "..2/m.json", model);
    cr_assert(symlink("..1", in("..data")) == 0 && symlink("..data/m.json", in("m.json")) == 0);
    struct model_snapshot *snapshot = take(LIST(directory), NULL);
    check_step(&snapshot, LIST(directory), "");
    cr_assert(symlink("..2", in("..next")) == 0);
    rename_over("..next", "..data");
    check_step(&snapshot, LIST(directory), "m.json");
    model_snapshot_free(snapshot);
    unlink(in("..1/m.json"));
    unlink(in("..2/m.json"));
    rmdir(in("..1"));
    rmdir(in("..2"));
}

/* ---- without memory ---- */

#ifndef MALLOC_IS_TAKEN

static struct model_snapshot *swept;

static bool take_twice(struct ppm_error *error)
{
    const struct settings settings = settings_of(LIST(directory, "other.json"));
    struct model_snapshot *first = model_snapshot_take(&settings, NULL);
    swept = first ? model_snapshot_take(&settings, first) : NULL;
    const bool is_equal = swept && !model_snapshot_difference(first, swept);
    model_snapshot_free(first);
    if (is_equal)
        return true;
    ppm_fail(error, swept ? PPM_IO : PPM_NO_MEMORY, "no snapshot, or another");
    model_snapshot_free(swept);
    return false;
}

static void free_swept(void)
{
    model_snapshot_free(swept);
}

Test(model_snapshot, without_memory_there_is_none, .init = begin, .fini = end)
{
    live_write_quoted(directory, "a.json", model);
    live_write_file(in("b.json"), "{}");
    live_write_file(in("c.json"), "{\"half");
    heap_sweep(&(struct heap_attempt){"snapshot", take_twice, free_swept, .expected = true,
                                      .requests_min = 20});
}

static struct registry *registry;

static bool load_folder(struct ppm_error *error)
{
    const struct settings settings = settings_of(LIST(directory));
    registry = registry_load(&settings, NULL, error);
    return registry != NULL;
}

static void release_registry(void)
{
    registry_release(registry);
}

Test(model_paths, a_folder_is_loaded_or_not_at_all_without_memory, .init = begin, .fini = end)
{
    live_write_quoted(directory, "a.json",
                      "{'input': {'channels': 4}, 'bins': [1], 'branch': [], 'weights': "
                      "{'random': 1}}");
    live_write_file(in("b.json"), "{}");
    heap_sweep(&(struct heap_attempt){"a folder", load_folder, release_registry, .expected = true,
                                      .requests_min = 20});
    unlink(in("a.json"));
    struct ppm_error error = {0};
    cr_expect(!load_folder(&error) &&
                  strstr(error.text, "found no model among its *.json, expected at least one"),
              "%s", error.text);
}

#endif
