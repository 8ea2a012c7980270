/** Above this no new calls are admitted, bytes: a second of a busy gateway has a tenth of it. */
const BYTES_MAX = 67_108_864;

/** The frames that were written since the last good beat: what must be written again if the spool was adopted meanwhile. */
export class RecentFrames {
  private frames: { bytes: Buffer; write: number }[] = [];
  private bytes = 0;

  get isFull(): boolean {
    return this.bytes > BYTES_MAX;
  }

  /** @param write the number of its write; they only grow. */
  add(bytes: Buffer, write: number): void {
    this.frames.push({ bytes, write });
    this.bytes += bytes.length;
  }

  forgetUpTo(write: number): void {
    const firstKept = this.frames.findIndex((frame) => frame.write > write);
    const forgotten = this.frames.splice(0, firstKept < 0 ? this.frames.length : firstKept);
    for (const { bytes } of forgotten) this.bytes -= bytes.length;
  }

  all(): Buffer[] {
    return this.frames.map(({ bytes }) => bytes);
  }
}
