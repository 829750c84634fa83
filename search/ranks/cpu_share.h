/* The processors of a node, shared among the processes of one search that run on it. */
#ifndef LONGROPE_SEARCH_CPU_SHARE_H
#define LONGROPE_SEARCH_CPU_SHARE_H

#include <sched.h>
#include <stddef.h>

/* The processors that this process may run on; none if the system does not say. */
cpu_set_t cpu_share_allowed(void);

/* The number of processors that are left to process `index`, if each goes to one of those that are allowed to run on
 * it, evenly. allowed[count]: those of each process. At least 1. */
int cpu_share(const cpu_set_t *allowed, size_t count, size_t index);

#endif
