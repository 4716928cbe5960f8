#ifndef UNHERD_VERSION_H
#define UNHERD_VERSION_H

#define VERSION "0.1.0"

#endif
