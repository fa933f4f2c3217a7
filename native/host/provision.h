/* The provisioning file: opened while root may read it, read whenever the agent asks. */
#ifndef OCELLUS_HOST_PROVISION_H
#define OCELLUS_HOST_PROVISION_H

#include "state.h"

/* `path` may be NULL: none was named. What is wrong with it is told by provision_read. */
void provision_open(const char *path);

/* As state_read does: STATE_OK, _ABSENT (none named, or none there at start), _TOO_LARGE, _IO. */
enum state_result provision_read(uint8_t *out, size_t *bytes);

void provision_close(void);

#endif
