/*
 * ocellus-supervise: keeps the camera's agent and encoder running, keeps their log, feeds the watchdog, and restarts the
 * machine when the agent says so.
 */
#include "oom.h"
#include "supervise.h"

int main(int argc, char **argv) {
  /* Who looks after the others is not ended for memory. On a camera this is root; elsewhere it stays as it was. */
  oom_adjust(OOM_NEVER);
  return supervise(argc, argv, &CARE_TIMES);
}
