#ifndef CPROCESS_H
#define CPROCESS_H

// Whatever links this begins with four things done, before main and before anything else is opened:
//
// - The arguments are kept, see process_arguments.
// - Each of the descriptors 0, 1 and 2 that is closed is occupied, so that no file or socket gets its number and with it
//   a text that was meant for a standard stream. Reading and writing there still fail with EBADF.
// - SIGXFSZ is ignored: a limit of the file size is an error of the write that meets it.
// - As the first process of a container it ends on SIGINT and SIGTERM, with 128 plus the number, as elsewhere by default.

/// The arguments of main, the program's name first and NULL last, as the system gave them to the process.
char *_Nullable *_Nonnull process_arguments(void);

#endif
