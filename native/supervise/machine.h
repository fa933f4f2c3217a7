/* Restarting the machine. Behind an interface of its own, because tests must not: theirs is in test/native. */
#ifndef OCELLUS_SUPERVISE_MACHINE_H
#define OCELLUS_SUPERVISE_MACHINE_H

/* Makes the file systems durable and read-only, then resets the machine. Returns only where that fails, with errno. */
void machine_restart(void);

#endif
