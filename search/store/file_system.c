#include "search/store/file_system.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

bool file_system_is_of_hosts(int file) {
    static const uint32_t kinds[] = {0x6969 /* NFS */,        0x517b /* SMB */,
                                     0xfe534d42 /* SMB2 */,   0xff534d42 /* CIFS */,
                                     0x0bd00bd0 /* Lustre */, 0x65735546 /* FUSE */,
                                     0x00c36400 /* Ceph */,   0x47504653 /* GPFS */,
                                     0x01021997 /* 9P */,     0x19830326 /* BeeGFS */};
    struct statfs info;
    if (fstatfs(file, &info) != 0) return true;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if ((uint32_t)info.f_type == kinds[i]) return true;
    }
    return false;
}

bool file_system_lacks_locks(int code) {
    return code == ENOLCK || code == ENOSYS || code == EOPNOTSUPP || code == EINVAL;
}

struct file_system file_system_of(int file) {
    struct flock asked = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    bool locks = fcntl(file, F_GETLK, &asked) == 0 || !file_system_lacks_locks(errno);
    void *page = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) munmap(page, 1);
    return (struct file_system){file_system_is_of_hosts(file), locks, page != MAP_FAILED};
}

struct file_system file_system_at(const char *path) {
    struct file_system system = {.of_hosts = false, .locks = true, .memory = true};
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0) return system; /* whoever uses it says what is wrong */
    system = file_system_of(file);
    close(file);
    return system;
}

enum database_sharing file_system_sharing(const struct file_system *system) {
    if (!system->locks) return DATABASE_UNLOCKED;
    return system->memory && !system->of_hosts ? DATABASE_SHARED : DATABASE_ALONE;
}

const char *file_system_lack(const struct file_system *system) {
    return !system->locks    ? "has no file locks"
           : !system->memory ? "has no memory that processes share"
                             : "may be mounted by several hosts";
}
