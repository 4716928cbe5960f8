#include "heap.h"

void heap_add(struct heap *heap, struct done done) {
    int at = heap->count++;
    while (at > 0 && heap->list[(at - 1) / 2].at > done.at) {
        heap->list[at] = heap->list[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->list[at] = done;
}

/* The last one has to find a place: the gap at the top sinks until it fits in. */
struct done heap_take(struct heap *heap) {
    struct done first = heap->list[0];
    struct done last = heap->list[--heap->count];
    int at = 0;
    for (int child; (child = 2 * at + 1) < heap->count; at = child) {
        if (child + 1 < heap->count && heap->list[child + 1].at < heap->list[child].at)
            child++;
        if (last.at <= heap->list[child].at)
            break;
        heap->list[at] = heap->list[child];
    }
    heap->list[at] = last;
    return first;
}
