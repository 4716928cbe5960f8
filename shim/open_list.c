#include "open_list.h"

#include "real.h"

nfds_t open_list(struct pollfd *list, nfds_t count, int first) {
    for (nfds_t i = 0; i < count; i++)
        list[i] = (struct pollfd){.fd = first + (int)i};
    while (count && real.poll(list, count, 0) < 0)
        count /= 2; /* more than RLIMIT_NOFILE allows */
    return count;
}
