#ifndef C_TERMINAL_H
#define C_TERMINAL_H

#include <stddef.h>
#include <stdint.h>

// A terminal through ncurses, without a type of ncurses: nothing of <curses.h> reaches Swift.
//
// One thread owns the terminal from ct_open to ct_close and calls everything here; ncurses is not thread-safe. Only
// the crash guard runs elsewhere, in the signal handler of a crash, and it touches no ncurses.

/// Bits of `ct_cell.attributes`.
enum {
    CT_BOLD = 1,
    CT_DIM = 2,
    CT_REVERSE = 4,
    CT_UNDERLINE = 8,
};

enum {
    /// Marks of no width that one character may carry.
    CT_MARKS = 4,
};

/// One character cell. `foreground` and `background` are palette numbers, -1 the terminal's own. A character that is two
/// columns wide has a cell for its right half behind it.
typedef struct {
    uint32_t scalar;
    /// Marks on the character; 0 ends them.
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
    /// The terminal is gone: its end was read.
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

/// Takes the terminal on descriptors `input` and `output`: alternate screen, no echo, no cursor, keypad.
/// `message` gets a line of text when it fails. Returns 0, or -1 when the terminal cannot be used.
int ct_open(int input, int output, int want_color, int want_mouse, char *message, size_t size);

/// Gives the terminal back as it was. May be called more than once, and before ct_open. Without `has_terminal`, when a
/// shell has it and this process is in the background, only the screen is given back.
void ct_close(int has_terminal);

/// The number of colours of the terminal that is open, 0 for none.
int ct_colors(void);

/// Whether the locale of the process is UTF-8. Needs no open terminal; sets the locale of characters, and no other, from
/// the environment: to `C.UTF-8` when it names a UTF-8 locale that is not installed, or, with `may_guess`, when it names
/// none at all and the terminal is not known to be without UTF-8.
int ct_use_locale(int may_guess);

/// Asks the operating system for the size, tells ncurses, and returns it. Both are at least 1.
void ct_measure(int *rows, int *columns);

/// Puts `count` cells at a place. What lies outside of the screen is left out.
void ct_put(int row, int column, const ct_cell *cells, int count);

/// Brings what was put since the last call to the terminal.
void ct_flush(void);

/// Forgets what the terminal shows: the next flush draws all of it.
void ct_repaint(void);

/// The next key or click, without waiting.
void ct_next_event(ct_event *event);

/// Gives the terminal to the shell, before the process is stopped.
void ct_suspend(void);

/// Takes the terminal again and draws all of the screen, after the process was stopped by itself or from outside.
void ct_retake(void);

/// From now on a crash of the process (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT) first gives the terminal
/// back, then ends the process at once, by the same signal. Swift's backtracer, which asks questions on a terminal and
/// can take minutes, runs in between only where SWIFT_BACKTRACE is set. Called after ct_open, once.
void ct_install_crash_guard(void);

/// Tells the crash guard that standard error goes to the file `captured` for now, and what it was before: a crash gives
/// out what the file holds. Negative for both ends that.
void ct_set_captured_errors(int outer, int captured);

// Descriptors of Linux that Glibc's Swift module does not show. Any thread.

/// Keeps the signals that a terminal program answers (INT, TERM, HUP, QUIT, TSTP, CONT, WINCH) from ending or stopping
/// the process, on this thread and those that it starts; and lets them through again.
void ct_block_signals(void);
void ct_unblock_signals(void);

/// A descriptor that those signals are read from; it does not block. Negative when there is none.
int ct_signal_descriptor(void);

/// The next signal that has come in, 0 when none waits.
int ct_next_signal(int descriptor);

/// A descriptor that is readable once `write` of a 64-bit number has woken it; it does not block.
int ct_wake_descriptor(void);

/// A file without a name, in memory, that takes `size` bytes and no more. Negative when there is none.
int ct_memory_file(long size);

#endif
