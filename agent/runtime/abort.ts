/** As much of AbortController (DOM standard, 3.1) as readable-stream looks for when it loads; nothing here aborts. */

export class AbortSignal {
  aborted = false;
}

export class AbortController {
  readonly signal = new AbortSignal();

  abort(): void {
    this.signal.aborted = true;
  }
}
