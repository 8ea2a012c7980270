import { type EventData, GATEWAY_TOPIC, type UsageMeasuredV2, type VendoEvent } from '@vendo/events';
import { addCorrections, addToRollups, insertUsageEvents, USAGE_TABLES } from '@vendo/read-models';
import type { Fact, Projection } from '../../projection.js';

type UsageEventType = 'UsageMeasured.v2' | 'UsageCorrected.v1';

/** Usage events, what corrected them, and their hourly roll-ups, from what gateways measured. */
export const usage: Projection<UsageEventType> = {
  name: 'usage',
  topic: GATEWAY_TOPIC,
  tables: USAGE_TABLES,
  handles: ['UsageMeasured.v2', 'UsageCorrected.v1'],
  order: 'facts',
  refuse,
  async apply(tx, facts) {
    const measured = firstPerHold(facts);
    const fresh = measured.length > 0 ? await insertUsageEvents(tx, measured) : [];
    if (fresh.length > 0) await addToRollups(tx, fresh);
    const corrections = facts.flatMap(({ event }) =>
      event.type === 'UsageCorrected.v1' ? [event.data] : [],
    );
    if (corrections.length > 0) await addCorrections(tx, firstPerNumber(corrections));
  },
};

/** A roll-up equals the journal only while an event's lines sum to its cost. */
function refuse({ tenantId, type, data }: VendoEvent<UsageEventType>): string | null {
  if (tenantId !== data.tenant_id) return `the event of tenant ${tenantId} names tenant ${data.tenant_id}`;
  if (type === 'UsageMeasured.v2' && data.lines.some(({ quantity }) => quantity.startsWith('-')))
    return 'less than nothing was measured';
  const sum = data.lines.reduce((total, line) => total + BigInt(line.cost_micros), 0n);
  return sum === BigInt(data.cost_micros)
    ? null
    : `lines sum to ${sum} micros, the event costs ${data.cost_micros}`;
}

/** The first report of a hold's usage wins, in one batch as across batches. */
function firstPerHold(facts: readonly Fact<UsageEventType>[]): UsageMeasuredV2[] {
  const byHold = new Map<string, UsageMeasuredV2>();
  for (const { event } of facts)
    if (event.type === 'UsageMeasured.v2' && !byHold.has(event.data.id))
      byHold.set(event.data.id, event.data);
  return [...byHold.values()];
}

function firstPerNumber(
  corrections: readonly EventData<'UsageCorrected.v1'>[],
): EventData<'UsageCorrected.v1'>[] {
  const byNumber = new Map<string, EventData<'UsageCorrected.v1'>>();
  for (const correction of corrections) {
    const place = `${correction.hold_id} ${correction.n}`;
    if (!byNumber.has(place)) byNumber.set(place, correction);
  }
  return [...byNumber.values()];
}
