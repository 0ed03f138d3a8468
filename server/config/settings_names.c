/* settings_names.c - see settings_names.h. */
#include "server/config/settings_names.h"
#include "server/config/settings_table.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME_BYTES = 64 };

static const char prefix[] = "PPM_";

/* ---- the nearest name ---- */

static size_t least(size_t a, size_t b, size_t c)
{
    return size_min(size_min(a, b), c);
}

/* Levenshtein's: the number of bytes to add, drop or replace. */
static size_t distance(const char *from, const char *to)
{
    size_t row[NAME_BYTES + 1];
    const size_t columns = strnlen(to, NAME_BYTES);
    for (size_t j = 0; j <= columns; j++)
        row[j] = j;
    for (size_t i = 0; from[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < columns; j++) {
            const size_t replaced = diagonal + (from[i] != to[j]);
            diagonal = row[j + 1];
            row[j + 1] = least(replaced, diagonal + 1, row[j] + 1);
        }
    }
    return row[columns];
}

const struct setting *settings_nearest(const char *name)
{
    const struct setting *nearest = NULL;
    char key[NAME_BYTES];
    size_t bytes = 0, best = 0;
    for (; name[bytes] && name[bytes] != '=' && bytes < sizeof key - 1; bytes++)
        key[bytes] = name[bytes] == '-' ? '_' : (char)tolower((unsigned char)name[bytes]);
    key[bytes] = '\0';
    for (size_t i = 0; i < settings_count; i++) {
        const size_t steps = distance(key, settings_table[i].key);
        if (nearest && steps >= best)
            continue;
        nearest = &settings_table[i];
        best = steps;
    }
    return best <= 2 || best <= bytes / 3 ? nearest : NULL;
}

enum ppm_status settings_refuse_name(const char *where, const char *kind, const char *name,
                                     const char *list, struct ppm_error *error)
{
    char flag[64] = "";
    const bool is_flag = strncmp(name, "--", 2) == 0;
    const struct setting *nearest = settings_nearest(is_flag ? name + 2 : name);
    if (nearest && is_flag)
        settings_flag(nearest, flag, sizeof flag);
    return ppm_fail(error, PPM_BAD_CONFIG,
                    "%sunknown %s \"%.60s\"; %s%s%s\"ppm-server serve %s\" lists them all", where,
                    kind, name, nearest ? "did you mean " : "",
                    nearest ? is_flag ? flag : nearest->key : "", nearest ? "? " : "", list);
}

/* ---- the environment ---- */

/* Variables of the program that are not settings, and of its tests, benchmarks and clients, which
 * may start it. */
static const char *const others[] = {
    "PPM_CONFIG", "PPM_ISA",         "PPM_SERVER", "PPM_C_CLIENT", "PPM_NATIVE",
    "PPM_CLIENT", "PPM_TEST_SEED",   "PPM_PEAK",   "PPM_ECHO",     "PPM_PACED",
    "PPM_KEY",    "PPM_TEST_INSIDE", "PPM_BIND",   "PPM_PEERS",    "PPM_PEER_ONEDNN",
};

/* Kubernetes sets these for a Service called "ppm...": PPM_SERVER_SERVICE_HOST,
 * PPM_SERVER_PORT_80_TCP. */
static bool is_service_link(const char *name, const char *value)
{
    const char *port = strstr(name, "_PORT");
    return strstr(name, "_SERVICE_HOST") || strstr(name, "_SERVICE_PORT") ||
           (port && (strstr(value, "://") || (port[5] == '_' && isdigit((unsigned char)port[6]))));
}

static bool is_known(const char *name, const char *value)
{
    char variable[NAME_BYTES];
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(name, others[i]) == 0)
            return true;
    for (size_t i = 0; i < settings_count; i++) {
        settings_variable(&settings_table[i], variable, sizeof variable);
        if (strcmp(name, variable) == 0)
            return true;
    }
    return is_service_link(name, value);
}

static void describe_unknown(const char *name, char *ret_text, size_t bytes)
{
    char variable[NAME_BYTES];
    const struct setting *nearest = settings_nearest(name + strlen(prefix));
    if (nearest)
        settings_variable(nearest, variable, sizeof variable);
    snprintf(ret_text, bytes, "%s: unknown variable; %s%s%s", name,
             nearest ? "did you mean " : "\"ppm-server serve --help\" lists the settings",
             nearest ? variable : "", nearest ? "?" : "");
}

bool settings_unknown_variable(size_t *at, char *ret_text, size_t bytes)
{
    while (environ[*at]) {
        const char *entry = environ[(*at)++];
        char name[NAME_BYTES];
        const size_t name_bytes = strcspn(entry, "=");
        snprintf(name, sizeof name, "%.*s", (int)size_min(name_bytes, NAME_BYTES), entry);
        if (strncmp(name, prefix, strlen(prefix)) != 0 ||
            is_known(name, entry[name_bytes] ? entry + name_bytes + 1 : ""))
            continue;
        describe_unknown(name, ret_text, bytes);
        return true;
    }
    return false;
}
