/*
 * descriptor: what follows for us when the server closes or copies a number that is ours to know.
 * The one place where the kinds of the fd table are told apart for that; used by the hooks.
 */
#ifndef UNHERD_DESCRIPTOR_H
#define UNHERD_DESCRIPTOR_H

/* The server is about to close fd, a listener or an instance; its entry is gone afterwards. */
void descriptor_closing(int fd);

/* The server has just made `copy` out of fd, by dup or the like; what `copy` was is over. */
void descriptor_copied(int fd, int copy);

#endif
