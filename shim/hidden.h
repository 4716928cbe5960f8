/*
 * hidden: the descriptors that the library keeps in the server's table without the server seeing
 * them.
 *
 * They live at the top of the range (of RLIMIT_NOFILE, or 16384 where that is less), so that the
 * server's own numbers stay dense, are close-on-exec, and every hooked call answers EBADF for them.
 * Together they take at most an eighth of RLIMIT_NOFILE.
 */
#ifndef UNHERD_HIDDEN_H
#define UNHERD_HIDDEN_H

#include <stdbool.h>

/*
 * Moves fd to the top of the range and marks it hidden. Returns the new number; or -1 with errno
 * (EMFILE when the eighth is used up). fd itself is closed in either case; -1 is passed through.
 */
int hidden_take(int fd);

/* A descriptor that an earlier image of this process kept hidden, where it is. False: not open. */
bool hidden_receive(int fd);

/* Closes a hidden descriptor in this process; -1 is ignored. */
void hidden_close(int fd);

/* How many more may be taken under the limit that is in force now. */
unsigned hidden_room(void);

/*
 * Moves a hidden descriptor to the top of a range that has grown. Returns its number, the same as
 * before when it could not be moved. Whoever registered it somewhere by its number must not call
 * this.
 */
int hidden_move(int fd);

#endif
