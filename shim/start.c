/* Start: what happens when the library is loaded, before the server's main. */
#include <errno.h>
#include <sched.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "carry.h"
#include "config.h"
#include "inherit.h"
#include "listener.h"
#include "local.h"
#include "log.h"
#include "poller.h"
#include "real.h"

static struct config config;

static unsigned usable_cpus(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) < 0)
        return 1;
    return (unsigned)CPU_COUNT(&set);
}

__attribute__((destructor)) static void end(void) {
    listener_process_ends();
}

__attribute__((constructor)) static void start(void) {
    int saved = errno;
    real_find();
    /* A set-uid program's environment is its caller's: nothing in it is looked at. */
    if (!getauxval(AT_SECURE)) {
        config_read(&config, environ, usable_cpus());
        if (!config_is_off(&config) || config.complaint_count) {
            if (!log_start(&config))
                log_line(LOG_WARN, "UNHERD_LOG_FILE: %s: %s", config.log_file, log_errno(errno));
            local_watch_forks(listener_finish_deleted);
            guard_after_refusal(listener_end_orphaned);
            listener_start(&config);
            poller_start();
            if (config.exec)
                carry_start(environ);
            inherit_start(environ);
        }
    }
    errno = saved;
}
