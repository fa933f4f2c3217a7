/*
 * The provisioning file: looked for anew at each reading, so that one which comes later, or in
 * place of another, is found.
 *
 * It is opened with the rights the process has by then. One that root alone may read is opened at
 * start as well, if it is a plain file with this one name, and read through that descriptor for as
 * long as it is still the file of that name.
 */
#ifndef OCELLUS_HOST_PROVISION_H
#define OCELLUS_HOST_PROVISION_H

#include "state.h"

/* `path` is borrowed until provision_close; NULL: none was named. Called before root is given up.
 * A file that root should not open for whoever put it there is told in the log; what else is wrong
 * with it is told by provision_read. */
void provision_open(const char *path);

/* As state_read does: STATE_OK, _ABSENT (none named, none there, or closed), _TOO_LARGE, _IO with
 * errno: EACCES where it may not be read and was not opened at start. */
enum state_result provision_read(uint8_t *out, size_t *bytes);

/* Forgets the file. Doing it twice is harmless. */
void provision_close(void);

#endif
