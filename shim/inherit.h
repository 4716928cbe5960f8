/* inherit: listeners that this image of the process had from its start. */
#ifndef UNHERD_INHERIT_H
#define UNHERD_INHERIT_H

/* Called once, from the constructor, after what an earlier image carried over is taken up. */
void inherit_start(char *const *environment);

#endif
