#include "search/base/version.h"

const char program_version[] = "longrope " LONGROPE_VERSION;
