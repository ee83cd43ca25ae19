#include "store/sqlite_disk_fixture.h"

#include <errno.h>

#include "base/assert.h"

/* As SQLite sees it: the real file's bytes follow. */
struct file {
    sqlite3_file base;
    struct gh_disk *disk;
    sqlite3_file *real;
};

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct file *)file)->real;
}

/* Counts a change: is it one that fails? */
static bool fails(sqlite3_file *file, bool is_write, enum gh_disk_fault *out_fault)
{
    struct gh_disk *disk = ((struct file *)file)->disk;
    pthread_mutex_lock(&disk->lock);
    bool counts = disk->left && (is_write || disk->fault != GH_DISK_FULL);
    bool failed = counts && disk->left == 1;
    if (counts && (!failed || !disk->stays))
        disk->left--;
    disk->failed += failed;
    *out_fault = disk->fault;
    pthread_mutex_unlock(&disk->lock);
    if (failed)
        errno = *out_fault == GH_DISK_FULL ? ENOSPC : EIO;
    return failed;
}

/* ---- What changes a file ---- */

static int file_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset)
{
    enum gh_disk_fault fault;
    sqlite3_file *real = real_of(file);
    if (!fails(file, true, &fault))
        return real->pMethods->xWrite(real, bytes, count, offset);
    if (fault == GH_DISK_TORN)
        real->pMethods->xWrite(real, bytes, count / 2, offset);
    errno = fault == GH_DISK_FULL ? ENOSPC : EIO;
    return fault == GH_DISK_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    enum gh_disk_fault fault;
    sqlite3_file *real = real_of(file);
    if (fails(file, false, &fault))
        return SQLITE_IOERR_TRUNCATE;
    return real->pMethods->xTruncate(real, size);
}

static int file_sync(sqlite3_file *file, int flags)
{
    enum gh_disk_fault fault;
    sqlite3_file *real = real_of(file);
    if (fails(file, false, &fault))
        return SQLITE_IOERR_FSYNC;
    return real->pMethods->xSync(real, flags);
}

static int file_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out)
{
    enum gh_disk_fault fault;
    sqlite3_file *real = real_of(file);
    if (extend && fails(file, true, &fault))
        return SQLITE_IOERR_SHMSIZE;
    return real->pMethods->xShmMap(real, region, size, extend, out);
}

/* ---- What does not ---- */

static int file_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int file_read(sqlite3_file *file, void *out, int count, sqlite3_int64 offset)
{
    return real_of(file)->pMethods->xRead(real_of(file), out, count, offset);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *out_size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), out_size);
}

static int file_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int file_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int file_check_reserved(sqlite3_file *file, int *out)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int file_control(sqlite3_file *file, int operation, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int file_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int file_characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int file_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int file_shm_unmap(sqlite3_file *file, int remove)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

/* ---- The file system ---- */

/* Version 2: without mapped reads, which would pass us by. */
static const sqlite3_io_methods METHODS = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

static int disk_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *out_file, int flags,
                     int *out_flags)
{
    struct gh_disk *disk = vfs->pAppData;
    struct file *file = (struct file *)out_file;
    file->disk = disk;
    file->real = (sqlite3_file *)(file + 1);
    int result = disk->real->xOpen(disk->real, name, file->real, flags, out_flags);
    file->base.pMethods = result == SQLITE_OK ? &disk->methods : NULL;
    return result;
}

void gh_disk_init(struct gh_disk *disk)
{
    *disk = (struct gh_disk){.real = sqlite3_vfs_find(NULL), .methods = METHODS};
    GH_ASSERT(disk->real);
    pthread_mutex_init(&disk->lock, NULL);
    disk->vfs = *disk->real; /* whose other functions do not look at it */
    disk->vfs.szOsFile = (int)sizeof(struct file) + disk->real->szOsFile;
    disk->vfs.pNext = NULL;
    disk->vfs.zName = "gatehouse-disk";
    disk->vfs.pAppData = disk;
    disk->vfs.xOpen = disk_open;
    GH_ASSERT(sqlite3_vfs_register(&disk->vfs, 1) == SQLITE_OK);
}

void gh_disk_done(struct gh_disk *disk)
{
    sqlite3_vfs_unregister(&disk->vfs);
    sqlite3_vfs_register(disk->real, 1);
    pthread_mutex_destroy(&disk->lock);
}

void gh_disk_fail(struct gh_disk *disk, enum gh_disk_fault fault, unsigned left, bool stays)
{
    pthread_mutex_lock(&disk->lock);
    disk->fault = fault;
    disk->left = left;
    disk->stays = stays;
    disk->failed = 0;
    pthread_mutex_unlock(&disk->lock);
}

unsigned gh_disk_mend(struct gh_disk *disk)
{
    pthread_mutex_lock(&disk->lock);
    unsigned failed = disk->failed;
    disk->left = 0;
    disk->stays = false;
    pthread_mutex_unlock(&disk->lock);
    return failed;
}
