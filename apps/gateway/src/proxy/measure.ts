import type { IncomingHttpHeaders } from 'node:http';
import type { Evidence, Outcome } from '@vendo/events';
import { Rational } from '@vendo/money';
import type { Quantity } from '@vendo/pricing';
import type { Reading, UsageMeter } from '../providers/provider.js';

/** How an answer ended. */
export type Ending = 'completed' | 'upstream_died' | 'client_aborted';

/** What an answer came to, and how that is known. */
export interface Measured {
  reading: Reading;
  evidence: Evidence;
  outcome: Outcome;
}

/** Nothing was reported. */
export const NO_READING: Reading = {
  model: null,
  tier: null,
  quantities: [],
  contextTokens: 0,
  state: 'none',
  failed: false,
  upstreamId: null,
};

/** A meter that cannot read a head says less in the end. Never throws. */
export function readHead(meter: UsageMeter, headers: IncomingHttpHeaders): void {
  try {
    meter.onHead?.(headers);
  } catch {
    // As with every foreign input: what cannot be read has not been said.
  }
}

/** Whether nothing that is still to come can change the cost. Never throws. */
export function isKnownAtHead(meter: UsageMeter): boolean {
  try {
    const { state, evidence } = meter.reading();
    return state === 'final' && evidence === 'header';
  } catch {
    return false;
  }
}

/** The provider's report; where the answer was cut off before it was final or has none, what has certainly passed. Never throws. */
export function measure(meter: UsageMeter, ended: Ending, clientLeft: boolean): Measured {
  try {
    const reading = meter.reading();
    const outcome = outcomeOf(reading, ended, clientLeft);
    const isFinal = reading.state === 'final' && (ended === 'completed' || !reading.openEnded);
    if (isFinal)
      return { reading, evidence: reading.evidence ?? (clientLeft ? 'drained' : 'exact'), outcome };
    if (ended !== 'completed' && !reading.failed)
      return { reading: meter.counted(), evidence: 'counted', outcome };
    return { reading: withDelivered(reading, meter), evidence: 'estimated', outcome };
  } catch {
    return { reading: NO_READING, evidence: 'estimated', outcome: outcomeOf(NO_READING, ended, clientLeft) };
  }
}

/**
 * An answer that has ended by itself, or with an error that does not make it free, has used at least what has passed,
 * where its report says less or nothing. One in which no output was seen may be no answer of the provider's at all:
 * nothing is counted of it.
 */
function withDelivered(reading: Reading, meter: UsageMeter): Reading {
  if (reading.failed && !meter.billsFailed) return reading;
  const counted = meter.counted();
  const isMore = outputOf(counted).compare(outputOf(reading)) > 0 && hasLinesOf(counted, reading);
  return isMore ? { ...counted, state: reading.state } : reading;
}

function outputOf({ quantities }: Reading): Rational {
  return quantities.find(isOutput)?.quantity ?? Rational.ZERO;
}

/** Of the call's own model. */
function isOutput({ meter, model }: Quantity): boolean {
  return meter === 'output_tokens' && model === undefined;
}

/** An estimate may have more lines than can be counted. */
function hasLinesOf(counted: Reading, { quantities }: Reading): boolean {
  return quantities.every(({ meter, model }) =>
    counted.quantities.some((line) => line.meter === meter && line.model === model),
  );
}

function outcomeOf({ failed }: Reading, ended: Ending, clientLeft: boolean): Outcome {
  if (ended === 'completed' && clientLeft) return 'client_aborted';
  if (ended === 'completed' && failed) return 'upstream_error';
  return ended;
}
