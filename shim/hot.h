/*
 * hot: what each connection passes on its way. The compiler puts such functions into a section of
 * their own, where they lie side by side on a few pages: a worker that has its turn after many
 * others finds nothing of itself in the caches, and each page that it has to look up anew counts.
 */
#ifndef UNHERD_HOT_H
#define UNHERD_HOT_H

#define HOT __attribute__((hot))

/* And what is rare stays out of them: it is not inlined there, nor does it lie in between. */
#define RARE __attribute__((cold, noinline))

#endif
