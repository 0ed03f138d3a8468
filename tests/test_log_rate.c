/* test_log_rate.c - lines per second, and the count of those left out. */
#include "server/observe/log_rate.h"

#include <criterion/criterion.h>

Test(log_rate, a_second_begins_with_its_first_line)
{
    struct log_rate rate = {.lines_max = 2};
    cr_expect(log_rate_take(&rate, 100.9));
    cr_expect(log_rate_take(&rate, 101.5));
    cr_expect(!log_rate_take(&rate, 101.8));
    cr_expect(!log_rate_take(&rate, 101.89));
    cr_expect(log_rate_left_out(&rate, 101.89) == 0); /* not over yet: there may be more */
    cr_expect(log_rate_left_out(&rate, 101.91) == 2);
    cr_expect(log_rate_left_out(&rate, 101.92) == 0);
    cr_expect(log_rate_take(&rate, 101.95));
    cr_expect(log_rate_take(&rate, 102.94));
    cr_expect(!log_rate_take(&rate, 102.94));
    cr_expect(log_rate_left_out(&rate, 102.96) == 1);
    cr_expect(log_rate_take(&rate, 102.96));
}

Test(log_rate, a_quiet_time_earns_nothing)
{
    struct log_rate rate = {.lines_max = 3};
    cr_expect(log_rate_left_out(&rate, 0) == 0);
    for (int i = 0; i < 10; i++)
        cr_expect(log_rate_take(&rate, 1000) == (i < 3), "%d", i);
    cr_expect(log_rate_left_out(&rate, 2000) == 7);
}
