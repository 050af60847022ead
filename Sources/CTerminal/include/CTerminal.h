#ifndef C_TERMINAL_H
#define C_TERMINAL_H

#include <stddef.h>
#include <stdint.h>

// A terminal through ncurses, without types of ncurses: nothing of <curses.h> reaches Swift.
//
// One thread owns the terminal from ct_open to ct_close and makes all calls; ncurses is not thread-safe. Only the crash
// guard runs elsewhere, in the signal handler of a crash, and it does not use ncurses.

/// Bits of `ct_cell.attributes`.
enum {
    CT_BOLD = 1,
    CT_DIM = 2,
    CT_REVERSE = 4,
    CT_UNDERLINE = 8,
};

enum {
    /// Maximum number of zero-width marks on one character.
    CT_MARKS = 4,
};

/// One character cell. `foreground` and `background` are palette numbers, -1 is the terminal's default. A character of
/// two columns is followed by a cell for its right half.
typedef struct {
    uint32_t scalar;
    /// Marks on the character, terminated by 0.
    uint32_t marks[CT_MARKS];
    uint8_t is_right_half;
    int16_t foreground;
    int16_t background;
    uint8_t attributes;
} ct_cell;

enum {
    CT_EVENT_NONE = 0,
    /// `code` is a Unicode scalar: a control character, or text.
    CT_EVENT_CHARACTER = 1,
    /// `code` is one of CT_KEY_….
    CT_EVENT_KEY = 2,
    /// `code` is one of CT_MOUSE_…, at `row` and `column` from 0.
    CT_EVENT_MOUSE = 3,
    /// The terminal was closed: its end was read.
    CT_EVENT_END = 4,
};

enum {
    CT_KEY_UP = 1,
    CT_KEY_DOWN,
    CT_KEY_LEFT,
    CT_KEY_RIGHT,
    CT_KEY_PAGE_UP,
    CT_KEY_PAGE_DOWN,
    CT_KEY_HOME,
    CT_KEY_END,
    CT_KEY_BACK_TAB,
    CT_KEY_BACKSPACE,
    CT_KEY_ENTER,
    CT_KEY_F1,
    CT_KEY_OTHER,
};

enum {
    CT_MOUSE_CLICK = 1,
    CT_MOUSE_WHEEL_UP,
    CT_MOUSE_WHEEL_DOWN,
    CT_MOUSE_OTHER,
};

typedef struct {
    int32_t kind;
    int32_t code;
    int32_t row;
    int32_t column;
} ct_event;

/// Initialises the terminal on descriptors `input` and `output`: alternate screen, no echo, no cursor, keypad.
/// `message` receives a line of text on failure. Returns 0, or -1 if the terminal cannot be used.
int ct_open(int input, int output, int want_color, int want_mouse, char *message, size_t size);

/// Restores the terminal. May be called more than once, and before ct_open. Without `has_terminal`, when a shell owns
/// it and this process is in the background, it restores only the screen.
void ct_close(int has_terminal);

/// The number of colours of the open terminal; 0 for none.
int ct_colors(void);

/// Whether the locale of the process is UTF-8. Needs no open terminal; sets only the locale of characters, from the
/// environment: to `C.UTF-8` if the environment names a UTF-8 locale that is not installed, or, with `may_guess`, if it
/// names none and the terminal is not known to lack UTF-8.
int ct_use_locale(int may_guess);

/// Reads the size from the operating system, passes it to ncurses, and returns it. Both are at least 1.
void ct_measure(int *rows, int *columns);

/// Puts `count` cells at a position. Cells outside of the screen are ignored.
void ct_put(int row, int column, const ct_cell *cells, int count);

/// Sends everything that was put since the last call to the terminal.
void ct_flush(void);

/// Forgets the content of the terminal: the next flush draws everything.
void ct_repaint(void);

/// The next key or click, without waiting.
void ct_next_event(ct_event *event);

/// Restores the terminal for the shell, before the process is stopped.
void ct_suspend(void);

/// Initialises the terminal again and draws the whole screen, after the process was stopped.
void ct_retake(void);

/// From now on a crash of the process (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT) first restores the terminal,
/// then ends the process immediately with the same signal. Swift's backtracer, which asks questions on a terminal and
/// can take minutes, runs in between only if SWIFT_BACKTRACE is set. Call it once, after ct_open.
void ct_install_crash_guard(void);

/// Sets the file `captured`, which replaces standard error for now, and the original standard error: a crash prints the
/// content of the file. Negative for both ends that.
void ct_set_captured_errors(int outer, int captured);

// Linux file descriptors that Glibc's Swift module lacks. Any thread.

/// Keeps the signals that a terminal program handles (INT, TERM, HUP, QUIT, TSTP, CONT, WINCH) from ending or stopping
/// the process, on this thread and threads that it creates; and lets them through again.
void ct_block_signals(void);
void ct_unblock_signals(void);

/// A non-blocking descriptor for reading those signals. Negative on failure.
int ct_signal_descriptor(void);

/// The next pending signal; 0 if there is none.
int ct_next_signal(int descriptor);

/// A non-blocking descriptor that becomes readable after a `write` of a 64-bit number to it.
int ct_wake_descriptor(void);

/// An unnamed file in memory with at most `size` bytes. Negative on failure.
int ct_memory_file(long size);

#endif
