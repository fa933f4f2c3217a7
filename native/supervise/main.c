/*
 * ocellus-supervise: keeps the camera's agent and encoder running, keeps their log, feeds the watchdog, and restarts the
 * machine when the agent says so.
 */
#include "supervise.h"

int main(int argc, char **argv) { return supervise(argc, argv, &CARE_TIMES); }
