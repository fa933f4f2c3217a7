/**
 * The objects of the store, as files in its directory.
 *
 * Layout: `tmp/` (bodies being received, emptied at start) and `objects/<bucket>/<segments of the key>`.
 * A key never is a file name: its segments between "/" are percent-encoded (key-path.ts), so "..", a
 * leading "/" or an odd byte cannot leave the directory. An object's file is its bytes followed by a
 * trailer (JSON, its length, a mark), so that object and metadata appear by one atomic step: link(2), which
 * fails where the name is taken (If-None-Match: *), or rename(2), which replaces. File and directory are
 * synced before a put is answered: what was acknowledged survives a power cut.
 */
import { randomUUID } from "node:crypto";
import type { ReadStream } from "node:fs";
import {
  access,
  type FileHandle,
  link,
  mkdir,
  open,
  rename,
  rm,
  rmdir,
  unlink,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorCode, isFull } from "../../build/problem.mjs";
import type { BodyCheck, ChecksumName } from "./checksums.ts";
import { preconditionFailed, S3Error } from "./errors.ts";
import { objectPath } from "./key-path.ts";

const MARK = Buffer.from("OCELOBJ1");
/** Trailer's length as u32 big endian, then the mark. */
const FOOT_BYTES = 4 + MARK.length;
const TRAILER_MAX_BYTES = 64 * 1024;
/** Each try loses only to a delete that emptied the same directory in the same moment. */
const PLACE_ATTEMPTS = 100;

/** What the store knows of an object beside its bytes. */
export interface ObjectInfo {
  readonly size_bytes: number;
  /** MD5 of the bytes, hex, without quotes. */
  readonly etag: string;
  /** When it was put, milliseconds since 1970. */
  readonly modified_ms: number;
  /** Headers to give back as they came: content-type, cache-control, x-amz-meta-* … */
  readonly headers: Readonly<Record<string, string>>;
  /** Checksums the client sent and the store verified, base64. */
  readonly checksums: Readonly<Partial<Record<ChecksumName, string>>>;
}

/** A body to be stored. */
export interface NewObject {
  readonly bucket: string;
  readonly key: string;
  readonly body: AsyncIterable<Uint8Array>;
  /** Sees every byte; its verdict is asked before the object appears. */
  readonly check: BodyCheck;
  /** Fail with PreconditionFailed where the key is taken, and never replace. */
  readonly onlyIfAbsent: boolean;
  readonly modified_ms: number;
  readonly headers: ObjectInfo["headers"];
  readonly checksums: ObjectInfo["checksums"];
}

/** Objects in one directory, which belongs to this process alone. */
export class ObjectFiles {
  readonly #root: string;
  readonly #onFull: (sentence: string) => void;
  #isFull = false;

  private constructor(root: string, onFull: (sentence: string) => void) {
    this.#root = root;
    this.#onFull = onFull;
  }

  /**
   * Makes what is missing under `root` and clears bodies that were cut off before.
   * @param onFull told once each time the disk is found full, until something could be stored again.
   */
  static async open(root: string, onFull: (sentence: string) => void): Promise<ObjectFiles> {
    await rm(join(root, "tmp"), { recursive: true, force: true });
    await mkdir(join(root, "tmp"), { recursive: true, mode: 0o700 });
    await mkdir(join(root, "objects"), { recursive: true, mode: 0o700 });
    return new ObjectFiles(root, onFull);
  }

  /** Directory of a bucket's objects; it may not exist yet. */
  bucketDirectory(bucket: string): string {
    return join(this.#root, "objects", bucket);
  }

  /**
   * Receives a body and stores it whole, or not at all.
   * @throws S3Error PreconditionFailed, ServiceUnavailable (disk full), or what `check` throws.
   */
  async put(object: NewObject): Promise<ObjectInfo> {
    const file = objectPath(this.bucketDirectory(object.bucket), object.key);
    if (object.onlyIfAbsent && (await exists(file))) throw preconditionFailed();
    const temporary = join(this.#root, "tmp", randomUUID());
    try {
      const info = await receive(temporary, object);
      await this.#place(temporary, file, object.onlyIfAbsent);
      this.#isFull = false;
      return info;
    } catch (error) {
      if (!isFull(error)) throw error;
      if (!this.#isFull) {
        this.#onFull(
          `the disk that holds ${this.#root} is full: the store refuses footage until some space is free.`,
        );
      }
      this.#isFull = true;
      throw new S3Error("ServiceUnavailable", "The store's disk is full");
    } finally {
      await rm(temporary, { force: true });
    }
  }

  /** @returns what is known of an object, or undefined without one. */
  async info(bucket: string, key: string): Promise<ObjectInfo | undefined> {
    const opened = await this.#open(bucket, key);
    await opened?.handle.close();
    return opened?.info;
  }

  /**
   * Opens an object for reading; the caller then calls `closeUnlessRead`, whatever happened.
   * @returns undefined where there is none.
   */
  async open(bucket: string, key: string): Promise<OpenObject | undefined> {
    const opened = await this.#open(bucket, key);
    return opened && new OpenObject(opened.handle, opened.info);
  }

  /** Deletes an object; one that is absent counts as deleted, as in S3. */
  async delete(bucket: string, key: string): Promise<void> {
    const directory = this.bucketDirectory(bucket);
    const file = objectPath(directory, key);
    try {
      await unlink(file);
    } catch (error) {
      if (isAbsent(error)) return;
      throw error;
    }
    await syncDirectory(dirname(file));
    await removeEmpty(dirname(file), directory);
  }

  async #open(
    bucket: string,
    key: string,
  ): Promise<{ handle: FileHandle; info: ObjectInfo } | undefined> {
    try {
      const handle = await open(objectPath(this.bucketDirectory(bucket), key), "r");
      return { handle, info: await readInfo(handle) };
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  /** Gives the received file its name. A delete may remove an empty directory in between: then again. */
  async #place(temporary: string, file: string, onlyIfAbsent: boolean): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await makeDirectory(dirname(file));
        await (onlyIfAbsent ? link(temporary, file) : rename(temporary, file));
        await syncDirectory(dirname(file));
        return;
      } catch (error) {
        if (errorCode(error) === "EEXIST") throw preconditionFailed();
        if (errorCode(error) !== "ENOENT" || attempt === PLACE_ATTEMPTS) throw error;
      }
    }
  }
}

/** An object opened for reading: stays whole even where it is replaced or deleted meanwhile. */
export class OpenObject {
  readonly info: ObjectInfo;
  readonly #handle: FileHandle;
  #isRead = false;

  constructor(handle: FileHandle, info: ObjectInfo) {
    this.#handle = handle;
    this.info = info;
  }

  /** Streams bytes `first` to `last`, both included; closes the object at the stream's end. */
  read(first: number, last: number): ReadStream {
    this.#isRead = true;
    return this.#handle.createReadStream({ start: first, end: last, autoClose: true });
  }

  /** To be called when the caller is done with it; after `read` the stream closes the object. */
  async closeUnlessRead(): Promise<void> {
    if (!this.#isRead) await this.#handle.close();
  }
}

/** Reads an object's info from its file (the listing has the path already). */
export async function readInfoAt(file: string): Promise<ObjectInfo | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(file, "r");
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
  try {
    return await readInfo(handle);
  } finally {
    await handle.close();
  }
}

async function receive(temporary: string, object: NewObject): Promise<ObjectInfo> {
  const handle = await open(temporary, "wx", 0o600);
  try {
    let size_bytes = 0;
    for await (const bytes of object.body) {
      size_bytes += bytes.length;
      object.check.update(bytes);
      await writeAll(handle, bytes);
    }
    const info: ObjectInfo = {
      size_bytes,
      etag: object.check.finish(),
      modified_ms: object.modified_ms,
      headers: object.headers,
      checksums: object.checksums,
    };
    const trailer = Buffer.from(JSON.stringify(info));
    if (trailer.length > TRAILER_MAX_BYTES) throw new Error("the trailer outgrew its bound");
    const length = Buffer.alloc(4);
    length.writeUInt32BE(trailer.length);
    await writeAll(handle, Buffer.concat([trailer, length, MARK]));
    await handle.sync();
    return info;
  } finally {
    await handle.close();
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    done += (await handle.write(bytes, done, bytes.length - done)).bytesWritten;
  }
}

async function readInfo(handle: FileHandle): Promise<ObjectInfo> {
  const { size } = await handle.stat();
  const foot = await readAt(handle, size - FOOT_BYTES, FOOT_BYTES);
  const length = foot.readUInt32BE(0);
  if (!foot.subarray(4).equals(MARK) || length > TRAILER_MAX_BYTES) {
    throw new Error("a file in the store's directory is no object of the store's");
  }
  const text = (await readAt(handle, size - FOOT_BYTES - length, length)).toString();
  const info: ObjectInfo = JSON.parse(text);
  return info;
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
  if (bytesRead !== length) throw new Error("a file in the store's directory is cut short");
  return buffer;
}

/** Makes a directory and its missing parents so that they survive a power cut. */
async function makeDirectory(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = directory; ; made = dirname(made)) {
    await syncDirectory(dirname(made));
    if (made === first) return;
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r").catch((error: unknown) => {
    // Emptied and removed by a delete at the same time; then there is nothing to keep.
    if (isAbsent(error)) return undefined;
    throw error;
  });
  await handle?.sync();
  await handle?.close();
}

/** Removes `directory` and its parents up to `top` as far as they are empty. */
async function removeEmpty(directory: string, top: string): Promise<void> {
  for (let current = directory; current !== top; current = dirname(current)) {
    try {
      await rmdir(current);
    } catch {
      return;
    }
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  const code = errorCode(error);
  return code === "ENOENT" || code === "ENOTDIR";
}
