import { Rational } from '@vendo/money';
import type { Quantity } from '@vendo/pricing';
import { countOf, type Foreign, listOf, nameOf, objectOf } from '../foreign-json.js';
import type { EventVerdict, JobReport, Reading, StartedJob, UsageMeter } from '../provider.js';
import { decimalOf } from '../quantities.js';
import { ID, idOf } from '../route-table.js';
import { PASS } from '../verdicts.js';
import { addOnName, featuresOf, STANDARD } from './assemblyai.models.js';

const NOTHING: Reading = {
  model: null,
  tier: null,
  quantities: [],
  contextTokens: 0,
  state: 'none',
  failed: false,
  upstreamId: null,
};

const MS = Rational.of(1_000n);
/** The transcript's own id stands before anything that is heard, and text inside strings has its quotes escaped. */
const ID_IN_TORN = new RegExp(`"id"\\s*:\\s*"(${ID})"`);

/** The answer to a submit: it names the transcript, and knows nothing of its length yet. */
export class SubmitMeter implements UsageMeter {
  private id: string | null = null;
  private failed = false;

  onEvent(): EventVerdict {
    return PASS;
  }

  onBody(json: unknown): void {
    const body = objectOf(json);
    this.id = idOf(body.id);
    this.failed = body.status === 'error';
  }

  onTornBody(text: string): void {
    this.id = idOf(ID_IN_TORN.exec(text)?.[1]);
  }

  reading(): Reading {
    return { ...NOTHING, failed: this.failed, upstreamId: this.id };
  }

  counted(): Reading {
    return this.reading();
  }
}

/** A transcript is billed by the seconds of its media when it is complete, each channel for itself; a failed one is free. */
export function readReport(json: unknown, { upstream_id, tier }: StartedJob): JobReport {
  const body = objectOf(json);
  if (body.id !== upstream_id) return { state: 'running' };
  if (body.status === 'error') return { state: 'failed' };
  if (body.status !== 'completed') return { state: 'running' };
  const told = decimalOf(body.audio_duration);
  const channels = channelsOf(body);
  const seconds = (told ?? lastEnd(body)).times(Rational.of(BigInt(channels ?? 1)));
  return {
    state: 'done',
    reading: {
      ...NOTHING,
      model: nameOf(body.speech_model_used),
      tier: STANDARD,
      quantities: linesOf(seconds, featuresOf(tier)),
      state: stateOf(told !== null && channels !== null, seconds),
    },
  };
}

function stateOf(isTold: boolean, seconds: Rational): Reading['state'] {
  if (isTold) return 'final';
  return seconds.isZero() ? 'none' : 'partial';
}

function linesOf(seconds: Rational, features: readonly string[]): Quantity[] {
  if (seconds.isZero()) return [];
  const line: Quantity = { meter: 'audio_seconds', quantity: seconds };
  const addOns = features.map(addOnName).map((name) => ({ ...line, model: name, rateKeys: [name] }));
  return [line, ...addOns];
}

/** Said only where channels were asked for. Null: said, and no count. */
function channelsOf({ audio_channels }: Foreign): number | null {
  const channels = countOf(audio_channels ?? 1);
  return channels === null ? null : Math.max(channels, 1);
}

/** The end of the last word, where nothing says how long the media was: it is less by the silence behind it. Seconds. */
function lastEnd({ words, utterances }: Foreign): Rational {
  const ends = [...listOf(words), ...listOf(utterances)].flatMap((said) => countOf(objectOf(said).end) ?? []);
  const last = ends.reduce((latest, end) => Math.max(latest, end), 0);
  return Rational.of(BigInt(last)).dividedBy(MS);
}
