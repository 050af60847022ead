#ifndef CPROCESS_H
#define CPROCESS_H

// A program that links this starts with four steps, before main and before anything else is opened:
//
// - It keeps the arguments, see process_arguments.
// - It occupies each closed descriptor of 0, 1 and 2, so that no file or socket gets its number, and with it text for a
//   standard stream. Reading and writing there still fail with EBADF.
// - It ignores SIGXFSZ: exceeding a limit of the file size is an error of that write.
// - As the first process of a container it ends on SIGINT and SIGTERM with 128 plus the number, like other processes.

/// The arguments of main, from the program's name to NULL, as the system passed them to the process.
char *_Nullable *_Nonnull process_arguments(void);

#endif
