/* The processors of a node, shared among the processes of one search that run on it. */
#ifndef LONGROPE_SEARCH_CPU_SHARE_H
#define LONGROPE_SEARCH_CPU_SHARE_H

#include <sched.h>
#include <stddef.h>

/* More than Linux supports on any machine (8192). With one cpu_set_t, of 1024, the system refuses to answer where more
 * are possible. */
enum { CPU_SHARE_MOST = 16 * CPU_SETSIZE };

/* For the CPU_..._S macros: sizeof set, set.parts. */
struct cpu_share_set {
    cpu_set_t parts[CPU_SHARE_MOST / CPU_SETSIZE];
};

/* The processors that this process may run on; none if the system does not say. */
struct cpu_share_set cpu_share_allowed(void);

/* The number of processors that are left to process `index`, if each goes to one of those that are allowed to run on
 * it, evenly. allowed[count]: those of each process. At least 1. */
int cpu_share(const struct cpu_share_set *allowed, size_t count, size_t index);

#endif
