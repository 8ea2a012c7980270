import type { EventVerdict, Headers, Reading, UsageMeter } from './provider.js';
import { PASS } from './verdicts.js';

/** What an answer costs of which the head says all, or the request once it is accepted: nothing in the body changes it. */
export abstract class HeadMeter implements UsageMeter {
  abstract onHead(headers: Headers): void;

  /** `none` before the head; after it final, by evidence `header`. */
  abstract reading(): Reading;

  onEvent(): EventVerdict {
    return PASS;
  }

  onBody(_json: unknown, _source?: Buffer): void {
    // Charges nothing.
  }

  onTornBody(): void {
    // How much of the answer comes changes nothing.
  }

  counted(): Reading {
    return this.reading();
  }
}
