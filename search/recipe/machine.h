/* The machine that this process runs on. */
#ifndef LONGROPE_SEARCH_MACHINE_H
#define LONGROPE_SEARCH_MACHINE_H

#include "search/store/store_machines.h"

/* Its name and processor, and the threads that a search of `threads` uses; 0: as many as the machine offers. */
void machine_own(int threads, struct machine_record *out);

#endif
