/* The store: takes every PUT, answers as Amazon S3 does (header names and their number, for their
 * bytes), and has nothing to give. Bodies can be kept as files, to be looked at afterwards. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "world.h"

#define HEAD_BYTES 8192u

struct request {
  char head[HEAD_BYTES + 1]; /* terminated */
  size_t head_bytes;
  uint64_t body_left; /* of the request that is being taken */
  int in_body, put;
  FILE *kept; /* NULL: the body is not kept */
};

static uint64_t objects, object_bytes, http_out, http_in;
static const char *keep_in; /* NULL: nothing is kept */

void store_keep(const char *directory) { keep_in = directory; }

static void *open_connection(void) {
  struct request *request = calloc(1, sizeof *request);
  if (request == NULL)
    abort();
  return request;
}

/* A file named as the path, with '+' for '/'. */
static FILE *keep(const struct request *request) {
  char path[HEAD_BYTES];
  const char *name = request->head + strlen("PUT ");
  int length = snprintf(path, sizeof path, "%s/%.*s", keep_in, (int)strcspn(name, " ?"), name);
  for (char *c = path + strlen(keep_in) + 1; *c != '\0'; c++)
    if (*c == '/')
      *c = '+';
  FILE *file = length < (int)sizeof path ? fopen(path, "wb") : NULL;
  if (file == NULL)
    abort();
  return file;
}

static uint64_t content_length(const char *head) {
  for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n"))
    if (strncasecmp(line + 2, "content-length:", 15) == 0)
      return strtoull(line + 17, NULL, 10);
  return 0;
}

static void reply(const struct request *request,
                  void (*answer)(void *to, const void *bytes, size_t count), void *to) {
  char date[64], text[1024];
  time_t now = (time_t)world_true_time_s();
  struct tm fields;
  gmtime_r(&now, &fields);
  strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &fields);
  int count = snprintf(text, sizeof text,
                       "HTTP/1.1 %s\r\n"
                       "x-amz-id-2: %076d\r\n"
                       "x-amz-request-id: %016llu\r\n"
                       "Date: %s\r\n"
                       "ETag: \"%032llu\"\r\n"
                       "Server: AmazonS3\r\n"
                       "Content-Length: 0\r\n\r\n",
                       request->put ? "200 OK" : "404 Not Found", 0, (unsigned long long)objects,
                       date, (unsigned long long)objects);
  answer(to, text, (size_t)count);
  http_in += (uint64_t)count;
}

static void finish(struct request *request,
                   void (*answer)(void *to, const void *bytes, size_t count), void *to) {
  if (request->kept != NULL && fclose(request->kept) != 0)
    abort();
  request->kept = NULL;
  if (request->put)
    objects++;
  reply(request, answer, to);
  request->head_bytes = 0;
  request->in_body = 0;
}

static void take(void *connection, const uint8_t *bytes, size_t count,
                 void (*answer)(void *to, const void *bytes, size_t count), void *to) {
  struct request *request = connection;
  http_out += count;
  while (count > 0) {
    if (!request->in_body) {
      if (request->head_bytes == HEAD_BYTES)
        abort();
      request->head[request->head_bytes++] = (char)*bytes++;
      count--;
      request->head[request->head_bytes] = '\0';
      if (request->head_bytes < 4 ||
          memcmp(request->head + request->head_bytes - 4, "\r\n\r\n", 4) != 0)
        continue;
      request->body_left = content_length(request->head);
      request->put = strncmp(request->head, "PUT ", 4) == 0;
      request->in_body = 1;
      if (request->put && keep_in != NULL)
        request->kept = keep(request);
    }
    size_t part = count < request->body_left ? count : (size_t)request->body_left;
    if (request->kept != NULL && fwrite(bytes, 1, part, request->kept) != part)
      abort();
    bytes += part;
    count -= part;
    request->body_left -= part;
    if (request->put)
      object_bytes += part;
    if (request->body_left == 0)
      finish(request, answer, to);
  }
}

const struct server world_store = {
    .port = 443, .open = open_connection, .take = take, .close = free};

uint64_t store_objects(void) { return objects; }

uint64_t store_object_bytes(void) { return object_bytes; }

uint64_t store_http_out(void) { return http_out; }

uint64_t store_http_in(void) { return http_in; }
