/* The supervisor: everything but its limits of time and how the machine is restarted (machine.h). */
#ifndef OCELLUS_SUPERVISE_SUPERVISE_H
#define OCELLUS_SUPERVISE_SUPERVISE_H

#include "care.h"

/* Runs until SIGTERM or SIGINT, or until it restarts the machine. Returns the status to exit with (command_line.h). */
int supervise(int argc, char **argv, const struct care_times *times);

#endif
