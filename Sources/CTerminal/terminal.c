// <curses.h> declares the wide-character functions only if this is set.
#define _XOPEN_SOURCE_EXTENDED 1
#define _GNU_SOURCE 1

#include "CTerminal.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

static SCREEN *screen;
static FILE *input_file;
static FILE *output_file;
static int input_descriptor = -1;
static int output_descriptor = -1;
static int is_color;
static int has_alternate_screen;
// The sequences that begin and end the marking of pasted text; empty if the terminal has none.
static char paste_on[32];
static char paste_off[32];

// Data of the crash guard, prepared in advance: a crash handler must not call ncurses.
static struct termios saved_modes;
static volatile sig_atomic_t is_guarding;
static char restore_text[512];
static size_t restore_length;
static volatile sig_atomic_t has_crashed;
// The original standard error, and the file that replaces it; negative if it is not redirected.
static volatile sig_atomic_t outer_errors = -1;
static volatile sig_atomic_t captured_errors = -1;

static int has_capability(const char *capability) {
    const char *text = tigetstr(capability);
    return text != NULL && text != (char *)-1 && *text != 0;
}

// Adds the text of a capability without its delays, `$<50>`: only ncurses waits, the terminal would show them.
static void remember_restore(const char *capability) {
    if (!has_capability(capability)) return;
    for (const char *text = tigetstr(capability); *text != 0; text++) {
        if (text[0] == '$' && text[1] == '<' && strchr(text, '>') != NULL) {
            text = strchr(text, '>');
        } else if (restore_length < sizeof restore_text) {
            restore_text[restore_length++] = *text;
        }
    }
}

// The name of the locale for characters in the environment; NULL if there is none.
static const char *named_locale(void) {
    static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (int index = 0; index < 3; index++) {
        const char *value = getenv(variables[index]);
        if (value != NULL && *value != 0) return value;
    }
    return NULL;
}

int ct_use_locale(int may_guess) {
    const char *name = named_locale();
    const char *term = getenv("TERM");
    // Only the category of characters: missing categories of numbers or times do not matter.
    if (name == NULL) {
        int is_modern = term != NULL && strcmp(term, "linux") != 0 && strcmp(term, "dumb") != 0 && strncmp(term, "vt", 2) != 0;
        if (may_guess && is_modern) setlocale(LC_CTYPE, "C.UTF-8");
    } else if (setlocale(LC_CTYPE, "") == NULL) {
        // This machine lacks the locale, but its character encoding still applies.
        if (strcasestr(name, "utf-8") != NULL || strcasestr(name, "utf8") != NULL) setlocale(LC_CTYPE, "C.UTF-8");
    }
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

// A sequence for which ncurses has no function.
static void send(const char *text) {
    if (*text == 0) return;
    fputs(text, output_file);
    fflush(output_file);
}

int ct_open(int input, int output, int want_color, int want_mouse, char *message, size_t size) {
    if (screen != NULL) return 0;
    const char *term = getenv("TERM");
    if (term == NULL || *term == 0) {
        snprintf(message, size, "TERM is not set");
        return -1;
    }
    if (tcgetattr(input, &saved_modes) != 0) {
        snprintf(message, size, "standard input is no terminal: %s", strerror(errno));
        return -1;
    }
    input_file = fdopen(dup(input), "r");
    output_file = fdopen(dup(output), "w");
    if (input_file == NULL || output_file == NULL) {
        snprintf(message, size, "cannot open the terminal: %s", strerror(errno));
        return -1;
    }
    screen = newterm(NULL, output_file, input_file);
    if (screen == NULL) {
        snprintf(message, size, "TERM=%s is not known to this machine", term);
        return -1;
    }
    input_descriptor = fileno(input_file);
    output_descriptor = fileno(output_file);
    const char *address = tigetstr("cup");
    if (address == NULL || address == (char *)-1) {
        ct_close(1);
        snprintf(message, size, "TERM=%s cannot place its cursor", term);
        return -1;
    }
    restore_length = 0;
    if (want_mouse) {
        static const char mouse_off[] = "\033[?1006l\033[?1002l\033[?1000l";
        memcpy(restore_text, mouse_off, sizeof mouse_off - 1);
        restore_length = sizeof mouse_off - 1;
    }
    // Only from a terminal that marks pasted text.
    *paste_on = *paste_off = 0;
    if (has_capability("BE") && has_capability("BD")) {
        snprintf(paste_on, sizeof paste_on, "%s", tigetstr("BE"));
        snprintf(paste_off, sizeof paste_off, "%s", tigetstr("BD"));
    }
    remember_restore("BD");
    remember_restore("sgr0");
    remember_restore("rmkx");
    remember_restore("cnorm");
    has_alternate_screen = has_capability("rmcup");
    if (has_alternate_screen) remember_restore("clear");
    remember_restore("rmcup");

    set_escdelay(25);
    cbreak();
    noecho();
    nonl();
    intrflush(stdscr, FALSE);
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    curs_set(0);
    is_color = 0;
    if (want_color && has_colors() && start_color() == OK) {
        use_default_colors();
        is_color = 1;
    }
    if (want_mouse) {
        mouseinterval(0);
        mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
    }
    is_guarding = 1;
    send(paste_on);
    return 0;
}

// A terminal whose window has grown may keep rows of the alternate screen when the main one returns: tmux fills rows
// with them that the main screen did not have. So the alternate screen is cleared first. Without an alternate screen,
// the last figures stay visible, above an empty line for the prompt.
static void leave_screen(void) {
    if (!has_crashed) {
        send(paste_off);
        if (has_alternate_screen) {
            clear();
        } else {
            move(LINES - 1, 0);
            clrtoeol();
        }
        refresh();
    }
    endwin();
}

void ct_close(int has_terminal) {
    if (screen == NULL) return;
    if (has_terminal) {
        mousemask(0, NULL);
        leave_screen();
    } else if (!isendwin()) {
        // Its modes belong to another process now: setting them would stop this one.
        ssize_t ignored = write(output_descriptor, restore_text, restore_length);
        (void)ignored;
    }
    is_guarding = 0;
    delscreen(screen);
    screen = NULL;
    fclose(output_file);
    fclose(input_file);
}

int ct_colors(void) {
    return is_color ? COLORS : 0;
}

void ct_measure(int *height, int *width) {
    struct winsize size = {0};
    if (screen != NULL && ioctl(output_descriptor, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
        if (size.ws_row != LINES || size.ws_col != COLS) {
            resizeterm(size.ws_row, size.ws_col);
            clearok(curscr, TRUE);
        }
    }
    *height = screen != NULL && LINES > 0 ? LINES : 24;
    *width = screen != NULL && COLS > 0 ? COLS : 80;
}

void ct_put(int row, int column, const ct_cell *cells, int count) {
    for (int index = 0; index < count; index++) {
        int place = column + index;
        if (row < 0 || row >= LINES || place < 0 || place >= COLS) continue;
        // ncurses filled it together with the left half.
        if (cells[index].is_right_half) continue;
        wchar_t text[CT_MARKS + 2] = {(wchar_t)cells[index].scalar};
        for (int mark = 0; mark < CT_MARKS; mark++) text[mark + 1] = (wchar_t)cells[index].marks[mark];
        attr_t attributes = A_NORMAL;
        if (cells[index].attributes & CT_BOLD) attributes |= A_BOLD;
        if (cells[index].attributes & CT_DIM) attributes |= A_DIM;
        if (cells[index].attributes & CT_REVERSE) attributes |= A_REVERSE;
        if (cells[index].attributes & CT_UNDERLINE) attributes |= A_UNDERLINE;
        int pair = 0;
        if (is_color && (cells[index].foreground >= 0 || cells[index].background >= 0)) {
            pair = alloc_pair(cells[index].foreground, cells[index].background);
            if (pair < 0 || pair > 255) pair = 0;
        }
        cchar_t cell;
        if (setcchar(&cell, text, attributes, (short)pair, NULL) == OK) mvadd_wchnstr(row, place, &cell, 1);
    }
}

void ct_flush(void) {
    // Another thread has crashed and has restored the terminal.
    if (has_crashed) return;
    // stdscr is clean after this, so that reading a key draws nothing.
    wnoutrefresh(stdscr);
    doupdate();
}

void ct_repaint(void) {
    clearok(curscr, TRUE);
}

static void mouse_event(ct_event *event) {
    MEVENT mouse;
    event->kind = CT_EVENT_MOUSE;
    event->code = CT_MOUSE_OTHER;
    if (getmouse(&mouse) != OK) return;
    event->row = mouse.y;
    event->column = mouse.x;
    if (mouse.bstate & BUTTON1_PRESSED) event->code = CT_MOUSE_CLICK;
    if (mouse.bstate & BUTTON4_PRESSED) event->code = CT_MOUSE_WHEEL_UP;
    if (mouse.bstate & BUTTON5_PRESSED) event->code = CT_MOUSE_WHEEL_DOWN;
}

static int key_of(wint_t code) {
    switch (code) {
    case KEY_UP: return CT_KEY_UP;
    case KEY_DOWN: return CT_KEY_DOWN;
    case KEY_LEFT: return CT_KEY_LEFT;
    case KEY_RIGHT: return CT_KEY_RIGHT;
    case KEY_PPAGE: return CT_KEY_PAGE_UP;
    case KEY_NPAGE: return CT_KEY_PAGE_DOWN;
    case KEY_HOME: return CT_KEY_HOME;
    case KEY_END: return CT_KEY_END;
    case KEY_BTAB: return CT_KEY_BACK_TAB;
    case KEY_BACKSPACE: return CT_KEY_BACKSPACE;
    case KEY_ENTER: return CT_KEY_ENTER;
    case KEY_F(1): return CT_KEY_F1;
    default: return CT_KEY_OTHER;
    }
}

void ct_next_event(ct_event *event) {
    memset(event, 0, sizeof *event);
    wint_t code = 0;
    switch (get_wch(&code)) {
    case OK:
        event->kind = CT_EVENT_CHARACTER;
        event->code = (int32_t)code;
        return;
    case KEY_CODE_YES:
        if (code == KEY_MOUSE) {
            mouse_event(event);
        } else if (code != KEY_RESIZE) {
            event->kind = CT_EVENT_KEY;
            event->code = key_of(code);
        } else {
            event->kind = CT_EVENT_KEY;
            event->code = CT_KEY_OTHER;
        }
        return;
    default:
        event->kind = feof(input_file) ? CT_EVENT_END : CT_EVENT_NONE;
    }
}

void ct_suspend(void) {
    leave_screen();
    is_guarding = 0;
}

void ct_retake(void) {
    // Stopped by a signal: ncurses does not know that another process used the terminal.
    if (!isendwin()) endwin();
    is_guarding = 1;
    clearok(curscr, TRUE);
    refresh();
    send(paste_on);
}

// MARK: The crash guard

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT};
enum { crash_signal_count = sizeof crash_signals / sizeof crash_signals[0] };
static struct sigaction earlier_actions[crash_signal_count];
static int wants_backtrace;

void ct_set_captured_errors(int outer, int captured) {
    outer_errors = outer;
    captured_errors = captured;
}

// Standard error while the screen was shown: it ends with the reason of a trap.
static void release_errors(void) {
    if (outer_errors < 0) return;
    dup2(outer_errors, STDERR_FILENO);
    off_t end = lseek(captured_errors, 0, SEEK_CUR);
    lseek(captured_errors, 0, SEEK_SET);
    char chunk[1024];
    while (end > 0) {
        ssize_t count = read(captured_errors, chunk, end < (off_t)sizeof chunk ? (size_t)end : sizeof chunk);
        if (count <= 0 || write(STDERR_FILENO, chunk, (size_t)count) < 0) break;
        end -= count;
    }
}

// Runs on the thread that crashed. Calls only functions that are safe in a signal handler.
static void restore_and_end(int number, siginfo_t *info, void *context) {
    int was_guarding = is_guarding;
    if (was_guarding) {
        has_crashed = 1;
        is_guarding = 0;
        ssize_t ignored = write(output_descriptor, restore_text, restore_length);
        (void)ignored;
        tcsetattr(input_descriptor, TCSANOW, &saved_modes);
        release_errors();
    }
    for (int index = 0; index < crash_signal_count; index++) {
        if (crash_signals[index] != number) continue;
        struct sigaction *earlier = &earlier_actions[index];
        if ((earlier->sa_flags & SA_SIGINFO) && (wants_backtrace || !was_guarding)) {
            earlier->sa_sigaction(number, info, context);
        }
    }
    // Explicitly, not by repeating the faulting instruction: a signal that was sent has none, and the process would
    // continue.
    struct sigaction end = {0};
    end.sa_handler = SIG_DFL;
    sigaction(number, &end, NULL);
    raise(number);
}

void ct_install_crash_guard(void) {
    wants_backtrace = getenv("SWIFT_BACKTRACE") != NULL;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = restore_and_end;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    for (int index = 0; index < crash_signal_count; index++) {
        sigaction(crash_signals[index], &action, &earlier_actions[index]);
    }
}
