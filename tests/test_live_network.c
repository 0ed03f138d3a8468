/* test_live_network.c - networks: what is told about entries that nothing reads. */
#include "tests/live_support.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(live_network, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

static const char *write_model(void)
{
    return support_write_json("net.json",
                              "{'input': {'channels': 3}, 'weights': {'random': 1}, 'network': ["
                              "{'conv': {'channels': 4}, 'name': 'a'}, 'relu', 'tanh',"
                              " {'sigmoid': {}, 'from': 'a'}]}");
}

Test(live_network, entries_that_nothing_reads_are_described)
{
    struct live_output output = live_run(LIST("describe", "--model", write_model()), NULL);
    cr_assert(output.status == 0, "%s", output.err);
    cr_expect(strstr(output.out, "\nunused          network[1], network[2]\n"), "%s", output.out);
    live_output_free(&output);
}

Test(live_network, entries_that_nothing_reads_are_a_warning)
{
    struct live live;
    live_start(&live, LIST("--model", write_model()), NULL);
    live_wait_log(&live, "net.json: network: found what nothing reads, expected none: "
                         "network[1], network[2]");
    live_stop(&live);
}
