/* Checkpoints of forward passes: files from which a pass that was killed continues, to the same bits.
 *
 * A pass over one window with one table has one file, FOLDER/window-KEY.checkpoint. KEY is the hash of all that
 * determines its numbers: model, arithmetic, angles, window and table. The file is written as window-KEY.part, synced
 * and renamed, so it is always complete. It begins with a header that has a checksum of its own and ends with a
 * checksum of its content. A file that does not fit is never used; a line says which and why.
 *
 * The content is written from where the pass has it and read to there, so a checkpoint takes no memory. The disk needs
 * room for two: one replaces the other when it is complete.
 *
 * window-KEY.lock is locked while a process computes the window. Several processes may share a folder, also from
 * several machines: KEY says nothing of the process, so any of them continues what another one began.
 */
#ifndef LONGROPE_EVAL_CHECKPOINT_H
#define LONGROPE_EVAL_CHECKPOINT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/model/model.h"
#include "eval/rope.h"

/* Files that a window does not use, and that no process is working on: which of them one line tells of. */
enum checkpoint_strays {
    CHECKPOINT_STRAYS_ALL,
    CHECKPOINT_STRAYS_FOREIGN, /* that no window of this model and arithmetic can use: other processes compute some */
    CHECKPOINT_STRAYS_NONE,    /* another process tells of them */
};

enum { CHECKPOINTS_FORGET = -1 }; /* a value of the stop flag: the pass is not required, nor is its checkpoint */

struct checkpoints_options {
    const char *folder;
    double interval; /* seconds of work between two checkpoints, at least */
    double patience; /* seconds that checkpoint_begin() waits for another process */
    bool keep;       /* results of finished windows: see checkpoint_finish() */
    enum checkpoint_strays strays;
    const volatile sig_atomic_t *stop; /* a value other than 0 ends waiting, reading and writing; may be NULL */
    /* A line without a newline: what was written, and what is used or not. `start` is the fraction of the pass that an
     * earlier process did and this one continues; otherwise it is 0. May be NULL. */
    void (*tell)(void *state, double start, const char *line);
    void *tell_state;
};

/* A folder of checkpoints. It is used by one pass at a time. */
struct checkpoints;

/* STATUS_INPUT if the folder cannot be made or written, as far as can be told without making it. */
int checkpoints_check_folder(const char *folder, struct error *error);

/* Errors are those of checkpoints_check_folder(), and STATUS_FAILED for lack of memory. checkpoint_begin() makes the
 * folder if it does not exist. All in `options` is borrowed. The caller closes *out with checkpoints_close(). */
int checkpoints_open(const struct checkpoints_options *options, struct checkpoints **out, struct error *error);

/* Deletes what is kept of finished windows if `finished`: nobody needs it any more. NULL is allowed. */
void checkpoints_close(struct checkpoints *checkpoints, bool finished);

double checkpoints_interval(const struct checkpoints *checkpoints);

/* What determines all numbers of a pass. */
struct checkpoint_subject {
    const struct model *model;
    enum rope_angles angles;
    const struct rope_table *table;
    const int32_t *tokens; /* [count] */
    int64_t count, skip;
    bool arg_max; /* whether the pass finds arg maxima */
};

/* How far a pass is. */
struct checkpoint_place {
    int64_t layer, layers; /* layer 0..layers-1, or `layers`: the output matrix */
    int64_t left, blocks;  /* blocks of rows of this layer that are left, and all of them */
    double seconds;        /* of work so far */
    double fraction;       /* of the pass, 0..1 */
};

/* A part of the content. */
struct checkpoint_piece {
    void *data;
    size_t size;
};

enum { CHECKPOINT_PIECES = 5 };

/* The checkpoint of one pass. */
struct checkpoint;

/* Locks the window. If another process computes it with the same folder, waits for the seconds of options.patience,
 * with a line, and then goes on without the lock: a checkpoint that is there is used, and none is written or deleted.
 * Without patience STATUS_INPUT. STATUS_STOPPED if the stop flag ends the waiting, STATUS_FAILED for errors of the
 * machine. The caller ends with checkpoint_end(). */
int checkpoint_begin(struct checkpoints *checkpoints, const struct checkpoint_subject *subject, struct checkpoint **out,
                     struct error *error);

/* Whether there is a checkpoint of this subject, with a header that is whole. *place is then what checkpoint_write()
 * got, as the file has it: the caller checks it. */
bool checkpoint_find(struct checkpoint *checkpoint, struct checkpoint_place *place);

/* Reads the content of the checkpoint that was found. False, with a line, unless the content has the sizes of these
 * pieces and its checksum; what the pieces point to is then undefined. `pieces` may be NULL: the place is impossible.
 */
bool checkpoint_read(struct checkpoint *checkpoint, const struct checkpoint_place *place,
                     const struct checkpoint_piece pieces[CHECKPOINT_PIECES]);

/* Replaces the checkpoint. A failure, such as a full disk, is a line and no error: a pass of hours is worth more than
 * its checkpoint, and the one before stays. The stop flag ends the writing without a line. */
void checkpoint_write(struct checkpoint *checkpoint, const struct checkpoint_place *place,
                      const struct checkpoint_piece pieces[CHECKPOINT_PIECES]);

/* The pass is finished. If there is a checkpoint of it and results are kept, they are written in its place, for a
 * process that asks for this window again before checkpoints_close(). Otherwise the checkpoint is deleted. */
void checkpoint_finish(struct checkpoint *checkpoint, const struct checkpoint_place *place,
                       const struct checkpoint_piece results[CHECKPOINT_PIECES]);

/* Deletes the checkpoint. */
void checkpoint_delete(struct checkpoint *checkpoint);

/* Unlocks the window and frees *checkpoint; its file stays, unless the stop flag says CHECKPOINTS_FORGET. NULL is
 * allowed. */
void checkpoint_end(struct checkpoint *checkpoint);

#endif
