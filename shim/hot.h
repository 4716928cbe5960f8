/*
 * hot: what each connection passes on its way. The compiler puts such functions into a section of
 * their own, where they lie side by side on a few pages: a worker that has its turn after many
 * others finds nothing of itself in the caches, and each page that it has to look up anew counts.
 */
#ifndef UNHERD_HOT_H
#define UNHERD_HOT_H

#define HOT __attribute__((hot))

/* Which way it goes as a rule: that way lies in a row, and a jump taken costs about as much as five
 * instructions where nothing of it is in the caches. */
#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* What such a function calls becomes part of it, even if others call that as well; but for what is
 * rare. */
#define WHOLE __attribute__((flatten))

/* But not this one, for its stack: the kernel goes on behind it, on lines that nobody uses else. */
#define APART __attribute__((noinline))

/* And what is rare stays out of them: it is not inlined there, nor does it lie in between. */
#define RARE __attribute__((cold, noinline))

#endif
