#include "search/cli/terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "search/base/text.h"

/* The program itself stays in the "C" locale, so that the format of numbers does not depend on the user. */
bool terminal_shows_unicode(void) {
    locale_t user = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    if (!user) return false; /* the locale is not installed */
    bool utf8 = strcmp(nl_langinfo_l(CODESET, user), "UTF-8") == 0;
    freelocale(user);
    return utf8;
}

int terminal_columns(FILE *file, int fallback) {
    const char *given = getenv("COLUMNS");
    int64_t columns;
    struct winsize size;
    if (given && text_to_integer(given, &columns) && columns > 0 && columns <= INT16_MAX) return (int)columns;
    return isatty(fileno(file)) && ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                                                                                                  : fallback;
}
