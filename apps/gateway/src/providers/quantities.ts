import type { Meter } from '@vendo/events';
import { Rational } from '@vendo/money';
import type { Quantity } from '@vendo/pricing';

/** Counts by meter; undefined: not reported. */
export type Counts = Partial<Record<Meter, number | undefined>>;

/** A zero of these is still said: the basic lines of a call. Any other meter at zero would only ask for a price in vain. */
const SAID_AT_ZERO: ReadonlySet<string> = new Set<Meter>(['input_tokens', 'output_tokens']);

/** Counts as quantities, in the order given. `of` names the model where it is not the event's. */
export function quantitiesOf(counts: Counts, of: Pick<Quantity, 'model' | 'rateKeys'> = {}): Quantity[] {
  return Object.entries(counts).flatMap(([meter, count]) =>
    count === undefined || (count === 0 && !SAID_AT_ZERO.has(meter))
      ? []
      : [{ meter: meter as Meter, quantity: Rational.of(BigInt(count)), ...of }],
  );
}
