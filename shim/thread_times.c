#include "thread_times.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "local.h"
#include "real.h"

static _Thread_local char this_thread; /* by whose address it is known */

/* Not where a filter may kill whoever opens anything. */
struct thread_times thread_times_read(void) {
    struct thread_times times = {0};
    char text[64];
    char *end;
    if (local_is_confined())
        return times;
    long fd = real.syscall(SYS_openat, AT_FDCWD, (long)"/proc/thread-self/schedstat",
                           O_RDONLY | O_CLOEXEC, 0, 0, 0);
    if (fd < 0)
        return times;
    long length = real.syscall(SYS_read, fd, (long)text, sizeof text - 1, 0, 0, 0);
    real.close((int)fd);
    text[length > 0 ? length : 0] = '\0';
    times.ran = strtoull(text, &end, 10);
    times.delayed = strtoull(end, &end, 10);
    times.thread = times.ran ? &this_thread : NULL;
    return times;
}
