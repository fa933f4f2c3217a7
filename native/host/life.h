/*
 * Signs of life to whoever supervises this process: one byte at a time into a pipe that was handed down. The newest byte
 * counts; one that the reader does not know is LIFE_ALIVE.
 */
#ifndef OCELLUS_HOST_LIFE_H
#define OCELLUS_HOST_LIFE_H

#include <stdbool.h>

#define LIFE_ALIVE '.'
/* Alive, and the encoder has given no pictures for too long: it, and not this process, should be started again. */
#define LIFE_NO_PICTURES 'e'

/* Takes the descriptor over, which stays open, close-on-exec, as long as the process lives; -1: there is none. Before
 * anything is opened, which might get its number. False after a line in the log: it is no descriptor to write to. */
bool life_take(int fd);

/* Where there is one: has the process killed when the one that started it ends. After privilege_drop, since a change of ids
 * undoes that (prctl(2)). False after a line in the log: that process is gone already. */
bool life_bind(void);

/* Gives a sign, one of the above. Never blocks: where the pipe is full nobody looks, and nothing is written. */
void life_sign(char sign);

#endif
