/*
 * The oldest time that a camera believes, and judges certificates by while it knows none: the start of this day (UTC), in
 * seconds since 1970. Written by hand, so that the same source gives the same program wherever it is built: `make check` says
 * when it is to be written anew.
 */
#ifndef OCELLUS_HOST_BUILD_TIME_H
#define OCELLUS_HOST_BUILD_TIME_H

#define OCELLUS_BUILD_TIME_S 1795564800 /* 2026-11-25 */

#endif
