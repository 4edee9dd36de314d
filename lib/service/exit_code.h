/* How a process ends, in the numbers of sysexits(3) that supervisors know: a restart may heal 1, never 64 or 78. */
#ifndef BELFRY_SERVICE_EXIT_CODE_H
#define BELFRY_SERVICE_EXIT_CODE_H

enum { BF_EXIT_OK = 0, BF_EXIT_FAILURE = 1, BF_EXIT_USAGE = 64, BF_EXIT_CONFIG = 78 };

#endif
