/* What the file system of a file offers to processes that share a database. Network file systems lack some of it, and
 * show what they have to the processes of one host only. */
#ifndef LONGROPE_SEARCH_FILE_SYSTEM_H
#define LONGROPE_SEARCH_FILE_SYSTEM_H

#include <stdbool.h>

#include "search/store/database.h"

struct file_system {
    bool of_hosts; /* several hosts may have it mounted */
    bool locks;    /* files can be locked */
    bool memory;   /* a file can be mapped as memory that processes share */
};

/* Of an open file. It closes no lock of the process and takes none. The file is open for reading and writing. */
struct file_system file_system_of(int file);
/* Of the file at a path, which is made if it does not exist; all there is, if it cannot be opened. */
struct file_system file_system_at(const char *path);

/* How a database can be used there: DATABASE_SHARED, with a write-ahead log, works for all processes that may come. */
enum database_sharing file_system_sharing(const struct file_system *system);
/* "has no file locks", of one that is not DATABASE_SHARED */
const char *file_system_lack(const struct file_system *system);

/* Whether several hosts may have the file system of the file mounted. */
bool file_system_is_of_hosts(int file);
/* Whether errno `code` of a lock says that there are none. */
bool file_system_lacks_locks(int code);

#endif
