#ifndef LONGROPE_SEARCH_VERSION_H
#define LONGROPE_SEARCH_VERSION_H

/* "longrope 0.1.0": the program's name and the version that CMakeLists.txt gives it. */
extern const char program_version[];

#endif
