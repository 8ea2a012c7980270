/** Work that one projector at a time does. */
export interface Duty {
  /** Names the lease; all projectors name and order their duties alike. */
  place: string;
  /** Works until the signal aborts, through outages; never throws. */
  run(signal: AbortSignal): Promise<void>;
}
