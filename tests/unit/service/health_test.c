#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "scratch.h"
#include "service/health.h"

static void health_follows_the_heartbeat(void **state)
{
    (void)state;
    struct bf_error e = { "" };
    struct bf_health h;
    int dir = bf_open_dir(AT_FDCWD, ".", 0, 0);

    assert_int_equal(bf_health_check(".", "cam-1", 100000, &e), -ESRCH);
    assert_string_equal(e.text, "cam-1 does not run (no ./cam-1.health)");
    assert_int_equal(bf_health_open(&h, dir, "cam-1"), 0);
    assert_int_equal(bf_health_check(".", "cam-1", 100000, &e), -EBADMSG); /* no beat yet */

    assert_int_equal(bf_health_touch(&h, 100000), 0);
    assert_int_equal(bf_health_check(".", "cam-1", 100000, &e), 0);
    assert_int_equal(bf_health_check(".", "cam-1", 105000, &e), 0);
    assert_int_equal(bf_health_check(".", "cam-1", 105001, &e), -ESTALE);
    assert_string_equal(e.text, "cam-1 gave its last sign 5001 ms ago");
    assert_int_equal(bf_health_touch(&h, 105001), 0);
    assert_int_equal(bf_health_check(".", "cam-1", 105001, &e), 0);
    assert_int_equal(bf_health_check(".", "cam-1", 4000, &e), -ESTALE);
    assert_string_equal(e.text, "cam-1 has not run since this machine started");
    assert_int_equal(bf_health_check(".", "cam-2", 105001, &e), -ESRCH);

    bf_health_close(&h);
    bf_health_close(&h);
    assert_int_equal(bf_health_check(".", "cam-1", 105001, &e), -ESRCH);
    assert_int_equal(bf_health_check("absent", "cam-1", 1, &e), -ENOENT);
    assert_string_equal(e.text, "absent: cannot be opened: No such file or directory");
    close(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(health_follows_the_heartbeat) };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
