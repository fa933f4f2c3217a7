/* Short texts that the system keeps in files, such as /proc/cmdline. */
#ifndef OCELLUS_HOST_TEXT_FILE_H
#define OCELLUS_HOST_TEXT_FILE_H

#include <stddef.h>

/* Reads the first `room` bytes of a file, without what follows its last line's text. Returns how many; 0 where `path` is
 * NULL, or where it cannot be read, which is one warning in the log. Call it without root: the file is opened by name. */
size_t text_file_read(const char *path, char *out, size_t room);

#endif
