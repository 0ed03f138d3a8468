/* main.c - the table of subcommands. */
#include "server/commands/command_bench.h"
#include "server/commands/command_describe.h"
#include "server/commands/command_health.h"
#include "server/commands/command_label.h"
#include "server/commands/command_run.h"
#include "server/config/settings.h"
#include "server/config/settings_print.h"
#include "server/observe/progress.h"
#include "server/service/serve.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

struct command {
    const char *name;
    enum ppm_status (*run)(int count, char *const *arguments, struct ppm_error *error);
    const char *summary, *words, *flags, *example; /* words: before flags; "" or "WORD " */
};

static const struct command commands[] = {
    {"serve", serve, "serve models over HTTP", "",
     "  --config FILE                settings and models as JSON; see --print-config\n"
     "  --print-config               print the settings in effect and exit\n"
     "  --check-config               load everything, report errors, and exit\n",
     "ppm-server serve --port 8080 --model configs/models/fast-scnn.json"},
    {"run", command_run, "compute one tensor without HTTP", "",
     "  --model FILE                 the model's JSON\n"
     "  --input FILE                 x, a .npy of float32, float64 or float16; of a model with\n"
     "                               several inputs NAME=FILE for each\n"
     "  --output FILE                y, a .npy; for a label map also a .png\n"
     "  --layout NCHW|NHWC           of x and y [the model's]\n"
     "  --size H,W                   of y [the model's]\n"
     "  --threads T                  computing threads [one per core]\n"
     "  --reference                  compute the literal graph in double precision\n",
     "ppm-server run --model configs/models/listing1-pytorch-ppm.json "
     "--input configs/samples/features-4x30x30.npy --output y.npy"},
    {"label", command_label, "label the pixels of images without HTTP", "IMAGE... OUTPUT ",
     "  IMAGE...                     JPEG and PNG files, no pipes, and folders of files\n"
     "  OUTPUT                       labels as a .png or .npy, classes as a .json; of several\n"
     "                               images or a folder: a folder, for a .png of each\n"
     "  --model FILE                 the model's JSON; it takes images\n"
     "  --overlay OPACITY            write the image with its labels over it, as .png or .jpg\n"
     "  --json                       print the classes of each IMAGE, a line of JSON; no OUTPUT\n"
     "  --size H,W                   of the labels [the image's]\n"
     "  --image-pixels-max N         refuse an IMAGE of more pixels [40000000]\n"
     "  --threads T                  computing threads [one per core]\n",
     "ppm-server label --model configs/models/street.json configs/samples/street.jpg labels.png"},
    {"describe", command_describe, "show a model's layers and the cost of a request", "",
     "  --model FILE                 the model's JSON\n"
     "  --shape N,C,H,W              also show the cost of this input shape; of several inputs\n"
     "                               NAME=N,C,H,W for each\n"
     "  --size H,W                   of the output [the model's]\n",
     "ppm-server describe --model configs/models/fast-scnn.json --shape 1,128,32,64"},
    {"bench", command_bench, "time the computation without HTTP", "",
     "  --model FILE                 the model's JSON\n"
     "  --shape N,C,H,W              of the input; of several NAME=N,C,H,W for each\n"
     "  --size H,W                   of the output [the model's]\n"
     "  --threads T                  computing threads [one per core]\n"
     "  --seconds S                  how long to run [3]\n"
     "  --steps N                    the longest N steps of a network [10]\n"
     "  --reference                  compute the literal graph in double precision\n"
     "  --json                       print one JSON object\n",
     "ppm-server bench --model configs/models/fast-scnn.json --shape 1,128,32,64 --json"},
    {"health", command_health, "exit 0 if a running server is ready", "",
     "  --host H|unix:PATH           where it listens [127.0.0.1]\n"
     "  --port P                     its port [8080]\n"
     "  --tls-certificate FILE       use TLS if set (PPM_TLS_CERTIFICATE)\n",
     "ppm-server health --port 8080"},
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void print_help(FILE *file)
{
    fprintf(file, "ppm-server " PPM_VERSION " - pyramid pooling modules over HTTP\n\n"
                  "usage: ppm-server COMMAND [--flag VALUE]...\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(file, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(
        file,
        "\n\"ppm-server COMMAND --help\" shows the flags and an example.\n"
        "The environment variable PPM_ISA forces a kernel set: scalar, avx2, avx512 or neon.\n");
}

static void print_command_help(const struct command *command)
{
    printf("usage: ppm-server %s %s[--flag VALUE]...\n\n%s\n\n%s", command->name, command->words,
           command->summary, command->flags);
    if (command->run == serve) {
        settings_print_help(stdout);
        printf(
            "\nEach setting is also a key of the configuration file and an environment variable: "
            "--queue-max,\nqueue_max, PPM_QUEUE_MAX. SIGTERM drains and stops the server; SIGHUP "
            "reloads models, keys and certificate.\n");
    }
    printf("\nexample: %s\n", command->example);
}

static void refuse_command(const char *name)
{
    fprintf(stderr, "ppm-server: unknown command \"%.60s\"; known commands are ", name);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(stderr, "%s%s", commands[i].name, i + 1 < COMMAND_COUNT ? ", " : "\n");
}

static bool asks_for(const char *flag, int count, char *const *arguments)
{
    for (int i = 0; i < count; i++)
        if (strcmp(arguments[i], flag) == 0)
            return true;
    return false;
}

/* 0: success; 1: failure at run time; 2: bad usage or configuration. */
static int exit_status(enum ppm_status status)
{
    switch (status) {
    case PPM_OK:
        return 0;
    case PPM_BAD_CONFIG:
        return 2;
    default:
        return 1;
    }
}

static int run_command(const struct command *command, int count, char *const *arguments)
{
    struct ppm_error error = {0};
    if (asks_for("--help", count, arguments)) {
        print_command_help(command);
        return 0;
    }
    if (command->run != serve)
        progress_catch_interrupt();
    if (ppm_isa_select(getenv("PPM_ISA"), &error) == PPM_OK)
        command->run(count, arguments, &error);
    if (fflush(stdout) != 0 || ferror(stdout))
        ppm_fail(&error, PPM_IO, "cannot write to standard output");
    if (error.status != PPM_OK)
        fprintf(stderr, "ppm-server %s: %s\n", command->name, error.text);
    return exit_status(error.status);
}

/* With a random seed for jansson's hashes, no hostile object is slow. Set before threads start. */
static void seed_hashes(void)
{
    size_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = 0; /* jansson chooses one */
    json_object_seed(seed);
}

/* By default libgomp's waiting threads spin for many milliseconds, on cores that others could use.
 * libgomp reads its environment before main, so set it and execute this program again. */
static void limit_spinning(char **arguments)
{
    static const char spins[] = "20000"; /* about a millisecond */
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY"))
        return;
    if (setenv("GOMP_SPINCOUNT", spins, 1) == 0)
        execv("/proc/self/exe", arguments); /* on failure the server only spins more */
}

/* Otherwise a socket or file could become the log. */
static void open_standard_descriptors(void)
{
    int descriptor;
    do
        descriptor = open("/dev/null", O_RDWR);
    while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    if (descriptor >= 0)
        close(descriptor);
}

/* The kernel names a process after the executed file, here "exe". */
static void set_process_name(void)
{
    prctl(PR_SET_NAME, "ppm-server");
}

int main(int count, char **arguments)
{
    open_standard_descriptors();
    limit_spinning(arguments);
    set_process_name();
    const char *name = count > 1 ? arguments[1] : "";
    seed_hashes();
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(name, commands[i].name) == 0)
            return run_command(&commands[i], count - 2, arguments + 2);
    if (strcmp(name, "--version") == 0) {
        printf("ppm-server " PPM_VERSION "\n");
        return 0;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (*name)
        refuse_command(name);
    else
        print_help(stderr);
    return 2;
}
