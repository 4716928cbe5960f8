#include "fifo.h"

#include <stdio.h>
#include <stdlib.h>

static void grow(struct pool *pool) {
    int size = pool->size ? 2 * pool->size : 1024;
    struct waiting *list = realloc(pool->list, (size_t)size * sizeof *list);
    if (!list) {
        fprintf(stderr, "sim: no memory for %d waiting connections\n", size);
        exit(1);
    }
    for (int i = pool->size; i < size; i++)
        list[i].next = i + 1 < size ? i + 1 : -1;
    pool->list = list;
    pool->unused = pool->size;
    pool->size = size;
}

void fifo_add(struct pool *pool, struct fifo *fifo, struct waiting waiting) {
    if (pool->size == 0 || pool->unused < 0)
        grow(pool);
    int place = pool->unused;
    pool->unused = pool->list[place].next;
    pool->list[place] = waiting;
    if (fifo->length++)
        pool->list[fifo->last].next = place;
    else
        fifo->first = place;
    fifo->last = place;
}

struct waiting fifo_take(struct pool *pool, struct fifo *fifo) {
    int place = fifo->first;
    struct waiting waiting = pool->list[place];
    fifo->first = waiting.next;
    fifo->length--;
    pool->list[place].next = pool->unused;
    pool->unused = place;
    return waiting;
}
