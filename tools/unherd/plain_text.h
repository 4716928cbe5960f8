/* plain text: what was read of a machine, as it may go to a terminal, into JSON and to Prometheus.
 */
#ifndef UNHERD_PLAIN_TEXT_H
#define UNHERD_PLAIN_TEXT_H

/* Control characters, and bytes that are no UTF-8, become '?': a path may be any bytes. */
void plain_text(char *text);

#endif
